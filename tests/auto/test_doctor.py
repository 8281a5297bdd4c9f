from __future__ import annotations

from pathlib import Path

import pytest
from hub_kit import hub_at, small_hub
from loopback_servers import free_port

from dessin.auto import doctor as module
from dessin.auto.doctor import doctor
from dessin.models.candidates import Machine
from dessin.models.default_backbones import ALWAYS, TABLE
from dessin.models.weights import PACKAGED

pytestmark = pytest.mark.slow


def test_it_finds_the_packaged_weights_and_a_device() -> None:
    findings = doctor()
    for backbone in PACKAGED:
        assert findings[f"Weights {backbone}"].startswith("package")
        assert "Apache-2.0" in findings[f"Weights {backbone}"]
    assert findings["Device"].split(":")[0] in {"cpu", "cuda", "mps"}
    assert findings["Package torch"] != "not installed"


EVA = "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k"


def a_gpu_of_80_gb(*, hub: str) -> Machine:
    return Machine("cuda", 80.0, 16, frozenset(ALWAYS), hub)


def test_on_a_gpu_it_says_what_the_strong_ones_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "this_machine", a_gpu_of_80_gb)
    with small_hub(tmp_path):
        findings = doctor()
    assert findings["Hub"] == "it answers"
    assert EVA in findings["Candidates"]
    finding = findings[f"Backbone {EVA}"]
    assert "MIT" in finding
    assert "at 448 px 3,000 drawings would take frozen 43 s and 3.8 GiB, lora " in finding
    assert "; candidate: " in finding


def test_with_the_hub_gone_it_says_what_would_have_been_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "this_machine", a_gpu_of_80_gb)
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path):
        findings = doctor()
    assert findings["Hub"] == "the hub cannot be reached"
    assert findings["Candidates"].startswith(f"{', '.join(ALWAYS)}, for 3,000 drawings")
    assert "; would have been a candidate: the hub cannot be reached; MIT" in findings[f"Backbone {EVA}"]


def test_it_shows_the_table_that_candidates_are_taken_from() -> None:
    findings = doctor()
    assert findings["Hub"] == "the hub is not asked, for HF_HUB_OFFLINE is set"
    for row in TABLE:
        finding = findings[f"Backbone {row.name}"]
        assert row.licence in finding
        assert f" and {row.tuning_gib:.1f} GiB" in finding
        assert f"at {row.size} px 3,000 drawings would take frozen " in finding
        assert (", lora " in finding) == (row.lora_gib is not None)
    assert "only when you name it" in findings["Backbone vit_large_patch16_dinov3.lvd1689m"]
    assert findings["Candidates"].startswith(", ".join(ALWAYS))

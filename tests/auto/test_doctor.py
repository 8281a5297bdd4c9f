from __future__ import annotations

import pytest

from dessin.auto.doctor import doctor
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


def test_it_shows_the_table_that_candidates_are_taken_from() -> None:
    findings = doctor()
    assert findings["Hub"] == "the hub is not asked, for HF_HUB_OFFLINE is set"
    for row in TABLE:
        finding = findings[f"Backbone {row.name}"]
        assert row.licence in finding
        assert f"{row.tuning_gib} to tune" in finding
    assert "only when you name it" in findings["Backbone vit_large_patch16_dinov3.lvd1689m"]
    assert findings["Candidates"].startswith(", ".join(ALWAYS))

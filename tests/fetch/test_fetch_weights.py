"""Weights are fetched ahead, and used where there is no hub any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_kit import hub_at, small_hub
from loopback_servers import free_port

import dessin
import dessin.progress
from dessin.errors import DessinError
from dessin.models.weights import load_state, resolve_weights

pytestmark = pytest.mark.slow

TINY, LITE0 = "test_resnet", "tf_efficientnet_lite0"


def test_what_is_fetched_ahead_is_used_without_the_hub(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dessin.progress, "_quiet", False)
    with small_hub(tmp_path / "cache") as hub:
        digest = hub.publish(TINY)
        fetched, packaged = dessin.weights(TINY, f"{LITE0},{TINY}")
    said = capsys.readouterr().out
    size = fetched.path.stat().st_size / 1e6 if fetched.path else 0
    assert f"{TINY}: {size:.1f} MB, licence apache-2.0, sha256 {digest}, from hub timm/test_resnet" in said
    assert f"{LITE0}: " in said
    assert packaged.source.startswith("package ")
    assert f"They are in {tmp_path / 'cache'}. For a machine without internet" in said
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "cache"):
        assert resolve_weights(TINY) == fetched
        assert load_state(fetched)


def test_a_name_that_is_none_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with small_hub(tmp_path / "cache") as hub:
        hub.publish(TINY)
        with pytest.raises(DessinError, match="Unknown backbone"):
            dessin.weights(TINY, "resnet_of_nobody")
        with pytest.raises(DessinError, match="No backbone was named"):
            dessin.weights()
        assert hub.asked == []


def test_without_a_hub_it_says_what_to_do(tmp_path: Path) -> None:
    with (
        hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "cache"),
        pytest.raises(DessinError, match=r"the hub cannot be reached\. Fetch them where the hub answers"),
    ):
        dessin.weights(TINY)


def test_only_safetensors_are_fetched(tmp_path: Path) -> None:
    """This one's authors publish it outside of the hub alone."""
    with small_hub(tmp_path / "cache") as hub:
        with pytest.raises(DessinError, match="not a safetensors file on the hub"):
            dessin.weights("gcvit_xxtiny")
        assert hub.asked == []

"""What `auto` and `scout` try beside the usual: from a small hub on loopback, or said where it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hub_kit import hub_at, small_hub
from loopback_servers import free_port
from tiny_run import make_drawings, make_tiny_split

from dessin.auto import begin as module
from dessin.auto.begin import begin
from dessin.auto.budget import Speed
from dessin.auto.state import Asked, AutoState
from dessin.collection.readers.detect import read_collection
from dessin.decisions import Decision
from dessin.models import candidates, default_backbones
from dessin.models.candidates import Machine
from dessin.models.default_backbones import ALWAYS, TABLE, Backbone
from dessin.models.weights import resolve_weights, weights_are_here
from dessin.runs import candidates as here
from dessin.runs.scout import read_scout, scout

pytestmark = pytest.mark.slow

TINY = "test_resnet"
ASKED = Asked(manifest="m" * 64, group=None, models=(), seed=0, budget_seconds=900.0)


@contextmanager
def a_small_table() -> Iterator[None]:
    """The packaged ones and one small one, of which a hub has random weights."""
    rows = (*TABLE[:3], Backbone(TINY, "small", "Apache-2.0", 0.5, 0.1, 12.3, 224, 0.1, 0.2))
    with pytest.MonkeyPatch.context() as patch:
        for place in (candidates, default_backbones, here):
            patch.setattr(place, "TABLE", rows)
        for place in (candidates, default_backbones, module):
            patch.setattr(place, "ROWS", {row.name: row for row in rows})
        yield


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AutoState]]:
    data = make_drawings(tmp_path / "drawings")
    collection = read_collection(data)

    def plan(asked: Asked = ASKED) -> AutoState:
        def speeds(models: tuple[str, ...], size: int, _device: object) -> dict[tuple[str, int], Speed]:
            return {(name.partition(":")[0], size): Speed(100.0, 50.0, 100.0) for name in models}

        monkeypatch.setattr(module, "measure_speeds", speeds)
        return begin(collection, data, asked, asked.budget_seconds)

    with a_small_table():
        yield plan


def said(state: AutoState) -> dict[str, Decision[object]]:
    return {str(decision.value): decision for decision in state.decisions}


def test_a_small_one_is_fetched_and_tried(planned: Callable[..., AutoState], tmp_path: Path) -> None:
    with small_hub(tmp_path / "cache") as hub:
        hub.publish(TINY)
        state = planned()
        assert weights_are_here(TINY)
    assert state.candidates == (TINY, *ALWAYS), "it is stronger than the usual ones"
    decision = said(state)[TINY]
    assert decision.name == "candidate"
    assert "Apache-2.0" in decision.reason
    assert "12.3% on ImageNet-Sketch" in decision.reason
    assert "from the hub" in decision.reason


def test_with_the_hub_gone_the_usual_are_tried_and_what_would_have_been_is_said(
    planned: Callable[..., AutoState], tmp_path: Path
) -> None:
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "cache"):
        state = planned()
    assert state.candidates == ALWAYS
    assert said(state)[TINY].name == "would have been a candidate"
    assert said(state)[TINY].reason.startswith("the hub cannot be reached; Apache-2.0")


def test_one_that_the_hub_does_not_give_is_left_out(
    planned: Callable[..., AutoState], tmp_path: Path
) -> None:
    with small_hub(tmp_path / "cache"):
        state = planned()
    assert state.candidates == ALWAYS
    assert said(state)[TINY].name == "left out"
    assert "the hub did not give them" in said(state)[TINY].reason


def test_the_hub_is_not_asked_where_nothing_depends_on_it(
    planned: Callable[..., AutoState], tmp_path: Path
) -> None:
    named = ASKED.model_copy(update={"models": ALWAYS})
    with small_hub(tmp_path / "cache") as hub, pytest.MonkeyPatch.context() as patch:
        hub.publish(TINY)
        resolve_weights(TINY)
        hub.asked.clear()
        patch.setattr(here, "hub_silence", lambda: pytest.fail("asked"))
        assert planned(named).candidates == ALWAYS
        state = planned()
        assert hub.asked == []
    assert "its weights are here" in said(state)[TINY].reason


def test_what_is_too_large_to_tune_here_is_only_probed(
    planned: Callable[..., AutoState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_hub(tmp_path / "cache") as hub:
        hub.publish(TINY)
        machine = here.this_machine()
        monkeypatch.setattr(module, "this_machine", lambda: replace(machine, memory_gib=0.21))
        state = planned()
    assert state.frozen == (TINY, *ALWAYS)


def test_on_a_gpu_without_the_hub_scout_says_what_it_would_have_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    gpu = Machine("cuda", 80.0, 16, frozenset(ALWAYS), hub="")
    monkeypatch.setattr(here, "this_machine", lambda: gpu)
    data = make_drawings(tmp_path / "drawings")
    split = make_tiny_split(data, tmp_path / "split.csv")
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "cache"):
        result = scout(data, split=split, out=tmp_path / "scout", size=32)
    assert {row.backbone for row in result.rows} == set(ALWAYS)
    said = capsys.readouterr().out
    assert (
        "would have been a candidate: eva02_large_patch14_448.mim_m38m_ft_in22k_in1k (the hub cannot be"
        in said
    )
    assert (
        "MIT, 304 M parameters, 70.7% on ImageNet-Sketch, frozen, for a probe, 448 px, 3.8 of 80 GiB" in said
    )


def test_scout_leaves_out_a_file_that_does_not_fit(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "drawings")
    split = make_tiny_split(data, tmp_path / "split.csv")
    with small_hub(tmp_path / "cache") as hub, a_small_table():
        hub.put(TINY, b"<html>Please sign in</html>")
        result = scout(data, split=split, out=tmp_path / "scout", size=32)
    left = {row.backbone: row.reason for row in result.rows if row.accuracy is None}
    assert list(left) == [TINY]
    assert "not a whole safetensors file" in left[TINY]


def test_scout_takes_them_too(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "drawings")
    split = make_tiny_split(data, tmp_path / "split.csv")
    with small_hub(tmp_path / "cache") as hub, a_small_table():
        hub.publish(TINY)
        result = scout(data, split=split, out=tmp_path / "scout", size=32)
    assert {row.backbone for row in result.rows} == {*ALWAYS, TINY}
    assert all(row.accuracy for row in read_scout(tmp_path / "scout"))

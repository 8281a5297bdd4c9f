"""A run that has finished is where another one begins: its body, in other classes; and how it is packaged."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.errors import DessinError
from dessin.models.bundle import load_bundle
from dessin.models.drawn import drawn_facts
from dessin.models.weights import load_state, resolve_weights
from dessin.progress import quiet
from dessin.runs.record import read_record
from dessin.runs.scout import scout
from dessin.runs.train import train

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "drawn_weights.py"
BACKBONE = "test_efficientnet"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawings, a split and a run of three classes; the same drawings in two, which have other names."""
    with apart(tmp_path_factory.mktemp("begin")) as folder, quiet():
        data = make_drawings(folder / "drawings")
        split = make_tiny_split(data, folder / "split.csv")
        train(tiny_recipe("full"), data=data, split=split, out=folder / "first")
        other = make_drawings(folder / "others")
        (other / CLASSES[2]).rename(folder / "left out")
        (other / CLASSES[1]).rename(other / "spots")
        make_tiny_split(other, folder / "others.csv")
        yield folder


def body(run: Path) -> dict[str, torch.Tensor]:
    return dict(load_bundle(run / "bundle").with_weights("a test").body.state_dict())


def test_a_probe_from_a_run_keeps_its_body_in_other_classes(home: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe("probe", model={"backbone": BACKBONE, "weights": str(home / "first")}, augment=[])
    with quiet():
        train(recipe, data=home / "others", split=home / "others.csv", out=tmp_path / "second")
    first, second = body(home / "first"), body(tmp_path / "second")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    record = read_record(tmp_path / "second")
    assert record.counts.classes == 2
    assert record.decided("weights", str) == "bundle first"
    assert record.digests.weights == read_record(home / "first").digests.model
    assert load_bundle(tmp_path / "second" / "bundle").card.classes == ("bars", "spots")


def test_a_run_and_its_bundle_are_the_same_weights(home: Path) -> None:
    run, bundle = (resolve_weights(BACKBONE, str(path)) for path in (home / "first", home / "first/bundle"))
    assert (run.path, run.sha256, run.licence) == (bundle.path, bundle.sha256, bundle.licence)
    assert load_state(run).keys() == body(home / "first").keys()
    with pytest.raises(DessinError, match="holds test_efficientnet"):
        resolve_weights("test_resnet", str(home / "first"))


def test_scout_ranks_the_same_backbone_with_other_weights(home: Path, tmp_path: Path) -> None:
    """Two names of the same weights have the same row; random ones are another."""
    names = [f"{BACKBONE}:{home / 'first'}", f"{BACKBONE}:{home / 'first' / 'bundle'}", f"{BACKBONE}:none"]
    with quiet():
        result = scout(
            home / "others", split=home / "others.csv", models=names, out=tmp_path / "scout", size=32
        )
    rows = {row.backbone: row for row in result.rows}
    assert rows.keys() == set(names)
    assert rows[names[0]].accuracy == rows[names[1]].accuracy
    assert len({row.images_per_second for row in rows.values()}) == 1, "one network"
    assert all(" points [" in row.reason for row in rows.values() if row.accuracy != result.rows[0].accuracy)
    assert result.chosen in names


def test_a_run_is_packaged_with_its_facts_and_always_the_same_bytes(home: Path, tmp_path: Path) -> None:
    script: dict[str, Any] = runpy.run_path(str(SCRIPT))
    run, path = home / "first", tmp_path / "w.safetensors"
    path.write_bytes(script["body_of"](run))
    assert path.read_bytes() == script["body_of"](run)
    facts = drawn_facts(path)
    assert facts["run"] == f"model.safetensors {read_record(run).digests.model}"
    assert str(read_record(run).results["validation"].accuracy) in facts["validation"]
    assert "CC BY 4.0" in facts["data"]
    state, trained = load_state(resolve_weights(BACKBONE, str(path))), body(run)
    assert state.keys() == trained.keys()
    assert all(
        torch.equal(state[name], trained[name].to(torch.float16).to(state[name].dtype)) for name in state
    )

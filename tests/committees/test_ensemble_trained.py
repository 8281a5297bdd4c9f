"""The verb `ensemble` on tiny trained networks: its committee answers as its members do, in any views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from family_kit import apart, kit_recipe, make_drawings, make_kit_split
from numpy.typing import NDArray

from dessin.answers.committee import load_committee
from dessin.answers.inference import answer_rows, predict_rows
from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import Split, read_split
from dessin.committees.ensemble.verb import COMMITTEE, NESTED, ensemble
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.models.bundle import load_bundle
from dessin.models.card import WEIGHTS_FILE, BundleImage
from dessin.progress import quiet
from dessin.runs.inputs import read_inputs
from dessin.runs.train import train
from dessin.statistics.contrasts import two_models
from dessin.statistics.temperature import tempered

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
VIEWS = ("identity", "hflip", "smaller")


@dataclass(frozen=True)
class World:
    folder: Path
    data: Path
    runs: tuple[Path, ...]
    split: Split

    def answers(self, run: Path, image_ids: Sequence[str], views: Sequence[str]) -> NDArray[np.float64]:
        """What the bundle of a run answers."""
        bundle = load_bundle(run / "bundle")
        inputs = read_inputs(self.data, self.folder / "split.csv", None)
        store = inputs.open_store(bundle.card.image.spec, bundle.card.image.interpolation)
        probabilities = predict_rows(
            bundle.classifier,
            store,
            store.rows(image_ids),
            device=CPU,
            temperature=bundle.card.temperature,
            views=views,
        )
        return probabilities.astype(np.float64)

    def committee_answers(
        self, committee: Path, image_ids: Sequence[str], fold: int | None = None
    ) -> NDArray[np.float32]:
        inputs = read_inputs(self.data, self.folder / "split.csv", None)

        def open_store(image: BundleImage) -> PixelStore:
            return inputs.open_store(image.spec, image.interpolation)

        return answer_rows(load_committee(committee), open_store, image_ids, device=CPU, fold=fold)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two recipes on two folds each."""
    with apart(tmp_path_factory.mktemp("ensemble")) as folder, quiet():
        data = make_drawings(folder / "drawings")
        split = make_kit_split(data, folder / "split.csv")
        recipes = {"small": {}, "larger": {"image": {"size": 48}}}
        runs = tuple(
            train(kit_recipe(fold, **changes), data=data, split=split, out=folder / name / f"fold-{fold}")
            for name, changes in recipes.items()
            for fold in (0, 1)
        )
        yield World(folder, data, runs, read_split(split))


def test_trained_runs_of_one_recipe_are_one_member(world: World, tmp_path: Path) -> None:
    results = ensemble(world.runs, out=tmp_path / "out", select="all")
    assert [(member.name, member.folds) for member in results.members] == [
        ("larger", (0, 1)),
        ("small", (0, 1)),
    ]
    assert results.images == sum(row.fold in (0, 1) for row in world.split.rows)


@pytest.mark.parametrize("rule", ["soft", "hard"])
def test_the_committee_answers_as_its_bundles_joined_by_hand(world: World, tmp_path: Path, rule: str) -> None:
    results = ensemble(world.runs, out=tmp_path / "out", select="all", rule=rule, scale=True, views=["hflip"])
    loaded = load_committee(tmp_path / "out" / COMMITTEE).committee
    assert loaded.views == ("identity", "hflip")
    image_ids = [row.image_id for row in world.split.held_out()]
    found = world.committee_answers(tmp_path / "out" / COMMITTEE, image_ids)
    temperature = {member.name: member.temperature for member in results.members}
    assert set(temperature.values()) != {1.0}
    members = [
        np.mean(
            [
                tempered(world.answers(run, image_ids, loaded.views), temperature[name])
                for run in world.runs
                if run.parent.name == name
            ],
            axis=0,
        )
        for name in ("larger", "small")
    ]
    mean = np.mean(members, axis=0)
    if rule == "soft":
        assert np.abs(found - mean).max() < 1e-6
    else:
        votes = np.mean([np.eye(mean.shape[1])[member.argmax(axis=1)] for member in members], axis=0)
        assert np.abs(found - votes).max() < 1e-3
        assert (found.argmax(axis=1) == (votes + 1e-4 * mean).argmax(axis=1)).all()


def test_out_of_fold_the_committee_is_as_accurate_as_the_naive_figure(world: World, tmp_path: Path) -> None:
    """Asked through its models of a fold, it gives what was measured when it was chosen."""
    results = ensemble(world.runs, out=tmp_path / "out", select="weighted")
    right = 0
    for fold in (0, 1):
        rows = world.split.validation(fold)
        answers = world.committee_answers(
            tmp_path / "out" / COMMITTEE, [row.image_id for row in rows], fold=fold
        )
        labels = [world.split.classes[i] for i in answers.argmax(axis=1)]
        right += sum(label == row.label for label, row in zip(labels, rows, strict=True))
    assert right / results.images == results.chosen_rule.naive.value


def test_views_are_those_computed_by_hand_and_their_gain_is_told(world: World, tmp_path: Path) -> None:
    results = ensemble(world.runs, out=tmp_path / "views", select="all", views=VIEWS[1:])
    plain = ensemble(world.runs, out=tmp_path / "plain", select="all")
    nested = read_predictions(tmp_path / "views" / NESTED)
    at = {image_id: i for i, image_id in enumerate(nested.image_ids)}
    for fold in (0, 1):
        image_ids = [row.image_id for row in world.split.validation(fold)]
        own = [world.answers(run, image_ids, VIEWS) for run in world.runs if run.name == f"fold-{fold}"]
        found = nested.probabilities[[at[image_id] for image_id in image_ids]]
        assert np.abs(found - np.mean(own, axis=0)).max() < 1e-6
    assert results.views is not None
    assert plain.views is None
    assert results.views.views == VIEWS
    assert results.views.plain == plain.chosen_rule.nested
    one = read_predictions(tmp_path / "plain" / NESTED)
    right = [table.probabilities.argmax(axis=1) == table.targets for table in (nested, one)]
    by_hand = two_models(right[0], right[1], [row.group for row in world.split.rows if row.fold in (0, 1)])
    assert results.views.gain.difference.value == by_hand.difference.value
    assert results.views.gain.p == by_hand.p
    assert any("in 3 views" in sentence for sentence in results.summary)
    page = (tmp_path / "views" / "index.html").read_text(encoding="utf-8")
    assert "looking in 3 views" in page.lower()
    assert " views" not in (tmp_path / "plain" / "index.html").read_text(encoding="utf-8")


def test_the_plain_view_alone_is_no_view(world: World, tmp_path: Path) -> None:
    assert ensemble(world.runs, out=tmp_path / "out", views=["identity"]).views is None


def test_views_need_the_drawings_as_they_were(world: World, tmp_path: Path) -> None:
    other = make_drawings(tmp_path / "moved")
    next(other.rglob("*.png")).unlink()
    with pytest.raises(DessinError):
        ensemble(world.runs, out=tmp_path / "out", views=["hflip"], data=other)
    moved = make_drawings(tmp_path / "whole")
    assert ensemble(world.runs, out=tmp_path / "out", views=["hflip"], data=moved).views is not None


def test_a_committee_with_an_exchanged_or_damaged_bundle_is_refused(world: World, tmp_path: Path) -> None:
    ensemble(world.runs, out=tmp_path / "out", select="all")
    committee = tmp_path / "out" / COMMITTEE
    first, second = sorted((committee / "models" / "small").iterdir())
    whole = (first / WEIGHTS_FILE).read_bytes()
    (first / WEIGHTS_FILE).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DessinError, match="the digest differs"):
        load_committee(committee)
    for file in second.iterdir():
        (first / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DessinError, match="is not the one that the committee was made of"):
        load_committee(committee)

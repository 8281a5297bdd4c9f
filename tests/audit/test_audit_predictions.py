"""`audit --predictions`: labels are judged by honest answers only, and what is found reaches every file."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions, to_predictions, write_predictions
from dessin.audit.answers import LabelAnswers, read_label_answers
from dessin.audit.judgement import judge_labels
from dessin.audit.verb import LABELS_FILE, audit, review_labels
from dessin.collection.curation import Change, Curation, write_curation
from dessin.collection.split.files import Assignment, Split, read_split, write_split
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.progress import quiet
from dessin.recipe import Recipe
from dessin.runs.train import train

pytestmark = pytest.mark.slow

# Two frames that are said to be spots.
FRAMES = CLASSES[2]
PLANTED = ("dots/frame-1.png", "dots/frame-2.png")


@dataclass(frozen=True)
class World:
    data: Path
    split: Path
    group: Path

    @property
    def run(self) -> Path:
        return self.group / "fold-0"

    @property
    def sides(self) -> Split:
        return read_split(self.split)


def probed() -> Recipe:
    return tiny_recipe("probe", train={"epochs": 1, "batch_size": 8})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with apart(tmp_path_factory.mktemp("labels")) as folder, quiet():
        data = make_drawings(folder / "data")
        for image_id, number in zip(PLANTED, ("03", "07"), strict=True):
            shutil.move(data / FRAMES / f"{number}.png", data / image_id)
        split = make_tiny_split(data, folder / "split.csv", holdout=0.0)
        group = train(probed(), folds="all", data=data, split=split, out=folder / "group", threads=1)
        yield World(data, split, group)


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / LABELS_FILE).open(newline="") as file:
        return {row["image_id"]: row for row in csv.DictReader(file)}


def test_a_single_run_judges_its_validation_images_alone(world: World, tmp_path: Path) -> None:
    result = audit(world.data, out=tmp_path / "out", predictions=[world.run])
    fold = world.sides.validation(0)
    assert set(table(tmp_path / "out")) == {row.image_id for row in fold}
    assert result.summary.labels is not None
    assert result.summary.labels.judged == len(fold) < len(world.sides.rows)
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"{len(fold)} of {len(world.sides.rows)} labels were judged by 1 run" in page
    assert "<script" not in page


def test_all_folds_judge_every_image_each_by_the_model_that_did_not_see_it(world: World) -> None:
    joined = read_predictions(world.group / "validation")
    for folders in ([world.group], sorted(world.group.glob("fold-*"), reverse=True)):
        answers = read_label_answers(folders, world.data)
        assert tuple(row.image_id for row in answers.rows) == joined.image_ids
        np.testing.assert_array_equal(answers.probabilities, joined.probabilities)
        assert (answers.fewest, answers.most) == (1, 1)


def test_several_answers_to_an_image_are_averaged(world: World, tmp_path: Path) -> None:
    clone = shutil.copytree(world.run, tmp_path / "clone")
    own = read_predictions(clone / "validation")
    # The same order of classes in each row, so what the record says of its accuracy still holds.
    flatter = np.sqrt(own.probabilities) / np.sqrt(own.probabilities).sum(axis=1, keepdims=True)
    write_predictions(replace(own, probabilities=flatter.astype(np.float32)), clone / "validation")
    answers = read_label_answers([world.group, clone], world.data)
    once = read_label_answers([world.group], world.data)
    place = {row.image_id: i for i, row in enumerate(answers.rows)}
    shared = [place[image_id] for image_id in own.image_ids]
    alone = np.setdiff1d(np.arange(len(answers.rows)), shared)
    np.testing.assert_allclose(answers.probabilities[shared], (own.probabilities + flatter) / 2, atol=1e-6)
    np.testing.assert_array_equal(answers.probabilities[alone], once.probabilities[alone])
    assert (answers.fewest, answers.most) == (1, 2)


def test_a_committee_answers_anew_each_fold_by_its_own_models(world: World, tmp_path: Path) -> None:
    bare = shutil.copytree(world.group, tmp_path / "committee", ignore=shutil.ignore_patterns("folds.json"))
    answers = read_label_answers([bare], world.data)
    once = read_label_answers([world.group], world.data)
    assert answers.rows == once.rows
    assert answers.models == "1 committee"
    np.testing.assert_allclose(answers.probabilities, once.probabilities, atol=1e-5)


def test_every_label_is_ranked_the_planted_ones_low_and_no_image_is_touched(
    world: World, tmp_path: Path
) -> None:
    before = {path: sha256_file(path) for path in world.data.rglob("*.png")}
    audit(world.data, out=tmp_path / "out", predictions=[world.group])
    rows = table(tmp_path / "out")
    qualities = [float(row["quality"]) for row in rows.values()]
    assert qualities == sorted(qualities)
    planted = [float(rows[image_id]["quality"]) for image_id in PLANTED]
    assert max(planted) < np.median(qualities)
    assert {row["label"] for row in rows.values()} == set(CLASSES)
    assert before == {path: sha256_file(path) for path in world.data.rglob("*.png")}


def test_a_suspect_is_shown_with_typical_drawings_that_are_beyond_suspicion() -> None:
    """Class `a` has a clear drawing, a fair one, and one that all take for `b`."""
    clear, fair = [0.9, 0.05, 0.05], [0.6, 0.2, 0.2]
    rows = [("a1", "a", fair), ("a2", "a", clear), ("a3", "a", [0.01, 0.94, 0.05])]
    rows += [(f"b{n}", "b", np.roll(clear if n else fair, 1).tolist()) for n in range(9)]
    rows += [(f"c{n}", "c", np.roll(clear if n else fair, 2).tolist()) for n in range(9)]
    answers = LabelAnswers(
        rows=tuple(Assignment(image_id, label, image_id, 0) for image_id, label, _ in rows),
        classes=("a", "b", "c"),
        probabilities=np.array([probabilities for _, _, probabilities in rows]),
        models="1 run",
        fewest=1,
        most=3,
    )
    judgement = judge_labels(answers.probabilities, answers.given, [""] * len(rows))
    review = review_labels(answers, judgement)
    first = review.suspects[0]
    assert (first.image_id, first.given, first.suggested, first.probability) == ("a3", "a", "b", 0.94)
    assert (first.like, first.unlike) == ("b1", "a2")
    assert review.numbers.suspects == len(review.suspects) == judgement.suspects.sum()
    assert review.numbers.accuracy == pytest.approx(20 / 21, abs=1e-4)
    assert review.numbers.notes == ("An image has 1 to 3 answers; their mean counts.",)


def test_answers_to_images_that_a_run_was_trained_on_are_refused(world: World, tmp_path: Path) -> None:
    cheat = shutil.copytree(world.run, tmp_path / "cheat")
    seen = world.sides.training(0)
    probabilities = np.full((len(seen), len(CLASSES)), 1 / len(CLASSES), dtype=np.float32)
    write_predictions(to_predictions(probabilities, seen, world.sides.classes), cheat / "validation")
    with pytest.raises(DessinError, match="not of the images that the run's split says"):
        audit(world.data, out=tmp_path / "out", predictions=[cheat])


def test_a_model_without_validation_images_is_refused(world: World, tmp_path: Path) -> None:
    recipe = tiny_recipe("probe", train={"epochs": 1, "batch_size": 8}, data={"fold": "none"})
    final = train(recipe, data=world.data, split=world.split, out=tmp_path / "final", threads=1)
    with pytest.raises(DessinError, match="would find their labels right"):
        audit(world.data, out=tmp_path / "out", predictions=[final])


def test_a_bundle_which_does_not_say_what_it_was_trained_on_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="the run that it lies in"):
        audit(world.data, out=tmp_path / "out", predictions=[world.run / "bundle"])
    assert not (tmp_path / "out").exists()


def test_a_run_named_twice_and_a_folder_in_use_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="named twice"):
        audit(world.data, out=tmp_path / "out", predictions=[world.group, world.run])
    with pytest.raises(DessinError, match="not empty"):
        audit(world.data, out=world.run, predictions=[world.group])
    with pytest.raises(DessinError, match="There is no folder"):
        audit(world.data, out=tmp_path / "out", predictions=[tmp_path / "nowhere"])


def test_runs_of_another_split_are_refused(world: World, tmp_path: Path) -> None:
    other = replace(world.sides, seed=world.sides.seed + 1)
    write_split(other, tmp_path / "other.csv")
    run = train(probed(), data=world.data, split=tmp_path / "other.csv", out=tmp_path / "run", threads=1)
    with pytest.raises(DessinError, match="another split"):
        audit(world.data, out=tmp_path / "out", predictions=[world.run, run])


def test_drawings_that_the_data_lack_are_named(world: World, tmp_path: Path) -> None:
    data = shutil.copytree(world.data, tmp_path / "data")
    (data / "bars" / "01.png").unlink()
    with pytest.raises(DessinError, match=r"1 were removed \(bars/01\.png\)"):
        audit(data, out=tmp_path / "out", predictions=[world.run])


def test_the_label_that_is_judged_is_the_one_that_the_run_was_measured_with(
    world: World, tmp_path: Path
) -> None:
    """A curation mended the planted labels, and the data still have the wrong ones."""
    curation = Curation(tuple(Change(image_id, "relabel", FRAMES, "seen") for image_id in PLANTED))
    write_curation(curation, tmp_path / "curation.csv")
    rows = tuple(replace(row, label=FRAMES) if row.image_id in PLANTED else row for row in world.sides.rows)
    mended = replace(world.sides, rows=rows, curation_digest=curation.digest)
    write_split(mended, tmp_path / "mended.csv")
    group = train(
        probed(),
        folds="all",
        data=world.data,
        split=tmp_path / "mended.csv",
        out=tmp_path / "group",
        threads=1,
    )
    audit(world.data, out=tmp_path / "out", predictions=[group])
    judged = table(tmp_path / "out")
    assert {judged[image_id]["label"] for image_id in PLANTED} == {FRAMES}


def test_without_predictions_nothing_is_said_of_labels(world: World, tmp_path: Path) -> None:
    result = audit(world.data, out=tmp_path / "out")
    assert result.summary.labels is None
    assert result.summary.issues["suspect_label"] == 0
    assert not (tmp_path / "out" / LABELS_FILE).exists()
    assert "Labels that may be wrong" not in (tmp_path / "out" / "index.html").read_text()

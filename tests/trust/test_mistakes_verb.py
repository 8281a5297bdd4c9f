"""`dessin mistakes`: what it writes of runs and committees, and planted mistakes that it must find."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mistake_kit import hand_answers
from PIL import Image
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions, write_predictions
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import read_split
from dessin.committees.ensemble.verb import ensemble
from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.reading import read_csv
from dessin.runs.train import train
from dessin.trust.mistakes.measure import measure_mistakes
from dessin.trust.mistakes.properties import correlated
from dessin.trust.mistakes.result import Atlas
from dessin.trust.mistakes.strokes import measure_drawings
from dessin.trust.mistakes.verb import mistakes
from dessin.trust.mistakes.words import worded

pytestmark = pytest.mark.slow

FILES = {
    "index.html",
    "classes.csv",
    "pairs.csv",
    "clusters.csv",
    "properties.csv",
    "mistakes.csv",
    "mistakes.json",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("mistakes")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, seed in (("runs", 0), ("more", 1)):
            recipe = tiny_recipe("probe", seed=seed)
            train(recipe, folds="all", data=data, split=split, out=folder / name, threads=1)
        ensemble([folder / "runs", folder / "more"], out=folder / "ensemble", select="all")
        yield folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "runs" / "fold-0", tmp_path / "run")


def plant(run: Path, label: str, taken_for: str) -> int:
    """Make the run's kept answers right but for all drawings of `label`; how many these are."""
    kept = read_predictions(run / "validation")
    named = np.array([kept.classes.index(taken_for if own == label else own) for own in kept.labels])
    write_predictions(
        replace(kept, probabilities=np.eye(len(kept.classes), dtype=np.float32)[named]), run / "validation"
    )
    return kept.labels.count(label)


def test_planted_mistakes_are_what_the_atlas_shows(run: Path, tmp_path: Path) -> None:
    count = plant(run, "bars", CLASSES[2])
    atlas = mistakes(run, out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert Atlas.read(tmp_path / "out") == atlas
    assert atlas.mistakes == count > 0
    assert [(row.label, row.predicted, row.count, row.share) for row in atlas.pairs] == [
        ("bars", CLASSES[2], count, 1.0)
    ]
    assert atlas.classes[0].label == "bars"
    assert [row.right for row in atlas.classes] == [0, *(row.n for row in atlas.classes[1:])]
    rows = read_csv(tmp_path / "out" / "mistakes.csv", ["image_id", "label", "predicted", "thickness"])[1]
    assert {(row["label"], row["predicted"], row["probability"]) for row in rows} == {
        ("bars", CLASSES[2], "1.000000")
    }
    assert len(rows) == count
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(sentence.split("<")[0] in page for sentence in atlas.summary)
    assert "<script" not in page
    assert "for bars" in page
    assert page.count("<img") > 3 * count


def test_kept_answers_and_new_ones_give_the_same_mistakes(run: Path, tmp_path: Path) -> None:
    kept = mistakes(run, out=tmp_path / "kept")
    shutil.rmtree(run / "validation")
    asked = mistakes(run, out=tmp_path / "asked")
    assert not (run / "validation").exists()
    assert [row.image_id for row in asked.drawings] == [row.image_id for row in kept.drawings]
    assert asked.accuracy == kept.accuracy
    assert asked.properties == kept.properties


def test_a_bundle_needs_its_data_and_then_says_the_same_as_its_run(
    made: Path, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(DessinError, match="--data"):
        mistakes(run / "bundle", out=tmp_path / "out")
    found = mistakes(run / "bundle", out=tmp_path / "bundle", data=made / "data", split=made / "split.csv")
    assert found.accuracy == mistakes(run, out=tmp_path / "run-out").accuracy


def test_a_committee_is_asked_about_all_of_its_folds_and_never_about_the_holdout(
    made: Path, tmp_path: Path
) -> None:
    atlas = mistakes(made / "ensemble", out=tmp_path / "out")
    split = read_split(made / "split.csv")
    assert atlas.folds == (0, 1, 2)
    assert atlas.accuracy.n == sum(row.fold is not None for row in split.rows)
    held_out = {row.image_id for row in split.held_out()}
    assert not held_out & {row.image_id for row in atlas.drawings}
    parts = [read_predictions(made / name / "validation") for name in ("runs", "more")]
    assert parts[0].image_ids == parts[1].image_ids
    mean = (parts[0].probabilities + parts[1].probabilities) / 2
    right = mean.argmax(axis=1) == parts[0].targets
    wrong = {image_id for image_id, hit in zip(parts[0].image_ids, right, strict=True) if not hit}
    assert {row.image_id for row in atlas.drawings} == wrong


def test_a_model_without_mistakes_has_an_atlas_too(run: Path, tmp_path: Path) -> None:
    plant(run, "no such label", "bars")
    atlas = mistakes(run, out=tmp_path / "out")
    assert atlas.mistakes == 0
    assert (atlas.pairs, atlas.clusters, atlas.worse) == ((), (), ())
    assert "There is no mistake." in (tmp_path / "out" / "index.html").read_text()


def test_a_folder_in_use_is_refused_before_anything_is_asked(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        mistakes(run, out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_failure_on_thin_lines_is_found_from_the_pictures_themselves(tmp_path: Path) -> None:
    """Boxes and crosses of any size in five line widths; only the two thinnest are taken for the other."""
    labels = ("box", "cross")
    draw = np.random.default_rng(3)
    targets, width = np.repeat([0, 1], 60), np.tile([1, 2, 4, 6, 8], 24)
    given = hand_answers(labels, targets, np.where(width < 3, 1 - targets, targets))
    for row, thick in zip(given.rows, width.tolist(), strict=True):
        page = np.full((128, 128), 255, np.uint8)
        part = page[10 : int(draw.integers(50, 120)), 10 : int(draw.integers(50, 120))]
        if row.label == "box":
            part[:] = 0
            part[thick:-thick, thick:-thick] = 255
        else:
            part[:, 20 : 20 + thick] = 0
            part[20 : 20 + thick] = 0
        path = tmp_path / "data" / row.image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page).save(path)
    manifest = build_manifest(read_collection(tmp_path / "data"))
    measured = measure_drawings(manifest, [row.image_id for row in given.rows])
    atlas = worded(measure_mistakes("boxes", given, measured), correlated(measured))
    found = {row.name: row for row in atlas.properties}
    assert found["thickness"].finding == "within classes"
    assert found["thickness"].words.startswith("Fails more often on drawings with thin lines")
    assert found["size"].finding == found["elongation"].finding == "not seen"
    assert found["contrast"].finding == found["colour"].finding == "all alike"
    assert "thin lines" in atlas.summary[3]
    assert any("Line thickness and ink" in caution for caution in atlas.cautions)

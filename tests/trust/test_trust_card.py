"""The trust card: planted leaks are found, what was not measured is said, numbers are those of the record."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Assignment, Split
from dessin.collection.split.plan import make_split
from dessin.errors import DessinError
from dessin.files import write_json
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.schema import validated
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import measure
from dessin.trust.card.measure import check_leaks, worst_class
from dessin.trust.card.result import Fact, LeakCheck, TrustCard
from dessin.trust.card.sources import read_sources
from dessin.trust.card.verb import card
from dessin.trust.card.view import facts, untested
from dessin.trust.confidence.verb import calibrate
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("trust")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        train(tiny_recipe("probe"), data=data, split=split, out=folder / "run", threads=1)
        train(tiny_recipe("probe"), folds="all", data=data, split=split, out=folder / "group", threads=1)
        yield folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "run", tmp_path / "run")


def fact(found: TrustCard, key: str) -> Fact:
    return next(fact for fact in found.facts if fact.key == key)


def test_the_card_has_the_record_s_accuracy_and_names_what_was_not_measured(
    run: Path, tmp_path: Path
) -> None:
    found = card(run, out=tmp_path / "card.html")
    accuracy = read_record(run).results["validation"].accuracy
    assert found.numbers["validation"] == accuracy
    assert f"{accuracy.value:.1%}" in fact(found, "validation").value
    for key, command in (("robust", "--robustness"), ("calibration", "calibrate"), ("holdout", "--holdout")):
        assert fact(found, key).value == ""
        assert command in fact(found, key).detail
        assert str(run) in fact(found, key).detail
    assert any("holdout is still locked" in gap for gap in found.untested)
    assert any("robustness suite was not run" in gap for gap in found.untested)
    assert validated(TrustCard, read_json(tmp_path / "card.json"), "card.json") == found


def test_a_small_calibration_error_of_few_answers_is_not_called_good(run: Path) -> None:
    calibrate(run, out=run.with_name("confidence"))
    sources = read_sources(run)
    found = sources.confidence
    assert found
    measured = found.calibration

    def shown(n: int) -> Fact:
        none = measured.ece.model_copy(update={"after": Estimate(0.0, 0.0, 0.0, n)})
        small = measured.model_copy(update={"ece": none})
        confidence = found.model_copy(update={"calibration": small})
        return next(
            each
            for each in facts(replace(sources, confidence=confidence), LeakCheck(images=1, groups=1))
            if each.key == "calibration"
        )

    assert shown(72).tone == ""
    assert "72 answers are too few to tell an error of 5 points from none" in shown(72).detail
    assert shown(385).tone == "good"
    assert "too few" not in shown(385).detail


def test_making_a_card_opens_nothing_and_changes_no_file(run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    card(run, out=tmp_path / "card.html")
    assert {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()} == before


def test_an_opened_holdout_is_on_the_card_with_the_number_of_looks(run: Path, tmp_path: Path) -> None:
    for look in range(2):
        evaluate(run, holdout=True, out=tmp_path / f"look-{look}")
    found = card(run, out=tmp_path / "card.html")
    assert found.numbers["holdout"] == read_record(run).results["holdout"].accuracy
    assert "opened 2 times" in fact(found, "holdout").detail
    assert not any("still locked" in gap for gap in found.untested)


def test_the_worst_class_is_the_one_that_was_named_right_least_often(run: Path) -> None:
    answers = read_predictions(run / "validation")
    right = answers.order[:, 0] == answers.targets
    shares = {label: right[np.array(answers.labels) == label].mean() for label in set(answers.labels)}
    assert shares[worst_class(read_sources(run)).label] == min(shares.values())


def test_names_are_escaped_on_the_page(run: Path, tmp_path: Path) -> None:
    answers = read_predictions(run / "validation")
    sources = read_sources(run)
    metrics = measure(
        np.eye(3, dtype=np.float32)[(answers.targets == 0).astype(int)],
        answers.targets,
        [str(i) for i in range(len(answers.targets))],
        answers.classes,
    )
    assert "<script>" in worst_class(replace(sources, metrics={"validation": metrics})).label
    card(run, out=tmp_path / "card.html")
    assert "<script>alert" not in (tmp_path / "card.html").read_text()


def test_drawings_that_are_gone_leave_a_card_that_says_so(run: Path, tmp_path: Path) -> None:
    record = read_json(run / "record.json")
    record["recipe"]["data"]["path"] = "nowhere"
    write_json(run / "record.json", record)
    found = card(run, out=tmp_path / "card.html")
    assert not found.leaks.searched
    assert fact(found, "leaks").value == "groups only"
    assert any("copies of a drawing" in gap for gap in found.untested)


def test_the_leak_check_says_when_it_could_not_know_who_drew_what(run: Path) -> None:
    sources = read_sources(run)
    for group_by, known in (("", False), (r"pattern ^(\w+)_", True)):
        given = replace(sources, split=replace(sources.split, group_by=group_by))
        checked = LeakCheck(images=36, groups=36)
        leaks = next(each for each in facts(given, checked) if each.key == "leaks")
        assert ("Who drew what was not said" in leaks.detail) is not known
        assert (leaks.tone == "good") is known
        assert any("who drew what" in gap for gap in untested(given, checked)) is not known


def test_a_group_of_folds_has_a_card_of_all_its_folds(made: Path, tmp_path: Path) -> None:
    found = card(made / "group", out=tmp_path / "card.html")
    parts = [read_record(path.parent) for path in sorted((made / "group").glob("*/record.json"))]
    assert found.kind == "committee"
    assert found.images == sum(part.counts.validation for part in parts)
    right = sum(p.results["validation"].accuracy.value * p.counts.validation for p in parts)
    assert found.numbers["validation"].value == pytest.approx(right / found.images)


@pytest.mark.parametrize("name", ["run/bundle", "nothing"])
def test_what_is_no_run_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(DessinError):
        card(made / name, out=tmp_path / "card.html")
    assert not (tmp_path / "card.html").exists()


def test_a_folder_as_page_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="one file"):
        card(run, out=tmp_path)


def scribbles(folder: Path, count: int = 24) -> Path:
    """Random zigzags in two classes, no two alike."""
    for number in range(count):
        random = np.random.default_rng(number)
        page = Image.new("L", (120, 120), 255)
        points = [tuple(point) for point in random.integers(8, 112, (9, 2)).tolist()]
        ImageDraw.Draw(page).line(points, fill=0, width=3)
        path = folder / f"class{number % 2}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        page.save(path)
    return folder


def whole_split(data: Path) -> Split:
    manifest = build_manifest(read_collection(data))
    labels = {row.image_id: row.label for row in manifest.rows}
    split = make_split(labels, {name: name for name in labels}, folds=3, holdout=0.2, seed=0)
    return replace(split, manifest_digest=manifest.digest, images=len(labels))


def moved(split: Split, image_id: str, fold: int | None) -> Split:
    rows = [
        Assignment(row.image_id, row.label, row.group, fold) if row.image_id == image_id else row
        for row in split.rows
    ]
    return replace(split, rows=tuple(rows))


def test_a_planted_turned_copy_is_a_leak_only_where_it_lies_on_another_side(
    tmp_path: Path, own_cache: Path
) -> None:
    data = scribbles(tmp_path / "data")
    assert check_leaks(whole_split(data), data).pairs == 0
    first = data / "class0" / "00.png"
    Image.open(first).rotate(90, expand=True).save(data / "class0" / "copy.png")
    split = whole_split(data)
    side = {row.image_id: row.fold for row in split.rows}["class0/00.png"]
    elsewhere = next(fold for fold in (None, 0, 1) if fold != side)
    together = check_leaks(moved(split, "class0/copy.png", side), data)
    apart_from_it = check_leaks(moved(split, "class0/copy.png", elsewhere), data)
    assert (together.pairs, together.crossing) == (1, 0)
    assert (apart_from_it.pairs, apart_from_it.crossing) == (1, 1)
    assert apart_from_it.examples == (("class0/00.png", "class0/copy.png"),)


def test_numbers_are_results_with_n(run: Path, tmp_path: Path) -> None:
    found = card(run, out=tmp_path / "card.html")
    assert set(found.numbers) == {"validation", "worst_class"}
    for number in found.numbers.values():
        assert isinstance(number, Estimate)
        assert number.low <= number.value <= number.high
        assert number.n > 0

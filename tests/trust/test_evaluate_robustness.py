"""`evaluate --robustness` on runs, bundles and committees: files, pairing, the holdout, and comparisons."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.committee import read_committee
from dessin.collection.split.files import read_split
from dessin.committees.ensemble.verb import ensemble
from dessin.errors import DessinError
from dessin.files import write_json
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.robustness.compare import compare_robustness
from dessin.trust.robustness.corruption import STRENGTHS, Page, Sketch, corruption
from dessin.trust.robustness.measure import summarised
from dessin.trust.robustness.result import (
    RobustAnswers,
    RobustnessResult,
    read_answers,
    write_robustness,
)
from dessin.trust.robustness.suite import SUITE, suite_digest

pytestmark = pytest.mark.slow

FILES = ("robustness.csv", "robustness.json", "robustness.npy", "robustness_images.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("robustness")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, changes in (("a", {"seed": 0}), ("b", {"seed": 1, "image": {"size": 48}})):
            recipe = tiny_recipe("probe", **changes)
            train(recipe, folds="all", data=data, split=split, out=folder / name, threads=1)
        ensemble([folder / "a", folder / "b"], out=folder / "ensemble", select="all")
        for name in ("a", "b"):
            evaluate(folder / name / "fold-0", out=folder / f"out-{name}", robustness=True)
        evaluate(folder / "ensemble" / "committee", out=folder / "out-all", robustness=True)
        yield folder


def test_a_run_keeps_the_suite_and_the_folder_has_page_and_pictures(made: Path) -> None:
    run, out = made / "a" / "fold-0", made / "out-a"
    outcome = RobustnessResult.find(run)
    assert outcome is not None
    assert outcome == RobustnessResult.find(out)
    assert all((folder / name).is_file() for folder in (run, out) for name in FILES)
    page = (out / "index.html").read_text()
    assert page.count("<img") == len(SUITE) * (STRENGTHS + 1)
    assert "<script>" not in page
    assert outcome.suite == suite_digest()


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_clean_accuracy_is_the_record_s_with_its_interval(made: Path, name: str) -> None:
    run = made / name / "fold-0"
    outcome = RobustnessResult.find(run)
    assert outcome is not None
    assert outcome.clean == read_record(run).results["validation"].accuracy
    assert outcome.n == read_record(run).counts.validation


def test_every_number_is_that_of_the_answers(made: Path) -> None:
    outcome, answers = RobustnessResult.find(made / "out-a"), read_answers(made / "out-a")
    assert outcome is not None
    accuracy = answers.correct.mean(axis=2)
    assert answers.correct.shape == (len(SUITE), STRENGTHS, outcome.n)
    for row, found in enumerate(outcome.corruptions):
        assert [part.value for part in found.strengths] == pytest.approx(accuracy[row])
        assert found.mean.value == pytest.approx(accuracy[row].mean())
        assert found.cost.value == pytest.approx(accuracy[row].mean() - answers.clean.mean())
        assert found.cost.low <= found.cost.value <= found.cost.high
    assert outcome.robust.value == pytest.approx(accuracy.mean())
    assert outcome.relative is not None
    assert outcome.relative.value == pytest.approx(accuracy.mean() / answers.clean.mean())
    assert outcome.worst == SUITE[int(accuracy.mean(axis=1).argmin())].name
    with (made / "out-a" / "robustness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(SUITE) * (STRENGTHS + 1)
    assert float(rows[0]["accuracy"]) == pytest.approx(accuracy[0, 0], abs=1e-4)


def test_a_run_asked_again_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    evaluate(run, robustness=True)
    for name in FILES:
        if name != "robustness.json":
            assert (run / name).read_bytes() == (made / "out-a" / name).read_bytes()
    before, again = (read_json(folder / "robustness.json") for folder in (made / "out-a", run))
    assert before | {"seconds": 0} == again | {"seconds": 0}


def test_a_bundle_gives_what_its_run_gives(made: Path, tmp_path: Path) -> None:
    bundle = made / "a" / "fold-0" / "bundle"
    found = evaluate(
        bundle, out=tmp_path / "out", data=made / "data", split=made / "split.csv", robustness=True
    )
    assert found.robustness is not None
    np.testing.assert_array_equal(found.robustness.answers.correct, read_answers(made / "out-a").correct)
    assert not (bundle / "robustness.json").exists()


def test_a_committee_of_two_sizes_answers_all_folds_and_each_through_unseeing_models(made: Path) -> None:
    committee = made / "ensemble" / "committee"
    outcome, answers = RobustnessResult.find(committee), read_answers(committee)
    assert outcome is not None
    assert outcome.size == (32, 48)
    split = read_split(committee / "split.csv")
    assert set(answers.image_ids) == {row.image_id for row in split.rows if row.fold is not None}
    assert set(answers.folds) == {"0", "1", "2"}
    a, b = (read_answers(made / f"out-{name}") for name in ("a", "b"))
    places = [answers.image_ids.index(image_id) for image_id in a.image_ids]
    both = (a.correct & b.correct) == 1
    neither = (a.correct | b.correct) == 0
    # A soft vote of two models can be wrong where both are right with other classes close, but hardly ever.
    assert answers.correct[:, :, places][both].mean() > 0.97
    assert answers.correct[:, :, places][neither].mean() < 0.2


def test_the_holdout_is_opened_once_and_its_results_lie_apart(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    before = (run / "robustness.json").read_bytes()
    found = evaluate(run, out=tmp_path / "out", holdout=True, robustness=True)
    assert found.opened == 1
    assert len(read_record(run).holdout_opened) == 1
    outcome = RobustnessResult.find(run / "holdout")
    assert outcome is not None
    assert outcome.set_name == "holdout"
    assert (run / "robustness.json").read_bytes() == before
    committee = shutil.copytree(made / "ensemble" / "committee", tmp_path / "committee")
    evaluate(committee, holdout=True, robustness=True)
    assert len(read_committee(committee).holdout_opened) == 1


def test_a_corruption_of_another_package_has_its_row_and_changes_nothing_of_the_suite(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @corruption("no drawing", "the paper alone", 1, 2, 3, 4, 5)
    def erased(sketch: Sketch, levels: Sequence[float]) -> Iterator[Page]:
        yield from [sketch.blank] * len(levels)

    verb = import_module("dessin.trust.robustness.verb")
    monkeypatch.setattr(verb, "corruptions", lambda: (*SUITE, erased))
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    evaluate(run, out=tmp_path / "out", robustness=True)
    plain, found = (read_json(folder / "robustness.json") for folder in (made / "out-a", tmp_path / "out"))
    (extra,) = found.pop("extra")
    assert found | {"seconds": 0} == plain | {"seconds": 0}
    assert extra["name"] == "erased"
    answers = read_answers(tmp_path / "out")
    assert len(answers.correct) == len(SUITE) + 1
    assert extra["mean"]["value"] == pytest.approx(answers.correct[-1].mean())
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<img") == (len(SUITE) + 1) * (STRENGTHS + 1)
    assert compare_robustness(run, made / "out-a").robust.difference.value == 0


def test_without_the_switch_nothing_is_measured(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "a" / "fold-1", tmp_path / "run")
    assert evaluate(run, out=tmp_path / "out").robustness is None
    assert RobustnessResult.find(run) is None
    assert not list((tmp_path / "out").glob("robustness*"))


def test_views_are_looked_at_in_the_suite_too(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    found = evaluate(run, out=tmp_path / "out", views=["hflip", "smaller"], robustness=True)
    assert found.robustness is not None
    outcome = found.robustness.result
    assert outcome.views == ("identity", "hflip", "smaller")
    assert outcome.clean.value == pytest.approx(found.metrics.accuracy.value)


def test_a_run_against_itself_differs_by_nothing(made: Path) -> None:
    found = compare_robustness(made / "out-a", made / "a" / "fold-0")
    assert found.n == len(read_answers(made / "out-a").image_ids)
    for part in (found.clean, found.robust, *found.corruptions):
        assert part.difference.value == 0
        assert part.p == 1


def test_a_planted_difference_is_found_and_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    outcome, answers = planted(tmp_path / "one")
    correct = answers.correct.copy()
    correct[3] = 0
    order = np.random.default_rng(1).permutation(len(answers.image_ids))
    write_robustness(tmp_path / "two", outcome, reordered(answers, correct, order))
    found = compare_robustness(tmp_path / "one", tmp_path / "two")
    assert found.clean.difference.value == 0
    differing = [part.name for part in found.corruptions if part.difference.value]
    assert differing == [SUITE[3].name]
    right = answers.correct[3].mean()
    assert found.corruptions[3].difference.value == pytest.approx(right)
    assert found.corruptions[3].verdict == "better"
    assert found.corruptions[3].p_holm == pytest.approx(min(1, len(SUITE) * found.corruptions[3].p))
    assert found.robust.difference.value == pytest.approx(right / len(SUITE))
    turned = compare_robustness(tmp_path / "two", tmp_path / "one")
    assert turned.robust.difference.value == pytest.approx(-found.robust.difference.value)


def planted(folder: Path, count: int = 60) -> tuple[RobustnessResult, RobustAnswers]:
    """An outcome on disk whose model is right on two of three drawings, whatever happens to them."""
    right = (np.arange(count) % 3 > 0).astype(np.uint8)
    ids = tuple(f"image-{number}" for number in range(count))
    answers = RobustAnswers(
        ids, ("a",) * count, ("0",) * count, ids, right, np.tile(right, (len(SUITE), STRENGTHS, 1))
    )
    summary = summarised(answers)
    values = {name: getattr(summary, name) for name in ("clean", "robust", "cost", "relative", "worst")}
    values |= {"version": 1, "suite": "s", "seed": 0, "opencv": "5", "set_name": "validation", "n": count}
    values |= {"groups": count, "size": (32,), "views": ("identity",), "split": "x", "seconds": 1.0}
    outcome = RobustnessResult.model_validate(values | {"corruptions": summary.corruptions})
    write_robustness(folder, outcome, answers)
    return outcome, answers


def reordered(answers: RobustAnswers, correct: np.ndarray, order: np.ndarray) -> RobustAnswers:
    names = [
        tuple(part[place] for place in order)
        for part in (answers.image_ids, answers.labels, answers.folds, answers.groups)
    ]
    return RobustAnswers(*names, answers.clean[order], correct[:, :, order])


def test_a_model_that_nothing_touches_loses_nothing(tmp_path: Path) -> None:
    planted(tmp_path)
    outcome = RobustnessResult.find(tmp_path)
    assert outcome is not None
    assert outcome.cost.value == 0
    assert outcome.relative is not None
    assert outcome.relative.value == pytest.approx(1)
    assert all(row.cost.value == 0 and row.cost.high < 0.1 and row.p_holm == 1 for row in outcome.corruptions)


def test_results_that_cannot_be_compared_are_refused_in_words(made: Path, tmp_path: Path) -> None:
    planted(tmp_path / "other")
    values = read_json(tmp_path / "other" / "robustness.json")
    write_json(tmp_path / "other" / "robustness.json", values | {"suite": suite_digest()})
    with pytest.raises(DessinError, match="none in common"):
        compare_robustness(made / "out-a", tmp_path / "other")
    with pytest.raises(DessinError, match="has not been measured"):
        compare_robustness(made / "out-a", made / "a" / "fold-1")
    changed = shutil.copytree(made / "out-a", tmp_path / "changed")
    values = read_json(changed / "robustness.json")
    write_json(changed / "robustness.json", values | {"suite": "0" * 64, "version": 2})
    with pytest.raises(DessinError, match="different suites"):
        compare_robustness(made / "out-a", changed)
    write_json(changed / "robustness.json", values | {"format": 99})
    with pytest.raises(DessinError, match="format 99"):
        RobustnessResult.find(changed)
    (changed / "robustness.npy").unlink()
    with pytest.raises(DessinError, match=r"There is no file .*robustness\.npy\. Run dessin evaluate"):
        read_answers(changed)


def test_a_fold_of_one_class_is_refused_before_the_holdout_is_opened(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(made / "a" / "fold-0", tmp_path / "run")
    held_out = read_split(run / "split.csv").held_out()
    alone = tuple(row for row in held_out if row.label == held_out[0].label)
    monkeypatch.setattr(import_module("dessin.runs.subject").Subject, "rows", lambda *_: alone)
    with pytest.raises(DessinError, match="drawings of holdout are of the class"):
        evaluate(run, out=tmp_path / "out", holdout=True, robustness=True)
    assert read_record(run).holdout_opened == ()

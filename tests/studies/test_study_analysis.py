"""Results from runs: known differences, and what must not matter: order, executor, repetition."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from study_kit import made_run, made_split, made_study
from wrapup_studies import comparison

from dessin.errors import DessinError
from dessin.reading import read_csv
from dessin.reports.wrapup.conclusions import gaps
from dessin.reports.wrapup.sources import Sources
from dessin.runs.executors.record import JobRecord, write_job
from dessin.statistics.paired_tests import mcnemar
from dessin.studies.measure import analyse
from dessin.studies.outcome import outcome
from dessin.studies.result import StudyResults
from dessin.studies.source import StudySource, read_source
from dessin.studies.tables import write_tables
from dessin.studies.telling import verdict_said
from dessin.studies.view import lines

LEVELS = {"base": {}, "good": {"train": {"epochs": 2}}, "same": {"train": {"epochs": 3}}}
RATES = {"base": 0.5, "good": 0.95, "same": 0.5}


def answers(level: str, seed: int, fold: int, count: int) -> np.ndarray:
    """Right or wrong, the same for equal arguments."""
    random = np.random.default_rng([sorted(RATES).index(level), seed, fold])
    return random.random(count) < RATES[level]


def fill(folder: Path, left_out: tuple[str, ...] = (), order: int = 1, **changes: object) -> StudyResults:
    split = made_split(folds=2, photos=60)
    _study, record = made_study(
        folder, split, **({"levels": LEVELS, "seeds": [0, 1], "folds": "all"} | changes)
    )
    for job in record.jobs[::order]:
        if job.name not in left_out:
            right = answers(job.level, job.seed, job.fold, len(split.validation(job.fold)))
            made_run(folder, split, job, right)
    return analyse(folder)


def gap_texts(folder: Path) -> str:
    return " ".join(reason for gap in gaps(Sources((study_source(folder),), ())) for reason in gap.reasons)


def study_source(folder: Path) -> StudySource:
    analyse(folder).write(folder)
    return read_source(folder)


def undated(results: StudyResults) -> dict[str, object]:
    return results.model_dump(mode="json", exclude={"finished", "name"})


def test_known_differences_are_found(tmp_path: Path) -> None:
    results = fill(tmp_path / "study")
    good, same = results.comparisons
    assert (good.name, good.against, good.verdict) == ("good", "base", "better")
    assert same.verdict == "cannot tell"
    assert good.cells == 4
    assert good.images == 180
    base = next(level for level in results.levels if level.level == "base")
    high = next(level for level in results.levels if level.level == "good")
    assert base.accuracy is not None
    assert high.accuracy is not None
    assert good.difference.value == pytest.approx(high.accuracy.value - base.accuracy.value)
    assert (base.jobs, base.finished, base.failed, base.collapsed) == (4, 4, 0, 0)
    assert base.seconds == 12.0
    # Of 0.6 for the right class and 0.2 for the others.
    share = base.accuracy.value
    assert base.loss is not None
    assert base.loss.value == pytest.approx(-share * np.log(0.6) - (1 - share) * np.log(0.2), abs=1e-6)
    assert good.p_holm == pytest.approx(min(1.0, 2 * good.p))
    assert results.detectable_after == max(good.detectable, same.detectable)
    assert results.missing == ()
    assert good.verdict_text in results.summary


def test_mcnemar_is_of_the_images_of_one_seed(tmp_path: Path) -> None:
    results = fill(tmp_path / "study")
    split = made_split(folds=2, photos=60)
    parts = {
        level: np.concatenate([answers(level, 1, fold, len(split.validation(fold))) for fold in (0, 1)])
        for level in ("good", "base")
    }
    alone, other, p = mcnemar(parts["good"], parts["base"])
    test = results.comparisons[0].mcnemar[1]
    assert (test.seed, test.level_alone, test.base_alone, test.p) == (1, alone, other, p)


def test_analysing_twice_gives_the_same_bytes_and_the_order_of_jobs_is_nothing(tmp_path: Path) -> None:
    first = fill(tmp_path / "study")
    assert undated(analyse(tmp_path / "study")) == undated(first)
    assert json.dumps(undated(fill(tmp_path / "other", order=-1))) == json.dumps(undated(first))


def test_levels_in_another_order_compare_the_same(tmp_path: Path) -> None:
    first = fill(tmp_path / "study")
    levels = {name: LEVELS[name] for name in ("same", "base", "good")}
    second = fill(tmp_path / "other", levels=levels, base="base", seeds=[1, 0])
    for one in first.comparisons:
        two = next(c for c in second.comparisons if c.name == one.name)
        assert two.difference.value == pytest.approx(one.difference.value, abs=1e-12)
        assert two.p_holm == pytest.approx(one.p_holm)
        assert two.verdict == one.verdict
        assert two.seed_differences == pytest.approx(one.seed_differences[::-1])


def test_a_factor_that_took_part_in_no_run_is_not_tested_and_in_some_is_counted(tmp_path: Path) -> None:
    split = made_split(folds=2, photos=60)
    _study, record = made_study(tmp_path / "study", split, levels=LEVELS, seeds=[0, 1], folds="all")
    for job in record.jobs:
        right = answers("base", job.seed, job.fold, len(split.validation(job.fold)))
        late = job.level == "same" or (job.level == "good" and job.seed == 0)
        model = f"probe {job.seed} {job.fold}" if late or job.level == "base" else f"own {job.name}"
        made_run(tmp_path / "study", split, job, right, model=model)
    results = analyse(tmp_path / "study")
    good, same = results.comparisons
    assert (good.untouched, same.untouched) == (2, 4)
    assert (good.untested, same.untested) == (False, True)
    assert same.verdict_text.startswith("not tested: in 4 of 4 pairs of runs both kept")
    assert "in 2 of 4 pairs of runs both kept" in good.verdict_text
    assert same.verdict_text in results.summary
    told = outcome(study_source(tmp_path / "study"))
    assert told.kind == "undecided"
    assert ("not tested", ("same",)) in told.levels
    assert same.verdict_text.removeprefix("not tested: ") in gap_texts(tmp_path / "study")
    assert StudyResults.model_validate(results.model_dump(mode="json")) == results


def test_the_other_way_round_the_sign_turns(tmp_path: Path) -> None:
    first = fill(tmp_path / "study")
    second = fill(tmp_path / "other", base="good")
    there = first.comparisons[0].difference
    back = next(c for c in second.comparisons if c.name == "base").difference
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_missing_runs_shrink_the_comparison_and_are_said(tmp_path: Path) -> None:
    results = fill(tmp_path / "study", left_out=("good-seed0-fold1",))
    good, same = results.comparisons
    assert (good.cells, same.cells) == (3, 4)
    assert "only 3 of 4 pairs of runs" in good.verdict_text
    assert results.missing == ("good-seed0-fold1",)
    assert "1 of 12 runs are missing" in results.summary
    # One fold lost by one level: what is left is compared on the same images.
    names = tuple(f"good-seed{seed}-fold1" for seed in (0, 1))
    half = fill(tmp_path / "half", left_out=names).comparisons[0]
    assert half.images == good.images / 2


def test_a_level_without_any_run_is_no_comparison(tmp_path: Path) -> None:
    names = tuple(f"good-seed{seed}-fold{fold}" for seed, fold in itertools.product((0, 1), (0, 1)))
    results = fill(tmp_path / "study", left_out=names)
    assert [comparison.name for comparison in results.comparisons] == ["same"]
    good = next(level for level in results.levels if level.level == "good")
    assert (good.accuracy, good.loss, good.finished) == (None, None, 0)
    assert "good against base: no pair of runs to compare." in results.summary
    everything = fill(tmp_path / "nothing", left_out=(*names, *(n.replace("good", "base") for n in names)))
    assert everything.comparisons == ()
    assert everything.detectable_after is None


def test_failed_and_collapsed_runs_are_counted_apart(tmp_path: Path) -> None:
    fill(tmp_path / "study", left_out=("good-seed0-fold1",))
    write_job(tmp_path / "study", JobRecord(job="good-seed0-fold1", status="failed", reason="x", seconds=5.0))
    good = next(level for level in analyse(tmp_path / "study").levels if level.level == "good")
    assert (good.jobs, good.finished, good.failed) == (4, 3, 1)
    assert good.seconds == 14.0


def test_a_grid_has_main_effects(tmp_path: Path) -> None:
    grid = {
        "a": {"no": {}, "yes": {"train": {"epochs": 2}}},
        "b": {"no": {}, "yes": {"optimizer": {"lr": 1e-3}}},
    }
    split = made_split(folds=2, photos=60)
    changes = {"factor": None, "levels": None, "grid": grid, "seeds": [0, 1], "folds": "all"}
    _study, record = made_study(tmp_path / "study", split, **changes)
    for job in record.jobs:
        level = "good" if "a=yes" in job.level else "base"
        made_run(tmp_path / "study", split, job, answers(level, job.seed, job.fold, 90))
    results = analyse(tmp_path / "study")
    assert [effect.name for effect in results.main_effects] == ["a=yes", "b=yes"]
    a, b = results.main_effects
    assert (a.verdict, a.against, a.mcnemar) == ("better", "a=no", ())
    # Level b changes no answer at all.
    assert b.difference.value == 0.0
    simple = {c.name: c.difference.value for c in results.comparisons}
    assert a.difference.value == pytest.approx(simple["a=yes, b=no"])
    results.write(tmp_path / "study")
    assert any("a=yes – a=no: better" in line for line in lines(read_source(tmp_path / "study"), None))


def test_runs_on_other_images_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "study")
    fold0 = tmp_path / "study" / "runs" / "good-seed0-fold0" / "validation"
    fold1 = tmp_path / "study" / "runs" / "good-seed0-fold1" / "validation"
    for path in fold1.iterdir():
        (fold0 / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DessinError, match="did not predict the images of fold 0"):
        analyse(tmp_path / "study")


def test_tables_hold_what_the_results_do(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    results = fill(folder, left_out=("good-seed0-fold1",))
    _study, record = made_study(folder, made_split(2, 60), levels=LEVELS, seeds=[0, 1], folds="all")
    write_tables(folder, record, results)
    levels = {row["level"]: row for row in read_csv(folder / "levels.csv", ["level"])[1]}
    assert levels["base"]["verdict"] == ""
    assert levels["good"]["verdict"] == "better"
    assert float(levels["good"]["difference"]) == pytest.approx(
        results.comparisons[0].difference.value, abs=1e-4
    )
    runs = {row["run"]: row for row in read_csv(folder / "runs.csv", ["run"])[1]}
    assert len(runs) == 12
    assert runs["good-seed0-fold1"]["status"] == "missing"
    results.write(folder)
    said = "\n".join(lines(read_source(folder), None))
    for expected in (
        "good",
        "better",
        "(base)",
        "cannot tell",
        "80 of 100",
        "without a result: good-seed0-fold1",
    ):
        assert expected in said


def test_what_took_no_part_and_what_several_asked_hides_are_said_beside_the_verdict() -> None:
    assert verdict_said(comparison("a", "cannot tell", p=0.2)) == "cannot tell"
    alone = comparison("a", "cannot tell", p=0.01, p_holm=0.06, asked=6)
    assert verdict_said(alone) == "cannot tell, as one of 6 compared"
    untested = comparison("a", "cannot tell", cells=4, untouched=4)
    assert verdict_said(untested) == "not tested"

"""The wrap-up's own reasoning: outcomes, what differs, what was not tested, the forest's geometry, words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from wrapup_studies import comparison, planted, result

from dessin.page.numbers import at_least, listed, p_value, points, signed
from dessin.progress import duration
from dessin.reports.wrapup.conclusions import all_findings, best_supported, gaps, never_varied
from dessin.reports.wrapup.sources import Sources
from dessin.statistics.comparison import Verdict, draw_forest
from dessin.studies.changes import QUESTIONS, answers, base_level, changes, varied
from dessin.studies.outcome import outcome
from dessin.studies.source import StudySource


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        (("better", "worse", "cannot tell"), "gain found"),
        (("worse", "no difference"), "no gain"),
        (("worse", "cannot tell"), "undecided"),
        (("cannot tell",), "undecided"),
    ],
)
def test_an_outcome_follows_the_verdicts_alone(verdicts: tuple[Verdict, ...], kind: str) -> None:
    study = planted({f"level {i}": verdict for i, verdict in enumerate(verdicts)})
    assert outcome(study).kind == kind
    said = {name: verdict for verdict, names in outcome(study).levels for name in names}
    assert said == {f"level {i}": verdict for i, verdict in enumerate(verdicts)}


def test_a_level_without_a_result_leaves_a_study_undecided() -> None:
    study = planted({"a": "worse", "b": "worse"})
    assert study.results is not None
    partial = study.results.model_copy(update={"comparisons": study.results.comparisons[:1]})
    assert outcome(study).kind == "no gain"
    silent = outcome(replace(study, results=partial))
    assert silent.kind == "undecided"
    assert ("no result", ("b",)) in silent.levels


def test_a_study_is_unfinished_until_every_job_has_ended_and_is_in_the_results() -> None:
    study = planted({"a": "better"})
    assert study.complete
    waiting = replace(study, jobs=(replace(study.jobs[0], ended=None), *study.jobs[1:]))
    assert study.results is not None
    stale = study.results.model_copy(update={"levels": study.results.levels[:1]})
    for less in (waiting, replace(study, results=None), replace(study, results=stale)):
        assert outcome(less).kind == "unfinished"


def test_one_run_each_narrows_what_a_verdict_is_about() -> None:
    study = planted({"a": "better"})
    assert study.results is not None
    alone = (comparison("a", "better", scope="these runs"),)
    narrowed = study.results.model_copy(update={"comparisons": alone})
    assert not outcome(study).these_runs
    assert outcome(replace(study, results=narrowed)).these_runs


def test_findings_about_recipes_come_before_those_about_runs_and_then_by_p() -> None:
    study = planted({})
    assert study.results is not None
    planted_ones = (
        comparison("untold", "cannot tell", p_holm=0.0),
        comparison("runs", "better", p_holm=0.0, scope="these runs"),
        comparison("weak", "better", p_holm=0.04),
        comparison("strong", "worse", p_holm=0.001),
    )
    source = replace(study, results=study.results.model_copy(update={"comparisons": planted_ones}))
    found = best_supported(all_findings(Sources((source,), ())), most=3)
    assert [finding.comparison.name for finding in found] == ["strong", "weak", "runs"]


@pytest.mark.parametrize(
    ("change", "key", "text"),
    [
        ({"loss": "focal(2.0)"}, "loss", "focal(2.0)"),
        ({"augment+": ["mixup(0.2)"]}, "augment", "+ mixup(0.2)"),
        ({"augment": []}, "augment", "none"),
        ({"model": {"backbone": "resnet18"}}, "model.backbone", "resnet18"),
        ({"image": {"clahe": True}}, "image.clahe", "true"),
        ({"stages": {"2": ["vflip"]}}, "stages.2", "vflip"),
    ],
)
def test_a_level_shows_what_it_changes_and_nothing_else(change: dict[str, Any], key: str, text: str) -> None:
    record = planted({"other": "better"}, changes={"other": change}).record
    found = {item.key: item.text for item in changes(record, record.levels[1])}
    found.pop("stages", None)
    assert found == {key: text}
    assert changes(record, base_level(record)) == ()
    assert key in {item.key for item in varied(record)}


@pytest.mark.parametrize(
    ("change", "question"),
    [
        ({"image": {"colour": "gray"}}, "colour"),
        ({"image": {"clahe": True}}, "CLAHE"),
        ({"augment+": ["clahe"]}, "CLAHE"),
        ({"augment+": ["rotate(10)"]}, "augmentation"),
        ({"copies": [["vflip"]]}, "augmentation"),
        ({"stages": {"2": ["cutmix(1.0)"]}}, "mixing (MixUp, CutMix)"),
        ({"augment+": ["autoaugment(imagenet)"]}, "AutoAugment and other policies"),
        ({"model": {"backbone": "resnet18"}}, "backbone"),
        ({"model": {"drop_path": 0.1}}, "dropout, drop path and drop block"),
        ({"finetune": {"mode": "stages", "stages": [4]}}, "fine-tuning depth"),
        ({"loss": "focal(2.0)"}, "loss"),
        ({"optimizer": {"name": "sgd"}}, "optimiser"),
        ({"optimizer": {"lr": 0.1}}, "learning rate"),
        ({"train": {"batch_size": 64}}, "batch size"),
        ({"image": {"size": 64}}, "image size"),
        ({"image": {"fit": "squash"}}, "fit into the square"),
        ({"data": {"training_curation": "auto"}}, "cleaning"),
    ],
)
def test_each_change_answers_exactly_its_own_question(change: dict[str, Any], question: str) -> None:
    study = planted({"other": "better"}, changes={"other": change})
    assert [name for name, values in answers(study.record).items() if len(values) > 1] == [question]
    left = {held.question for held in never_varied(Sources((study,), ()))}
    assert left == ({*QUESTIONS, "ensemble"} - {question})


def test_a_dropout_rate_is_another_answer_than_the_same_drop_path() -> None:
    study = planted(
        {"a": "better", "b": "better"},
        changes={"a": {"model": {"drop_rate": 0.1}}, "b": {"model": {"drop_path": 0.1}}},
    )
    assert len(answers(study.record)["dropout, drop path and drop block"]) == 3


def what_is_open(*studies: StudySource) -> dict[str, str]:
    return {gap.what: " ".join(gap.reasons) for gap in gaps(Sources(studies, ()))}


def test_gaps_are_those_that_were_planted() -> None:
    whole = planted({"a": "better"})
    assert set(what_is_open(whole)) == {"final result", "robustness"}
    assert "planted" in what_is_open(planted({"a": "better"}, seeds=(0,)))["the luck of a training"]
    assert "a (3.0 points)" in what_is_open(planted({"a": "cannot tell"}))["cannot tell"]
    waiting = replace(whole, jobs=(replace(whole.jobs[0], ended=None), *whole.jobs[1:]))
    assert "1 of 2" in what_is_open(waiting)["unfinished"]
    end = whole.jobs[1].ended
    assert end is not None
    lost = replace(whole.jobs[1], ended=end.model_copy(update={"status": "failed"}))
    assert "1 of 2" in what_is_open(replace(whole, jobs=(whole.jobs[0], lost)))["lost runs"]
    other = whole.record.digests.model_copy(update={"split": "t"})
    elsewhere = planted({"a": "better"}, name="other", digests=other)
    assert "2 different splits" in what_is_open(whole, elsewhere)["one scale"]


def test_a_forest_keeps_order_and_proportion() -> None:
    forest = draw_forest(
        [comparison(name, "better", value) for name, value in (("a", -0.05), ("b", 0.0), ("c", 0.05))], 0.02
    )
    assert forest is not None
    plot = forest.plot
    a, b, c = plot.rows
    assert b.at == pytest.approx(plot.line)
    assert b.at - a.at == pytest.approx(c.at - b.at, abs=0.01)
    assert plot.band is not None
    assert plot.band + plot.band_width / 2 == pytest.approx(plot.line, abs=0.01)
    for row in plot.rows:
        assert 0 <= row.start <= row.at <= row.start + row.width <= 100
    zero = next(tick for tick in plot.ticks if tick.label == "0.0")
    assert zero.at == pytest.approx(plot.line)
    assert 3 <= len(plot.ticks) <= 7
    assert draw_forest([], 0.02) is None


def test_the_band_and_the_line_are_in_sight_when_every_level_is_far_worse() -> None:
    forest = draw_forest([comparison("a", "worse", -0.4)], 0.02)
    assert forest is not None
    band, line = forest.plot.band, forest.plot.line
    assert band is not None
    assert line is not None
    assert 0 < band < line < band + forest.plot.band_width < 100


def test_a_forest_says_what_its_rows_are_against_where_that_is_one_thing() -> None:
    same = draw_forest([comparison("a", "better"), comparison("b", "worse")], 0.02)
    assert same is not None
    assert same.against == "base"
    assert [row.dot.note for row in same.plot.rows] == ["", ""]
    other = draw_forest([comparison("a", "better"), comparison("b", "worse", against="c")], 0.02)
    assert other is not None
    assert other.against == ""
    assert [row.dot.note for row in other.plot.rows] == ["against base", "against c"]


def test_numbers_in_words() -> None:
    assert points(result(0.021, 0.025)) == "+2.1 [−0.4, +4.6]"
    assert [signed(value) for value in (0.0, -0.0001, -0.02)] == ["0.0", "0.0", "−2.0"]
    assert [p_value(p) for p in (0.0004, 0.0312, 0.25)] == ["<\u00a00.001", "=\u00a00.031", "=\u00a00.25"]
    assert [duration(s) for s in (5.0, 75.0, 4503.0, 7199.0)] == [
        "5.0 s",
        "1 min 15 s",
        "1 h 15 min",
        "2 h 0 min",
    ]
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefgh"), most=4) == "a, b, c and 5 more"
    assert at_least(0.031) == "differences of 3.1 points or more"
    assert "no difference" in at_least(4.3)

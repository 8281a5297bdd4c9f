"""The few-shot benchmark: what is trained on, how rivals fill a budget, and the tables of what is there."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import few_shot  # noqa: E402
import few_shot_rivals as rivals  # noqa: E402
import few_shot_table as tables  # noqa: E402
import few_shot_tasks as tasks  # noqa: E402

# Of a class, the sizes of its groups; a group of 0 stands for drawings without one.
COLLECTIONS = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=6), min_size=2, max_size=4)


def drawings_of(sizes: list[list[int]]) -> list[tasks.Drawing]:
    return [
        tasks.Drawing(f"class{c}/photo{g}-{i}.png", f"class{c}", f"class{c}/photo{g}" if g else "")
        for c, groups in enumerate(sizes)
        for g, count in enumerate(groups)
        for i in range(count)
    ]


@given(COLLECTIONS, st.integers(1, 12), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_few_are_k_of_each_class_whatever_order_they_come_in(sizes, k, random) -> None:
    every = drawings_of(sizes)
    chosen = tasks.few(every, k)
    counts = Counter(drawing.label for drawing in chosen)
    assert counts == {f"class{c}": min(k, sum(groups)) for c, groups in enumerate(sizes)}
    assert len(set(chosen)) == len(chosen)
    shuffled = list(every)
    random.shuffle(shuffled)
    assert tasks.few(shuffled, k) == chosen
    assert set(tasks.few(every, k - 1)) <= set(chosen)
    assert set(chosen).isdisjoint(tasks.rest(every, chosen))
    assert {*chosen, *tasks.rest(every, chosen)} == set(every)


@given(COLLECTIONS, st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_few_come_from_as_many_groups_as_there_are(sizes, k) -> None:
    for label, groups in ((f"class{c}", groups) for c, groups in enumerate(sizes)):
        chosen = [d for d in tasks.few(drawings_of(sizes), k) if d.label == label]
        # A drawing without a group is one of its own.
        there = len(groups) - 1 + groups[0]
        assert len({d.group or d.image_id for d in chosen}) == min(k, there)


def test_few_depend_on_the_seed_and_none_is_everything() -> None:
    every = drawings_of([[5, 5, 5], [5, 5, 5]])
    assert tasks.few(every, None) == tuple(sorted(every, key=lambda drawing: drawing.image_id))
    assert len({tasks.few(every, 3, seed) for seed in range(8)}) > 4


def test_a_schedule_fills_a_budget_and_never_leaves_it_by_an_epoch() -> None:
    assert rivals.schedule(100, frozen_s=10, tuned_s=20) == rivals.Schedule(1, 4)
    assert rivals.schedule(29.9, frozen_s=10, tuned_s=20) == rivals.Schedule(2, 0)
    assert rivals.schedule(30, frozen_s=10, tuned_s=20) == rivals.Schedule(1, 1)
    # One epoch is trained even where it does not fit: nothing would be no answer.
    assert rivals.schedule(-3, frozen_s=10, tuned_s=20) == rivals.Schedule(1, 0)


@given(st.floats(1, 2000), st.floats(0.1, 300), st.floats(0.1, 300))
@settings(max_examples=60, deadline=None)
def test_a_schedule_is_the_longest_that_fits(seconds, frozen_s, tuned_s) -> None:
    plan = rivals.schedule(seconds, frozen_s, tuned_s)
    takes = plan.frozen * frozen_s + plan.tuned * tuned_s
    more = tuned_s if plan.tuned else min(frozen_s, frozen_s + tuned_s)
    assert takes <= seconds + 1e-6 or plan == rivals.Schedule(1, 0)
    assert takes + more > seconds - 1e-6


def test_large_pictures_are_for_budgets_that_pay_for_several_epochs_of_them() -> None:
    larger = (rivals.LARGE / rivals.SMALL) ** 2
    needed = larger * (1 + rivals.LEAST_EPOCHS * 2)
    assert rivals.side_of(needed * 1.01, frozen_s=1, tuned_s=2) == rivals.LARGE
    assert rivals.side_of(needed * 0.99, frozen_s=1, tuned_s=2) == rivals.SMALL


def test_an_epoch_is_told_from_steps_after_the_warm_up() -> None:
    steps = [50.0, 60.0, *(60.0 + 0.5 * i for i in range(1, 9))]
    assert rivals.epoch_seconds(steps, batches=30) == pytest.approx(15)


def test_what_is_spent_on_timing_is_taken_off_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(rivals.time, "time", lambda: now[0])
    clock = rivals.Clock(started=990.0, budget=60)

    def act() -> str:
        now[0] += 25
        return "timed"

    assert clock.timing(act) == "timed"
    assert (clock.used, clock.left) == (10.0, pytest.approx(1.05 * 60 - 10))


CELL = tables.Cell(
    task="doodles10",
    title="dessin's doodles, 10 a class",
    classes=2,
    trained=20,
    seen=False,
    budget=60,
    side="dessin",
    seconds=58.4,
    others=0.02,
    how="auto on abc1234",
    versions="",
    machine="2 cores of a machine",
    date="2026-11-30",
)


def plant(out: Path, right: str, **facts: object) -> None:
    """A finished cell; a letter of `right` is a drawing: y is right, n is not. Two drawings are a group."""
    cell = replace(CELL, **facts)  # type: ignore[arg-type]
    folder = tables.folder_of(out, cell.task, cell.budget, cell.side)
    folder.mkdir(parents=True)
    lines = [",".join(tables.PREDICTED)]
    lines += [f"{i:05d}.png,cat,g{i // 2},{'cat' if x == 'y' else 'cup'}" for i, x in enumerate(right)]
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n")
    (folder / "result.json").write_text(json.dumps(asdict(cell)))


def by_side(out: Path) -> dict[str, tables.Row]:
    return {row.cell.side: row for row in tables.rows_of(out)}


def test_differences_are_of_dessin_minus_another_on_the_same_drawings(tmp_path: Path) -> None:
    plant(tmp_path, "yyyyyyyynn")
    plant(tmp_path, "yyyynnnnnn", side="fastai", seconds=61.0)
    plant(tmp_path, "yyyyyyyyyy", side="fastai", budget=120)
    rows = tables.rows_of(tmp_path)
    assert [(row.cell.budget, row.cell.side) for row in rows] == [
        (60, "dessin"),
        (60, "fastai"),
        (120, "fastai"),
    ]
    ours, theirs, alone = rows
    assert ours.accuracy.value == pytest.approx(0.8)
    assert ours.accuracy.n == 10
    assert ours.minus is None
    assert theirs.minus is not None
    assert theirs.minus.value == pytest.approx(0.4)
    assert theirs.minus.method.startswith("5 groups")
    # At that budget dessin was not measured.
    assert alone.minus is None


def test_where_weights_have_seen_the_drawings_others_are_held_against_dessin_without(tmp_path: Path) -> None:
    plant(tmp_path, "yyyyyyyyyy", seen=True)
    plant(tmp_path, "yyyyyynnnn", seen=True, side=tables.UNDRAWN)
    plant(tmp_path, "yyyynnnnnn", seen=True, side="fastai")
    rows = by_side(tmp_path)
    assert rows["fastai"].minus is not None
    assert rows["fastai"].minus.value == pytest.approx(0.2)
    assert rows["dessin"].minus is None
    table = tables.short_table(tuple(rows.values()))
    assert "| 60.0%; 100.0% with weights that may have seen them |" in table
    assert "40.0% (+20.0 [" in table


def test_a_recipe_is_held_against_dessin_with_as_much_time(tmp_path: Path) -> None:
    plant(tmp_path, "yynnnnnnnn")
    plant(tmp_path, "yyyyyyyyyy", budget=120)
    plant(tmp_path, "yyyyyynnnn", side="quick-128", budget=0, seconds=71.0)
    minus = by_side(tmp_path)["quick-128"].minus
    assert minus is not None
    assert minus.value == pytest.approx(0.4)


def test_the_table_of_results_reads_back_as_it_was(tmp_path: Path) -> None:
    plant(tmp_path, "yyyyyyyynn", how="auto, with a comma", seen=True)
    plant(tmp_path, "yyyynnnnnn", side="timm", seen=True)
    plant(tmp_path, "yyyyyyyynn", side=tables.UNDRAWN, seen=True, others=-1.0)
    rows = tables.rows_of(tmp_path)
    tables.write_rows(tmp_path / "few_shot.csv", rows)
    again = tables.read_rows(tmp_path / "few_shot.csv")
    assert [row.cell for row in again] == [row.cell for row in rows]
    assert [row.accuracy.high for row in again] == pytest.approx(
        [row.accuracy.high for row in rows], abs=1e-6
    )
    assert [row.minus is None for row in again] == [row.minus is None for row in rows]


def test_missing_cells_are_shown_as_missing(tmp_path: Path) -> None:
    plant(tmp_path, "yyyyyyyynn")
    plant(tmp_path, "yyyyyyyynn", budget=120)
    plant(tmp_path, "yyyynnnnnn", side="timm", budget=120)
    rows = tables.rows_of(tmp_path)
    short = tables.short_table(rows).splitlines()
    assert short[0] == "| drawings | after | dessin | timm script |"
    assert short[2].endswith("| 1 min | 80.0% | missing |")
    full = tables.full_tables(rows).splitlines()[4:]
    assert [line.split(" | ")[:2] for line in full] == [
        [f"| {budget} min", side] for budget in (1, 2) for side in ("dessin", "timm script")
    ]
    assert "| timm script | missing |" in tables.full_tables(rows)
    assert tables.short_table(()) == tables.full_tables(()) == ""


def test_tasks_of_another_day_stay_and_those_measured_again_are_replaced_whole(tmp_path: Path) -> None:
    for day, task in (("old", "doodles10"), ("old", "sketchy20"), ("new", "sketchy20")):
        plant(tmp_path / day, "yynn", task=task, date=f"2026-12-0{1 + (day == 'new')}")
    plant(tmp_path / "old", "yynn", task="sketchy20", side="timm")
    old, new = (tables.rows_of(tmp_path / day) for day in ("old", "new"))
    found = [(row.cell.task, row.cell.side, row.cell.date) for row in tables.merged(old, new)]
    assert found == [("doodles10", "dessin", "2026-12-01"), ("sketchy20", "dessin", "2026-12-02")]


def test_papers_get_the_table_between_their_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    papers = [tmp_path / name for name in ("README.md", "docs/benchmarks.md")]
    for paper in papers:
        paper.write_text(f"before\n\n{tables.BEGIN}\nold\n{tables.END}\n\nafter\n")
    plant(tmp_path / "out", "yyyyyyyynn")
    rows = tables.rows_of(tmp_path / "out")
    tables.write_docs(rows, tmp_path)
    once = [paper.read_text() for paper in papers]
    tables.write_docs(rows, tmp_path)
    assert [paper.read_text() for paper in papers] == once
    for text in once:
        assert text.startswith("before\n\n")
        assert text.endswith("\n\nafter\n")
        assert "old" not in text
        assert "80.0%" in text
    with pytest.raises(SystemExit, match="lacks the lines"):
        tables.with_table("no marks", "table")


def test_the_papers_of_the_repository_show_its_table() -> None:
    kept = tables.read_rows(ROOT / tables.TABLE) if (ROOT / tables.TABLE).is_file() else ()
    for name, text in tables.texts(kept).items():
        paper = (ROOT / name).read_text(encoding="utf-8")
        assert tables.with_table(paper, text) == paper, f"{name}: benchmarks/few_shot.py --write-docs"


def test_tasks_are_named_by_their_collection_and_how_many() -> None:
    sources = {name: tasks.Source(name, name) for name in ("sketchy", "doodles")}
    assert few_shot.task_named("sketchy20", sources) == (sources["sketchy"], 20)
    assert few_shot.task_named("sketchy", sources) == (sources["sketchy"], None)
    for name in ("doodles", "paintings5", "sketchy0", "sketchy 5"):
        with pytest.raises(SystemExit, match="There is no task"):
            few_shot.task_named(name, sources)


def test_sides_are_those_that_can_run_and_where_weights_have_seen_the_drawings_one_more() -> None:
    options = Namespace(sides=None, python=None, before=None)
    assert few_shot._sides(options, seen=False) == ["dessin", "timm"]
    assert few_shot._sides(options, seen=True) == ["dessin", tables.UNDRAWN, "timm"]
    options.sides = "quick-128,dessin"
    assert few_shot._sides(options, seen=False) == ["quick-128", "dessin"]
    for sides, told in (("dessin,keras", "Sides are dessin, .*keras"), ("fastai", "needs --python")):
        options.sides = sides
        with pytest.raises(SystemExit, match=told):
            few_shot._sides(options, seen=False)


def test_the_most_probable_class_counts_also_where_a_model_is_unsure() -> None:
    assert few_shot.named({"predicted": "cat", "reason": ""}) == "cat"
    assert few_shot.named({"predicted": "", "reason": "unsure: a: b"}) == "a: b"
    assert few_shot.named({"predicted": "", "reason": "the file breaks off: bytes"}) == ""


@pytest.mark.parametrize(
    ("made", "used"),
    [(["run/bundle", "best"], "best"), (["run/bundle"], "run/bundle"), (["bundle"], "bundle"), ([], ".")],
)
def test_the_model_is_found_in_what_any_version_made(made: list[str], used: str, tmp_path: Path) -> None:
    for name in made:
        (tmp_path / name).mkdir(parents=True)
    assert few_shot.model_of(tmp_path) == tmp_path / used

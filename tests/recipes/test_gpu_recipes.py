"""The recipes for GPUs: their heads say what is planned, and measuring them runs, here with a tiny body."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import make_drawings, make_tiny_split

from dessin.models.candidates import Job, Machine, choose_candidates, time_of
from dessin.models.default_backbones import ROWS, Backbone
from dessin.progress import quiet
from dessin.recipe import read_recipe
from dessin.recipes.verb import recipe_file
from dessin.runs.record import RunRecord, read_record
from dessin.runs.train import train

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ("gpu-folds", "gpu-lora", "gpu-probe")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_says_what_is_planned(name: str) -> None:
    import gpu_plan

    text = recipe_file(name).read_text(encoding="utf-8")
    assert "\n".join(gpu_plan.header(name, gpu_plan.planned())) in text
    assert "planned from" in text
    assert "no GPU was lent" in text


@pytest.mark.parametrize("name", NAMES)
def test_it_names_a_strong_body_of_the_table_at_its_side(name: str) -> None:
    recipe = read_recipe(Path(name))
    row = ROWS[recipe.model.backbone]
    assert (row.tier, row.size) == ("strong", recipe.image.size)


@pytest.mark.parametrize("memory", [78.0, 23.0])
def test_the_page_on_a_contest_says_what_is_planned_for_an_hour(memory: float) -> None:
    page = (BENCHMARKS.parent / "docs" / "quickstart.md").read_text(encoding="utf-8")
    machine = Machine("cuda", memory, 16, frozenset(ROWS), hub="")
    plan = choose_candidates(machine, Job(images=15_021, seconds=3600.0, tuned=True))
    ways = {each.value: each.way for each in (*plan.taken, *plan.offered)}
    for row in gpu_bodies_on_the_page():
        cost = time_of(row, ways[row.name], machine, 15_021)
        words = {"tuned": "tuned in", "lora": "LoRA in", "frozen": "frozen"}[ways[row.name]]
        training = f" {cost.training / 60:.0f} min" if cost.training else ""
        assert f"features {cost.features / 60:.0f} min, {words}{training} ({cost.gib:.0f} GiB)" in page


def gpu_bodies_on_the_page() -> list[Backbone]:
    """EVA-02-L, SigLIP and ConvNeXt-L."""
    return [row for row in ROWS.values() if row.tier == "strong"][:3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "body", "folds", "more"),
    [
        ("gpu-probe", "test_vit", None, ()),
        ("gpu-probe", "test_vit", None, ("model.beside=test_convnext:none",)),
        ("gpu-lora", "test_vit", None, ()),
        ("gpu-folds", "test_convnext", "all", ()),
    ],
)
def test_it_trains_as_it_is_written_but_for_the_body(
    tmp_path: Path, name: str, body: str, folds: str | None, more: tuple[str, ...]
) -> None:
    data = make_drawings(tmp_path / "drawings")
    split = make_tiny_split(data, tmp_path / "split.csv", folds=2)
    small = (f"model.backbone={body}", "model.weights=none", "image.size=64", "train.epochs=2")
    out = tmp_path / "run"
    with quiet():
        train(name, data=data, split=split, overrides=(*small, *more), out=out, folds=folds)
    records = [read_record(path.parent) for path in sorted(out.rglob(RunRecord.FILE))]
    assert len(records) == (2 if folds else 1)
    assert all(record.status == "finished" for record in records)


@pytest.mark.slow
def test_without_a_gpu_it_is_said_that_nothing_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import gpu

    options = Namespace(drawings=1000, out=tmp_path / "plan.csv", seconds=1.0)
    lines = gpu.plan("cpu", "float32", options)
    said = capsys.readouterr().out
    assert "none of this was measured" in said
    assert "1,000 drawings, on 24, 48 and 80 GB, planned" in said
    assert all(line.measured_minutes is None for line in lines)
    assert len((tmp_path / "plan.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(lines)


@pytest.mark.slow
def test_a_part_that_runs_out_of_time_takes_nothing_from_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import gpu

    monkeypatch.setattr(gpu, "LIMITS", {"endless": 1, "short": 60})
    gpu._run("endless", [sys.executable, "-c", "while True: pass"], tmp_path)
    gpu._run("short", [sys.executable, "-c", "print(6 * 7)"], tmp_path)
    said = capsys.readouterr().out
    assert "endless ran out of time after 1 s" in said
    assert "short ended with 0" in said
    assert (tmp_path / "short.txt").read_text(encoding="utf-8") == "42\n"


def test_all_parts_together_take_less_than_ten_minutes() -> None:
    import gpu

    assert sum(gpu.LIMITS.values()) <= 590


def test_larger_gpus_are_never_planned_to_take_longer_and_minutes_follow_the_drawings() -> None:
    import gpu_plan

    for name in gpu_plan.RECIPES:
        for row in gpu_plan.STRONG:
            minutes = [gpu_plan.plan_line(name, row, gpu, 1000).planned_minutes for gpu in (16, 24, 48, 80)]
            assert minutes == sorted(minutes, reverse=True)
            twice = gpu_plan.plan_line(name, row, 16, 2000).planned_minutes
            assert twice == pytest.approx(2 * minutes[0])


@pytest.mark.slow
def test_what_a_gpu_would_be_measured_by_runs_here_with_a_tiny_body(tmp_path: Path) -> None:
    import gpu_plan

    tiny = Backbone("test_vit", "strong", "Apache-2.0", 0.4, 0.04, None, 160, 0.1, 0.1, step=16, lora_gib=0.1)
    lines = list(
        gpu_plan.measured(torch.device("cpu"), "float32", drawings=100, rows=(tiny,), seconds=0.0, images=16)
    )
    assert {line.recipe for line in lines} == set(gpu_plan.RECIPES)
    for line in lines:
        assert line.features_a_second is not None
        assert line.measured_minutes == pytest.approx(minutes_of(line))
        assert (line.trained_a_second is None) == (line.recipe == "gpu-probe")
        assert line.measured_gib is None, "a processor has no memory of its own"
    gpu_plan.write_lines(tmp_path / "plan.csv", [*gpu_plan.planned(100, (tiny,)), *lines])
    rows = (tmp_path / "plan.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 9 + 3


def minutes_of(line: Any) -> float:
    """Two views of 100 drawings, then what an epoch of a fold takes times both."""
    epochs = {"gpu-probe": 0, "gpu-lora": 6, "gpu-folds": 5 * 8}[line.recipe]
    steps = epochs * 100 * (0.8 + 0.2 / 3) / line.trained_a_second if epochs else 0.0
    return float((200 / line.features_a_second + steps) / 60)


def test_no_backbone_is_begun_when_no_time_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    import gpu_plan

    assert not list(gpu_plan.measured(torch.device("cpu"), "float32", stop_at=0.0))
    assert "no time is left" in capsys.readouterr().out

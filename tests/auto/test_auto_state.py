"""`auto.json`: the same command goes on with the plan and the time that it has; another one is refused."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from dessin.auto.budget import Speed, Workload, plan_auto
from dessin.auto.state import Asked, AutoState, Journey, MeasuredSpeed
from dessin.errors import DessinError

ASKED = Asked(manifest="m" * 64, group=None, models=("small", "large"), seed=0, budget_seconds=900.0)


def planned(left: float) -> AutoState:
    work = Workload(1000, 300.0, {(name, 224): Speed(60.0, 20.0) for name in ASKED.models})
    speeds = (MeasuredSpeed(backbone=n, size=s, forward=60.0, training=20.0) for n, s in work.speeds)
    plan = plan_auto(work, ASKED.models, left)
    return AutoState(
        data="drawings", asked=ASKED, plan=plan, images=1000, decoding=300.0, speeds=tuple(speeds)
    )


def begin(folder: Path, asked: Asked = ASKED, make: Any = planned, *, ago: float = 0.0) -> Journey:
    folder.mkdir(exist_ok=True)
    return Journey(folder, asked, make, started=time.monotonic() - ago)


def never(left: float) -> AutoState:
    raise AssertionError(f"planned anew for {left}")


def test_the_plan_is_kept_and_not_made_anew(tmp_path: Path) -> None:
    before = begin(tmp_path)
    again = begin(tmp_path, make=never)
    assert again.state.plan == before.state.plan
    assert again.state.work == before.state.work
    assert AutoState.read(tmp_path).plan == before.state.plan


def test_time_that_was_used_counts(tmp_path: Path) -> None:
    first = begin(tmp_path, ago=100.0)
    first.note()
    # It lived on for another 50 seconds, in which it wrote a checkpoint.
    noted = (tmp_path / "auto.json").stat().st_mtime
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "curve.csv").touch()
    os.utime(tmp_path / "run" / "curve.csv", (noted + 50.0, noted + 50.0))
    second = begin(tmp_path, make=never, ago=7.0)
    assert second.used == pytest.approx(157.0, abs=2.0)
    assert second.left == pytest.approx(743.0, abs=2.0)
    assert AutoState.read(tmp_path).seconds == pytest.approx(157.0, abs=2.0)


def test_a_finished_one_takes_no_more_time(tmp_path: Path) -> None:
    begin(tmp_path, ago=100.0).note(finished="2026-11-30T12:00:00+00:00")
    whole = (tmp_path / "auto.json").read_bytes()
    again = begin(tmp_path, make=never, ago=1000.0)
    assert not again.stage("5/5 report", done=True)
    again.note(training_seconds=3.0)
    assert again.state.seconds == pytest.approx(100.0, abs=2.0)
    assert (tmp_path / "auto.json").read_bytes() == whole


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"seed": 1}, r"seed \(was 0, is 1\)"),
        ({"budget_seconds": 1800.0}, r"budget \(was 15 min 0 s, is 30 min 0 s\)"),
        ({"models": ()}, r"models \(was small, large, is the usual\)"),
        ({"group": "^(.*)-"}, r"group \(was none, is \^\(\.\*\)-\)"),
        ({"manifest": "n" * 64}, r"drawings \(was mmmmmmmmmmmm, is nnnnnnnnnnnn\)"),
    ],
)
def test_another_command_is_refused_with_what_differs(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    begin(tmp_path)
    whole = (tmp_path / "auto.json").read_bytes()
    with pytest.raises(DessinError, match=f"begun otherwise: {said}.*choose another --out"):
        begin(tmp_path, ASKED.model_copy(update=other), never)
    assert (tmp_path / "auto.json").read_bytes() == whole


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        begin(tmp_path, make=never)
    assert os.listdir(tmp_path) == ["mine.txt"]

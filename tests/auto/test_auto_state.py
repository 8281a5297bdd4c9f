"""`auto.json`: the same command goes on with the plan and the time that it has; another one is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from dessin.auto.situation import Step
from dessin.auto.state import Asked, AutoState, Journey, Measured, MeasuredSpeed, StepDone
from dessin.errors import DessinError

ASKED = Asked(manifest="m" * 64, group=None, models=("small", "large"), seed=0, budget_seconds=900.0)


MEASURED = Measured(
    decoding=300.0,
    speeds=tuple(
        MeasuredSpeed(backbone=name, size=128, forward=60.0, training=20.0, features=60.0)
        for name in ASKED.models
    ),
    flops=1e10,
)
STEP = Step(kind="probe", name="probe-128", models=("small",), size=128, seconds=10.0, reason="first")


def planned(left: float) -> AutoState:
    assert left <= ASKED.budget_seconds
    return AutoState(data="drawings", asked=ASKED, candidates=ASKED.models, images=1000, measured=MEASURED)


def begin(folder: Path, asked: Asked = ASKED, make: Any = planned, *, ago: float = 0.0) -> Journey:
    folder.mkdir(exist_ok=True)
    return Journey(folder, asked, make, started=time.monotonic() - ago)


def never(left: float) -> AutoState:
    raise AssertionError(f"planned anew for {left}")


def test_what_was_done_is_kept_and_a_step_under_way_is_gone_on_with(tmp_path: Path) -> None:
    before = begin(tmp_path)
    done = StepDone(step=STEP, since=1.0, seconds=9.0, verdict="the first model", best=True)
    before.note(steps=before.state.with_steps(done), best=STEP.name)
    following = StepDone(step=STEP.model_copy(update={"name": "joint-128"}), since=10.0)
    before.note(steps=before.state.with_steps(following))
    again = begin(tmp_path, make=never)
    assert again.state.measured == before.state.measured
    assert again.state.done == (done,)
    assert again.state.under_way == (following,)
    assert again.state.best == STEP.name


def test_one_of_an_older_version_says_where_its_model_is(tmp_path: Path) -> None:
    begin(tmp_path)
    values = json.loads((tmp_path / "auto.json").read_text())
    for finished, cure in (
        ("2026-11-30", "its model is in .*run. Choose another"),
        ("", "not finished.*Choose"),
    ):
        old = {"kind": "auto", "data": "drawings", "asked": values["asked"], "plan": {}, "finished": finished}
        (tmp_path / "auto.json").write_text(json.dumps(old))
        with pytest.raises(DessinError, match=f"older version of dessin.*{cure}"):
            begin(tmp_path, make=never)


def test_time_that_was_used_counts(tmp_path: Path) -> None:
    first = begin(tmp_path, ago=100.0)
    first.note()
    # It lived on for another 50 seconds, in which it wrote a checkpoint.
    noted = (tmp_path / "auto.json").stat().st_mtime
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "curve.csv").touch()
    os.utime(tmp_path / "run" / "curve.csv", (noted + 50.0, noted + 50.0))
    # The lock that this process has taken meanwhile says nothing of the other's life.
    (tmp_path / ".lock").touch()
    os.utime(tmp_path / ".lock", (noted + 5000.0, noted + 5000.0))
    second = begin(tmp_path, make=never, ago=7.0)
    assert second.used == pytest.approx(157.0, abs=2.0)
    assert second.left == pytest.approx(743.0, abs=2.0)
    assert AutoState.read(tmp_path).seconds == pytest.approx(157.0, abs=2.0)


def test_a_finished_one_takes_no_more_time(tmp_path: Path) -> None:
    begin(tmp_path, ago=100.0).note(finished="2026-11-30T12:00:00+00:00")
    whole = (tmp_path / "auto.json").read_bytes()
    again = begin(tmp_path, make=never, ago=1000.0)
    assert not again.stage("5/5 report", done=True)
    again.note(ended="later")
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

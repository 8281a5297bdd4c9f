"""A look at the holdout counts once: also one that was killed, and never none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from made_runs import made_record

from dessin.runs import holdout
from dessin.runs.holdout import open_holdout, settle
from dessin.runs.record import read_record, write_record

# A process that is gone: no system counts as far.
GONE = 2**22 + 1
ASKS = {"views": ["identity"], "data": "d" * 64}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_record(tmp_path / "run", made_record())
    return tmp_path / "run"


def counted(run: Path) -> int:
    return len(read_record(run).holdout_opened)


def killed(run: Path) -> None:
    """What lies in the run is by a process that is gone."""
    for marker in run.glob(".opening-*.json"):
        number, when, _, out = json.loads(marker.read_text())
        marker.write_text(json.dumps([number, when, GONE, out]))


def test_each_look_that_was_answered_counts(run: Path) -> None:
    for number in (1, 2, 3):
        opening = open_holdout(run, ASKS)
        assert opening.number == counted(run) == number
        opening.delivered()
    assert [path.name for path in run.iterdir()] == ["record.json"]


def test_one_that_was_killed_is_gone_on_with(run: Path) -> None:
    assert open_holdout(run, ASKS).number == 1
    for _ in range(3):
        killed(run)
        opening = open_holdout(run, ASKS)
        assert opening.number == counted(run) == 1
    opening.delivered()
    assert open_holdout(run, ASKS).number == counted(run) == 2


def test_one_that_was_killed_before_it_was_counted_counts(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(holdout, "_count", lambda *_: None)
        open_holdout(run, ASKS)
    assert counted(run) == 0
    killed(run)
    # Meanwhile another question takes its number.
    open_holdout(run, {**ASKS, "views": ["hflip"]}).delivered()
    assert open_holdout(run, ASKS).number == counted(run) == 2


def test_another_question_counts_anew(run: Path) -> None:
    open_holdout(run, ASKS)
    killed(run)
    assert open_holdout(run, {**ASKS, "views": ["hflip"]}).number == counted(run) == 2
    assert open_holdout(run, ASKS).number == 1
    assert counted(run) == 2


def test_the_same_question_while_a_living_process_answers_it_counts_anew(run: Path) -> None:
    first = open_holdout(run, ASKS)
    assert first.marker is not None
    number, when, _, out = json.loads(first.marker.read_text())
    first.marker.write_text(json.dumps([number, when, os.getppid(), out]))
    second = open_holdout(run, ASKS)
    assert second.number == counted(run) == 2
    second.delivered()
    assert first.marker.is_file()


def test_an_answer_that_lies_whole_settles_its_opening(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    open_holdout(run, ASKS, out)
    killed(run)
    settle(run)
    assert open_holdout(run, ASKS, out).number == 1
    killed(run)
    out.mkdir()
    (out / "metrics.json").write_text("{}")
    settle(run)
    assert open_holdout(run, ASKS, tmp_path / "again").number == counted(run) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '["1", "x", 3, ""]', "[1, 2, 3, 4, 5]", "\x00"])
def test_a_damaged_marker_counts_anew(run: Path, text: str) -> None:
    marker = open_holdout(run, ASKS).marker
    assert marker is not None
    marker.write_text(text)
    assert open_holdout(run, ASKS).number == counted(run) == 2

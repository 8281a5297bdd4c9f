"""The run record: what is written comes back, and what cannot be read is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.recipe import make_recipe
from dessin.runs import machine
from dessin.runs.holdout import open_holdout
from dessin.runs.machine import describe_hardware, git_commit, package_versions
from dessin.runs.record import (
    Counts,
    Digests,
    RunRecord,
    now,
    read_record,
    store_results,
    write_record,
)
from dessin.statistics.metrics import measure


def a_record(**changes: object) -> RunRecord:
    return RunRecord(
        name="lite0-1",
        status="running",
        started=(now(),),
        seed=3,
        recipe=make_recipe({"augment": ["hflip", "rotate(10)"], "seed": 3}),
        digests=Digests(manifest="m", split="s", weights="w"),
        counts=Counts(classes=2, train=4, validation=2, holdout=2),
        versions=package_versions(),
        hardware=describe_hardware(2),
    ).changed(**changes)


def test_a_record_comes_back_equal(tmp_path: Path) -> None:
    record = a_record().with_decisions(
        [Decision("device", "cpu", "no GPU"), Decision("batch_size", 16, "small")]
    )
    record = record.with_seconds({"probe": 1.5}).with_seconds({"probe": 2.0, "training": 3.0})
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert record.timings == {"probe": 3.5, "training": 3.0}


def test_other_programs_find_the_keys_of_the_design(tmp_path: Path) -> None:
    metrics = measure(np.eye(2)[[0, 1, 0]], np.array([0, 1, 1]), ["a", "b", "c"], ["x", "y"])
    record = a_record().with_decisions([Decision("device", "cpu", "no GPU")])
    write_record(tmp_path, record)
    store_results(tmp_path, "validation", metrics)
    values = json.loads((tmp_path / "record.json").read_text())
    assert {"recipe", "seed", "digests", "versions", "hardware", "timings", "status"} <= values.keys()
    assert values["decisions"] == [{"name": "device", "value": "cpu", "reason": "no GPU"}]
    assert {"value", "low", "high", "n"} <= values["results"]["validation"]["accuracy"].keys()
    assert values["results"]["validation"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert values["results"]["validation"].keys() == {"accuracy", "top5", "macro_f1", "loss"}


def test_a_later_decision_of_the_same_name_replaces_the_earlier() -> None:
    record = a_record().with_decisions([Decision("batch_size", 64, "asked"), Decision("device", "cpu", "-")])
    record = record.with_decisions([Decision("batch_size", 32, "did not fit")])
    assert [(d.name, d.value) for d in record.decisions] == [("batch_size", 32), ("device", "cpu")]


def test_every_opening_of_the_holdout_is_counted(tmp_path: Path) -> None:
    write_record(tmp_path, a_record())
    for number in (1, 2):
        opening = open_holdout(tmp_path, {"views": ["plain"]})
        opening.delivered()
        assert opening.number == len(read_record(tmp_path).holdout_opened) == number
    dates = read_record(tmp_path).holdout_opened
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", date) for date in dates)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('{"format": 99}', "newer dessin"),
        ('{"format": "1"}', "no format number"),
        ("[]", "no format number"),
        ('{"format": 1, "name": "x"', "not valid JSON"),
        ('{"format": 1, "name": "x"}', "status"),
    ],
)
def test_a_record_that_cannot_be_read_is_explained(tmp_path: Path, text: str, seen: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(DessinError, match=seen):
        read_record(tmp_path)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    write_record(tmp_path, a_record())
    path = tmp_path / "record.json"
    path.write_text(path.read_text().replace('"timings"', '"timing"'))
    with pytest.raises(DessinError, match='Did you mean "timings"'):
        read_record(tmp_path)


def test_what_is_no_run_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="no run folder"):
        read_record(tmp_path / "absent")
    with pytest.raises(DessinError, match="not a run folder"):
        read_record(tmp_path)


def test_who_is_named_as_was_said_else_as_the_machine_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"config": "Kim Lee", "system": "kim"}
    monkeypatch.setattr(machine, "_of_git", lambda verb, *_: names[verb])
    monkeypatch.setattr(machine.getpass, "getuser", lambda: names["system"])
    for given, expected in (("  Class 3b ", "Class 3b"), ("", ""), (None, "Kim Lee")):
        monkeypatch.setenv("DESSIN_WHO", given) if given is not None else monkeypatch.delenv("DESSIN_WHO")
        assert machine.who() == expected
    names["config"] = ""
    assert machine.who() == "kim"

    def nobody() -> str:
        raise KeyError("uid not found: 1234")

    monkeypatch.setattr(machine.getpass, "getuser", nobody)
    assert machine.who() == ""


def test_a_record_without_a_name_has_no_key_for_it(tmp_path: Path) -> None:
    for who in ("", "Kim"):
        write_record(tmp_path, a_record().changed(who=who))
        assert ('"who": "Kim"' in (tmp_path / "record.json").read_text()) is bool(who)
        assert read_record(tmp_path).who == who


def test_the_commit_is_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert git_commit() == ""

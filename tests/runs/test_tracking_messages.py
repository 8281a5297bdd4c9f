"""What of a run is sent, and what is not."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dessin.decisions import Decision
from dessin.recipe import make_recipe
from dessin.runs.machine import describe_hardware, package_versions
from dessin.runs.record import Attempt, Counts, Digests, RunRecord, now
from dessin.runs.tracking.messages import beginning, ending, point, read_message, to_line
from dessin.statistics.metrics import measure
from dessin.training.curve import CurveRow


def a_record(recipe: dict[str, Any]) -> RunRecord:
    return RunRecord(
        name="lite0-1",
        status="running",
        started=(now(),),
        seed=3,
        recipe=make_recipe({"seed": 3, **recipe}),
        digests=Digests(manifest="m", split="s", weights="w"),
        counts=Counts(classes=2, train=4, validation=2, holdout=2),
        versions=package_versions(),
        hardware=describe_hardware(2),
    )


def a_row(**changes: Any) -> CurveRow:
    values: dict[str, Any] = {
        "epoch": 2, "step": 6, "train_loss": 0.5, "validation_loss": 0.7, "validation_accuracy": 0.6,
        "lr": 1e-3, "seconds": 1.0,
    }  # fmt: skip
    return CurveRow(**(values | changes))


def test_the_whole_recipe_is_there_under_its_own_keys() -> None:
    sent = beginning(a_record({"augment": ["hflip"], "stages": {2: ["vflip"]}, "track": ["tensorboard"]}))
    assert sent.parameters["train.epochs"] == 5
    assert sent.parameters["augment"] == '["hflip"]'
    assert sent.parameters["stages.2"] == '["vflip"]'
    assert sent.parameters["train.compile"] is False
    assert not [key for key in sent.parameters if key.startswith("track")]
    assert sent.tags["digest.manifest"] == "m"
    assert sent.tags["hardware.threads"] == "2"
    assert sent.tags["seed"] == "3"
    assert "git_commit" not in sent.tags


def test_two_recipes_differ_where_they_differ() -> None:
    one, other = (beginning(a_record({"loss": loss})).parameters for loss in ("cross_entropy", "focal(2.0)"))
    assert {key for key in one if one[key] != other[key]} == {"loss"}


def test_no_path_name_or_person_of_the_machine_is_sent(tmp_path: Path) -> None:
    places = {key: str(tmp_path / "deep" / f"{key}.csv") for key in ("path", "split", "curation")}
    record = a_record({"data": places, "model": {"weights": str(tmp_path / "mine.safetensors")}})
    ended = record.changed(status="failed", reason=f"{tmp_path}/x is not there")
    ended = ended.with_decisions([Decision("weights", str(tmp_path), "asked for")])
    text = (to_line(beginning(ended)) + to_line(ending(ended))).decode()
    assert '"data.split":"split.csv"' in text
    assert '"model.weights":"mine.safetensors"' in text
    secrets = (str(tmp_path), str(Path.home()), f'"{socket.gethostname()}"', f'"{getpass.getuser()}"')
    assert [secret for secret in secrets if secret in text] == []


def test_relative_paths_are_sent_as_they_are() -> None:
    assert beginning(a_record({"data": {"path": "drawings/all"}})).parameters["data.path"] == "drawings/all"


def test_attempts_and_averages_do_not_collide() -> None:
    points = [point(attempt, a_row(averaged=averaged)) for attempt in (1, 2) for averaged in (0, 3)]
    names = [name for sent in points for name in sent.values]
    assert len(set(names)) == len(names) == 16
    assert len({sent.key for sent in points}) == 4
    assert points[0].values["validation_accuracy"] == 0.6
    assert points[3].values["attempt2/averaged/validation_accuracy"] == 0.6


def test_what_has_no_value_is_not_sent() -> None:
    sent = point(1, a_row(epoch=0, train_loss=None, validation_loss=None, validation_accuracy=None, lr=0.0))
    assert sent.values == {"lr": 0.0}
    assert sent.step == 0


def test_results_come_with_interval_and_n() -> None:
    metrics = measure(np.eye(2)[[0, 1, 0]], np.array([0, 1, 1]), ["a", "b", "c"], ["x", "y"])
    record = a_record({}).with_results("validation", metrics).with_seconds({"probe": 2.0})
    sent = ending(record.changed(status="collapsed", attempts=(Attempt(number=1, lr=1.0),)))
    assert sent.values["results/validation/accuracy"] == pytest.approx(2 / 3)
    assert sent.values["results/validation/accuracy/low"] == metrics.accuracy.low
    assert sent.values["results/validation/accuracy/high"] == metrics.accuracy.high
    assert sent.values["results/validation/accuracy/n"] == 3
    assert sent.values["seconds/probe"] == 2.0
    assert (sent.status, sent.tags["status"], sent.tags["attempts"]) == ("collapsed", "collapsed", "1")


def test_a_message_comes_back_equal_from_its_line() -> None:
    record = a_record({"model": {"drop_rate": 0.0}, "loss": "focal(2.0)"})
    infinite = point(1, a_row(validation_loss=float("inf")))
    for message in (beginning(record), point(1, a_row()), infinite, ending(record)):
        line = to_line(message)
        assert line.count(b"\n") == 1
        assert read_message(line) == message

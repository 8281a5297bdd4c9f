"""A collapsed run is begun anew with a lower rate; all is recorded; being killed changes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from tiny_run import apart, tiny_recipe

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.reports.verb import report
from dessin.runs import attempts
from dessin.runs.record import read_record
from dessin.runs.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def exploding(**train_section: object) -> Recipe:
    """Plain gradient descent with a rate at which the loss stops being a number within a few steps."""
    return tiny_recipe(
        "full",
        optimizer={"name": "sgd", "lr": 10.0, "weight_decay": 10.0, "warmup_epochs": 0.0},
        train={"epochs": 4, "batch_size": 4, **train_section},
    )


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def recovered(drawings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, split = drawings
    with apart(tmp_path_factory.mktemp("recovered")) as folder:
        return train(exploding(attempts=5), data=data, split=split, out=folder / "run")


def test_an_exploding_run_is_begun_anew_with_a_tenth_of_the_rate(recovered: Path) -> None:
    record = read_record(recovered)
    assert record.status == "finished"
    outcomes = [attempt.outcome for attempt in record.attempts]
    assert len(outcomes) > 1
    assert outcomes == ["collapsed"] * (len(outcomes) - 1) + ["finished"]
    rates = [attempt.lr for attempt in record.attempts]
    assert rates == pytest.approx([10.0 * 0.1**n for n in range(len(rates))])
    assert record.attempts[0].evidence["reason"] == "not finite"
    assert (recovered / "attempts" / "1" / "curve.csv").is_file()
    assert not (recovered / "checkpoint").exists()
    assert record.timings["collapsed attempts"] > 0


def test_the_report_shows_every_attempt(recovered: Path, tmp_path: Path) -> None:
    page = report(recovered, out=tmp_path / "report.html").read_text()
    assert page.count(">collapsed<") == len(read_record(recovered).attempts) - 1
    assert " loss became " in page


def test_the_last_attempt_equals_a_run_that_began_with_its_rate(
    recovered: Path, drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    """Nothing of a collapsed attempt is left in the next one."""
    data, split = drawings
    recipe, lr = exploding(), read_record(recovered).attempts[-1].lr
    direct = recipe.model_copy(update={"optimizer": recipe.optimizer.model_copy(update={"lr": lr})})
    run = train(direct, data=data, split=split, out=tmp_path / "direct")
    assert weights_of(run) == weights_of(recovered)


def test_a_run_that_always_collapses_ends_and_is_marked(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    with pytest.raises(DessinError, match=r"collapsed in its only attempt.*dessin augment"):
        train(exploding(attempts=1), data=data, split=split, out=tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert (record.status, [a.outcome for a in record.attempts]) == ("collapsed", ["collapsed"])
    with pytest.raises(DessinError, match="Start a new run"):
        train(resume=tmp_path / "run")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_attempts_it_ends_the_same(
    recovered: Path,
    drawings: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Before and after the record says that the first attempt collapsed."""

    class Killed(BaseException):
        """Nothing of dessin catches it."""

    original = attempts._put

    def put(folder: Path, attempt: attempts.Attempt) -> None:
        dies = attempt.outcome == "collapsed" and attempt.number == 1
        if dies and moment == "before":
            raise Killed
        original(folder, attempt)
        if dies:
            raise Killed

    data, split = drawings
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "_put", put)
        with pytest.raises(Killed):
            train(exploding(attempts=5), data=data, split=split, out=tmp_path / "run")
    train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(recovered)
    kept = read_record(tmp_path / "run").attempts
    assert [(a.number, a.outcome) for a in kept] == [
        (a.number, a.outcome) for a in read_record(recovered).attempts
    ]

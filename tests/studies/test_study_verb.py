"""The verb `study`: planned, carried out, stopped, gone on with, and what a folder refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from study_kit import Inline, study_file

from dessin.errors import DessinError
from dessin.reading import read_csv
from dessin.runs import stages
from dessin.runs.record import read_record
from dessin.studies import verb as carry_out
from dessin.studies.result import StudyRecord, StudyResults
from dessin.studies.verb import study

pytestmark = pytest.mark.slow

SMALL = {"optimizer": {"lr": 1e-3}}


@pytest.fixture(autouse=True)
def one_process(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(home / "cache"))
    monkeypatch.setattr(carry_out, "LocalExecutor", Inline)
    torch.set_num_threads(1)


Go = Callable[..., StudyResults | None]


@pytest.fixture
def go(home: Path, tmp_path: Path) -> Go:
    """Carry out a study of the tiny drawings in `tmp_path / "out"`, with keys of its file replaced."""

    def carried_out(out: str = "out", name: str = "tiny", **changes: object) -> StudyResults | None:
        keys = {"dry_run", "overrides", "executor", "address", "track"}
        given = {key: changes.pop(key) for key in keys & changes.keys()}
        file = study_file(tmp_path / f"{name}.yaml", **changes)
        return study(file, data=home / "data", split=home / "split.csv", out=tmp_path / out, **given)

    return carried_out


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def timeless(folder: Path) -> str:
    """results.json without what a clock said."""
    values = json.loads((folder / "results.json").read_text())
    del values["finished"]
    for level in values["levels"]:
        del level["seconds"]
    return json.dumps(values)


def test_a_study_leaves_its_files(go: Go, tmp_path: Path) -> None:
    results = go(folds=[0, 1])
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        *("study.yaml", "study.json", "split.csv", "runs", "jobs"),
        *("results.json", "levels.csv", "runs.csv", "index.html"),
    }
    assert StudyResults.read(out) == results
    record = StudyRecord.read(out)
    assert (out / "study.yaml").read_bytes() == (tmp_path / "tiny.yaml").read_bytes()
    assert [job.name for job in record.jobs] == [
        f"{level}-seed0-fold{fold}" for fold in (0, 1) for level in ("usual", "small")
    ]
    assert record.detectable_before > 0
    assert "80 of 100" in record.seen_before
    runs = [read_record(out / "runs" / job.name) for job in record.jobs]
    assert [run.recipe.data.fold for run in runs] == [0, 0, 1, 1]
    assert [run.recipe.optimizer.lr for run in runs] == [2e-3, 1e-3, 2e-3, 1e-3]
    assert {run.digests.split for run in runs} == {record.digests.split}
    assert {run.hardware.threads for run in runs} == {record.threads}
    assert len(read_csv(out / "runs.csv", ["status"])[1]) == 4


def test_a_dry_run_writes_nothing(go: Go, tmp_path: Path) -> None:
    assert go(dry_run=True) is None
    assert not (tmp_path / "out").exists()


def test_started_again_a_whole_study_repeats_nothing(go: Go, tmp_path: Path) -> None:
    go()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").rglob("*") if p.is_file()}
    jobs = bytes_of(tmp_path / "out" / "jobs")
    first = timeless(tmp_path / "out")
    go()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").rglob("*") if p.is_file()} == before
    assert bytes_of(tmp_path / "out" / "jobs") == jobs
    assert timeless(tmp_path / "out") == first


def test_the_order_of_jobs_changes_no_result(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go("there", seeds=[0, 1])
    monkeypatch.setattr(carry_out, "LocalExecutor", lambda: Inline(slice(None, None, -1)))
    go("back", seeds=[0, 1])
    assert timeless(tmp_path / "there") == timeless(tmp_path / "back")


@pytest.mark.parametrize("stage", ["fit", "predict_rows"])
def test_a_level_that_fails_leaves_the_rest_and_may_be_cured(
    stage: str, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = getattr(stages, stage)
    calls = []

    def second_fails(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError("full")
        return whole(*args, **kwargs)

    levels = {"usual": {}, "small": SMALL, "long": {"train": {"epochs": 2}}}
    with monkeypatch.context() as patch:
        patch.setattr(stages, stage, second_fails)
        results = go(levels=levels)
    assert results is not None
    assert [level.failed for level in results.levels] == [0, 1, 0]
    assert [comparison.name for comparison in results.comparisons] == ["long"]
    assert results.missing == ("small-seed0-fold0",)
    assert "MemoryError: full" in (tmp_path / "out" / "runs.csv").read_text()
    untouched = (tmp_path / "out" / "jobs" / "usual-seed0-fold0.json").stat().st_mtime_ns
    go(levels=levels)
    assert (tmp_path / "out" / "jobs" / "usual-seed0-fold0.json").stat().st_mtime_ns == untouched
    go("whole", levels=levels)
    assert timeless(tmp_path / "out") == timeless(tmp_path / "whole")


def test_a_level_without_weights_and_a_collapsing_one_leave_the_rest(go: Go, tmp_path: Path) -> None:
    levels = {
        "usual": {},
        "small": SMALL,
        "no weights": {"model": {"backbone": "test_vit", "weights": "nowhere.safetensors"}},
        "wild": {
            "optimizer": {"name": "sgd", "lr": 10.0, "warmup_epochs": 0.0},
            "train": {"epochs": 2, "attempts": 1},
            "finetune": {"batch_norm": "frozen"},
        },
    }
    results = go(levels=levels)
    assert results is not None
    ends = {level.level: (level.finished, level.failed, level.collapsed) for level in results.levels}
    assert ends == {"usual": (1, 0, 0), "small": (1, 0, 0), "no weights": (0, 1, 0), "wild": (0, 0, 1)}
    assert [comparison.name for comparison in results.comparisons] == ["small"]
    rows = {row["run"]: row for row in read_csv(tmp_path / "out" / "runs.csv", ["reason"])[1]}
    assert "nowhere.safetensors" in rows["no-weights-seed0-fold0"]["reason"]
    assert "collapsed" in rows["wild-seed0-fold0"]["reason"]


def test_a_study_of_which_nothing_finished_is_an_error(go: Go, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"None of the 2 runs .*nowhere\.safetensors"):
        go(overrides=["model.backbone=test_vit", "model.weights=nowhere.safetensors"])
    assert StudyResults.read(tmp_path / "out").missing == ("usual-seed0-fold0", "small-seed0-fold0")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": [0, 1]}, "seeds (was 0, is 0, 1)"),
        ({"folds": [1]}, "folds (was 0, is 1)"),
        ({"levels": {"usual": {}, "small": SMALL, "more": {"train": {"epochs": 3}}}}, "the levels more"),
        ({"levels": {"usual": {}, "small": {"optimizer": {"lr": 1e-4}}}}, "the levels small"),
        ({"base": "small"}, "base (was usual, is small)"),
        ({"hypothesis": "Something else."}, "hypothesis"),
        ({"overrides": ["train.epochs=3"]}, "its recipe in train"),
    ],
)
def test_another_study_does_not_go_into_the_folder(
    changes: dict[str, object], said: str, go: Go, tmp_path: Path, home: Path
) -> None:
    made = study_file(tmp_path / "tiny.yaml")
    begun = _begin(made, home, tmp_path / "out")
    with pytest.raises(DessinError) as caught:
        go(**changes)
    assert said in str(caught.value)
    assert "--out" in str(caught.value)
    assert bytes_of(tmp_path / "out") == begun


def _begin(file: Path, home: Path, out: Path) -> dict[str, bytes]:
    """A study whose folder was made, and that was stopped before its first job."""

    class Stopped:
        name = "local"

        def run(self, jobs: object) -> Iterator[object]:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carry_out, "LocalExecutor", Stopped)
        with pytest.raises(KeyboardInterrupt):
            study(file, data=home / "data", split=home / "split.csv", out=out)
    return bytes_of(out)


@pytest.mark.parametrize("lost", ["study.yaml", "split.csv"])
def test_a_folder_half_made_is_completed(lost: str, go: Go, tmp_path: Path, home: Path) -> None:
    begun = _begin(study_file(tmp_path / "tiny.yaml"), home, tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    go()
    assert {name: bytes_of(tmp_path / "out")[name] for name in begun} == begun


def test_a_newer_format_and_a_foreign_folder_are_refused(go: Go, tmp_path: Path, home: Path) -> None:
    _begin(study_file(tmp_path / "tiny.yaml"), home, tmp_path / "out")
    path = tmp_path / "out" / "study.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(DessinError, match="format 7, written by a newer dessin"):
        go()
    path.write_text("{}")
    with pytest.raises(DessinError, match="no format number"):
        go()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DessinError, match="not empty"):
        go("mine")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"executor": "lokal"}, 'Did you mean "local"'),
        ({"address": "auto"}, "the executor is local"),
        ({"track": ["tensorbord"]}, 'Did you mean "tensorboard"'),
        ({"folds": [0, 3]}, "The split has folds 0 to 2"),
        ({"overrides": ["train.epoch=3"]}, "train.epochs"),
    ],
)
def test_what_cannot_be_carried_out_is_said_first(
    given: dict[str, object], said: str, go: Go, tmp_path: Path
) -> None:
    with pytest.raises(DessinError) as caught:
        go(**given)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_study_of_curation_measures_on_the_same_images(go: Go, tmp_path: Path, home: Path) -> None:
    (tmp_path / "curation.csv").write_text(
        "image_id,action,label,reason\nbars/00.png,drop,,ugly\nbars/01.png,drop,,ugly\nbars/02.png,drop,,ugly\n"
        "dots/00.png,relabel,bars,looks so\ndots/01.png,relabel,bars,looks so\n"
    )
    levels = {"off": {}, "on": {"data": {"training_curation": str(tmp_path / "curation.csv")}}}
    results = go(levels=levels, folds="all")
    assert results is not None
    (comparison,) = results.comparisons
    assert comparison.cells == 3
    off, on = (read_record(tmp_path / "out" / "runs" / f"{name}-seed0-fold0") for name in ("off", "on"))
    assert off.counts.validation == on.counts.validation
    assert off.counts.train > on.counts.train

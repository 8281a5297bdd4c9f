"""The verb `train`: what a run leaves behind, what it refuses, and that a killed one ends the same."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_run import A_CLASS, CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.predictions import read_predictions
from dessin.errors import DessinError
from dessin.folders import hold
from dessin.models.bundle import load_bundle
from dessin.recipe import Recipe
from dessin.runs import run as run_verb
from dessin.runs import stages
from dessin.runs.record import read_record
from dessin.runs.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(drawings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    data, split = drawings
    with apart(tmp_path_factory.mktemp("whole")) as folder:
        return train(tiny_recipe(), data=data, split=split, out=folder / "run")


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def test_a_run_leaves_everything_and_no_leftovers(whole: Path) -> None:
    run = whole
    assert sorted(path.name for path in run.iterdir()) == [
        "bundle",
        "curve.csv",
        "index.html",
        "record.json",
        "split.csv",
        "validation",
    ]
    record = read_record(run)
    page = (run / "index.html").read_text(encoding="utf-8")
    accuracy = record.results["validation"].accuracy
    assert f"of {accuracy.n} drawings that it was not trained on are named right" in page
    assert all(each.name in page for each in record.decisions)
    assert record.status == "finished"
    assert record.digests.model == weights_of(run)
    assert record.counts.train + record.counts.validation + record.counts.holdout == 3 * A_CLASS
    assert {"device", "precision", "batch_size", "batch_norm", "best_epoch", "weights"} <= {
        decision.name for decision in record.decisions
    }
    assert {"pixels", "probe", "training", "evaluation"} <= record.timings.keys()
    assert record.holdout_opened == ()
    assert list(record.results) == ["validation"]
    predictions = read_predictions(run / "validation")
    accuracy = np.mean([p == t for p, t in zip(predictions.order[:, 0], predictions.targets, strict=True)])
    assert record.results["validation"].accuracy.value == pytest.approx(accuracy)
    assert set(predictions.folds) == {"0"}
    card = load_bundle(run / "bundle").card
    assert card.classes == tuple(sorted(CLASSES))
    assert card.digests["split"] == record.digests.split


@pytest.mark.parametrize("mode", ["probe", "full"])
def test_each_mode_gives_a_bundle_that_learnt(mode: str, drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    run = train(tiny_recipe(mode), data=data, split=split, out=tmp_path / "run")
    record = read_record(run)
    assert record.status == "finished"
    assert (run / "curve.csv").exists() == (mode == "full")
    assert ("probe" in record.timings) == (mode == "probe")
    if mode == "probe":
        assert record.results["validation"].accuracy.value > 0.5


def test_a_probe_of_all_folds_is_measured_out_of_fold(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    recipe = tiny_recipe("probe", data={"fold": "none"})
    run = train(recipe, data=data, split=split, out=tmp_path / "run")
    record, kept = read_record(run), read_predictions(run / "validation")
    assert record.results["validation"].accuracy.n == record.counts.train == len(kept.image_ids)
    # A probe of the other folds alone, on a group of one fold, is what named those.
    for fold in range(3):
        alone = train(
            tiny_recipe("probe", data={"fold": fold}), data=data, split=split, out=tmp_path / f"{fold}"
        )
        apart = read_predictions(alone / "validation")
        same = kept.of(apart.image_ids).order[:, 0] == apart.order[:, 0]
        assert same.mean() > 0.5


def test_without_a_fold_nothing_is_measured(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    recipe = tiny_recipe(data={"fold": "none"})
    run = train(recipe, data=data, split=split, out=tmp_path / "run")
    record = read_record(run)
    assert record.results == {}
    assert record.counts.validation == 0
    assert not (run / "validation").exists()
    assert (run / "bundle" / "model.safetensors").is_file()


def test_a_recipe_file_with_overrides_names_its_own_folders(
    drawings: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, split = drawings
    monkeypatch.chdir(tmp_path)
    values = tiny_recipe("probe").model_dump(mode="json")
    values["data"] = {"path": str(data), "split": str(split)}
    Path("tiny.yaml").write_text(yaml.safe_dump(values))
    first = train("tiny.yaml")
    second = train("tiny.yaml", overrides=["seed=5"])
    assert [first.as_posix(), second.as_posix()] == ["runs/tiny-1", "runs/tiny-2"]
    assert (read_record(first).seed, read_record(second).seed) == (0, 5)


def test_a_finished_run_is_left_alone(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    run = train(tiny_recipe("probe"), data=data, split=split, out=tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert train(resume=run) == run
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


class Killed(BaseException):
    """Stands for SIGKILL where a process of its own would be too slow: no handler may touch it."""


def break_at(place: object, name: str, error: BaseException, recipe: Recipe, **where: Path) -> None:
    """Train, with `error` raised where the function `name` of the module `place` is called."""

    def die(*_args: object, **_kwargs: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, die)
        with pytest.raises(type(error)):
            train(recipe, **where)


@pytest.mark.parametrize(
    "moment",
    [
        "extract_features",
        "shared_probe",
        "write_head",
        "fit",
        "save_bundle",
        "predict_rows",
        "write_predictions",
        "finish",
        "remove_leftovers",
    ],
)
def test_a_run_that_dies_at_any_stage_resumes_to_the_same_weights(
    moment: str, drawings: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    data, split = drawings
    break_at(stages, moment, Killed(), tiny_recipe(), data=data, split=split, out=tmp_path / "killed")
    run = train(resume=tmp_path / "killed", workers=2 if moment == "fit" else 0)
    assert weights_of(run) == weights_of(whole)
    record, expected = read_record(run), read_record(whole)
    assert record.status == "finished"
    assert record.results == expected.results
    assert {d.name for d in record.decisions} == {d.name for d in expected.decisions}
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in whole.iterdir())


_KILLER = """
import os, signal, sys
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from tiny_run import tiny_recipe
from dessin.runs import run as run_verb
from dessin.runs import stages
from dessin.runs.train import train
from dessin.training.step import Stepper

data, split, out, where, number = sys.argv[2:]
home, name = {"stages": stages, "stepper": Stepper}[where.split(".")[0]], where.split(".")[1]
real, left = getattr(home, name), int(number)

def killing(*args, **kwargs):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

setattr(home, name, killing)
train(tiny_recipe(), data=data, split=split, out=out)
"""


@pytest.mark.parametrize(("where", "number"), [("stepper.take", "5"), ("stages.save_bundle", "1")])
def test_sigkill_in_a_process_of_its_own(
    where: str, number: str, drawings: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    data, split = drawings
    command = [sys.executable, "-c", _KILLER, str(Path(__file__).parents[1] / "kits"), str(data), str(split)]
    done = subprocess.run(
        [*command, str(tmp_path / "killed"), where, number], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    assert read_record(tmp_path / "killed").status == "running"
    run = train(resume=tmp_path / "killed")
    assert weights_of(run) == weights_of(whole)
    assert len(read_record(run).started) == 2


def test_a_run_killed_in_its_first_moment_finds_its_split_again(
    drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    data, split = drawings
    out = tmp_path / "run"
    break_at(run_verb, "write_split", Killed(), tiny_recipe("probe"), data=data, split=split, out=out)
    run = train(resume=tmp_path / "run")
    assert read_record(run).status == "finished"
    assert (run / "split.csv").is_file()


def test_a_failure_is_recorded_with_its_reason_and_can_be_resumed(
    drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    data, split = drawings
    out, error = tmp_path / "run", DessinError("The disk is full.", do="Free some space.")
    break_at(stages, "save_bundle", error, tiny_recipe("probe"), data=data, split=split, out=out)
    record = read_record(tmp_path / "run")
    assert (record.status, record.reason) == ("failed", "The disk is full. Free some space.")
    assert read_record(train(resume=tmp_path / "run")).status == "finished"


def test_a_run_is_not_resumed_with_other_drawings_or_versions(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "data")
    split = make_tiny_split(data, tmp_path / "split.csv")
    out = tmp_path / "run"
    break_at(stages, "save_bundle", Killed(), tiny_recipe("probe"), data=data, split=split, out=out)
    path = tmp_path / "run" / "record.json"
    text = path.read_text()
    values = json.loads(text)
    values["versions"]["torch"] = "1.0.0"
    path.write_text(json.dumps(values))
    with pytest.raises(DessinError, match=r"version of torch \(was 1\.0\.0"):
        train(resume=tmp_path / "run")
    path.write_text(text)
    (data / "dots" / "00.png").write_bytes((data / "dots" / "01.png").read_bytes())
    with pytest.raises(DessinError, match="not those that the split was made from"):
        train(resume=tmp_path / "run")


def test_what_cannot_be_trained_is_refused_before_a_folder_is_made(
    drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    data, split = drawings
    out = tmp_path / "run"
    for seen, recipe, where in (
        ("No split was given", tiny_recipe(), {"data": data}),
        ("No data was given", tiny_recipe(), {"split": split}),
        ("fold 7", tiny_recipe(data={"fold": 7}), {"data": data, "split": split}),
        ("Unknown backbone", tiny_recipe(model={"backbone": "effnet"}), {"data": data, "split": split}),
        ("warm-up", tiny_recipe(optimizer={"warmup_epochs": 2}), {"data": data, "split": split}),
        ("no weights at", tiny_recipe(model={"weights": "absent.bin"}), {"data": data, "split": split}),
    ):
        with pytest.raises(DessinError, match=seen):
            train(recipe, out=out, **where)
        assert not out.exists()


def test_a_run_is_not_resumed_while_it_is_running(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    out = tmp_path / "run"
    break_at(stages, "save_bundle", Killed(), tiny_recipe("probe"), data=data, split=split, out=out)
    with hold(out, wait=False), pytest.raises(DessinError, match="Another process"):
        train(resume=out)
    assert read_record(train(resume=out)).status == "finished"


def test_a_folder_in_use_is_refused_and_kept(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("precious")
    with pytest.raises(DessinError, match="already exists"):
        train(tiny_recipe(), data=data, split=split, out=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_contradicting_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="No recipe"):
        train()
    with pytest.raises(DessinError, match="already"):
        train(tiny_recipe(), resume=tmp_path)
    with pytest.raises(DessinError, match="Overrides"):
        train(tiny_recipe(), overrides=["seed=1"])

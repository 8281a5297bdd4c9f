"""A verb that is killed at any moment of its writing: the same command ends with the same bytes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
import yaml
from exportable import make_world
from fetch_kit import drawings, running_server
from fuzz_kit import cases, rng
from kill_kit import COMMANDS, PATIENCE_S, act, case, differences, ended, processes, run, tree
from study_kit import study_file
from tiny_run import tiny_recipe

from dessin.committees.ensemble.verb import ensemble
from dessin.progress import quiet
from dessin.runs.record import read_record
from dessin.runs.train import train

pytestmark = pytest.mark.slow

# By hand (`DESSIN_FUZZ=10`) every verb that writes a folder, else those with the most to lose.
LONG = cases(0) > 0
# Those that take long are killed once.
SHORT = {"auto": 1, "export": 1}
# Nobody claims the names of a table and its page, and of a study's jobs each process does some.
UNCLAIMED = ("families", "study", "study in one process")
VERBS = tuple(COMMANDS) if LONG else ("audit", "evaluate", "export", "train", "auto")


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return processes()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings, a split, a recipe and two finished runs, all by relative paths."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.chdir(folder)
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        recipe = tiny_recipe().model_dump(mode="json", exclude_defaults=True)
        for number, name in enumerate(("a", "b")):
            own = tiny_recipe(seed=0, optimizer={"lr": 2e-3 * (1 + number)})
            train(own, data="data", split="split.csv", out=f"runs/{name}")
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        if LONG:
            _for_the_long(folder, recipe)
    return folder


def _for_the_long(folder: Path, recipe: dict[str, object]) -> None:
    """What studies, families, routes and distilling need beside: called in the folder."""
    study_file(
        folder / "study.yaml", recipe=recipe, levels={"usual": {}, "small": {"optimizer": {"lr": 1e-3}}}
    )
    (folder / "families.csv").write_text("label,family\ncat,pets\nhouse,pets\nstar,signs\n")
    ensemble(["runs/a", "runs/b"], out="both")


@pytest.fixture(scope="module", autouse=True)
def drawings_to_fetch(world: Path) -> Iterator[None]:
    with running_server() as server:
        for label in ("cat", "house"):
            server.files[f"/{label}.ndjson"] = drawings(label, 40)
        (world / "server.txt").write_text(f"{server.address}/{{name}}.ndjson")
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("case") / "here"


@pytest.mark.parametrize("name", VERBS)
def test_killed_at_any_moment_the_same_command_ends_with_the_same_bytes(
    name: str, context: ForkServerContext, world: Path, place: Path
) -> None:
    code, end = run(context, case(world, place), name)
    said = (place / "said.txt").read_text()
    assert (code, end and end[1]) == (0, ""), said
    assert end is not None
    whole, moments = tree(place), end[0]
    opened = len(read_record(place / "runs/a").holdout_opened)
    assert moments > 3
    draw = rng(f"kills/{name}")
    for moment in sorted(draw.sample(range(1, moments + 1), min(cases(SHORT.get(name, 2)), moments))):
        code, end = run(context, case(world, place), name, deadly=moment)
        where = f"{name}, moment {moment} of {moments}"
        assert code == -signal.SIGKILL, where
        code, end = run(context, place, name)
        assert code == 0, f"{where}: {(place / 'said.txt').read_text()}"
        assert end is not None
        if end[1]:
            # Nothing was left to do but to tidy up, and it says so.
            said = "already exists" if name in UNCLAIMED else "is whole"
            assert said in end[1], f"{where}: {end[1]}"
        assert not differences(whole, tree(place)), f"{where}: {differences(whole, tree(place))}"
        assert len(read_record(place / "runs/a").holdout_opened) == opened, where


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in UNCLAIMED] if LONG else ("audit", "train")
)
def test_of_two_at_once_one_wins_and_the_other_says_so(
    name: str, context: ForkServerContext, world: Path, place: Path
) -> None:
    folder = case(world, place)
    barrier = context.Barrier(2)
    both = [context.Process(target=act, args=(str(folder), name, 0, barrier)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(PATIENCE_S)
    ends = [ended(folder, process.pid) for process in both]
    refused = [end[1] for end in ends if end and end[1]]
    assert [process.exitcode for process in both] == [0, 0], (folder / "said.txt").read_text()
    assert len(refused) == 1, ends
    assert "Another process is writing out now" in refused[0] or "is whole" in refused[0]
    assert run(context, case(world, place.with_name("alone")), name)[0] == 0
    assert not differences(tree(place.with_name("alone")), tree(folder))


def test_a_train_command_goes_on_only_with_its_own_run(
    context: ForkServerContext, world: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dessin.errors import DessinError
    from dessin.runs.listing.verb import runs

    folder = case(world, place)
    # Killed in its training: the first checkpoint is there.
    for moment in range(20, 400, 10):
        assert run(context, folder, "train", deadly=moment)[0] == -signal.SIGKILL
        if list(folder.glob("out/checkpoint/step-*")):
            break
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DESSIN_CACHE", str(folder / "cache"))
    assert json.loads((folder / "out/record.json").read_text())["status"] == "running"
    assert {row.path.name: row.values["status"] for row in runs(".")}["out"] == "stopped"
    given = {"data": "data", "split": "split.csv", "out": "out"}
    with pytest.raises(DessinError, match=r"train\.epochs \(was 2, is 3\)"):
        train("recipe.yaml", overrides=["train.epochs=3"], **given)
    assert read_record(train("recipe.yaml", **given)).status == "finished"
    with pytest.raises(DessinError, match="it is whole"):
        train("recipe.yaml", **given)

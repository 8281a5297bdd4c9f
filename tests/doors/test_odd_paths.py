"""Odd paths in every place of every verb: an exit code, one paragraph, nothing left behind, no waiting."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import cv2
import pytest
import torch
import yaml
from fuzz_kit import cases, rng
from odd_paths import Ended, odd_things, run_apart
from tiny_run import CLASSES, make_drawings, make_tiny_split, tiny_recipe

from dessin import audit, cli, predict, train
from dessin.files import write_text
from dessin.folders import claim_folder
from dessin.progress import quiet
from dessin.verbs import VERBS, Argument, Verb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="command lines are run in forked processes"),
]

# Those that would work for minutes where the place is good: there they write a file into it and stop.
LONG = ("auto", "demo", "train", "study", "route", "distill", "fetch")
SECONDS = 60.0


@dataclass(frozen=True)
class World:
    """Right words for every argument, and odd ones."""

    folder: Path
    right: Mapping[str, str]
    odd: tuple[str, ...]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    # Where other users may look, too: some cases are run without rights.
    folder, threads = Path(mkdtemp(prefix="dessin-odd-")), cv2.getNumThreads()
    try:
        folder.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch, quiet():
            patch.setenv("DESSIN_CACHE", str(folder / "cache"))
            # Threads do not go along into a forked process, which would wait for them.
            cv2.setNumThreads(1)
            torch.set_num_threads(1)
            data, split = make_drawings(folder / "data"), folder / "split.csv"
            make_tiny_split(data, split)
            run = train(tiny_recipe(), data=data, split=split, out=folder / "run")
            audit(data, out=folder / "audit")
            predict(run, [data], out=folder / "answers.csv")
            families = [f"{label},{'animals' if n else 'things'}" for n, label in enumerate(CLASSES)]
            write_text(folder / "families.csv", "\n".join(["label,family", *families, ""]))
            write_text(folder / "recipe.yaml", yaml.safe_dump(json.loads(tiny_recipe().model_dump_json())))
            write_text(folder / "token", "t" * 40)
            # To look through the whole disk is a right thing to ask for, and takes its time.
            odd = (path for path in odd_things(folder / "odd") if not path or path.strip("/"))
            yield World(folder, _right(folder), tuple(odd))
    finally:
        cv2.setNumThreads(threads)
        for path in folder.glob("**/locked*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def _right(folder: Path) -> dict[str, str]:
    places = {
        "run": ("run", "runs", "model", "committee", "sources", "resume", "predictions"),
        "data": ("data", "images", "paths", "contest", "unknown"),
        "recipe.yaml": ("recipe", "router", "expert"),
        "split.csv": ("split",),
        "audit/issues.csv": ("issues",),
        "answers.csv": ("files",),
        "families.csv": ("families",),
        "token": ("token_file",),
    }
    paths = {name: str(folder / place) for place, names in places.items() for name in names}
    return paths | {
        "file": "mixup",
        "repository": "anna/owls",
        "models": "test_efficientnet",
        "student": "test_efficientnet",
    }


def words(verb: Verb, one: Argument, odd: str, right: Mapping[str, str]) -> list[str]:
    """The shortest command line of a verb with an odd path as one of its arguments."""
    line = [verb.name]
    for each in verb.arguments():
        if each.name == one.name:
            given = odd
        elif each.required:
            given = each.choices[0] if each.choices else right[each.name]
        else:
            continue
        line += [given] if each.positional else [each.option, given]
    return line + {"serve": ["--port", "0"]}.get(verb.name, [])


def tried(line: list[str], here: Path, *, stub: bool) -> Ended:
    def stubbed(*_: object, **given: object) -> None:
        place = Path(str(given["out"]))
        claim_folder(place, what="a test")
        write_text(place / "x.json", "{}")

    def run() -> int:
        sys.argv = ["dessin", *line]
        # No case asks npm for what a page needs.
        os.environ["DESSIN_RUNTIME"] = "nowhere"
        sys.modules["dessin.serving.api.verb"].run = lambda *_: None
        sys.modules["dessin.studio.verb"]._serve = lambda *_: 0
        if stub:
            Verb.function = lambda _: stubbed
        try:
            cli.main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return run_apart(run, here, seconds=SECONDS, as_nobody="lock" in " ".join(line))


def test_every_odd_path_ends_with_a_sentence(world: World) -> None:
    random, faults = rng("odd paths"), []
    for verb in VERBS:
        verb.function()
    places = [(verb, each) for verb in VERBS for each in verb.arguments() if _is_path(each)]
    for number in range(cases(60)):
        verb, argument = random.choice(places)
        here = world.folder / f"here-{number}"
        here.mkdir(mode=0o777)
        here.chmod(0o777)
        written = argument.name in cli.WRITTEN
        odd = random.choice(odd_things(here / "odd") if written else world.odd)
        before = seen(here)
        right = {**world.right, **dict.fromkeys(cli.WRITTEN, str(here / "new"))}
        line = words(verb, argument, odd, right)
        ended = tried(line, here, stub=written and verb.name in LONG)
        if what := wrong(ended):
            faults.append(f"{what}: {ascii(shlex.join(line))[:500]}: {ended}")
        if ended.code and verb.name not in LONG:
            # A folder that was claimed and is still empty is in nobody's way.
            named = str(here / odd) if written else right["out"]
            left = {
                path for path in seen(here) - before if not named.startswith(path) or Path(path).is_file()
            }
            if left or before - seen(here):
                faults.append(f"left {left}: {ascii(shlex.join(line))[:500]}: {ended}")
        for path in here.glob("odd/locked*"):
            path.chmod(0o700)
        shutil.rmtree(here)
    assert not faults, "\n".join((f"{len(faults)} command lines", *faults[:20]))


def wrong(ended: Ended) -> str:
    """What is wrong with an end, if anything."""
    if ended.code is None:
        return "it hangs"
    if ended.code not in (0, 1, 2) or "Traceback" in ended.said or "fault of dessin" in ended.said:
        return "a fault"
    lines = [line for line in ended.said.splitlines() if not line.startswith("WARNING: ")]
    if ended.code == 1 and (len(lines) != 1 or not lines[0].startswith("dessin: ") or len(lines[0]) > 1500):
        return "not one paragraph"
    return ""


def _is_path(argument: Argument) -> bool:
    return argument.kind == "path" or " file" in argument.words


def seen(folder: Path) -> set[str]:
    """All that lies below a folder."""
    return {f"{at}/{name}" for at, folders, files in os.walk(folder) for name in (*folders, *files)}

"""`docs/team.md` is true: four folders that share nothing, and what its commands end with."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from scribbles import encode, scribble, write_drawings
from study_kit import Inline, study_file
from tiny_run import apart

from dessin import cli
from dessin.committees.ensemble.result import EnsembleResults
from dessin.committees.ensemble.verb import ensemble
from dessin.errors import DessinError
from dessin.runs.listing.verb import runs
from dessin.studies import verb
from dessin.studies.plan import part_of
from dessin.studies.result import Job, StudyResults
from dessin.studies.verb import study

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "team.md"
STEPS = re.findall(r'^```bash title="(.+?)"\n(.*?)^```$', PAGE.read_text(encoding="utf-8"), re.M | re.S)
MACHINES = ("server-a", "server-b", "server-c", "server-d")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page carried out: a folder a machine, each with its own copy of the drawings."""
    home = tmp_path_factory.mktemp("world")
    with apart(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "choose_executor", lambda name, address: Inline())
        pens = {"thin": 1, "usual": 3, "thick": 6}
        drawings = {
            f"{name}/{number:02d}.png": encode(scribble(100 * pen + number, height=64, width=64, pen=pen))
            for name, pen in pens.items()
            for number in range(12)
        }
        write_drawings(home / "drawings", drawings)
        for machine in MACHINES:
            shutil.copytree(home / "drawings", home / machine / "drawings")
        (home / "server-a" / "inbox").mkdir()
        levels = {"none": {}, "mixup": {"augment+": ["mixup(0.2)"]}}
        study_file(
            home / "server-a" / "mixing.yaml", factor="mixing", levels=levels, seeds=[0, 1], folds=[0, 1]
        )
        for machine, lines in STEPS:
            patch.chdir(home / machine)
            for line in lines.splitlines():
                carry_out(shlex.split(line), home)
        yield home


def carry_out(words: list[str], home: Path) -> None:
    """A line of the page; what a shell would do with `*`, and ssh with `scp`, is done here."""
    program, *rest = words
    if program == "scp":
        *files, target = rest
        machine, _, folder = target.partition(":")
        for file in files:
            shutil.copy(file, home / machine / folder)
        return
    assert program == "dessin"
    spelt = [str(path) for word in rest for path in (sorted(Path().glob(word)) if "*" in word else [word])]
    cli.app.main(spelt, standalone_mode=False)


def test_the_page_shows_all_four_machines() -> None:
    assert {machine for machine, _ in STEPS} == set(MACHINES)
    assert len([line for _, lines in STEPS for line in lines.splitlines() if "--part" in line]) == 4


def test_the_joined_parts_have_the_verdicts_of_one_machine(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "choose_executor", lambda name, address: Inline())
    monkeypatch.setenv("DESSIN_CACHE", str(world / "cache"))
    alone, a = world / "alone", world / "server-a"
    study(a / "mixing.yaml", data=world / "drawings", split=a / "split.csv", threads=1, out=alone)
    one, joined = StudyResults.read(alone), StudyResults.read(a / "team" / "studies" / "mixing")
    assert not joined.missing
    times = {"finished": True, "levels": {"__all__": {"seconds"}}}
    assert joined.model_dump(exclude=times) == one.model_dump(exclude=times)  # type: ignore[arg-type]
    # And so has an ensemble of them, whose members' weights stayed where they are.
    ours = ensemble(sorted((alone / "runs").iterdir()), out=world / "best")
    theirs = EnsembleResults.read(a / "team" / "best")
    figures = {"rules": True, "pairs": True, "images": True, "split": True, "summary": True}
    assert ours.model_dump(include=figures) == theirs.model_dump(include=figures)
    assert [row.accuracy for row in ours.members] == [row.accuracy for row in theirs.members]
    assert not list((a / "team").rglob("model.safetensors"))


def test_everybody_is_in_the_table(world: Path) -> None:
    team = world / "server-a" / "team"
    whose = [row.values["origin.who"] for row in runs(team)]
    assert sorted(set(whose)) == ["anna", "cleo", "eve", "finn"]
    assert len(whose) == 8
    assert "mixing" in (team / "index.html").read_text(encoding="utf-8")
    assert "mixup" in (team / "wrap-up.html").read_text(encoding="utf-8")


def test_packs_are_small(world: Path) -> None:
    sizes = [path.stat().st_size for path in (world / "server-a" / "inbox").iterdir()]
    assert len(sizes) == 4
    assert max(sizes) < 2 * 20_000


JOBS = tuple(
    Job(name=f"{level}{seed}{fold}", level=level, seed=seed, fold=fold)
    for seed in range(3)
    for fold in range(5)
    for level in "ab"
)


@pytest.mark.parametrize("parts", [1, 2, 4, 15, 16, 30])
def test_parts_are_a_study_dealt_out(parts: int) -> None:
    shares = [part_of(JOBS, f"{number}/{parts}") for number in range(1, parts + 1)]
    assert sorted(job.name for share in shares for job in share) == sorted(job.name for job in JOBS)
    assert max(map(len, shares)) - min(map(len, shares)) <= 2
    if parts <= 15:
        for share in shares:
            assert len({(job.seed, job.fold) for job in share}) * 2 == len(share)


@pytest.mark.parametrize("part", ["0/4", "5/4", "1/31", "2", "a/b", "1/4/2", "-1/4", ""])
def test_a_part_that_there_is_not_is_refused(part: str) -> None:
    with pytest.raises(DessinError, match="written 2/4"):
        part_of(JOBS, part)

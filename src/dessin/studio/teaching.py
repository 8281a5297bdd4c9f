"""Teaching: `dessin auto` in a process of its own, which goes on when the page is left or the studio ends.

Everything that is known of it lies beside the folder that it writes: what was started, when and as which
process, and what it said. How far it is, `auto` itself writes into its folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from pydantic import Field

from dessin.answers.committee import AUTO_BEST
from dessin.auto.state import AutoState
from dessin.collection.curation import read_curation, write_curation
from dessin.errors import DessinError
from dessin.files import remove, write_json
from dessin.reading import read_json
from dessin.runs.record import now
from dessin.schema import Section, versioned
from dessin.statistics.intervals import Estimate
from dessin.studio.curating import alone
from dessin.studio.workspace import Workspace
from dessin.system import APART

_DESSIN = (sys.executable, "-m", "dessin")
# Of a start time, which the system rounds.
_SAME_S = 1.0
_LAST_BYTES = 20_000
_GRACE_S = 30.0
Standing = Literal["running", "stopped", "failed", "finished"]


class Begun(Section):
    """A teaching as it was started: `pid` and `created` (seconds since 1970) name the process.

    `command` is for people: what goes on is made of the other values again.
    """

    format: int = 1
    kind: Literal["teaching"] = "teaching"
    minutes: float = Field(gt=0.0, allow_inf_nan=False)
    group: str
    language: str
    command: tuple[str, ...]
    pid: int
    created: float
    started: str
    stopped: bool = False


@dataclass(frozen=True)
class Teaching:
    """How far a teaching is: `folder` is what it writes, `said` its last lines, `doing` what it does now.

    `share` of the budget is used. `accuracy` is that of the best model so far, on drawings that it was not
    taught; None before there is a model.
    """

    name: str
    folder: Path
    begun: Begun
    standing: Standing
    share: float
    doing: str
    said: tuple[str, ...]
    accuracy: Estimate | None
    steps: tuple[str, ...]
    seconds: float
    manifest: str

    @property
    def has_model(self) -> bool:
        return (self.folder / AUTO_BEST).is_dir()


def place_of(workspace: Workspace, collection: str) -> Path:
    """The folder in which a collection's teachings lie."""
    if collection in workspace.made:
        return workspace.path(collection).parent / "models"
    return workspace.root / "taught" / workspace.called(collection).strip("./").replace("/", " ")


def collection_of(workspace: Workspace, model: str) -> str:
    """The collection that a model was taught of; empty where that is none of the workspace."""
    folder = workspace.path(model)
    state = _state(folder)
    places = set(state.places(folder)) if state else set()
    for collection in workspace.collections:
        if folder.is_relative_to(place_of(workspace, collection)) or workspace.path(collection) in places:
            return collection
    return ""


def cache_of(workspace: Workspace, collection: str) -> Path | None:
    """Where what is computed of a collection's drawings is kept: of one made here beside it, so that it can
    be forgotten with them; of others, as ever."""
    return workspace.path(collection).parent / ".cache" if collection in workspace.made else None


def teachings(workspace: Workspace, collection: str) -> tuple[Teaching, ...]:
    """All of a collection, the first one first; what cannot be read is left out."""
    _reap()
    place, found = place_of(workspace, collection), []
    files = sorted(place.glob("*.json"), key=_number) if place.is_dir() else []
    for file in files:
        with suppress(DessinError):
            found.append(_standing(file))
    return tuple(found)


def start(
    workspace: Workspace, collection: str, *, minutes: float, curation: Path, group: str, language: str
) -> Teaching:
    """Begin to teach a model in a new folder, by the curation file as it is now.

    Raises:
        DessinError: one is being taught of these drawings now, or no process can be started.
    """
    place = place_of(workspace, collection)
    with alone(place):
        _refuse_second(workspace, collection)
        number = 1 + max((_number(file) for file in place.glob("*.json")), default=0)
        file = place / f"{number}.json"
        if curation.is_file():
            write_curation(read_curation(curation), _curation_of(file))
        _run(workspace, collection, file, minutes, group, language)
    return _standing(file)


def go_on(workspace: Workspace, collection: str, teaching: Teaching) -> Teaching:
    """Go on with one that was stopped, or whose process was killed: the same command again.

    Raises:
        DessinError: as `start`.
    """
    place, begun = place_of(workspace, collection), teaching.begun
    file = place / f"{teaching.name}.json"
    with alone(place):
        _refuse_second(workspace, collection)
        _run(workspace, collection, file, begun.minutes, begun.group, begun.language)
    return _standing(file)


def stop(workspace: Workspace, collection: str, teaching: Teaching) -> None:
    """Stop one as Ctrl-C would: what is done is kept, and it can be gone on with."""
    process = _process(teaching.begun)
    if process is None:
        return
    file = place_of(workspace, collection) / f"{teaching.name}.json"
    write_json(file, teaching.begun.model_copy(update={"stopped": True}).model_dump(mode="json"))
    with suppress(psutil.Error):
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=_GRACE_S)
        for each in alive:
            each.kill()


def forget(workspace: Workspace, collection: str) -> tuple[str, ...]:
    """Delete all models of a collection that was made here, and what was computed; the names of both."""
    place, cache = place_of(workspace, collection), cache_of(workspace, collection)
    for teaching in teachings(workspace, collection):
        stop(workspace, collection, teaching)
    gone = [path for path in (place, cache) if path is not None and path.exists()]
    for path in gone:
        remove(path)
    return tuple(path.relative_to(workspace.root).as_posix() for path in gone)


def is_teaching(workspace: Workspace, collection: str) -> bool:
    """Whether one is being taught of these drawings now."""
    return any(each.standing == "running" for each in teachings(workspace, collection))


def _refuse_second(workspace: Workspace, collection: str) -> None:
    if is_teaching(workspace, collection):
        raise DessinError(
            "A model is being taught of these drawings already.", do="Stop it first, or wait until it ends."
        )


def _run(
    workspace: Workspace, collection: str, file: Path, minutes: float, group: str, language: str
) -> None:
    """Start the process, and note which one it is."""
    command = ["auto", str(workspace.path(collection)), "--out", str(file.with_suffix(""))]
    command += ["--budget", f"{minutes:g}m", "--language", language]
    command += ["--curation", str(_curation_of(file))] if _curation_of(file).is_file() else []
    command += ["--group", group] if group else []
    cache = cache_of(workspace, collection)
    environment = {**os.environ, **({"DESSIN_CACHE": str(cache)} if cache else {})}
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.with_suffix(".txt").open("ab") as said:
            # By itself: what ends the studio does not end it.
            process = subprocess.Popen(
                [*_DESSIN, *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=file.parent,
                env=environment,
                **APART,
            )
    except OSError as error:
        raise DessinError(f"No process could be started: {error.strerror or error}.") from error
    _reap()
    _started.append(process)
    begun = Begun(
        minutes=minutes,
        group=group,
        language=language,
        command=("dessin", *command),
        pid=process.pid,
        created=_created(process.pid),
        started=now(),
    )
    write_json(file, begun.model_dump(mode="json"))


def _curation_of(file: Path) -> Path:
    return file.with_suffix(".curation")


# Those of this process: one that has ended is to be asked for its code, or the system keeps its number.
_started: list[subprocess.Popen[bytes]] = []


def _reap() -> None:
    _started[:] = [each for each in _started if each.poll() is None]


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        return time.time()


def _process(begun: Begun) -> psutil.Process | None:
    """The process that was started, if it lives; another one may have got its number since."""
    try:
        process = psutil.Process(begun.pid)
        same = abs(process.create_time() - begun.created) < _SAME_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _standing(file: Path) -> Teaching:
    begun = versioned(Begun, read_json(file), str(file), 1, what="the record of a teaching")
    folder, said = file.with_suffix(""), _last_lines(file.with_suffix(".txt"))
    state = _state(folder)
    runs = _process(begun) is not None
    standing: Standing = "running"
    if state is not None and state.finished:
        standing = "finished"
    elif not runs:
        standing = "stopped" if begun.stopped or state is not None else "failed"
        if said and said[-1].startswith("dessin: ") and not begun.stopped:
            standing = "failed"
    seconds = _seconds(folder, state, begun) if runs else state.seconds if state else 0.0
    best = next((each for each in state.done if each.step.name == state.best), None) if state else None
    return Teaching(
        name=file.stem,
        folder=folder,
        begun=begun,
        standing=standing,
        share=1.0 if standing == "finished" else min(0.99, seconds / (60 * begun.minutes)),
        doing=_doing(said),
        said=said,
        accuracy=best.accuracy if best else None,
        steps=tuple(f"{each.step.words()}: {each.verdict}" for each in state.done) if state else (),
        seconds=seconds,
        manifest=state.asked.manifest if state else "",
    )


def _state(folder: Path) -> AutoState | None:
    try:
        return AutoState.find(folder)
    except DessinError:
        return None


def _seconds(folder: Path, state: AutoState | None, begun: Begun) -> float:
    """Seconds used by a teaching that runs: those noted, and those since the note."""
    if state is None:
        return max(0.0, time.time() - begun.created)
    with suppress(OSError):
        return state.seconds + max(0.0, time.time() - (folder / AutoState.FILE).stat().st_mtime)
    return state.seconds


def _doing(said: Sequence[str]) -> str:
    """The title of the stage under way, with how far it is where that was said."""
    titles = [place for place, line in enumerate(said) if line.startswith("== ")]
    if not titles:
        return said[-1] if said else ""
    return said[titles[-1]].removeprefix("== ")


def _last_lines(log: Path) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _number(file: Path) -> int:
    return int(file.stem) if file.stem.isdigit() else 0

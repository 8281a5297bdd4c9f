"""`auto.json`: what an auto was asked for, what it did and used so far, so that the same command goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dessin.auto.budget import Costs, Part, Speed
from dessin.auto.situation import Made, Step
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.folders import claim_folder
from dessin.images.spec import Page
from dessin.language import tr
from dessin.progress import duration, say
from dessin.reading import read_json
from dessin.results import Result
from dessin.runs.same import check_same
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

# The decision that a person was asked for, of a kind of issue that names too many images.
ASKED_ABOUT = "asked about"


class MeasuredSpeed(Section):
    """Images a second of a backbone at a size on this machine, as they were measured last."""

    backbone: str
    size: int
    forward: float
    training: float
    features: float


class Asked(Section):
    """What decides the result of an auto; `manifest` is the digest of the data."""

    manifest: str
    group: str | None
    models: tuple[str, ...]
    seed: int
    budget_seconds: float
    at_least: float = 0.0
    page: Page | None = Field(None, exclude_if=lambda page: page is None)
    holdout: float | None = None

    def words(self) -> dict[str, object]:
        """What people asked for; two that are not the same differ here too."""
        return {
            "drawings": self.manifest[:12],
            "group": self.group,
            "models": ", ".join(self.models) or "the usual",
            "seed": self.seed,
            "budget": duration(self.budget_seconds),
            "predict at least": f"{self.at_least:g}/s" if self.at_least else None,
            "page": self.page,
            "holdout": self.holdout,
        }


class Measured(Section):
    """What plans are made from: speeds of this machine, measured at the beginning and anew by each step."""

    decoding: float
    speeds: tuple[MeasuredSpeed, ...]
    widths: dict[str, int] = Field(default_factory=dict)
    flops: float
    pace: float = 1.0
    fitting: float = 1.0

    def costs(self, part: Part) -> Costs:
        speeds = {
            (row.backbone, row.size): Speed(row.forward, row.training, row.features) for row in self.speeds
        }
        return Costs(part, self.decoding, speeds, self.widths, self.flops, self.pace, self.fitting)

    @classmethod
    def of(cls, costs: Costs) -> Measured:
        rows = (
            MeasuredSpeed(
                backbone=name,
                size=size,
                forward=speed.forward,
                training=speed.training,
                features=speed.features,
            )
            for (name, size), speed in costs.speeds.items()
        )
        return cls(
            decoding=costs.decoding,
            speeds=tuple(rows),
            widths=dict(costs.widths),
            flops=costs.flops,
            pace=costs.pace,
            fitting=costs.fitting,
        )


class StepDone(Section):
    """A step with the seconds that it took, of all its beginnings; `accuracy` is on drawings not trained on.

    `verdict` says what came of it; it is empty while the step is under way, which began when `since` seconds
    were used.
    """

    step: Step
    since: float
    seconds: float = 0.0
    accuracy: Estimate | None = None
    verdict: str = ""
    best: bool = False
    failed: bool = False

    @property
    def made(self) -> Made:
        return Made(self.step, self.accuracy.value if self.accuracy else None, self.failed)


class AutoState(Result):
    """What was asked for, what the plan knows, the steps so far, and how far it is.

    `data` is the path as it was given; `data_from_here` leads from the folder of this file to the same place,
    so that both may move together.
    `best` names the step whose model lies in `best/`; `seconds` are those used so far, `ended` why no further
    step was begun; `next_hour` what would come next. `photographs` are the ids of a few, to show. `trusted`
    says how far its confidences can be trusted, once its temperature was fitted. `finished` is a date.
    """

    FILE = "auto.json"
    WHAT = "the record of an auto"

    format: int = 2
    kind: Literal["auto"] = "auto"
    data: str
    data_absolute: str = ""
    data_from_here: str = ""
    asked: Asked
    candidates: tuple[str, ...]
    frozen: tuple[str, ...] = ()
    decisions: tuple[Decision[Any], ...] = ()
    photographs: tuple[str, ...] = Field((), exclude_if=lambda ids: not ids)
    images: int
    measured: Measured
    steps: tuple[StepDone, ...] = ()
    best: str = ""
    ended: str = ""
    trusted: tuple[str, ...] = ()
    next_hour: tuple[str, ...] = ()
    seconds: float = 0.0
    finished: str = ""

    def places(self, folder: Path) -> Iterator[Path]:
        """Where the drawings may lie, `folder` being that of this file: moved with it, or where they were."""
        if self.data_from_here:
            yield Path(os.path.normpath(folder.resolve() / self.data_from_here))
        if self.data_absolute:
            yield Path(self.data_absolute)
        # Of older files: the command was given in some folder above.
        yield from (above / self.data for above in folder.resolve().parents)

    @property
    def page(self) -> Decision[Any] | None:
        """Whether the page in photographs is looked for; None before that is decided."""
        return next((each for each in self.decisions if each.name == "page"), None)

    @property
    def under_way(self) -> tuple[StepDone, ...]:
        """Several are runs that are trained side by side."""
        return tuple(each for each in self.steps if not each.verdict)

    @property
    def done(self) -> tuple[StepDone, ...]:
        return tuple(each for each in self.steps if each.verdict)

    def with_steps(self, *changed: StepDone) -> tuple[StepDone, ...]:
        """The steps with some put in the places of those of the same names, or added."""
        names = {each.step.name for each in changed}
        return (*(each for each in self.steps if each.step.name not in names), *changed)


class Journey:
    """An auto on its way: its state on disk, and the time used, that of earlier beginnings too."""

    def __init__(
        self, folder: Path, asked: Asked, make: Callable[[float], AutoState], *, started: float
    ) -> None:
        """Begin in a folder that is held, or go on with the same; `make` plans, from the budget that is left.

        Raises:
            DessinError: the folder holds something else, an auto that was asked for something else, or one
                of an older version.
        """
        self._folder, self._started, self._before = folder, started, 0.0
        _check_version(folder)
        found = AutoState.find(folder)
        if found is None:
            claim_folder(folder, what="the result of auto")
            state = make(asked.budget_seconds - self.used)
            self.state = state.model_copy(update=places_of(Path(state.data), folder))
        else:
            check_same(folder, "the result of an auto", found.asked.words(), asked.words())
            self._before = found.seconds + (0.0 if found.finished else _lived(folder))
            self.state = found
            self._say_where(found)
        self.note()

    @property
    def used(self) -> float:
        """Seconds."""
        return self._before + time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.state.asked.budget_seconds - self.used

    def stage(self, title: str, *, done: bool) -> bool:
        """Say a stage's title; whether it is to be done."""
        if not self.state.finished:
            say(f"\n== {tr('{stage}, done already', stage=title) if done else title}")
        return not done

    def note(self, **changes: object) -> None:
        """Write down how far it is."""
        if not self.state.finished:
            self.state = self.state.model_copy(update={**changes, "seconds": round(self.used, 3)})
            self.state.write(self._folder)

    def _say_where(self, state: AutoState) -> None:
        if state.finished:
            say(tr("{folder} is finished already, since {when}.", folder=self._folder, when=state.finished))
        else:
            say(
                tr(
                    "{folder} was begun before and goes on: {used} of {budget} are used.",
                    folder=self._folder,
                    used=duration(self.used),
                    budget=duration(state.asked.budget_seconds),
                )
            )


def places_of(data: Path, folder: Path) -> dict[str, str]:
    whole = data.resolve()
    try:
        from_here = Path(os.path.relpath(whole, folder.resolve())).as_posix()
    except ValueError:  # another drive
        from_here = ""
    return {"data_absolute": whole.as_posix(), "data_from_here": from_here}


def _check_version(folder: Path) -> None:
    """One that an older version began has another plan, and other folders."""
    path = folder / AutoState.FILE
    values = read_json(path) if path.is_file() else None
    if isinstance(values, dict) and values.get("format", 1) == 1 and values.get("kind") == "auto":
        whole = bool(values.get("finished"))
        raise DessinError(
            f"{folder} holds the result of an auto by an older version of dessin, "
            f"{'whole' if whole else 'which was not finished'}.",
            do=f"Use it as it is: its model is in {folder / 'run'}. Choose another --out for a new one."
            if whole
            else "Choose another --out.",
        )


def _lived(folder: Path) -> float:
    """Seconds from the last note to the last file that was written after it, which is when it lived still."""
    noted = (folder / AutoState.FILE).stat().st_mtime
    # The lock is of the process that asks.
    files = (path for path in folder.rglob("*") if path.name != ".lock")
    return max(path.lstat().st_mtime for path in files) - noted

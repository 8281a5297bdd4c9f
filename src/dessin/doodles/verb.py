"""The verb `demo`: the whole path on generated doodles, then the audit held against the answer key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dessin.auto.verb import AutoResult, auto
from dessin.collection.checks.base import Issue
from dessin.doodles.check import (
    DRAWINGS_FOLDER,
    KEY_FILE,
    AnswerKey,
    Finding,
    check_answers,
    check_corners,
    describe_findings,
    false_alarms,
    read_answer_key,
)
from dessin.doodles.doodles import generate_doodles
from dessin.errors import DessinError
from dessin.folders import is_finished
from dessin.language import tr
from dessin.models.backbones import asked_for
from dessin.models.default_backbones import DEMO
from dessin.page.notebook import Shown
from dessin.page.numbers import number
from dessin.progress import say
from dessin.runs.same import check_same

_RESULT_FOLDER = "result"


@dataclass(frozen=True, repr=False)
class DemoResult(Shown):
    """What `auto` made of the doodles, and how it compares with the answer key."""

    TABLE = "findings"

    auto: AutoResult
    findings: tuple[Finding, ...]
    alarms: tuple[Issue, ...]


def demo(
    *,
    out: str | Path = "demo-out",
    budget: str | float = "3m",
    models: str | Sequence[str] | None = None,
    classes: int = 16,
    per_class: int = 30,
    seed: Annotated[int, "from 0"] = 0,
    photographs: Annotated[float, "0 to 1"] = 0.1,
) -> DemoResult:
    """Go the whole path offline on generated doodles, and check that every planted fault is found.

    Stopped, the same command goes on where it was.

    Args:
        out: Where the doodles (`drawings/`) and what `auto` makes of them (`result/`) go.
        budget: The time for everything, such as `3m`; a number is seconds.
        models: The backbones to choose from; by default two that are installed with dessin.
        classes: How many subjects are drawn.
        per_class: How many doodles of each.
        seed: Of the doodles, the split and the training.
        photographs: The share of the doodles that are photographs of sheets on desks.

    Raises:
        DessinError: a planted fault was missed, or anything that `auto` refuses.
    """
    folder, asked = Path(out), asked_for(models) or DEMO
    key = _drawn(folder, classes, per_class, seed, photographs)
    result = auto(
        folder / DRAWINGS_FOLDER, out=folder / _RESULT_FOLDER, budget=budget, models=asked, seed=seed
    )
    findings = (
        *check_answers(key, result.audit.issues, result.split),
        *check_corners(key, folder / DRAWINGS_FOLDER),
    )
    alarms = false_alarms(key, result.audit.issues)
    say("\n" + tr("== planted / found"))
    for line in describe_findings(findings, alarms):
        say(line)
    _require_all(findings, folder)
    say("\n" + tr("The report: {file}", file=result.report))
    return DemoResult(result, findings, alarms).with_page(result.as_page, result.folder)


def _drawn(folder: Path, classes: int, per_class: int, seed: int, photographs: float) -> AnswerKey:
    """The key of the doodles; those that the same command drew before stay."""
    if not (is_finished(folder) and (folder / KEY_FILE).is_file()):
        key = generate_doodles(
            folder, classes=classes, per_class=per_class, seed=seed, photographs=photographs
        )
        shown = f" and {len(key.photographs)} photographs of sheets" if key.photographs else ""
        said = f"{len(key.classes)} classes, with {len(key.faults)} planted faults{shown}."
        say(tr("Drew {n} doodles of {classes}", n=number(key.images), classes=said))
        return key
    key = read_answer_key(folder / KEY_FILE)
    # Each fault is one more file.
    drawn = key.images - len(key.faults)
    was = {"classes": len(key.classes), "drawings": drawn, "seed": key.seed, "photographs": key.photographed}
    now = {"classes": classes, "drawings": classes * per_class, "seed": seed, "photographs": photographs}
    check_same(folder, "a demo", was, now)
    say(tr("The doodles in {folder} are there already.", folder=folder))
    return key


def _require_all(findings: Sequence[Finding], folder: Path) -> None:
    missed = [f"{each.what}, {each.image_id} ({each.said})" for each in findings if not each.found]
    if missed:
        raise DessinError(
            f"{len(missed)} of {len(findings)} planted faults are not as the answer key has them: "
            f"{'; '.join(missed)}.",
            do=f"Compare {folder / KEY_FILE} with the audit's issues.csv, and report this as a defect.",
        )

"""What a trust card is made from: a run or a committee as it lies on disk, its answers, its split, and a
search for leaks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.answers.committee import COMMITTEE_FILE, Committee, find_model, read_committee
from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.duplicates import Pair, find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split, check_split, read_split
from dessin.errors import DessinError
from dessin.progress import say
from dessin.runs.joined import finished_record, own_split
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, SetName
from dessin.runs.subject import read_subject
from dessin.schema import Section
from dessin.statistics.metrics import Metrics, measure

_EXAMPLES = 5


class LeakCheck(Section):
    """Pairs of copies among the `images` of a split, and how many are `crossing` from one part to another.

    A part is a fold or the holdout. `groups` were on one side each, which a split file is refused without.
    `reason` says why the search for copies could not be made; there are no pairs then.
    """

    images: int
    groups: int
    pairs: int = 0
    crossing: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def searched(self) -> bool:
        return not self.reason


def check_leaks(split: Split, data: Path | None) -> LeakCheck:
    """Search the drawings of a split for copies, under the eight symmetries of the square.

    It is a new search, not the one that the split was made by, so a split of any origin is judged by it.
    """
    groups = len({row.group for row in split.rows})
    try:
        pairs = _copies(split, data)
    except DessinError as error:
        return LeakCheck(images=len(split.rows), groups=groups, reason=error.seen)
    crossing = crossing_pairs(pairs, split)
    return LeakCheck(
        images=len(split.rows),
        groups=groups,
        pairs=len(pairs),
        crossing=len(crossing),
        examples=tuple((pair.first, pair.second) for pair in crossing[:_EXAMPLES]),
    )


def _copies(split: Split, data: Path | None) -> tuple[Pair, ...]:
    if data is None:
        raise DessinError("It is not known where the drawings are.")
    manifest = build_manifest(read_collection(data))
    check_split(split, manifest)
    listed = {row.image_id for row in split.rows}
    found = find_duplicates(manifest, scan_images(manifest))
    return tuple(pair for pair in found if pair.first in listed and pair.second in listed)


def crossing_pairs(pairs: Sequence[Pair], split: Split) -> list[Pair]:
    """The pairs whose drawings are in two parts of the split."""
    part = {row.image_id: row.fold for row in split.rows}
    return [pair for pair in pairs if part[pair.first] != part[pair.second]]


@dataclass(frozen=True)
class TrustSources:
    """A run (with its `record`) or a committee (with its `committee`), and what is measured of it.

    `given` is the folder that was named, `home` the one that holds the measures (in an ensemble, another);
    `metrics` has the sets that were measured, at least one.
    """

    given: Path
    home: Path
    name: str
    record: RunRecord | None
    committee: Committee | None
    split: Split
    data: Path | None
    metrics: dict[SetName, Metrics]
    opened: int

    @property
    def measured_on(self) -> SetName:
        return "validation" if "validation" in self.metrics else "holdout"

    def command(self, verb: str) -> str:
        """What a user types to measure more."""
        return f"dessin {verb} {shlex.quote(self.given.as_posix())}"

    @property
    def main(self) -> Metrics:
        """The results that the card dwells on."""
        return self.metrics[self.measured_on]


def read_sources(folder: Path) -> TrustSources:
    """Read a finished run or a committee.

    A committee keeps no validation answers, so it is asked for them, each drawing through models that did
    not see it; where its drawings are not at hand, its holdout's stand alone.

    Raises:
        DessinError: neither, an unfinished run, or a model that was measured on nothing.
    """
    if (folder / FILE).is_file():
        return _of_run(folder)
    home = find_model(folder)
    if (home / COMMITTEE_FILE).is_file():
        return _of_committee(folder, home)
    raise DessinError(
        f"{folder} is a bundle, which does not say what it was measured on.",
        allowed="A trust card is made of a run or a committee.",
        do="Name the run that the bundle comes from.",
    )


def _of_run(folder: Path) -> TrustSources:
    record = finished_record(folder)
    split = own_split(folder, record)
    found = {name: read_predictions(folder / name) for name in record.results}
    return TrustSources(
        given=folder,
        home=folder,
        name=folder.resolve().name,
        record=record,
        committee=None,
        split=split,
        data=Path(record.recipe.data.path) if record.recipe.data.path else None,
        metrics=_measured(folder, found, split, record.seed),
        opened=len(record.holdout_opened),
    )


def _of_committee(folder: Path, home: Path) -> TrustSources:
    committee = read_committee(home)
    split = read_split(home / SPLIT_FILE)
    data = committee.provenance.get("data")
    found: dict[SetName, Predictions] = {}
    try:
        subject = read_subject(home, None, None)
        found["validation"] = subject.answers(subject.rows("validation"))
    except DessinError as error:
        say(f"Without validation answers: {error.seen}")
    if (home / "holdout" / "predictions.csv").is_file():
        found["holdout"] = read_predictions(home / "holdout")
    return TrustSources(
        given=folder,
        home=home,
        name=folder.resolve().name,
        record=None,
        committee=committee,
        split=split,
        data=Path(data) if data else None,
        metrics=_measured(folder, found, split, seed=0),
        opened=len(committee.holdout_opened),
    )


def _measured(
    folder: Path, found: dict[SetName, Predictions], split: Split, seed: int
) -> dict[SetName, Metrics]:
    if not found:
        raise DessinError(
            f"{folder} was measured on nothing yet.",
            do=f"Measure it with dessin evaluate {folder} --holdout --out OUT, which is counted.",
        )
    group_of = {row.image_id: row.group for row in split.rows}
    return {
        name: measure(
            answers.probabilities,
            answers.targets,
            [group_of[image_id] for image_id in answers.image_ids],
            answers.classes,
            seed=seed,
        )
        for name, answers in found.items()
    }

"""The verb `collect`: what colleagues packed, joined in one workspace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from dessin.answers.committee import find_home
from dessin.errors import DessinError
from dessin.folders import hold
from dessin.language import tr, tr_n
from dessin.packs.addresses import bring, is_address, is_bare, shown
from dessin.packs.archive import ENDING, read_pack
from dessin.packs.merge import Shelf, Taken
from dessin.packs.pack import parcels_in
from dessin.packs.parcel import Parcel, kind_of
from dessin.page.notebook import Shown
from dessin.page.numbers import listed, number
from dessin.places import check_readable
from dessin.progress import on_stop, say, warn
from dessin.reports.home import is_result
from dessin.runs.executors.record import ended_job
from dessin.runs.machine import NOBODY, PACKAGES
from dessin.runs.machine import who as at_work
from dessin.runs.origin import Origin
from dessin.studies.result import StudyRecord
from dessin.studies.verb import conclude

# Of a run's record: what can change a number.
_VERSIONS = tuple(name for name in PACKAGES if name != "dessin")
_DIGITS = 12


@dataclass(frozen=True, repr=False)
class Collected(Shown):
    """What became of everything that came, and what the reader should know before comparing it."""

    TABLE = "taken"

    into: Path
    taken: tuple[Taken, ...]
    notes: tuple[str, ...]


def collect(
    *sources: Annotated[str | Path, "a pack, a folder or an address"],
    into: str | Path,
) -> Collected:
    """Collect what colleagues packed into one workspace, and join the parts of their studies.

    What is there already is told by its bytes, so the same command may be given every day. Of two different
    runs with one name both are kept. `runs`, `compare`, `ensemble` and `report` work on what was collected,
    also without weights.

    Args:
        sources: Packs (.dsn), folders of packs or of runs, or addresses of them: https://.., s3://..,
            ssh://HOST/FOLDER, or git+https://.. of a git repository.
        into: The workspace, a folder.

    Raises:
        DessinError: nothing to collect, a damaged pack (nothing of it is kept then), or an address that
            cannot be read.
    """
    into = Path(into)
    if not sources:
        raise DessinError("Nothing to collect was given.", do="Name packs, folders of them, or addresses.")
    kept = f"What was collected so far is kept in {into}: the same command goes on."
    with tempfile.TemporaryDirectory(prefix="dessin-") as folder, on_stop(kept), hold(into, wait=True):
        # All are read before the first is laid down.
        parcels = [
            parcel
            for place, source in enumerate(map(str, sources))
            for parcel in _parcels(source, Path(folder) / str(place))
        ]
        shelf = Shelf.of(into)
        taken = tuple(_taken(shelf, parcel) for parcel in parcels)
        _judge(taken)
    notes = tuple(_notes(shelf.parcels.values()))
    runs = sum(len(parcel.runs) for parcel in shelf.parcels.values())
    said = tr_n("{n} run is in {folder} now.", "{n} runs are in {folder} now.", runs, folder=into)
    say(said)
    for note in notes:
        warn(note)
    return Collected(into, taken, notes).with_words(tr("Collected"), said, *notes)


def _parcels(source: str, folder: Path) -> Iterator[Parcel]:
    """The results that a source has; what comes from an address lies in `folder`, a new one."""
    place = Path(source)
    if not is_address(source):
        check_readable(place)
    if is_address(source) or is_bare(place):
        place = bring(source, folder)
    elif place.is_file():
        yield from read_pack(place)
        return
    packs = sorted(path for path in place.rglob(f"*{ENDING}") if path.is_file() and not path.is_symlink())
    # Such as the folder of an ensemble in which its members' packs lie.
    apart = bool(packs) and is_result(place) and kind_of(find_home(place)) is None
    found = () if apart else tuple(parcels_in(place, _owner, weights=True))
    if not packs and not found:
        raise DessinError(
            f"There is no pack ({ENDING}) and no finished run in {shown(source)}.",
            do="Name packs that dessin pack wrote, or folders of them.",
        )
    for path in packs:
        yield from read_pack(path)
    yield from found


def _owner(folder: Path) -> Origin:
    """Whose a folder is, where the system knows; of one that was cloned, whoever did."""
    with suppress(OSError, KeyError, NotImplementedError):
        return Origin(who=folder.owner(), machine="")
    return Origin(who=at_work() or NOBODY, machine="")


def _taken(shelf: Shelf, parcel: Parcel) -> Taken:
    taken = shelf.take(parcel)
    words = {
        "new": tr("new"),
        "there already": tr("there already"),
        "more of it": tr("more of it"),
        "beside another of its name": tr("kept beside another of its name"),
    }
    values = {"folder": taken.folder, "state": words[taken.state]}
    who = listed(taken.who) if taken.who else tr("nobody")
    say(
        tr_n(
            "{folder}: {state} ({n} run of {who})",
            "{folder}: {state} ({n} runs of {who})",
            taken.runs,
            who=who,
            **values,
        )
    )
    return taken


def _judge(taken: Sequence[Taken]) -> None:
    """The verdicts of every study to which something was added, once."""
    changed = {each.folder for each in taken if each.kind == "study" and each.state != "there already"}
    for folder in sorted(changed):
        record = StudyRecord.read(folder)
        ends = {job.name: ended_job(folder, job.name) for job in record.jobs}
        ended = {name: end.status for name, end in ends.items() if end is not None}
        if "finished" in ended.values():
            conclude(folder, record, own=ended)


def _notes(parcels: Iterable[Parcel]) -> Iterator[str]:
    """What keeps runs of a workspace from being compared, or their last digits from being the same."""
    found = [(parcel.origin(place).who, run) for parcel in parcels for place, run in parcel.runs.items()]
    splits: dict[str, dict[str, None]] = {}
    others: dict[str, dict[str, None]] = {}
    packages: dict[str, set[str]] = {}
    for who, run in found:
        splits.setdefault(run.digests.split, {})[who] = None
        made_with = run.versions.get("dessin", version("dessin"))
        if made_with != version("dessin"):
            others.setdefault(made_with, {})[who] = None
        for name in _VERSIONS:
            if name in run.versions:
                packages.setdefault(name, set()).add(run.versions[name])
    if len(splits) > 1:
        groups = "; ".join(f"{digest[:_DIGITS]} ({listed(list(who))})" for digest, who in splits.items())
        yield tr(
            "The runs have {n} splits: {groups}. Only runs of one split can be compared, or vote together.",
            n=number(len(splits)),
            groups=groups,
        )
    for made_with, people in others.items():
        yield tr(
            "Runs of {who} were made with dessin {other}; here is {own}.",
            who=listed(list(people)),
            other=made_with,
            own=version("dessin"),
        )
    mixed = [f"{name} ({listed(sorted(seen))})" for name, seen in packages.items() if len(seen) > 1]
    if mixed:
        yield tr("Versions differ, which can change last digits: {packages}.", packages=listed(mixed))

"""The verb `pack`: runs and studies as one file that can be mailed, copied or kept in a git repository."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dessin.answers.committee import find_home
from dessin.errors import DessinError
from dessin.language import tr, tr_n
from dessin.packs.archive import ENDING, write_pack
from dessin.packs.parcel import Parcel, kind_of, read_parcel
from dessin.page.notebook import ShownPath
from dessin.page.numbers import number
from dessin.places import check_readable
from dessin.progress import say, warn
from dessin.reports.home import is_result, results_below
from dessin.runs.fold_group import is_fold_folder
from dessin.runs.machine import NOBODY
from dessin.runs.machine import who as at_work
from dessin.runs.origin import Origin
from dessin.studies.levels import slug

_NAMELESS = "result"
_LONGEST = 100


def pack(
    *runs: str | Path,
    out: str | Path,
    bundles: bool = False,
    who: str | None = None,
    machine: str | None = None,
) -> ShownPath:
    """Pack runs and studies into one file for colleagues: records, curves and answers, no drawings.

    Equal results give equal bytes. No absolute path travels, and without `bundles` no weights, which `runs`,
    `compare`, `ensemble` and `report` can do without. `dessin collect` is the other half.

    Args:
        runs: Runs, groups of folds, studies, or folders of them.
        out: The pack to write (.dsn); made anew if it exists.
        bundles: Take the models' weights along.
        who: Who carried the runs out; by default as records say it (DESSIN_WHO).
        machine: On which machine; by default this one's name.

    Returns:
        The pack's path.

    Raises:
        DessinError: no run, one that is not finished, or damaged files.
    """
    out = Path(out)
    if out.suffix != ENDING:
        raise DessinError(f"{out} does not end in {ENDING}.", do=f"Use --out {out.with_suffix(ENDING)}.")
    origin = Origin(who=who or at_work() or NOBODY, machine=machine or socket.gethostname())
    found = [parcel for run in runs for parcel in parcels_in(Path(run), lambda _: origin, weights=bundles)]
    if not found:
        raise DessinError(
            "No run to pack was given.", do="Name runs, groups of folds, studies, or folders of them."
        )
    taken: set[str] = set()
    parcels = []
    for parcel in found:
        name = free_name(parcel.name, taken)
        taken.add(name.casefold())
        parcels.append(replace(parcel, name=name))
    size, count = write_pack(out, parcels), sum(len(parcel.runs) for parcel in parcels)
    for parcel in parcels:
        say(tr_n("{name}: {n} run", "{name}: {n} runs", len(parcel.runs), name=parcel.name))
    if bundles and any(parcel.origin(run).left_out for parcel in parcels for run in parcel.runs):
        warn(tr("Some of these runs have no weights here, so none of theirs are in the pack."))
    each = number(max(1, round(size / max(1, count) / 1000)))
    said = tr_n(
        "{file}: {n} run by {who} on {machine}, {size} kB a run",
        "{file}: {n} runs by {who} on {machine}, {size} kB a run",
        count,
        file=out,
        who=origin.who,
        machine=origin.machine,
        size=each,
    )
    say(said)
    return ShownPath(out).with_words(out.name, said)


def parcels_in(folder: Path, origin: Callable[[Path], Origin], *, weights: bool) -> Iterator[Parcel]:
    """What can travel in a folder: itself, or what lies below it and is finished.

    Raises:
        DessinError: no such folder, a result of another kind, or what `read_parcel` refuses of it.
    """
    check_readable(folder)
    home = find_home(folder)
    if kind_of(home) is not None:
        yield read_parcel(home, _name(folder), origin(home), weights=weights)
        return
    if is_result(home):
        raise DessinError(
            f"{folder} is a result that is made of others.",
            allowed="Runs, groups of folds and studies travel.",
            do="Name the runs that it was made of; made again from them, it has the same figures.",
        )
    for path in results_below(folder):
        if kind_of(path) is None:
            continue
        try:
            yield read_parcel(path, _name(path), origin(path), weights=weights)
        except DessinError as error:
            warn(tr("Left out: {folder}. {why}", folder=path, why=error.seen))


def _name(folder: Path) -> str:
    """A result's own name; of a fold that lies by itself in a folder, that folder's too."""
    place = folder.resolve()
    return f"{place.parent.name}-{place.name}" if is_fold_folder(place) else place.name


def free_name(wanted: str, taken: set[str]) -> str:
    """A folder's name that is not `taken` (casefolded): plain, and with a number where it must be."""
    plain = slug(wanted)[:_LONGEST] or _NAMELESS
    name, number = plain, 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain}-{number}"
    return name

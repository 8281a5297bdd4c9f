"""What becomes of a parcel in a workspace: new, there already, further than what is there, or beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dessin.errors import DessinError
from dessin.files import atomic_path, digest_of, remove, write_bytes
from dessin.folders import hold, is_held
from dessin.packs.pack import free_name
from dessin.packs.parcel import Kind, Parcel, kind_of, read_parcel
from dessin.progress import warn
from dessin.reports.home import results_below
from dessin.runs.executors.record import JOBS, RUNS
from dessin.runs.origin import Origin
from dessin.runs.record import RunRecord
from dessin.studies.result import differences

State = Literal["new", "there already", "more of it", "beside another of its name"]
Relation = Literal["same", "further", "behind", "other"]
_PLACES: Mapping[Kind, str] = {"run": "runs", "folds": "runs", "study": "studies"}
# Of a workspace's own runs, whoever made them.
_HERE = Origin(who="here", machine="here")


@dataclass(frozen=True)
class Taken:
    """What became of one parcel: where it lies now, what it is, how it was taken in, and who made it."""

    folder: Path
    kind: Kind
    state: State
    who: tuple[str, ...]
    runs: int


@dataclass
class Shelf:
    """The results of a workspace by their folders, read once and kept up to date."""

    root: Path
    parcels: dict[Path, Parcel] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Shelf:
        """What lies in a workspace; what is unfinished or damaged there is no match for anything."""
        shelf = cls(root)
        for folder in results_below(root) if root.is_dir() else ():
            if kind_of(folder) is not None:
                try:
                    shelf.look(folder)
                except DessinError as error:
                    warn(f"{folder} is left as it is: {error.seen}")
        return shelf

    def look(self, folder: Path) -> Parcel:
        """Read a result anew."""
        self.parcels[folder] = read_parcel(folder, folder.name, _HERE, weights=False)
        return self.parcels[folder]

    def take(self, parcel: Parcel) -> Taken:
        """Lay a parcel down, or see that it is there."""
        place, state = self._study(parcel) if parcel.kind == "study" else self._run(parcel)
        whole = self.look(place) if state != "there already" else self.parcels[place]
        who = tuple(dict.fromkeys(parcel.origin(run).who for run in parcel.runs))
        return Taken(place, whole.kind, state, who, len(parcel.runs))

    def _run(self, parcel: Parcel) -> tuple[Path, State]:
        for folder, there in self.parcels.items():
            if there.kind == parcel.kind:
                found = relation(there, parcel)
                if found == "further":
                    lay_down(parcel, folder)
                    return folder, "more of it"
                if found != "other":
                    return folder, "more of it" if add_weights(parcel, folder) else "there already"
        return self._new(parcel)

    def _new(self, parcel: Parcel) -> tuple[Path, State]:
        home = self.root / _PLACES[parcel.kind]
        taken = {path.name.casefold() for path in home.iterdir()} if home.is_dir() else set()
        own = free_name(parcel.name, set())
        state: State = "new"
        if own.casefold() in taken:
            state, first = "beside another of its name", next(iter(parcel.runs), None)
            own = f"{own}-{parcel.origin(first).who}" if first is not None else own
        folder = home / free_name(own, taken)
        if parcel.kind == "study":
            self._begin(parcel, folder)
        else:
            lay_down(parcel, folder)
        return folder, state

    def _begin(self, parcel: Parcel, folder: Path) -> None:
        """A study's own files; its jobs and their runs follow one by one, the record of each last."""
        own = {path: data for path, data in parcel.files.items() if "/" not in path}
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            for path, data in own.items():
                (temporary / path).write_bytes(data)
        self._add(parcel, folder, tuple(parcel.jobs))

    def _study(self, parcel: Parcel) -> tuple[Path, State]:
        for folder, there in self.parcels.items():
            if there.kind != "study" or any(differences(there.study, parcel.study)):
                continue
            found = dict(_jobs(there, parcel))
            if "other" in found.values():
                continue
            with hold(folder, wait=True):
                wanted = tuple(name for name, kind in found.items() if kind == "further")
                self._add(parcel, folder, wanted)
                fuller = [
                    add_weights(parcel.below(place, name), folder / RUNS / name)
                    for name, kind in found.items()
                    if kind == "same" and (place := f"{RUNS}/{name}") in parcel.runs
                ]
            return folder, "more of it" if wanted or any(fuller) else "there already"
        return self._new(parcel)

    def _add(self, parcel: Parcel, folder: Path, jobs: tuple[str, ...]) -> None:
        for name in jobs:
            place, record = f"{RUNS}/{name}", f"{JOBS}/{name}.json"
            if place in parcel.runs:
                lay_down(parcel.below(place, name), folder / place)
            write_bytes(folder / record, parcel.files[record])


def _jobs(there: Parcel, parcel: Parcel) -> Iterator[tuple[str, Relation]]:
    """How each job of a parcel relates to the one that is there; a job that failed is behind any other."""
    for name, ended in parcel.jobs.items():
        before = there.jobs.get(name)
        if before is None or (before.status == "failed" != ended.status):
            yield name, "further"
        elif ended.status == "failed":
            yield name, "behind"
        else:
            own = (each.below(f"{RUNS}/{name}", name) for each in (there, parcel))
            yield name, relation(*own)


def relation(there: Parcel, parcel: Parcel) -> Relation:
    """What a parcel is to another: the very same by its bytes, or the same beginning that came further."""
    if there.identity == parcel.identity:
        return "same"
    if {name: _beginning(run) for name, run in there.runs.items()} != {
        name: _beginning(run) for name, run in parcel.runs.items()
    }:
        return "other"
    before, now = ([_progress(run) for run in each.runs.values()] for each in (there, parcel))
    if before != now and all(b <= n for b, n in zip(before, now, strict=True)):
        return "further"
    if before != now and all(n <= b for b, n in zip(before, now, strict=True)):
        return "behind"
    return "other"


def _beginning(run: RunRecord) -> str:
    """What a run was when it began: no other one has the same, but for a copy of its folder."""
    made = run.model_dump(mode="json", include={"seed", "recipe", "hardware", "name"})
    return digest_of([made, run.started[:1], run.digests.split, run.digests.manifest])


def _progress(run: RunRecord) -> tuple[int, int, bool, str]:
    return len(run.started), len(run.holdout_opened), run.status == "finished", run.finished


def lay_down(parcel: Parcel, folder: Path) -> None:
    """Write a parcel as the result that it is, in the place of a state of it that is less far.

    Weights that were there stay: they are those of the same run.

    Raises:
        DessinError: a process works on the run that is there.
    """
    if is_held(folder):
        raise DessinError(f"{folder} is being worked on now.", do="Wait until it ends, and collect again.")
    with atomic_path(folder) as temporary:
        for path, data in parcel.files.items():
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        for path, weights in parcel.weights.items():
            weights.copy_to(temporary / path)
        if folder.is_dir():
            for kept in folder.rglob("model.*"):
                place = temporary / kept.relative_to(folder)
                if kept.is_file() and place.parent.is_dir() and not place.exists():
                    kept.rename(place)
            remove(folder)


def add_weights(parcel: Parcel, folder: Path) -> bool:
    """Put weights beside a result that had none; whether there were any to put."""
    wanted = [path for path in parcel.weights if not (folder / path).exists()]
    for path in wanted:
        with atomic_path(folder / path) as temporary:
            parcel.weights[path].copy_to(temporary)
    return bool(wanted)

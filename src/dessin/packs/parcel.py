"""What of a run, a group of folds or a study travels: records, curves and answers, without a path of the
machine; weights only where they are asked for."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, Final, Literal
from zipfile import ZipFile

from dessin.answers.committee import COMMITTEE_FILE
from dessin.answers.predictions import HOLDOUT
from dessin.errors import DessinError
from dessin.files import digest_of, sha256_bytes, sha256_file
from dessin.models.card import CARD_FILE, BundleCard, read_card
from dessin.reading import MiB, open_regular, parse_json, read_bytes
from dessin.runs.executors.record import JOBS, RUNS, JobRecord, ended_job
from dessin.runs.fold_group import FoldGroup, fold_folder
from dessin.runs.joined import own_predictions, own_split
from dessin.runs.origin import Origin
from dessin.runs.record import FILE, SPLIT_FILE, STUDY_FILE, RunRecord, read_record
from dessin.schema import validated
from dessin.studies.result import TEXT_FILE, StudyRecord

Kind = Literal["run", "folds", "study"]
BUNDLE: Final = "bundle"
# Of one file but weights.
MOST_BYTES: Final = 256 * MiB
_ANSWERS: Final = ("predictions.csv", "probabilities.npy", "image_ids.csv", "classes.csv")
_SETS: Final = ("validation", HOLDOUT)
_SET_FILES: Final = tuple(f"{name}/{file}" for name in _SETS for file in _ANSWERS)
_RUN_FILES: Final = (FILE, Origin.FILE, SPLIT_FILE, "curve.csv", *_SET_FILES, f"{BUNDLE}/{CARD_FILE}")

_NAME = r"[^./\\:\s][^/\\:]{0,199}"
_RUN = "|".join(map(re.escape, (*_RUN_FILES, f"{BUNDLE}/model.safetensors", f"{BUNDLE}/model.onnx")))
_SET = "|".join(map(re.escape, (SPLIT_FILE, *_SET_FILES)))
# Every name that a file of each kind can have: whatever else a pack holds is refused.
ALLOWED: Final[Mapping[Kind, re.Pattern[str]]] = {
    "run": re.compile(_RUN),
    "folds": re.compile(rf"folds\.json|committee\.json|{_SET}|fold-\d{{1,4}}/(?:{_RUN})"),
    "study": re.compile(
        rf"study\.json|study\.yaml|split\.csv|{JOBS}/{_NAME}\.json|{RUNS}/{_NAME}/(?:{_RUN})"
    ),
}
MAIN: Final[Mapping[Kind, str]] = {"run": FILE, "folds": FoldGroup.FILE, "study": STUDY_FILE}


@dataclass(frozen=True)
class Weights:
    """A model's weights where they lie: a file, or a `member` of an archive."""

    path: Path
    member: str = ""

    def copy_to(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.opened() as source, target.open("wb") as copy:
            while block := source.read(MiB):
                copy.write(block)

    def opened(self) -> IO[bytes]:
        if self.member:
            with ZipFile(self.path) as archive:
                return archive.open(self.member)  # which keeps the file open
        return open(open_regular(self.path), "rb")  # noqa: PTH123 (a handle, not a path)


@dataclass(frozen=True)
class Parcel:
    """A result as it travels: its small files by their path in it, and those of its weights that are there.

    Each run in it has its `origin.json`.
    """

    name: str
    kind: Kind
    files: Mapping[str, bytes]
    weights: Mapping[str, Weights]

    @cached_property
    def runs(self) -> dict[str, RunRecord]:
        """The record of each run in it, by the run's place: `""`, `fold-0`, `runs/NAME`."""
        return {
            path.removesuffix(FILE).rstrip("/"): validated(RunRecord, self.json(path), f"{self.name}/{path}")
            for path in self.files
            if PurePosixPath(path).name == FILE
        }

    @cached_property
    def study(self) -> StudyRecord:
        return validated(StudyRecord, self.json(STUDY_FILE), f"{self.name}/{STUDY_FILE}")

    @cached_property
    def jobs(self) -> dict[str, JobRecord]:
        """How the jobs of a study ended, by name; those that have."""
        places = {job.name: f"{JOBS}/{job.name}.json" for job in self.study.jobs}
        return {
            name: validated(JobRecord, self.json(path), f"{self.name}/{path}")
            for name, path in places.items()
            if path in self.files
        }

    def origin(self, place: str) -> Origin:
        """Who carried out the run at a place."""
        path = f"{place}/{Origin.FILE}".lstrip("/")
        return validated(Origin, self.json(path), f"{self.name}/{path}")

    def json(self, path: str) -> Any:
        where = f"{self.name}/{path}"
        if path not in self.files:
            raise DessinError(f"{where} is missing.", do="Pack the result again.")
        return parse_json(self.files[path].decode("utf-8", "replace"), where=where)

    def below(self, place: str, name: str) -> Parcel:
        """The run at a place in it, as a parcel of its own."""
        files, weights = _below(self.files, place), _below(self.weights, place)
        return Parcel(name, "run", files, weights)

    @property
    def identity(self) -> str:
        """The digest of all that it says, whoever says it and whether or not weights came along."""
        said = {path: data for path, data in self.files.items() if PurePosixPath(path).name != Origin.FILE}
        return digest_of([self.kind, {path: sha256_bytes(data) for path, data in sorted(said.items())}])


def _below(files: Mapping[str, Any], place: str) -> dict[str, Any]:
    start = f"{place}/"
    return {path.removeprefix(start): found for path, found in files.items() if path.startswith(start)}


def kind_of(folder: Path) -> Kind | None:
    """What a folder is of what can travel."""
    order: tuple[Kind, ...] = ("study", "folds", "run")
    return next((kind for kind in order if (folder / MAIN[kind]).is_file()), None)


def read_parcel(folder: Path, name: str, origin: Origin, *, weights: bool) -> Parcel:
    """A result read from its folder, without the paths of this machine; `weights` come along if asked for.

    `origin` is that of runs which have none.

    Raises:
        DessinError: it is not finished, its files contradict each other, or one is a link.
    """
    kind = kind_of(folder)
    if kind is None:
        raise DessinError(
            f"{folder} is no run, group of folds or study.",
            allowed=f"They have a {', a '.join(MAIN.values())}.",
            do="Name folders that dessin train or dessin study wrote.",
        )
    files: dict[str, bytes] = {}
    travelling: dict[str, Weights] = {}
    for place in _places(folder, kind):
        run = folder / place
        for path in (file for file in _RUN_FILES if _is_there(run, file)):
            files[f"{place}/{path}".lstrip("/")] = _travelling(run / path)
        card = _checked(run, read_record(run))
        left_out = {}
        if card is not None:
            path = f"{BUNDLE}/{card.file}"
            if weights and _is_there(run, path):
                travelling[f"{place}/{path}".lstrip("/")] = _weights(run, path, card)
            else:
                left_out[path] = card.digests["weights"]
        own = Origin.find(run) or origin
        files[f"{place}/{Origin.FILE}".lstrip("/")] = as_json(
            own.model_copy(update={"left_out": left_out}).model_dump(mode="json")
        )
    files |= {path: _travelling(folder / path) for path in _own_files(folder, kind)}
    return Parcel(name, kind, files, travelling)


def _places(folder: Path, kind: Kind) -> Iterator[str]:
    """Where the runs of a result lie in it."""
    if kind == "run":
        status = read_record(folder).status
        if status == "running":
            raise DessinError(
                f"The run {folder} is not finished.", do=f"Finish it with dessin train --resume {folder}."
            )
        yield ""
    elif kind == "folds":
        group = FoldGroup.read(folder)
        if group.results is None:
            raise DessinError(
                f"The group of folds {folder} is not finished.",
                do=f"Finish it with dessin train --resume {folder}.",
            )
        yield from (fold_folder(folder, fold).name for fold in group.folds)
    else:
        for name, ended in _ended(folder).items():
            if ended.status != "failed":
                yield f"{RUNS}/{name}"


def _own_files(folder: Path, kind: Kind) -> Iterator[str]:
    """The files of a result that belong to none of its runs."""
    named: Iterable[str] = ()
    if kind == "folds":
        named = (FoldGroup.FILE, COMMITTEE_FILE, SPLIT_FILE, *_SET_FILES)
    if kind == "study":
        named = (STUDY_FILE, TEXT_FILE, SPLIT_FILE, *(f"{JOBS}/{name}.json" for name in _ended(folder)))
    yield from (path for path in named if _is_there(folder, path))


def _ended(folder: Path) -> dict[str, JobRecord]:
    found = ((job.name, ended_job(folder, job.name)) for job in StudyRecord.read(folder).jobs)
    return {name: record for name, record in found if record is not None}


def _checked(run: Path, record: RunRecord) -> BundleCard | None:
    """The card of a run's model, once its files say what its record does."""
    if record.status == "finished":
        split = own_split(run, record)
        for name in record.results:
            own_predictions(run, record, split, name)
    return read_card(run / BUNDLE) if (run / BUNDLE / CARD_FILE).is_file() else None


def _weights(run: Path, path: str, card: BundleCard) -> Weights:
    if sha256_file(run / path) != card.digests["weights"]:
        raise DessinError(f"{run / path} is not what the bundle's card says.", do="Restore it.")
    return Weights(run / path)


def _is_there(root: Path, path: str) -> bool:
    """Whether there is such a file; a link on the way to it is refused, for it may lead anywhere."""
    place = root
    for part in PurePosixPath(path).parts:
        place = place / part
        try:
            mode = place.lstat().st_mode
        except OSError:
            return False
        if stat.S_ISLNK(mode):
            raise DessinError(f"{place} is a link, and only files travel.", do="Put the file in its place.")
    return stat.S_ISREG(mode)


def _travelling(path: Path) -> bytes:
    """A file as it travels: tables as they are, of the others no path of this machine."""
    data = read_bytes(path, most=MOST_BYTES)
    if path.suffix == ".yaml":
        return without_paths(data.decode("utf-8", "replace")).encode()
    if path.suffix != ".json":
        return data
    values = parse_json(data.decode("utf-8-sig", "replace"), where=str(path))
    if path.name in (CARD_FILE, COMMITTEE_FILE) and isinstance(values, dict):
        # Their classes are names that answers are joined by.
        return as_json(values | {"provenance": _cleaned(values.get("provenance", {}))})
    return as_json(_cleaned(values))


def as_json(values: object) -> bytes:
    """As `write_json` writes it."""
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


# Keys whose value is a path and nothing else.
_PATHS: Final = frozenset({"path", "split", "curation", "training_curation", "data", "weights", "teacher"})
_WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:[\\/]|\\\\)[^\s\"'`,;()<>|]*")
_POSIX = re.compile(r"(?<![\w.~:/\\<%-])~?/[^\s\"'`,;:()<>|]+")


def without_paths(text: str) -> str:
    """A text whose absolute paths are their last names: `no /home/anna/a.csv` is `no a.csv`."""
    text = re.sub(r"file:/+", "/", text)
    text = _WINDOWS.sub(lambda found: PureWindowsPath(found.group()).name, text)
    return _POSIX.sub(lambda found: PurePosixPath(found.group()).name, text)


def _cleaned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, key) for each in value]
    if not isinstance(value, str):
        return value
    if key in _PATHS:
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            with suppress(ValueError):
                if path.is_absolute() or value.startswith("~"):
                    return path.name
    return without_paths(value)

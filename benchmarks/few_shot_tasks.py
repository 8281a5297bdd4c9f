"""The tasks of the few-shot benchmark: which drawings are trained on, and which are asked for afterwards.

A task is made once, as a folder with `train/` (the pictures and drawings.csv, all that a side gets to see),
`test/` (pictures with numbers for names, predicted when the clock has stopped) and `task.csv`, the key.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import dessin
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import read_split
from dessin.doodles.drawing import draw_doodle
from dessin.doodles.subjects import SUBJECTS
from dessin.fetch.quickdraw import draw, read_pool
from dessin.randomness import image_keys, permutation

T = TypeVar("T")

SEED = 0
FOLDS, HOLDOUT = 5, 0.2
PHOTO = r"^(.*)-\d+\.png$"
DOODLES_A_CLASS = 50
TITLES = {"sketchy": "Sketchy by photo", "quickdraw": "Quick, Draw!", "doodles": "dessin's doodles"}
TRAINING_TABLE = "drawings.csv"
_KEY, _FACTS = "task.csv", "task.json"
_KEY_COLUMNS = ("part", "file", "label", "group")


@dataclass(frozen=True)
class Drawing:
    """One drawing; `given` is the group that its owner knows of, `group` what the test part resamples."""

    image_id: str
    label: str
    group: str
    given: str = ""


@dataclass(frozen=True)
class Source:
    """Where a collection comes from: `kind` is sketchy, quickdraw, doodles or folder, `path` a folder.

    `group` and `split` are of a kind that is parted by groups: a regular expression or column, and a file
    that is used instead of a split made here.
    """

    name: str
    kind: str
    path: Path | None = None
    group: str | None = None
    split: Path | None = None


@dataclass(frozen=True)
class Task:
    """What a finished task folder says of itself.

    `seen`: the weights `drawn` that come with dessin were trained on these very drawings. `grouped`: the
    training table has a column `group`.
    """

    name: str
    title: str
    classes: int
    trained: int
    tested: int
    seen: bool
    grouped: bool


def few(drawings: Iterable[Drawing], k: int | None, seed: int = SEED) -> tuple[Drawing, ...]:
    """At most `k` drawings of each class, from as many of its groups as there are; None leaves all.

    The groups of a class give one drawing each in turn, in an order that depends on the seed and the names
    alone, so that fewer drawings are always among more of them. Sorted by image id.
    """
    of_class: dict[str, dict[str, list[Drawing]]] = defaultdict(lambda: defaultdict(list))
    every = sorted(drawings, key=lambda drawing: drawing.image_id)
    if k is None:
        return tuple(every)
    for drawing in _shuffled(every, lambda drawing: drawing.image_id, seed):
        of_class[drawing.label][drawing.group or drawing.image_id].append(drawing)
    chosen = []
    for groups in of_class.values():
        order = _shuffled(list(groups), str, seed)
        turns = [(turn, place) for place, name in enumerate(order) for turn in range(len(groups[name]))]
        chosen += [groups[order[place]][turn] for turn, place in sorted(turns)[:k]]
    return tuple(sorted(chosen, key=lambda drawing: drawing.image_id))


def rest(drawings: Iterable[Drawing], chosen: Sequence[Drawing]) -> tuple[Drawing, ...]:
    taken = {drawing.image_id for drawing in chosen}
    return tuple(drawing for drawing in drawings if drawing.image_id not in taken)


def _shuffled(items: Sequence[T], name: Callable[[T], str], seed: int) -> list[T]:
    return [items[i] for i in permutation(seed, "few shot", 0, image_keys([name(item) for item in items]))]


@dataclass(frozen=True)
class Pool:
    """What a source has: drawings to choose from, those to be tested (None: the rest), and their pictures."""

    training: tuple[Drawing, ...]
    tested: tuple[Drawing, ...] | None
    picture: Callable[[Drawing], bytes]


def make_task(source: Source, k: int | None, out: Path) -> Path:
    """The folder of a task below `out`, made unless it is there.

    Raises:
        DessinError: bad data, or a split that cannot be made.
    """
    name = source.name if k is None else f"{source.name}{k}"
    folder = out / "tasks" / name
    if folder.is_dir():
        return folder
    pool = _pool(source, out)
    chosen = few(pool.training, k)
    tested = rest(pool.training, chosen) if pool.tested is None else pool.tested
    part = folder.with_name(f"{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for drawing in chosen:
        _write(part / "train" / drawing.image_id, pool.picture(drawing))
    files = [f"{i:05d}{Path(drawing.image_id).suffix}" for i, drawing in enumerate(tested)]
    for file, drawing in zip(files, tested, strict=True):
        _write(part / "test" / file, pool.picture(drawing))
    grouped = any(drawing.given for drawing in chosen)
    columns = ["image_path", "label", *(["group"] if grouped else [])]
    rows = ([drawing.image_id, drawing.label, drawing.given][: len(columns)] for drawing in chosen)
    _table(part / "train" / TRAINING_TABLE, columns, rows)
    key = [["train", drawing.image_id, drawing.label, drawing.group] for drawing in chosen]
    key += [["test", file, d.label, d.group] for file, d in zip(files, tested, strict=True)]
    _table(part / _KEY, _KEY_COLUMNS, key)
    title = TITLES.get(source.kind, source.name) + (f", {k} a class" if k else ", all")
    classes = len({drawing.label for drawing in chosen})
    facts = Task(name, title, classes, len(chosen), len(tested), source.kind == "quickdraw", grouped)
    _write(part / _FACTS, json.dumps(asdict(facts), indent=1).encode())
    part.rename(folder)
    return folder


def read_task(folder: Path) -> Task:
    return Task(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))


def read_key(folder: Path, part: str) -> list[dict[str, str]]:
    """The rows `file`, `label` and `group` of one part, train or test."""
    with (folder / _KEY).open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["part"] == part]


def _pool(source: Source, out: Path) -> Pool:
    if source.kind == "doodles":
        return _doodles()
    if source.path is None:
        raise SystemExit(f"Where is {source.name}? Name its folder with --{source.name}.")
    if source.kind == "quickdraw":
        return _quickdraw(source.path)
    return _split(source, source.path, out)


def _split(source: Source, data: Path, out: Path) -> Pool:
    """The training part and the holdout of a split; a group is on one side of it."""
    file = source.split or out / "splits" / f"{source.name}.csv"
    if not file.is_file():
        dessin.split(data, out=file, folds=FOLDS, holdout=HOLDOUT, seed=SEED, group=source.group)
    collection, split = read_collection(data, group=source.group), read_split(file)
    given = {item.image_id: item.group for item in collection.items}
    parts = [
        tuple(Drawing(row.image_id, row.label, row.group, given[row.image_id]) for row in rows)
        for rows in (split.training(None), split.held_out())
    ]
    return Pool(parts[0], parts[1], lambda drawing: collection.path(drawing.image_id).read_bytes())


def _quickdraw(folder: Path) -> Pool:
    """Files of strokes, or the class folders that dessin fetch writes."""
    if not (files := sorted(folder.glob("*.ndjson"))):
        items = read_collection(folder).items
        every = tuple(Drawing(item.image_id, item.label, "") for item in items)
        return Pool(every, None, lambda drawing: (folder / drawing.image_id).read_bytes())
    lines = {
        f"{file.stem}/{key}.png": line
        for file in files
        for key, line in read_pool(file, file.stem, whole=True).lines.items()
    }
    every = tuple(Drawing(image_id, image_id.split("/")[0], "") for image_id in sorted(lines))
    return Pool(every, None, lambda drawing: draw(lines[drawing.image_id]))


def _doodles() -> Pool:
    """Without planted faults, whose labels would be wrong in the test part."""
    made = [
        draw_doodle(name, i, seed=SEED) for name in sorted(SUBJECTS) for i in range(1, DOODLES_A_CLASS + 1)
    ]
    data = {doodle.image_id: doodle.data for doodle in made}
    every = tuple(Drawing(image_id, image_id.split("/")[0], "") for image_id in sorted(data))
    return Pool(every, None, lambda drawing: data[drawing.image_id])


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        writer.writerows(rows)

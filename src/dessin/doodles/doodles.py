"""Doodles in mixed files, with faults planted as they happen to collections, and an answer key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from dessin.doodles.check import (
    DRAWINGS_FOLDER,
    KEY_FILE,
    AnswerKey,
    FaultIssue,
    PlantedFault,
    PlantedPhotograph,
)
from dessin.doodles.dice import Dice
from dessin.doodles.drawing import Doodle, draw_doodle, photograph_doodle
from dessin.doodles.page import Pixels, encode_pixels
from dessin.doodles.subjects import SUBJECTS
from dessin.errors import DessinError
from dessin.files import write_json
from dessin.folders import result_folder
from dessin.images.decode import decode
from dessin.progress import track

_DRAWN = 9  # of each class
_SECONDS = 4
Job = tuple[str, int]
_NONE: Mapping[Job, Doodle] = MappingProxyType({})
Symmetry = Callable[[Pixels], Pixels]
_SYMMETRIES: dict[str, Symmetry] = {
    "identity": lambda pixels: pixels,
    "hflip": lambda pixels: pixels[:, ::-1],
    "vflip": lambda pixels: pixels[::-1],
    "rot90": lambda pixels: np.rot90(pixels, 1),
    "rot180": lambda pixels: np.rot90(pixels, 2),
}
# Which way a quarter turn is counted, and from which image of the pair, is the auditor's choice.
_INVERSES = {"rot90": ("rot90", "rot270")}


class _Planter:
    """Adds files to the drawings folder, under the next free number of a class, and notes each fault."""

    def __init__(self, folder: Path, image_ids: Sequence[str]) -> None:
        self.folder = folder
        self.faults: list[PlantedFault] = []
        self.photographs: list[PlantedPhotograph] = []
        self.images = len(image_ids)
        self._ids = {image_id.rpartition(".")[0]: image_id for image_id in image_ids}
        self._counts = Counter(image_id.split("/")[0] for image_id in image_ids)

    def drawing(self, label: str, number: int) -> str:
        return self._ids[f"{label}/{label}_{number:03d}"]

    def add(self, label: str, suffix: str, data: bytes) -> str:
        self._counts[label] += 1
        self.images += 1
        image_id = f"{label}/{label}_{self._counts[label]:03d}{suffix}"
        (self.folder / image_id).write_bytes(data)
        return image_id

    def copy_file(self, source: str, label: str) -> str:
        return self.add(label, Path(source).suffix, (self.folder / source).read_bytes())

    def copy_pixels(self, source: str, label: str, symmetry: str, suffix: str, scale: float = 1.0) -> str:
        pixels = _SYMMETRIES[symmetry](decode((self.folder / source).read_bytes()).pixels)
        if scale != 1.0:
            size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
            pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
        return self.add(label, suffix, encode_pixels(np.ascontiguousarray(pixels), suffix))

    def photograph(self, doodle: Doodle) -> None:
        """Note that a file is a photograph."""
        shot = doodle.shot
        assert shot is not None
        corners = tuple((x, y) for x, y in shot.corners.round(5).tolist())
        self.photographs.append(
            PlantedPhotograph(
                image_id=doodle.image_id, corners=corners, ruling=shot.ruling, lamp=shot.lamp, turn=shot.turn
            )
        )

    def note(self, what: str, issue: FaultIssue, image_id: str, other_id: str = "", detail: str = "") -> None:
        details = _INVERSES.get(detail, (detail,)) if detail else ()
        fault = PlantedFault(what=what, issue=issue, image_id=image_id, other_id=other_id, details=details)
        self.faults.append(fault)


def plant_faults(
    folder: Path,
    image_ids: Sequence[str],
    classes: Sequence[str],
    seed: int,
    photographs: Mapping[Job, Doodle] = _NONE,
) -> AnswerKey:
    """Add the faulty files to the drawings in `folder` and return the key that names each of them.

    Those in `photographs` are there as photographs; a few of them are photographed once more.
    """
    planter = _Planter(folder, image_ids)
    _plant_copies(planter)
    _plant_turned_copies(planter)
    _plant_in_wrong_folders(planter)
    _plant_bad_files(planter, seed)
    _plant_second_photographs(planter, photographs, seed)
    skipped, faults = _plant_litter(folder), tuple(planter.faults)
    return AnswerKey(
        seed=seed,
        classes=tuple(classes),
        images=planter.images,
        faults=faults,
        skipped=skipped,
        photographs=tuple(planter.photographs),
    )


def _plant_second_photographs(planter: _Planter, photographs: Mapping[Job, Doodle], seed: int) -> None:
    """The sheets of a few photographs again: elsewhere, in another light, one lying on its side."""
    first: dict[str, int] = {}
    for (label, number), doodle in photographs.items():
        planter.photograph(doodle)
        first.setdefault(label, number)
    for count, (label, number) in enumerate(list(first.items())[:_SECONDS]):
        again = photograph_doodle(label, number, seed=seed, take=1, on_its_side=count == 1)
        image_id = planter.add(label, ".jpg", again.data)
        planter.photograph(replace(again, image_id=image_id))
        side, turn = (", on its side", "rot90") if count == 1 else ("", "identity")
        source = photographs[label, number].image_id
        planter.note(f"a sheet photographed again{side}", "near_duplicate", image_id, source, turn)


def _plant_copies(planter: _Planter) -> None:
    for label, number in (("bird", 4), ("house", 9)):
        source = planter.drawing(label, number)
        copy = planter.copy_file(source, label)
        planter.note("a copy of the file", "exact_duplicate", copy, source, "bytes")
    for label, number in (("car", 6), ("flower", 2)):
        source = planter.drawing(label, number)
        # Never the source's own format, which could give the very same bytes.
        suffix = ".bmp" if source.endswith(".png") else ".png"
        copy = planter.copy_pixels(source, label, "identity", suffix)
        planter.note("the same pixels in another kind of file", "exact_duplicate", copy, source, "pixels")


def _plant_turned_copies(planter: _Planter) -> None:
    turned = (
        ("boat", 3, "hflip", ".png", 1.0),
        ("chair", 5, "rot90", ".jpg", 1.0),
        ("fish", 8, "rot180", ".jpg", 0.7),
        ("cat", 1, "vflip", ".webp", 0.85),
        ("cup", 7, "identity", ".jpg", 0.6),
    )
    for label, number, symmetry, suffix, scale in turned:
        source = planter.drawing(label, number)
        copy = planter.copy_pixels(source, label, symmetry, suffix, scale)
        size = "" if scale == 1.0 else f" at {scale:.0%} of the size"
        planter.note(f"a copy, {symmetry}{size}", "near_duplicate", copy, source, symmetry)


def _plant_in_wrong_folders(planter: _Planter) -> None:
    source = planter.drawing("apple", 4)
    copy = planter.copy_file(source, "cup")
    planter.note("one file in two classes", "label_conflict", copy, source, "bytes")
    source = planter.drawing("house", 2)
    copy = planter.copy_pixels(source, "boat", "hflip", ".jpg", 0.8)
    planter.note("a mirrored copy in another class", "label_conflict", copy, source, "hflip")


def _plant_bad_files(planter: _Planter, seed: int) -> None:
    whole = (planter.folder / planter.drawing("key", 3)).read_bytes()
    broken = planter.add("key", Path(planter.drawing("key", 3)).suffix, whole[: len(whole) * 2 // 5])
    planter.note("a file that breaks off", "unreadable", broken)
    planter.note("an empty file", "unreadable", planter.add("car", ".png", b""))
    white = np.full((320, 420, 3), 255, dtype=np.uint8)
    planter.note("a blank page", "blank", planter.add("bird", ".png", encode_pixels(white, ".png")))
    doodle = draw_doodle("fish", 1000, seed=seed, faint=True)
    planter.note("a very faint drawing", "low_contrast", planter.add("fish", ".png", doodle.data))


def _plant_litter(folder: Path) -> tuple[str, ...]:
    """Files that a Mac leaves behind; a reader passes over them."""
    litter = {
        ".DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(64),
        "apple/._apple_001.png": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(64),
    }
    for path, data in litter.items():
        (folder / path).write_bytes(data)
    return tuple(litter)


def generate_doodles(
    out: Path, *, classes: int = 16, per_class: int = 30, seed: int = 0, photographs: float = 0.0
) -> AnswerKey:
    """Draw `classes` x `per_class` doodles into `out/drawings`, plant faults, write `out/answer_key.json`.

    The bytes depend on the arguments alone (and on the versions of Pillow and OpenCV). The planted files come
    on top of `per_class`. Of all doodles about a share of `photographs` are photographs of their sheets; the
    first nine of each class never are, since copies of them are planted.

    Raises:
        DessinError: too few or too many classes, no share, or an `out` that is not empty.
    """
    if not 12 <= classes <= len(SUBJECTS) or per_class < 10:
        raise DessinError(
            f"Doodles of {classes} classes with {per_class} drawings each cannot be made.",
            allowed=f"There are 12 to {len(SUBJECTS)} classes, of at least 10 drawings.",
        )
    if not 0 <= photographs <= 1:
        raise DessinError(
            f"A share of {photographs:g} of the doodles cannot be photographs.", allowed="It is from 0 to 1."
        )
    chance = photographs * per_class / max(1, per_class - _DRAWN)
    with result_folder(out, what="a set of doodles") as part:
        names = sorted(SUBJECTS)[:classes]
        jobs = [(name, number) for name in names for number in range(1, per_class + 1)]
        folder = part / DRAWINGS_FOLDER
        for name in names:
            (folder / name).mkdir(parents=True)

        def draw(job: Job) -> Doodle:
            shown = job[1] > _DRAWN and Dice(seed, f"photographed {job}").chance(chance)
            doodle = (photograph_doodle if shown else draw_doodle)(*job, seed=seed)
            (folder / doodle.image_id).write_bytes(doodle.data)
            return doodle

        with ThreadPoolExecutor(2) as pool:
            doodles = list(track(pool.map(draw, jobs), len(jobs), "Drawing doodles", unit="doodles"))
        shots = {job: doodle for job, doodle in zip(jobs, doodles, strict=True) if doodle.shot is not None}
        key = plant_faults(folder, [doodle.image_id for doodle in doodles], names, seed, shots)
        key = key.model_copy(update={"photographed": photographs})
        # A key without photographs is as it was before there were any.
        of_photographs = {"photographs", "photographed"} if not photographs else None
        write_json(part / KEY_FILE, key.model_dump(mode="json", exclude=of_photographs))
    return key

"""Who drew it: what file names and folders say, the option that is printed, and what says nothing."""

from __future__ import annotations

import hashlib
import shlex
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from dessin.collection.readers.collection import Collection, Item
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.folders import ClassFolders
from dessin.collection.readers.groups import group_by_pattern, whose
from dessin.errors import DessinError

CLASSES = ("cat", "dog", "alarm_clock", "house", "sun")
PUPILS = ("anna", "ben", "mia", "max", "emma", "noah", "olivia", "paul")


def collection(names: list[str], label: Callable[[str], str] = lambda name: name.split("/")[0]) -> Collection:
    items = tuple(Item(name, label(name)) for name in sorted(set(names)))
    return Collection(Path("drawings"), ClassFolders.name, items, CLASSES, {})


def partition(groups: dict[str, str]) -> set[frozenset[str]]:
    sets: dict[str, set[str]] = defaultdict(set)
    for image_id, group in groups.items():
        sets[group].add(image_id)
    return {frozenset(members) for members in sets.values()}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("{c}/{p}_{i}.jpg", "beginnings"),
        ("{c}/{p}-{i}.JPG", "beginnings"),
        ("{c}/{p}{i}.png", "beginnings"),
        ("{c}/{p} ({i}).png", "beginnings"),
        ("{c}/{p}_{c}_{i}.jpg", "beginnings"),
        ("{c}/{c}-{p}.jpg", "endings"),
        ("{c}/{c}_{p}_{i}.jpg", "middles"),
        ("{c}/{p}.jpeg", "names"),
        ("{c}/writer{n:04d}_{i}.jpg", "beginnings"),
        ("{c}/s{n:02d}_{c}.png", "beginnings"),
        ("{c}/ex03_writer{n:04d}.jpg", "endings"),
        ("{c}/pupil{n}.png", "names"),
    ],
)
def test_the_option_that_is_printed_groups_by_who_drew(name: str, what: str) -> None:
    whole = {
        name.format(c=c, p=p, i=i, n=2 * n): p for c in CLASSES for n, p in enumerate(PUPILS) for i in (1, 2)
    }
    found = whose(collection(list(whole)))
    assert found is not None
    assert (found.what, found.images, found.groups) == (what, len(whole), len(PUPILS))
    option, pattern = shlex.split(found.line[found.line.index("--group") :])[:2]
    items = group_by_pattern(collection(list(whole)).items, pattern.removesuffix(","))
    assert option == "--group"
    assert partition({item.image_id: item.group for item in items}) == partition(whole)


def test_drawings_of_one_photo_are_kept_together() -> None:
    """A class has photos of its own, each drawn several times; the names begin with the class's id."""
    names = [
        f"{c}/n0{k}_{7 * photo}-{i}.png" for k, c in enumerate(CLASSES) for photo in range(4) for i in (1, 2)
    ]
    found = whose(collection(names))
    assert found is not None
    assert (found.groups, found.what) == (20, "beginnings")


def digest(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def drawn(limit: int, *of: object) -> int:
    return int(digest(*of), 16) % limit


@pytest.mark.parametrize(
    "name",
    [
        lambda c, i: f"{c}/{i}.png",
        lambda c, i: f"{c}/{c}_{i}.png",
        lambda c, i: f"{c}/{c}{i}.png",
        lambda c, i: f"{c}/IMG_{2000 + drawn(7000, c, i)}.jpg",
        lambda c, i: f"{c}/img{i}.jpg",
        lambda c, i: f"{c}/DSC{i:05d}.JPG",
        lambda c, i: f"{c}/IMG_2024111{drawn(9, c, i)}_{100000 + drawn(99999, i, c)}.jpg",
        lambda c, i: f"{c}/WhatsApp Image 2024-11-1{drawn(9, c, i)} at 10.1{drawn(3, i, c)}.{i:02d}.jpeg",
        lambda c, i: f"{c}/IMG-2024111{drawn(9, c, i)}-WA{i:04d}.jpg",
        lambda c, i: f"{c}/2024-11-1{drawn(9, c, i)}_{i}.png",
        lambda c, i: f"{c}/{('IMG', 'DSC', 'scan', 'photo', 'PXL')[drawn(5, c, i)]}_{i}.jpg",
        lambda c, i: f"{c}/image ({i}).jpg",
        lambda c, i: f"{c}/{c}_img{i}.png",
        lambda c, i: f"{c}/{digest(c, i)}.png",
        lambda c, i: f"{c}/{digest(c, i)[:4]}.png",
        lambda c, i: f"{c}/{uuid.UUID(digest(c, i)[:32])}.png",
        lambda c, i: f"{c}/{CLASSES.index(c):04d}_{i:02d}.png",
        lambda c, i: f"{c}/n01440764_{drawn(20000, c, i)}.JPEG",
        lambda c, i: f"{c}/{'abcdefghijklmnopqrstuvwxyz'[i % 26]}.png",
        lambda c, i: f"{c}/{int(digest(c, i)[:13], 16)}.png",
    ],
)
@pytest.mark.parametrize("count", [20, 150])
def test_running_numbers_dates_digests_and_names_of_the_class_are_not_asked_about(
    name: Callable[[str, int], str], count: int
) -> None:
    assert whose(collection([name(c, i) for c in CLASSES for i in range(count)])) is None


def test_names_of_classes_are_no_people_where_some_lie_in_other_classes() -> None:
    """As when files were put to the wrong class, beside drawings whose names say when they were made."""
    kinds = ("bars", "ring", "wave")
    names = [f"{kind}/{kind}{i:02d}.png" for kind in kinds for i in range(5)]
    names += [f"bars/ring{i:02d}.png" for i in range(5, 12)]
    names += [f"{kind}/20261201-12594{i}-0ab{i}.png" for kind in kinds for i in range(2)]
    assert whose(collection(names)) is None
    korean = {"bars": "막대", "ring": "고리", "wave": "물결"}
    elsewhere = [
        name.replace(f"{kind}/", f"{korean[kind]}/")
        for name in names
        for kind in kinds
        if name.startswith(kind)
    ]
    elsewhere += [
        f"{korean[kind]}/20261201-125950-{end}.png" for kind, end in (("ring", "ab12"), ("wave", "cd34"))
    ]
    assert whose(collection(elsewhere)) is None
    mixed = [f"{kind}/{other}_{i}.png" for kind in kinds for other in kinds for i in range(5)]
    assert whose(collection(mixed)) is None


def test_whoever_named_groups_is_not_asked() -> None:
    names = [f"{c}/{p}_1.png" for c in CLASSES for p in PUPILS]
    items = group_by_pattern(collection(names).items, r"/(\w)")
    grouped = Collection(Path("drawings"), ClassFolders.name, items, CLASSES, {}, group_by="pattern")
    assert whose(grouped) is None


def touched(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"read by nobody")
    return root


THINGS = ("cat", "dog", "house", "sun", "tree")


@pytest.mark.parametrize(
    "pupils", [PUPILS, tuple(f"pupil{n:02d}" for n in range(6)), ("rose", "ben", *PUPILS)]
)
@pytest.mark.parametrize("outer", ["who", "what"])
def test_a_folder_for_each_pupil_is_a_layout(pupils: tuple[str, ...], outer: str, tmp_path: Path) -> None:
    whole = {
        (f"{p}/{c}/{i}.png" if outer == "who" else f"{c}/{p}/{i}.png"): (c, p)
        for c in THINGS
        for p in pupils
        for i in (1, 2)
    }
    found = read_collection(touched(tmp_path / "drawings", list(whole)))
    assert {item.image_id: (item.label, item.group) for item in found.items} == whole
    assert found.classes == THINGS
    assert "are taken for who drew" in found.notes[0]
    assert whose(found) is None
    again = read_collection(tmp_path / "drawings", group=r"(\d)\.png")
    assert {item.group for item in again.items} == {"1", "2"}


def test_two_levels_that_either_may_be_are_asked_about_and_a_file_says_which(tmp_path: Path) -> None:
    names = ("Uhr", "Schrank", "Zaun")
    root = touched(tmp_path / "drawings", [f"{p}/{c}/1.png" for p in PUPILS for c in names])
    with pytest.raises(DessinError, match=r"either level may be the classes.*classes\.txt"):
        read_collection(root)
    (root / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    found = read_collection(root)
    assert found.classes == tuple(sorted(names))
    assert {item.group for item in found.items} == set(PUPILS)


def test_folders_that_sort_and_a_few_pupils_are_no_groups(tmp_path: Path) -> None:
    for number, others in enumerate((("batch 1", "batch 2"), ("2023", "2024"), ("anna", "ben"))):
        for outer in (True, False):
            names = [f"{o}/{c}/1.png" if outer else f"{c}/{o}/1.png" for o in others for c in THINGS]
            found = read_collection(touched(tmp_path / f"{number}-{outer}", names))
            assert found.classes == THINGS
            assert not any(item.group for item in found.items)
            assert any(others[0] in note for note in found.notes)

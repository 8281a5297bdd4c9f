"""Families of classes, such as animals and dogs, where class labels are WordNet's.

WordNet 3.0 numbers its nouns file by file (acts, animals, artifacts, …), and inside a file it keeps most
branches together, so that ranges of ids stand for families (Miller, "WordNet: a lexical database for
English", CACM 1995). The ranges were checked against the lemmas and definitions that ship inside timm.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from dessin.collection.names import is_wnid, synset_table

_ENOUGH = 0.5  # below this share of labels that WordNet knows, shares of families would say little

# (first, beyond the last) of the noun ids; the single ids are the names of whole families.
_FAMILIES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "animals": ((15388, 15389), (1313093, 2666000)),
    "artifacts": ((21939, 21940), (2666000, 4616000)),
    "food": ((21265, 21266), (7555000, 7942000)),
    "plants and fungi": ((17222, 17223), (11530000, 13210000)),
    "people": ((7846, 7847), (9605000, 11400000)),
    "nature and places": ((8480000, 9605000), (11400000, 11530000)),
    "body": ((5216365, 5605000),),
}
_BRANCHES: Mapping[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "dogs": ("animals", ((2083672, 2114100),)),
    "other mammals": (
        "animals",
        ((1861778, 1905661), (2062017, 2083672), (2114100, 2152740), (2323449, 2511730)),
    ),
    "birds": ("animals", ((1503061, 1627424), (1789386, 1861778), (2000954, 2062017))),
    "fish": ("animals", ((1439121, 1503061), (2512053, 2666000))),
    "reptiles and amphibians": ("animals", ((1627424, 1767661),)),
    "insects and spiders": ("animals", ((1769347, 1784675), (2159955, 2316038))),
}


@dataclass(frozen=True)
class Family:
    """The labels of one family; `parent` is the family that it is a branch of, or empty."""

    name: str
    parent: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Families:
    """Families from the largest to the smallest, each followed by its branches.

    `known` of `classes` labels are WordNet's: ids, or names that are the first lemma of a noun.
    """

    by: Literal["wnid", "name"]
    known: int
    classes: int
    families: tuple[Family, ...]


def find_families(labels: Iterable[str]) -> Families | None:
    """The families of the labels; None where fewer than half of the labels are WordNet's."""
    labels = sorted(set(labels))
    ids = {label: int(label[1:]) for label in labels if is_wnid(label)}
    by: Literal["wnid", "name"] = "wnid" if ids else "name"
    if not ids:
        found = ((label, _id_of_name(label)) for label in labels)
        ids = {label: number for label, number in found if number is not None}
    if not labels or len(ids) < _ENOUGH * len(labels):
        return None
    members: dict[str, list[str]] = defaultdict(list)
    for label, number in ids.items():
        for name in (family_of(number), _branch_of(number)):
            if name:
                members[name].append(label)
    families = []
    for name in sorted(set(members) - set(_BRANCHES), key=lambda n: (-len(members[n]), n)):
        families.append(Family(name, "", tuple(members[name])))
        branches = [b for b in members if b in _BRANCHES and _BRANCHES[b][0] == name]
        for branch in sorted(branches, key=lambda n: (-len(members[n]), n)):
            families.append(Family(branch, name, tuple(members[branch])))
    return Families(by, len(ids), len(labels), tuple(families))


def family_of(number: int) -> str:
    """The family of a noun id, given as a number; what lies in no range is "other"."""
    return next((name for name, ranges in _FAMILIES.items() if _inside(number, ranges)), "other")


def _branch_of(number: int) -> str:
    return next((name for name, (_, ranges) in _BRANCHES.items() if _inside(number, ranges)), "")


def _inside(number: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= number < beyond for first, beyond in ranges)


def names_a_thing(label: str) -> bool:
    """Whether a label is a noun of WordNet's, or an id; in the plural too."""
    return is_wnid(label) or any(_id_of_name(name) is not None for name in (label, label.removesuffix("s")))


def _id_of_name(label: str) -> int | None:
    """The noun that a name most likely means: the family most of its senses are in, then the lowest id."""
    name = re.sub(r"\(.*?\)", "", label).replace("_", " ").strip().casefold()
    senses = _senses().get(name, ())
    if not senses:
        return None
    families = Counter(family_of(sense) for sense in senses)
    return min(senses, key=lambda sense: (-families[family_of(sense)], sense))


@functools.cache
def _senses() -> Mapping[str, tuple[int, ...]]:
    """Name → the ids of the nouns of which it is the first lemma."""
    senses: dict[str, list[int]] = defaultdict(list)
    for wnid, lemmas in synset_table("lemma").items():
        senses[lemmas.split(",")[0].strip().casefold()].append(int(wnid[1:]))
    return {name: tuple(ids) for name, ids in senses.items()}

"""A family map: every class in exactly one family, as `families.csv`, made by hand or proposed."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.collection.readers.walk import nfc
from dessin.errors import DessinError, listing, quoted, unknown
from dessin.files import digest_of, write_csv
from dessin.page.notebook import Shown
from dessin.reading import read_csv

COLUMNS = ("label", "family", "reason")


@dataclass(frozen=True)
class FamilyRow:
    """One class, its family, and why it is there."""

    label: str
    family: str
    reason: str = ""


@dataclass(frozen=True, repr=False)
class FamilyMap(Shown):
    """Rows sorted by label, one a class."""

    TABLE = "rows"

    rows: tuple[FamilyRow, ...]

    @functools.cached_property
    def family_of(self) -> Mapping[str, str]:
        """Label → family."""
        return {row.label: row.family for row in self.rows}

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The families, sorted."""
        return tuple(sorted({row.family for row in self.rows}))

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over which class is in which family; rewording a reason does not change it."""
        return digest_of([[row.label, row.family] for row in self.rows])

    def members(self, family: str) -> tuple[str, ...]:
        """The labels of a family, sorted."""
        return tuple(row.label for row in self.rows if row.family == family)

    def numbers(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """The number of each class's family in `names`, (C,)."""
        number = {name: i for i, name in enumerate(self.names)}
        return np.array([number[self.family_of[label]] for label in classes], dtype=np.int64)


def make_families(
    family_of: Mapping[str, str], classes: Sequence[str], reasons: Mapping[str, str] | None = None
) -> FamilyMap:
    """A map of exactly the given classes.

    Raises:
        DessinError: labels that are no class (the nearest is named), classes without a family, or families
            that part nothing: a single one, or every class alone.
    """
    for label in family_of:
        if label not in set(classes):
            raise unknown("label in the families", label, classes)
    missing = sorted(set(classes) - set(family_of))
    if missing:
        raise DessinError(
            f"{len(missing):,} of {len(classes):,} classes have no family: {listing(missing)}.",
            allowed="Every class is in exactly one family; it may be the only one in it.",
            do="Add a row for each.",
        )
    sizes = Counter(family_of.values())
    if len(sizes) == 1:
        raise DessinError(
            f'All {len(classes):,} classes are in one family, "{next(iter(sizes))}", so there is nothing to '
            "route.",
            allowed="A map has two families or more.",
        )
    if len(sizes) == len(classes):
        raise DessinError(
            "Every class is alone in its family, so families say no more than classes do.",
            allowed="At least one family has two classes or more.",
        )
    because = reasons or {}
    return FamilyMap(
        tuple(FamilyRow(label, family_of[label], because.get(label, "")) for label in sorted(family_of))
    )


def read_families(path: Path, classes: Sequence[str]) -> FamilyMap:
    """A `families.csv` for the given classes; the column `reason` may be missing.

    Raises:
        DessinError: no such file, a class twice or without a family's name, or what `make_families` refuses.
    """
    family_of: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for row in read_csv(path, COLUMNS[:2])[1]:
        label, family = nfc(row["label"].strip()), nfc(row["family"].strip())
        if label in family_of:
            raise DessinError(f"{path} has two rows for {quoted(label)}.", do="Keep one of them.")
        if not family:
            raise DessinError(
                f"{path}: the class {quoted(label)} has an empty family.", do="Name its family."
            )
        family_of[label], reasons[label] = family, row.get("reason", "")
    try:
        return make_families(family_of, classes, reasons)
    except DessinError as error:
        raise DessinError(f"{path}: {error.seen}", allowed=error.allowed, do=error.do) from None


def write_families(families: FamilyMap, path: Path) -> None:
    """Write `families.csv`, family by family, so that a person can read and change it."""
    rows = sorted(families.rows, key=lambda row: (row.family, row.label))
    write_csv(path, COLUMNS, map(astuple, rows))

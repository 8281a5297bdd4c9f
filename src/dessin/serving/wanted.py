"""What the columns of a sample submission want: a class's name, its number, or its probability."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from dessin.collection.readers.columns import whole
from dessin.collection.readers.contest import Contest
from dessin.collection.readers.walk import nfc
from dessin.errors import DessinError, listing
from dessin.page.numbers import number
from dessin.progress import say

# What stands where nothing is said yet.
_EMPTY = frozenset({"", "?", "-", "nan", "none", "null", "na", "n/a", "unknown"})
_HOW = (
    "An answer is the name or the number of a class as in train.csv, or there is a column of probabilities "
    "for each class."
)


@dataclass(frozen=True)
class Wanted:
    """Of one column: `texts`, class → what is written for it; or the class whose probability is written.

    `words` say it for people.
    """

    words: str
    texts: Mapping[str, str] = field(default_factory=dict)
    probability_of: str = ""


def as_targets(contest: Contest) -> Wanted:
    """The numbers of the classes, see `targets_of`."""
    numbers = targets_of(contest)
    whose = "as in train.csv" if contest.targets or are_numbers(contest) else "of the classes in their order"
    shown = [f"{number} {label}" for label, number in sorted(numbers.items(), key=lambda pair: pair[1])]
    return Wanted(
        f"numbers {whose} ({listing(shown, limit=3)})",
        {label: str(number) for label, number in numbers.items()},
    )


def targets_of(contest: Contest) -> dict[str, int]:
    """class → its number: as train.csv has it, the label itself where all are numbers, else its rank."""
    if contest.targets:
        return dict(contest.targets)
    ranks = {label: rank for rank, label in enumerate(contest.collection.classes)}
    return {label: int(label) for label in ranks} if are_numbers(contest) else ranks


def are_numbers(contest: Contest) -> bool:
    """Whether the labels of train.csv are numbers themselves."""
    numbers = {whole(label) for label in contest.collection.classes}
    return not contest.targets and None not in numbers and len(numbers) == len(contest.collection.classes)


def contest_labels(contest: Contest, model_classes: Sequence[str]) -> tuple[str, ...]:
    """The contest's label of each of the model's classes; both have the same ones.

    A model may also know them by the numbers of train.csv, or in another spelling (03 for 3, capitals); that
    is said.

    Raises:
        DessinError: the model lacks classes, or has others.
    """
    classes = contest.collection.classes
    if set(classes) == set(model_classes):
        return tuple(model_classes)
    names = {label: label for label in classes}
    numbers = {label: str(number) for label, number in contest.targets.items()}
    for what, texts in (("names", names), ("numbers of train.csv", numbers)):
        label_of = {key(text): label for label, text in texts.items()}
        found = tuple(label_of.get(key(label), "") for label in model_classes)
        if sorted(found) == sorted(classes):
            say(f"the model knows the classes by the {what}: {model_classes[0]} for {found[0]}")
            return found
    sides = (("contest", set(classes) - set(model_classes)), ("model", set(model_classes) - set(classes)))
    parts = [
        f"{number(len(labels))} only the {side} has ({listing(sorted(labels))})"
        for side, labels in sides
        if labels
    ]
    raise DessinError(
        f"The model and the contest do not have the same classes: {' and '.join(parts)}.",
        do="Use a model that was trained on this contest.",
    )


def wanted_by(sample: Path, contest: Contest, columns: Mapping[str, Sequence[str]]) -> dict[str, Wanted]:
    """What each column wants whose cells so far are `columns`.

    Raises:
        DessinError: where that is not plain.
    """
    if not columns:
        raise DessinError(
            f"{sample} has no column for the answers.", allowed=_HOW, do="Restore the contest's file."
        )
    if len(columns) > 1:
        probabilities = _class_columns(sample, contest, list(columns))
        if probabilities:
            return probabilities
    return {
        column: _of_column(sample, contest, column, {cell.strip() for cell in cells}, alone=len(columns) == 1)
        for column, cells in columns.items()
    }


def _class_columns(sample: Path, contest: Contest, columns: Sequence[str]) -> dict[str, Wanted]:
    """Each column is a class by its name or number; {} where none is one."""
    collection = contest.collection
    numbers = {label: str(number) for label, number in targets_of(contest).items()}
    ways = ({label: label for label in collection.classes}, collection.names, numbers)
    found = [_with_prefix(columns, texts) for texts in ways]
    best, texts = max(zip(found, ways, strict=True), key=lambda pair: len(pair[0]))
    if len(best) == len(columns) == len(texts):
        return {
            column: Wanted("the probabilities of the classes", probability_of=label)
            for column, label in best.items()
        }
    if len(best) * 2 > min(len(columns), len(texts)):
        strange = [column for column in columns if column not in best]
        missing = [text for label, text in texts.items() if label not in best.values()]
        said = [f"no class for the column {listing(strange)}"] * bool(strange)
        said += [f"no column for the class {listing(missing)}"] * bool(missing)
        raise DessinError(
            f"{sample} has columns for {len(best):,} classes, but there is {', and '.join(said)}.",
            allowed=_HOW,
            do="Restore the contest's files.",
        )
    return {}


def _with_prefix(columns: Sequence[str], texts: Mapping[str, str]) -> dict[str, str]:
    """column → class, by the classes' texts; also where all columns begin alike: class_3, prob_cat."""
    exact = {text: label for label, text in texts.items()}
    if set(columns) == set(exact):
        return exact
    # What the first and the last in order begin with, all do.
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(columns), max(columns), strict=False))
    shared = re.match(r".*[_\-. :]|", "".join(one for one, _ in alike))
    label_of = {key(text): label for text, label in exact.items()}
    for prefix in ("", shared[0] if shared else ""):
        spelt = {column: key(column.removeprefix(prefix)) for column in columns}
        found = {column: label_of[text] for column, text in spelt.items() if text in label_of}
        if len(found) > 1 and len(set(found.values())) == len(found):
            return found
    return {}


def key(text: str) -> str:
    """Spellings of one class: capitals, underscores, and 03 for 3."""
    plain = " ".join(text.casefold().replace("_", " ").split())
    value = whole(plain)
    return plain if value is None else str(value)


def _of_column(sample: Path, contest: Contest, column: str, cells: set[str], *, alone: bool) -> Wanted:
    """What one column wants, by the values that it holds and by what train.csv calls its own columns."""
    values = {cell for cell in cells if cell.casefold() not in _EMPTY or cell in contest.collection.classes}
    readings = _readings(contest, values)
    own = {"names": contest.label_column, "numbers": contest.target_column}
    named = next((kind for kind, name in own.items() if name.casefold() == column.casefold()), "")
    if named in readings:
        return readings[named]
    # Numbers in the column that holds names in train.csv are plain only where train.csv numbers the classes.
    plain = not named or contest.targets or "probabilities" in readings
    if len(readings) == 1 and alone and plain:
        return next(iter(readings.values()))
    shown = listing(sorted(values)) or "nothing"
    if readings and alone:
        ways = (
            "names or numbers" if len(readings) > 1 else "names, as that column of train.csv has, or numbers"
        )
        raise DessinError(
            f"{sample}, column {column}: it holds {shown}, and may want {ways} of classes.",
            allowed=_HOW,
            do="If it wants names, write one into it; if it wants numbers, give train.csv a column target "
            "with the number of each class.",
        )
    near = {key(label): label for label in contest.collection.classes}
    meant = next((near[key(value)] for value in sorted(values) if key(value) in near), "")
    raise DessinError(
        f"{sample}, column {column}: it holds {shown}, and dessin cannot tell what it wants; the classes of "
        f"train.csv are {listing(list(contest.collection.classes))}.",
        allowed=_HOW,
        do=f"Write {meant} as train.csv does."
        if meant
        else "Restore the contest's files, or rename its columns.",
    )


def _readings(contest: Contest, values: set[str]) -> dict[str, Wanted]:
    """names, numbers or probabilities: what a column of these values may want."""
    collection = contest.collection
    names = Wanted(
        f"labels as in train.csv ({listing(list(collection.classes), limit=3)})",
        {label: contest.written.get(label, label) for label in collection.classes},
    )
    numbers = as_targets(contest)
    numbered = contest.targets or are_numbers(contest)
    if not values:
        return {"names": names} | ({"numbers": numbers} if contest.targets else {})
    found: dict[str, Wanted] = {}
    if {nfc(value) for value in values} <= set(collection.classes):
        found["names"] = names
    elif values <= set(collection.names.values()):
        found["names"] = Wanted("names of classes for people", dict(collection.names))
    if all(map(_whole, values)):
        texts = {str(int(float(value))) for value in values}
        if are_numbers(contest):
            found["names"] = names
        elif len(texts) == 1 or texts <= set(numbers.texts.values()):
            found["numbers"] = numbers
    elif len(collection.classes) == 2 and all(map(_share, values)) and numbered:
        label = max(collection.classes, key=targets_of(contest).__getitem__)
        found["probabilities"] = Wanted(f"the probability of {label}", probability_of=label)
    return found


def _whole(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,18}(\.0+)?", text) is not None


def _share(text: str) -> bool:
    return re.fullmatch(r"(0?\.[0-9]+|[01](\.0*)?)", text) is not None

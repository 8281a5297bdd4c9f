"""What belongs together: the groups that a user names, and what file names say of them where nobody did."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dessin.collection.readers.collection import Collection, Item
from dessin.errors import DessinError, quoted
from dessin.language import Phrase, phrase
from dessin.page.numbers import number

_LONGEST_PATTERN = 200
# Words that sort pictures, or say what any picture is, without saying what it shows or whose it is.
PLAIN = frozenset({
    "batch", "page", "pages", "scan", "scans", "set", "part", "folder", "dir", "session", "img", "imgs",
    "image", "images", "photo", "photos", "picture", "pictures", "day", "week", "month", "year", "round",
    "run", "pass", "version", "original", "originals", "new", "old", "raw", "data", "drawings",
})  # fmt: skip
# What cameras, phones, scanners and programs write into names.
_MACHINE = PLAIN | {
    "dsc", "dscn", "dscf", "pict", "pic", "pxl", "mvimg", "wa", "whatsapp", "screenshot", "screen", "shot",
    "scanned", "document", "doc", "file", "untitled", "download", "copy", "of", "at", "am", "pm", "drawing",
    "sketch", "doodle", "figure", "fig", "item", "sample", "example", "test", "train", "val", "no", "nr",
    "num", "foto", "bild", "zeichnung", "kopie", "dessin", "copie", "imagen", "dibujo", "copia", "immagine",
}  # fmt: skip
_PEOPLE = frozenset({
    "artist", "author", "child", "kid", "participant", "person", "proband", "pupil", "student", "subject",
    "user", "writer", "kind", "schüler", "schueler", "eleve", "élève", "enfant", "alumno", "niño",
})  # fmt: skip
# (regular expression, what its group is of a name, whether a number follows it): the plainest first. Longer
# numbers are times of day.
WAYS = (
    (r"([^/]+)[-_. ]\d{1,4}\.\w+$", "beginnings", True),
    (r"([^/]+) \(\d+\)\.\w+$", "beginnings", True),
    (r"(?:^|[-_ /])([^\W\d_]+)\d{1,4}\.\w+$", "beginnings", True),
    (r"(?:^|/)([^/\-_. ]+)[-_ ][^/]+$", "beginnings", False),
    (r"[-_ ]([^/\-_. ]+)[-_ ]\d{1,4}\.\w+$", "middles", False),
    (r"[-_ ]([^/\-_. ]+)\.\w+$", "endings", False),
    (r"([^/]+)\.\w+$", "names", False),
)
_FEWEST = 3
# So many can be dealt into the usual folds.
ENOUGH = 5


def group_by_pattern(items: Sequence[Item], pattern: str) -> tuple[Item, ...]:
    """Items with the pattern's first capture group, or its whole match, as their group.

    The pattern is searched in the whole image_id; an image it does not match stays without a group.

    Raises:
        DessinError: the pattern does not compile, is longer than 200 characters or matches no image.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise DessinError(
            f"The --group pattern has {len(pattern)} characters.",
            allowed=f"At most {_LONGEST_PATTERN}.",
            do="Shorten it, or give the groups as a column of a CSV.",
        )
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DessinError(
            f'The --group pattern "{quoted(pattern)}" is not a regular expression: {error}.', do="Correct it."
        ) from None
    which = min(compiled.groups, 1)
    found = (compiled.search(item.image_id) for item in items)
    grouped = tuple(
        replace(item, group=(match and match[which]) or "") for item, match in zip(items, found, strict=True)
    )
    if not any(item.group for item in grouped):
        raise DessinError(
            f'The --group pattern "{quoted(pattern)}" matches none of the {len(items):,} images, such as '
            f"{items[0].image_id}.",
            allowed="It is a regular expression over the image id, or the name of a column of the CSV.",
            do="Correct it, or leave --group away.",
        )
    return grouped


@dataclass(frozen=True)
class Hands:
    """What file names say of who drew, or of what photo: `groups` of `images` names share `what`.

    `pattern` is the regular expression for --group; `example` is one group of two or more.
    """

    pattern: str
    what: str
    images: int
    groups: int
    example: str

    @property
    def option(self) -> str:
        return f"--group {shlex.quote(self.pattern)}"

    @property
    def line(self) -> Phrase:
        return phrase(
            "{names} names share {groups} {parts}, such as {example}: the same photo or pupil? Then add "
            "{option}, "
            "or the model is tested on hands that it has seen.",
            names=number(self.images),
            groups=number(self.groups),
            parts=phrase(self.what),
            example=quoted(self.example, 40),
            option=self.option,
        )


def whose(collection: Collection) -> Hands | None:
    """What the file names say, where nobody named groups; None where they are running numbers, or of one
    kind in each class."""
    items = collection.items
    if collection.group_by or any(item.group for item in items):
        return None
    found = [hands for way in WAYS if (hands := _said(items, *way))]
    # The coarsest that can still be dealt into folds: anna of anna_cat_1 and anna_dog_2.
    return min(found, key=lambda hands: (hands.groups < ENOUGH, hands.groups), default=None)


def _said(items: Sequence[Item], pattern: str, what: str, numbered: bool) -> Hands | None:
    try:
        grouped = group_by_pattern(items, pattern)
    except DessinError:  # it matches none
        return None
    sizes = Counter(item.group for item in grouped if item.group)
    several = {group: size for group, size in sizes.items() if size > 1}
    images = sum(several.values())
    if len(several) < _FEWEST or 3 * images < 2 * len(items) or 2 * max(several.values()) > len(items):
        return None
    inside: dict[str, set[str]] = defaultdict(set)
    for item in grouped:
        inside[item.label].update({item.group} & several.keys())
    # Names that go with the class, or are one, say what is drawn, not who drew it.
    classes = {label.casefold() for label in inside}
    if (
        2 * sum(len(groups) > 1 for groups in inside.values()) < len(inside)
        or 2 * sum(group.casefold() in classes for group in several) >= len(several)
        or not _tell(several, what, numbered)
    ):
        return None
    largest = min(several, key=lambda group: (-several[group], group))
    return Hands(pattern, what, images, len(several), largest)


def _tell(groups: Iterable[str], what: str, numbered: bool) -> bool:
    """Whether groups can name people or photos, rather than being running numbers, dates or digests."""
    groups = list(groups)
    starts = {re.sub(r"\d+$", "", group) for group in groups}
    if len(starts) == 1:  # one word with numbers: writer01, writer02
        (start,) = starts
        words = set(_words(start))
        letter = len(start) == 1 and what != "names"
        return letter or bool(words & _PEOPLE) or (numbered and bool(words - _MACHINE))
    if not numbered and 2 * len(starts) < len(groups):  # anna_1, anna_2: a finer way than there is
        return False
    return 5 * sum(_tells(group, numbered) for group in groups) >= 4 * len(groups)


def _tells(group: str, numbered: bool) -> bool:
    words = set(_words(group)) - _MACHINE
    if numbered:
        return bool(words)
    digest = re.fullmatch(r"[0-9a-f-]{8,}", group.lower()) and re.search(r"\d", group)
    return not digest and any(len(word) > 1 for word in words)


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[^\W\d_]+", text)]


def are_people(names: Sequence[str]) -> bool:
    """Whether names are such as pupil01 or writer_7."""
    return bool(names) and all(re.search(r"\d", n) and set(_words(n)) & _PEOPLE for n in names)

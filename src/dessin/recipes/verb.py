"""The verb `recipes`: what comes with dessin to train by, what to expect, and how a name finds its file."""

from __future__ import annotations

import re
import shutil
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final, Literal

from dessin.errors import DessinError, unknown
from dessin.folders import result_folder
from dessin.language import tr, translated
from dessin.page.notebook import ShownTuple
from dessin.page.numbers import counted
from dessin.page.tables import terminal_width
from dessin.progress import say

Kind = Literal["recipe", "study"]

FOLDER: Final = Path(__file__).parent
TITLES: Final[dict[Kind, str]] = {"recipe": "Recipes", "study": "Studies"}
USED_BY: Final[dict[Kind, str]] = {"recipe": "train", "study": "study"}
# How the sentence of a head comment begins that holds the figure to expect.
FIGURES: Final = ("Expect", "Measured", "On the contest's")
_WIDEST = 110


@dataclass(frozen=True)
class PackagedRecipe:
    """A file that comes with dessin: what it is or asks, and the figure to expect, from its head comment."""

    name: str
    kind: Kind
    sentence: str
    expect: str
    path: Path


def recipes(*, copy: str | Path | None = None) -> ShownTuple[PackagedRecipe]:
    """List the recipes and studies that come with dessin, each with the figure to expect.

    Args:
        copy: A new folder that gets all of them as files, to be read and changed.

    Returns:
        The recipes, then the studies.

    Raises:
        DessinError: a folder `copy` that is in use.
    """
    found = ShownTuple(packaged())
    if copy is not None:
        with result_folder(Path(copy), what="a copy of the recipes") as part:
            for each in found:
                target = part / each.path.relative_to(FOLDER)
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(each.path, target)
    width = min(terminal_width() or _WIDEST, _WIDEST)
    indent = " " * (2 + max(len(each.name) for each in found) + 2)
    for kind, title in TITLES.items():
        say(f"{translated(title)}: dessin {USED_BY[kind]} NAME --data DATA --split split.csv")
        for each in found:
            if each.kind == kind:
                first, *rest = textwrap.wrap(f"{each.sentence} {each.expect}", width - len(indent))
                say(f"  {each.name}".ljust(len(indent)) + first)
                for line in rest:
                    say(indent + line)
    if copy is not None:
        files = counted(len(found), "file")
        say(tr("{files} are in {folder}; a changed one is used by its path.", files=files, folder=copy))
    return found


def packaged() -> tuple[PackagedRecipe, ...]:
    """All recipes, then all studies, by name."""
    files = sorted(FOLDER.rglob("*.yaml"), key=lambda path: path.stem)
    return tuple(sorted(map(_described, files), key=lambda each: each.kind))


def recipe_file(given: str | Path, kind: Kind = "recipe") -> Path:
    """The file of a recipe or study that is given by its path or by the name of one that comes with dessin.

    Raises:
        DessinError: an unknown name (the nearest is named), a path that is not there where the name would do,
            or a study in the place of a recipe or the other way round.
    """
    path = Path(given)
    # A name that is too long is none; whoever reads it says so.
    with suppress(OSError):
        if path.is_file():
            return path
    by_name = {each.name: each for each in packaged()}
    is_path = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    found = by_name.get(path.stem if is_path else str(given))
    if is_path and found is not None:
        raise DessinError(
            f"There is no file {path}.",
            do=f"Its name alone will do: {found.name}.",
        )
    if is_path:
        return path
    if found is None:
        names = [each.name for each in by_name.values() if each.kind == kind]
        raise unknown(kind, given, names, do="One of your own is given as a path that ends in .yaml.")
    if found.kind != kind:
        raise DessinError(
            f"{found.name} is a {found.kind}, not a {kind}.", do=f"Use dessin {USED_BY[found.kind]}."
        )
    return found.path


def _described(path: Path) -> PackagedRecipe:
    """What the head comment says before its first command: a sentence, and the one with the figure."""
    text = path.read_text(encoding="utf-8")
    lines = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    before = takewhile(lambda line: not line.startswith("dessin "), lines)
    sentence, *rest = re.split(r"(?<=[.?!])\s+(?=[A-Z(])", " ".join(" ".join(before).split()))
    expect = next((each for each in rest if each.startswith(FIGURES)), rest[0])
    kind: Kind = "study" if "\nhypothesis:" in text else "recipe"
    return PackagedRecipe(path.stem, kind, sentence, expect, path)

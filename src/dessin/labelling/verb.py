"""The verb `label`: names for drawings that have none, by keys in the terminal, the most useful first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import cv2
import numpy as np

from dessin.errors import DessinError
from dessin.images.decode import decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.paths import image_path
from dessin.images.spec import ImageSpec
from dessin.labelling.images import read_unlabelled
from dessin.labelling.session import Session, describe_outlook
from dessin.language import tr, tr_n
from dessin.ops import names
from dessin.page.notebook import ShownPath
from dessin.page.tables import printable
from dessin.progress import on_stop, say

_MORE = 50
# A drawing in letters: two rows of pixels a line.
_WIDE = 48
_FAINTEST, _SHARE = 12.0, 0.4
_HALVES = " ▄▀█"
_STOP, _ASIDE, _UNDO, _NEW = "q", "s", "u", "n"


def label(
    data: str | Path,
    *,
    out: str | Path,
    classes: str | Sequence[str] = (),
    model: str = "tf_efficientnet_lite0",
    limit: Annotated[int | None, "from 1"] = None,
) -> ShownPath:
    """Name drawings that have no label, the most useful first, by the keys 1 to 9.

    First it asks about typical drawings of each kind, then about those that it is unsure of and that differ.
    It says what another fifty labels would bring. The labels are kept after every key; the same command goes
    on, and the table is a collection: `dessin audit labels.csv`.

    Args:
        data: The drawings, in any folders.
        out: The table of labels (.csv), in the folder itself or beside it.
        classes: Names of classes that you know of; others are typed as they come.
        model: The frozen backbone by which drawings are alike.
        limit: Stop after so many answers.

    Returns:
        The table's path.

    Raises:
        DessinError: no drawings that can be read, or a table that belongs to another folder.
    """
    root, out = Path(data), Path(out)
    check_terminal()
    session = Session.begin(read_unlabelled(root, model), out, names(classes))
    with on_stop(f"The labels so far are in {out}: the same command goes on."):
        _ask_all(session, limit)
    _say_outlook(session)
    said = tr_n("{n} label in {file}", "{n} labels in {file}", len(session.labels), file=out)
    return ShownPath(out).with_words(out.name, said)


def check_terminal() -> None:
    """Refuse to wait for keys that nobody can press."""
    if not sys.stdin.isatty():
        raise DessinError(
            "Labels are given by keys, and there is no terminal here.", do="Run dessin label in a terminal."
        )


def _ask_all(session: Session, limit: int | None) -> None:
    say(tr("1-9: the class; n: another class; s: put aside; u: undo; q: stop"))
    asked = 0
    while (limit is None or asked < limit) and (row := session.ask()) is not None:
        if not _ask_one(session, row):
            return
        asked += 1
        if len(session.labels) % _MORE == 0:
            _say_outlook(session)


def _ask_one(session: Session, row: int) -> bool:
    """Ask about one drawing until it is named or put aside; whether to go on."""
    path = image_path(session.drawings.root, session.drawings.image_ids[row])
    shown = session.suggested(row)
    for line in (*preview(path), printable(session.drawings.image_ids[row])):
        say(line)
    say("  ".join(f"{number} {printable(name)}" for number, name in enumerate(shown, 1)))
    while True:
        key = _key()
        if key == _STOP:
            return False
        if key == _ASIDE:
            session.put_aside(row)
            return True
        if key == _UNDO:
            session.undo()
            return True
        if key == _NEW:
            name = click.prompt(tr("The class"), type=str).strip()
            if name:
                session.answer(row, name)
                return True
        elif key.isdecimal() and 1 <= int(key) <= len(shown):
            session.answer(row, shown[int(key) - 1])
            return True


def _key() -> str:
    try:
        return click.getchar()
    except EOFError:
        return _STOP


def preview(path: Path) -> list[str]:
    """A drawing in letters, two pixels a letter; empty lines around it are left out."""
    spec = ImageSpec(size=_WIDE * 4, colour="gray")
    gray = prepare(decode(read_image_bytes(path)).pixels, spec, "bilinear").reshape(spec.size, spec.size)
    # As far from the paper as any ink is: pencil is faint, and chalk is lighter than its board.
    gap = np.abs(gray.astype(np.float32) - np.median(gray))
    small = cv2.resize(cv2.dilate(gap, np.ones((3, 3))), (_WIDE, _WIDE), interpolation=cv2.INTER_AREA)
    ink = small > max(_FAINTEST, _SHARE * float(small.max()))
    return [
        "".join(_HALVES[2 * int(a) + int(b)] for a, b in zip(*pair, strict=True)).rstrip()
        for pair in zip(ink[::2], ink[1::2], strict=True)
        if pair[0].any() or pair[1].any()
    ]


def _say_outlook(session: Session) -> None:
    count = len(session.labels)
    say(tr_n("{n} label in {file}", "{n} labels in {file}", count, file=session.file))
    say(describe_outlook(session.outlook(_MORE)))

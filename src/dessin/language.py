"""In which language dessin speaks: every text for people goes through `tr`, which finds its translation.

English is the text itself. Another language is a catalogue, `languages/ko.po` (gettext); what it has no
translation of stays English, and a test holds each catalogue against the code.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from typing import Final

from dessin.errors import DessinError, listing, quoted

LANGUAGES: Final = ("en", "ko")
VARIABLE: Final = "DESSIN_LANGUAGE"
_SYSTEM: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_spoken: ContextVar[str] = ContextVar("spoken", default="")


def language() -> str:
    """The language of texts: the one that was chosen, else that of `DESSIN_LANGUAGE`, else the system's.

    Raises:
        DessinError: `DESSIN_LANGUAGE` names one that dessin has not.
    """
    if chosen := _spoken.get():
        return chosen
    if asked := os.environ.get(VARIABLE, ""):
        return _known(asked, VARIABLE)
    system = next((value for name in _SYSTEM if (value := os.environ.get(name))), "")
    found = system.replace(".", "_").partition("_")[0].lower()
    return found if found in LANGUAGES else "en"


@contextmanager
def speaking(wanted: str, source: str = "--language") -> Iterator[None]:
    """Inside, this language is spoken; an empty one changes nothing.

    Raises:
        DessinError: dessin has no such language.
    """
    token = _spoken.set(_known(wanted, source) if wanted else _spoken.get())
    try:
        yield
    finally:
        _spoken.reset(token)


def _known(wanted: str, source: str) -> str:
    if wanted not in LANGUAGES:
        raise DessinError(
            f"dessin does not speak {quoted(wanted)} ({source}).",
            allowed=f"It speaks {listing(list(LANGUAGES))}.",
            do="Give one of these.",
        )
    return wanted


def tr(text: str, **values: object) -> str:
    """The text in the language that is spoken, with the values in their places (`{name}`)."""
    return translated(text).format(**values)


def tr_n(one: str, many: str, n: int, **values: object) -> str:
    """Like `tr`, of one or of several things: `n` chooses the form, and is a value."""
    form = _catalogue(language()).ngettext(one, many, n)
    return form.format(n=f"{n:,}".replace(",", "\u202f"), **values)


def translated(text: str) -> str:
    """The text as the catalogue has it, its places still open."""
    return _catalogue(language()).gettext(text) if text else ""


@cache
def _catalogue(spoken: str) -> NullTranslations:
    if spoken == "en":
        return NullTranslations()
    # Only who speaks another language waits for babel. gettext reads the compiled form alone.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (resources.files("dessin") / "languages" / f"{spoken}.po").open("rb") as file:
        catalogue = read_po(file, locale=spoken, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)

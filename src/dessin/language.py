"""In which language dessin speaks: every text for people goes through `tr`, which finds its translation.

English is the text itself. Another language is a catalogue, `languages/ko.po` (gettext); what it has no
translation of stays English. `make catalogues` brings it up to date, and a test holds it against the code.

Errors, and what is kept in files, are in English, for programs rely on it. `retold` finds what an English
text was made of, and says it in the language that is spoken.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path
from string import Formatter
from typing import Final, Self

from dessin.errors import DessinError, listing, quoted

FOLDER: Final = Path(__file__).with_name("languages")
LANGUAGES: Final = ("en", *sorted(path.stem for path in FOLDER.glob("*.po")))
VARIABLE: Final = "DESSIN_LANGUAGE"
_SYSTEM: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_chosen: ContextVar[str] = ContextVar("chosen", default="")
# Where a kept text can be cut: into sentences, their clauses, and what a colon leads to.
_CUTS: Final = tuple(map(re.compile, (r"(?<=[.!?]) ", r"(?<=;) ", r"(?<=:) ")))
_ENDS: Final = ".;:"
# What stands before a line, and the letters of its own that a text needs to be known by them.
_LEAD: Final = " \n=->"
_LEAST_LETTERS: Final = 4
# Places of a figure alone; all others hold no more than a clause, or clauses that a colon leads to.
_FIGURES: Final = ("n", "seconds", "minutes", "hours")
_FIGURE, _CLAUSE, _CLAUSES = r"[\d.,\u202f]+", r"(?:(?![.!?;] ).)*?", r"(?:(?![.!?] ).)*?"


def language() -> str:
    """The language of texts: the one that was chosen, else that of `DESSIN_LANGUAGE`, else the system's.

    Raises:
        DessinError: `DESSIN_LANGUAGE` names one that dessin has not.
    """
    if chosen := _chosen.get():
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
    token = _chosen.set(_known(wanted, source) if wanted else _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


def own_name(code: str) -> str:
    """What a language calls itself, as its catalogue says."""
    found = (
        re.search(r"^X-Own-Name: (.*)$", translations(code)[""][0], re.MULTILINE) if code != "en" else None
    )
    return found[1] if found else "English"


def _known(wanted: str, source: str) -> str:
    if wanted not in LANGUAGES:
        raise DessinError(
            f"dessin does not speak {quoted(wanted)} ({source}).",
            allowed=f"It speaks {listing(LANGUAGES)}.",
            do="Give one of these.",
        )
    return wanted


class Phrase(str):
    """A few words to be put into a sentence: English, and in the language of whatever sentence takes them.

    So an f-string, an error or a record has them in English, and `tr` and a page as they are `spoken`.
    """

    spoken: str

    def __new__(cls, english: str, spoken: str) -> Self:
        phrase = super().__new__(cls, english)
        phrase.spoken = spoken
        return phrase

    def __reduce__(self) -> tuple[type[Phrase], tuple[str, str]]:
        return Phrase, (str(self), self.spoken)


def spoken(text: str) -> str:
    """A text as a translated sentence, or a page, has it."""
    return text.spoken if isinstance(text, Phrase) else text


def _spoken_all(values: Mapping[str, object]) -> dict[str, object]:
    return {name: spoken(value) if isinstance(value, str) else value for name, value in values.items()}


def tr(text: str, **values: object) -> str:
    """The text in the language that is spoken, with the values in their places (`{name}`)."""
    return translated(text).format(**_spoken_all(values))


def tr_n(one: str, many: str, n: int, **values: object) -> str:
    """Like `tr`, of one or of several things: `n` chooses the form, and is a value."""
    catalogue = _catalogue(language())
    forms = catalogue.forms.get(one)
    text = forms[catalogue.plural(n)] if forms else one if n == 1 else many
    return text.format(n=f"{n:,}".replace(",", "\u202f"), **_spoken_all(values))


def phrase(text: str, **values: object) -> Phrase:
    """A `Phrase` of a text with values."""
    return Phrase(text.format(**values), tr(text, **values))


def phrase_n(one: str, many: str, n: int) -> Phrase:
    """A `Phrase` of one or of several things."""
    english = (one if n == 1 else many).format(n=f"{n:,}".replace(",", "\u202f"))
    return Phrase(english, tr_n(one, many, n))


def translated(text: str) -> str:
    """The text as the catalogue has it, its places still open."""
    return _catalogue(language()).forms.get(text, (text,))[0]


def retold(text: str) -> str:
    """An English text that was kept, such as a record's reason or an error, in the language that is spoken.

    The catalogue is searched for what it was made of: `3 of 8 runs` for `{n} of {all} runs`. What is not
    found whole is told by its sentences and clauses, and what is not found at all stays as it is.
    """
    if isinstance(text, Phrase):
        return text.spoken
    if language() == "en" or not text:
        return text
    lead = text[: len(text) - len(text.lstrip(_LEAD))]
    for begin in dict.fromkeys(("", lead)):
        if (whole := _retold(text.removeprefix(begin))) is not None:
            return begin + whole
    parts = next((found for cut in _CUTS if len(found := cut.split(text)) > 1), ())
    return " ".join(map(retold, parts)) or text


def retold_error(error: DessinError) -> str:
    """An error in the language that is spoken; as it is, where that is what is wrong."""
    try:
        return " ".join(retold(part) for part in (error.seen, error.allowed, error.do) if part)
    except DessinError:
        return str(error)


def _retold(text: str) -> str | None:
    forms, bare = _catalogue(language()).forms, text.rstrip(_ENDS)
    for kept, end in ((text, ""), (bare, text[len(bare) :])):
        if kept in forms:
            return forms[kept][0] + end
        for form in _forms(language()):
            values = form.values(kept)
            if values is not None:
                told = {name: _told_within(value, end) for name, value in values.items()}
                return form.translation.format(**told) + end
    return None


def _told_within(value: str, end: str) -> str:
    """What fills a place; a sentence may have lost its end to the text around it."""
    # A single word may be a name; a clause is one of dessin.
    if " " not in value:
        return value
    found = (retold(each).removesuffix(end) for each in (value, value + end))
    return next((told for told in found if told != value), value)


@dataclass(frozen=True)
class _Form:
    """A text with places, as its letters between them and as a pattern, and its translation."""

    between: tuple[str, ...]
    pattern: re.Pattern[str]
    translation: str

    def values(self, text: str) -> dict[str, str] | None:
        """What fills the places, where `text` can be made of it."""
        at = 0
        for literal in self.between:
            at = text.find(literal, at)
            if at < 0:
                return None
            at += len(literal)
        found = self.pattern.fullmatch(text)
        return found.groupdict() if found else None


@cache
def _forms(code: str) -> tuple[_Form, ...]:
    """The texts with places, those with most letters first: they say most exactly what a text is."""
    found: list[tuple[int, _Form]] = []
    for english, forms in _catalogue(code).forms.items():
        pieces = [(literal, name) for literal, name, _, _ in Formatter().parse(english)]
        names = [name for _, name in pieces if name]
        letters = sum(character.isalpha() for literal, _ in pieces for character in literal)
        known = letters >= _LEAST_LETTERS or all(name in _FIGURES for name in names)
        if names and known and len(set(names)) == len(names):
            led = re.search(r": \{(\w+)\}\.?$", english)
            last = led[1] if led else ""
            parts = (re.escape(text) + (_place(name, last) if name else "") for text, name in pieces)
            # What ends a clause is no part of what fills its last place.
            end = r"(?<![.;:])" if pieces[-1][1] else ""
            pattern = re.compile("".join(parts) + end, re.DOTALL)
            found.append((letters, _Form(tuple(text for text, _ in pieces), pattern, forms[-1])))
    found.sort(key=lambda each: (each[0], sum(map(len, each[1].between))), reverse=True)
    return tuple(form for _, form in found)


def _place(name: str, last: str) -> str:
    """`last` is the place that a colon leads to at the end."""
    return f"(?P<{name}>{_FIGURE if name in _FIGURES else _CLAUSES if name == last else _CLAUSE})"


@dataclass(frozen=True)
class _Catalogue:
    """Texts with the forms of their translations, and which form is for how many."""

    forms: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]


@cache
def _catalogue(code: str) -> _Catalogue:
    if code == "en":
        return _Catalogue({}, int)
    forms = translations(code)
    # A sentence that is put behind another begins with a blank, and is looked up without it.
    behind = {text.lstrip(" "): forms[text] for text in forms if text.startswith(" ")}
    forms |= {
        text: tuple(form.lstrip(" ") for form in found) for text, found in behind.items() if text not in forms
    }
    rule = re.search(r"plural=(.*?);", forms[""][0])
    return _Catalogue(forms, c2py(rule[1] if rule else "n != 1"))


def translations(code: str) -> dict[str, tuple[str, ...]]:
    """What a catalogue has, by its English: a form, or of things that are counted several."""
    # Read here: babel takes a tenth of a second to import, half of what the help may take.
    forms: dict[str, tuple[str, ...]] = {}
    for entry in (FOLDER / f"{code}.po").read_text(encoding="utf-8").split("\n\n"):
        fields = {
            name: "".join(json.loads(line) for line in lines.split("\n") if line)
            for name, lines in re.findall(r'^(\w+(?:\[\d\])?) ((?:".*"\n?)+)', entry, re.MULTILINE)
        }
        found = tuple(text for name, text in fields.items() if name.startswith("msgstr") and text)
        if found:
            forms[fields["msgid"]] = found
            # A kept text of several things is looked up as well.
            forms.setdefault(fields.get("msgid_plural", ""), found[-1:])
    return forms

"""How numbers are written, everywhere that people read: shares, points, intervals, p values, counts, time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dessin.language import Phrase, phrase, phrase_n, spoken

ALPHA = 0.05
_LISTED = 6


class Interval(Protocol):
    """A value with its interval, such as an `Estimate`."""

    @property
    def value(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def share(result: Interval, digits: int = 1) -> str:
    """`0.3884` → `38.8% [34.4, 43.7]`."""
    return f"{result.value:.{digits}%} [{100 * result.low:.{digits}f}, {100 * result.high:.{digits}f}]"


def points(result: Interval) -> str:
    """A difference of accuracies in points: `+2.1 [−0.4, +4.6]`."""
    return f"{signed(result.value)} [{signed(result.low)}, {signed(result.high)}]"


def signed(difference: float) -> str:
    """`-0.021` → `−2.1`, in points."""
    return _with_sign(100 * difference, 1)


def _with_sign(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


def size(difference: float) -> str:
    """`0.021` → `2.1`, in points."""
    return signed(abs(difference)).removeprefix("+")


def at_least(difference: float) -> Phrase:
    """What a design sees whose smallest difference this is, as the object of a sentence."""
    if difference >= 1:
        return phrase("no difference that there can be, with so few runs or drawings")
    return phrase("differences of {size} points or more", size=size(difference))


def plain(result: Interval) -> str:
    """`2.858 [2.606, 3.106]`."""
    return f"{result.value:.3f} [{result.low:.3f}, {result.high:.3f}]"


def change(result: Interval, digits: int = 3) -> str:
    """A difference that is none of shares: `−0.082 [−0.110, −0.055]`."""
    value, low, high = (_with_sign(number, digits) for number in (result.value, result.low, result.high))
    return f"{value} [{low}, {high}]"


def p_value(p: float) -> str:
    """`0.0312` → `= 0.031`, to be put after a p; its spaces do not break."""
    text = written_p(p)
    return text.replace(" ", "\u00a0") if text.startswith("<") else f"=\u00a0{text}"


def counted(number: int, noun: str, plural: str = "") -> Phrase:
    """`1, "study", "studies"` → `1 study`; a catalogue has it as `{n} study`."""
    return phrase_n(f"{{n}} {noun}", f"{{n}} {plural or f'{noun}s'}", number)


def times(count: int) -> Phrase:
    """`0` → `never`, `1` → `once`, `3` → `3 times`."""
    if count < 2:
        return phrase("once") if count else phrase("never")
    return counted(count, "time")


def listed(names: Sequence[str], *, most: int = _LISTED) -> Phrase:
    """`a, b and c`; of many, the first ones and how many more there are."""
    if len(names) > most:
        return phrase("{first} and {n} more", first=_with_commas(names[: most - 1]), n=len(names) - most + 1)
    if len(names) > 1:
        return phrase("{first} and {last}", first=_with_commas(names[:-1]), last=names[-1])
    return _with_commas(names)


def _with_commas(names: Sequence[str]) -> Phrase:
    return Phrase(", ".join(names), ", ".join(map(spoken, names)))


def written_p(p: float) -> str:
    """`0.031`, or `< 0.001`; never rounded across the 5% that verdicts use."""
    if p < 0.001:
        return "< 0.001"
    text = f"{p:.2g}"
    return f"{p:.4f}" if (float(text) < ALPHA) != (p < ALPHA) else text


def number(value: float, digits: int = 0, *, sign: bool = False) -> str:
    """`15021` → `15 021`, with thin spaces that do not break; with `sign` also a plus is written."""
    return f"{value:{'+' if sign else ''},.{digits}f}".replace(",", "\u202f").replace("-", "−")


def short(value: float, figures: int = 6) -> str:
    """`0.0005` → `0.0005`, `2.0` → `2`: so many figures at most, and no zeros behind them."""
    return f"{value:.{figures}g}".replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """`0.388` → `39%`."""
    return f"{100 * share:.{digits}f}%"


def capital(text: str) -> str:
    """The text as the beginning of a sentence; the rest of it stays as it is."""
    first = text[:1].upper() + text[1:]
    return Phrase(first, capital(text.spoken)) if isinstance(text, Phrase) else first

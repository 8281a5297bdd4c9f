"""Under which licences a model may be passed on: those of the weights that its bodies began with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dessin.errors import DessinError, quoted
from dessin.language import tr

# What may be passed on when it was changed, as the hub names it.
KNOWN: Final = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
)
# Words of those that keep what was changed from being passed on.
_CLOSED: Final = ("-nd-", "noderiv", "no-deriv", "proprietary", "all rights reserved", "research-only")
# Of a network that began at random there are no weights of others.
_RANDOM: Final = "none"
OTHER: Final = "other"


@dataclass(frozen=True)
class Terms:
    """A licence as the hub names it (`other` where it does not), and as it is written.

    `stated` is whether the person who pushes said so, and not who published the weights.
    """

    hub: str
    written: str
    stated: bool

    def asks(self) -> tuple[str, ...]:
        """What whoever passes it on has to heed, in sentences."""
        names = self.written.lower()
        told = []
        if any(name in names for name in ("apache", "mit", "bsd")):
            told.append(tr("Keep the notices of the licence."))
        if "cc-by" in names:
            told.append(tr("Name the source."))
        if "-sa" in names:
            told.append(tr("Pass it on under the same licence."))
        if "-nc" in names:
            told.append(tr("Not for commercial use."))
        return tuple(told)


def terms_of(licence: str, stated: str) -> Terms | None:
    """What the weights may be passed on under; None where they began at random and nothing was stated.

    `licence` is that of a card, of several bodies with a semicolon between; `stated` is what the person who
    pushes says of those that dessin does not know.

    Raises:
        DessinError: one forbids it, or is not known and nothing was stated; or the statement contradicts one.
    """
    found = [part for part in map(str.strip, licence.split(";")) if part.lower() != _RANDOM]
    for part in (*found, stated):
        if any(word in part.lower() for word in _CLOSED):
            raise DessinError(
                f'The weights have the licence "{quoted(part)}", which lets nobody pass on a model that was '
                "made from them, so it is not pushed.",
                do="Train on a backbone whose licence allows it; dessin doctor lists some.",
            )
    known = [part for part in found if part.lower() in KNOWN]
    unclear = [part for part in found if part not in known]
    if unclear and not stated:
        raise DessinError(
            f'The licence of the weights is "{quoted(unclear[0])}", and dessin does not know that it lets '
            "you pass on a model that was made from them, so it is not pushed.",
            allowed=f"Known are {', '.join(KNOWN)}.",
            do="Read it. If it does, name it: --licence NAME. Else train on another backbone.",
        )
    if stated and known and not unclear and stated.lower() not in {part.lower() for part in known}:
        raise DessinError(
            f'The weights have the licence "{quoted("; ".join(known))}", and --licence says '
            f'"{quoted(stated)}": what others published keeps its licence.',
            do="Leave out --licence.",
        )
    names = list(dict.fromkeys((*known, *([stated] if unclear or not found else []))))
    names = [name for name in names if name]
    if not names:
        return None
    hub = names[0].lower() if len(names) == 1 and names[0].lower() in KNOWN else OTHER
    return Terms(hub, "; ".join(names), stated=bool(unclear or not found))

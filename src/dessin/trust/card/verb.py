"""The verb `card`: one page a run that says what its model may be trusted with."""

from __future__ import annotations

from pathlib import Path

from dessin.errors import DessinError
from dessin.files import write_json, write_text
from dessin.page.render import render_page
from dessin.progress import say
from dessin.trust.card.measure import trust_cards
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import read_sources


def card(run: str | Path, *, out: str | Path) -> TrustCard:
    """Write the trust card: on one page what was measured of a model, and what nobody has tested.

    Accuracy, robustness, the worst class, calibration, leaks. What was not measured yet is named with the
    command that measures it. Nothing is opened or counted.

    Args:
        run: A run or a committee.
        out: The page (.html) to write; beside it goes the same as JSON.

    Raises:
        DessinError: no run or committee, an unfinished one, one that was measured on nothing, or an `out`
            that is a folder.
    """
    page = Path(out)
    if page.is_dir():
        raise DessinError(
            f"{page} is a folder, and a card is one file.", do=f"Use --out {page / 'card.html'}."
        )
    if page.suffix == ".json":
        raise DessinError(f"{page} would be a page, and its name ends in .json.", do="Use a name in .html.")
    (found,) = trust_cards([read_sources(Path(run))])
    write_json(page.with_suffix(".json"), found.model_dump(mode="json"))
    title = f"{found.name}: a dessin trust card"
    write_text(page, render_page("dessin.trust.card", "card.html", title=title, card=found))
    for fact in found.facts:
        say(f"{fact.title}: {fact.value or 'not measured'}. {fact.detail}")
    say(f"card: {page}")
    return found

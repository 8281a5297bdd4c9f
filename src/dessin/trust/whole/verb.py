"""The verb `trust`: what a model may be trusted with, as far as a budget of time allows to measure it."""

from __future__ import annotations

import time
from pathlib import Path

from dessin.errors import DessinError
from dessin.folders import claim_folder, going_on, is_finished
from dessin.language import retold, tr
from dessin.page.blocks import Step
from dessin.page.html import PAGE_FILE, leading_back, write_page
from dessin.page.words import Link
from dessin.progress import duration, parse_budget, say, warn
from dessin.runs.subject import Subject, read_subject
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import read_sources
from dessin.trust.card.verb import trust_cards
from dessin.trust.card.view import card_page, card_title
from dessin.trust.whole.parts import Part, parts_of
from dessin.trust.whole.result import TrustReport


def trust(
    run: str | Path,
    *,
    out: str | Path,
    budget: str | float = "15m",
    data: str | Path | None = None,
    split: str | Path | None = None,
) -> TrustCard:
    """Measure all that the trust card tells of a model, as far as a budget of time allows.

    Confidence, mistakes, doubtful labels, robustness and maps get a folder each in `out`, and its index.html
    is the card, with links to them. What did not fit is named with its command. The holdout stays closed. The
    same command goes on where it was stopped.

    Args:
        run: A run or a committee.
        out: The folder for the card and its parts.
        budget: The time for everything, such as `90s`, `15m` or `2h`; a number is seconds.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.

    Raises:
        DessinError: no run or committee, an unfinished one, no validation drawings, a budget that is none, or
            an `out` that holds something else.
    """
    started, seconds = time.monotonic(), parse_budget(str(budget))
    folder, sources = Path(out), read_sources(Path(run))
    subject = read_subject(Path(run), data, split)
    parts = parts_of(sources, subject, data, split)
    home = leading_back(folder / PAGE_FILE, card_title(sources))
    with going_on(folder, keeps=tr("What was measured")), home:
        _claim(folder, subject, sources.name)
        left_out, refused = _carry_out(parts, folder, started + seconds)
        sources = read_sources(Path(run))
        (card,) = trust_cards([sources])
        links = tuple(
            (Link(part.title, f"{part.name}/{PAGE_FILE}"), part.finds)
            for part in parts
            if part.name not in left_out | refused
        )
        steps = [Step(left_out[part.name], part.command) for part in parts if part.name in left_out]
        page = card_page(card, sources, links, tuple(steps), refused.values())
        write_page(folder / PAGE_FILE, page)
        card.write(folder)
    for step in steps:
        say(f"{step.why} {step.command}")
    say(tr("the card: {page}", page=folder / PAGE_FILE))
    return card.with_page(page, folder)


def _claim(folder: Path, subject: Subject, name: str) -> None:
    """Take a new folder, or go on in one of the same model."""
    own = TrustReport(name=name, weights=dict(subject.loaded.committee.weights))
    found = TrustReport.find(folder)
    if found is None:
        claim_folder(folder, what="a trust report")
        own.write(folder)
    elif found.weights != own.weights:
        raise DessinError(
            f"{folder} is the trust report of another model, {found.name}.", do="Choose another --out."
        )


def _carry_out(parts: tuple[Part, ...], folder: Path, end: float) -> tuple[dict[str, str], dict[str, str]]:
    """Make what is not there yet and fits; what took too long and what is not possible, with why."""
    left_out: dict[str, str] = {}
    refused: dict[str, str] = {}
    # How many times as long as it was thought everything takes here.
    thought = spent = 0.0
    for part in parts:
        place = folder / part.name
        if is_finished(place):
            say(tr("{title}: it is there already.", title=part.title))
            continue
        began = time.monotonic()
        needed = part.seconds * (spent / thought if thought else 1.0)
        said = {"title": part.title, "needed": duration(needed), "left": duration(max(0.0, end - began))}
        if needed > end - began:
            left_out[part.name] = tr("{title}: it needs about {needed}, and {left} were left.", **said)
            continue
        say(tr("{title}, in about {needed} of {left}.", **said))
        try:
            part.make(place)
        except DessinError as error:
            refused[part.name] = tr("{title}: not possible. {why}", title=part.title, why=retold(error.seen))
            warn(refused[part.name])
            continue
        thought, spent = thought + part.seconds, spent + time.monotonic() - began
    return left_out, refused

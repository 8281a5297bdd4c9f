"""The verb `card`: one page a run that says what its model may be trusted with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.language import tr
from dessin.page.html import write_page
from dessin.page.numbers import counted
from dessin.progress import say
from dessin.runs.fold_group import GroupRecord
from dessin.trust.card.measure import check_leaks, numbers
from dessin.trust.card.result import LeakCheck, TrustCard
from dessin.trust.card.sources import TrustSources, read_sources
from dessin.trust.card.view import card_page, facts, untested


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
    sources = read_sources(Path(run))
    (found,) = trust_cards([sources])
    write_json(page.with_suffix(".json"), found.model_dump(mode="json"))
    drawn = card_page(found, sources)
    write_page(page, drawn)
    for fact in found.facts:
        say(f"{fact.title}: {fact.value or tr('not measured')}. {fact.detail}")
    say(tr("card: {file}", file=page))
    return found.with_page(drawn, page.parent)


def trust_cards(models: Sequence[TrustSources]) -> tuple[TrustCard, ...]:
    """A card each; the drawings are searched for copies, where they are at hand, once for each split."""
    splits = {(sources.split.digest, sources.data): sources.split for sources in models}
    checks = {key: check_leaks(split, key[1]) for key, split in splits.items()}
    return tuple(_card(sources, checks[sources.split.digest, sources.data]) for sources in models)


def _card(sources: TrustSources, leaks: LeakCheck) -> TrustCard:
    record = sources.record
    models = len(sources.committee.bundles) if sources.committee else 1
    if isinstance(record, GroupRecord):
        models = len(record.folds)
    return TrustCard(
        name=sources.name,
        kind="committee" if sources.committee or models > 1 else "run",
        backbone=counted(models, "model") if models > 1 or not record else record.recipe.model.backbones,
        classes=len(sources.main.per_class),
        model=record.digests.model if record else "",
        measured_on=sources.measured_on,
        images=sources.main.n,
        facts=facts(sources, leaks),
        numbers=numbers(sources),
        leaks=leaks,
        untested=tuple(untested(sources, leaks)),
    )

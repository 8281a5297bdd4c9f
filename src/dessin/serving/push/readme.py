"""The README of a model on the hub: what its trust card says, and nothing of whose drawings they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from dessin.answers.committee import LoadedCommittee
from dessin.answers.published import PREFIX, HubName
from dessin.language import tr, tr_n
from dessin.page.blocks import (
    Block,
    Column,
    Command,
    Fact,
    Facts,
    Headline,
    Notes,
    Page,
    Section,
    Sentence,
    Table,
)
from dessin.page.numbers import listed, number, percent
from dessin.page.text import markdown
from dessin.page.words import Code, told
from dessin.serving.push.licences import OTHER, Terms
from dessin.statistics.intervals import Estimate
from dessin.trust.card.result import Fact as CardFact
from dessin.trust.card.result import TrustCard

_NAMED = 8
# The sets that an accuracy can be of, the one that no choice was made on first.
_SETS = ("holdout", "validation")


def readme(
    repository: str, loaded: LoadedCommittee, card: TrustCard | None, terms: Terms | None, drawings: str
) -> str:
    """Markdown with the hub's metadata before it; `drawings` is the licence of these, if it is known."""
    head = yaml.safe_dump(_metadata(repository, loaded, card, terms), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{markdown(_page(repository, loaded, card, terms, drawings))}"


def accuracies(card: TrustCard | None) -> dict[str, Estimate]:
    """What was measured on drawings that the model was not trained on, by the set."""
    return {name: card.numbers[name] for name in _SETS if card and name in card.numbers}


def _metadata(
    repository: str, loaded: LoadedCommittee, card: TrustCard | None, terms: Terms | None
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if terms:
        values["license"] = terms.hub
        if terms.hub == OTHER:
            values["license_name"] = terms.written
    values |= {
        "library_name": "dessin",
        "pipeline_tag": "image-classification",
        "tags": ["dessin", "drawings", "sketch", "image-classification"],
    }
    bases = _bases(loaded)
    if bases:
        values["base_model"] = bases
    found = accuracies(card)
    if not found:
        return values
    metrics = [
        {"type": "accuracy", "value": round(each.value, 4), "name": f"Accuracy, {name}, {each}"}
        for name, each in found.items()
    ]
    result = {
        "task": {"type": "image-classification", "name": "Image Classification"},
        "dataset": {"type": "drawings", "name": "Drawings that the model was not trained on"},
        "metrics": metrics,
    }
    model = {"name": repository.partition("/")[2], "results": [result]}
    return values | {"metrics": ["accuracy"], "model-index": [model]}


def _bases(loaded: LoadedCommittee) -> list[str]:
    """The repositories of the hub whose weights the bodies began with."""
    sources = [
        source.split()
        for bundle in loaded.bundles.values()
        for key, source in bundle.card.provenance.items()
        if key.endswith("_weights") and source.startswith("hub ")
    ]
    return list(dict.fromkeys(words[1] for words in sources if len(words) > 1))


def _page(
    repository: str, loaded: LoadedCommittee, card: TrustCard | None, terms: Terms | None, drawings: str
) -> Page:
    committee = loaded.committee
    names = [committee.names.get(label, label) for label in committee.classes]
    lead = tr_n(
        "Tells drawings of {n} class apart: {names}.",
        "Tells drawings of {n} classes apart: {names}.",
        len(names),
        names=listed(names, most=_NAMED),
    )
    blocks = (
        *_measured(card),
        Section(tr("How to use it"), tuple(_use(repository))),
        Section(tr("Licences"), tuple(_licences(terms, drawings))),
        Section(tr("What it is"), tuple(_described(loaded, names))),
    )
    footer = tr("Trained, measured and described with dessin. No drawing is part of it.")
    return Page(repository.partition("/")[2], lead, blocks, footer)


def _measured(card: TrustCard | None) -> Iterator[Block]:
    found = accuracies(card)
    if card is None or not found:
        words = tr("It is not known how often it is right: no figure came with this model.")
        yield Sentence(words, "warning")
        return
    main = next(iter(found.values()))
    words = tr(
        "of {n} drawings that it was not trained on are named right (95% interval {low} to {high}).",
        n=number(main.n),
        low=percent(main.low, 1),
        high=percent(main.high, 1),
    )
    yield Headline(percent(main.value, 1), words, main.value, main.low, main.high, "")
    facts = [
        Fact(fact.title, fact.value, _detail(card, fact))
        for fact in card.facts
        if fact.value and (fact.key != "leaks" or card.leaks.searched)
    ]
    yield Section(
        tr("What was measured"), (Facts(tuple(facts)), Sentence(tr("In brackets: the 95% interval.")))
    )
    yield Section(tr("What it was not tested on"), (Notes(card.untested),))


def _detail(card: TrustCard, fact: CardFact) -> str:
    """What is behind a fact; of copies that were found the card names drawings, which are not published."""
    if fact.key == "leaks" and card.leaks.crossing:
        return tr("The accuracies may be too good.")
    return fact.detail


def _use(repository: str) -> Iterator[Block]:
    name = HubName(repository)
    yield Sentence(tr("In a terminal, with dessin installed:"))
    yield Command(
        f"dessin predict {name} drawing.png --out predictions.csv\n"
        f"dessin serve {name}      # http://127.0.0.1:8000"
    )
    yield Sentence(tr("In Python:"))
    yield Command(
        f'import dessin\n\nmodel = dessin.load("{name}")\nanswer = model.predict("drawing.png")\n'
        "print(answer.name, answer.probability, answer.unsure)"
    )
    yield Sentence(
        told(
            "{name} is the newest commit. To have the same answers for ever, name the commit: {pinned}.",
            name=Code(str(name)),
            pinned=Code(f"{PREFIX}{repository}@COMMIT"),
        )
    )


def _licences(terms: Terms | None, drawings: str) -> Iterator[Block]:
    if terms is None:
        weights, asked = (
            tr("not stated"),
            tr("It began with random weights: nobody else's are in it."),
        )
    else:
        weights, asked = terms.written, " ".join(terms.asks())
        if terms.stated:
            asked = f"{tr('So says who pushed it.')} {asked}".strip()
    if not drawings:
        drawings = tr("not stated")
    rows = ((tr("Weights"), weights, asked), (tr("Drawings that it was trained on"), drawings, ""))
    yield Table((Column(tr("Of what")), Column(tr("Licence")), Column("")), rows)


def _described(loaded: LoadedCommittee, names: list[str]) -> Iterator[Block]:
    committee, cards = loaded.committee, [bundle.card for bundle in loaded.bundles.values()]
    bodies = dict.fromkeys(name for card in cards for name in card.backbones)
    sizes = dict.fromkeys(f"{card.image.size} px, {card.image.colour}, {card.image.fit}" for card in cards)
    precision = dict.fromkeys(f"{card.file}, {card.precision}" for card in cards)
    facts = [
        Fact(tr("Networks"), str(len(cards)), ", ".join(bodies)),
        Fact(tr("Image"), "; ".join(sizes)),
        Fact(tr("File"), "; ".join(precision)),
        Fact(tr("Classes"), number(len(names)), ", ".join(names)),
    ]
    sure, words = (
        tr("no"),
        tr("Every picture is named as one of its classes, also one of something else."),
    )
    if committee.threshold or committee.rejection:
        sure, words = tr("yes"), tr("Below a probability, or for what looks like no class.")
    facts.append(Fact(tr("Says when it is unsure"), sure, words))
    yield Facts(tuple(facts))
    yield Sentence(tr("sha256 of the weights:"))
    yield Command("\n".join(dict.fromkeys(card.digests["weights"] for card in cards)))

"""What a trust card says: its facts, each with what is behind it, and what nobody has tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dessin.language import retold, tr, tr_n
from dessin.page.blocks import Block, Facts, Headline, Links, Notes, Page, Section, Step
from dessin.page.blocks import Fact as Shown
from dessin.page.numbers import capital, counted, listed, number, percent, share
from dessin.page.parts import paragraphs, step, what_next
from dessin.page.words import Link, Words
from dessin.trust.card.measure import worst_class
from dessin.trust.card.result import Fact, LeakCheck, Tone, TrustCard
from dessin.trust.card.sources import TrustSources
from dessin.trust.confidence.view import ask_of_others, rejection_words, selection_words
from dessin.trust.robustness.view import sentences

_NAMED = 4
_FEW = 5
# A calibration error below this is not seen in use: answers of 80% are right 75 to 85 times in 100. Fewer
# answers cannot tell so small an error from none: the interval of half of them right is wider.
_CALIBRATED, _TELLING = 0.05, 385


def card_page(
    card: TrustCard,
    sources: TrustSources,
    links: tuple[tuple[Link, Words], ...] = (),
    steps: Iterable[Step] | None = None,
    refused: Iterable[str] = (),
) -> Page:
    """What it is right on, what else is known, what nobody tested, and what to measure next.

    `links` lead to the parts that were measured, `steps` measure those that were left out; `refused` says
    which are not possible with this model, and why.
    """
    found = card.numbers[card.measured_on]
    unseen = tr("of {n} drawings that it was not trained on are named right", n=number(found.n))
    shown = (
        Shown(fact.title, fact.value or tr("not measured"), fact.detail, fact.tone if fact.value else "muted")
        for fact in card.facts
    )
    parts: tuple[Block, ...] = (Links(links), *paragraphs(*refused, kind="note"))
    return Page(
        card_title(sources),
        tr(
            "Trust card of {name}, {kind}: {backbone}, {classes}. In brackets are 95% intervals, over whole "
            "groups of drawings.",
            name=card.name,
            kind=tr("a run") if card.kind == "run" else tr("a committee"),
            backbone=card.backbone,
            classes=counted(card.classes, "class", "classes"),
        ),
        (
            Headline.of(found, unseen),
            Facts(tuple(shown), wide=True),
            *([Section(tr("Each part on a page of its own"), parts, anchor="parts")] if links else ()),
            Section(tr("What it was not tested on"), (Notes(card.untested),), card=True),
            what_next(*_steps(sources, steps)),
        ),
        tr("Written by dessin. Weights {digest}.", digest=card.model[:16]) if card.model else "",
    )


def card_title(sources: TrustSources) -> str:
    """The question of the card, about the collection where it is known."""
    if sources.data is None:
        return tr("What may {model} be trusted with?", model=sources.name)
    collection = sources.data.resolve().name
    return tr("What may it be trusted with? Drawings of {collection}", collection=collection)


def _steps(sources: TrustSources, steps: Iterable[Step] | None) -> Iterator[Step]:
    model, confidence = sources.given, sources.confidence
    if steps is None:
        why = tr("Measure everything that is missing, and see its mistakes, in one go.")
        steps = [step(why, "trust", model, "--out", "trust")]
    yield from steps
    if confidence is not None and confidence.rejection.folder is None:
        yield ask_of_others(model)
    if "holdout" not in sources.metrics and sources.split.held_out():
        why = tr("When all choices are made, and only then, open the holdout; it is counted.")
        yield step(why, "evaluate", model, "--holdout", "--out", "final")


def facts(sources: TrustSources, leaks: LeakCheck) -> tuple[Fact, ...]:
    """Everything that is known, in the order of reading."""
    return (
        _validation(sources),
        _holdout(sources),
        _robust(sources),
        _worst_class(sources),
        *_confidence(sources),
        _leaks(leaks, grouped=bool(sources.split.group_by)),
    )


def _fact(key: str, detail: str, value: str = "", tone: Tone = "") -> Fact:
    titles = {
        "validation": tr("Accuracy, validation"),
        "holdout": tr("Accuracy, holdout"),
        "robust": tr("Robust accuracy"),
        "worst_class": tr("Worst class"),
        "calibration": tr("Calibration error"),
        "unsure": tr("When it is sure"),
        "foreign": tr("Drawings of no class"),
        "leaks": tr("Leak check"),
    }
    return Fact(key=key, title=titles[key], value=value, detail=detail, tone=tone)


def _missing(key: str, sources: TrustSources, verb: str, options: str = "") -> Fact:
    command = f"{sources.command(verb)}{options} --out OUT"
    return _fact(key, tr("{command} measures it.", command=command))


def _validation(sources: TrustSources) -> Fact:
    found = sources.metrics.get("validation")
    if found is None:
        return _fact("validation", tr("It was trained on every fold, so no drawing is left to ask about."))
    detail = tr("On {drawings} that the model was not trained on.", drawings=counted(found.n, "drawing"))
    nested = sources.committee.provenance.get("nested_accuracy") if sources.committee else ""
    tail = tr("They took part in choosing the weights that were kept, so the figure is slightly too good.")
    if nested:
        tail = tr(
            "Its members were chosen on them; on drawings that the choice did not see: {nested}.",
            nested=nested,
        )
    if found.accuracy.too_few:
        tail = f"{tail} {tr('They are {groups}.', groups=retold(found.accuracy.method))}"
    return _fact("validation", f"{detail} {tail}", share(found.accuracy))


def _holdout(sources: TrustSources) -> Fact:
    found, opened = sources.metrics.get("holdout"), sources.opened
    if found is None:
        detail = f"{capital(_unopened(sources))}."
        if sources.split.held_out():
            command = f"{sources.command('evaluate')} --holdout --out OUT"
            detail += " " + tr("{command} opens it; that counts.", command=command)
        return _fact("holdout", detail, tone="warn" if opened else "")
    drawings = counted(found.n, "drawing")
    detail = tr("On {drawings} that no choice was made on, opened once.", drawings=drawings)
    if opened > 1:
        said = {"drawings": drawings, "n": opened, "own": sources.own}
        detail = tr(
            "On {drawings}, opened {n} times, {own} of them by this model. Each look that led to a choice "
            "makes the figure less trustworthy.",
            **said,
        )
    return _fact("holdout", detail, share(found.accuracy), "warn" if opened > 1 else "")


def _unopened(sources: TrustSources) -> str:
    """Why the holdout says nothing of this model."""
    if not sources.split.held_out():
        return tr("there is no holdout")
    if not sources.opened:
        return tr("the holdout is still locked")
    return tr_n(
        "opened once by other models of its folds",
        "opened {n} times by other models of its folds",
        sources.opened,
    )


def _robust(sources: TrustSources) -> Fact:
    found = sources.robustness
    if found is None:
        return _missing("robust", sources, "evaluate", " --robustness")
    in_all, worst, *_ = sentences(found)
    return _fact("robust", f"{in_all} {worst}", share(found.robust))


def _worst_class(sources: TrustSources) -> Fact:
    worst = worst_class(sources)
    recalls = {row.label: row.recall.value for row in sources.main.per_class if row.recall}
    never = [label for label, recall in recalls.items() if recall == 0.0]
    said = {"drawings": counted(worst.n, "drawing"), "all": len(recalls), "other": worst.confused_with}
    said["method"] = retold(worst.recall.method) if worst.recall else ""
    detail = tr("Of {drawings} ({method}). The worst of {all} is partly bad luck.", **said)
    if worst.confused_count > 1:
        detail = tr(
            "Of {drawings} ({method}), mostly taken for {other}. The worst of {all} is partly bad luck.",
            **said,
        )
    if never:
        detail += " " + tr("None was right of: {names}.", names=listed(never, most=_NAMED))
    value = f"{worst.label}: {share(worst.recall)}" if worst.recall else ""
    return _fact("worst_class", detail, value, "warn" if never else "")


def _confidence(sources: TrustSources) -> Iterator[Fact]:
    """Its calibration, what it answers when it may be silent, and what it makes of drawings of no class."""
    found = sources.confidence
    if found is None:
        for key, options in (("calibration", ""), ("unsure", ""), ("foreign", " --unknown FOLDER")):
            yield _missing(key, sources, "calibrate", options)
        return
    error, chosen, rejection = found.calibration.ece.after, found.selection, found.rejection
    detail = tr(
        "How far confidence and accuracy are apart with a temperature of {temperature}; without it {before}.",
        temperature=f"{found.calibration.temperature:.2f}",
        before=share(found.calibration.ece.before),
    )
    if not found.written:
        detail += " " + tr("Its card does not have it yet.")
    if error.n < _TELLING:
        detail += " " + tr(
            "{n} answers are too few to tell an error of {points} points from none.",
            n=number(error.n),
            points=f"{100 * _CALIBRATED:g}",
        )
    good: Tone = "good" if error.high < _CALIBRATED and error.n >= _TELLING else ""
    yield _fact("calibration", detail, share(error), good)
    refused = chosen.threshold is None or chosen.precision is None
    sure = tr("answers {share}", share=share(chosen.coverage))
    sure = tr("no threshold for {target}", target=percent(chosen.target)) if refused else sure
    yield _fact("unsure", selection_words(chosen), sure, "warn" if refused else "")
    unknown, seen = rejection.folder or rejection.held_out, ""
    if unknown is not None:
        seen = tr("finds {share}", share=share(unknown.of(rejection.chosen.score).detection))
    yield _fact("foreign", rejection_words(rejection)[0], seen)


def _leaks(found: LeakCheck, *, grouped: bool) -> Fact:
    images = counted(found.images, "drawing")
    apart = tr("All {groups} lie on one side each.", groups=counted(found.groups, "group"))
    if not grouped:
        apart += " " + tr("Who drew what was not said (no --group), so one hand may be on both sides.")
    if not found.searched:
        gone = tr("Copies could not be searched for: {reason}", reason=retold(found.reason))
        return _fact("leaks", f"{apart} {gone}", tr("groups only"), "warn")
    if found.crossing:
        pairs = listed([" = ".join(pair) for pair in found.examples], most=2)
        detail = tr(
            "Such as {pairs}, of {drawings}. The accuracies may be too good.", drawings=images, pairs=pairs
        )
        copies = tr_n("{n} pair of copies on two sides", "{n} pairs of copies on two sides", found.crossing)
        return _fact("leaks", detail, copies, "warn")
    said = tr("{drawings} were searched for copies, turned and mirrored ones too.", drawings=images)
    if found.pairs:
        said += " " + tr_n("{n} pair lies on one side.", "{n} pairs lie on one side each.", found.pairs)
    return _fact("leaks", f"{said} {apart}", tr("none found"), "good" if grouped else "")


def untested(sources: TrustSources, leaks: LeakCheck) -> Iterator[str]:
    """What it was not tested on, in sentences, from the most to the least particular."""
    rows, robust, confidence = sources.main.per_class, sources.robustness, sources.confidence
    if "holdout" not in sources.metrics:
        yield tr("A set that took no part in any choice: {state}.", state=_unopened(sources))
    if absent := sources.main.absent:
        yield tr("Classes without a drawing in the set: {names}.", names=listed(absent, most=_FEW))
    if few := sum(0 < row.n < _FEW for row in rows):
        yield tr_n(
            "{n} class with fewer than {few} drawings, of which little can be said.",
            "{n} classes with fewer than {few} drawings, of which little can be said.",
            few,
            few=_FEW,
        )
    if not leaks.searched:
        yield tr("Whether copies of a drawing lie on two sides of the split.")
    if not sources.split.group_by:
        yield tr("New hands: who drew what was not said, so one person may be in training and in the test.")
    if robust is None:
        yield tr("Worn, faded, turned, blurred or noisy drawings: the robustness suite was not run.")
    else:
        yield tr("Corruptions beyond the {n} of the suite, and several at once.", n=len(robust.corruptions))
    if confidence is None:
        yield tr("How sure it may be, and drawings of no class: it was not calibrated.")
    elif confidence.rejection.folder is None:
        yield tr("Really foreign drawings: only classes of its own were hidden, if any.")
    if sources.record:
        yield tr("Other seeds: whether its recipe is better than another is a question for dessin study.")
    yield tr("Drawings from elsewhere: other people, pens, scans or photographs of paper.")

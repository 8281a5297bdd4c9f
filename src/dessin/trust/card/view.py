"""What a trust card says: its facts, each with what is behind it, and what nobody has tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dessin.language import retold, tr, tr_n, translated
from dessin.page.blocks import Block, Facts, Headline, Links, Notes, Page, Section, Sentence, Step
from dessin.page.blocks import Fact as Shown
from dessin.page.numbers import capital, counted, listed, number, percent, share, signed
from dessin.page.parts import what_next
from dessin.page.words import Link, Words
from dessin.trust.card.measure import worst_class
from dessin.trust.card.result import Fact, LeakCheck, Tone, TrustCard
from dessin.trust.card.sources import TrustSources
from dessin.trust.confidence.result import RejectionResults

_NAMED = 4
_FEW = 5
# A calibration error below this is not seen in use: answers of 80% are right 75 to 85 times in 100. Fewer
# answers cannot tell so small an error from none: the interval of half of them right is wider.
_CALIBRATED, _TELLING = 0.05, 385


def card_page(
    card: TrustCard,
    sources: TrustSources,
    links: tuple[tuple[Link, Words], ...] = (),
    steps: tuple[Step, ...] | None = None,
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
    blocks: list[Block] = [Headline.of(found, unseen), Facts(tuple(shown), wide=True)]
    if links:
        said = (Sentence(why, "note") for why in refused)
        blocks.append(Section(tr("Each part on a page of its own"), (Links(links), *said), anchor="parts"))
    blocks.append(Section(tr("What it was not tested on"), (Notes(card.untested),), card=True))
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
        (*blocks, what_next(*_steps(sources, steps))),
        tr("Written by dessin. Weights {digest}.", digest=card.model[:16]) if card.model else "",
    )


def card_title(sources: TrustSources) -> str:
    """The question of the card, about the collection where it is known."""
    if sources.data is None:
        return tr("What may {model} be trusted with?", model=sources.name)
    collection = sources.data.resolve().name
    return tr("What may it be trusted with? Drawings of {collection}", collection=collection)


def _steps(sources: TrustSources, steps: tuple[Step, ...] | None) -> Iterator[Step]:
    if steps is None:
        why = tr("Measure everything that is missing, and see its mistakes, in one go.")
        yield Step(why, f"{sources.command('trust')} --out trust")
    yield from steps or ()
    confidence = sources.confidence
    if confidence is not None and confidence.rejection.folder is None:
        why = tr("Measure how it tells drawings of no class, on drawings of other things.")
        yield Step(why, f"{sources.command('calibrate')} --unknown FOLDER --out confidence-unknown")
    if "holdout" not in sources.metrics and sources.split.held_out():
        why = tr("When all choices are made, and only then, open the holdout; it is counted.")
        yield Step(why, f"{sources.command('evaluate')} --holdout --out final")


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
        if not sources.split.held_out():
            return _fact("holdout", tr("The split has no holdout."))
        command = f"{sources.command('evaluate')} --holdout --out OUT"
        state = _of_others(opened) if opened else tr("the holdout is still locked")
        opens = tr("{command} opens it; that counts.", command=command)
        return _fact("holdout", f"{capital(state)}. {opens}", tone="warn" if opened else "")
    drawings = counted(found.n, "drawing")
    if opened <= 1:
        detail = tr("On {drawings} that no choice was made on, opened once.", drawings=drawings)
        return _fact("holdout", detail, share(found.accuracy))
    detail = tr(
        "On {drawings}, opened {n} times, {own} of them by this model. Each look that led to a choice makes "
        "the figure less trustworthy.",
        drawings=drawings,
        n=opened,
        own=sources.own,
    )
    return _fact("holdout", detail, share(found.accuracy), "warn")


def _of_others(opened: int) -> str:
    """That the holdout was opened, though not by this model."""
    return tr_n(
        "opened once by other models of its folds", "opened {n} times by other models of its folds", opened
    )


def _robust(sources: TrustSources) -> Fact:
    found = sources.robustness
    if found is None:
        return _missing("robust", sources, "evaluate", " --robustness")
    worst = found.corruption(found.worst)
    detail = tr(
        "Over {all} corruptions of {n} drawings, {cost} points against these as they are. The worst is "
        "“{worst}”: {mean}.",
        all=len(found.corruptions),
        n=number(found.n),
        cost=signed(found.cost.value),
        worst=translated(worst.title),
        mean=share(worst.mean),
    )
    return _fact("robust", detail, share(found.robust))


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
        yield _missing("calibration", sources, "calibrate")
        yield _missing("unsure", sources, "calibrate")
        yield _missing("foreign", sources, "calibrate", " --unknown FOLDER")
        return
    error, chosen = found.calibration.ece.after, found.selection
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
    target = percent(chosen.target)
    if chosen.threshold is None or chosen.precision is None:
        detail = tr(
            "To be right {target} of the time cannot be promised; at most {reachable}, answering {answered}.",
            target=target,
            reachable=percent(chosen.reachable),
            answered=percent(chosen.reachable_coverage),
        )
        yield _fact("unsure", detail, tr("no threshold for {target}", target=target), "warn")
    else:
        detail = tr(
            "Told to be right {target} of the time, it is right in {precision} of these; of the others it "
            "says that it is unsure.",
            target=target,
            precision=share(chosen.precision),
        )
        yield _fact("unsure", detail, tr("answers {share}", share=share(chosen.coverage)))
    yield _foreign(found.rejection)


def _foreign(rejection: RejectionResults) -> Fact:
    unknown = rejection.folder or rejection.held_out
    if unknown is None:
        return _fact("foreign", tr("There were no unknown drawings to measure it on."))
    hidden = tr("its own classes, each hidden in turn, which is easier: it was trained on them")
    foreign = tr_n("{n} foreign class", "{n} foreign classes", unknown.classes)
    detail = tr(
        "Of {drawings} of {kind}; it rejects {rejected} of its own.",
        drawings=counted(unknown.n, "drawing"),
        kind=foreign if unknown.source == "folder" else hidden,
        rejected=share(rejection.false_alarms),
    )
    seen = share(unknown.of(rejection.chosen.score).detection)
    return _fact("foreign", detail, tr("finds {share}", share=seen))


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
        state = tr("there is no holdout")
        if sources.split.held_out():
            state = _of_others(sources.opened) if sources.opened else tr("the holdout is still locked")
        yield tr("A set that took no part in any choice: {state}.", state=state)
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

"""What a trust card says: its facts, each with what is behind it, and what nobody has tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dessin.language import retold, tr, tr_n, translated
from dessin.page.blocks import Block, Facts, Headline, Links, Next, Notes, Page, Section, Sentence, Step
from dessin.page.blocks import Fact as Shown
from dessin.page.numbers import listed, number, percent, share, signed, size
from dessin.page.words import Link, Words
from dessin.runs.fold_group import GroupRecord
from dessin.trust.card.measure import worst_class
from dessin.trust.card.result import Fact, LeakCheck, Tone, TrustCard
from dessin.trust.card.sources import TrustSources

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
    blocks.append(Section(tr("What to do next"), (Next(tuple(_steps(card, sources, steps))),), anchor="next"))
    kind = tr("a run") if card.kind == "run" else tr("a committee")
    return Page(
        card_title(sources),
        tr(
            "Trust card of {name}, {kind}: {backbone}, {classes}. Intervals are 95%, over whole groups of "
            "drawings.",
            name=card.name,
            kind=kind,
            backbone=card.backbone,
            classes=tr_n("{n} class", "{n} classes", card.classes),
        ),
        tuple(blocks),
        tr("Written by dessin. Weights {digest}.", digest=card.model[:16]) if card.model else "",
    )


def card_title(sources: TrustSources) -> str:
    """The question of the card, about the collection where it is known."""
    if sources.data is None:
        return tr("What may {model} be trusted with?", model=sources.name)
    collection = sources.data.resolve().name
    return tr("What may it be trusted with? Drawings of {collection}", collection=collection)


def _steps(card: TrustCard, sources: TrustSources, steps: tuple[Step, ...] | None) -> Iterator[Step]:
    missing = {fact.key for fact in card.facts if not fact.value}
    if steps is None:
        yield Step(
            tr("Measure everything that is missing, and see its mistakes, in one go."),
            f"{sources.command('trust')} --out trust",
        )
    yield from steps or ()
    confidence = sources.confidence
    if confidence is not None and confidence.rejection.folder is None:
        yield Step(
            tr("Measure how it tells drawings of no class, on drawings of other things."),
            f"{sources.command('calibrate')} --unknown FOLDER --out confidence-unknown",
        )
    if "holdout" in missing and sources.split.held_out():
        yield Step(
            tr("When all choices are made, and only then, open the holdout; it is counted."),
            f"{sources.command('evaluate')} --holdout --out final",
        )


def facts(sources: TrustSources, leaks: LeakCheck) -> tuple[Fact, ...]:
    """Everything that is known, in the order of reading."""
    return (
        _validation(sources),
        _holdout(sources),
        _robust(sources),
        _worst_class(sources),
        _calibration(sources),
        _unsure(sources),
        _foreign(sources),
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


def _drawings(n: int) -> str:
    return tr_n("{n} drawing", "{n} drawings", n)


def _validation(sources: TrustSources) -> Fact:
    found = sources.metrics.get("validation")
    if found is None:
        return _fact(
            "validation", tr("It has no validation drawings of its own: it was trained on every fold.")
        )
    detail = tr("On {drawings} that the model was not trained on.", drawings=_drawings(found.n))
    if isinstance(sources.record, GroupRecord):
        detail = tr(
            "On {drawings} of {folds} folds, each named by the model that had not seen it.",
            drawings=_drawings(found.n),
            folds=len(sources.record.folds),
        )
    nested = sources.committee.provenance.get("nested_accuracy") if sources.committee else ""
    if nested:
        tail = tr(
            "Its members were chosen on these very drawings; on drawings that the choice did not see: "
            "{nested}.",
            nested=nested,
        )
    else:
        tail = tr(
            "They took part in choosing the weights that were kept, so the figure is slightly too good."
        )
    if found.accuracy.too_few:
        tail = f"{tail} {tr('They are {groups}.', groups=retold(found.accuracy.method))}"
    return _fact("validation", f"{detail} {tail}", share(found.accuracy))


def _holdout(sources: TrustSources) -> Fact:
    found = sources.metrics.get("holdout")
    if found is None:
        if not sources.split.held_out():
            return _fact("holdout", tr("The split has no holdout."))
        command = f"{sources.command('evaluate')} --holdout --out OUT"
        opens = tr("{command} opens it; that counts.", command=command)
        if sources.opened:
            state = tr("Not measured, but {opened}.", opened=_through_others(sources))
            return _fact("holdout", f"{state} {opens}", tone="warn")
        return _fact("holdout", f"{tr('Locked away so far.')} {opens}")
    on = _drawings(found.n)
    if sources.opened <= 1:
        detail = tr("On {drawings} that no choice was made on, opened once.", drawings=on)
        return _fact("holdout", detail, share(found.accuracy))
    others = sources.opened - sources.own
    said = {"drawings": on, "n": sources.opened, "own": sources.own, "others": others}
    if others:
        detail = tr(
            "On {drawings} that no choice was made on, opened {n} times, {own} of them by this model and "
            "{others} by others of its folds.",
            **said,
        )
    else:
        detail = tr("On {drawings} that no choice was made on, opened {n} times.", **said)
    tail = tr("Each look that led to a choice makes the figure less trustworthy.")
    return _fact("holdout", f"{detail} {tail}", share(found.accuracy), "warn")


def _through_others(sources: TrustSources) -> str:
    """That the holdout was opened, though not by this model."""
    return tr_n(
        "opened once by other models of its folds",
        "opened {n} times by other models of its folds",
        sources.opened,
    )


def _robust(sources: TrustSources) -> Fact:
    found = sources.robustness
    if found is None:
        command = f"{sources.command('evaluate')} --robustness --out OUT"
        return _fact("robust", tr("{command} measures it.", command=command))
    worst = found.corruption(found.worst)
    detail = tr(
        "The mean over {n} corruptions at five strengths, {cost} points against clean drawings ({set_name}, "
        "{drawings}). The worst is “{worst}”: {mean}.",
        n=len(found.corruptions),
        cost=signed(found.cost.value),
        set_name=translated(found.set_name),
        drawings=_drawings(found.n),
        worst=translated(worst.title),
        mean=share(worst.mean),
    )
    return _fact("robust", detail, share(found.robust))


def _worst_class(sources: TrustSources) -> Fact:
    worst = worst_class(sources)
    recalls = {row.label: row.recall.value for row in sources.main.per_class if row.recall}
    never = [label for label, recall in recalls.items() if recall == 0.0]
    recall = worst.recall
    value = f"{worst.label}: {share(recall)}" if recall else ""
    said = {
        "drawings": _drawings(worst.n),
        "method": retold(recall.method) if recall else "",
        "other": worst.confused_with,
    }
    if worst.confused_count > 1:
        details = [tr("Of {drawings} ({method}), mostly taken for {other}.", **said)]
    else:
        details = [tr("Of {drawings} ({method}).", **said)]
    details.append(
        tr("With so few drawings a class, the worst of {n} classes is partly bad luck.", n=len(recalls))
    )
    if never:
        details.append(
            tr_n(
                "{n} class of {all} had none right ({names}).",
                "{n} classes of {all} had none right ({names}).",
                len(never),
                all=len(recalls),
                names=listed(never, most=_NAMED),
            )
        )
    return _fact("worst_class", " ".join(details), value, "warn" if never else "")


def _calibration(sources: TrustSources) -> Fact:
    found = sources.confidence
    if found is None:
        command = f"{sources.command('calibrate')} --out OUT"
        return _fact("calibration", tr("{command} measures it.", command=command))
    measured = found.calibration
    error, over = measured.ece.after, measured.overconfidence.before
    said = {"temperature": f"{measured.temperature:.2f}"}
    if found.written:
        state = tr(
            "How far confidence and accuracy are apart with a temperature of {temperature}, which its card "
            "has.",
            **said,
        )
    else:
        state = tr(
            "How far confidence and accuracy are apart with a temperature of {temperature}, which its card "
            "does not have.",
            **said,
        )
    without = {"before": share(measured.ece.before), "over": size(over.value)}
    if over.value > 0:
        tail = tr("Without it {before}: the model was too sure by {over} points.", **without)
    else:
        tail = tr("Without it {before}: the model was not sure enough by {over} points.", **without)
    if error.n < _TELLING:
        few = tr(
            "{n} answers are too few to tell an error of {points} points from none; {telling} would do.",
            n=number(error.n),
            points=f"{100 * _CALIBRATED:g}",
            telling=_TELLING,
        )
        tail = f"{tail} {few}"
    good: Tone = "good" if error.high < _CALIBRATED and error.n >= _TELLING else ""
    return _fact("calibration", f"{state} {tail}", share(error), good)


def _unsure(sources: TrustSources) -> Fact:
    if sources.confidence is None:
        command = f"{sources.command('calibrate')} --out OUT"
        return _fact("unsure", tr("{command} finds a threshold.", command=command))
    chosen = sources.confidence.selection
    target = percent(chosen.target)
    if chosen.threshold is None or chosen.precision is None:
        detail = tr(
            "No threshold can be trusted to be right {target} of the time; the best that can be vouched for "
            "is {reachable}, answering {answered} of drawings.",
            target=target,
            reachable=percent(chosen.reachable),
            answered=percent(chosen.reachable_coverage),
        )
        return _fact("unsure", detail, tr("no threshold for {target}", target=target), "warn")
    detail = tr(
        "Told to be right {target} of the time, it answers this share of drawings and is right in "
        "{precision} of them; of the others it says that it is unsure.",
        target=target,
        precision=share(chosen.precision),
    )
    return _fact("unsure", detail, tr("answers {share}", share=share(chosen.coverage)))


def _foreign(sources: TrustSources) -> Fact:
    if sources.confidence is None:
        command = f"{sources.command('calibrate')} --out OUT --unknown FOLDER"
        return _fact("foreign", tr("{command} measures it.", command=command))
    rejection = sources.confidence.rejection
    unknown = rejection.folder or rejection.held_out
    if unknown is None:
        return _fact("foreign", tr("There were no unknown drawings to measure it on."))
    result = unknown.of(rejection.chosen.score)
    kind = tr("its own classes, each hidden in turn: a stand-in, and an easy one, for it was trained on them")
    if unknown.source == "folder":
        kind = tr_n("{n} foreign class", "{n} foreign classes", unknown.classes)
    detail = tr(
        "Measured on {drawings} (drawings of {kind}), while it rejects {rejected} of its own. AUROC {auroc}.",
        drawings=_drawings(unknown.n),
        kind=kind,
        rejected=share(rejection.false_alarms),
        auroc=share(result.auroc),
    )
    return _fact("foreign", detail, tr("finds {share}", share=share(result.detection)))


def _leaks(found: LeakCheck, *, grouped: bool) -> Fact:
    images = _drawings(found.images)
    apart = tr("All {groups} lie on one side each.", groups=tr_n("{n} group", "{n} groups", found.groups))
    if not grouped:
        apart += " " + tr("Who drew what was not said (no --group), so one hand may be on both sides.")
    if not found.searched:
        gone = tr("Copies could not be searched for: {reason}", reason=retold(found.reason))
        return _fact("leaks", f"{apart} {gone}", tr("groups only"), "warn")
    if found.crossing:
        detail = tr(
            "Among {drawings}, such as {examples}. The accuracies may be too good.",
            drawings=images,
            examples=listed([" = ".join(pair) for pair in found.examples], most=2),
        )
        copies = tr_n("{n} pair of copies on two sides", "{n} pairs of copies on two sides", found.crossing)
        return _fact("leaks", detail, copies, "warn")
    said = tr("{drawings} were searched anew for copies, turned and mirrored ones too:", drawings=images)
    copies = tr("there are none.")
    if found.pairs:
        copies = tr_n(
            "{n} pair was found, on one side of the split.",
            "{n} pairs were found, each on one side of the split.",
            found.pairs,
        )
    return _fact("leaks", f"{said} {copies} {apart}", tr("none found"), "good" if grouped else "")


def untested(sources: TrustSources, leaks: LeakCheck) -> Iterator[str]:
    """What it was not tested on, in sentences, from the most to the least particular."""
    if "holdout" not in sources.metrics:
        state = tr("there is no holdout")
        if sources.split.held_out():
            state = _through_others(sources) if sources.opened else tr("the holdout is still locked")
        yield tr("A set that took no part in any choice: {state}.", state=state)
    absent = sources.main.absent
    if absent:
        yield tr_n(
            "{n} class without a drawing in the {set_name} set: {names}.",
            "{n} classes without a drawing in the {set_name} set: {names}.",
            len(absent),
            set_name=translated(sources.measured_on),
            names=listed(absent, most=_FEW),
        )
    few = sum(0 < row.n < _FEW for row in sources.main.per_class)
    if few:
        yield tr_n(
            "{n} class with fewer than {few} drawings in it: little can be said of it alone.",
            "{n} classes with fewer than {few} drawings in it: little can be said of each of them alone.",
            few,
            few=_FEW,
        )
    if not leaks.searched:
        yield tr("Whether copies of a drawing lie on two sides of the split.")
    if not sources.split.group_by:
        yield tr(
            "New hands: it was not said who drew what, so one person may be in training and in the test."
        )
    if sources.robustness is None:
        yield tr("Worn, faded, turned, blurred or noisy drawings: the robustness suite was not run.")
    else:
        yield tr(
            "Corruptions beyond the {n} of the suite, stronger ones, and several at once: the suite applies "
            "one at a time.",
            n=len(sources.robustness.corruptions),
        )
    if sources.confidence is None:
        yield tr("How sure it may be, and drawings of no class: it was not calibrated.")
    elif sources.confidence.rejection.folder is None:
        yield tr(
            "Really foreign drawings: rejection was measured on hidden classes of its own collection only, "
            "or not at all."
        )
    if isinstance(sources.record, GroupRecord):
        yield tr(
            "Other seeds: each fold was trained once. Whether its recipe is better than another is a "
            "question for dessin study."
        )
    elif sources.record:
        yield tr(
            "The luck of a training: this is one run with one seed. Whether its recipe is better than "
            "another is a question for dessin study."
        )
    yield tr(
        "Drawings from elsewhere: other people, other pens, scans or photographs of paper. All drawings here "
        "come from one collection."
    )

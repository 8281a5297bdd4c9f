"""What a trust card says: its facts, each with what is behind it, and what nobody has tested."""

from __future__ import annotations

from collections.abc import Iterator

from dessin.page.numbers import counted, listed, share, signed, size, times
from dessin.page.render import render_page
from dessin.trust.card.measure import worst_class
from dessin.trust.card.result import Fact, LeakCheck, Tone, TrustCard
from dessin.trust.card.sources import TrustSources

_NAMED = 4
_FEW = 5
# A calibration error below this is not seen in use: answers of 80% are right 75 to 85 times in 100.
_CALIBRATED = 0.05
_TITLES = {
    "validation": "Accuracy, validation",
    "holdout": "Accuracy, holdout",
    "robust": "Robust accuracy",
    "worst_class": "Worst class",
    "calibration": "Calibration error",
    "unsure": "When it is sure",
    "foreign": "Drawings of no class",
    "leaks": "Leak check",
}


def card_page(card: TrustCard) -> str:
    """The card, whole: nothing is loaded from outside and every name is escaped."""
    return render_page("dessin.trust.card", "card.html", title=f"{card.name}: a dessin trust card", card=card)


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
    return Fact(key=key, title=_TITLES[key], value=value, detail=detail, tone=tone)


def _validation(sources: TrustSources) -> Fact:
    found = sources.metrics.get("validation")
    if found is None:
        return _fact("validation", "It has no validation drawings of its own: it was trained on every fold.")
    nested = sources.committee.provenance.get("nested_accuracy") if sources.committee else ""
    tail = (
        f" Its members were chosen on these very drawings; on drawings that the choice did not see: {nested}."
        if nested
        else " They took part in choosing the weights that were kept, so the figure is slightly too good."
    )
    detail = f"On {counted(found.n, 'drawing')} that the model was not trained on.{tail}"
    return _fact("validation", detail, share(found.accuracy))


def _holdout(sources: TrustSources) -> Fact:
    found = sources.metrics.get("holdout")
    if found is None:
        opens = f"{sources.command('evaluate')} --holdout --out OUT opens it; that counts."
        is_there = sources.split.held_out()
        if is_there and sources.opened:
            return _fact("holdout", f"Not measured, but {_through_others(sources)}. {opens}", tone="warn")
        return _fact("holdout", f"Locked away so far. {opens}" if is_there else "The split has no holdout.")
    detail = f"On {counted(found.n, 'drawing')} that no choice was made on, opened"
    if sources.opened <= 1:
        return _fact("holdout", f"{detail} once.", share(found.accuracy))
    others = sources.opened - sources.own
    by = f", {sources.own} of them by this model and {others} by others of its folds" if others else ""
    tail = "Each look that led to a choice makes the figure less trustworthy."
    return _fact("holdout", f"{detail} {sources.opened} times{by}. {tail}", share(found.accuracy), "warn")


def _through_others(sources: TrustSources) -> str:
    """That the holdout was opened, though not by this model."""
    return f"opened {times(sources.opened)} by other models of its folds"


def _robust(sources: TrustSources) -> Fact:
    found = sources.robustness
    if found is None:
        return _fact("robust", f"{sources.command('evaluate')} --robustness --out OUT measures it.")
    worst = found.corruption(found.worst)
    return _fact(
        "robust",
        f"The mean over {len(found.corruptions)} corruptions at five strengths, "
        f"{signed(found.cost.value)} points against clean drawings ({found.set_name}, "
        f"{counted(found.n, 'drawing')}). The worst is “{worst.title}”: {share(worst.mean)}.",
        share(found.robust),
    )


def _worst_class(sources: TrustSources) -> Fact:
    worst = worst_class(sources)
    recalls = {row.label: row.recall.value for row in sources.main.per_class if row.recall}
    never = [label for label, recall in recalls.items() if recall == 0.0]
    taken = f", mostly taken for {worst.confused_with}" if worst.confused_count > 1 else ""
    recall = worst.recall
    value = f"{worst.label}: {share(recall)}" if recall else ""
    behind = f"{counted(worst.n, 'drawing')} ({recall.method})" if recall else ""
    others = ""
    if never:
        count = counted(len(never), "class", "classes")
        others = f" {count} of {len(recalls)} had none right ({listed(never, most=_NAMED)})."
    luck = f"With so few drawings a class, the worst of {len(recalls)} classes is partly bad luck."
    return _fact("worst_class", f"Of {behind}{taken}. {luck}{others}", value, "warn" if never else "")


def _calibration(sources: TrustSources) -> Fact:
    found = sources.confidence
    if found is None:
        return _fact("calibration", f"{sources.command('calibrate')} --out OUT measures it.")
    measured = found.calibration
    error, over = measured.ece.after, measured.overconfidence.before
    sure = "too sure" if over.value > 0 else "not sure enough"
    state = "and its card has that temperature" if found.written else "but its card does not have it"
    return _fact(
        "calibration",
        f"How far confidence and accuracy are apart with a temperature of "
        f"{measured.temperature:.2f}, {state}. Without it {share(measured.ece.before)}: the model was {sure} "
        f"by {size(over.value)} points.",
        share(error),
        "good" if error.high < _CALIBRATED else "",
    )


def _unsure(sources: TrustSources) -> Fact:
    if sources.confidence is None:
        return _fact("unsure", f"{sources.command('calibrate')} --out OUT finds a threshold.")
    chosen = sources.confidence.selection
    if chosen.threshold is None or chosen.precision is None:
        detail = (
            f"No threshold can be trusted to be right {chosen.target:.0%} of the time; the best that can be "
            f"vouched for is {chosen.reachable:.0%}, answering {chosen.reachable_coverage:.0%} of drawings."
        )
        return _fact("unsure", detail, f"no threshold for {chosen.target:.0%}", "warn")
    detail = (
        f"Told to be right {chosen.target:.0%} of the time, it answers this share of drawings and is "
        f"right in {share(chosen.precision)} of them; of the others it says that it is unsure."
    )
    return _fact("unsure", detail, f"answers {share(chosen.coverage)}")


def _foreign(sources: TrustSources) -> Fact:
    if sources.confidence is None:
        return _fact("foreign", f"{sources.command('calibrate')} --out OUT --unknown FOLDER measures it.")
    rejection = sources.confidence.rejection
    unknown = rejection.folder or rejection.held_out
    if unknown is None:
        return _fact("foreign", "There were no unknown drawings to measure it on.")
    result = unknown.of(rejection.chosen.score)
    kind = "its own classes, each hidden in turn: a stand-in, and an easy one, for it was trained on them"
    if unknown.source == "folder":
        kind = counted(unknown.classes, "foreign class", "foreign classes")
    detail = (
        f"Measured on {counted(unknown.n, 'drawing')} (drawings of {kind}), while it rejects "
        f"{share(rejection.false_alarms)} of its own. AUROC {share(result.auroc)}."
    )
    return _fact("foreign", detail, f"finds {share(result.detection)}")


def _leaks(found: LeakCheck, *, grouped: bool) -> Fact:
    images, groups = counted(found.images, "drawing"), counted(found.groups, "group")
    apart = f"All {groups} lie on one side each."
    if not grouped:
        apart += " Who drew what was not said (no --group), so one hand may be on both sides."
    if not found.searched:
        detail = f"{apart} Copies could not be searched for: {found.reason}"
        return _fact("leaks", detail, "groups only", "warn")
    pairs = counted(found.pairs, "pair")
    if found.crossing:
        examples = listed([" and ".join(pair) for pair in found.examples], most=2)
        detail = f"Among {images} such as {examples}. The accuracies may be too good."
        return _fact("leaks", detail, f"{counted(found.crossing, 'pair')} of copies on two sides", "warn")
    copies = f"{pairs} were found, each on one side of the split." if found.pairs else "there are none."
    detail = f"{images} were searched anew for copies, turned and mirrored ones too: {copies} {apart}"
    return _fact("leaks", detail, "none found", "good" if grouped else "")


def untested(sources: TrustSources, leaks: LeakCheck) -> Iterator[str]:
    """What it was not tested on, in sentences, from the most to the least particular."""
    if "holdout" not in sources.metrics:
        state = "there is no holdout"
        if sources.split.held_out():
            state = _through_others(sources) if sources.opened else "the holdout is still locked"
        yield f"A set that took no part in any choice: {state}."
    absent = sources.main.absent
    if absent:
        yield (
            f"{counted(len(absent), 'class', 'classes')} without a drawing in the {sources.measured_on} set: "
            f"{listed(absent, most=_FEW)}."
        )
    few = sum(0 < row.n < _FEW for row in sources.main.per_class)
    if few:
        yield (
            f"{counted(few, 'class', 'classes')} with fewer than {_FEW} drawings in it: little can be "
            "said of each of them alone."
        )
    if not leaks.searched:
        yield "Whether copies of a drawing lie on two sides of the split."
    if not sources.split.group_by:
        yield "New hands: it was not said who drew what, so one person may be in training and in the test."
    if sources.robustness is None:
        yield "Worn, faded, turned, blurred or noisy drawings: the robustness suite was not run."
    else:
        yield (
            f"Corruptions beyond the {len(sources.robustness.corruptions)} of the suite, stronger ones, and "
            "several at once: the suite applies one at a time."
        )
    if sources.confidence is None:
        yield "How sure it may be, and drawings of no class: it was not calibrated."
    elif sources.confidence.rejection.folder is None:
        yield (
            "Really foreign drawings: rejection was measured on hidden classes of its own collection only, "
            "or not at all."
        )
    if sources.record:
        yield (
            "The luck of a training: this is one run with one seed. Whether its recipe is better than "
            "another is a question for dessin study."
        )
    yield (
        "Drawings from elsewhere: other people, other pens, scans or photographs of paper. All drawings here "
        "come from one collection."
    )

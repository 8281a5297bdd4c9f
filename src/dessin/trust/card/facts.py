"""The facts of a trust card: accuracy, split, robustness, calibration, silence, strangers, and what nobody
has tested."""

from __future__ import annotations

from collections.abc import Iterator

from dessin.page.numbers import counted, listed, share, signed
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import ClassResult
from dessin.trust.card.result import Fact
from dessin.trust.card.sources import LeakCheck, TrustSources
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.robustness.result import RobustnessResult

_NAMED = 4


def validation_fact(sources: TrustSources) -> Fact:
    found = sources.metrics.get("validation")
    if found is None:
        return Fact(
            key="validation",
            title="Accuracy, validation",
            detail="It has no validation drawings of its own: it was trained on every fold.",
        )
    nested = sources.committee.provenance.get("nested_accuracy") if sources.committee else ""
    tail = (
        f" Its members were chosen on these very drawings; on drawings that the choice did not see: {nested}."
        if nested
        else " They took part in choosing the weights that were kept, so the figure is slightly too good."
    )
    return Fact(
        key="validation",
        title="Accuracy, validation",
        value=share(Estimate(**found.accuracy.__dict__)),
        detail=f"On {counted(found.n, 'drawing')} that the model was not trained on.{tail}",
    )


def holdout_fact(sources: TrustSources) -> Fact:
    found, title = sources.metrics.get("holdout"), "Accuracy, holdout"
    if found is None:
        detail = (
            f"Locked away so far. {sources.command('evaluate')} --holdout --out OUT opens it; that counts."
            if sources.split.held_out()
            else "The split has no holdout."
        )
        return Fact(key="holdout", title=title, detail=detail)
    looks = "once" if sources.opened <= 1 else f"{sources.opened} times"
    tail = "" if sources.opened <= 1 else " Each look that led to a choice makes the figure less trustworthy."
    return Fact(
        key="holdout",
        title=title,
        value=share(Estimate(**found.accuracy.__dict__)),
        detail=f"On {counted(found.n, 'drawing')} that no choice was made on, opened {looks}.{tail}",
        tone="" if sources.opened <= 1 else "warn",
    )


def worst_class(sources: TrustSources) -> ClassResult:
    """The class of the lowest recall; of equal ones that with most drawings, then the first by name."""
    rows = [(row.recall.value, -row.n, row.label, row) for row in sources.main.per_class if row.recall]
    return min(rows, key=lambda row: row[:3])[3]


def worst_class_fact(sources: TrustSources) -> Fact:
    worst = worst_class(sources)
    rows = [row for row in sources.main.per_class if row.recall]
    never = [row for row in rows if row.recall and row.recall.value == 0.0]
    taken = f", mostly taken for {worst.confused_with}" if worst.confused_count > 1 else ""
    recall = worst.recall
    value = f"{worst.label}: {share(Estimate(**recall.__dict__))}" if recall else ""
    behind = f"{counted(worst.n, 'drawing')} ({recall.method})" if recall else ""
    names = listed([row.label for row in never], most=_NAMED)
    others = (
        f" {counted(len(never), 'class', 'classes')} of {len(rows)} had none right ({names})."
        if never
        else ""
    )
    return Fact(
        key="worst_class",
        title="Worst class",
        value=value,
        detail=f"Of {behind}{taken}. With so few drawings a class, the worst of {len(rows)} "
        f"classes is partly bad luck.{others}",
        tone="warn" if never else "",
    )


def leaks_fact(found: LeakCheck) -> Fact:
    title, groups = "Leak check", counted(found.groups, "group")
    if not found.searched:
        return Fact(
            key="leaks",
            title=title,
            value="groups only",
            detail=f"All {groups} lie on one side each. Copies could not be searched for: {found.reason}",
            tone="warn",
        )
    if found.crossing:
        return Fact(
            key="leaks",
            title=title,
            value=f"{counted(found.crossing, 'pair')} of copies on two sides",
            detail=f"Among {counted(found.images, 'drawing')} such as "
            f"{listed([' and '.join(pair) for pair in found.examples], most=2)}. The accuracies may be too "
            "good.",
            tone="warn",
        )
    pairs = counted(found.pairs, "pair")
    copies = f"{pairs} were found, each on one side of the split." if found.pairs else "there are none."
    return Fact(
        key="leaks",
        title=title,
        value="none found",
        detail=f"{counted(found.images, 'drawing')} were searched anew for copies, turned and mirrored ones "
        f"too: {copies} All {groups} lie on one side each.",
        tone="good",
    )


# A calibration error below this is not seen in use: answers of 80% are right 75 to 85 times in 100.
_CALIBRATED = 0.05


def robust_fact(sources: TrustSources, found: RobustnessResult | None) -> Fact:
    title = "Robust accuracy"
    if found is None:
        return Fact(
            key="robust",
            title=title,
            detail=f"{sources.command('evaluate')} --robustness --out OUT measures it.",
        )
    worst = found.corruption(found.worst)
    return Fact(
        key="robust",
        title=title,
        value=share(found.robust),
        detail=f"The mean over {len(found.corruptions)} corruptions at five strengths, "
        f"{signed(found.cost.value)} points against clean drawings ({found.set_name}, "
        f"{counted(found.n, 'drawing')}). The worst is “{worst.title}”: {share(worst.mean)}.",
    )


def calibration_fact(sources: TrustSources, found: ConfidenceResult | None) -> Fact:
    title = "Calibration error"
    if found is None:
        return Fact(
            key="calibration", title=title, detail=f"{sources.command('calibrate')} --out OUT measures it."
        )
    error, over = found.calibration.ece.after, found.calibration.overconfidence.before
    before = found.calibration.ece.before
    sure = "too sure" if over.value > 0 else "not sure enough"
    state = "and its card has that temperature" if found.written else "but its card does not have it"
    return Fact(
        key="calibration",
        title=title,
        value=share(error),
        detail=f"How far confidence and accuracy are apart with a temperature of "
        f"{found.calibration.temperature:.2f}, {state}. Without it {share(before)}: the model was {sure} by "
        f"{abs(100 * over.value):.1f} points.",
        tone="good" if error.high < _CALIBRATED else "",
    )


def unsure_fact(sources: TrustSources, found: ConfidenceResult | None) -> Fact:
    title = "When it is sure"
    if found is None:
        return Fact(
            key="unsure", title=title, detail=f"{sources.command('calibrate')} --out OUT finds a threshold."
        )
    chosen = found.selection
    if chosen.threshold is None or chosen.precision is None:
        return Fact(
            key="unsure",
            title=title,
            value=f"no threshold for {chosen.target:.0%}",
            detail=f"No threshold can be trusted to be right {chosen.target:.0%} of the time; the best that "
            f"can be vouched for is {chosen.reachable:.0%}, answering {chosen.reachable_coverage:.0%} of "
            "drawings.",
            tone="warn",
        )
    return Fact(
        key="unsure",
        title=title,
        value=f"answers {share(chosen.coverage)}",
        detail=f"Told to be right {chosen.target:.0%} of the time, it answers this share of drawings and is "
        f"right in {share(chosen.precision)} of them; of the others it says that it is unsure.",
    )


def foreign_fact(sources: TrustSources, found: ConfidenceResult | None) -> Fact:
    title = "Drawings of no class"
    if found is None:
        return Fact(
            key="foreign",
            title=title,
            detail=f"{sources.command('calibrate')} --out OUT --unknown FOLDER measures it.",
        )
    rejection = found.rejection
    unknown = rejection.folder or rejection.held_out
    if unknown is None:
        return Fact(key="foreign", title=title, detail="There were no unknown drawings to measure it on.")
    result = unknown.of(rejection.chosen.score)
    kind = (
        f"drawings of {counted(unknown.classes, 'foreign class', 'foreign classes')}"
        if unknown.source == "folder"
        else "drawings of its own classes, each hidden in turn: a stand-in, and an easy one, for it was "
        "trained on them"
    )
    return Fact(
        key="foreign",
        title=title,
        value=f"finds {share(result.detection)}",
        detail=f"Measured on {counted(unknown.n, 'drawing')} ({kind}), while it rejects "
        f"{share(rejection.false_alarms)} of its own. AUROC {share(result.auroc)}.",
    )


_FEW = 5


def untested(
    sources: TrustSources,
    robustness: RobustnessResult | None,
    confidence: ConfidenceResult | None,
    leaks: LeakCheck,
) -> Iterator[str]:
    """Sentences, from the most to the least particular."""
    yield from _final_test(sources)
    yield from _classes(sources)
    if not leaks.searched:
        yield "Whether copies of a drawing lie on two sides of the split."
    yield from _conditions(robustness)
    yield from _strangers(confidence)
    if sources.record:
        yield (
            "The luck of a training: this is one run with one seed. Whether its recipe is better than "
            "another is a question for dessin study."
        )
    yield (
        "Drawings from elsewhere: other people, other pens, scans or photographs of paper. All drawings here "
        "come from one collection."
    )


def _final_test(sources: TrustSources) -> Iterator[str]:
    if "holdout" not in sources.metrics:
        yield (
            "A set that took no part in any choice: the holdout is still locked."
            if sources.split.held_out()
            else "A set that took no part in any choice: there is no holdout."
        )


def _classes(sources: TrustSources) -> Iterator[str]:
    absent = sources.main.absent
    if absent:
        yield (
            f"{counted(len(absent), 'class', 'classes')} without a drawing in the {sources.measured_on} set: "
            f"{listed(absent, most=_FEW)}."
        )
    few = [row for row in sources.main.per_class if row.n and row.n < _FEW]
    if few:
        yield (
            f"{counted(len(few), 'class', 'classes')} with fewer than {_FEW} drawings in it: little can be "
            "said of each of them alone."
        )


def _conditions(found: RobustnessResult | None) -> Iterator[str]:
    if found is None:
        yield "Worn, faded, turned, blurred or noisy drawings: the robustness suite was not run."
    else:
        yield (
            f"Corruptions beyond the {len(found.corruptions)} of the suite, stronger ones, and several at "
            "once: the suite applies one at a time."
        )


def _strangers(found: ConfidenceResult | None) -> Iterator[str]:
    if found is None:
        yield "How sure it may be, and drawings of no class: it was not calibrated."
    elif found.rejection.folder is None:
        yield (
            "Really foreign drawings: rejection was measured on hidden classes of its own collection only, "
            "or not at all."
        )

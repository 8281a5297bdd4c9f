"""The facts of a trust card beyond accuracy: robustness, calibration, silence, and drawings of no class."""

from __future__ import annotations

from dessin.experiments.confidence.outcome import ConfidenceOutcome
from dessin.experiments.robustness.outcome import RobustnessOutcome
from dessin.experiments.trust.card import Fact
from dessin.experiments.trust.sources import TrustSources
from dessin.page.numbers import counted, share, signed

# A calibration error below this is not seen in use: answers of 80% are right 75 to 85 times in 100.
_CALIBRATED = 0.05


def robust_fact(sources: TrustSources, found: RobustnessOutcome | None) -> Fact:
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


def calibration_fact(sources: TrustSources, found: ConfidenceOutcome | None) -> Fact:
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


def unsure_fact(sources: TrustSources, found: ConfidenceOutcome | None) -> Fact:
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


def foreign_fact(sources: TrustSources, found: ConfidenceOutcome | None) -> Fact:
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

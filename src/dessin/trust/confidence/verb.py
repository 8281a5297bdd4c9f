"""The verb `calibrate`: what a model's confidence is worth, when it should be silent, and what it rejects."""

from __future__ import annotations

import time
from pathlib import Path

from dessin.answers.committee import find_model, set_confidence
from dessin.answers.inference import folds_of
from dessin.errors import DessinError
from dessin.folders import result_folder
from dessin.language import tr
from dessin.page.blocks import Page
from dessin.page.html import PAGE_FILE, write_page
from dessin.progress import say, warn
from dessin.runs.subject import Subject, read_subject
from dessin.trust.confidence.evidence import gather_evidence, single_model
from dessin.trust.confidence.measure import measure_calibration, measure_selection, temper
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.confidence.unknown import measure_rejection, read_unknown, unknown_answers
from dessin.trust.confidence.view import (
    calibration_words,
    cautions,
    confidence_page,
    rejection_words,
    selection_words,
)


def calibrate(
    run: str | Path,
    *,
    out: str | Path,
    precision: float = 0.9,
    unknown: str | Path | None = None,
    write: bool = False,
    data: str | Path | None = None,
    split: str | Path | None = None,
) -> ConfidenceResult:
    """Measure how far a model's confidence can be trusted, and when it should say that it is unsure.

    Validation images are asked. The temperature is fitted anew to the model's answers without any, so a
    second time gives the same. `out` gets `confidence.json` and `index.html`; the run or committee keeps
    the first too.

    Args:
        run: A run or a committee, or a bundle (with its data and split).
        out: A new folder for the results.
        precision: How often an answer that is given must be right, above 0 and below 1; else the model is
            unsure.
        unknown: A folder of drawings of no class of the model, to measure how it rejects them.
        write: Put temperature, threshold and rejection into the model's card; the weights stay as they are.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.

    Raises:
        DessinError: no such model, no validation images, a precision that is none, an `unknown` without
            images, or an `out` that is in use.
    """
    if not 0.0 < precision < 1.0:
        raise DessinError(
            f"The precision is {precision:g}.", allowed="It is above 0 and below 1, such as 0.9."
        )
    started = time.monotonic()
    subject = read_subject(Path(run), data, split)
    subject.rows("validation")
    foreign = None if unknown is None else read_unknown(Path(unknown), subject)
    with result_folder(Path(out), what="a calibration") as part:
        evidence = gather_evidence(subject)
        answers = None if foreign is None else unknown_answers(subject, foreign)
        corrected = temper(evidence)
        rejection = measure_rejection(evidence, corrected.temperature, foreign, answers)
        calibration = measure_calibration(evidence, corrected)
        selection = measure_selection(evidence, corrected, precision)
        folds, is_committee = folds_of(subject.loaded), single_model(subject.loaded) is None
        parts = int(evidence.parts.max()) + 1
        outcome = ConfidenceResult(
            name=subject.given.resolve().name,
            subject="committee" if is_committee else "model",
            measured_on=f"validation images of {'folds' if len(folds) > 1 else 'fold'} "
            f"{', '.join(map(str, folds))}",
            n=len(evidence.targets),
            groups=len(set(evidence.groups.tolist())),
            classes=len(evidence.classes),
            folds=folds,
            parts=parts,
            seed=evidence.seed,
            weights=dict(subject.loaded.committee.weights),
            calibration=calibration,
            selection=selection,
            rejection=rejection,
            summary=(
                *calibration_words(calibration),
                selection_words(selection),
                *rejection_words(rejection),
            ),
            cautions=tuple(cautions(rejection, is_committee=is_committee)),
            written=write,
            seconds=round(time.monotonic() - started, 1),
        )
        page = _keep(subject, outcome, part)
    _say(outcome, Path(out) / PAGE_FILE)
    return outcome.with_page(page, out)


def _keep(subject: Subject, outcome: ConfidenceResult, out: Path) -> Page:
    """The page, when all is written; the card first: what is said to be written must be.

    Where no threshold can be trusted to reach the target, the model goes on to answer always.
    """
    if outcome.written:
        folder = find_model(subject.given)
        set_confidence(
            folder,
            temperature=outcome.calibration.temperature,
            threshold=outcome.selection.threshold or 0.0,
            rejection=outcome.rejection.chosen,
        )
        say(tr("temperature, threshold and rejection are in the card of {folder}", folder=folder))
    page = confidence_page(outcome, subject)
    write_page(out / PAGE_FILE, page)
    for place in (subject.home, out):
        if place is not None:
            outcome.write(place)
    return page


def _say(outcome: ConfidenceResult, page: Path) -> None:
    for line in outcome.summary:
        say(line)
    if outcome.selection.threshold is None:
        warn(tr("No threshold is set: the precision asked for cannot be promised."))
    say(tr("page: {file}", file=page))

"""The page of a model's confidence: for a teacher first, with all figures below."""

from __future__ import annotations

from dessin.experiments.confidence.outcome import ConfidenceOutcome, UnknownResults
from dessin.experiments.confidence.pictures import coverage_chart, reliability_chart
from dessin.experiments.confidence.words import MEANINGS, SCORES, between, in_ten, signed_points
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, plain, share
from dessin.page.pictures import SECOND
from dessin.page.render import render_page


def confidence_page(outcome: ConfidenceOutcome) -> str:
    """`confidence.html`, whole: nothing is loaded from outside and every name is escaped."""
    rejection = outcome.rejection
    measured = [found for found in (rejection.folder, rejection.held_out) if found is not None]
    calibration = outcome.calibration
    return render_page(
        "dessin.experiments.confidence",
        "confidence.html",
        title=f"{outcome.name}: how sure it may be",
        outcome=outcome,
        before=reliability_chart(calibration.bins_before, colour=SECOND),
        after=reliability_chart(calibration.bins_after),
        curve=coverage_chart(outcome.selection),
        plots=[(found, score_plot(found, rejection.chosen.score)) for found in measured],
        rows=[
            ("Expected calibration error", calibration.ece, True),
            ("Confidence minus accuracy", calibration.overconfidence, True),
            ("Brier score", calibration.brier, False),
            ("Log loss", calibration.log_loss, False),
        ],
        with_nearest=any(row.score == "nearest" for found in measured for row in found.scores),
        scores=SCORES,
        meanings=MEANINGS,
        between=between,
        counted=counted,
        in_ten=in_ten,
        plain=plain,
        share=share,
        signed_points=signed_points,
    )


def score_plot(found: UnknownResults, chosen: str) -> DotPlot:
    """The AUROC of every score; the line is what guessing gives."""
    return dot_plot(
        [
            Dot(
                name=SCORES[row.score],
                words=share(row.auroc),
                label=f"{SCORES[row.score]}: AUROC {share(row.auroc)}",
                value=row.auroc.value,
                low=row.auroc.low,
                high=row.auroc.high,
                tone="" if row.score == chosen else "cannot-tell",
                note="used" if row.score == chosen else "",
            )
            for row in found.scores
        ],
        lambda value: f"{100 * value:g}%",
        line=0.5,
        reach=(1.0,),
    )

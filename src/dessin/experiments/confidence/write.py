"""Temperature and thresholds into a model's card; its weights are not touched."""

from __future__ import annotations

from pathlib import Path

from dessin.answers.committee import find_model, set_confidence
from dessin.experiments.confidence.outcome import ConfidenceOutcome


def write_to_card(given: Path, outcome: ConfidenceOutcome) -> Path:
    """Put what was found into the card of the model that `given` names; returns the model's folder.

    Where no threshold can be trusted to reach the target, the model goes on to answer always.
    """
    folder = find_model(given)
    set_confidence(
        folder,
        temperature=outcome.calibration.temperature,
        threshold=outcome.selection.threshold or 0.0,
        rejection=outcome.rejection.chosen,
    )
    return folder

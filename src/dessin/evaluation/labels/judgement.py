"""The judgement on a collection's labels: how many may be wrong, which, and what they look like instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dessin.errors import DessinError
from dessin.evaluation.labels.confident import Floats, Labels, confident_joint
from dessin.evaluation.labels.plausibility import label_odds
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.statistics.temperature import log_probabilities

# A label is implausible where it is as odd as the oddest of the labels that drawings do not have: this share
# of them. Right labels are rarely among these, and wrong ones about as often as any other label.
ODDEST = 0.3


@dataclass(frozen=True, eq=False)
class Judgement:
    """The labels of N drawings, judged.

    Attributes:
        quality: (N,) from 0, the label looks like one that its drawing does not have, to 1.
        suggested: (N,) the most probable other class.
        suspects: (N,) bool, the labels of lowest quality, as many as `noise` says.
        noise: the estimated share of wrong labels. Drawings that the models cannot read raise it; wrong
            labels that resemble the right ones (a lion that is called a tiger) lower it.
        confident_noise: the share by the confident joint, which counts a weak model's errors as well.
    """

    quality: Floats
    suggested: Labels
    suspects: NDArray[np.bool_]
    noise: Estimate
    confident_noise: float

    @property
    def ranking(self) -> Labels:
        """Rows from the worst label to the best, (N,); equal ones in their order."""
        return np.argsort(self.quality, kind="stable").astype(np.int64)


def judge_labels(
    probabilities: ArrayLike, given: ArrayLike, groups: Sequence[str], *, seed: int = 0
) -> Judgement:
    """Judge the given labels (N,) by out-of-fold probabilities (N, C).

    Images of a group (N,) belong together, and the interval of the share of wrong labels resamples groups.

    Raises:
        DessinError: no image, one class, or shapes that do not agree.
    """
    table, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(given, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table) or labels.shape != (len(table),):
        raise DessinError(
            f"Labels {labels.shape} cannot be judged by probabilities {table.shape}.",
            allowed="It takes a row of probabilities of two classes or more, and a label, for each image.",
        )
    odds = label_odds(log_probabilities(table), labels)
    every = np.arange(len(labels))
    own = odds[every, labels]
    others = np.ones(table.shape, dtype=np.bool_)
    others[every, labels] = False
    noise = _noise(own < np.quantile(odds[others], ODDEST), groups, seed)
    return Judgement(
        quality=expit(own),
        suggested=np.where(others, table, -1.0).argmax(axis=1).astype(np.int64),
        suspects=_lowest(own, round(noise.value * len(own))),
        noise=noise,
        confident_noise=float(1.0 - np.trace(confident_joint(table, labels))),
    )


def _noise(implausible: NDArray[np.bool_], groups: Sequence[str], seed: int) -> Estimate:
    """Each implausible label stands for several wrong ones, of which only the share `ODDEST` is so odd."""
    share = bootstrap_mean(implausible, groups, seed=seed)
    value, low, high = (min(1.0, edge / ODDEST) for edge in (share.value, share.low, share.high))
    return replace(share, value=value, low=low, high=high)


def _lowest(values: Floats, count: int) -> NDArray[np.bool_]:
    lowest = np.zeros(len(values), dtype=np.bool_)
    lowest[np.argsort(values, kind="stable")[:count]] = True
    return lowest

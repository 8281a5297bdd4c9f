"""Confident learning (Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 2021): thresholds of each class, and the joint distribution of given and likely labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

NOBODY = -1
# As many average drawings are added to each class, so that three drawings of a class make no threshold alone.
_PRIOR = 5.0


def class_means(values: Floats, given: Labels, classes: int) -> Floats:
    """The mean of `values` (N,) in each class, (C,), drawn towards the mean of all: classes can be tiny."""
    counts = np.bincount(given, minlength=classes)
    sums = np.bincount(given, values, minlength=classes)
    means: Floats = (sums + _PRIOR * values.mean()) / (counts + _PRIOR)
    return means


def self_confidence(probabilities: Floats, given: Labels) -> Floats:
    """Each class's threshold, (C,): the mean probability of the class for drawings that are labelled so."""
    own = probabilities[np.arange(len(given)), given]
    return class_means(own, given, probabilities.shape[1])


def confident_labels(probabilities: Floats, given: Labels) -> Labels:
    """The most probable of the classes that reach their threshold, (N,); `NOBODY` where none does."""
    reached = probabilities >= self_confidence(probabilities, given)
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, NOBODY).astype(np.int64)


def confident_joint(probabilities: Floats, given: Labels) -> Floats:
    """The joint distribution (C, C) of the given label (row) and the confident one (column); sums to 1.

    Rows are calibrated to how many drawings bear the label. The mass off the diagonal is the method's noise
    rate; it takes every confident other answer for a wrong label, so a weak model's own errors are in it.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(given, minlength=classes).astype(np.float64)
    confident = confident_labels(probabilities, given)
    sure = confident != NOBODY
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[sure], confident[sure]), 1.0)
    # A class in which no drawing is sure says nothing against its labels.
    silent = joint.sum(axis=1) == 0
    joint[silent, silent] = 1.0
    joint *= (counts / joint.sum(axis=1))[:, None]
    total: Floats = joint / joint.sum()
    return total

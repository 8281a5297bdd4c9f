"""What a model answers to one image: the likeliest classes, or why it says none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.committee import Committee
from dessin.serving.runtime import Answered

Abstention = Literal["", "unsure", "no_class"]


@dataclass(frozen=True)
class Candidate:
    """A class with its name for people and its probability."""

    label: str
    name: str
    probability: float


@dataclass(frozen=True)
class Answer:
    """The likeliest classes of an image, the first of which is the answer unless the model abstains.

    `abstention` is `unsure` below the model's threshold, and `no_class` where its rejection score is too low;
    `reason` says it in words, and is empty where the model answers.
    """

    candidates: tuple[Candidate, ...]
    abstention: Abstention
    reason: str

    @property
    def best(self) -> Candidate:
        return self.candidates[0]


def read_answers(model: Committee, answered: Answered, top: int) -> list[Answer]:
    """The answers to n images, each with at most `top` classes; equal probabilities in class order."""
    scores = answered.scores
    return [
        _answer(model, row, None if scores is None else float(scores[number]), top)
        for number, row in enumerate(answered.probabilities)
    ]


def _answer(model: Committee, probabilities: NDArray[np.float32], score: float | None, top: int) -> Answer:
    order = np.argsort(-probabilities, kind="stable")[:top]
    labels = [model.classes[column] for column in order]
    candidates = tuple(
        Candidate(label, model.names.get(label, label), float(probabilities[column]))
        for label, column in zip(labels, order, strict=True)
    )
    return Answer(candidates, *_abstention(model, candidates[0].probability, score))


def _abstention(model: Committee, probability: float, score: float | None) -> tuple[Abstention, str]:
    rejection = model.rejection
    if rejection is not None and score is not None and score < rejection.threshold:
        words = rejection.score.replace("_", " ")
        return "no_class", f"not a drawing of any class ({words} {score:.3f} below {rejection.threshold:.3f})"
    if probability < model.threshold:
        return "unsure", f"below the threshold {model.threshold:.3f}"
    return "", ""

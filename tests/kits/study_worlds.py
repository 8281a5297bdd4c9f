"""Simulated studies with known truth: drawings, photos, trainings and training sets that vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from dessin.statistics.contrasts import Outcomes


@dataclass(frozen=True)
class World:
    """A probit model of right answers; spreads are on its scale, where 0.026 is about one point at 40%.

    An image is easy or hard by itself (`image`), with its photo (`photo`) and for a level (`taste`); a run
    is lucky or not (`run`, of each seed and fold), a training set suits a level or not (`training_set`).
    """

    levels: int = 2
    seeds: int = 3
    folds: int = 5
    photos: int = 240
    drawings: int = 5
    image: float = 1.6
    photo: float = 1.0
    taste: float = 0.35
    answer: float = 0.35
    run: float = 0.03
    training_set: float = 0.0
    accuracy: float = 0.4
    effect: float = 0.0

    def study(self, number: int) -> Outcomes:
        """The `number`-th study of this world; levels after the first are better by `effect`."""
        random = np.random.default_rng([number, 7])
        count = self.photos * self.drawings
        photo = np.repeat(np.arange(self.photos), self.drawings)
        fold_of = (np.arange(self.photos) % self.folds)[photo]
        ease = self.photo * random.normal(size=self.photos)[photo] + self.image * random.normal(size=count)
        threshold = norm.ppf(self.accuracy) * np.sqrt(
            self.image**2 + self.photo**2 + self.taste**2 + self.answer**2
        )
        correct = np.empty((self.levels, self.seeds, count))
        for level in range(self.levels):
            taste = (
                self.taste
                * np.sqrt(0.5)
                * (random.normal(size=self.photos)[photo] + random.normal(size=count))
            )
            luck = self.run * random.normal(size=(self.seeds, self.folds))
            luck = luck + self.training_set * random.normal(size=self.folds)
            answers = self.answer * random.normal(size=(self.seeds, count))
            logits = threshold + ease + taste + luck[:, fold_of] + answers + self.effect * (level > 0)
            correct[level] = logits > 0
        return Outcomes(
            levels=tuple(f"level {level}" for level in range(self.levels)),
            seeds=tuple(range(self.seeds)),
            folds=tuple(range(self.folds)),
            correct=correct,
            fold_of=fold_of,
            groups=photo.astype(str),
            image_ids=tuple(map(str, range(count))),
            split_folds=5,
        )

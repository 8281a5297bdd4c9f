"""What a run's report counts: the parts of its split, its answers to drawings that it was not trained on,
which classes these mix up, and whose drawings they fail on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.split.files import Assignment, Split
from dessin.page.numbers import ALPHA
from dessin.runs.record import RunRecord, SetName
from dessin.statistics.intervals import Estimate, wilson
from dessin.statistics.metrics import Metrics, measure
from dessin.statistics.paired_tests import holm

# What the part that is learnt from is called, of one fold and of all.
IN_TRAINING = ("training", "training, and in turn validation")
# Of so many mistakes of two classes there may be something to do about them.
_A_FEW = 2
# A group of fewer says nothing by itself.
_LEAST_OF_A_GROUP = 3
# Of a wrong answer that is surer than this, the label may be at fault.
SURE = 0.9


@dataclass(frozen=True)
class SplitPart:
    """One part of a split; `share` is of all its images."""

    name: str
    images: int
    groups: int
    classes: int
    share: float


def split_part(name: str, rows: Sequence[Assignment], split: Split) -> SplitPart:
    return SplitPart(
        name=name,
        images=len(rows),
        groups=len({row.group for row in rows}),
        classes=len({row.label for row in rows}),
        share=len(rows) / len(split.rows),
    )


def run_parts(split: Split, record: RunRecord) -> tuple[SplitPart, ...]:
    """Training, validation and holdout of a run, as far as it has them; of several folds, both in turn."""
    fold = record.recipe.data.fold
    learns, in_turn = IN_TRAINING
    parts = {in_turn: split.training(None), "holdout": split.held_out()}
    if fold != "none":
        learnt, asked = split.training(fold), split.validation(fold)
        parts = {learns: learnt, "validation": asked, "holdout": split.held_out()}
    elif "validation" not in record.results:
        parts = {learns: split.training(None), "holdout": split.held_out()}
    return tuple(split_part(name, rows, split) for name, rows in parts.items() if rows)


@dataclass(frozen=True)
class Judged:
    """A model's answers to one set of drawings that it was not trained on, with each drawing's group."""

    name: SetName
    answers: Predictions
    groups: tuple[str, ...]
    metrics: Metrics

    @property
    def chance(self) -> float:
        """The accuracy of always answering the set's most frequent class."""
        return float(np.bincount(self.answers.targets).max() / len(self.answers.labels))

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """The rows of the wrong answers, those that the model was surest of first."""
        wrong = np.flatnonzero(~self.answers.correct)
        return wrong[np.argsort(-self.sureness[wrong], kind="stable")]

    @property
    def sureness(self) -> NDArray[np.float32]:
        """The probability of each answer, (N,)."""
        return np.asarray(self.answers.probabilities.max(axis=1))


def judged(run: Path, record: RunRecord, split: Split) -> dict[SetName, Judged]:
    """The answers that a run has kept, by set."""
    return {name: judged_set(run, name, split, record.seed) for name in record.results}


def judged_set(run: Path, name: SetName, split: Split, seed: int = 0) -> Judged:
    """The answers to one set that lie in the folder of a run or a committee."""
    group_of = {row.image_id: row.group for row in split.rows}
    kept = read_predictions(run / name)
    groups = tuple(group_of[image_id] for image_id in kept.image_ids)
    metrics = measure(kept.probabilities, kept.targets, groups, kept.classes, seed=seed)
    return Judged(name, kept, groups, metrics)


@dataclass(frozen=True)
class Mixed:
    """Two classes that are taken for each other `count` times, of `of` drawings of both.

    `first` is taken for `second` in `there` of these, which is as often as the other way round, or more.
    """

    first: str
    second: str
    there: int
    count: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of


def mixed_up(metrics: Metrics) -> tuple[Mixed, ...]:
    """The pairs of classes that are mixed up, the most frequent first."""
    n_of = {row.label: row.n for row in metrics.per_class}
    pairs: defaultdict[frozenset[str], list[tuple[int, str, str]]] = defaultdict(list)
    for found in metrics.confusions:
        pairs[frozenset((found.label, found.predicted))].append((found.count, found.label, found.predicted))
    mixed = []
    for ways in pairs.values():
        there, first, second = max(ways, key=lambda way: way[0])
        count = sum(way[0] for way in ways)
        mixed.append(Mixed(first, second, there, count, n_of[first] + n_of[second]))
    return tuple(sorted(mixed, key=lambda pair: (-pair.count, -pair.share)))


@dataclass(frozen=True)
class Thin:
    """A class with fewer drawings than others that is named right less often than they are."""

    label: str
    drawings: int
    usual: int
    recall: float


@dataclass(frozen=True)
class Help:
    """What would help most: pairs of classes `mixed` up more than once, `thin` classes, how many of all
    `mistakes` were `sure`, and in how many `pairs` of classes they lie."""

    mistakes: int
    pairs: int
    mixed: tuple[Mixed, ...]
    thin: tuple[Thin, ...]
    sure: int


def what_helps(found: Judged, split: Split, *, most: int = 3) -> Help:
    """From the mistakes of a set and the classes' counts; `most` of each kind."""
    mixed = mixed_up(found.metrics)
    counts = Counter(row.label for row in split.rows if row.fold is not None)
    usual, overall = int(median(counts.values())), found.metrics.accuracy.value
    thin = [
        Thin(row.label, counts[row.label], usual, row.recall.value)
        for row in found.metrics.per_class
        if row.recall and row.recall.value < overall and 2 * counts[row.label] <= usual
    ]
    return Help(
        mistakes=len(found.mistakes),
        pairs=len(mixed),
        mixed=tuple(pair for pair in mixed[:most] if pair.count >= _A_FEW),
        thin=tuple(sorted(thin, key=lambda each: (each.recall, each.drawings))[:most]),
        sure=int((found.sureness[found.mistakes] > SURE).sum()),
    )


@dataclass(frozen=True)
class GroupResult:
    """The drawings of one group, such as a pupil's: the share named right; `worse` is beyond chance."""

    name: str
    right: Estimate
    mistakes: int
    worse: bool


def groups_worst_first(found: Judged) -> tuple[GroupResult, ...]:
    """Groups of three drawings or more, the least recognised first.

    One is worse than the rest where so few right ones would be drawn from all drawings of the set in fewer
    than 5 of 100 cases (Fisher's exact test, one-sided), after Holm's correction over the groups.
    """
    from scipy.stats import hypergeom

    correct = found.answers.correct
    drawings, right = (
        Counter(found.groups),
        Counter(g for g, ok in zip(found.groups, correct, strict=True) if ok),
    )
    names = [name for name, n in drawings.items() if n >= _LEAST_OF_A_GROUP]
    total = (len(correct), int(correct.sum()))
    p_values = holm([float(hypergeom.cdf(right[name], *total, drawings[name])) for name in names])
    rows = [
        GroupResult(
            name,
            wilson(right[name] / drawings[name], drawings[name], n=drawings[name]),
            drawings[name] - right[name],
            p < ALPHA,
        )
        for name, p in zip(names, p_values, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (row.right.value, -row.right.n, row.name)))


def surest(answers: Predictions, label: str, most: int) -> tuple[str, ...]:
    """The image ids of drawings of a class that were named right, the surest first."""
    named = answers.classes.index(label)
    rows = np.flatnonzero(answers.correct & (answers.targets == named))
    chosen = rows[np.argsort(-answers.probabilities[rows, named], kind="stable")][:most]
    return tuple(answers.image_ids[row] for row in chosen)

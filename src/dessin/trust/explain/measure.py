"""Whether a map tells the truth: take away what it marks, or show that alone, and see what the class does.

Deletion and insertion: Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of
black-box models" (BMVC 2018). Both work on the drawing's own paper here: that is what a drawing has where
nothing is drawn, so neither curve meets edges or a blur that no drawing has. On a seeded sample the maps are
held against random maps, against the ink, and against occlusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dessin.images.ink import ink_mask
from dessin.parallel.mapper import Mapper
from dessin.progress import track
from dessin.randomness import image_keys, permutation, uniform
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.trust.explain.batches import each_batch
from dessin.trust.explain.explainer import Answer, Explainer, Keep
from dessin.trust.explain.maps import Floats, enlarged
from dessin.trust.explain.pictures import predictions
from dessin.trust.explain.result import FaithfulnessResult, Measure, MethodRow, Verdict
from dessin.trust.explain.sources import Batch, Drawing, Reader

# A gain in area below this is none, however sure: a model that hardly looks at the drawing gives such.
SMALLEST = 0.01
STEPS = 10
SAMPLE = 64
BASELINE = "the drawing's own paper (the median colour of its border)"
# Smaller than what differs in a map; only equal places are put in order by it.
_TIE = 1e-6
# What the curves are of: a method's maps, and those that know nothing of the model.
_COMPARED = ("maps", "random", "ink")
_LEAST = 16
# Each drawing takes a hundred answers of every model, so a large committee is measured on fewer drawings.
_DRAWINGS_TIMES_MODELS = 256


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of the class at shares 0, 0.1, .. 1 of the area, marked places first: (11,) each."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]


def area(curve: NDArray[np.float64]) -> float:
    """The mean height of a curve, 0..1: of deletion it is low where the map marks what the class rests on.

    Of insertion it is high where what the map marks is enough.
    """
    return float(np.trapezoid(curve) / (len(curve) - 1))


def curves(answer: Answer, maps: Mapping[str, Floats], ties: Floats) -> dict[str, Curves]:
    """The two curves of each map (S, S) of one drawing, all asked in one batch.

    Places of equal value come in the order of `ties` (S, S) in 0..1.
    """
    marked = {name: _marked(values, ties) for name, values in maps.items()}
    ends = np.stack([np.ones_like(ties, dtype=np.bool_), np.zeros_like(ties, dtype=np.bool_)])
    keep = np.concatenate([ends, *(part for top in marked.values() for part in (~top, top))])
    answers = answer(keep)
    whole, blank, rest = answers[:1], answers[1:2], answers[2:].reshape(len(maps), 2, STEPS - 1)
    return {
        name: Curves(
            deletion=np.concatenate([whole, rest[number, 0], blank]),
            insertion=np.concatenate([blank, rest[number, 1], whole]),
        )
        for number, name in enumerate(maps)
    }


def random_map(image_id: str, seed: int, shape: tuple[int, int], size: int) -> Floats:
    """A map that knows nothing, (size, size) in 0..1, as coarse and as smooth as one of `shape` cells."""
    height, width = shape
    draws = uniform(seed, "explain random map", 0, image_keys([image_id]), height * width)
    return np.asarray(enlarged(draws.reshape(1, height, width).astype(np.float32), size)[0])


def ink_map(ink: NDArray[np.bool_], shape: tuple[int, int]) -> Floats:
    """A map that knows where ink is and nothing of the model: the share of ink of `shape` cells, (S, S)."""
    height, width = shape
    cells = cv2.resize(ink.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(enlarged(np.asarray(cells, dtype=np.float32)[None], len(ink))[0])


def agreement(values: Floats, drops: Floats) -> float:
    """Spearman's rank correlation of a map (S, S) with what covering cells costs (g, g); 0 if one is flat."""
    cells = cv2.resize(values, drops.shape[::-1], interpolation=cv2.INTER_AREA).ravel()
    if np.ptp(cells) == 0 or np.ptp(drops) == 0:
        return 0.0
    return float(spearmanr(cells, drops.ravel()).statistic)


def _marked(values: Floats, ties: Floats) -> Keep:
    """The places of highest value that make up 0.1, 0.2, .. 0.9 of the area, (9, S, S)."""
    order = np.argsort(-(values.astype(np.float64) + _TIE * ties).ravel(), kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    shares = np.arange(1, STEPS) / STEPS
    return (rank < shares[:, None] * order.size).reshape(STEPS - 1, *values.shape)


@dataclass(frozen=True)
class _OfMethod:
    """What was measured of one method's map of a drawing, beside others."""

    curves: Mapping[str, Curves]
    agreement: float | None
    cells: tuple[int, int]
    empty: bool


@dataclass(frozen=True)
class Measured:
    """A drawing, and what was measured of it by method."""

    drawing: Drawing
    methods: Mapping[str, _OfMethod]


def seeded_sample(drawings: Sequence[Drawing], seed: int, models: int) -> tuple[Drawing, ...]:
    """At most `SAMPLE` drawings (fewer for many `models`), drawn by their ids, whatever order they are in."""
    size = min(SAMPLE, max(_LEAST, _DRAWINGS_TIMES_MODELS // models))
    order = permutation(seed, "explain sample", 0, image_keys([drawing.image_id for drawing in drawings]))
    return tuple(drawings[place] for place in sorted(order[:size]))


def measure_faithfulness(
    explainer: Explainer,
    reader: Reader,
    sample: Sequence[Drawing],
    methods: Sequence[str],
    seed: int,
    mapper: Mapper | None = None,
) -> FaithfulnessResult | None:
    """Deletion, insertion and agreement of each method's maps; None where no drawing could be read."""
    work = partial(measure_batch, methods=methods, seed=seed)
    each = each_batch(explainer, reader, sample, work, "", mapper)
    measured = list(track(each, len(sample), "Measuring the maps"))
    if not measured:
        return None
    groups = [one.drawing.group or one.drawing.image_id for one in measured]
    return FaithfulnessResult(
        model=explainer.loaded.committee.name,
        models=len(explainer.loaded.bundles),
        drawings=len(measured),
        groups=len(set(groups)),
        seed=seed,
        baseline=BASELINE,
        methods=tuple(
            _row(method, [one.methods[method] for one in measured], groups, seed) for method in methods
        ),
    )


def measure_batch(
    explainer: Explainer, batch: Batch, *, methods: Sequence[str], seed: int
) -> Iterator[Measured]:
    """What is measured of each drawing of a batch."""
    by_gradient = any(method != "occlusion" for method in methods)
    asked = explainer.ask(batch, gradients=by_gradient)
    labels = predictions(explainer, asked)
    maps = {method: explainer.maps(asked, labels, method) for method in methods}
    drops = explainer.drops(asked, labels) if by_gradient else None
    for place, drawing in enumerate(batch.drawings):
        ink = ink_mask(explainer.image(asked, place))
        answer = explainer.answer(asked, place, labels[place])
        found = {}
        for method in methods:
            values, cells = maps[method][place], explainer.cells(asked, method)
            random = random_map(drawing.image_id, seed, cells, explainer.size)
            compared = dict(zip(_COMPARED, (values, random, ink_map(ink, cells)), strict=True))
            found[method] = _OfMethod(
                curves=curves(answer, compared, random),
                agreement=None if drops is None or method == "occlusion" else agreement(values, drops[place]),
                cells=cells,
                empty=not values.any(),
            )
        yield Measured(drawing, found)


def _row(method: str, found: Sequence[_OfMethod], groups: Sequence[str], seed: int) -> MethodRow:
    parts = {name: [one.curves[name] for one in found] for name in _COMPARED}
    deletion, insertion = (_measure(parts, curve, groups, seed) for curve in ("deletion", "insertion"))
    agreements = [one.agreement for one in found if one.agreement is not None]
    return MethodRow(
        method=method,
        cells=max(one.cells for one in found),
        deletion=deletion,
        insertion=insertion,
        agreement=_estimate(agreements, groups, seed) if agreements else None,
        empty=sum(one.empty for one in found),
        curves={
            f"{curve} {name}": tuple(np.mean([getattr(one, curve) for one in own], axis=0).tolist())
            for curve in ("deletion", "insertion")
            for name, own in parts.items()
        },
        verdict=verdict_of(
            (-deletion.over_random, insertion.over_random), (-deletion.over_ink, insertion.over_ink)
        ),
    )


def verdict_of(random: Sequence[Estimate], ink: Sequence[Estimate]) -> Verdict:
    """Whether maps beat random ones in all tests, in some, in none, or are even beaten in one.

    `random` and `ink` are what they gain over random maps and over those of the ink. Faithful are maps that
    beat both: one that only knows where something is drawn says nothing of the model.
    """
    if any(is_better(-gain) for gain in random):
        return "misleading"
    if all(is_better(gain) for gain in (*random, *ink)):
        return "faithful"
    return "partly faithful" if any(is_better(gain) for gain in random) else "not shown"


def is_better(gain: Estimate) -> bool:
    """Whether a gain in area is above 0 for certain, and worth a word."""
    return gain.low > 0 and gain.value >= SMALLEST


def _measure(
    parts: Mapping[str, Sequence[Curves]],
    curve: Literal["deletion", "insertion"],
    groups: Sequence[str],
    seed: int,
) -> Measure:
    # Sums of float32 probabilities may pass 1 by a rounding.
    numbers = {
        name: np.clip([area(getattr(one, curve)) for one in own], 0.0, 1.0) for name, own in parts.items()
    }
    estimates = {name: _estimate(values, groups, seed) for name, values in numbers.items()}
    for name in ("random", "ink"):
        estimates[f"over_{name}"] = _estimate(numbers["maps"] - numbers[name], groups, seed)
    return Measure(**estimates)


def _estimate(values: Sequence[float] | NDArray[np.float64], groups: Sequence[str], seed: int) -> Estimate:
    return bootstrap_mean(values, groups, seed=seed, bounds=(-1.0, 1.0))

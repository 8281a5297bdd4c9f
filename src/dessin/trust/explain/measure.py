"""How faithful the maps are, measured on a seeded sample: against random maps, the ink, and occlusion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dessin.images.ink import ink_mask
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.trust.explain.explainer import Explainer, Seen
from dessin.trust.explain.faithfulness import Curves, agreement, curves, ink_map, random_map
from dessin.trust.explain.maps import Floats
from dessin.trust.explain.pictures import predictions
from dessin.trust.explain.result import Faithfulness, Measure, MethodRow
from dessin.trust.explain.sources import Drawing, Reader
from dessin.trust.explain.view import judged

SAMPLE = 64
_LEAST = 16
# Each drawing takes a hundred answers of every model, so a large committee is measured on fewer drawings.
_DRAWINGS_TIMES_MODELS = 256
BASELINE = "the drawing's own paper (the median colour of its border)"


@dataclass
class _Found:
    """What was measured of one method, a value a drawing, in the order of the drawings."""

    curves: dict[str, list[Curves]] = field(default_factory=lambda: {"maps": [], "random": [], "ink": []})
    agreement: list[float] = field(default_factory=list)
    cells: tuple[int, int] = (0, 0)
    empty: int = 0


def seeded_sample(drawings: Sequence[Drawing], seed: int, models: int) -> tuple[Drawing, ...]:
    """At most `SAMPLE` drawings (fewer for many `models`), drawn by their ids, whatever order they are in."""
    size = min(SAMPLE, max(_LEAST, _DRAWINGS_TIMES_MODELS // models))
    order = permutation(seed, "explain sample", 0, image_keys([drawing.image_id for drawing in drawings]))
    return tuple(drawings[place] for place in sorted(order[:size]))


def measure_faithfulness(
    explainer: Explainer, reader: Reader, sample: Sequence[Drawing], methods: Sequence[str], seed: int
) -> Faithfulness | None:
    """Deletion, insertion and agreement of each method's maps; None where no drawing could be read."""
    found = {method: _Found() for method in methods}
    measured: list[Drawing] = []
    looks = _looks(explainer, reader, sample, methods)
    for look in track(looks, len(sample), "measuring the maps"):
        _measure_one(explainer, look, found, seed)
        measured.append(look.drawing)
    if not measured:
        return None
    groups = [drawing.group or drawing.image_id for drawing in measured]
    return Faithfulness(
        model=explainer.loaded.committee.name,
        models=len(explainer.loaded.bundles),
        drawings=len(measured),
        groups=len(set(groups)),
        seed=seed,
        baseline=BASELINE,
        methods=tuple(_row(method, found[method], groups, seed) for method in methods),
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """One drawing of a batch with its maps (S, S) by method, and what covering its cells costs."""

    seen: Seen
    place: int
    label: str
    maps: dict[str, Floats]
    cells: dict[str, tuple[int, int]]
    drops: Floats | None

    @property
    def drawing(self) -> Drawing:
        return self.seen.batch.drawings[self.place]


def _looks(
    explainer: Explainer, reader: Reader, sample: Sequence[Drawing], methods: Sequence[str]
) -> Iterator[_Look]:
    by_gradient = [method for method in methods if method != "occlusion"]
    for batch in reader.batches(sample):
        if batch is None:
            continue
        seen = explainer.see(batch, gradients=bool(by_gradient))
        labels = predictions(explainer, seen)
        maps = {method: explainer.maps(seen, labels, method) for method in methods}
        cells = {method: explainer.cells(seen, method) for method in methods}
        drops = explainer.drops(seen, labels) if by_gradient else None
        for place, label in enumerate(labels):
            own = {method: values[place] for method, values in maps.items()}
            yield _Look(seen, place, label, own, cells, None if drops is None else drops[place])


def _measure_one(explainer: Explainer, look: _Look, found: dict[str, _Found], seed: int) -> None:
    image_id, ink = look.drawing.image_id, ink_mask(explainer.picture(look.seen, look.place))
    answer = explainer.answer(look.seen, look.place, look.label)
    for method, values in look.maps.items():
        random = random_map(image_id, seed, look.cells[method], explainer.size)
        maps = {"maps": values, "random": random, "ink": ink_map(ink, look.cells[method])}
        for name, measured in curves(answer, maps, random).items():
            found[method].curves[name].append(measured)
        found[method].empty += not values.any()
        found[method].cells = max(found[method].cells, look.cells[method])
        if look.drops is not None and method != "occlusion":
            found[method].agreement.append(agreement(values, look.drops))


def _row(method: str, found: _Found, groups: Sequence[str], seed: int) -> MethodRow:
    deletion = _measure(
        {name: [one.deletion_area for one in parts] for name, parts in found.curves.items()}, groups, seed
    )
    insertion = _measure(
        {name: [one.insertion_area for one in parts] for name, parts in found.curves.items()}, groups, seed
    )
    agreed = _estimate(found.agreement, groups, seed) if found.agreement else None
    verdict, text = judged(deletion, insertion)
    return MethodRow(
        method=method,
        cells=found.cells,
        deletion=deletion,
        insertion=insertion,
        agreement=None if agreed is None else agreed,
        empty=found.empty,
        curves={
            f"{curve} {name}": _mean([getattr(one, curve) for one in parts])
            for curve in ("deletion", "insertion")
            for name, parts in found.curves.items()
        },
        verdict=verdict,
        text=text,
    )


def _measure(areas: dict[str, list[float]], groups: Sequence[str], seed: int) -> Measure:
    # Sums of float32 probabilities may pass 1 by a rounding.
    numbers = {name: np.clip(values, 0.0, 1.0) for name, values in areas.items()}
    estimates = {name: _estimate(values, groups, seed) for name, values in numbers.items()}
    for name in ("random", "ink"):
        estimates[f"over_{name}"] = _estimate(numbers["maps"] - numbers[name], groups, seed)
    return Measure(**estimates)


def _estimate(values: Sequence[float] | NDArray[np.float64], groups: Sequence[str], seed: int) -> Estimate:
    return bootstrap_mean(values, groups, seed=seed, bounds=(-1.0, 1.0))


def _mean(parts: Sequence[NDArray[np.float64]]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.mean(parts, axis=0))

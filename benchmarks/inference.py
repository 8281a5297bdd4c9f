"""How fast one model answers, one image at a time and in batches of 32: torch against ONNX.

The validation drawings of RUN (a single model) are answered by five computations of the same network: torch
as evaluation runs it, torch with its normalisations folded, torch.compile where it works, and the ONNX files
that `dessin export` writes, in float32 and in int8 (calibrated on training drawings). They take turns, round
by round, so that whatever else the machine does touches all of them. Each is timed from uint8 pixels in
memory to probabilities. Run from the repository root:

    python benchmarks/inference.py RUN DATA [--rounds 12] [--singles 12] [--threads 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.answers.inference import look
from dessin.images.store import PixelStore
from dessin.models.bundle import Bundle
from dessin.models.card import ONNX_FILE
from dessin.models.classifier import Classifier
from dessin.models.network import Network, OnnxNetwork
from dessin.page.numbers import points
from dessin.progress import track
from dessin.runs.inputs import class_numbers
from dessin.runs.subject import Subject, read_subject
from dessin.serving.export.convert import to_int8, to_onnx
from dessin.serving.export.measure import calibration_drawings, check_drawings
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.training.data import PixelSource
from dessin.training.folding import folded

BATCH = 32
GOAL = 2.0
EAGER, FOLDED, COMPILED, ONNX, INT8 = (
    "torch eager",
    "torch folded",
    "torch.compile",
    "ONNX float",
    "ONNX int8",
)
# A way that others worked before finds cold caches and, for a moment, threads that still wait for more work.
SETTLING = 2


@dataclass
class Times:
    """Seconds, by round: of single images, and of one batch."""

    singles: list[list[float]] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)

    def centile(self, share: float) -> float:
        return float(np.quantile(np.concatenate(self.singles), share))


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    subject = read_subject(options.run, options.data, None)
    (bundle, *others) = subject.loaded.bundles.values()
    if others:
        raise SystemExit(f"{options.run} has {len(others) + 1} models; name the run of one.")
    ways = _ways(subject, bundle)
    rows = subject.rows("validation")
    store = subject.inputs.opener()(bundle.card.image)
    source, numbers = PixelSource(store, torch.device("cpu")), store.rows([row.image_id for row in rows])
    drawings, _ = source.gather(numbers[: max(BATCH, options.singles)])
    times = _timed(ways, drawings, options.rounds, options.singles)
    right = {
        name: _answers(way, store, numbers) == class_numbers(rows, bundle.card.classes)
        for name, way in ways.items()
    }
    print(
        f"{bundle.card.backbone}, {bundle.card.image.size} px, {options.threads} threads, "
        f"{options.rounds} rounds of {options.singles} single images and a batch of {BATCH}"
    )
    _print_table(times, right, [row.group for row in rows])
    _print_goal(times)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--singles", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _ways(subject: Subject, bundle: Bundle) -> dict[str, Network]:
    """The same network in all its computations; why one is missing is printed."""
    open_store, card = subject.inputs.opener(), bundle.card
    classifier = bundle.with_weights("a comparison with its export").eval()
    sample = check_drawings(subject, card, open_store)
    fast = folded(classifier, torch.from_numpy(sample[:2]))
    ways: dict[str, Network] = {EAGER: classifier, FOLDED: fast}
    compiled = _compiled(fast, torch.from_numpy(sample[:BATCH]))
    if compiled is not None:
        ways[COMPILED] = compiled
    card = card.model_copy(update={"file": ONNX_FILE})
    model = to_onnx(classifier, card, sample)
    quantised = to_int8(
        model, card.model_copy(update={"precision": "int8"}), calibration_drawings(subject, card, open_store)
    )
    return ways | {ONNX: OnnxNetwork(model), INT8: OnnxNetwork(quantised)}


def _compiled(classifier: Classifier, pixels: Tensor) -> Network | None:
    """The classifier compiled for one image and for a batch; None where there is no compiler to do it."""
    compiled = cast(Network, torch.compile(classifier, dynamic=False))
    start = time.perf_counter()
    try:
        for count in (1, len(pixels)):
            _look(compiled, pixels[:count])
    # Whatever goes wrong in a compiler that torch finds or does not find.
    except Exception as error:
        print(
            f"torch.compile does not work here: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        )
        return None
    print(f"torch.compile took {time.perf_counter() - start:.0f} s for both sizes of batch")
    return compiled


def _timed(ways: Mapping[str, Network], drawings: Tensor, rounds: int, singles: int) -> dict[str, Times]:
    times = {name: Times() for name in ways}
    # The first round warms up.
    for number in track(range(rounds + 1), rounds + 1, "timing"):
        for name, way in ways.items():
            for _ in range(SETTLING):
                _look(way, drawings[:1])
            alone = [_seconds(way, drawings[place : place + 1]) for place in range(singles)]
            _look(way, drawings[:BATCH])
            batch = _seconds(way, drawings[:BATCH])
            if number:
                times[name].singles.append(alone)
                times[name].batches.append(batch)
    return times


def _seconds(way: Network, pixels: Tensor) -> float:
    start = time.perf_counter()
    _look(way, pixels)
    return time.perf_counter() - start


def _look(way: Network, pixels: Tensor) -> Tensor:
    return look(way, pixels, torch.zeros(pixels.shape[:2], dtype=torch.uint8))


def _answers(way: Network, store: PixelStore, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class numbers named, (n,); in whole batches, since compiled code is made for those sizes alone."""
    padded = np.resize(rows, -(-len(rows) // BATCH) * BATCH)
    source = PixelSource(store, torch.device("cpu"))
    parts = [
        _look(way, source.gather(padded[start : start + BATCH])[0]).argmax(dim=1).numpy()
        for start in range(0, len(padded), BATCH)
    ]
    return np.concatenate(parts)[: len(rows)]


def _print_table(
    times: Mapping[str, Times], right: Mapping[str, NDArray[np.bool_]], groups: list[str]
) -> None:
    print(f"{'':14}{'p50 ms':>8}{'p95 ms':>8}{'images/s':>10}{'of batches':>12}  accuracy")
    for name, found in times.items():
        middle, late = (1000 * found.centile(share) for share in (0.5, 0.95))
        batched = BATCH / statistics.median(found.batches)
        accuracy = bootstrap_mean(right[name], groups)
        line = f"{name:14}{middle:8.1f}{late:8.1f}{1000 / middle:10.1f}{batched:12.1f}  {accuracy}"
        if name != EAGER:
            difference = two_models(right[name], right[EAGER], groups).difference
            line += f"; {points(difference)} points"
        print(line)


def _print_goal(times: Mapping[str, Times]) -> None:
    """Medians of the ratios of rounds, with their range."""
    best = 0.0
    for name in (ONNX, INT8):
        for what in ("single images", "batches"):
            ratios = [
                own / other
                for own, other in zip(
                    _by_round(times[EAGER], what), _by_round(times[name], what), strict=True
                )
            ]
            middle = statistics.median(ratios)
            print(f"{name}, {what}: {middle:.2f} times torch eager [{min(ratios):.2f}, {max(ratios):.2f}]")
            best = max(best, middle) if what == "single images" else best
    verdict = "reached" if best >= GOAL else "MISSED"
    print(f"the goal of {GOAL:g} times torch eager for single images is {verdict}: {best:.2f}")


def _by_round(times: Times, what: str) -> list[float]:
    return times.batches if what == "batches" else [statistics.median(singles) for singles in times.singles]


if __name__ == "__main__":
    main()

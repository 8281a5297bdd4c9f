"""What the robustness suite costs beside the forward passes that it cannot do without.

The suite asks a model about N drawings x 16 corruptions x 5 strengths. Here it is timed in parts of one batch
of drawings, in turn with as many plain forward passes of the same (folded) model in the same batches, so that
a change of the machine's mood meets both. Wall time has the machine's other users in it; processor time does
not, but counts what a thread on an idle core does for nothing. Last, what each corruption costs an image.
Run from the repository root:

    python benchmarks/robustness.py RUN [--data DATA --split SPLIT] [--images 625]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dessin.answers.inference import BATCH
from dessin.images.colour import one_opencv_thread
from dessin.progress import quiet
from dessin.runs.subject import read_subject
from dessin.training.device import choose_device
from dessin.trust.robustness.asking import Answerer, SetImages, images_of, right_answers
from dessin.trust.robustness.corruption import STRENGTHS
from dessin.trust.robustness.suite import SUITE

GOAL = 1.15


@dataclass(frozen=True)
class Spent:
    """Seconds of wall time and of processor time."""

    wall: float
    processor: float


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    subject = read_subject(options.run, options.data, options.split)
    # Speed is measured, not accuracy, so drawings that the model was trained on do as well.
    rows = [row for row in subject.inputs.split.rows if row.fold is not None]
    rows = rows[:: max(1, len(rows) // options.images)][: options.images]
    fitted = images_of(subject, rows)
    device = torch.device(str(choose_device().value))
    answerer = Answerer(subject.loaded, fitted, device=device, fold=None, views=None)
    sets = list(fitted.values())
    images = len(rows) * len(SUITE) * STRENGTHS
    size = sets[0].pixels.shape[-1]
    print(
        f"{len(rows)} drawings of {size} px, {images:,} corrupted; "
        f"{device}, {torch.get_num_threads()} threads"
    )
    _compare(sets, answerer, images)
    _each(sets[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run, a bundle or a committee")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", type=Path)
    parser.add_argument("--images", type=int, default=625)
    parser.add_argument("--threads", type=int, default=0, help="of torch (default: its own choice)")
    return parser.parse_args()


def _compare(sets: Sequence[SetImages], answerer: Answerer, images: int) -> None:
    """The suite against bare forward passes, batch of drawings by batch of drawings, in turn."""
    count = len(sets[0].rows)
    suite: list[Spent] = []
    bare: list[Spent] = []
    _bare(sets, answerer, np.arange(min(BATCH, count)), repeats=1)
    for number, start in enumerate(range(0, count, BATCH)):
        places = np.arange(start, min(start + BATCH, count))
        targets = np.zeros(len(places), dtype=np.int64)

        def asked(places: np.ndarray = places, targets: np.ndarray = targets) -> None:
            with quiet():
                right_answers(sets, places, targets, answerer)

        def forward(places: np.ndarray = places) -> None:
            _bare(sets, answerer, places, repeats=len(SUITE) * STRENGTHS)

        pair = [(suite, asked), (bare, forward)]
        for spent, work in pair if number % 2 == 0 else reversed(pair):
            spent.append(_timed(work))
        print(
            f"  {places[-1] + 1:4} drawings: suite {suite[-1].wall:6.2f} s, forward {bare[-1].wall:6.2f} s, "
            f"ratio {suite[-1].wall / bare[-1].wall:.3f}; "
            f"processor {suite[-1].processor / bare[-1].processor:.3f}",
            flush=True,
        )
    walls = sum(spent.wall for spent in suite), sum(spent.wall for spent in bare)
    processors = sum(spent.processor for spent in suite), sum(spent.processor for spent in bare)
    ratio = walls[0] / walls[1]
    median = statistics.median(a.wall / b.wall for a, b in zip(suite, bare, strict=True))
    print(f"suite {walls[0]:.1f} s, forward {walls[1]:.1f} s ({images / walls[1]:.0f} images/s)")
    print(f"ratio {ratio:.3f} by wall time (median of batches {median:.3f}), ", end="")
    print(f"{processors[0] / processors[1]:.3f} by processor time; ", end="")
    print(f"the goal of {GOAL} is {'reached' if ratio <= GOAL else 'MISSED'}")


def _bare(sets: Sequence[SetImages], answerer: Answerer, places: np.ndarray, *, repeats: int) -> None:
    batches = [one.pixels[one.rows[places]] for one in sets]
    for _ in range(repeats):
        answerer(batches)


def _timed(work: Callable[[], None]) -> Spent:
    wall, processor = time.monotonic(), time.process_time()
    work()
    return Spent(time.monotonic() - wall, time.process_time() - processor)


def _each(images: SetImages) -> None:
    """Processor time of one thread for each corruption, an image."""
    places = np.arange(min(BATCH, len(images.rows)))
    with one_opencv_thread():
        chunk = images.chunk(places)
        costs = {}
        for corruption in SUITE:
            chunk.corrupted(corruption)
            rounds = [_timed(lambda c=corruption: chunk.corrupted(c)).processor for _ in range(5)]
            costs[corruption.name] = 1e6 * statistics.median(rounds) / (len(places) * STRENGTHS)
        reading = (
            1e6 * _timed(lambda: images.chunk(places)).processor / (len(places) * len(SUITE) * STRENGTHS)
        )
    for name, cost in sorted(costs.items(), key=lambda pair: -pair[1]):
        print(f"  {name:16} {cost:7.1f} us an image")
    print(f"  {'reading':16} {reading:7.1f} us an image")
    print(f"  mean {sum(costs.values()) / len(costs) + reading:.1f} us an image")


if __name__ == "__main__":
    main()

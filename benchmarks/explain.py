"""What maps cost: memory over a whole collection, and time against a plain forward pass.

All images of DATA are explained with RUN as `dessin explain --images DATA` does (reading, folding, maps,
pictures), and the memory of the process is read after the first hundred and at the end: it must not grow.
Then a batch in memory is looked at in turn by a plain forward pass (in inference mode, normalisations not
folded), by the fastest one (folded where that is exact), and by a map on the folded model, as the verb
has it; medians of the rounds. Run from the repository root:

    python benchmarks/explain.py RUN DATA [--method gradcam] [--rounds 15]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.answers.committee import load_model
from dessin.models.classifier import Classifier
from dessin.progress import quiet
from dessin.training.device import choose_device
from dessin.training.folding import folded
from dessin.trust.explain.batches import each_batch
from dessin.trust.explain.explainer import Explainer
from dessin.trust.explain.maps import (
    METHODS,
    enlarged,
    gradient_cells,
    occlusion_drops,
    scaled,
    split_forward,
)
from dessin.trust.explain.pictures import explain_batch
from dessin.trust.explain.sources import BATCH, Drawing, Reader, given_drawings

FIRST = 100
GROWTH = 0.02
SLOWDOWN = 3.0


def main() -> None:
    options = _options()
    device = torch.device(str(choose_device().value))
    explainer = Explainer(load_model(options.run), device)
    drawings = given_drawings([options.data])
    whole = _whole(explainer, drawings, options.method)
    (bundle, *others) = explainer.loaded.bundles.values()
    if others:
        print(f"The pass over one batch is that of the first of {len(others) + 1} models.")
    batch = next(Reader(explainer.images, device).batches(drawings))
    plain = _against_forward(bundle.classifier.to(device).eval(), batch.pixels(bundle.card.image), options)
    print(
        f"a drawing explained and written takes {whole / plain:.2f} times a plain forward pass of one model"
    )
    print(f"batch {BATCH}, {bundle.card.image.size} px, {device}, {torch.get_num_threads()} threads")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--method", choices=METHODS, default="gradcam")
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


def _whole(explainer: Explainer, drawings: tuple[Drawing, ...], method: str) -> float:
    """Explain all drawings; seconds a drawing."""
    reader = Reader(explainer.images, explainer.device)
    marks: list[tuple[float, float]] = []
    done = 0
    with tempfile.TemporaryDirectory() as folder, quiet():
        start = time.perf_counter()
        work = partial(explain_batch, methods=[method])
        for batch in each_batch(explainer, reader, drawings, work, "explaining"):
            done += len(batch.write(Path(folder)))
            if not marks and done >= FIRST:
                marks.append((_resident(), _peak()))
        seconds = time.perf_counter() - start
        marks.append((_resident(), _peak()))
    (now, peak), (now_end, peak_end) = marks[0], marks[-1]
    verdict = "reached" if peak_end / peak - 1 <= GROWTH else "MISSED"
    print(f"{done:,} drawings of {len(drawings):,} explained and written in {seconds:.1f} s")
    print(f"resident: {now:.1f} MiB after {FIRST}, {now_end:.1f} MiB at the end ({now_end / now - 1:+.1%})")
    print(f"peak: {peak:.1f} MiB after {FIRST}, {peak_end:.1f} MiB at the end ({peak_end / peak - 1:+.1%})")
    print(f"the goal of {GROWTH:.0%} growth of the peak is {verdict}")
    return seconds / done


def _against_forward(classifier: Classifier, pixels: Tensor, options: argparse.Namespace) -> float:
    """Print the ratios; seconds a drawing of the plain forward pass."""
    fast = folded(classifier, pixels[:2])
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: _forward(classifier, pixels),
        "fastest": lambda: _forward(fast, pixels),
        "map": lambda: _map(fast, pixels, options.method),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    # The first round warms up.
    ratios = {
        name: statistics.median(a / b for a, b in zip(seconds["map"][1:], seconds[name][1:], strict=True))
        for name in ("plain", "fastest")
    }
    for name, values in seconds.items():
        print(f"{name:>8}  {1000 * statistics.median(values[1:]) / len(pixels):7.2f} ms a drawing")
    verdict = "reached" if ratios["plain"] <= SLOWDOWN else "MISSED"
    print(f"a map takes {ratios['plain']:.2f} times a plain forward pass, {ratios['fastest']:.2f} times the")
    print(f"fastest (medians of {options.rounds} rounds); the goal of {SLOWDOWN:g} is {verdict}")
    return statistics.median(seconds["plain"][1:]) / len(pixels)


def _map(classifier: Classifier, pixels: Tensor, method: str) -> NDArray[np.float32]:
    classes = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)
    if method == "occlusion":
        cells = scaled(occlusion_drops(classifier, pixels, classes))
    else:
        cells = gradient_cells(split_forward(classifier, pixels), classes, method)
    return enlarged(cells, int(pixels.shape[-1]))


def _forward(classifier: Classifier, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        return classifier(pixels).cpu()


def _resident() -> float:
    """The memory of this process now, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _peak() -> float:
    """The most that it ever had, in MiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    main()

"""Does it help to bring what is drawn in the studio to the look of the training drawings?

RUN answers real drawings of Quick, Draw! (a folder of CLASS.ndjson with the simplified strokes), of the
classes that it has too, in several looks: as they come (lines of 1 px on a page of 255 that they fill), as
the studio draws them, and with each part of that alone. Then as uploaded pictures, also inverted: as they
are, and brought to the look. Differences are paired by drawing, with a 95% bootstrap interval; they
are of this one model.

    python benchmarks/studio_look.py RUN QUICKDRAW_FOLDER [--per-class 25]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.images.fit import prepare_for
from dessin.images.ground import Pixels
from dessin.progress import quiet
from dessin.serving.look import Look, recorded_data, training_look
from dessin.serving.runtime import BATCH, Runtime
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.studio.try_it.canvas import PenStroke, Strokes
from dessin.studio.try_it.render import as_trained, picture_as_trained, render, with_width

SIDE = 255
Arms = Mapping[str, Callable[[Strokes], Pixels]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("quickdraw", type=Path)
    parser.add_argument("--per-class", type=int, default=25)
    options = parser.parse_args()
    with quiet():
        runtime = Runtime.load(options.run)
        look = training_look(runtime.committee, recorded_data(options.run, runtime.committee))
    drawings = read_drawings(runtime.committee.classes, options.quickdraw, options.per_class)
    keys, targets = [key for key, _, _ in drawings], [target for _, target, _ in drawings]
    print(f"{len(drawings):,} drawings of {len(set(targets))} of {len(runtime.committee.classes)} classes")
    print(f"look of {look.n} training drawings: {described(look)}")
    right = {}
    for name, draw in arms(look).items():
        start = time.perf_counter()
        right[name] = answers(runtime, [draw(strokes) for _, _, strokes in drawings]) == np.array(targets)
        seconds = time.perf_counter() - start
        value = bootstrap_mean(right[name].astype(np.float64), keys)
        interval = f"[{100 * value.low:.1f}, {100 * value.high:.1f}]"
        print(f"{name:34} {100 * value.value:5.1f}% {interval}, {seconds:.0f} s", flush=True)
    for name, base in COMPARISONS:
        found = two_models(right[name], right[base], keys).by_image
        low, high = 100 * found.low, 100 * found.high
        print(f"{name} - {base}: {100 * found.value:+.1f} points [{low:+.1f}, {high:+.1f}], n = {found.n:,}")


COMPARISONS = (
    ("as trained", "as it comes"),
    ("only its width", "as it comes"),
    ("only its size", "as it comes"),
    ("as trained", "all but its width"),
    ("as trained", "all but its size"),
    ("as trained", "all but its paper and ink"),
    ("picture as trained", "picture as it comes"),
    ("inverted picture as trained", "inverted picture as it comes"),
)


def arms(look: Look) -> Arms:
    """Ways of drawing the same strokes, by name."""
    plain = replace(look, paper=(255, 255, 255), ink=(0, 0, 0))

    def colours(strokes: Strokes, *, of: Look = look) -> Pixels:
        return render(strokes, side=256, paper=of.paper, ink=of.ink)

    def inverted(strokes: Strokes) -> Pixels:
        return 255 - render(strokes, side=SIDE)

    return {
        "as it comes": lambda strokes: render(strokes, side=SIDE),
        "as trained": lambda strokes: colours(as_trained(strokes, look)),
        "only its width": lambda strokes: colours(with_width(strokes, look.thickness), of=plain),
        "only its size": lambda strokes: colours(with_width(as_trained(strokes, look), 1 / SIDE), of=plain),
        "all but its width": lambda strokes: colours(with_width(as_trained(strokes, look), 1 / SIDE)),
        "all but its size": lambda strokes: colours(with_width(strokes, look.thickness)),
        "all but its paper and ink": lambda strokes: colours(as_trained(strokes, look), of=plain),
        "picture as it comes": lambda strokes: render(with_width(strokes, look.thickness), side=SIDE),
        "picture as trained": lambda strokes: picture_as_trained(
            render(with_width(strokes, look.thickness), side=SIDE), look
        ),
        "inverted picture as it comes": lambda strokes: inverted(with_width(strokes, look.thickness)),
        "inverted picture as trained": lambda strokes: picture_as_trained(
            inverted(with_width(strokes, look.thickness)), look
        ),
    }


def answers(runtime: Runtime, pages: list[Pixels]) -> NDArray[np.int64]:
    """The number of the likeliest class of each page, (n,)."""
    found = []
    for start in range(0, len(pages), BATCH):
        batch = [prepare_for(page, runtime.fittings) for page in pages[start : start + BATCH]]
        found.append(runtime.answer(batch).probabilities.argmax(axis=1))
    return np.concatenate(found)


def read_drawings(classes: tuple[str, ...], folder: Path, per_class: int) -> list[tuple[str, int, Strokes]]:
    """Key, class number and strokes of the recognised drawings of the classes that both have."""
    files = {spelt(path.stem): path for path in sorted(folder.glob("*.ndjson"))}
    found = []
    for number, label in enumerate(classes):
        if spelt(label) not in files:
            continue
        lines = [json.loads(line) for line in files[spelt(label)].read_text(encoding="utf-8").splitlines()]
        recognised = [line for line in lines if line["recognized"]][:per_class]
        found += [(line["key_id"], number, strokes_of(line["drawing"])) for line in recognised]
    return found


def strokes_of(drawing: list[list[list[float]]]) -> Strokes:
    return tuple(PenStroke(1 / SIDE, np.array(stroke[:2], dtype=np.float64).T / SIDE) for stroke in drawing)


def spelt(label: str) -> str:
    return label.lower().replace("_", " ").replace("-", " ")


def described(look: Look) -> str:
    return (
        f"lines {256 * look.thickness:.1f} px of 256, {look.size:.0%} of the page, {look.ink} on {look.paper}"
    )


if __name__ == "__main__":
    main()

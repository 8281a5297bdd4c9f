"""A contest folder of generated drawings: many classes, its CSVs, and the litter that comes with them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dessin.doodles.dice import Dice
from dessin.doodles.drawing import Hand, by_hand, slanted
from dessin.doodles.page import Page, encode, place, render
from dessin.doodles.strokes import Shape, arc, curve, line, oval
from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.folders import claim_folder
from dessin.progress import track
from dessin.randomness import image_keys, permutation

Entry = TypeVar("Entry")

_THREADS = 2
_HAND = Hand(wobble=0.05, overshoot=0.05, missing=0.1, doubled=0.05)
_WHOLE = (0.05, 0.05, 0.95, 0.95)
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(64)


def make_contest(
    out: Path, train: Sequence[tuple[str, str]], *, test: int, size: int = 64, seed: int = 0
) -> tuple[int, ...]:
    """Write `out/data` in the contest's layout and return the hidden targets of its test images.

    Every class is a sign of a few strokes, drawn anew for each image. Rows are shuffled; the files are JPEGs
    of one or three channels, about `size` pixels a side, with `._*` and `.DS_Store` files beside them.

    Args:
        out: an empty or new folder.
        train: (class_name, image_path) of every training image; a target is the rank of the sorted name.
        test: number of test images, `test/0.JPEG` and so on.

    Raises:
        DessinError: no rows, or an `out` that is not empty.
    """
    if not train or test < 1:
        raise DessinError("A contest needs training rows and at least one test image.")
    claim_folder(out, what="a contest")
    root = out / "data"
    names = sorted({name for name, _ in train})
    hidden = _hidden_classes(names, test, seed)
    tests = [f"{number}.JPEG" for number in range(test)]
    jobs = [(name, root / "train" / path) for name, path in train]
    jobs += [(name, root / "test" / path) for name, path in zip(hidden, tests, strict=True)]
    for folder in {path.parent for _, path in jobs}:
        folder.mkdir(parents=True, exist_ok=True)

    def draw(job: tuple[str, Path]) -> None:
        name, path = job
        path.write_bytes(draw_sign(name, path.relative_to(root).as_posix(), size=size, seed=seed))

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in track(pool.map(draw, jobs), len(jobs), "drawing the contest"):
            pass
    targets = {name: rank for rank, name in enumerate(names)}
    rows = _shuffled([(name, path, targets[name]) for name, path in train], [path for _, path in train], seed)
    write_csv(root / "train.csv", ("class_name", "image_path", "target"), rows)
    listed = _shuffled(tests, tests, seed)
    write_csv(root / "test.csv", ("image_path",), [(path,) for path in listed])
    sample = [(number, path, 0) for number, path in enumerate(listed)]
    write_csv(root / "sample_submission.csv", ("ID", "image_path", "target"), sample)
    _litter(root, train[0][1], tests[0])
    return tuple(targets[hidden[int(Path(path).stem)]] for path in listed)


def draw_sign(name: str, image: str, *, size: int, seed: int) -> bytes:
    """One drawing of a class as JPEG bytes, a function of the arguments."""
    dice = Dice(seed, f"contest image {image}")
    side = (int(size * dice.between(0.8, 1.25)), int(size * dice.between(0.8, 1.25)))
    shade = int(dice.between(232, 255))
    page = Page(
        width=side[0],
        height=side[1],
        paper=(shade, shade, shade),
        ink=(30, 30, 32),
        pen=max(1.0, size * dice.between(0.012, 0.025)),
        strength=dice.between(0.8, 1.0),
        grainy=False,
        shade=0.0,
        suffix=".jpg",
        mode="L" if dice.chance(0.3) else "RGB",
    )
    sign = slanted(_sign(Dice(seed, f"contest class {name}")), dice)
    strokes = place(by_hand(sign, _HAND, dice), page, _WHOLE, dice)
    return encode(render(strokes, page, dice), page)


def _sign(dice: Dice) -> Shape:
    """Three to five strokes that stand for a class."""
    strokes = []
    for _ in range(dice.count(3, 5)):
        x, y, u, v = (2 * dice.many(4) - 1).tolist()
        kind = dice.pick(("line", "curve", "oval", "arc"))
        if kind == "line":
            strokes.append(line((x, y), (u, v)))
        elif kind == "curve":
            strokes.append(curve([(x, y), (v, x), (u, v)]))
        elif kind == "oval":
            strokes.append(oval((x, y), (0.15 + 0.4 * abs(u), 0.15 + 0.4 * abs(v)), fill="none"))
        else:
            strokes.append(arc((x, y), (0.2 + 0.5 * abs(u), 0.2 + 0.5 * abs(v)), 180 * u, 180 * u + 200))
    return tuple(strokes)


def _hidden_classes(names: Sequence[str], test: int, seed: int) -> list[str]:
    dice = Dice(seed, "contest test classes")
    return [names[int(draw * len(names))] for draw in dice.many(test)]


def _shuffled(entries: Sequence[Entry], keys: Sequence[str], seed: int) -> list[Entry]:
    return [entries[row] for row in permutation(seed, "contest rows", 0, image_keys(keys))]


def _litter(root: Path, train_path: str, test_path: str) -> None:
    for image in (root / "train" / train_path, root / "test" / test_path):
        image.with_name(f"._{image.name}").write_bytes(_APPLE_DOUBLE)
        (image.parent / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1" + bytes(64))

"""What photographing drawings costs, and whether a second photograph of one is found.

The drawings of some classes are photographed by the demo's generator: a sheet on a desk, in perspective, in
some light, ruled or not. A linear probe on frozen features is fitted and asked by the same folds each time,
so every figure is of the same drawings, out of fold, and differences are paired; intervals are over groups.
A fifth of the sheets is photographed twice, every other time lying on its side, and the audit's search for
duplicates is asked. From the repository root:

    python benchmarks/photographs.py --data DATA [--classes 20] [--group REGEX] --out OUT

DATA is what `dessin audit` takes, or the word doodles. What is in OUT already is not made again.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dessin.collection.duplicates import find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.doodles.drawing import draw_doodle
from dessin.doodles.photograph import photograph
from dessin.doodles.subjects import SUBJECTS
from dessin.files import sha256_file, write_bytes, write_csv
from dessin.images.decode import decode
from dessin.images.spec import ImageSpec
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import build_classifier
from dessin.models.weights import resolve_weights
from dessin.progress import track
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.training.device import choose_device
from dessin.training.features import extract_features
from dessin.training.probe import fit_probe, inner_folds

Page = Literal["off", "auto"]
CLEAN, SHOWN, TWICE = "clean", "photographs", "twice"
EVERY = 5  # of the sheets one is photographed twice
DOODLES = 30  # of a class
LEAST_FOUND, MOST_FALSE = 0.9, 1.0


@dataclass(frozen=True)
class Condition:
    """A probe of the drawings in one folder, asked about those in another; `goal` is the most points lost."""

    trained: str
    tested: str
    page: Page
    goal: float | None = None

    @property
    def name(self) -> str:
        return f"trained on {self.trained}, tested on {self.tested}, page: {self.page}"


BASE = Condition(CLEAN, CLEAN, "off")
CONDITIONS = (
    BASE,
    Condition(CLEAN, CLEAN, "auto", goal=0.0),
    Condition(SHOWN, SHOWN, "off"),
    Condition(SHOWN, SHOWN, "auto", goal=5.0),
    Condition(CLEAN, SHOWN, "off"),
    Condition(CLEAN, SHOWN, "auto", goal=10.0),
)


@dataclass(frozen=True)
class Drawing:
    """One of the drawings: `name` is its path in every folder, that of a photograph with .jpg behind it."""

    name: str
    label: str
    group: str
    data: bytes


def main() -> None:
    options = _options()
    os.environ["DESSIN_CACHE"] = str(options.out / "cache")
    drawings = list(_doodles(options) if str(options.data) == "doodles" else _collection(options))
    _compose(drawings, options)
    labels = np.unique([drawing.label for drawing in drawings], return_inverse=True)[1].astype(np.int64)
    groups = [drawing.group or drawing.name for drawing in drawings]
    print(f"{len(drawings):,} drawings of {labels.max() + 1} classes in {len(set(groups)):,} groups")
    rows = [*_accuracies(drawings, labels, groups, options), *_duplicates(options)]
    write_csv(options.out / "photographs.csv", ("what", "value", "low", "high", "n", "goal"), rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="drawings in class folders, or: doodles")
    parser.add_argument("--group", help="a regular expression or a column, as of dessin split")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=0, help="drawings of each; default all")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="results, and where to go on")
    options = parser.parse_args()
    options.out = options.out.resolve()
    return options


def _doodles(options: argparse.Namespace) -> Iterator[Drawing]:
    for label in sorted(SUBJECTS)[: options.classes]:
        for number in range(1, (options.per_class or DOODLES) + 1):
            doodle = draw_doodle(label, number, seed=options.seed)
            yield Drawing(doodle.image_id, label, "", doodle.data)


def _collection(options: argparse.Namespace) -> Iterator[Drawing]:
    """The first drawings of classes that lie evenly over the list of them."""
    collection = read_collection(options.data, group=options.group)
    labels = sorted({item.label for item in collection.items})
    count = min(options.classes, len(labels))
    chosen = {labels[len(labels) * place // count] for place in range(count)}
    taken: Counter[str] = Counter()
    for item in sorted(collection.items, key=lambda item: item.image_id):
        if item.label in chosen and not (options.per_class and taken[item.label] >= options.per_class):
            taken[item.label] += 1
            name = f"{item.label}/{item.image_id.replace('/', '__')}"
            yield Drawing(name, item.label, item.group, (collection.root / item.image_id).read_bytes())


def _compose(drawings: Sequence[Drawing], options: argparse.Namespace) -> None:
    """Write the folders of the drawings, of their photographs, and of those with some sheets twice."""
    for number, drawing in enumerate(track(drawings, len(drawings), "photographing")):
        clean = options.out / CLEAN / drawing.name
        again = options.out / TWICE / f"{drawing.name}_again.jpg"
        if clean.is_file():
            continue
        pixels = decode(drawing.data).pixels
        shot = photograph(pixels, seed=options.seed, name=drawing.name).jpeg()
        for folder in (SHOWN, TWICE):
            _write(options.out / folder / f"{drawing.name}.jpg", shot)
        if number % EVERY == 0:
            second = photograph(pixels, seed=options.seed, name=drawing.name, take=1)
            on_its_side = number % (2 * EVERY) == 0
            _write(again, (second.turned() if on_its_side else second).jpeg())
        # The drawing itself comes last: where it is, the others are.
        _write(clean, drawing.data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


Row = tuple[str, str, str, str, int, str]


def _accuracies(
    drawings: Sequence[Drawing], labels: NDArray[np.int64], groups: Sequence[str], options: argparse.Namespace
) -> Iterator[Row]:
    """Prints and gives a row for each condition, and one for what it loses against the clean drawings."""
    folds = inner_folds(labels, groups, options.seed)
    right: dict[Condition, NDArray[np.float64]] = {}
    print(
        "| trained on | tested on | page | accuracy | minus clean, paired | goal |\n|---|---|---|---|---|---|"
    )
    for condition in CONDITIONS:
        known = _features(condition.trained, condition.page, drawings, options)
        asked = _features(condition.tested, condition.page, drawings, options)
        named = np.empty_like(labels)
        for fold in range(folds.max() + 1):
            own, others = folds == fold, folds != fold
            names = [group for group, other in zip(groups, others, strict=True) if other]
            probe = fit_probe(
                known[None, others],
                labels[others],
                names,
                int(labels.max()) + 1,
                kind="ridge",
                seed=options.seed,
            )
            named[own] = probe.logits(asked[own]).argmax(axis=1)
        right[condition] = (named == labels).astype(np.float64)
        accuracy = bootstrap_mean(right[condition], groups)
        lost = bootstrap_mean(right[condition] - right[BASE], groups, bounds=(-1, 1))
        same = np.array_equal(right[condition], right[BASE])
        points, verdict = "the same answers" if same else _points(lost), ""
        if condition.goal is not None:
            held = "reached" if -100 * lost.value <= condition.goal + 1e-9 else "MISSED"
            verdict = f"at most {condition.goal:g} lost: {held}"
        value = f"{accuracy.value:.1%} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"
        cells = (condition.trained, condition.tested, condition.page, value, points, verdict)
        print(f"| {' | '.join(cells)} |", flush=True)
        yield _row(condition.name, accuracy, "")
        yield _row(f"{condition.name}, minus clean", lost, verdict)


def _points(difference: Estimate) -> str:
    value, low, high = (100 * number for number in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _row(what: str, estimate: Estimate, goal: str) -> Row:
    value, low, high = (f"{number:.4f}" for number in (estimate.value, estimate.low, estimate.high))
    return what, value, low, high, estimate.n, goal


def _features(
    folder: str, page: Page, drawings: Sequence[Drawing], options: argparse.Namespace
) -> NDArray[np.float32]:
    """(N, D) in the order of the drawings; computed once and then read from the cache."""
    root = options.out / folder
    paths = [drawing.name if folder == CLEAN else f"{drawing.name}.jpg" for drawing in drawings]
    images = [StoredImage(path, sha256_file(root / path)) for path in paths]
    spec = ImageSpec.model_validate({"size": options.size, "page": page})
    store = open_store(images, root, spec, describe_backbone(options.backbone).interpolation)
    place = {path: row for row, path in enumerate(sorted(paths))}
    rows = np.array([place[path] for path in paths], dtype=np.int64)
    weights = resolve_weights(options.backbone)
    classifier = build_classifier(options.backbone, 2, weights, image_size=options.size)
    device = str(choose_device().value)
    features: NDArray[np.float32] = extract_features(
        classifier, (weights.sha256,), store, rows, device=device
    )[0]
    return features


def _duplicates(options: argparse.Namespace) -> Iterator[Row]:
    """How many of the second photographs are found with their first, and how many pairs are none."""
    manifest = build_manifest(read_collection(options.out / TWICE))
    pairs = find_duplicates(manifest, scan_images(manifest))
    reported = {frozenset((pair.first, pair.second)) for pair in pairs}
    second = [row.image_id for row in manifest.rows if row.image_id.endswith("_again.jpg")]
    found = np.array([frozenset((name, _sheet(name))) in reported for name in second], dtype=float)
    false = [pair for pair in pairs if _sheet(pair.first) != _sheet(pair.second)]
    share = bootstrap_mean(found, second)
    for pair in false[:10]:
        print(f"  not one sheet: {pair.first}, {pair.second}, {pair.symmetry}, {pair.similarity:.3f}")
    images = len(manifest.rows)
    rate = 1000 * len(false) / images
    many = f"at least {LEAST_FOUND:.0%}: {'reached' if share.value >= LEAST_FOUND else 'MISSED'}"
    few = f"at most {MOST_FALSE:g}: {'reached' if rate <= MOST_FALSE else 'MISSED'}"
    print(f"second photographs found: {share}; {many}")
    print(f"false pairs: {len(false)} among {images:,} images, {rate:.1f} in 1,000; {few}")
    yield _row("second photographs found", share, many)
    yield "false pairs in 1,000 images", f"{rate:.2f}", "", "", images, few


def _sheet(image_id: str) -> str:
    """The first photograph of the sheet that an image of `twice` shows."""
    return image_id.replace("_again.jpg", ".jpg")


if __name__ == "__main__":
    main()

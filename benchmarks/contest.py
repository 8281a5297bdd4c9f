"""A contest of 500 classes, end to end: read, split, train a probe, submit; seconds for each step.

The class names and file names come from the contest's own training list; the images are generated (a sign of
a few strokes for each class), so the accuracy only shows that rows, classes and targets keep step. Run from
the repository root:

    PYTHONPATH=tests/kits python benchmarks/contest.py --rows ROWS.csv [--per-class 6] [--test 1000]
        [--size 64] [--out DIR]

ROWS.csv has the columns class_name and image_path (the contest's data/train.csv).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from contest_kit import make_contest

from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.verb import split
from dessin.progress import quiet
from dessin.reading import read_csv
from dessin.recipe import make_recipe
from dessin.runs.train import train
from dessin.serving.submit import submit


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        _run(options, options.out or Path(temporary) / "contest")


def _run(options: argparse.Namespace, out: Path) -> None:
    rows = _rows(options.rows, options.per_class)
    with _timed(f"draw {len(rows):,} training and {options.test:,} test images"):
        hidden = make_contest(out, rows, test=options.test, size=options.size)
    data, split_file = out / "data", out / "split.csv"
    with _timed("read the folder"):
        collection = read_collection(data)
    print(describe_collection(collection))
    with _timed("manifest (headers and digests)"):
        build_manifest(collection)
    with _timed("split, duplicates found"):
        split(data, out=split_file, folds=5, holdout=0.1)
    recipe = make_recipe(
        {
            "image": {"size": options.size},
            "model": {"backbone": options.backbone},
            "finetune": {"mode": "probe"},
        }
    )
    with _timed("train a probe"):
        run = train(recipe, data=data, split=split_file, out=out / "run")
    with _timed("predict and submit"):
        submitted = submit(run, data, out=out / "submission.csv")
    right = np.array([row.target for row in submitted]) == np.array(hidden)
    error = (right.mean() * (1 - right.mean()) / len(right)) ** 0.5
    low, high = right.mean() - 1.96 * error, right.mean() + 1.96 * error
    print(f"{len(submitted):,} rows submitted; accuracy {right.mean():.3f} [{low:.3f}, {high:.3f}]")


def _rows(path: Path, per_class: int) -> list[tuple[str, str]]:
    """The first `per_class` rows of every class."""
    chosen: dict[str, list[str]] = defaultdict(list)
    for row in read_csv(path, ("class_name", "image_path"))[1]:
        if len(chosen[row["class_name"]]) < per_class:
            chosen[row["class_name"]].append(row["image_path"])
    return [(name, image_path) for name, paths in chosen.items() for image_path in paths]


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    with quiet():
        yield
    print(f"{time.perf_counter() - start:8.1f} s  {what}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="the contest's training list")
    parser.add_argument("--per-class", type=int, default=6)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--out", type=Path, help="keep the contest and the run here (default: thrown away)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

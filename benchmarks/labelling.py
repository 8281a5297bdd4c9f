"""What chosen labels are worth beside random ones: accuracy on drawings set apart, after 50, 100, 200 labels.

python benchmarks/labelling.py COLLECTION [--group REGEX] [--worlds 10]

In each world a fifth of the groups is set apart, the same labels are bought in both ways, and a probe of them
names what was set apart. The oracle is the collection's own label.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.labelling.choose import choose, reduced, suggest
from dessin.labelling.images import read_unlabelled
from dessin.statistics.intervals import bootstrap_mean

STEPS = (50, 100, 200)
TOGETHER = 10


def accuracy(
    features: NDArray[np.float32], labels: dict[int, str], unseen: NDArray[np.int64], truth: list[str]
) -> NDArray[np.float64]:
    known = suggest(features, labels)
    assert known is not None
    named = known.probabilities[unseen].argmax(axis=1)
    return np.array([known.classes[c] == truth[row] for c, row in zip(named, unseen, strict=True)], float)


def world(
    features: NDArray[np.float32], truth: list[str], groups: list[str], seed: int
) -> dict[tuple[str, int], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    names = sorted(set(groups))
    apart = set(random.permutation(names)[: len(names) // 5].tolist())
    unseen = np.array([row for row, group in enumerate(groups) if group in apart])
    pool = np.array([row for row, group in enumerate(groups) if group not in apart])
    own, places = features[pool], reduced(features[pool])
    bought: dict[int, str] = {}
    found = {}
    while len(bought) < max(STEPS):
        for row in choose(own, places, bought, set(), TOGETHER, seed).tolist():
            bought[row] = truth[pool[row]]
        if len(bought) in STEPS:
            found["chosen", len(bought)] = accuracy(
                features, {int(pool[row]): label for row, label in bought.items()}, unseen, truth
            )
    order = random.permutation(pool)
    for step in STEPS:
        found["random", step] = accuracy(
            features, {int(row): truth[row] for row in order[:step]}, unseen, truth
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection", type=Path)
    parser.add_argument("--group", default="")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    asked = parser.parse_args()
    drawings = read_unlabelled(asked.collection, asked.model)
    truth = [name.rpartition("/")[0] for name in drawings.image_ids]
    found = [re.match(asked.group, Path(name).name) if asked.group else None for name in drawings.image_ids]
    groups = [
        f"{truth[i]}/{m[1]}" if m else name
        for i, (m, name) in enumerate(zip(found, drawings.image_ids, strict=True))
    ]
    worlds = [world(drawings.features, truth, groups, seed) for seed in range(asked.worlds)]
    print(f"{asked.collection.name}: {len(truth)} drawings, {len(set(truth))} classes, {asked.worlds} worlds")
    for step in STEPS:
        means = {way: np.array([each[way, step].mean() for each in worlds]) for way in ("chosen", "random")}
        # A world is what varies: which drawings are set apart, and which are drawn at random.
        parts = [f"{way} {bootstrap_mean(values, np.arange(len(values)))}" for way, values in means.items()]
        gain = bootstrap_mean(means["chosen"] - means["random"], np.arange(asked.worlds))
        print(f"{step:4d} labels: {'; '.join(parts)}; gain {gain}")


if __name__ == "__main__":
    main()

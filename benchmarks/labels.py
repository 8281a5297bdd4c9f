"""How well planted wrong labels are found: average precision of the ranking, and of the found set, by seed.

A share of the labels is made wrong, either any other class or one that the class is easily taken for. Probes
on frozen features are trained on these labels over 5 grouped folds, and their out-of-fold probabilities are
judged. Without --data the drawings are generated doodles. With --cleanlab the interpreter of an environment
that has cleanlab scores the very same probabilities, in all its settings; the best of them, chosen with
hindsight, is what ours is compared with, paired by seed. The interval resamples seeds.

    python benchmarks/labels.py [--data DATA --group REGEX] [--seeds 12] [--cleanlab /elsewhere/bin/python]

Seeds from 100 on were used to choose the evidence that the ranking weighs, so they should not be reported.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.audit.judgement import judge_labels
from dessin.doodles.doodles import generate_doodles
from dessin.progress import quiet, track
from dessin.statistics.intervals import Estimate, bootstrap_mean
from labels_worlds import NOISES, World, plant, read_drawings

OURS, PLAIN = "dessin", "plain self-confidence"
Scores = dict[str, NDArray[np.float64]]
Found = dict[str, NDArray[np.bool_]]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        keep = options.keep or Path(scratch)
        drawings = read_drawings(
            options.data.name if options.data else "doodles",
            options.data or _doodles(keep),
            options.group,
            options.backbone,
            options.size,
        )
        for noise in NOISES:
            seeds = range(options.first, options.first + options.seeds)
            label = f"{drawings.name}, {noise}"
            worlds = [plant(drawings, noise, options.share, s, keep) for s in track(seeds, len(seeds), label)]
            _report(f"{label} noise", worlds, options.cleanlab)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a collection (default: generated doodles)")
    parser.add_argument("--group", help="a regex for drawings that belong together")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--share", type=float, default=0.05, help="of labels that are made wrong")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--cleanlab", type=Path, help="a Python interpreter that has cleanlab")
    parser.add_argument("--keep", type=Path, help="a folder in which probabilities are kept")
    return parser.parse_args()


def _doodles(keep: Path) -> Path:
    folder = keep / "doodles"
    if not folder.exists():
        with quiet():
            generate_doodles(folder)
    return folder / "drawings"


def _report(title: str, worlds: Sequence[World], cleanlab: Path | None) -> None:
    judged = [_judged(world) for world in worlds]
    if cleanlab is not None:
        judged = [
            (scores | theirs[0], found | theirs[1])
            for (scores, found), theirs in zip(judged, _by_cleanlab(worlds, cleanlab), strict=True)
        ]
    images, wrong = len(worlds[0].given), int(worlds[0].wrong.sum())
    print(f"\n{title}: {images:,} drawings, {wrong} wrong labels ({wrong / images:.1%}), {len(worlds)} seeds")
    precisions = {
        name: np.array(
            [average_precision(w.wrong, s[name]) for w, (s, _) in zip(worlds, judged, strict=True)]
        )
        for name in judged[0][0]
    }
    for name, values in sorted(precisions.items(), key=lambda item: -item[1].mean()):
        print(f"  average precision {over_seeds(values).plain()}  {name}")
    others = [name for name in precisions if name not in (OURS, PLAIN)] or [PLAIN]
    best = max(others, key=lambda name: precisions[name].mean())
    gain = over_seeds(precisions[OURS] - precisions[best])
    verdict = "above" if gain.low > 0 else "BELOW" if gain.high < 0 else "not to be told from"
    print(f"  {OURS} less {best}: {gain.plain()}: {verdict} it")
    for name in judged[0][1]:
        sets = [found[name] for _, found in judged]
        print(f"  found by {name}: {_described(worlds, sets)}")
    estimates = np.array([judge_labels(w.probabilities, w.given, w.groups).noise.value for w in worlds])
    print(f"  estimated share of wrong labels {over_seeds(estimates)}")


def _judged(world: World) -> tuple[Scores, Found]:
    """Scores that are low for bad labels, and found sets."""
    judgement = judge_labels(world.probabilities, world.given, world.groups)
    own = world.probabilities[np.arange(len(world.given)), world.given].astype(np.float64)
    return {OURS: judgement.quality, PLAIN: own}, {OURS: judgement.suspects}


def _by_cleanlab(worlds: Sequence[World], python: Path) -> list[tuple[Scores, Found]]:
    results: list[tuple[Scores, Found]] = []
    with tempfile.TemporaryDirectory() as scratch:
        names = [f"{number:03d}" for number in range(len(worlds))]
        for name, world in zip(names, worlds, strict=True):
            np.save(Path(scratch) / f"{name}.probabilities.npy", world.probabilities, allow_pickle=False)
            with (Path(scratch) / f"{name}.labels.csv").open("w", newline="") as file:
                csv.writer(file).writerows([["given"], *([label] for label in world.given.tolist())])
        script = Path(__file__).with_name("cleanlab_scores.py")
        subprocess.run([str(python), str(script), scratch], check=True)
        for name in names:
            with np.load(Path(scratch) / f"{name}.cleanlab.npz", allow_pickle=False) as arrays:
                theirs = {f"cleanlab {key.split(' ', 1)[1]}": arrays[key] for key in arrays}
            scores = {name: values for name, values in theirs.items() if values.dtype.kind == "f"}
            results.append((scores, {name: v for name, v in theirs.items() if v.dtype.kind == "b"}))
    return results


def average_precision(wrong: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """The mean over wrong labels of the precision of the ranking down to each; low scores come first."""
    hits = wrong[np.argsort(score, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def over_seeds(values: NDArray[np.float64]) -> Estimate:
    return bootstrap_mean(values, [str(seed) for seed in range(len(values))], bounds=(-1.0, 1.0))


def _described(worlds: Sequence[World], sets: Sequence[NDArray[np.bool_]]) -> str:
    """Precision and recall over seeds, and the mean size."""
    pairs = list(zip(worlds, sets, strict=True))
    precision = np.array([w.wrong[found].mean() if found.any() else 0.0 for w, found in pairs])
    recall = np.array([found[w.wrong].mean() for w, found in pairs])
    size = np.mean([found.sum() for found in sets])
    return f"{size:.0f} labels, precision {over_seeds(precision)}, recall {over_seeds(recall)}"


if __name__ == "__main__":
    main()

"""Greedy selection among 200 members that answered 15,000 images of 500 classes: time and memory.

The members are synthetic, of accuracy 0.6 to 0.85, in families that err alike. Their table (6 GB) is written
block by block into a temporary folder, which is not timed, and then only mapped. Selection is bagged and on
all images; `--nested` also times every rule on every outer part. Asserts 60 s and 8 GB for the full size.

    python benchmarks/selection.py [--members 200] [--images 15000] [--classes 500] [--nested]
"""

from __future__ import annotations

import argparse
import mmap
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, create_table, open_table
from dessin.committees.rules.choice import Choice, apply_choice, choose_greedily
from dessin.committees.rules.nested import compare_rules
from dessin.committees.rules.rivals import find_rivals

MOST_SECONDS = 60.0
MOST_BYTES = 8e9
FAMILIES = 8
BLOCK = 100
FULL = (200, 15_000, 500)


def fill(table: NDArray[np.float32], targets: NDArray[np.int64]) -> None:
    """Softmax of a signal plus noise: shared by all, by a family of members, and a member's own."""
    members, images, classes = table.shape
    traits = np.random.default_rng([0, members])
    skill, noise, sharpness = (
        traits.uniform(*span, members) for span in ((0.85, 1.1), (0.4, 0.9), (1.2, 2.4))
    )
    for start in range(0, images, BLOCK):
        stop = min(start + BLOCK, images)
        draw = np.random.default_rng([1, start])
        shape = (stop - start, classes)
        shared = draw.standard_normal(shape, dtype=np.float32)
        families = draw.standard_normal((FAMILIES, *shape), dtype=np.float32)
        signal = draw.normal(5.6, 1.8, shape[0]).astype(np.float32)
        for member in range(members):
            logits = draw.standard_normal(shape, dtype=np.float32) * np.float32(noise[member])
            logits += shared + np.float32(0.6) * families[member % FAMILIES]
            logits[np.arange(shape[0]), targets[start:stop]] += signal * np.float32(skill[member])
            logits *= np.float32(sharpness[member])
            np.exp(logits - logits.max(axis=1, keepdims=True), out=logits)
            table[member, start:stop] = logits / logits.sum(axis=1, keepdims=True)
        # What was written need not stay in this process's memory: the peak to be measured comes later.
        release(table)


def release(table: NDArray[np.float32]) -> None:
    base: object = table
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def describe(probabilities: NDArray[np.float32]) -> MemberTable:
    members, images, classes = probabilities.shape
    number = np.arange(images)
    return MemberTable(
        names=tuple(f"member{member:03d}" for member in range(members)),
        probabilities=probabilities,
        targets=truth(images, classes),
        groups=np.array([f"group{i // 2}" for i in number]),
        folds=(number // 2 % 5).astype(np.int64),
        image_ids=tuple(f"{i:05d}.png" for i in number),
        classes=tuple(f"class{c:03d}" for c in range(classes)),
    )


def truth(images: int, classes: int) -> NDArray[np.int64]:
    return (np.arange(images) * 7919 % classes).astype(np.int64)


def memory() -> tuple[int, int]:
    """The peak of everything resident and, as it is now, the part that is no mapped file; in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    anonymous = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
    return peak, anonymous


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, value in zip(("members", "images", "classes"), FULL, strict=True):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--nested", action="store_true", help="also time every rule on every outer part")
    chosen = parser.parse_args()
    shape = (chosen.members, chosen.images, chosen.classes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npy"
        written = create_table(path, *shape)
        fill(written, truth(chosen.images, chosen.classes))
        del written
        table = describe(open_table(path))
        accuracies = [
            float((member.argmax(axis=1) == table.targets).mean()) for member in table.probabilities[:16]
        ]
        table.release()
        size = f"{path.stat().st_size / 1e9:.2f} GB"
        print(f"{shape[0]} members x {shape[1]:,} images x {shape[2]} classes: {size}", flush=True)
        print(f"{len(accuracies)} of them alone have {min(accuracies):.3f} to {max(accuracies):.3f} right")
        before = memory()[0]
        with Watch("greedy, bagged, on all images") as watch:
            weights = choose_greedily(find_rivals(table, table.every_row))
        vote = apply_choice(table, table.every_row, Choice("soft", weights, ""))
        right = float((vote.argmax(axis=1) == table.targets).mean())
        print(f"  {np.count_nonzero(weights)} members have a weight; their vote has {right:.4f} right")
        peak = memory()[0]
        print(f"  peak memory {peak / 1e9:.2f} GB, before it was {before / 1e9:.2f} GB")
        if chosen.nested:
            nested(table)
    if shape == FULL:
        assert watch.seconds < MOST_SECONDS, "greedy selection has become too slow"
        assert peak < MOST_BYTES, "greedy selection takes too much memory"


def nested(table: MemberTable) -> None:
    with Watch("all rules, naive and nested"):
        results = compare_rules(table)
    for result in results:
        print(
            f"  {result.name:>14}  naive {result.naive.value:.4f}  nested {result.nested}  "
            f"gain {100 * result.gain.difference.value:+.2f} points  {result.choice.note}"
        )
    print(f"  peak memory {memory()[0] / 1e9:.2f} GB")


class Watch:
    """Prints the seconds and the processor time of a block, and what of the memory is then no mapped file."""

    def __init__(self, what: str) -> None:
        self.what, self.seconds = what, 0.0

    def __enter__(self) -> Watch:
        self._start, self._used = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        used = time.process_time() - self._used
        print(
            f"{self.what}: {self.seconds:.1f} s, of processors {used:.1f} s; "
            f"anonymous memory {memory()[1] / 1e9:.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()

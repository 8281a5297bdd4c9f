"""Hard voting from six contest submissions of 10,014 rows: seconds after start-up, and of the whole command.

The submissions are synthetic: 500 classes, each file right in seven of ten rows, in an order of rows of its
own. Asserts that the median of the votes after start-up takes less than a second.

    python benchmarks/vote.py [--files 6] [--rows 10014] [--rounds 7]
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MOST_SECONDS = 1.0
CLASSES = 500
ONCE = "from dessin.committees.vote.verb import vote"


def write_submissions(folder: Path, files: int, rows: int) -> list[Path]:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, CLASSES, rows)
    paths = []
    for number in range(files):
        wrong = draw.random(rows) > 0.7
        target = np.where(wrong, draw.integers(0, CLASSES, rows), truth)
        paths.append(folder / f"submission-{number}.csv")
        with paths[-1].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["ID", "image_path", "target"])
            writer.writerows([row, f"{row}.JPEG", target[row]] for row in draw.permutation(rows))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, value in (("files", 6), ("rows", 10_014), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = write_submissions(folder, asked.files, asked.rows)
        inside = [after_start_up(paths, folder / f"out-{i}.csv") for i in range(asked.rounds)]
        whole = [command(paths, folder / f"whole-{i}.csv") for i in range(asked.rounds)]
        voted = (folder / "out-0.csv").read_bytes()
        assert all((folder / f"whole-{i}.csv").read_bytes() == voted for i in range(asked.rounds))
    print(f"{asked.files} files of {asked.rows:,} rows, {asked.rounds} rounds: median (least to most)")
    for name, seconds in (("after start-up", inside), ("the whole command", whole)):
        print(f"  {name}: {statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})")
    assert statistics.median(inside) < MOST_SECONDS, "hard voting has become too slow"


def after_start_up(paths: list[Path], out: Path) -> float:
    """The first vote of a fresh process, from reading the files to the written submission."""
    code = (
        f"import sys, time; {ONCE}; start = time.perf_counter(); vote(sys.argv[2:], out=sys.argv[1]); "
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(out), *map(str, paths)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def command(paths: list[Path], out: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "dessin", "vote", *map(str, paths), "--out", str(out)],
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

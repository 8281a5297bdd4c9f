"""Scores of cleanlab for tables of probabilities; run by `labels.py` with an interpreter that has cleanlab.

    python cleanlab_scores.py FOLDER

For each `NAME.probabilities.npy` (N, C) with `NAME.labels.csv` (a column `given` of class numbers) in the
folder it writes `NAME.cleanlab.npz`: each ranking's scores (N,), low where a label is bad, under `score ..`,
and each found set (N,) bool under `found ..`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

SCORES = (
    ("self_confidence", False),
    ("self_confidence", True),
    ("normalized_margin", False),
    ("normalized_margin", True),
    # cleanlab refuses adjusted probabilities for this one.
    ("confidence_weighted_entropy", False),
)
FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning")


def main() -> None:
    for path in sorted(Path(sys.argv[1]).glob("*.probabilities.npy")):
        name = path.name.removesuffix(".probabilities.npy")
        table = np.load(path, allow_pickle=False).astype(np.float64)
        with path.with_name(f"{name}.labels.csv").open(newline="") as file:
            given = np.array([int(row["given"]) for row in csv.DictReader(file)])
        found = {
            f"score {method}{', adjusted' if adjusted else ''}": get_label_quality_scores(
                given, table, method=method, adjust_pred_probs=adjusted
            )
            for method, adjusted in SCORES
        }
        for rule in FILTERS:
            found[f"found {rule}"] = find_label_issues(given, table, filter_by=rule, n_jobs=1)
        np.savez(path.with_name(f"{name}.cleanlab.npz"), **found)


if __name__ == "__main__":
    main()

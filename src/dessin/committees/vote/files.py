"""What a vote writes: a submission like those it read, a CSV of answers, or a folder of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.committees.vote.answer_csv import SUBMISSION, Floats
from dessin.committees.vote.join import Ballots
from dessin.committees.vote.sources import Source
from dessin.errors import DessinError
from dessin.files import atomic_path, write_csv
from dessin.progress import warn

ANSWER_COLUMNS = ("image_id", "predicted", "share")
_TOP = 5


def write_submission(
    path: Path, sources: Sequence[Source], ballots: Ballots, predicted: Sequence[str]
) -> None:
    """ID,image_path,target with the IDs, paths and row order of the first submission."""
    first, rows = sources[0], ballots.voters[0].rows
    numbers = [first.numbers[row] for row in rows]
    for source, voter in zip(sources[1:], ballots.voters[1:], strict=True):
        differ = sum(source.numbers[row] != number for row, number in zip(voter.rows, numbers, strict=True))
        if differ:
            warn(f"{source.name} has other IDs for {differ:,} images than {first.name}, whose IDs are kept.")
    paths = [first.written[row] for row in rows]
    write_csv(path, SUBMISSION, zip(numbers, paths, predicted, strict=True))


def write_answers(path: Path, image_ids: Sequence[str], predicted: Sequence[str], shares: Floats) -> None:
    """image_id,predicted,share; an image without any vote has neither."""
    rows = (
        [image_id, label, f"{share:.6f}" if label else ""]
        for image_id, label, share in zip(image_ids, predicted, shares, strict=True)
    )
    write_csv(path, ANSWER_COLUMNS, rows)


def write_folder(
    folder: Path,
    image_ids: Sequence[str],
    classes: Sequence[str],
    probabilities: Floats,
    truth: Sequence[str] | None,
) -> None:
    """Predictions as a run keeps them, with true labels where they are known; whole or not at all."""
    if folder.exists():
        raise DessinError(f"{folder} already exists.", do="Choose another --out, or move it away.")
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : min(_TOP, len(classes))]
    columns = ["image_id", *(["label"] if truth else []), "predicted", "probability"]
    columns += [f"top{place}" for place in range(2, order.shape[1] + 1)]
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        table: NDArray[np.float32] = np.ascontiguousarray(probabilities, dtype=np.float32)
        np.save(temporary / "probabilities.npy", table, allow_pickle=False)
        write_csv(temporary / "image_ids.csv", ["image_id"], ([image_id] for image_id in image_ids))
        write_csv(temporary / "classes.csv", ["label"], ([label] for label in classes))
        write_csv(temporary / "predictions.csv", columns, _rows(image_ids, classes, table, order, truth))


def _rows(
    image_ids: Sequence[str],
    classes: Sequence[str],
    table: NDArray[np.float32],
    order: NDArray[np.int64],
    truth: Sequence[str] | None,
) -> list[list[str]]:
    rows = []
    for i, image_id in enumerate(image_ids):
        best, *others = [classes[column] for column in order[i]]
        label = [truth[i]] if truth else []
        rows.append([image_id, *label, best, f"{table[i, order[i, 0]]:.6f}", *others])
    return rows

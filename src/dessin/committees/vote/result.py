"""What a vote came to: in words, and as a submission, a CSV of answers, or a folder of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dessin.answers.soft_labels import SoftLabels, write_named
from dessin.collection.readers.walk import nfc
from dessin.committees.vote.join import Ballots
from dessin.committees.vote.measure import BY_AGREEMENT, BY_ORDER, Count, agreement
from dessin.committees.vote.sources import Source
from dessin.errors import DessinError
from dessin.files import atomic_path, csv_text, write_csv, write_text
from dessin.language import tr, tr_n, translated
from dessin.page.notebook import Shown, Tables
from dessin.page.numbers import counted, number, percent
from dessin.progress import say, warn

ANSWER_COLUMNS = ("image_id", "predicted", "share")
_TOP = 5


@dataclass(frozen=True, eq=False, repr=False)
class Voted(Shown):
    """The outcome: `predicted` (N) labels ("" where nobody voted), and what it was counted from."""

    image_ids: tuple[str, ...]
    predicted: tuple[str, ...]
    classes: tuple[str, ...]
    count: Count
    temperatures: tuple[float, ...]

    def _tables(self) -> Tables:
        rows = zip(self.image_ids, self.predicted, self.count.shares.tolist(), strict=True)
        yield "", [dict(zip(ANSWER_COLUMNS, row, strict=True)) for row in rows]


def write_submission(path: Path, sources: Sequence[Source], ballots: Ballots, voted: Voted) -> bool:
    """The outcome in the columns, rows and spelling of the first submission; False where it does not fit.

    A hard vote fills a column of labels, a soft one a column of probabilities for each class. All sources
    must be submissions.
    """
    sheets = [source.sheet for source in sources if source.sheet]
    table = voted.count.probabilities
    if len(sheets) < len(sources) or sheets[0].wide != (table is not None):
        return False
    first, rows = sheets[0], ballots.voters[0].rows
    for source, sheet, voter in zip(sources[1:], sheets[1:], ballots.voters[1:], strict=True):
        ours, theirs = first.numbers(), sheet.numbers()
        if not ours or not theirs:
            continue
        differ = sum(theirs[own] != ours[row] for own, row in zip(voter.rows, rows, strict=True))
        if differ:
            kept = f"than {sources[0].name}, whose IDs are kept"
            warn(f"{source.name} has other IDs for {differ:,} images {kept}.")
    if table is None:
        # In the first file's own spelling of a label, composed or not.
        cells = first.table.column(first.table.columns[first.answers[0]])
        own = {nfc(cell): cell for cell in cells}
        answers = [[own.get(label, label)] for label in voted.predicted]
    else:
        place = [voted.classes.index(label) for label in sources[0].classes]
        answers = [[f"{share:.9g}" for share in shares] for shares in table[:, place]]
    written = [list(first.table.rows[row]) for row in rows]
    for row, answer in zip(written, answers, strict=True):
        for column, text in zip(first.answers, answer, strict=True):
            row[column] = text
    write_text(path, csv_text(first.table.columns, written, separator=first.table.delimiter))
    return True


def write_answers(path: Path, voted: Voted) -> None:
    """image_id,predicted,share; an image without any vote has neither."""
    rows = (
        [image_id, label, f"{share:.6f}" if label else ""]
        for image_id, label, share in zip(voted.image_ids, voted.predicted, voted.count.shares, strict=True)
    )
    write_csv(path, ANSWER_COLUMNS, rows)


def write_folder(folder: Path, voted: Voted, truth: Sequence[str] | None) -> None:
    """Predictions as a run keeps them, with true labels where they are known; whole or not at all."""
    if folder.exists():
        raise DessinError(f"{folder} already exists.", do="Choose another --out, or move it away.")
    assert voted.count.probabilities is not None, "a soft vote's"
    table = np.ascontiguousarray(voted.count.probabilities, dtype=np.float32)
    order = np.argsort(-voted.count.probabilities, axis=1, kind="stable")[:, :_TOP]
    columns = ["image_id", *(["label"] if truth else []), "predicted", "probability"]
    columns += [f"top{place}" for place in range(2, order.shape[1] + 1)]
    rows = []
    for i, image_id in enumerate(voted.image_ids):
        best, *others = [voted.classes[column] for column in order[i]]
        label = [truth[i]] if truth else []
        rows.append([image_id, *label, best, f"{table[i, order[i, 0]]:.6f}", *others])
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_named(SoftLabels(voted.image_ids, voted.classes, table), temporary)
        write_csv(temporary / "predictions.csv", columns, rows)


def say_outcome(ballots: Ballots, voted: Voted) -> None:
    """Who agreed, how ties were decided, and where nobody answered."""
    count, total = voted.count, len(voted.image_ids)
    if len(ballots.voters) > 1:
        first, *others = (voter.votes for voter in ballots.voters)
        same = int(np.logical_and.reduce([votes == first for votes in others]).sum())
        say(
            tr(
                "all {n} agree on {same} of {total} images ({share})",
                n=len(ballots.voters),
                same=number(same),
                total=number(total),
                share=percent(same / total, 1),
            )
        )
        for voter in ballots.voters:
            agreed = percent(agreement(voter, count), 1)
            say("  " + tr("{file} agrees with the vote on {share}", file=voter.name, share=agreed))
    ties = int(count.tied.sum())
    if ties:
        how = "; ".join(
            tr("{n} by {rule}", n=number(many), rule=translated(rule)) for rule, many in count.decided.items()
        )
        say(tr("{ties}, decided: {how}", ties=counted(ties, "tie"), how=how))
    if len(ballots.voters) == 2 and {BY_AGREEMENT, BY_ORDER} & count.decided.keys():
        warn(tr("Two files of labels cannot outvote each other: where they differ, no vote decides."))
    silent = voted.predicted.count("")
    if silent:
        warn(
            tr_n(
                "Nobody named a class for {n} image; its row has no answer.",
                "Nobody named a class for {n} images; their rows have no answer.",
                silent,
            )
        )

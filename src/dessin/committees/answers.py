"""The table of what every member answers: its own predictions as they are, seen in more views, or scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.inference import predict_rows
from dessin.answers.table import MemberTable, create_table, open_table
from dessin.committees.members import Member, MemberRun, Members, member_answers
from dessin.errors import DessinError
from dessin.models.bundle import load_bundle
from dessin.progress import track
from dessin.runs.inputs import Inputs, read_inputs
from dessin.runs.record import SPLIT_FILE
from dessin.training.device import choose_device

Answers = NDArray[np.float32]


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A hidden folder inside `out` that is gone afterwards: a table of many members does not fit memory."""
    folder = out / ".tables"
    folder.mkdir()
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def make_table(
    members: Members, path: Path, answer: Callable[[Member], Answers], *, label: str
) -> MemberTable:
    """The table (M, N, C) of what `answer` gives for each member, as a read-only map of the file `path`."""
    count = len(members.members)
    table = create_table(path, count, len(members.rows), len(members.classes))
    for number, member in enumerate(track(members.members, count, label)):
        table[number] = answer(member)
    table.flush()  # type: ignore[attr-defined]
    del table
    return MemberTable(
        names=tuple(member.name for member in members.members),
        probabilities=open_table(path),
        targets=members.targets,
        groups=np.array([row.group for row in members.rows]),
        folds=np.array([row.fold for row in members.rows], dtype=np.int64),
        image_ids=tuple(row.image_id for row in members.rows),
        classes=members.classes,
    )


def own_answers(members: Members, notes: list[str]) -> Callable[[Member], Answers]:
    """What members said when they were validated; columns in another order are aligned, and noted."""

    def answer(member: Member) -> Answers:
        table, aligned = member_answers(member, members)
        if aligned:
            notes.append(f"The classes of {member.name} came in another order, and were joined by name.")
        return table

    return answer


def answers_in_views(
    members: Members, views: Sequence[str], data: str | Path | None
) -> Callable[[Member], Answers]:
    """What members say when each looks in all `views`: computed anew, every fold by its own model.

    Raises:
        DessinError: data that changed, or are not where the runs found them.
    """
    first = members.members[0].runs[0]
    inputs = read_inputs(data or first.record.recipe.data.path, first.folder / SPLIT_FILE, None)
    number = {row.image_id: i for i, row in enumerate(members.rows)}

    def answer(member: Member) -> Answers:
        table = np.empty((len(members.rows), len(members.classes)), dtype=np.float32)
        for run in member.runs:
            if run.fold in members.folds:
                image_ids = [row.image_id for row in members.rows if row.fold == run.fold]
                table[[number[i] for i in image_ids]] = _predicted(run, inputs, image_ids, members, views)
        return table

    return answer


def _predicted(
    run: MemberRun, inputs: Inputs, image_ids: Sequence[str], members: Members, views: Sequence[str]
) -> Answers:
    bundle = load_bundle(run.bundle)
    card = bundle.card
    if sorted(card.classes) != sorted(members.classes):
        raise DessinError(f"The bundle {run.bundle} does not have the classes of the split.")
    store = inputs.open_store(card.image.spec, card.image.interpolation)
    probabilities = predict_rows(
        bundle.classifier,
        store,
        store.rows(image_ids),
        device=torch.device(str(choose_device().value)),
        temperature=card.temperature,
        views=tuple(views),
        label=f"{run.folder.name}, {len(views)} views",
    )
    column = {label: i for i, label in enumerate(card.classes)}
    return probabilities[:, [column[label] for label in members.classes]]


def replaced(table: MemberTable, probabilities: Answers) -> MemberTable:
    """The same images and members with other probabilities."""
    return replace(table, probabilities=probabilities)

"""What every member answers out of fold: as it was validated, seen in more views, scaled, or on average."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.inference import predict_rows
from dessin.answers.table import MemberTable, Rows, create_table, open_table
from dessin.collection.names import class_names
from dessin.committees.members import Member, Members, member_answers
from dessin.committees.rules.choice import Rule
from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.models.bundle import load_bundle
from dessin.models.card import CARD_FILE, read_card
from dessin.page.numbers import counted
from dessin.progress import track
from dessin.runs.inputs import Inputs, read_inputs
from dessin.runs.record import SPLIT_FILE
from dessin.statistics.temperature import fit_temperature, tempered
from dessin.training.device import choose_device
from dessin.training.views import PLAIN

Answers = NDArray[np.float32]
_BLOCK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What a generalist says of N images that it was not trained on.

    Attributes:
        probabilities: (N, C) float64; of several members, their mean.
        targets: (N,) int64.
        groups: (N,) str.
        folds: (N,) int64.
        names: each label's name for people.
    """

    name: str
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    groups: NDArray[Any]
    folds: NDArray[np.int64]
    names: dict[str, str]


def out_of_fold(members: Members) -> OutOfFold:
    """The mean of all members' answers to the images that each of them was not trained on."""
    total = np.zeros((len(members.rows), len(members.classes)))
    for member in members.members:
        total += member_answers(member, members)[0]
    count = len(members.members)
    name = members.members[0].name if count == 1 else f"the mean of {count} models"
    bundle = members.members[0].runs[0].bundle
    known = read_card(bundle).names if (bundle / CARD_FILE).is_file() else {}
    return OutOfFold(
        name=name,
        classes=members.classes,
        probabilities=total / count,
        targets=members.targets,
        groups=members.groups,
        folds=members.fold_of,
        names=class_names(members.classes) | known,
    )


def make_table(
    members: Members, path: Path, answer: Callable[[Member], Answers], *, label: str
) -> MemberTable:
    """The table (M, N, C) of what `answer` gives for each member, as a read-only map of the file `path`."""
    count = len(members.members)
    table = create_table(path, count, len(members.rows), len(members.classes))
    for number, member in enumerate(track(members.members, count, label, unit="members")):
        table[number] = answer(member)
    return MemberTable(
        names=tuple(member.name for member in members.members),
        probabilities=_closed(table, path),
        targets=members.targets,
        groups=members.groups,
        folds=members.fold_of,
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
        DessinError: at once, of a probe of all folds, which has no model without a fold.
    """
    left_out = {run.folder: run.left_out for member in members.members for run in member.runs}
    first = members.members[0].runs[0]
    inputs = read_inputs(data or first.record.recipe.data.path, first.folder / SPLIT_FILE, None)

    def answer(member: Member) -> Answers:
        table = np.empty((len(members.rows), len(members.classes)), dtype=np.float32)
        for run in member.runs:
            fold = left_out[run.folder]
            if fold in members.folds:
                rows = np.flatnonzero(members.fold_of == fold)
                image_ids = [members.rows[row].image_id for row in rows]
                asking = f"Asking {run.folder.name} in {counted(len(views), 'view')}"
                answers, classes = ask_bundle(run.bundle, inputs, image_ids, views=views, label=asking)
                if sorted(classes) != sorted(members.classes):
                    raise DessinError(f"The bundle {run.bundle} does not have the classes of the split.")
                table[rows] = answers[:, [classes.index(label) for label in members.classes]]
        return table

    return answer


def ask_bundle(
    folder: Path, inputs: Inputs, image_ids: Sequence[str], *, views: Sequence[str] = PLAIN, label: str
) -> tuple[Answers, tuple[str, ...]]:
    """What a bundle answers to images, (n, C) float32, and the classes of the columns."""
    bundle = load_bundle(folder)
    card = bundle.card
    store = inputs.open_store(card.image.spec, card.image.interpolation)
    answers = predict_rows(
        bundle.classifier,
        store,
        store.rows(image_ids),
        device=torch.device(str(choose_device().value)),
        temperature=card.temperature,
        views=tuple(views),
        label=label,
    )
    return answers, card.classes


class Scaler:
    """Scaled copies of a table in a folder, one for each set of rows that temperatures are fitted on.

    So a nested estimate may trust temperatures: for every outer part the rules see a table whose members were
    scaled by what the other parts say, and the part itself is answered with the same temperatures. The one
    figure that scaling touches otherwise is the naive one: there too, a drawing is scaled without its part.
    """

    def __init__(self, table: MemberTable, folder: Path) -> None:
        self._table, self._folder = table, folder
        self._made: dict[str, tuple[MemberTable, tuple[float, ...]]] = {}

    def fitted_on(self, rows: Rows) -> tuple[MemberTable, tuple[float, ...]]:
        """All images, every member scaled by its temperature on `rows` (n,), and these temperatures (M)."""
        key = sha256_bytes(np.sort(rows).tobytes())
        if key not in self._made:
            table, targets = self._table, self._table.targets[rows]
            temperatures = tuple(fit_temperature(own[rows], targets) for own in table.probabilities)
            path = self._folder / f"scaled-{len(self._made)}.npy"
            self._made[key] = (_scaled(table, temperatures, path), temperatures)
        return self._made[key]

    def without_own_part(self, parts: Sequence[Rows]) -> MemberTable:
        """Each image scaled by the temperatures that all other parts give."""
        path = self._folder / "scaled-without-own-part.npy"
        mixed = create_table(path, *self._table.probabilities.shape)
        for part in parts:
            outside = np.setdiff1d(self._table.every_row, part)
            scaled, _ = self.fitted_on(outside)
            for block in scaled.blocks(part):
                mixed[:, part[block]] = scaled.read(part[block])
        return replace(self._table, probabilities=_closed(mixed, path))


def scaled_rules(rules: Mapping[str, Rule], scaler: Scaler) -> dict[str, Rule]:
    """The same rules, choosing among members that were scaled by the rows which the rule may look at."""

    def scaled(rule: Rule) -> Rule:
        return lambda _table, rows, seed: rule(scaler.fitted_on(rows)[0], rows, seed)

    return {name: scaled(rule) for name, rule in rules.items()}


def _scaled(table: MemberTable, temperatures: Sequence[float], path: Path) -> MemberTable:
    scaled = create_table(path, *table.probabilities.shape)
    images, classes = table.probabilities.shape[1:]
    size = max(1, _BLOCK_BYTES // (8 * classes))
    for member, temperature in enumerate(temperatures):
        for start in range(0, images, size):
            block = np.asarray(table.probabilities[member, start : start + size], dtype=np.float64)
            scaled[member, start : start + size] = tempered(block, temperature)
    return replace(table, probabilities=_closed(scaled, path))


def _closed(table: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """What was written, as a read-only map."""
    if isinstance(table, np.memmap):
        table.flush()
    return open_table(path)

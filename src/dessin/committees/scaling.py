"""Temperatures that a nested estimate may trust: the held-out part never has a say in its own scale.

For every outer part the rules see a table whose members were scaled by what the other parts say, and the part
itself is answered with the same temperatures. So choosing with scaling is estimated as choosing alone is. The
one figure that scaling touches otherwise is the naive one: there too, a drawing is scaled without its part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows, create_table, open_table
from dessin.committees.rules.choice import Choice, Rule
from dessin.files import sha256_bytes
from dessin.statistics.temperature import fit_temperature, tempered

_BLOCK_BYTES = 64 << 20


class Scaler:
    """Scaled copies of a table in a folder, one for each set of rows that temperatures are fitted on."""

    def __init__(self, table: MemberTable, folder: Path) -> None:
        self._table, self._folder = table, folder
        self._made: dict[str, tuple[MemberTable, tuple[float, ...]]] = {}

    def fitted_on(self, rows: Rows) -> tuple[MemberTable, tuple[float, ...]]:
        """All images, every member scaled by its temperature on `rows` (n,), and these temperatures (M)."""
        key = sha256_bytes(np.sort(rows).tobytes())
        if key not in self._made:
            temperatures = tuple(self._temperature(member, rows) for member in range(self._table.members))
            path = self._folder / f"scaled-{len(self._made)}.npy"
            self._made[key] = (_scaled(self._table, temperatures, path), temperatures)
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

    def _temperature(self, member: int, rows: Rows) -> float:
        return fit_temperature(self._table.probabilities[member][rows], self._table.targets[rows])


def scaled_rules(rules: Mapping[str, Rule], scaler: Scaler) -> dict[str, Rule]:
    """The same rules, choosing among members that were scaled by the rows which the rule may look at."""
    return {name: _scaled_rule(rule, scaler) for name, rule in rules.items()}


def _scaled_rule(rule: Rule, scaler: Scaler) -> Rule:
    def choose(_table: MemberTable, rows: Rows, seed: int) -> Choice:
        return rule(scaler.fitted_on(rows)[0], rows, seed)

    return choose


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

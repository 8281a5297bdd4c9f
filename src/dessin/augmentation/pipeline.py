"""Everything that happens to training images, checked as a whole and planned image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dessin.augmentation.draws import Draws
from dessin.augmentation.mix_plan import MixPlan
from dessin.augmentation.ops import bind_op
from dessin.augmentation.plan import AugmentPlan, compile_plan, with_chains
from dessin.augmentation.spec import Act, Action, BoundOp
from dessin.errors import DessinError, quoted
from dessin.randomness import Words, derive, uniform

_OWN_COLUMNS = 2  # the draws of every op before its own: whether it acts, and its seed for draws a pixel


@dataclass(frozen=True)
class Pipeline:
    """Ops on training images.

    `augment` acts in every epoch, with new draws in each; `stages` adds ops from an epoch (counted from 1)
    on. For each entry of `copies` a copy of every image joins the training set, changed by these ops in the
    same way in all epochs, and augmented like any other image.

    Raises:
        DessinError: ops that cannot be together, or one that is unknown or refuses its values.
    """

    augment: tuple[str, ...]
    copies: tuple[tuple[str, ...], ...] = ()
    stages: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        for number, ops in enumerate(self.copies, start=1):
            _check_copy(number, ops)
        for epoch, ops in self.stages:
            if not ops:
                raise DessinError(
                    f"The stage at epoch {epoch} adds no op.", do="Name one, or remove the stage."
                )
        _check_order(self._all_ops)

    @property
    def _all_ops(self) -> tuple[str, ...]:
        """The ops of the last epochs, when all stages have begun."""
        return (*self.augment, *(op for _, ops in sorted(self.stages) for op in ops))

    @property
    def factor(self) -> int:
        """How many samples an image gives: itself and its copies."""
        return 1 + len(self.copies)

    @property
    def changes_anything(self) -> bool:
        """Whether there is an op at all."""
        return bool(self._all_ops or self.copies)

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with one another, in some epoch."""
        return any(_bound(op).spec.kind == "mixing" for op in self._all_ops)

    @cached_property
    def _moves(self) -> bool:
        """Whether an op of any epoch moves points.

        If so, every batch is resampled, and no image depends on whether its neighbours were moved.
        """
        ops = (*self._all_ops, *(op for copy in self.copies for op in copy))
        return any(_moves(_bound(op)) for op in ops)

    def ops_at(self, epoch: int) -> tuple[str, ...]:
        """The ops on the images of an epoch, counted from 0; a stage at 1 acts from epoch 0 on."""
        return (
            *self.augment,
            *(op for start, ops in sorted(self.stages) if start - 1 <= epoch for op in ops),
        )

    def sample_keys(self, keys: Words) -> Words:
        """Keys (factor * N,) uint64 of image keys (N,): their own, then those of all first copies, ..."""
        copies = (keys ^ np.uint64(derive("copy", number)) for number in range(1, self.factor))
        return np.concatenate([keys, *copies])

    def plan(self, seed: int, epoch: int, keys: Words, copy: NDArray[np.int64], size: int) -> AugmentPlan:
        """Plan n samples of `size` pixels a side in an epoch counted from 0.

        A sample's plan depends on no other sample, and an op's draws on no other op: two recipes that differ
        in one op differ in nothing else.

        Args:
            seed: of the run.
            epoch: of `augment`; copies are changed alike in all epochs.
            keys: (n,) uint64, as `sample_keys` gives them.
            copy: (n,) int64, the number of the copy, 0 for an original.
            size: pixels a side.
        """
        actions: list[Action] = []
        for number, ops in enumerate(self.copies, start=1):
            rows = np.flatnonzero(copy == number).astype(np.int64)
            drawn = _actions(ops, seed, f"copy {number}", 0, keys[rows])
            actions += (action.at(rows) for action in drawn)
        ops = self.ops_at(epoch)
        actions += _actions(ops, seed, "augment", epoch, keys)
        plan = compile_plan(actions, len(keys), size, moves=self._moves)
        for bound, stream in _streams(ops, "augment"):
            if bound.spec.kind == "blend":
                draws = _own_draws(bound, stream, seed, epoch, keys)
                plan = with_chains(plan, *bound.spec.draw(draws, *bound.values))
        return replace(plan, mixing=self.mixing(seed, epoch, keys, size))

    def mixing(self, seed: int, epoch: int, keys: Words, size: int) -> MixPlan | None:
        """How n samples are mixed with each other, `size` places a side; None without a mixing op."""
        for bound, stream in _streams(self.ops_at(epoch), "augment"):
            if bound.spec.kind == "mixing":
                draws = _own_draws(bound, stream, seed, epoch, keys)
                return cast(MixPlan, bound.spec.draw(draws, size, *bound.values))
        return None

    def lines(self) -> tuple[str, ...]:
        """The pipeline for people, a line a part."""
        if not self.changes_anything:
            return ("augmentation: none, training sees what evaluation sees",)
        lines = [f"augmentation: {', then '.join(self.augment) or 'none'}"]
        lines += [f"from epoch {epoch} on: {', then '.join(ops)}" for epoch, ops in sorted(self.stages)]
        for number, ops in enumerate(self.copies, start=1):
            lines.append(f"copy {number} of every image: {', then '.join(ops)}")
        return tuple(lines)


@lru_cache(maxsize=1024)
def _bound(text: str) -> BoundOp:
    return bind_op(text)


def _moves(bound: BoundOp) -> bool:
    if isinstance(bound.spec.act, Act):
        return bound.spec.act.moves
    # Every compound op and policy has geometric members; the chains of a blend are resampled on their own.
    return bound.spec.kind == "several"


def _streams(ops: Iterable[str], prefix: str) -> list[tuple[BoundOp, str]]:
    """Each op with the name of its draws: an op that is written twice is drawn twice."""
    occurrences: Counter[str] = Counter()
    streams = []
    for text in ops:
        bound = _bound(text)
        name = bound.spec.name
        streams.append((bound, f"{prefix} {name} {occurrences[name]}"))
        occurrences[name] += 1
    return streams


def _actions(ops: Sequence[str], seed: int, prefix: str, epoch: int, keys: Words) -> list[Action]:
    """What the ops do to n images; row i is image i of `keys`. Blends and mixing are not among them."""
    actions: list[Action] = []
    for bound, stream in _streams(ops, prefix):
        spec = bound.spec
        if spec.kind in ("blend", "mixing"):
            continue
        draws = uniform(seed, stream, epoch, keys, _OWN_COLUMNS + spec.columns)
        rows = np.flatnonzero(draws[:, 0] < bound.p).astype(np.int64)
        own = draws[rows, _OWN_COLUMNS:]
        if spec.kind == "several":
            actions += (action.at(rows) for action in spec.draw(own, *bound.values))
        else:
            seeds = (draws[rows, 1] * 2.0**31).astype(np.int64) if spec.seeded else np.zeros_like(rows)
            actions.append(Action(spec.name, rows, spec.draw(own, *bound.values), seeds))
    return actions


def _own_draws(bound: BoundOp, stream: str, seed: int, epoch: int, keys: Words) -> Draws:
    return uniform(seed, stream, epoch, keys, _OWN_COLUMNS + bound.spec.columns)[:, _OWN_COLUMNS:]


def _check_copy(number: int, ops: Sequence[str]) -> None:
    if not ops:
        raise DessinError(
            f"Copy {number} has no op, so it would only repeat the images.",
            do="Name one, or remove the copy.",
        )
    for text in ops:
        spec = _bound(text).spec
        if spec.kind in ("blend", "mixing"):
            raise DessinError(
                f'Copy {number} has the op "{quoted(text)}", which blends pictures and cannot make a copy.',
                do=f"Move {spec.name} to augment.",
            )


def _check_order(ops: Sequence[str]) -> None:
    mixing = [text for text in ops if _bound(text).spec.kind == "mixing"]
    if len(mixing) > 1:
        raise DessinError(
            f"There are {len(mixing)} mixing ops: {', '.join(mixing)}.",
            allowed="At most one of mixup, cutmix and mixup_or_cutmix can act, stages included.",
            do="Keep one; mixup_or_cutmix(0.2, 1) draws one of the two for each image.",
        )
    others = [text for text in ops if text not in mixing]
    for text in others[:-1]:
        if _bound(text).spec.kind == "blend":
            raise DessinError(
                f'"{quoted(text)}" stands before "{others[-1]}".',
                allowed=f"{_bound(text).spec.name} blends finished pictures, so only mixing may follow it.",
                do="Write it last, stages included.",
            )

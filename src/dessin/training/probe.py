"""A linear probe on frozen features: which classes a backbone already tells apart, in seconds; its penalty is
chosen on unseen groups, and it is fitted once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import cache_folder, digest_of, locked, sha256_bytes, write_bytes, write_json
from dessin.language import phrase
from dessin.models.tensors import check_finite, unpacked
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.reading import read_bytes, read_json
from dessin.training.linear import Kind, Space, fit_linear, space_of
from dessin.training.name_share import NAMES, PROBE_ALONE, SHARES, Mix, Names, best_of, calibrated

PENALTY = "probe penalty"
Floats = NDArray[np.float32]

# From strong to weak, so that each logistic fit starts from the solution of the one before it.
PENALTIES: dict[Kind, tuple[float, ...]] = {
    "logistic": (0.03, 0.01, 0.003, 0.001),
    "ridge": (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01),
}
# Tried one by one while the weakest so far is the best: the more there is to learn from, the less is shrunk.
WEAKER: dict[Kind, tuple[float, ...]] = {
    "logistic": (0.0003, 0.0001, 0.00003, 0.00001),
    "ridge": (0.003, 0.001, 0.0003, 0.0001),
}
_DEFAULT_PENALTY: dict[Kind, float] = {"logistic": 0.01, "ridge": 0.1}
_INNER_FOLDS = 3


@dataclass(frozen=True)
class Probe:
    """A linear classifier of raw features: weight (C, D) and bias (C,), float32, temperature inside.

    `path` holds (penalty, accuracy, loss) of the inner cross-validation. Where folds
    were given, `unseen` (N, C) has each image's probabilities by a probe of the other folds, whose penalty
    and temperature were chosen on those. `names` is the share of the classes' names, where rows were given.
    """

    kind: Kind
    weight: Floats
    bias: Floats
    penalty: float
    temperature: float
    path: tuple[tuple[float, float, float], ...]
    decision: Decision[float]
    unseen: Floats | None = None
    names: Decision[float] | None = None

    @property
    def decisions(self) -> tuple[Decision[float], ...]:
        return (self.decision,) if self.names is None else (self.decision, self.names)

    def logits(self, features: Floats) -> Floats:
        """Raw features (N, D) → logits (N, C)."""
        result: Floats = features @ self.weight.T + self.bias
        return result

    def probabilities(self, features: Floats) -> Floats:
        """Raw features (N, D) → probabilities (N, C) that sum to 1."""
        return torch.from_numpy(self.logits(features)).softmax(dim=1).numpy()


def fit_probe(
    features: Floats,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    classes: int,
    *,
    kind: Kind = "logistic",
    seed: int = 0,
    weakest: float = 0.0,
    folds: NDArray[np.int64] | None = None,
    looks: int = 1,
    named: Floats | None = None,
) -> Probe:
    """Fit a probe; views are extra samples, and the penalty is chosen on the first views of unseen groups.

    Args:
        features: (V, N, D) float32, the same images in V views; the first is the image as it is.
        labels: (N,) class numbers, 0..classes - 1.
        groups: (N,) what belongs together; an empty string is a group of its own.
        weakest: No penalty below this is tried beyond the usual ones; the one that a probe chose gives the
            very same probe again, also one that was fitted before weaker ones were tried.
        folds: (N,) from 0, to choose by in place of three that are dealt; they never part a group.
        looks: In how many of the views an unseen image is asked about; the mean of its logits counts.
        named: (C, D) what the names of the classes say of features; a share of it joins the head, chosen as
            the penalty is. A class without images has that alone, and is otherwise neither likely nor not.

    Raises:
        DessinError: fewer than two classes among the labels, features that are not finite, or a class without
            images and too few groups to choose a share.
    """
    present = np.unique(labels)
    if len(present) < 2:
        raise DessinError(
            "A probe needs images of at least two classes.", do="Check the split: this side holds one class."
        )
    if not np.isfinite(features).all():
        raise DessinError("Some features are not finite numbers.", do="Check the backbone and its weights.")
    dealt = inner_folds(labels, groups, seed) if folds is None else folds
    every = np.arange(classes)
    if named is not None:
        every, labels, classes = present, np.searchsorted(present, labels), len(present)
    # The mean of a linear classifier's logits is what it says of the mean features.
    asked = features[0] if looks == 1 else features[:looks].mean(axis=0)
    # Of the mean drawing names say nothing: what they say of all is of drawings as such, and not of a class.
    centre = asked.mean(axis=0)
    names = None if named is None else Names(torch.from_numpy((asked - centre) @ named.T).double(), every)
    chosen = _choose(features, asked, labels, dealt, classes, kind, weakest, names)
    axes, targets = _space(features, labels, np.ones(len(labels), dtype=bool), kind)
    fit: tuple[Tensor, Tensor] | None = None
    for stronger in (*PENALTIES[kind], *WEAKER[kind]):
        if stronger == chosen.penalty or (stronger > chosen.penalty and kind == "logistic"):
            fit = fit_linear(axes, targets, classes, stronger, fit)
    assert fit is not None, "the penalty is one of them"
    weight, bias = axes.fold_back(*fit)
    if names is not None and named is not None:
        rows, middle = (torch.from_numpy(each).double() for each in (named, centre))
        weight = chosen.mix.of(names.whole(weight.T, every), rows.T).T
        bias = chosen.mix.of(names.whole(bias[None], every)[0], -(rows @ middle))
    at_one, offset = ((part / chosen.temperature).float().numpy() for part in (weight, bias))
    decision = Decision(PENALTY, chosen.penalty, chosen.reason)
    unseen = None if folds is None else chosen.unseen
    return Probe(
        kind,
        at_one,
        offset,
        chosen.penalty,
        chosen.temperature,
        chosen.path,
        decision,
        unseen,
        names=None if names is None else Decision(NAMES, chosen.mix.share, chosen.why_names),
    )


_HALF = 0.5


def _share_of_undrawn(
    features: Floats,
    asked: Floats,
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    used: Sequence[int],
    kind: Kind,
    penalties: Sequence[float],
    names: Names,
) -> tuple[float, str]:
    """The share that serves all classes alike where some are not drawn, and why.

    A third of the classes, in turn, is left out of the fit as if it were not drawn: a share of nothing would
    never answer them, and one of everything forgets the drawings. `penalties` lead to the probe's own.
    """
    classes, total = len(names.drawn), names.logits.shape[1]
    if classes < 3:
        return _HALF, f"half, for {classes} classes with drawings are too few to choose by"
    scores = np.zeros((len(SHARES), 2))
    images = np.zeros(2)
    for place, fold in enumerate(used):
        left = np.arange(classes) % max(3, len(used)) == place
        rows, kept = (folds != fold) & ~left[labels], np.flatnonzero(~left)
        axes, targets = _space(features, np.searchsorted(kept, labels), rows, kind)
        unseen = axes.place(torch.from_numpy(asked[folds == fold])).double()
        part = _InnerFold(axes, targets, unseen, len(kept))
        logits = [part.logits(penalty) for penalty in penalties][-1]
        drawn, truth = names.whole(logits, names.drawn[kept]), labels[folds == fold]
        aside = left[truth]
        images += (~aside).sum(), aside.sum()
        named = names.logits[folds == fold]
        for number, mix in enumerate(names.mixes(drawn, named)):
            right = mix.of(drawn, named).argmax(dim=1).numpy() == names.drawn[truth]
            scores[number] += right[~aside].sum(), right[aside].sum()
    found, asides = (scores / np.maximum(images, 1)).T
    together = (classes * found + names.undrawn * asides) / total
    best = int(together.argmax())
    return SHARES[best], (
        f"the best of {len(SHARES)} for {classes} classes with drawings ({found[best]:.1%} right) and "
        f"{names.undrawn} without ({asides[best]:.1%} of classes that were left out in turn)"
    )


@dataclass(frozen=True)
class _Chosen:
    """What cross-validation chose, its path, why, and what is said of unseen images, (N, C)."""

    penalty: float
    temperature: float
    path: tuple[tuple[float, float, float], ...]
    reason: str
    unseen: Floats | None = None
    mix: Mix = PROBE_ALONE
    why_names: str = ""


def _choose(
    features: Floats,
    asked: Floats,
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    classes: int,
    kind: Kind,
    weakest: float,
    names: Names | None = None,
) -> _Chosen:
    used = [k for k in np.unique(folds) if len(np.unique(labels[folds != k])) > 1]
    if folds.max() < 1 or not used:
        why = "too few groups to choose by cross-validation"
        if names is not None and names.undrawn:
            raise DessinError(
                f"How much the names of classes count beside the drawings cannot be chosen: {why}.",
                do="Add drawings, or leave out data.zero_shot.",
            )
        usual = "the usual one: too few groups to choose by cross-validation"
        return _Chosen(_DEFAULT_PENALTY[kind], 1.0, (), usual, why_names=f"none: {why}")
    truth = torch.from_numpy(np.concatenate([labels[folds == fold] for fold in used]))
    inner: list[_InnerFold] = []
    held: list[list[Tensor]] = []
    label = phrase("Probe ({kind}), choosing its penalty", kind=kind)
    for fold in track(used, len(used), label, unit="folds"):
        axes, targets = _space(features, labels, folds != fold, kind)
        unseen = axes.place(torch.from_numpy(asked[folds == fold])).double()
        inner.append(_InnerFold(axes, targets, unseen, classes))
        held.append([inner[-1].logits(penalty) for penalty in PENALTIES[kind]])
    penalties = list(PENALTIES[kind])
    results = [calibrated(torch.cat(logits), truth) for logits in zip(*held, strict=True)]
    for weaker in WEAKER[kind]:
        if weaker < weakest or best_of(results) < len(results) - 1:
            break
        penalties.append(weaker)
        for part, logits in zip(inner, held, strict=True):
            logits.append(part.logits(weaker))
        results.append(calibrated(torch.cat([logits[-1] for logits in held]), truth))
    best = best_of(results)
    temperature, accuracy, loss = results[best]
    path = tuple((p, r[1], r[2]) for p, r in zip(penalties, results, strict=True))
    reason = (
        f"highest accuracy ({accuracy:.1%}, loss {loss:.3f}) of {len(penalties)} penalties from "
        f"{penalties[0]:g} to {penalties[-1]:g} on {len(truth):,} training images, each predicted from other "
        f"groups"
    )
    if penalties[best] == WEAKER[kind][-1]:
        reason += "; the weakest that is tried, so a weaker one might do better still"
    every = len(used) == len(np.unique(folds))
    share, why = None, ""
    if names is not None and names.undrawn:
        tried = penalties[best : best + 1] if kind == "ridge" else penalties[: best + 1]
        share, why = _share_of_undrawn(features, asked, labels, folds, used, kind, tried, names)
    said = _unseen(held, truth, folds, used, names, share) if every else None
    if names is None:
        return _Chosen(penalties[best], temperature, path, reason, said)
    named = torch.cat([names.logits[folds == fold] for fold in used])
    mix, shares = names.choose(torch.cat([logits[best] for logits in held]), named, truth, share)
    temperature, accuracy, loss = shares[SHARES.index(mix.share)]
    why = why or f"the highest accuracy ({accuracy:.1%}, loss {loss:.3f}) of {len(SHARES)}"
    told = (
        f"share of the head: {why}; on {len(truth):,} training images, each predicted from other groups, "
        f"drawings alone {shares[0][1]:.1%}, names alone {shares[-1][1]:.1%}"
    )
    return _Chosen(penalties[best], temperature, path, reason, said, mix, told)


def _unseen(
    held: Sequence[Sequence[Tensor]],
    truth: Tensor,
    folds: NDArray[np.int64],
    used: Sequence[int],
    names: Names | None,
    share: float | None,
) -> Floats:
    """Probabilities (N, C) of each fold's images, at the penalty and share that are best on all other folds.

    `held` has for each fold the logits of its images at each penalty, `truth` their labels in the same order.
    """
    classes = held[0][0].shape[1] if names is None else names.logits.shape[1]
    result = np.empty((len(folds), classes), dtype=np.float32)
    starts = np.cumsum([0, *(len(logits[0]) for logits in held)])
    for place, fold in enumerate(used):
        others = torch.cat([truth[: starts[place]], truth[starts[place + 1] :]])
        rest = [*held[:place], *held[place + 1 :]]
        results = [calibrated(torch.cat(logits), others) for logits in zip(*rest, strict=True)]
        best = best_of(results)
        temperature, logits = results[best][0], held[place][best]
        if names is not None:
            named = torch.cat([names.logits[folds == other] for other in used if other != fold])
            mix, shares = names.choose(torch.cat([each[best] for each in rest]), named, others, share)
            temperature = shares[SHARES.index(mix.share)][0]
            logits = mix.of(names.whole(logits, names.drawn), names.logits[folds == fold])
        result[folds == fold] = (logits / temperature).softmax(dim=1).float().numpy()
    return result


@dataclass
class _InnerFold:
    """A probe of the other folds, fitted to ever weaker penalties, and `unseen` images (m, r) in its axes."""

    axes: Space
    targets: Tensor
    unseen: Tensor
    classes: int
    fitted: tuple[Tensor, Tensor] | None = None

    def logits(self, penalty: float) -> Tensor:
        """(m, C) logits; a logistic fit starts from that for the penalty before."""
        self.fitted = fit_linear(self.axes, self.targets, self.classes, penalty, self.fitted)
        weight, bias = self.fitted
        return self.unseen @ weight + bias


def inner_folds(labels: NDArray[np.int64], groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Deal whole groups into at most three folds, classes spread evenly, (N,) int64.

    Depends on the names of the groups and the seed, and not on the order of the images.
    """
    names = np.array([group or f"\x00alone {row}" for row, group in enumerate(groups)])
    unique, index = np.unique(names, return_inverse=True)
    members = np.zeros((len(unique), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(members, (index, labels), 1)
    order = permutation(seed, "inner folds", 0, image_keys(unique.tolist()))
    # Large groups first: a small one can still even out what a large one left.
    order = order[np.argsort(-members.sum(axis=1)[order], kind="stable")]
    count = min(_INNER_FOLDS, len(unique))
    filled = np.zeros((count, members.shape[1]), dtype=np.int64)
    fold_of = np.empty(len(unique), dtype=np.int64)
    for group in order:
        present = members[group] > 0
        crowding = filled[:, present].sum(axis=1) * (len(labels) + 1) + filled.sum(axis=1)
        fold_of[group] = int(np.argmin(crowding))
        filled[fold_of[group]] += members[group]
    return fold_of[index]


def _space(
    features: Floats, labels: NDArray[np.int64], rows: NDArray[np.bool_], kind: Kind
) -> tuple[Space, Tensor]:
    samples = torch.from_numpy(features[:, rows].reshape(-1, features.shape[2]))
    return space_of(samples, kind), torch.from_numpy(np.tile(labels[rows], len(features)))


_VERSION = 3  # raise it whenever the same features would give another probe, or its file another form


def shared_probe(
    features: Floats,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    classes: int,
    *,
    seed: int,
    weakest: float = 0.0,
    folds: NDArray[np.int64] | None = None,
    looks: int = 1,
    kind: Kind = "logistic",
    named: Floats | None = None,
) -> tuple[Head, tuple[Decision[float], ...]]:
    """The head and the decisions of `fit_probe` with these arguments.

    The first call computes them; the key has all that the bytes depend on, the number of threads and torch's
    version among it. Two processes that ask at once compute them once.
    """
    asked = [list(features.shape), labels.tolist(), list(groups), classes, seed, weakest]
    asked += [] if folds is None else [folds.tolist()]
    asked += [] if looks == 1 else [f"{looks} looks"]
    asked += [] if kind == "logistic" else [kind]
    asked += [] if named is None else [sha256_bytes(named.tobytes())]
    computed = [torch.__version__, torch.get_num_threads()]
    key = digest_of([_VERSION, sha256_bytes(features.tobytes()), asked, computed])
    weights = cache_folder() / "probes" / f"{key}.safetensors"
    reason = weights.with_suffix(".json")
    with locked(weights.with_suffix(".lock")):
        if not weights.is_file():
            probe = fit_probe(
                *(features, labels, groups, classes),
                kind=kind,
                seed=seed,
                weakest=weakest,
                folds=folds,
                looks=looks,
                named=named,
            )
            # The weights last: where they are, the reasons are too.
            write_json(reason, [decision.__dict__ for decision in probe.decisions])
            write_head(weights, Head(probe.weight, probe.bias, probe.unseen))
        return read_head(weights), tuple(Decision(**each) for each in read_json(reason))


class Head(NamedTuple):
    """A fitted probe: weight (C, D), bias (C,), and of one fitted by folds what it said of unseen images."""

    weight: Floats
    bias: Floats
    unseen: Floats | None = None


def write_head(path: Path, head: Head) -> None:
    write_bytes(path, save({name: part for name, part in head._asdict().items() if part is not None}))


def read_head(path: Path) -> Head:
    """What `write_head` left in a file.

    Raises:
        DessinError: a damaged file, or one that holds something else.
    """
    head = unpacked(read_bytes(path), path)
    if not {"weight", "bias"} <= head.keys() <= {*Head._fields}:
        raise DessinError(f"{path} holds no probe.", do="Remove it and run again.")
    check_finite(head, path)
    return Head(**{name: part.numpy() for name, part in head.items()})

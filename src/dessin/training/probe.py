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
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import cache_folder, digest_of, locked, sha256_bytes, write_bytes, write_json
from dessin.language import phrase
from dessin.models.tensors import check_finite, unpacked
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.reading import read_bytes, read_json
from dessin.training.linear import Kind, Space, fit_linear, space_of

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
    and temperature were chosen on those.
    """

    kind: Kind
    weight: Floats
    bias: Floats
    penalty: float
    temperature: float
    path: tuple[tuple[float, float, float], ...]
    decision: Decision[float]
    unseen: Floats | None = None

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

    Raises:
        DessinError: fewer than two classes among the labels, or features that are not finite.
    """
    if len(np.unique(labels)) < 2:
        raise DessinError(
            "A probe needs images of at least two classes.", do="Check the split: this side holds one class."
        )
    if not np.isfinite(features).all():
        raise DessinError("Some features are not finite numbers.", do="Check the backbone and its weights.")
    dealt = inner_folds(labels, groups, seed) if folds is None else folds
    # The mean of a linear classifier's logits is what it says of the mean features.
    asked = features[0] if looks == 1 else features[:looks].mean(axis=0)
    penalty, temperature, path, reason, unseen = _choose(
        features, asked, labels, dealt, classes, kind, weakest
    )
    axes, targets = _space(features, labels, np.ones(len(labels), dtype=bool), kind)
    fit: tuple[Tensor, Tensor] | None = None
    for stronger in (*PENALTIES[kind], *WEAKER[kind]):
        if stronger == penalty or (stronger > penalty and kind == "logistic"):
            fit = fit_linear(axes, targets, classes, stronger, fit)
    assert fit is not None, "the penalty is one of them"
    weight, bias = ((part / temperature).float().numpy() for part in axes.fold_back(*fit))
    decision = Decision(PENALTY, penalty, reason)
    return Probe(kind, weight, bias, penalty, temperature, path, decision, None if folds is None else unseen)


def _choose(
    features: Floats,
    asked: Floats,
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    classes: int,
    kind: Kind,
    weakest: float,
) -> tuple[float, float, tuple[tuple[float, float, float], ...], str, Floats | None]:
    """The penalty, its temperature, the path, the reason, and what is said of unseen images."""
    used = [k for k in np.unique(folds) if len(np.unique(labels[folds != k])) > 1]
    if folds.max() < 1 or not used:
        why = "the usual one: too few groups to choose by cross-validation"
        return _DEFAULT_PENALTY[kind], 1.0, (), why, None
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
    results = [_calibrated(torch.cat(logits), truth) for logits in zip(*held, strict=True)]
    for weaker in WEAKER[kind]:
        if weaker < weakest or _best(results) < len(results) - 1:
            break
        penalties.append(weaker)
        for part, logits in zip(inner, held, strict=True):
            logits.append(part.logits(weaker))
        results.append(_calibrated(torch.cat([logits[-1] for logits in held]), truth))
    best = _best(results)
    temperature, accuracy, loss = results[best]
    path = tuple((p, r[1], r[2]) for p, r in zip(penalties, results, strict=True))
    reason = (
        f"highest accuracy ({accuracy:.1%}, loss {loss:.3f}) of {len(penalties)} penalties from "
        f"{penalties[0]:g} to {penalties[-1]:g} on {len(truth):,} training images, each predicted from other "
        f"groups"
    )
    if penalties[best] == WEAKER[kind][-1]:
        reason += "; the weakest that is tried, so a weaker one might do better still"
    said = _unseen(held, truth, folds, used) if len(used) == len(np.unique(folds)) else None
    return penalties[best], temperature, path, reason, said


def _unseen(
    held: Sequence[Sequence[Tensor]], truth: Tensor, folds: NDArray[np.int64], used: Sequence[int]
) -> Floats:
    """Probabilities (N, C) of each fold's images, at the penalty that is best on all other folds.

    `held` has for each fold the logits of its images at each penalty, `truth` their labels in the same order.
    """
    result = np.empty((len(folds), held[0][0].shape[1]), dtype=np.float32)
    starts = np.cumsum([0, *(len(logits[0]) for logits in held)])
    for place, fold in enumerate(used):
        others = torch.cat([truth[: starts[place]], truth[starts[place + 1] :]])
        rest = [*held[:place], *held[place + 1 :]]
        results = [_calibrated(torch.cat(logits), others) for logits in zip(*rest, strict=True)]
        best = _best(results)
        result[folds == fold] = (held[place][best] / results[best][0]).softmax(dim=1).float().numpy()
    return result


def _best(results: Sequence[tuple[float, float, float]]) -> int:
    """The number of the highest accuracy; of equal ones that of the smaller loss."""
    return min(range(len(results)), key=lambda number: (-results[number][1], results[number][2]))


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


def _calibrated(logits: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """The temperature that minimises the loss, the accuracy, and that loss."""

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits / float(np.exp(log_temperature)), truth))

    found = minimize_scalar(loss, bounds=(-6.0, 3.0), method="bounded", options={"xatol": 1e-3})
    accuracy = float((logits.argmax(dim=1) == truth).double().mean())
    return float(np.exp(found.x)), accuracy, float(found.fun)


_VERSION = 2  # raise it whenever the same features would give another probe


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
) -> tuple[Head, Decision[float]]:
    """The head and the penalty's reason of `fit_probe` with these arguments.

    The first call computes them; the key has all that the bytes depend on, the number of threads and torch's
    version among it. Two processes that ask at once compute them once.
    """
    asked = [list(features.shape), labels.tolist(), list(groups), classes, seed, weakest]
    asked += [] if folds is None else [folds.tolist()]
    asked += [] if looks == 1 else [f"{looks} looks"]
    asked += [] if kind == "logistic" else [kind]
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
            )
            # The weights last: where they are, the reason is too.
            write_json(reason, probe.decision.__dict__)
            write_head(weights, Head(probe.weight, probe.bias, probe.unseen))
        return read_head(weights), Decision(**read_json(reason))


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

"""Weights of runs mixed into one model, and what such a model answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.answers.inference import predict_rows
from dessin.images.store import PixelStore
from dessin.models.classifier import Classifier
from dessin.recipe import Recipe
from dessin.training.candidates import estimate_statistics
from dessin.training.data import Rows, Training, TrainingData
from dessin.training.device import Computing
from dessin.training.engine import make_engine
from dessin.training.seeding import seed_step

State = dict[str, Tensor]
Shares = tuple[float, ...]
Floats = NDArray[np.float32]


def alone(member: int, members: int) -> Shares:
    """All of one member."""
    return tuple(float(number == member) for number in range(members))


def mix_states(states: Sequence[State], shares: Shares) -> State:
    """The sum of states times their shares, in float64 and in any order; of integers the largest is kept.

    Integers are counters of batches, which no answer depends on, or tables that all states have alike.
    """
    present = [(state, share) for state, share in zip(states, shares, strict=True) if share]
    if len(present) == 1 and present[0][1] == 1.0:
        return {name: tensor.clone() for name, tensor in present[0][0].items()}
    mixed: State = {}
    for name, tensor in present[0][0].items():
        if not tensor.is_floating_point():
            mixed[name] = torch.stack([state[name] for state, _ in present]).amax(dim=0)
            continue
        parts = torch.stack([share * state[name].double() for state, share in present])
        # Sorted, so that the order of the members changes no bit of the sum.
        mixed[name] = parts.sort(dim=0).values.sum(dim=0).to(tensor.dtype)
    return mixed


def moved_statistics(classifier: Classifier, states: Sequence[State]) -> tuple[str, ...]:
    """The batch normalisations whose running statistics are not the same in all states."""
    names = []
    for name, module in classifier.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            keys = [f"{name}.{part}" for part in ("running_mean", "running_var")]
            if any(not torch.equal(state[key], states[0][key]) for state in states for key in keys):
                names.append(name)
    return tuple(names)


@dataclass
class Mixer:
    """Mixtures of `states` with the probabilities (N, C) that they give for `rows` of the store.

    Where the members' batch statistics differ, a mixture's are estimated anew on the training images, which
    are augmented as `recipe` says. Each mixture is computed once; those of one member alone are `known`.
    """

    classifier: Classifier
    states: Sequence[State]
    store: PixelStore
    rows: Rows
    training: Callable[[], TrainingData]
    recipe: Recipe
    batch_size: int
    device: torch.device
    known: dict[Shares, Floats] = field(default_factory=dict)

    def answers(self, shares: Shares) -> Floats:
        """The probabilities of a mixture on all rows, (N, C) float32."""
        if shares not in self.known:
            self.load(shares)
            self.known[shares] = predict_rows(
                self.classifier,
                self.store,
                self.rows,
                device=self.device,
                label=f"Asking mixture {len(self.known) + 1 - len(self.states)}",
            )
        return self.known[shares]

    def load(self, shares: Shares) -> None:
        """Give the classifier the weights of a mixture, with the batch statistics that belong to them."""
        self.classifier.load_state_dict(mix_states(self.states, shares))
        if self.moved and sum(share > 0 for share in shares) > 1:
            self._estimate()
        self.classifier.eval()

    @cached_property
    def moved(self) -> frozenset[str]:
        """The batch normalisations whose statistics the members do not share."""
        return frozenset(moved_statistics(self.classifier, self.states))

    def _estimate(self) -> None:
        computing = Computing(self.device, batch_size=self.batch_size)
        engine = make_engine(Training(self.classifier, self.recipe, self.training(), computing))
        still = tuple(
            module
            for name, module in self.classifier.named_modules()
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and name not in self.moved
        )
        # Dropout inside the body draws from torch's generator: what was mixed before must not matter.
        seed_step(self.recipe.seed, 0)
        estimate_statistics(replace(engine, still=still), epoch=0)

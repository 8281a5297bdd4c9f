"""Mixing weights: the mean by hand, clones to the byte, counters kept, and statistics of batches anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from family_kit import CLASSES, apart, kit_recipe, make_drawings, make_kit_split
from safetensors.torch import save
from torch import nn

from dessin.committees.soup.weights import Mixer, State, mix_states, moved_statistics
from dessin.models.classifier import Classifier, empty_classifier
from dessin.progress import quiet
from dessin.recipe import Recipe
from dessin.runs.inputs import class_numbers, read_inputs
from dessin.training.data import TrainingData


def state_of(seed: int, *, count: int = 3) -> State:
    draw = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(7, 5, generator=draw) * 10.0 ** torch.randint(-6, 4, (7, 5), generator=draw),
        "bias": torch.randn(7, generator=draw),
        "norm.num_batches_tracked": torch.tensor(count),
        "table": torch.arange(4),
    }


def bytes_of(state: State) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in state.items()})


def test_a_mixture_is_the_mean_computed_by_hand() -> None:
    states, shares = [state_of(seed) for seed in range(4)], (0.1, 0.2, 0.3, 0.4)
    mixed = mix_states(states, shares)
    for name in ("weight", "bias"):
        by_hand = np.zeros(states[0][name].shape)
        for state, share in zip(states, shares, strict=True):
            by_hand = by_hand + share * state[name].numpy().astype(np.float64)
        assert mixed[name].dtype == torch.float32
        assert np.array_equal(mixed[name].numpy(), by_hand.astype(np.float32)) or np.allclose(
            mixed[name].numpy(), by_hand, rtol=1e-7, atol=0
        )


@pytest.mark.parametrize("copies", [2, 3, 5, 7, 9])
def test_a_mixture_of_clones_is_the_clone_to_the_byte(copies: int) -> None:
    clone = state_of(1)
    mixed = mix_states([dict(clone) for _ in range(copies)], (1.0 / copies,) * copies)
    assert bytes_of(mixed) == bytes_of(clone)


def test_one_member_alone_is_itself_to_the_byte_and_a_copy() -> None:
    states = [state_of(0), state_of(1, count=99)]
    mixed = mix_states(states, (1.0, 0.0))
    assert bytes_of(mixed) == bytes_of(states[0])
    mixed["weight"].zero_()
    assert states[0]["weight"].any()


def test_shares_of_nothing_change_nothing_whatever_is_in_such_a_member() -> None:
    broken = {name: torch.full_like(tensor, 9) for name, tensor in state_of(5).items()}
    broken["weight"][:] = float("nan")
    plain = mix_states([state_of(0), state_of(1)], (0.25, 0.75))
    assert bytes_of(mix_states([state_of(0), broken, state_of(1)], (0.25, 0.0, 0.75))) == bytes_of(plain)


def test_the_order_of_members_does_not_matter() -> None:
    states, shares = [state_of(seed) for seed in range(3)], (0.2, 0.5, 0.3)
    plain = mix_states(states, shares)
    turned = mix_states([states[i] for i in (2, 0, 1)], tuple(shares[i] for i in (2, 0, 1)))
    assert bytes_of(plain) == bytes_of(turned)


def test_integers_are_kept_and_keep_their_kind() -> None:
    mixed = mix_states([state_of(0, count=10), state_of(1, count=30)], (0.5, 0.5))
    assert mixed["norm.num_batches_tracked"] == 30
    assert mixed["norm.num_batches_tracked"].dtype == torch.int64
    assert torch.equal(mixed["table"], torch.arange(4))


@dataclass(frozen=True)
class Ground:
    """Six classes of pixels, with an empty network that reads them."""

    data: TrainingData
    recipe: Recipe
    classifier: Classifier


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with apart(tmp_path_factory.mktemp("mix")) as folder, quiet():
        drawings = make_drawings(folder / "data")
        inputs = read_inputs(drawings, make_kit_split(drawings, folder / "split.csv"), None)
        recipe = kit_recipe(augment=[], finetune={"mode": "full", "batch_norm": "train"})
        store = inputs.open_store(recipe.image, "bicubic")
        parts = [inputs.split.training(0), inputs.split.validation(0)]
        arrays = [
            array
            for rows in parts
            for array in (
                store.rows([row.image_id for row in rows]),
                class_numbers(rows, inputs.split.classes),
            )
        ]
        classifier = empty_classifier("test_efficientnet", len(CLASSES), seed=0)
        yield Ground(TrainingData(store, *arrays), recipe, classifier)


def drawn(seed: int) -> State:
    return empty_classifier("test_efficientnet", len(CLASSES), seed=seed).plain_state()


def with_statistics(state: State, seed: int, only: str = "") -> State:
    """The same weights with other batch statistics, in the layers whose names begin with `only`."""
    draw, changed = torch.Generator().manual_seed(seed), dict(state)
    for name, tensor in state.items():
        if name.startswith(only) and name.endswith(("running_mean", "running_var")):
            changed[name] = tensor + torch.rand(tensor.shape, generator=draw)
    return changed


def mixer_of(ground: Ground, states: list[State]) -> Mixer:
    return Mixer(
        classifier=ground.classifier,
        states=states,
        store=ground.data.store,
        rows=ground.data.validation_rows,
        training=lambda: ground.data,
        recipe=ground.recipe,
        batch_size=len(ground.data.train_rows),
        device=torch.device("cpu"),
    )


def norms(classifier: Classifier) -> dict[str, nn.Module]:
    return {name: m for name, m in classifier.named_modules() if isinstance(m, nn.BatchNorm2d)}


def test_moved_statistics_are_named_and_no_others(ground: Ground) -> None:
    first, *others = norms(ground.classifier)
    state = drawn(0)
    assert moved_statistics(ground.classifier, [state, dict(state)]) == ()
    assert moved_statistics(ground.classifier, [state, with_statistics(state, 1, only=first)]) == (first,)
    assert set(moved_statistics(ground.classifier, [state, with_statistics(state, 1)])) == {first, *others}


def test_moved_statistics_are_estimated_anew_as_the_mean_over_the_training_images(ground: Ground) -> None:
    states = [with_statistics(drawn(0), 1), with_statistics(drawn(1), 2)]
    mixer = mixer_of(ground, states)
    mixer.load((0.5, 0.5))
    name, norm = next(iter(norms(ground.classifier).items()))
    seen: list[torch.Tensor] = []
    hook = norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        pixels = torch.from_numpy(np.asarray(ground.data.store.pixels[ground.data.train_rows]))
        ground.classifier.features(pixels)
    hook.remove()
    found = ground.classifier.state_dict()[f"{name}.running_mean"]
    assert torch.allclose(found, seen[0].mean(dim=(0, 2, 3)), atol=1e-5)
    mixed = mix_states(states, (0.5, 0.5))
    assert not torch.allclose(found, mixed[f"{name}.running_mean"], atol=1e-2)
    for key, tensor in ground.classifier.state_dict().items():
        if "running" not in key and "num_batches" not in key:
            assert torch.equal(tensor, mixed[key]), "only statistics are estimated"
    assert not ground.classifier.training


def test_a_member_alone_keeps_its_statistics_and_layers_that_agree_keep_theirs(ground: Ground) -> None:
    first, second = list(norms(ground.classifier))[:2]
    plain = drawn(0)
    states = [plain, with_statistics(plain, 1, only=first)]
    mixer = mixer_of(ground, states)
    mixer.load((0.0, 1.0))
    for name, tensor in ground.classifier.state_dict().items():
        assert torch.equal(tensor, states[1][name])
    mixer.load((0.5, 0.5))
    now = ground.classifier.state_dict()
    assert torch.equal(now[f"{second}.running_mean"], plain[f"{second}.running_mean"])
    assert not torch.equal(now[f"{first}.running_mean"], plain[f"{first}.running_mean"])


def test_answers_depend_on_the_shares_alone_not_on_what_was_mixed_before(ground: Ground) -> None:
    states = [with_statistics(drawn(0), 1), with_statistics(drawn(1), 2)]
    asked_first = mixer_of(ground, states).answers((0.5, 0.5))
    other = mixer_of(ground, states)
    for shares in ((1.0, 0.0), (0.3, 0.7), (0.0, 1.0)):
        other.answers(shares)
    assert np.array_equal(other.answers((0.5, 0.5)), asked_first)
    assert not np.array_equal(other.answers((0.3, 0.7)), asked_first)


def test_frozen_statistics_need_no_training_image(ground: Ground) -> None:
    start = {**drawn(0), "head.bias": torch.zeros(len(CLASSES))}
    mixer = mixer_of(ground, [start, {**start, "head.bias": torch.ones(len(CLASSES))}])

    def refuse() -> TrainingData:
        raise AssertionError("nothing is to be estimated")

    mixer.training = refuse
    mixer.load((0.5, 0.5))
    assert torch.equal(ground.classifier.head.bias, torch.full((len(CLASSES),), 0.5))

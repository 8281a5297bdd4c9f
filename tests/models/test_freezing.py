from __future__ import annotations

from typing import Any

import pytest
import torch

from dessin.errors import DessinError
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.freezing import Freezing, apply_finetune, layer_groups
from dessin.models.lora import LoraLinear, add_lora, lora_targets, merge_lora
from dessin.models.stages import parts_of
from dessin.models.weights import Weights

pytestmark = pytest.mark.slow

TINY = "test_resnet"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make(backbone: str = TINY, **options: Any) -> Classifier:
    return build_classifier(backbone, 3, Weights(backbone, "none", None, "", "none"), **options)


def trained(classifier: Classifier) -> set[str]:
    return {name for name, parameter in classifier.named_parameters() if parameter.requires_grad}


def after_a_step(classifier: Classifier, freezing: Freezing, size: int = 40) -> set[str]:
    """What one step of training changed, batch normalisation held as the freezing says."""
    before = classifier.plain_state()
    classifier.train()
    for module in freezing.frozen_modules:
        module.eval()
    pixels = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0)) * 255
    parameters = [p for p in classifier.parameters() if p.requires_grad]
    # A random head, so that the gradient reaches the body.
    classifier(pixels).logsumexp(dim=1).sum().backward()
    torch.optim.SGD(parameters, lr=0.1).step()
    after = classifier.plain_state()
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_only_the_chosen_stages_change_and_not_even_the_statistics_of_the_others() -> None:
    classifier = make()
    freezing = apply_finetune(classifier, mode="stages", stages=(4, 3))
    changed = after_a_step(classifier, freezing)
    assert {name.split(".")[1] for name in changed if name.startswith("body.")} == {"layer3", "layer4"}
    assert any("running_mean" in name for name in changed)
    assert {"head.weight", "head.bias"} <= changed
    assert freezing.trained == sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    assert freezing.total == sum(p.numel() for p in classifier.parameters())
    assert "stage 3 (layer3.0); stage 4 (layer4.0); the head" in freezing.decision.line()


def test_full_trains_everything_and_the_probe_the_head_alone() -> None:
    classifier = make()
    full = apply_finetune(classifier, mode="full")
    assert (full.trained, full.frozen_modules) == (full.total, ())
    assert apply_finetune(classifier, mode="probe_then_full").trained == full.total
    probe = apply_finetune(classifier, mode="probe")
    assert trained(classifier) == {"head.weight", "head.bias"}
    assert after_a_step(classifier, probe) == {"head.weight", "head.bias"}


def test_the_last_blocks_are_trained_with_what_follows_them() -> None:
    classifier = make("test_vit", image_size=32)
    apply_finetune(classifier, mode="last_blocks", last_blocks=2)
    tops = {".".join(name.split(".")[1:3]) for name in trained(classifier) if name.startswith("body.")}
    assert tops == {"blocks.4", "blocks.5", "norm.weight", "norm.bias"}
    with pytest.raises(DessinError, match=r"has 6 blocks\. It is from 1 to 6"):
        apply_finetune(classifier, mode="last_blocks", last_blocks=7)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(DessinError, match='Did you mean "stages"'):
        apply_finetune(make(), mode="stage")


@pytest.mark.parametrize("backbone", [TINY, "test_vit", "test_efficientnet"])
def test_each_block_learns_slower_than_the_next(backbone: str) -> None:
    classifier = make(backbone)
    groups = layer_groups(classifier, 0.5)
    scales = {name: group.lr_scale for group in groups for name in group.names}
    assert sorted(scales) == sorted(name for name, _ in classifier.named_parameters())
    assert scales["head.weight"] == scales["head.bias"] == 1.0
    parts = parts_of(classifier.body)
    blocks = max(part.block for part in parts)
    for part in parts:
        for name in part.parameters:
            assert scales[f"body.{name}"] == 0.5 ** (blocks + 1 - part.block)
    assert min(scales.values()) == 0.5 ** (blocks + 1)
    in_order = [group.lr_scale for group in groups]
    assert in_order == sorted(in_order, reverse=True)


def test_weight_decay_spares_biases_norms_and_position_tables() -> None:
    groups = layer_groups(make("test_vit", image_size=32), 1.0)
    assert [(group.lr_scale, group.decays) for group in groups] == [(1.0, True), (1.0, False)]
    assert all(parameter.ndim >= 2 for parameter in groups[0].parameters)
    assert "body.pos_embed" in groups[1].names
    assert "body.blocks.0.norm1.weight" in groups[1].names


def test_what_is_frozen_is_in_no_group() -> None:
    classifier = make()
    apply_finetune(classifier, mode="stages", stages=(4,))
    names = {name for group in layer_groups(classifier, 0.9) for name in group.names}
    assert names == trained(classifier)


@pytest.mark.parametrize("backbone", ["test_vit", "test_convnext"])
def test_lora_begins_as_nothing_and_merges_exactly(backbone: str) -> None:
    classifier = make(backbone).eval()
    names = list(classifier.state_dict())
    pixels = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1)) * 255
    with torch.inference_mode():
        before = classifier(pixels)
    freezing = apply_finetune(classifier, mode="lora", lora_rank=4, seed=3)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(pixels), before, atol=1e-6, rtol=1e-5)
    changed = after_a_step(classifier, freezing, size=160)
    assert all(name.endswith(("lora_a", "lora_b")) or name.startswith("head.") for name in changed)
    # B moves first: while it is 0, A has no gradient.
    assert sum(name.endswith("lora_b") for name in changed) == len(lora_targets(make(backbone).body))
    assert freezing.trained == sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    classifier.eval()
    with torch.inference_mode():
        adapted = classifier(pixels)
        assert not torch.allclose(adapted, before, atol=1e-4)
        merge_lora(classifier)
        torch.testing.assert_close(classifier(pixels), adapted, atol=1e-5, rtol=1e-5)
    assert list(classifier.state_dict()) == names
    assert not any(isinstance(module, LoraLinear) for module in classifier.modules())


def test_lora_acts_where_a_model_reads_a_weight_without_calling_its_layer() -> None:
    classifier = make("eva02_tiny_patch14_224", image_size=56).eval()
    add_lora(classifier, 2)
    pixels = torch.rand(1, 3, 56, 56) * 255
    layer = classifier.body.get_submodule("blocks.0.attn.qkv")
    assert isinstance(layer, LoraLinear)
    with torch.no_grad():
        before = classifier(pixels)
        layer.lora_b.normal_()
        adapted = classifier(pixels)
        assert not torch.allclose(adapted, before, atol=1e-4)
        merge_lora(classifier)
        torch.testing.assert_close(classifier(pixels), adapted, atol=1e-5, rtol=1e-4)


def test_lora_is_a_function_of_its_seed() -> None:
    states = []
    for seed in (0, 0, 1):
        classifier = make("test_vit", image_size=32)
        add_lora(classifier, 2, seed=seed)
        states.append(classifier.plain_state())
    name = "body.blocks.0.attn.qkv.lora_a"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_lora_needs_layers_and_a_low_rank() -> None:
    with pytest.raises(DessinError, match="no linear layers"):
        apply_finetune(make(), mode="lora", lora_rank=4)
    with pytest.raises(DessinError, match="at most 64"):
        apply_finetune(make("test_vit", image_size=32), mode="lora", lora_rank=65)

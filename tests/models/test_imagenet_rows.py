from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dessin.errors import DessinError
from dessin.models.imagenet_rows import imagenet_rows
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import Weights, load_state, resolve_weights

LITE = "tf_efficientnet_lite0"


def test_rows_come_from_the_head_of_the_file_by_id_by_name_and_by_label() -> None:
    weights = resolve_weights(LITE)
    state = load_state(weights)
    classes = ("n02123045", "hot_dog", "gizmo", "k4")
    names = {"n02123045": "tabby", "hot_dog": "hot dog", "gizmo": "gizmo", "k4": "Teapot"}
    weight, bias, matched = imagenet_rows(weights, classes, names)
    assert matched.tolist() == [True, True, False, True]
    # ImageNet's numbers of tabby, hotdog and teapot.
    for place, row in ((0, 281), (1, 934), (3, 849)):
        assert torch.equal(weight[place], state["classifier.weight"][row])
        assert torch.equal(bias[place], state["classifier.bias"][row])
    torch.testing.assert_close(weight[2], state["classifier.weight"].mean(dim=0))


def test_a_name_of_two_classes_is_nobody_s() -> None:
    # The bird and the machine.
    _, _, matched = imagenet_rows(resolve_weights(LITE), ("crane", "n02012849"), {})
    assert matched.tolist() == [False, True]


def test_no_match_is_an_error() -> None:
    with pytest.raises(DessinError, match=r"None of the 2 classes \(gizmo, wug, ...\)"):
        imagenet_rows(resolve_weights(LITE), ("gizmo", "wug"), {})


def test_weights_without_imagenet_s_head_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="hold no linear head"):
        imagenet_rows(Weights("test_resnet", "none", None, "", "none"), ("teapot",), {})
    path = tmp_path / "w.safetensors"
    save_file(import_timm().create_model("test_resnet", num_classes=7).state_dict(), path)
    with pytest.raises(DessinError, match="has 7 classes"):
        imagenet_rows(resolve_weights("test_resnet", str(path)), ("teapot",), {})

"""Maps of networks that learned one cue: they find it, by every method, wherever it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from explain_kit import CUE, SIZE, class_maps, cue_drawings, noise, places, trained, untrained
from numpy.typing import NDArray
from torch import Tensor

from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.trust.explain.maps import METHODS, occlusion_drops, papers, scaled
from dessin.trust.explain.pictures import overlay, side_by_side
from dessin.trust.explain.verb import explain

pytestmark = pytest.mark.slow

COUNT = 24
# A convolutional network and a transformer that reads a class token, with the steps that each needs.
LEARNERS = {"test_convnext": (40, 3e-3), "test_vit": (60, 2e-3)}
Cues = tuple[Tensor, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="module", params=LEARNERS)
def learned(request: pytest.FixtureRequest) -> Classifier:
    steps, rate = LEARNERS[request.param]
    return trained(request.param, steps=steps, rate=rate)


@pytest.fixture(scope="module")
def cues() -> Cues:
    labels, rows, columns = places(COUNT, 9999)
    return cue_drawings(labels, rows, columns, seed=77), labels, rows, columns


@pytest.mark.parametrize("method", METHODS)
def test_maps_find_the_only_cue_and_move_with_it(learned: Classifier, cues: Cues, method: str) -> None:
    pixels, labels, rows, columns = cues
    maps = class_maps(learned, pixels, labels, method=method)
    assert (maps.logits.argmax(axis=1) == labels).mean() == 1.0
    values = maps.values
    mass = [
        values[n, rows[n] * CUE : (rows[n] + 1) * CUE, columns[n] * CUE : (columns[n] + 1) * CUE].sum()
        / values[n].sum()
        for n in range(COUNT)
    ]
    # The cue has a sixteenth of the square.
    assert np.mean(mass) > 0.4
    middle = np.arange(SIZE)
    down = (values.sum(axis=2) @ middle) / values.sum(axis=(1, 2))
    across = (values.sum(axis=1) @ middle) / values.sum(axis=(1, 2))
    assert np.corrcoef(down, rows)[0, 1] > 0.7
    assert np.corrcoef(across, columns)[0, 1] > 0.7


def test_a_cue_in_one_corner_has_the_mass_in_that_corner(learned: Classifier) -> None:
    labels = np.arange(8) % 2
    top, right = np.zeros(8, dtype=np.int64), np.full(8, 3)
    values = class_maps(learned, cue_drawings(labels, top, right, seed=5), labels).values
    half = SIZE // 2
    assert (values[:, :half, half:].sum(axis=(1, 2)) / values.sum(axis=(1, 2))).min() > 0.7


def test_a_drawing_s_map_is_its_own_in_any_batch_and_order(learned: Classifier, cues: Cues) -> None:
    pixels, labels = cues[0][:6], cues[1][:6]
    together = class_maps(learned, pixels, labels).cells
    order = [4, 1, 5, 0, 3, 2]
    np.testing.assert_allclose(
        class_maps(learned, pixels[order], labels[order]).cells, together[order], atol=1e-4
    )
    alone = class_maps(learned, pixels[2:3], labels[2:3]).cells
    np.testing.assert_allclose(alone[0], together[2], atol=1e-4)


def test_the_other_class_has_another_map(learned: Classifier, cues: Cues) -> None:
    pixels, labels = cues[0][:8], cues[1][:8]
    own, other = (class_maps(learned, pixels, chosen).cells for chosen in (labels, 1 - labels))
    assert np.abs(own - other).max(axis=(1, 2)).min() > 0.1


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet"])
def test_hirescam_is_gradcam_where_a_mean_and_one_layer_follow(backbone: str) -> None:
    """Draelos and Carin 2020: the gradient is then the same at every place."""
    classifier, pixels = untrained(backbone, SIZE), noise(SIZE)
    for label in range(3):
        first, second = (
            class_maps(classifier, pixels, [label] * 2, method=method).cells
            for method in ("gradcam", "hirescam")
        )
        np.testing.assert_allclose(first, second, atol=1e-4)


def test_hirescam_is_not_gradcam_where_attention_follows() -> None:
    classifier, pixels = untrained("test_vit", 64), noise(64)
    first, second = (
        class_maps(classifier, pixels, [0, 1], method=method).cells for method in ("gradcam", "hirescam")
    )
    assert np.abs(first - second).max() > 0.05


def test_covering_paper_with_paper_costs_nothing_whatever_its_colour() -> None:
    classifier = untrained("test_efficientnet", 64)
    pixels = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    pixels[0] += torch.tensor([200, 180, 90], dtype=torch.uint8)[:, None, None]
    pixels[1, :, 20:24, 40:60] = 255
    assert papers(pixels).tolist() == [[200, 180, 90], [0, 0, 0]]
    drops = occlusion_drops(classifier, pixels, torch.tensor([0, 1]))
    assert np.abs(drops[0]).max() < 1e-5
    drawn = drops[1] != 0
    # Chalk in rows 20..23 and columns 40..59 lies in the cells 2 and 4..6 of seven.
    assert set(zip(*np.nonzero(drawn), strict=True)) <= {(2, 4), (2, 5), (2, 6)}
    assert drawn.any()
    assert scaled(drops[:1]).max() <= 1.0


def test_an_unknown_method_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="gradcm") as refused:
        explain(tmp_path / "run", out=tmp_path / "out", methods=["gradcm"])
    assert "gradcam" in str(refused.value)


def test_maps_without_anything_for_the_class_stay_empty() -> None:
    cells = np.array([[[-1.0, -2.0]], [[0.5, -1.0]]], dtype=np.float32)
    assert scaled(cells).tolist() == [[[0.0, 0.0]], [[1.0, 0.0]]]


def test_an_overlay_shows_the_drawing_where_the_map_is_empty_and_glows_where_it_is_full() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    values = np.zeros((40, 56), dtype=np.float32)
    assert np.array_equal(overlay(pixels, values), pixels)
    values[:, 28:] = 1.0
    mixed = overlay(pixels, values).astype(int)
    assert np.array_equal(mixed[:, :28], pixels[:, :28])
    # Lines stay to be seen: what was darker is darker still.
    darker = pixels[:, 28:, 0] < pixels[::-1, 28:, 0]
    assert (mixed[:, 28:, 0] <= mixed[::-1, 28:, 0])[darker].all()
    white = overlay(np.full((8, 8, 3), 255, np.uint8), np.ones((2, 2), np.float32))
    assert white[0, 0, 0] > white[0, 0, 1] + 50


def test_pictures_stand_side_by_side() -> None:
    black, white = (np.full((4, 5, 3), level, dtype=np.uint8) for level in (0, 255))
    row = side_by_side([black, white, black], gap=2)
    assert row.shape == (4, 19, 3)
    assert row[0, :, 0].tolist() == [0] * 5 + [255] * 9 + [0] * 5

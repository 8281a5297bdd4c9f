from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights
from dessin.training.features import extract_features
from dessin.training.views import VIEWS

TINY = "test_resnet"
ROWS = np.arange(10)


@dataclass(frozen=True)
class Pages:
    """A pixel store in memory."""

    pixels: NDArray[np.uint8]
    background: NDArray[np.uint8]
    digest: str = "pages"


@pytest.fixture(autouse=True)
def in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on every processor, unless a test says so."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)


@pytest.fixture
def model() -> Classifier:
    return build_classifier(TINY, 2, Weights(TINY, "none", None, "", "none"))


@pytest.fixture
def store() -> Pages:
    pixels = np.full((10, 3, 32, 32), 230, dtype=np.uint8)
    random = np.random.default_rng(0)
    for page, (y, x) in zip(pixels, random.integers(8, 20, (10, 2)), strict=True):
        page[:, y : y + 9, x : x + 2] = 10
    return Pages(pixels, np.full((10, 3), 230, dtype=np.uint8))


def test_features_are_those_of_the_classifier_in_the_order_asked(model: Classifier, store: Pages) -> None:
    model.train()
    rows = np.array([7, 2, 2, 9])
    found = extract_features(model, ("",), store, rows, ["identity"], batch_size=4)
    assert model.training, "the mode is given back"
    with torch.inference_mode():
        expected = model.eval().features(torch.from_numpy(store.pixels[rows])).numpy()
    assert found.shape == (1, 4, model.head.in_features)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)


def test_the_second_call_reads_and_does_not_compute(
    model: Classifier, store: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract_features(model, ("",), store, ROWS, ["identity", "hflip"])
    monkeypatch.setattr(model, "features", lambda _: pytest.fail("computed again"))
    again = extract_features(model, ("",), store, ROWS[::-1].copy(), ["hflip", "identity"])
    assert np.array_equal(again, first[::-1, ::-1])


@pytest.mark.parametrize("what", ["weights", "digest", "store", "normalisation"])
def test_whatever_defines_the_features_is_in_the_key(what: str, model: Classifier, store: Pages) -> None:
    digest = "a"
    if what == "weights":
        digest = ""
    first = extract_features(model, (digest,), store, ROWS)
    if what == "weights":
        with torch.no_grad():
            next(model.body.parameters()).mul_(1.5)
    elif what == "digest":
        digest = "b"
        model = build_classifier(TINY, 2, Weights(TINY, "none", None, "", "none"), seed=1)
    elif what == "store":
        store = Pages(store.pixels // 2, store.background // 2, "darker pages")
    else:
        model.mean += 10
    assert not np.allclose(first, extract_features(model, (digest,), store, ROWS))


def test_features_of_several_layers_are_kept_apart(model: Classifier, store: Pages) -> None:
    several = build_classifier(TINY, 2, Weights(TINY, "none", None, "", "none"), features="several")
    first, joined = (extract_features(one, ("a",), store, ROWS) for one in (model, several))
    assert joined.shape[2] == several.width
    np.testing.assert_allclose(joined[..., : model.width], first, rtol=1e-4, atol=1e-5)
    assert np.array_equal(extract_features(model, ("a",), store, ROWS), first)


def test_a_processor_that_multiplies_bfloat16_is_used(
    model: Classifier, store: Pages, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = extract_features(model, ("a",), store, ROWS)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    # These pages hardly differ, so that the error is large beside it.
    monkeypatch.setattr("dessin.training.features.deviation", lambda *_: 0.05)
    fast = extract_features(model, ("a",), store, ROWS)
    assert fast.dtype == np.float32
    assert not np.array_equal(fast, exact)
    assert np.linalg.norm(fast - exact) < 0.03 * np.linalg.norm(exact)
    assert np.array_equal(extract_features(model, ("a",), store, ROWS, precision="float32"), exact)
    assert len(list(own_cache.rglob("identity.npy"))) == 2, "each precision has its own file"


def test_bfloat16_that_is_too_far_off_is_not_used_and_that_is_said(
    model: Classifier, store: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = extract_features(model, ("a",), store, ROWS)
    said: list[str] = []
    monkeypatch.setattr("dessin.training.features.warn", said.append)
    monkeypatch.setattr("dessin.training.features.deviation", lambda *_: float("nan"))
    assert np.array_equal(extract_features(model, ("a",), store, ROWS, precision="bfloat16"), exact)
    assert len(said) == 1
    assert "computed in float32" in said[0]


def test_a_mirrored_store_looks_mirrored(model: Classifier, store: Pages) -> None:
    mirrored = replace(store, pixels=np.ascontiguousarray(store.pixels[..., ::-1]), digest="mirrored")
    plain = extract_features(model, ("",), store, ROWS, ["identity", "hflip"])
    turned = extract_features(model, ("",), mirrored, ROWS, ["hflip", "identity"])
    np.testing.assert_allclose(plain, turned, rtol=1e-4, atol=1e-5)
    assert not np.allclose(plain[0], plain[1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_views_bring_in_nothing_but_background(view: str, channels: int) -> None:
    blank = torch.full((2, channels, 24, 24), 77, dtype=torch.uint8)
    background = torch.full((2, channels), 77, dtype=torch.uint8)
    seen = VIEWS[view](blank, background).float()
    torch.testing.assert_close(seen, blank.float())


def test_views_move_as_their_names_say(store: Pages) -> None:
    dark = torch.full((1, 1, 64, 64), 255, dtype=torch.uint8)
    dark[:, :, 24:40, 24:40] = 0
    white = torch.full((1, 1), 255, dtype=torch.uint8)

    def ink(view: str) -> float:
        return float((255 - VIEWS[view](dark, white).float()).sum() / 255)

    assert ink("smaller") == pytest.approx(0.85**2 * ink("identity"), rel=0.05)
    assert ink("larger") == pytest.approx(1.15**2 * ink("identity"), rel=0.05)
    assert ink("rotate_left") == pytest.approx(ink("identity"), rel=0.02)
    right_of_centre = torch.full((1, 1, 64, 64), 255, dtype=torch.uint8)
    right_of_centre[:, :, 30:34, 50:60] = 0
    turned = 255 - VIEWS["rotate_left"](right_of_centre, white)
    height = (turned.sum(dim=3)[0, 0] * torch.arange(64)).sum() / turned.sum()
    assert height < 29, "left is counter-clockwise: what was on the right has gone up"


def test_a_damaged_cache_is_made_anew(model: Classifier, store: Pages, own_cache: Path) -> None:
    first = extract_features(model, ("",), store, ROWS)
    (path,) = own_cache.rglob("identity.npy")
    for damaged in (path.read_bytes()[:100], b"", b"nonsense"):
        path.write_bytes(damaged)
        assert np.array_equal(extract_features(model, ("",), store, ROWS), first)


def test_a_failure_leaves_nothing_behind(
    model: Classifier, store: Pages, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.features
    calls: list[int] = []

    def fails_later(pixels: torch.Tensor) -> torch.Tensor:
        calls.append(len(pixels))
        if len(calls) == 4:  # two for the check of the folding, and one batch
            raise MemoryError
        return whole(pixels)

    monkeypatch.setattr(model, "features", fails_later)
    with pytest.raises(MemoryError):
        extract_features(model, ("",), store, ROWS, batch_size=4)
    assert [path.name for path in own_cache.rglob("*") if path.is_file()] == ["identity.lock"]


def test_an_unknown_view_names_the_nearest(model: Classifier, store: Pages) -> None:
    with pytest.raises(DessinError, match='Did you mean "hflip"'):
        extract_features(model, ("",), store, ROWS, ["hflop"])

"""A map made at work is that of `explain`, for any class, and leaves the answers as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from explain_kit import class_maps

from dessin.errors import DessinError
from dessin.images.decode import decode
from dessin.images.fit import prepare_for
from dessin.models.bundle import load_bundle
from dessin.serving.maps import MapMaker
from dessin.serving.runtime import Runtime


def test_it_is_the_map_of_the_likeliest_class(bundle: Path, drawings: dict[str, list[bytes]]) -> None:
    runtime = Runtime.load(bundle)
    pixels = decode(drawings["cat"][0]).pixels
    prepared = prepare_for(pixels, runtime.fittings)
    before = runtime.answer([prepared]).probabilities
    made = MapMaker(runtime).make(pixels)
    best = int(before[0].argmax())
    assert made.label == runtime.committee.classes[best]
    one = torch.from_numpy(prepared.squares[runtime.fittings[0]][None])
    expected = class_maps(load_bundle(bundle).classifier, one, [best]).values[0]
    np.testing.assert_allclose(made.values, expected, atol=1e-2)
    assert made.picture.shape == made.overlay.shape == (32, 32, 3)
    np.testing.assert_array_equal(runtime.answer([prepared]).probabilities, before)


def test_another_class_has_another_map_and_an_unknown_one_is_refused(
    bundle: Path, drawings: dict[str, list[bytes]]
) -> None:
    maker = MapMaker(Runtime.load(bundle))
    pixels = decode(drawings["star"][1]).pixels
    star, house = (maker.make(pixels, label) for label in ("star", "house"))
    assert (star.label, house.label) == ("star", "house")
    assert not np.array_equal(star.values, house.values)
    with pytest.raises(DessinError, match="house"):
        maker.make(pixels, "hose")

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dessin.page.blocks import Dots
from dessin.page.dots import Dot, dot_plot
from dessin.page.html import piece
from dessin.page.pictures import figure_data_uri, image_data_uri, new_figure


def test_a_block_by_itself_is_escaped() -> None:
    plot = dot_plot([Dot('<b>"&', "words", "label", 0.5, 0.4, 0.6)])
    assert "&lt;b&gt;&#34;&amp;" in piece(Dots(plot))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_an_image_comes_back_from_its_address(kind):
    pixels = np.full((8, 12, 3), 255, dtype=np.uint8)
    pixels[2:6, 3:9] = 0
    uri = image_data_uri(pixels, kind=kind, quality=95)
    head, _, data = uri.partition(",")
    assert head == f"data:image/{kind};base64"
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert np.abs(back.astype(int) - pixels).max() <= (0 if kind == "png" else 60)


def draw() -> str:
    figure, axes = new_figure()
    axes.plot([1, 2, 3], [3, 1, 2])
    axes.set_xlabel("a <label>")
    return figure_data_uri(figure)


def test_a_figure_is_an_svg_and_always_the_same():
    head, _, data = draw().partition(",")
    assert head == "data:image/svg+xml;base64"
    svg = base64.b64decode(data).decode()
    assert "a &lt;label&gt;" in svg
    assert "system-ui" in svg
    assert draw() == f"{head},{data}"

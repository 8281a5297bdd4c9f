"""What a transparent picture is laid on: white, or black where nothing would be seen on white."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dessin.collection.measure import measure
from dessin.images import ground
from dessin.images.decode import decode

Colour = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def png(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def drawing(
    ink: Colour, *, behind: tuple[int, int, int, int] = (0, 0, 0, 0), faint: int = 255
) -> Image.Image:
    image = Image.new("RGBA", (96, 64), behind)
    pencil = ImageDraw.Draw(image)
    pencil.ellipse((20, 10, 70, 50), outline=(*ink, faint), width=3)
    pencil.line((25, 15, 60, 45), fill=(*ink, faint), width=2)
    return image


def on(colour: Colour, image: Image.Image) -> np.ndarray:
    paper = Image.new("RGB", image.size, colour)
    paper.paste(image, mask=image.getchannel("A"))
    return np.asarray(paper)


@pytest.mark.parametrize("ink", [BLACK, (200, 0, 0), (255, 255, 0), (200, 200, 200), (90, 120, 250)])
def test_what_shows_on_white_lies_on_white(ink: Colour) -> None:
    decoded = decode(png(drawing(ink)))
    assert decoded.ground == "white"
    assert (decoded.pixels == on(WHITE, drawing(ink))).all()


@pytest.mark.parametrize("ink", [WHITE, (240, 240, 240), (255, 250, 230)])
@pytest.mark.parametrize("hidden", [BLACK, WHITE, (255, 0, 0)])
def test_white_ink_lies_on_black_whatever_colour_is_hidden(ink: Colour, hidden: Colour) -> None:
    image = drawing(ink, behind=(*hidden, 0))
    decoded = decode(png(image))
    assert decoded.ground == "black"
    assert (decoded.pixels == on(BLACK, image)).all()
    assert measure(png(image)).measurement.ground == "black"
    assert not measure(png(image)).measurement.blank


def test_every_kind_of_transparency_is_seen() -> None:
    image = drawing(WHITE)
    gray = image.convert("LA")
    palette = Image.new("P", image.size, 0)
    palette.putpalette([0, 0, 0, 255, 255, 255])
    palette.paste(1, mask=image.getchannel("A"))
    webp = BytesIO()
    image.save(webp, "WEBP", lossless=True)
    for data in (png(gray), png(palette, transparency=0), webp.getvalue()):
        assert decode(data).ground == "black"
        assert (decode(data).pixels == on(BLACK, image)).all()


def test_white_paper_with_transparent_corners_stays_white() -> None:
    sheet = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(sheet).rounded_rectangle((0, 0, 79, 79), 12, fill=(255, 255, 255, 255))
    assert decode(png(sheet)).ground == "white"
    ImageDraw.Draw(sheet).line((20, 20, 60, 60), fill=(0, 0, 0, 255), width=2)
    assert (decode(png(sheet)).pixels == on(WHITE, sheet)).all()


def test_a_sticker_keeps_its_dark_outline() -> None:
    """Mostly white, on a transparent ground: the dark lines are what is drawn."""
    sticker = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(sticker).ellipse(
        (10, 10, 70, 70), fill=(255, 255, 255, 255), outline=(0, 0, 0, 255), width=2
    )
    assert decode(png(sticker)).ground == "white"


def test_nothing_drawn_and_nothing_transparent() -> None:
    empty = decode(png(Image.new("RGBA", (9, 9), (255, 255, 255, 0))))
    assert empty.ground == "white"
    assert (empty.pixels == 255).all()
    assert decode(png(drawing(WHITE).convert("RGB"))).ground is None


def test_strip_by_strip_is_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "_STRIP_PIXELS", 700)
    for ink, colour in ((WHITE, BLACK), (BLACK, WHITE)):
        assert (decode(png(drawing(ink))).pixels == on(colour, drawing(ink))).all()
    deep = np.arange(96 * 64, dtype=np.uint16).reshape(64, 96) * 10
    expected = (deep.astype(np.uint32) * 255 + 32767) // 65535
    assert (decode(png(Image.fromarray(deep))).pixels == expected[..., None]).all()

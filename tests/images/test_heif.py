"""HEIC and AVIF: as phones write them, their turns, their sizes, and what contradicts itself."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fuzz_kit import cases, rng
from pictures_by_hand import encoded, picture
from PIL import Image

from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.containers import heif
from dessin.images.containers.base import ContainerError
from dessin.images.containers.read import read_container
from dessin.images.decode import Unreadable, decode, read_header

KINDS = ("HEIF", "AVIF")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "HEIF":
        reason = "pillow-heif is missing, so HEIC was NOT tried (pip install pillow-heif)"
        pytest.importorskip("pillow_heif", reason=reason).register_heif_opener()
    elif not heif.can_read_avif():
        pytest.skip("This Pillow has no AVIF, so AVIF was NOT tried.")
    return str(request.param)


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(picture(), kind, exif=exif.tobytes(), quality=95)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_comes_back_nearly_and_turned_as_the_phone_was(kind: str, orientation: int) -> None:
    data = turned(kind, orientation)
    decoded, expected = decode(data), _png(orientation)
    assert (decoded.format, decoded.mode) == (kind, "RGB")
    assert decoded.pixels.shape == expected.shape
    assert np.abs(decoded.pixels.astype(int) - expected).mean() < 6
    header = read_header(data)
    assert (header.width, header.height) == (decoded.width, decoded.height)


def _png(orientation: int) -> np.ndarray:
    exif = Image.Exif()
    exif[274] = orientation
    return decode(encoded(picture(), "PNG", exif=exif)).pixels


def test_gray_and_what_is_transparent(kind: str) -> None:
    for mode in ("L", "RGBA"):
        decoded = decode(encoded(picture(mode), kind, quality=100))
        assert decoded.mode == mode
        assert decoded.ground == (None if mode == "L" else "white")
        assert np.abs(decoded.pixels.astype(int) - decode(encoded(picture(mode), "PNG")).pixels).mean() < 4


def test_metadata_are_not_handed_on(kind: str) -> None:
    body = read_container(encoded(picture(), kind, xmp=b"<x:xmpmeta>secret</x:xmpmeta>")).body
    assert b"mime" not in body
    assert not Image.open(BytesIO(body), formats=(kind,)).info.get("xmp")


def test_a_size_is_checked_before_a_decoder_sees_it(kind: str) -> None:
    data = encoded(picture(width=128, height=64), kind)
    size = struct.pack(">II", 128, 64)
    assert size in data
    for wrong, word in (
        ((64, 64), "contradicts|limit|corrupt"),
        ((60_000, 60_000), "too large a HEIC or AVIF"),
    ):
        with pytest.raises(Unreadable, match=word):
            decode(data.replace(size, struct.pack(">II", *wrong)))


def test_coded_data_larger_than_they_say_are_not_decoded() -> None:
    if not heif.can_read_avif():
        pytest.skip("This Pillow has no AVIF, so AVIF was NOT tried.")
    data = encoded(picture(width=256, height=128), "AVIF")
    small = data.replace(struct.pack(">II", 256, 128), struct.pack(">II", 64, 32))
    with pytest.raises(ContainerError, match="contradicts itself"):
        read_container(small)


def test_films_and_unknown_kinds_are_named() -> None:
    def file(*brands: bytes) -> bytes:
        payload = brands[0] + bytes(4) + b"".join(brands[1:])
        return struct.pack(">I4s", 8 + len(payload), b"ftyp") + payload

    for data, word in (
        (file(b"isom", b"mp41"), "a film or sound"),
        (file(b"avis", b"avif"), "an animated HEIF"),
        (file(b"heic", b"mif1"), "without its boxes"),
        (file(b"heic")[:10], "truncated"),
        (file(b"heic") + struct.pack(">I4s", 99, b"meta"), "truncated"),
        (file(b"heic") + struct.pack(">I4s", 8, b"free") * 70_000, "more than 65,536 HEIF boxes"),
    ):
        with pytest.raises(ContainerError, match=word):
            read_container(data)


def test_any_cut_and_any_mutation_is_decoded_or_unreadable(kind: str) -> None:
    random = rng(kind)
    whole, seen = encoded(picture(), kind), 0
    for _ in range(cases(120)):
        data = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(len(data))] = random.randrange(256)
        for tried in (bytes(data), bytes(data[: random.randrange(len(data))])):
            try:
                decode(tried)
            except Unreadable:
                seen += 1
    assert seen


def test_without_the_extra_the_words_help(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind != "HEIF":
        pytest.skip("Pillow's own.")
    for name in ("cat/1.heic", "cat/2.HEIC", "dog/1.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(picture(), kind))
    assert len(read_collection(tmp_path).items) == 3
    monkeypatch.setattr(heif, "can_read_heic", lambda: False)
    monkeypatch.setattr("dessin.collection.readers.detect.can_read_heic", lambda: False)
    with pytest.raises(Unreadable, match=r"install dessin\[heic\], or let the phone save JPEG"):
        decode((tmp_path / "cat/1.heic").read_bytes())
    with pytest.raises(DessinError, match=r"All images .* are HEIC photographs.*pip install.*heic"):
        read_collection(tmp_path)
    (tmp_path / "dog/2.png").write_bytes(encoded(picture(), "PNG"))
    assert any(
        "3 HEIC photographs cannot be read without" in note for note in read_collection(tmp_path).notes
    )

"""Pictures of every mode, encoded by Pillow."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image


def encoded(image: Image.Image, file_format: str = "TIFF", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", width: int = 24, height: int = 16) -> Image.Image:
    """Smooth and without a symmetry."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [columns * 255 // width, rows * 255 // height, (rows + columns) * 255 // (width + height)]
    image = Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))
    if mode == "1":
        return image.convert("L").point(lambda level: 255 * (level > 127)).convert("1")
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(
            Image.fromarray((np.arange(width * height) % 256).astype(np.uint8).reshape(height, width))
        )
        return image
    return image.quantize(8) if mode == "P" else image.convert(mode)

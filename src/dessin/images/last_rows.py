"""Whether a JPEG that was cut off holds all its rows of pixels: without an end mark, or with one."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from dessin.images.containers.jpeg import EXTRA_UNITS, with_extra_rows
from dessin.images.ground import Pixels, on_a_ground

_MID_GRAY = 128
_OTHER_BITS = bytes(range(200))  # the first, 0, makes no marker of a last 0xFF


def holds_all_rows(body: bytes) -> bool:
    """Decode a JPEG, its end mark put back, as if it had more rows, and see where the data run out.

    Where bits are missing in a unit (8x8 pixels, or some of them), libjpeg makes them up, and leaves all
    units after it without a coefficient: mid-gray. So the picture is whole if this unit is the first behind
    it: the first is not gray, and all others are. A picture that itself ends in mid-gray may be taken for a
    cut one, never the other way round. Kinds of JPEG for which this cannot be told (progressive, or with
    several scans) count as cut.
    """
    longer = with_extra_rows(body)
    if longer is None:
        return False
    data, frame = longer
    height, width = frame.unit
    first = -(-frame.height // height) * height
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        extra = np.asarray(image.crop((0, first, image.width, first + EXTRA_UNITS * height)))
    gray = extra[-1, -1]
    # Colour stored at half size is smoothed with its neighbours: upper halves and the next unit are left out.
    units = extra.reshape(EXTRA_UNITS, height, *extra.shape[1:])[:, height // 2 :]
    ran_out_here = bool((units[0, :, :width] != gray).any())
    nothing_after = bool((units[0, :, 2 * width :] == gray).all() and (units[1:] == gray).all())
    return ran_out_here and nothing_after


def end_is_made_up(body: bytes, pixels: Pixels) -> bool:
    """Whether rows are missing before the end mark of a JPEG of one scan that gave `pixels` (H, W, 3) uint8.

    Then libjpeg ends the picture in mid-gray, and other bits before the mark change it; behind whole data
    they are passed over. A whole picture is never taken for a cut one; one that lacks a unit or less, or is
    cut at a restart marker, may be taken for whole.
    """
    if (pixels[-1, -1] != _MID_GRAY).any() or with_extra_rows(body) is None:
        return False
    with Image.open(BytesIO(body[:-2] + _OTHER_BITS + body[-2:]), formats=("JPEG",)) as image:
        image.load()
        other, _ = on_a_ground(image)
    return cv2.norm(other, pixels, cv2.NORM_INF) > 0

"""Small pictures of a collection's drawings, decoded as safely as everywhere, and remembered."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import streamlit as st

from dessin.errors import DessinError
from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.page.pictures import image_data_uri
from dessin.serving.studio.views.drawings import file_stamp

_SIDE = 160


def thumbnail(root: Path, image_id: str) -> str:
    """The drawing as a `data:` address of at most 160 px; empty where it cannot be read."""
    try:
        path = image_path(root, image_id)
        return _thumbnail(str(path), file_stamp(path))
    except DessinError:
        return ""


@st.cache_data(max_entries=4000, show_spinner=False)
def _thumbnail(path: str, stamp: str) -> str:  # noqa: ARG001 (a changed file is another picture)
    pixels = decode(read_image_bytes(Path(path))).pixels
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return image_data_uri(np.asarray(small, dtype=np.uint8), kind="webp", quality=70)

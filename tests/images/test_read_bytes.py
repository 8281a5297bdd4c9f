"""Reading files that may be missing, forbidden, endless or no files at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dessin.images.decode import Unreadable, read_image_bytes


def test_reading_bytes_only_from_regular_files_of_a_fair_size(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"12345")
    assert read_image_bytes(tmp_path / "image.png", max_bytes=5) == b"12345"
    os.mkfifo(tmp_path / "pipe.png")
    for path, word in [
        (tmp_path / "image.png", "larger than"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "directory|regular"),
        (tmp_path / "pipe.png", "not a regular file"),
        (tmp_path / "image.png" / "x", "ot a directory"),
        (tmp_path / "nul\0.png", "null"),
        (Path("/dev/zero"), "not a regular file"),
    ]:
        with pytest.raises(Unreadable, match=word) as caught:
            read_image_bytes(path, max_bytes=4)
        assert caught.value.reason


def test_a_forbidden_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"1")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything, so look with another user's eyes
        os.seteuid(65534)
    try:
        with pytest.raises(Unreadable, match="permission denied"):
            read_image_bytes(path)
    finally:
        os.seteuid(user)

"""From an image id to a file: inside the root, in whatever Unicode form the disk holds."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.images.paths import image_path


def test_a_plain_id_is_a_path_below_the_root(tmp_path: Path) -> None:
    assert image_path(tmp_path, "cat/one.png") == tmp_path.resolve() / "cat" / "one.png"


def test_a_name_in_decomposed_form_is_found(tmp_path: Path) -> None:
    image_id = "épée/été.png"
    on_disk = tmp_path / unicodedata.normalize("NFD", "épée") / unicodedata.normalize("NFD", "été.png")
    on_disk.parent.mkdir()
    on_disk.write_bytes(b"drawing")
    assert image_path(tmp_path, image_id).read_bytes() == b"drawing"


def test_a_mixture_of_forms_is_found(tmp_path: Path) -> None:
    on_disk = tmp_path / "épée" / unicodedata.normalize("NFD", "été.png")
    on_disk.parent.mkdir()
    on_disk.write_bytes(b"drawing")
    assert image_path(tmp_path, "épée/été.png").read_bytes() == b"drawing"


@pytest.mark.parametrize("image_id", ["", "/etc/passwd", "../x.png", "a/../../x.png", "nul\0.png"])
def test_an_id_that_leaves_the_root_is_refused(tmp_path: Path, image_id: str) -> None:
    with pytest.raises(DessinError, match="does not lie inside"):
        image_path(tmp_path, image_id)


def test_a_symlink_may_stay_inside_but_not_leave(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "real.png").write_bytes(b"1")
    (root / "alias.png").symlink_to("real.png")
    (root / "escape").symlink_to(outside)
    assert image_path(root, "alias.png") == (root / "real.png").resolve()
    with pytest.raises(DessinError, match="does not lie inside"):
        image_path(root, "escape/x.png")


def test_a_root_that_is_itself_a_symlink_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert image_path(tmp_path / "link", "one.png") == (tmp_path / "real" / "one.png").resolve()


def test_a_loop_of_symlinks_is_an_error_and_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    with pytest.raises(DessinError, match="loop"):
        image_path(tmp_path, "a.png")


@pytest.mark.parametrize("image_id", ["a" * 300 + ".png", "é/" * 2000 + "a.png", "\udcff.png"])
def test_a_name_that_no_disk_takes_is_a_file_that_is_not_there(tmp_path: Path, image_id: str) -> None:
    with pytest.raises(OSError, match=r"File name too long|No such file"):
        image_path(tmp_path, image_id).read_bytes()

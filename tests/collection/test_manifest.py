"""The manifest: headers and digests of every file, portable, deterministic, tamper-evident."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dessin.collection.manifest import build_manifest, read_manifest, write_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    root = tmp_path / "drawings"
    (root / "cat").mkdir(parents=True)
    (root / "dog").mkdir()
    Image.new("L", (7, 5), 255).save(root / "cat" / "gray.png")
    Image.new("RGB", (3, 9), "red").save(root / "dog" / "red, big.jpg")
    (root / "dog" / "broken.png").write_bytes(b"rubbish")
    (root / "dog" / "gone.png").symlink_to("nowhere.png")
    return root


def test_rows_hold_size_mode_and_digest_and_bad_files_stay_as_unreadable(drawings: Path) -> None:
    manifest = build_manifest(read_collection(drawings))
    rows = {row.image_id: (row.width, row.height, row.mode) for row in manifest.rows}
    assert rows == {
        "cat/gray.png": (7, 5, "L"),
        "dog/broken.png": (0, 0, "unreadable"),
        "dog/gone.png": (0, 0, "unreadable"),
        "dog/red, big.jpg": (3, 9, "RGB"),
    }
    digests = {row.image_id: row.sha256 for row in manifest.rows}
    assert digests["dog/broken.png"] == hashlib.sha256(b"rubbish").hexdigest()
    assert digests["dog/gone.png"] == ""
    assert manifest.classes == ("cat", "dog")


def test_written_and_read_back_it_is_the_same_and_writes_the_same_bytes(
    drawings: Path, tmp_path: Path
) -> None:
    Image.new("L", (2, 2)).save(drawings / "dog" / unicodedata.normalize("NFD", "é.png"))
    manifest = build_manifest(read_collection(drawings, group=r"g(ray|one)"))
    write_manifest(manifest, tmp_path / "out" / "a.csv")
    back = read_manifest(tmp_path / "out" / "a.csv", drawings)
    assert back == manifest
    assert back.path("dog/é.png").is_file()
    write_manifest(back, tmp_path / "out" / "b.csv")
    assert (tmp_path / "out" / "a.csv").read_bytes() == (tmp_path / "out" / "b.csv").read_bytes()
    assert str(tmp_path) not in (tmp_path / "out" / "a.csv").read_text()


def test_the_digest_covers_ids_labels_and_bytes_and_nothing_else(drawings: Path) -> None:
    manifest = build_manifest(read_collection(drawings))
    first, *rest = manifest.rows

    def digest(**changes: object) -> str:
        return replace(manifest, rows=(replace(first, **changes), *rest)).digest

    assert {digest(group="g"), digest(width=1), digest(height=1), digest(mode="P")} == {manifest.digest}
    assert manifest.digest not in {digest(image_id="x"), digest(label="x"), digest(sha256="x")}


def test_moving_the_folder_changes_nothing_and_changing_a_byte_does(drawings: Path, tmp_path: Path) -> None:
    before = build_manifest(read_collection(drawings)).digest
    moved = drawings.rename(tmp_path / "elsewhere")
    assert build_manifest(read_collection(moved)).digest == before
    with (moved / "cat" / "gray.png").open("ab") as file:
        file.write(b"\0")
    assert build_manifest(read_collection(moved)).digest != before


@pytest.mark.parametrize("change", [("dog", "cow"), (",7,5,", ",x,5,"), ("dessin manifest 1 ", "notes ")])
def test_an_edited_manifest_is_refused(drawings: Path, tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "out" / "manifest.csv"
    write_manifest(build_manifest(read_collection(drawings)), path)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(DessinError, match=r"as dessin wrote it|not a whole number"):
        read_manifest(path, drawings)

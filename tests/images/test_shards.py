"""Sharded pixel stores: the rows of a store of one file, and a build that goes on where it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images import shards, store_build
from dessin.images.shards import ShardedPixels, shard_bounds
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage, StoreKey
from dessin.training.data import PixelSource

SPEC = ImageSpec(size=16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "drawings"
    folder.mkdir()
    for number in range(11):
        random = np.random.default_rng(number)
        page = random.integers(0, 255, (20 + number, 24, 3)).astype(np.uint8)
        Image.fromarray(page).save(folder / f"{number:02}.png")
    return folder


def opened(root: Path) -> PixelStore:
    images = [StoredImage(path.name, sha256_file(path)) for path in sorted(root.iterdir())]
    return open_store(images, root, SPEC, "bicubic", workers=2)


@pytest.fixture
def both(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PixelStore, PixelStore]:
    """The same drawings in one file, and in shards of 4, 4 and 3."""
    single = opened(root)
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(shards, "SHARD_IMAGES", 4)
    return single, opened(root)


def test_shards_hold_what_one_file_holds(both: tuple[PixelStore, PixelStore]) -> None:
    single, sharded = both
    assert isinstance(sharded.pixels, ShardedPixels)
    assert not isinstance(single.pixels, ShardedPixels)
    assert (sharded.digest, sharded.image_ids) == (single.digest, single.image_ids)
    assert (sharded.background == single.background).all()
    assert (np.array(sharded.pixels) == single.pixels).all()
    for name in ("shape", "nbytes", "dtype"):
        assert getattr(sharded.pixels, name) == getattr(single.pixels, name)
    assert len(sharded.pixels) == len(single.pixels) == 11


@pytest.mark.parametrize(
    "rows",
    [0, 3, 4, np.int64(10), slice(0, 0), slice(2, 9), slice(None), slice(9, 1, -3), [10, 0, 4, 4, 3], []],
)
def test_any_rows_are_read_across_shards(both: tuple[PixelStore, PixelStore], rows: object) -> None:
    single, sharded = both
    index = np.array(rows, dtype=np.int64) if isinstance(rows, list) else rows
    found = sharded.pixels[index]  # type: ignore[index]
    assert found.shape == single.pixels[index].shape  # type: ignore[index]
    assert (found == single.pixels[index]).all()  # type: ignore[index]


@pytest.mark.parametrize("rows", [11, -1, np.array([0, 11]), np.array([-2, 3])])
def test_rows_that_are_not_there_are_refused(both: tuple[PixelStore, PixelStore], rows: int) -> None:
    with pytest.raises(IndexError, match="there are rows 0 to 10"):
        both[1].pixels[rows]


def test_training_gathers_the_same_batches(both: tuple[PixelStore, PixelStore]) -> None:
    rows = np.array([7, 0, 10, 3], dtype=np.int64)
    one, many = (PixelSource(store, torch.device("cpu")).gather(rows) for store in both)
    assert torch.equal(one[0], many[0])
    assert torch.equal(one[1], many[1])


def test_every_row_is_in_one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shard_bounds(65_536, 3 * 128 * 128) == [(0, 65_536)]
    assert [stop - start for start, stop in shard_bounds(140_000, 3 * 128 * 128)] == [65_536, 65_536, 8_928]
    by_bytes = shard_bounds(100_000, 3 * 512 * 512)
    assert by_bytes[0] == (0, 4 * 2**30 // (3 * 512 * 512))
    assert [start for start, _ in by_bytes[1:]] == [stop for _, stop in by_bytes[:-1]]
    assert by_bytes[-1][1] == 100_000
    monkeypatch.setattr(shards, "SHARD_BYTES", 10)
    assert shard_bounds(2, 1000) == [(0, 1), (1, 2)]


def test_shards_that_do_not_belong_together_are_refused() -> None:
    def part(rows: int, side: int = 8) -> np.ndarray:
        return np.zeros((rows, 3, side, side), np.uint8)

    with pytest.raises(ValueError, match=r"have \[4, 3, 4\] rows"):
        ShardedPixels([part(4), part(3), part(4)])
    with pytest.raises(ValueError, match=r"have \[2, 3\] rows"):
        ShardedPixels([part(2), part(3)])
    with pytest.raises(ValueError, match="differ in shape"):
        ShardedPixels([part(4), part(2, 9)])


PROGRAM = """
import sys, threading
from pathlib import Path
from dessin.files import sha256_file
from dessin.images import shards, store_build
from dessin.images.spec import ImageSpec
from dessin.images.store import StoredImage, open_store
shards.SHARD_IMAGES = 4
inner = store_build._fitted
def slow(image, root, key):
    if key.images.index(image) >= 5:
        print("in the second shard", flush=True)
        threading.Event().wait()
    return inner(image, root, key)
store_build._fitted = slow
root = Path(sys.argv[1])
images = [StoredImage(path.name, sha256_file(path)) for path in sorted(root.iterdir())]
open_store(images, root, ImageSpec(size=16), "bicubic", workers=1)
"""


def test_a_killed_build_goes_on_after_its_last_whole_shard(
    root: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    while "second shard" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (parts,) = (own_cache / "stores").glob("*.parts")
    assert (parts / "00000").is_dir()
    assert not (parts / "00001").exists()
    kept = (parts / "00000" / "pixels.npy").stat()

    decoded: list[int] = []
    inner = store_build._fitted

    def counted(image: StoredImage, root: Path, key: StoreKey) -> object:
        decoded.append(key.images.index(image))
        return inner(image, root, key)

    monkeypatch.setattr(shards, "SHARD_IMAGES", 4)
    monkeypatch.setattr(store_build, "_fitted", counted)
    store = opened(root)
    assert sorted(decoded) == list(range(4, 11))
    folder = own_cache / "stores" / store.digest
    assert (folder / "00000" / "pixels.npy").stat().st_ino == kept.st_ino
    assert sorted(path.name for path in folder.iterdir()) == ["00000", "00001", "00002", "store.json"]
    assert not parts.exists()
    monkeypatch.undo()
    monkeypatch.setenv("DESSIN_CACHE", str(own_cache / "single"))
    assert (np.array(store.pixels) == opened(root).pixels).all()


def test_a_damaged_shard_is_decoded_again(
    root: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_IMAGES", 4)
    before = opened(root)
    expected, folder = np.array(before.pixels), own_cache / "stores" / before.digest
    path = folder / "00001" / "pixels.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert (np.array(opened(root).pixels) == expected).all()
    # A shard cut short in a store that is still being built.
    (folder / "store.json").unlink()
    path.write_bytes(path.read_bytes()[:-1])
    folder.rename(folder.with_name(f"{folder.name}.parts"))
    assert (np.array(opened(root).pixels) == expected).all()


def test_an_unreadable_image_leaves_no_shard(
    root: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_IMAGES", 4)
    (root / "09.png").write_bytes(b"not a drawing")
    with pytest.raises(DessinError, match=r"1 image cannot be read: 09\.png"):
        opened(root)
    assert [path.suffix for path in (own_cache / "stores").iterdir()] == [".lock"]


def test_one_file_keeps_its_header(root: Path, own_cache: Path) -> None:
    store = opened(root)
    folder = own_cache / "stores" / store.digest
    sizes = {name: (folder / name).stat().st_size for name in ("pixels.npy", "background.npy")}
    assert json.loads((folder / "store.json").read_text()) == {"digest": store.digest, "bytes": sizes}

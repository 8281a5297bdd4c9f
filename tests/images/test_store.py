"""The pixel store: the same pixels as `prepare`, built once, rebuilt when it must be, whole or absent."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images import store as store_module
from dessin.images import store_build
from dessin.images import store_build as store_key
from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.ink import background
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage, StoreKey
from dessin.progress import quiet

pytestmark = pytest.mark.slow

SPEC = ImageSpec(size=32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "drawings"
    for number in range(7):
        path = folder / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (40 + number, 30), (250, 240, 200 + number))
        ImageDraw.Draw(image).line((5, 5, 20 + number, 25), fill=(0, 0, 90), width=2)
        image.save(path)
    return folder


def listed(root: Path) -> list[StoredImage]:
    paths = sorted(root.rglob("*.png"))
    return [StoredImage(path.relative_to(root).as_posix(), sha256_file(path)) for path in paths]


def stores(cache: Path) -> list[Path]:
    """What lies in the folder of stores, lock files apart; half-built ones would show."""
    return sorted(path for path in (cache / "stores").glob("*") if path.suffix != ".lock")


def test_rows_hold_what_prepare_gives(root: Path) -> None:
    store = open_store(listed(root), root, SPEC, "bicubic")
    assert store.pixels.shape == (7, 3, 32, 32)
    assert store.background.shape == (7, 3)
    for image in listed(root):
        row = store.rows([image.image_id])[0]
        decoded = decode((root / image.image_id).read_bytes())
        assert store.image_ids[row] == image.image_id
        assert (store.pixels[row] == prepare(decoded.pixels, SPEC, "bicubic")).all()
        assert store.background[row].tolist() == list(background(decoded.pixels))


@pytest.mark.parametrize(
    "spec", [ImageSpec(size=16, colour="gray"), ImageSpec(size=48, fit="trim", clahe=True)]
)
def test_every_spec_has_its_shape(root: Path, spec: ImageSpec) -> None:
    store = open_store(listed(root), root, spec, "bilinear")
    assert store.pixels.shape == (7, spec.channels, spec.size, spec.size)
    assert store.background.shape == (7, spec.channels)


def test_the_order_and_the_number_of_workers_do_not_matter(root: Path, own_cache: Path) -> None:
    first = open_store(listed(root), root, SPEC, "bicubic", workers=1)
    pixels = np.array(first.pixels)
    shutil.rmtree(own_cache / "stores")
    second = open_store(listed(root)[::-1], root, SPEC, "bicubic", workers=3)
    assert second.digest == first.digest
    assert second.image_ids == first.image_ids == tuple(sorted(first.image_ids))
    assert (second.pixels == pixels).all()


def test_rows_come_in_the_order_asked_for(root: Path) -> None:
    store = open_store(listed(root), root, SPEC, "bicubic")
    asked = [store.image_ids[row] for row in (3, 0, 3, 6)]
    assert store.rows(asked).tolist() == [3, 0, 3, 6]
    assert store.rows([]).shape == (0,)
    with pytest.raises(DessinError, match=r"1 of 2 images are not in the pixel store: no\.png"):
        store.rows([asked[0], "no.png"])


def test_the_store_cannot_be_written_to(root: Path) -> None:
    store = open_store(listed(root), root, SPEC, "bicubic")
    with pytest.raises(ValueError, match="read-only"):
        store.pixels[0, 0, 0, 0] = 1


def test_a_second_opening_reads_no_image(root: Path) -> None:
    images = listed(root)
    before = np.array(open_store(images, root, SPEC, "bicubic").pixels)
    shutil.rmtree(root)
    assert (open_store(images, root, SPEC, "bicubic").pixels == before).all()


def test_whatever_defines_the_pixels_changes_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    images = (StoredImage("a.png", "1"), StoredImage("b.png", "2"))
    key = StoreKey(images, SPEC, "bicubic")
    others = [
        StoreKey(images[:1], SPEC, "bicubic"),
        StoreKey((StoredImage("a.png", "2"), StoredImage("b.png", "1")), SPEC, "bicubic"),
        StoreKey(images, SPEC, "bilinear"),
        *(
            StoreKey(images, SPEC.model_copy(update=change), "bicubic")
            for change in ({"size": 33}, {"colour": "gray"}, {"fit": "trim"}, {"clahe": True})
        ),
    ]
    digests = {key.digest, *(other.digest for other in others)}
    monkeypatch.setattr(store_key, "_VERSION", store_key._VERSION + 1)
    digests.add(StoreKey(images, SPEC, "bicubic").digest)
    assert len(digests) == len(others) + 2
    monkeypatch.undo()
    assert StoreKey(images[::-1], SPEC, "bicubic").digest == key.digest


def test_two_processes_build_it_once(root: Path, own_cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from dessin.files import sha256_file\n"
        "from dessin.images.store import open_store, StoredImage; from dessin.images.spec import ImageSpec\n"
        "root = Path(sys.argv[1])\n"
        "images = [StoredImage(p.relative_to(root).as_posix(), sha256_file(p)) for p in root.glob('*/*')]\n"
        "print(int(open_store(images, root, ImageSpec(size=512), 'bicubic').pixels.sum()))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sum(output.count("Decoding 7 images") for output in outputs) == 1
    assert outputs[0].splitlines()[-1] == outputs[1].splitlines()[-1]
    assert len(stores(own_cache)) == 1


def _shorten(folder: Path) -> None:
    path = folder / "pixels.npy"
    path.write_bytes(path.read_bytes()[:-1])


def _empty_header(folder: Path) -> None:
    (folder / "store.json").write_text("{}")


def _header_of_another_kind(folder: Path) -> None:
    (folder / "store.json").write_text("[1]")


def _no_background(folder: Path) -> None:
    (folder / "background.npy").unlink()


def _overwritten_magic(folder: Path) -> None:
    data = (folder / "pixels.npy").read_bytes()
    (folder / "pixels.npy").write_bytes(b"PK\3\4" + data[4:])


def _pickle_inside(folder: Path) -> None:
    data = (folder / "background.npy").read_bytes()
    (folder / "background.npy").write_bytes(data.replace(b"'|u1'", b"'|O' ")[: len(data)])


@pytest.mark.parametrize(
    "damage",
    [_shorten, _empty_header, _header_of_another_kind, _no_background, _overwritten_magic, _pickle_inside],
)
def test_a_damaged_store_is_built_again_with_a_word(
    root: Path,
    own_cache: Path,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = np.array(open_store(listed(root), root, SPEC, "bicubic").pixels)
    damage(stores(own_cache)[0])
    said: list[str] = []
    monkeypatch.setattr(store_module, "warn", said.append)
    after = open_store(listed(root), root, SPEC, "bicubic")
    assert (after.pixels == before).all()
    assert len(said) == 1
    assert "damaged" in said[0]


def test_leftovers_of_a_killed_builder_are_removed(root: Path, own_cache: Path) -> None:
    digest = open_store(listed(root), root, SPEC, "bicubic").digest
    (own_cache / "stores" / digest / "store.json").unlink()
    leftover = own_cache / "stores" / f".{digest}.123-abcd.tmp"
    leftover.mkdir()
    (leftover / "pixels.npy").write_bytes(b"half")
    open_store(listed(root), root, SPEC, "bicubic")
    assert [path.name for path in stores(own_cache)] == [digest]


def refused(root: Path, images: list[StoredImage], words: str, cache: Path) -> None:
    with pytest.raises(DessinError, match=words):
        open_store(images, root, SPEC, "bicubic")
    assert not (cache / "stores").exists() or stores(cache) == []


def test_a_changed_file_is_named(root: Path, own_cache: Path) -> None:
    images = listed(root)
    Image.new("RGB", (9, 9)).save(root / "class1" / "3.png")
    refused(root, images, r"1 image is not as in the manifest any more: class1/3\.png", own_cache)


def test_unreadable_files_are_named_with_their_reason_up_to_five(root: Path, own_cache: Path) -> None:
    for number in range(7):
        (root / f"class{number % 2}" / f"{number}.png").write_bytes(b"not a drawing")
    with pytest.raises(DessinError) as caught:
        open_store(listed(root), root, SPEC, "bicubic")
    assert "7 images cannot be read" in caught.value.seen
    assert caught.value.seen.count("(not one of PNG") == 5
    assert "and 2 more" in caught.value.seen
    assert "dessin audit" in caught.value.do
    assert stores(own_cache) == []


def test_a_missing_file_an_outsider_a_double_and_nothing_are_refused(root: Path, own_cache: Path) -> None:
    images = listed(root)
    refused(root, [*images, StoredImage("gone.png", "0")], r"gone\.png \(there is no such file\)", own_cache)
    refused(root, [*images, StoredImage("../gone.png", "0")], "does not lie inside", own_cache)
    refused(root, [*images, images[2]], r"listed twice: class0/4\.png", own_cache)
    refused(root, [], "there are none", own_cache)


def test_too_little_space_is_said_before_any_work(
    root: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)._replace(free=21_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(store_build, "_fitted", lambda *_, **__: pytest.fail("an image was decoded"))
    refused(root, listed(root), "needs 21.5 kB, and .* has 21.0 kB free", own_cache)


def test_a_disk_that_runs_full_leaves_nothing(root: Path, own_cache: Path) -> None:
    """A real refusal by the system, from a limit on the size of a file, in the middle of the pixels."""
    images, limits = listed(root), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, limits[1]))
    try:
        refused(root, images, "could not be written", own_cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(open_store(images, root, SPEC, "bicubic").image_ids) == 7


def test_a_cache_that_cannot_be_used_is_an_error_with_a_way_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "file"))
    with pytest.raises(DessinError, match="DESSIN_CACHE"):
        open_store(listed(root), root, SPEC, "bicubic")


def test_the_work_is_announced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(store_build, "say", said.append)
    with quiet():
        store: PixelStore = open_store(listed(root), root, SPEC, "bicubic")
    assert said == [f"Decoding {len(store.image_ids)} images into the pixel store (21.5 kB, 32 px)."]
    open_store(listed(root), root, SPEC, "bicubic")
    assert len(said) == 1
    assert os.environ["DESSIN_CACHE"]

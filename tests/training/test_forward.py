"""Extraction by ranges: the same batches and features as in one go, from memory or from the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images import shards
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, StoreOnDisk, open_store
from dessin.images.store_build import StoredImage
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import resolve_weights
from dessin.parallel.mapper import ThreadMapper
from dessin.training.features import Extractor, extract_features


@pytest.fixture
def store(tmp_path: Path) -> PixelStore:
    folder = tmp_path / "drawings"
    folder.mkdir()
    for number in range(13):
        noise = np.random.default_rng(number).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02}.png")
    images = [StoredImage(path.name, sha256_file(path)) for path in sorted(folder.iterdir())]
    return open_store(images, folder, ImageSpec(size=32), "bicubic")


@pytest.fixture
def classifier() -> Classifier:
    torch.set_num_threads(1)
    return build_classifier("test_efficientnet", 3, resolve_weights("test_efficientnet", "none"))


def on_disk(store: PixelStore) -> StoreOnDisk:
    assert store.folder is not None
    return StoreOnDisk(store.folder, store.pixels.shape, store.digest)


def test_ranges_of_whole_batches_give_the_bytes_of_one_range(
    store: PixelStore, classifier: Classifier
) -> None:
    extract = Extractor(classifier, store, "rotate_left", batch_size=4)
    whole = extract((0, 13))
    assert whole.shape == (13, classifier.width)
    parts = [extract(rows) for rows in ((0, 8), (8, 12), (12, 13))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("beside", [(), ("test_resnet",)])
def test_a_mapper_changes_no_byte(beside: tuple[str, ...], store: PixelStore, own_cache: Path) -> None:
    torch.set_num_threads(1)
    weights, *others = (resolve_weights(name, "none") for name in ("test_efficientnet", *beside))
    classifier = build_classifier("test_efficientnet", 3, weights, beside=others)
    asked = (classifier, ("",) * len(classifier.encoders), store, np.array([12, 0, 5]), ("identity", "hflip"))
    here = extract_features(*asked, batch_size=2)
    for file in own_cache.glob("features/*/*.npy"):
        file.unlink()
    # The model of another process must not see this one's; one thread stands for it here.
    there = extract_features(*asked, batch_size=2, mapper=ThreadMapper(1))
    assert there.tobytes() == here.tobytes()
    assert classifier.training


def test_a_store_is_read_from_the_disk_in_one_file_or_in_shards(
    store: PixelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = on_disk(store)
    assert (np.array(found.pixels) == store.pixels).all()
    assert (found.background == store.background).all()
    monkeypatch.setattr(shards, "SHARD_IMAGES", 5)
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "other"))
    folder = tmp_path / "drawings"
    images = [StoredImage(path.name, sha256_file(path)) for path in sorted(folder.iterdir())]
    sharded = open_store(images, folder, ImageSpec(size=32), "bicubic")
    assert sharded.folder is not None
    assert (sharded.folder / "00002").is_dir()
    assert (np.array(on_disk(sharded).pixels) == store.pixels).all()


def test_a_node_without_the_store_says_so(store: PixelStore, tmp_path: Path) -> None:
    elsewhere = StoreOnDisk(tmp_path / "not mounted", store.pixels.shape, store.digest)
    with pytest.raises(DessinError, match=r"does not see the pixel store .*not mounted"):
        _ = elsewhere.pixels

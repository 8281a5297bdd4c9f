"""Audits, features and plain functions over a real Ray on this machine: the same as in this process."""

from __future__ import annotations

import importlib
import math
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import dessin
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.spec import ImageSpec
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.classifier import build_classifier
from dessin.models.weights import resolve_weights
from dessin.parallel import ray_data
from dessin.parallel.ray_connection import connected
from dessin.parallel.ray_data import RayMapper
from dessin.system import processors
from dessin.training.features import extract_features

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty drawings in two classes, one of them unreadable."""
    folder = tmp_path_factory.mktemp("drawings")
    for number in range(40):
        random = np.random.default_rng(number)
        image = Image.new("RGB", (60 + number % 5, 48), "white")
        points = [tuple(point) for point in random.integers(4, 44, (6, 2)).tolist()]
        ImageDraw.Draw(image).line(points, fill=(20, 10, 90), width=2)
        path = folder / ("zigzag" if number % 2 else "curve") / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        image.save(path)
    (folder / "curve" / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def one_ray() -> Iterator[ModuleType]:
    """A Ray of this machine for several tests: to start one takes longer than what they ask of it."""
    with connected(None, cpus=processors(), store_bytes=ray_data._STORE_BYTES) as ray:
        yield ray


@pytest.fixture
def joined(one_ray: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_data, "connected", lambda *_, **__: nullcontext(one_ray))


# The first has a Ray of its own, from its start to its end.
def test_results_come_in_order_and_errors_where_they_belong(capfd: pytest.CaptureFixture[str]) -> None:
    roots = RayMapper().map(math.sqrt, [*range(300), -1, 4])
    assert [next(roots) for _ in range(300)] == [math.sqrt(number) for number in range(300)]
    before = {thread.name for thread in threading.enumerate()}
    with pytest.raises(ValueError, match="math domain error"):
        next(roots)
    # What still fetched when Ray was shut down under it took the whole process along.
    assert {thread.name for thread in threading.enumerate()} <= before
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("joined")
def test_a_function_that_no_node_has_is_an_error_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def double(number): return 2 * number")
    monkeypatch.syspath_prepend(tmp_path)
    only_here = importlib.import_module("only_here")
    with pytest.raises(DessinError, match="No module named 'only_here'") as caught:
        list(RayMapper().map(only_here.double, [1, 2]))
    assert caught.value.do == "Install the same packages on every node."


@pytest.mark.usefixtures("joined")
def test_a_node_with_other_versions_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ray_data.package_versions()["Pillow"]
    monkeypatch.setattr(ray_data, "version", lambda package: "0.1")
    with pytest.raises(DessinError, match=f"Pillow {re.escape(theirs)} \\(here 0.1\\)"):
        list(RayMapper().map(abs, [1]))


@pytest.mark.usefixtures("joined")
def test_an_audit_is_the_same_to_the_byte(
    drawings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dessin.audit(drawings, out=tmp_path / "here")
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "cache"))
    dessin.audit(drawings, out=tmp_path / "there", executor="ray")
    for name in ("issues.csv", "manifest.csv", "summary.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert "unreadable" in (tmp_path / "there" / "issues.csv").read_text()


@pytest.mark.usefixtures("joined")
def test_features_are_the_same_to_the_byte_with_as_many_threads(drawings: Path, own_cache: Path) -> None:
    torch.set_num_threads(1)
    rows = build_manifest(read_collection(drawings)).rows
    images = [StoredImage(row.image_id, row.sha256) for row in rows if row.mode != "unreadable"]
    store = open_store(images, drawings, ImageSpec(size=32), "bicubic")
    weights = resolve_weights("tf_efficientnet_lite0")
    classifier = build_classifier("tf_efficientnet_lite0", 2, weights, image_size=32)
    extract = partial(
        extract_features,
        classifier,
        (weights.sha256,),
        store,
        np.arange(40),
        ("identity", "hflip"),
        batch_size=1,
    )
    here = extract()
    for file in own_cache.glob("features/*/*.npy"):
        file.unlink()
    classifier.train()
    there = extract(mapper=RayMapper())
    assert classifier.training
    assert there.tobytes() == here.tobytes()

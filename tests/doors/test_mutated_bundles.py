"""Mutated bundles: whatever is wrong with a card or a model, the answer is finite or one sentence."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from fuzz_kit import cases, rng
from mutated_bundles import mutate, torch_bundle
from onnx_models import SECRET, plain_model, write_as_bundle

from dessin.errors import DessinError
from dessin.images.fit import prepare_for
from dessin.serving.runtime import Runtime, read_answers

pytestmark = pytest.mark.slow

EXPORTED = Path(__file__).parents[1] / "data" / "written_by_0_1_0" / "exported"
DRAWING = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["plain", "exported", "torch"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("source") / request.param
    if request.param == "plain":
        return write_as_bundle(folder, plain_model().SerializeToString())
    if request.param == "torch":
        return torch_bundle(folder)
    return Path(shutil.copytree(EXPORTED, folder))


def answer(folder: Path) -> str:
    """What the bundle says of a drawing, as JSON; NaN cannot be written."""
    runtime = Runtime.load(folder)
    answered = runtime.answer([prepare_for(DRAWING, runtime.fittings)] * 2)
    assert np.allclose(answered.probabilities.sum(axis=1), 1.0, atol=1e-3)
    rows = read_answers(runtime.committee, answered, 5)
    return json.dumps([[one.probability for one in row.candidates] for row in rows], allow_nan=False)


def test_a_changed_bundle_answers_or_is_refused_in_a_sentence(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, target = tmp_path / "home", tmp_path / "changed"
    home.mkdir()
    (home / SECRET).write_bytes(b"\xab" * 65_536)
    monkeypatch.chdir(home)
    draw, counts = rng(f"bundles/{bundle.name}"), {"answered": 0, "refused": 0}
    for number in range(cases(60)):
        what = mutate(bundle, target, draw)
        started = time.process_time()
        try:
            answer(target)
            counts["answered"] += 1
        except DessinError:
            counts["refused"] += 1
        # No sentence and no answer costs what a hostile file asks for.
        assert time.process_time() - started < 10, (number, what)
    # The changes are reached, and are not all fatal.
    assert min(counts.values()) >= cases(60) // 20, counts


def test_an_unchanged_bundle_answers(bundle: Path) -> None:
    assert json.loads(answer(bundle))

"""Try it, with a model that looks for the page in photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import as_jpeg, photographed
from tiny_bundle import make_bundle

from dessin.doodles.drawing import draw_doodle
from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.photograph import on_paper
from dessin.models.card import change_card, read_card
from dessin.serving.look import USUAL, measure_look
from dessin.serving.runtime import Runtime
from dessin.studio.texts import texts_in
from dessin.studio.try_it.page import _page
from dessin.studio.try_it.render import picture_as_trained
from dessin.studio.try_it.trial import Trial
from dessin.trust.mistakes.strokes import measure_file, measure_strokes

pytestmark = pytest.mark.slow

LABELS = ("cat", "house", "star")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    drawn = {label: [draw_doodle(label, n, seed=0).data for n in range(3)] for label in LABELS}
    bundle = make_bundle(tmp_path_factory.mktemp("model") / "bundle", drawn)
    change_card(bundle, {"image": read_card(bundle).image.model_copy(update={"page": "auto"})})
    return Trial(Runtime.load(bundle), USUAL)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return photographed(draw_doodle("star", 1, seed=0).data, 1)


def test_a_photograph_is_shown_beside_what_the_model_sees(trial: Trial, photograph: np.ndarray) -> None:
    seen = trial.ask(photograph, with_map=True)
    assert seen.photograph is not None
    assert seen.photograph.shape == (384, 512, 3)
    spec, how = trial._runtime.fittings[0]
    np.testing.assert_array_equal(seen.picture.transpose(2, 0, 1), prepare(photograph, spec, how))
    assert trial.ask(on_paper(photograph), with_map=False).photograph is None


def test_it_is_the_drawing_on_the_page_that_is_brought_to_the_look(
    trial: Trial, photograph: np.ndarray
) -> None:
    brought = _page(photograph, USUAL, trial, texts_in("en"))
    expected = picture_as_trained(on_paper(photograph), USUAL, side=trial.side)
    np.testing.assert_array_equal(brought, expected)
    assert _page(photograph, None, trial, texts_in("en")) is photograph


def test_lines_are_measured_on_the_page(photograph: np.ndarray, tmp_path: Path) -> None:
    files = []
    for number in range(5):
        files.append(tmp_path / f"{number}.jpg")
        files[-1].write_bytes(as_jpeg(photographed(draw_doodle("star", number, seed=0).data, number)))
    taken = decode(files[0].read_bytes()).pixels
    assert measure_file(files[0], "auto") == measure_strokes(on_paper(taken))
    # The desk is no ink of the drawing.
    on_the_page, with_the_desk = measure_look(files, "auto"), measure_look(files)
    assert on_the_page is not None
    assert min(on_the_page.paper) > 240
    assert with_the_desk is None or with_the_desk.paper != on_the_page.paper

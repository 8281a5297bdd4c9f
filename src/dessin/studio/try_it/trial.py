"""A model ready to be asked: what it answers to a page, where it looked, and how long that took."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import streamlit as st

from dessin.answers.committee import COMMITTEE_FILE, find_model
from dessin.images.fit import Prepared, prepare_for
from dessin.images.ground import Pixels
from dessin.images.shrink import shrunk
from dessin.images.spec import Page
from dessin.models.card import CARD_FILE
from dessin.serving.look import Look, recorded_data, training_look
from dessin.serving.maps import map_maker
from dessin.serving.runtime import Answer, Runtime, read_answers
from dessin.studio.drawings import file_stamp
from dessin.studio.try_it.render import SIDE
from dessin.studio.workspace import Workspace

TOP = 5
UNSURE = 0.5
_MODELS = 3
_SHOWN = 512  # pixels, of a photograph


@dataclass(frozen=True, eq=False)
class Seen:
    """An answer with what it was about.

    `picture` (S, S, 3) uint8 is the page as the model sees it, `overlay` the same under the map of what spoke
    for the likeliest class, or None. `photograph` (h, w, 3) uint8 is what was given, small, where a page was
    found in it. `seconds` is what all took.
    """

    answer: Answer
    picture: Pixels
    overlay: Pixels | None
    seconds: float
    photograph: Pixels | None = None


class Trial:
    """One model, for all who have the page open; they take turns."""

    def __init__(self, runtime: Runtime, look: Look) -> None:
        self.calibrated = _is_calibrated(runtime)
        self.committee = runtime.committee
        if self.calibrated and not self.committee.threshold:
            # Of a calibrated answer it is known when it is more likely wrong than right.
            self.committee = self.committee.model_copy(update={"threshold": UNSURE})
        self.look = look
        self.page: Page = runtime.loaded.page
        self.side = max(SIDE, *(spec.size for spec, _ in runtime.fittings))
        self._runtime = runtime
        self._maker = map_maker(runtime)
        self._turn = Lock()

    @property
    def has_maps(self) -> bool:
        return self._maker is not None

    def ask(self, pixels: Pixels, *, with_map: bool) -> Seen:
        """The answer to decoded pixels (H, W, 3) uint8."""
        with self._turn:
            start = time.perf_counter()
            prepared = prepare_for(pixels, self._runtime.fittings)
            answer = read_answers(self.committee, self._runtime.answer([prepared]), TOP)[0]
            picture, overlay = _first(prepared), None
            if with_map and self._maker is not None:
                made = self._maker.make_prepared(prepared, answer.best.label)
                picture, overlay = made.picture, made.overlay
            photograph = shrunk(pixels, _SHOWN) if prepared.page else None
            return Seen(answer, picture, overlay, time.perf_counter() - start, photograph)


def read_trial(workspace: Workspace, name: str) -> Trial:
    """The model of that name, loaded once, and anew when its card changes."""
    path = workspace.path(name)
    folder = find_model(path)
    stamp = " ".join(file_stamp(folder / file) for file in (CARD_FILE, COMMITTEE_FILE))
    return _trial(str(path), stamp, workspace)


@st.cache_resource(max_entries=_MODELS, show_spinner=False)
def _trial(path: str, stamp: str, _workspace: Workspace) -> Trial:  # noqa: ARG001 (a changed card is read anew)
    runtime = Runtime.load(path)
    places = [_workspace.path(name) for name in _workspace.collections]
    recorded = recorded_data(Path(path), runtime.committee)
    look = training_look(runtime.committee, [*places, *recorded], runtime.loaded.page)
    return Trial(runtime, look)


def _is_calibrated(runtime: Runtime) -> bool:
    cards = [bundle.card for bundle in runtime.loaded.bundles.values()]
    return runtime.committee.temperature != 1.0 or all(card.temperature != 1.0 for card in cards)


def _first(prepared: Prepared) -> Pixels:
    """The picture (S, S, 3) uint8 of the first way of fitting."""
    square = next(iter(prepared.squares.values())).transpose(1, 2, 0)
    return square if square.shape[2] == 3 else square.repeat(3, axis=2)

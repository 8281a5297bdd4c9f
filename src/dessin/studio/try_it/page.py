"""The page "Try it": draw, paste or upload something, and see what a model makes of it, in words and as
bars."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import streamlit as st

from dessin.errors import DessinError
from dessin.images.fit import page_of
from dessin.images.ground import Pixels
from dessin.images.ink import ink_mask
from dessin.language import speaking
from dessin.page.numbers import number, percent
from dessin.page.pictures import image_data_uri
from dessin.serving.look import Look
from dessin.serving.named import Candidate
from dessin.studio.drawings import read_drawings
from dessin.studio.inbox import FILES, Arrived, folder_of, keep, png_of
from dessin.studio.plain import Figure, as_label, choose_model, go_to, show_figures, show_text
from dessin.studio.teaching import collection_of
from dessin.studio.texts import Texts
from dessin.studio.try_it.canvas import Given, ask_canvas, clear_canvas, read_given, read_picture
from dessin.studio.try_it.render import picture_as_trained, render, rendered_as_trained
from dessin.studio.try_it.trial import Seen, Trial, read_trial
from dessin.studio.workspace import Workspace
from dessin.trust.mistakes.strokes import PAGE

# Two stand side by side, on a phone as well.
_SIDE = 170


def show_waiting(text: str) -> None:
    """What stands in the answer's place while there is nothing to answer to."""
    st.html(f'<div class="dessin waiting">{escape(text)}</div>')


def show_answer(seen: Seen, trial: Trial, texts: Texts) -> None:
    """The answer in words, the likeliest classes, and what it was about."""
    answer = seen.answer
    title, words = _in_words(seen, trial, texts)
    small = "" if answer.abstention else f"<small>{escape(texts('try.looks_like'))}</small>"
    says = f"<p>{escape(words)}</p>" if words else ""
    bars = "".join(_bar(candidate) for candidate in answer.candidates)
    st.html(
        f'<div class="dessin verdict {answer.abstention}" role="status">{small}'
        f"<strong>{escape(title)}</strong>{says}</div>"
        f'<ol class="dessin bars" aria-label="{escape(texts("try.bars"))}">{bars}</ol>'
    )
    took = texts("try.took", milliseconds=round(1000 * seen.seconds))
    show_text(f"{texts('try.calibrated' if trial.calibrated else 'try.uncalibrated')} {took}", "note")


def show_pictures(seen: Seen, texts: Texts) -> None:
    """The page as the model sees it, and where it looked."""
    figures = [Figure(_address(seen.picture), texts("try.sees"))]
    if seen.photograph is not None:
        figures.insert(0, Figure(_address(seen.photograph), texts("try.photograph")))
    if seen.overlay is not None:
        figures.append(Figure(_address(seen.overlay), texts("try.spoke", name=seen.answer.best.name)))
    show_figures(figures, side=_SIDE)
    if seen.overlay is not None:
        show_text(texts("try.map_note"), "note")


def _in_words(seen: Seen, trial: Trial, texts: Texts) -> tuple[str, str]:
    """The answer as a title, and what is to be added where it is none."""
    best = seen.answer.best
    values = {"name": best.name, "probability": _percent(best.probability)}
    match seen.answer.abstention:
        case "unsure":
            return texts("try.unsure"), texts(
                "try.unsure_says", threshold=_percent(trial.committee.threshold), **values
            )
        case "no_class":
            return texts("try.no_class"), texts("try.no_class_says", **values)
        case _:
            return best.name, ""


def _bar(candidate: Candidate) -> str:
    return (
        f'<li><span class="row"><span>{escape(candidate.name)}</span><span>{_percent(candidate.probability)}'
        f'</span></span><span class="track" aria-hidden="true">'
        f'<span class="fill" style="width: {percent(candidate.probability, 1)}"></span></span></li>'
    )


def _percent(probability: float) -> str:
    """Never 0% or 100%, which no model can know."""
    return "< 1%" if probability < 0.005 else "> 99%" if probability > 0.995 else percent(probability)


def _address(pixels: Pixels) -> str:
    return image_data_uri(pixels, kind="webp", quality=90)


_WAYS = ("draw", "camera", "upload")
_KEPT, _ROUND = "try.kept", "try.round"
_A_ROW = 12


@dataclass(frozen=True)
class Correction:
    """Where a drawing goes that the model got wrong: the collection that it was taught of."""

    workspace: Workspace
    collection: str

    def keep(self, given: Given, label: str) -> None:
        """Keep what was drawn or shown, under its right name."""
        drawings = read_drawings(self.workspace, self.collection)
        made = self.collection in self.workspace.made
        pixels = render(given, side=_KEPT_SIDE) if isinstance(given, tuple) else given
        picture = Arrived(png_of(pixels), ".png", pixels)
        keep(folder_of(drawings, label, made=made), picture, drawings.collection.root)


_KEPT_SIDE = 512


def show_try_it(workspace: Workspace, texts: Texts) -> None:
    """Choose a model of the workspace, and ask it."""
    if not workspace.models:
        show_text(texts("try.none"))
        if st.button(texts("collect.add")):
            go_to("collect")
        return
    name = choose_model(workspace, texts)
    with st.spinner(texts("try.loading")):
        trial = read_trial(workspace, name)
    collection = collection_of(workspace, name)
    _desk(trial, Correction(workspace, collection) if collection else None, texts)


# A fragment: after a stroke this alone is run again, and nothing is read from the disk.
@st.fragment
def _desk(trial: Trial, correction: Correction | None, texts: Texts) -> None:
    paper, beside = st.columns(2, gap="large")
    try:
        with speaking(texts.language), paper:
            given = _ask_given(trial, texts)
        with speaking(texts.language), beside:
            _answer(given, trial, correction, texts)
    except DessinError as refused:
        with beside:
            show_text(str(refused), "error")


def _say_kept(texts: Texts) -> None:
    """What was kept last, until something else is asked about."""
    kept = st.session_state.get(_KEPT, "")
    if kept:
        show_text(texts("try.kept", name=kept), "good")
        if st.button(texts("try.teach")):
            go_to("teach")


def _ask_right(given: Given, trial: Trial, correction: Correction, texts: Texts) -> None:
    """What it was, by one click: the drawing is kept under that name, to be taught with the others."""
    st.session_state.pop(_KEPT, None)
    show_text(texts("try.right"), "note")
    names = {label: trial.committee.names.get(label, label) for label in trial.committee.classes}
    chosen = None
    if len(names) <= _A_ROW:
        with st.container(horizontal=True, gap="small"):
            for label, name in names.items():
                if st.button(texts("try.is", name=as_label(name)), key=f"try.is:{label}"):
                    chosen = label
    else:
        label = st.selectbox(texts("data.class"), list(names), format_func=names.__getitem__, key="try.class")
        if st.button(texts("try.is", name=as_label(names[str(label)])), key="try.is"):
            chosen = str(label)
    if chosen is not None:
        correction.keep(given, chosen)
        st.session_state[_KEPT] = names[chosen]
        # Nothing is left that could be kept twice.
        clear_canvas("try")
        st.session_state[_ROUND] = _round() + 1
        st.rerun(scope="fragment")


def _round() -> int:
    return int(st.session_state.get(_ROUND, 0))


def _ask_given(trial: Trial, texts: Texts) -> Given | None:
    """What is to be looked at: strokes, or the pixels of a picture; None while there is nothing."""
    way = st.radio(
        texts("try.way"),
        _WAYS,
        format_func=lambda name: texts(f"try.by_{name}"),
        horizontal=True,
        label_visibility="collapsed",
        key="try.way",
    )
    if way == "draw":
        return read_given(ask_canvas(texts, pen=trial.look.thickness, room="try"))
    if way == "camera":
        taken = st.camera_input(texts("collect.camera"), key=f"try.camera:{_round()}")
        # A photograph of paper, whatever the model was taught of.
        return None if taken is None else page_of(read_picture(taken.getvalue()), "auto")
    file = st.file_uploader(texts("try.file"), type=list(FILES), key=f"try.file:{_round()}")
    return None if file is None else read_picture(file.getvalue())


def _answer(given: Given | None, trial: Trial, correction: Correction | None, texts: Texts) -> None:
    """The answer, and what it should have been, above the ticks that it depends on: a phone shows both right
    below the drawing."""
    answer = st.container()
    uploads = st.session_state["try.way"] != "draw"
    with_map = trial.has_maps and st.checkbox(texts("try.map"), value=True, key="try.map")
    if not trial.has_maps:
        show_text(texts("try.no_map"), "note")
    look = _ask_look(trial.look, texts, is_picture=uploads if given is None else not isinstance(given, tuple))
    with answer:
        if given is None:
            _say_kept(texts)
            show_waiting(texts("try.waiting_file" if uploads else "try.waiting"))
        else:
            seen = trial.ask(_page(given, look, trial, texts), with_map=with_map)
            show_answer(seen, trial, texts)
            if correction is not None:
                _ask_right(given, trial, correction, texts)
            show_pictures(seen, texts)


def _ask_look(look: Look, texts: Texts, *, is_picture: bool) -> Look | None:
    """The look that it is to be brought to, if any: drawings unless told not to, pictures when told to."""
    key = "picture" if is_picture else "drawing"
    wanted = st.checkbox(
        texts("try.look"), value=not is_picture, key=f"try.look.{key}", help=texts("try.look_help")
    )
    words = texts(
        "try.trained" if look.n else "try.usual",
        width=number(look.thickness * PAGE, 1),
        polarity=texts("try.dark" if look.dark_on_light else "try.light"),
        size=percent(look.size),
        n=look.n,
    )
    show_text(words, "note")
    return look if wanted else None


def _page(given: Given, look: Look | None, trial: Trial, texts: Texts) -> Pixels:
    """The pixels (H, W, 3) uint8 that the model is asked about; an error without ink to bring to a look."""
    side = trial.side
    if isinstance(given, tuple):
        return rendered_as_trained(given, look, side=side) if look else render(given, side=side)
    if look is None:
        return given
    paper = page_of(given, trial.page)
    if not ink_mask(paper).any():
        raise DessinError(texts("try.no_ink"))
    return picture_as_trained(paper, look, side=side)

"""The page "Try it": draw, paste or upload something, and see what a model makes of it, in words and as
bars."""

from __future__ import annotations

from html import escape
from importlib.resources import files

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
from dessin.studio.plain import Figure, choose, show_figures, show_text
from dessin.studio.texts import Texts
from dessin.studio.try_it.canvas import Given, ask_canvas, read_given, read_picture
from dessin.studio.try_it.render import picture_as_trained, render, rendered_as_trained
from dessin.studio.try_it.trial import Seen, Trial, read_trial
from dessin.studio.workspace import Workspace
from dessin.trust.mistakes.strokes import PAGE

# Two stand side by side, on a phone as well.
_SIDE = 170
_CSS = f"<style>\n{files(__package__).joinpath('answer.css').read_text(encoding='utf-8')}</style>"


def show_waiting(text: str) -> None:
    """What stands in the answer's place while there is nothing to answer to."""
    st.html(f'{_CSS}<div class="dessin waiting">{escape(text)}</div>')


def show_answer(seen: Seen, trial: Trial, texts: Texts) -> None:
    """The answer in words, the likeliest classes, and what it was about."""
    answer = seen.answer
    title, words = _in_words(seen, trial, texts)
    small = "" if answer.abstention else f"<small>{escape(texts('try.looks_like'))}</small>"
    says = f"<p>{escape(words)}</p>" if words else ""
    bars = "".join(_bar(candidate) for candidate in answer.candidates)
    st.html(
        f'{_CSS}<div class="dessin verdict {answer.abstention}" role="status">{small}'
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


_WAYS = ("draw", "upload")
_FILES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "heif")


def show_try_it(workspace: Workspace, texts: Texts) -> None:
    """Choose a model of the workspace, and ask it."""
    if not workspace.models:
        show_text(texts("try.none"))
        return
    name = choose(texts("try.model"), workspace.models, key="try.model")
    with st.spinner(texts("try.loading")):
        trial = read_trial(workspace, name)
    _desk(trial, texts)


# A fragment: after a stroke this alone is run again, and nothing is read from the disk.
@st.fragment
def _desk(trial: Trial, texts: Texts) -> None:
    paper, beside = st.columns(2, gap="large")
    try:
        with speaking(texts.language), paper:
            given = _ask_given(trial, texts)
        with speaking(texts.language), beside:
            _answer(given, trial, texts)
    except DessinError as refused:
        with beside:
            show_text(str(refused), "error")


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
        return read_given(ask_canvas(texts, pen=trial.look.thickness))
    file = st.file_uploader(texts("try.file"), type=list(_FILES), key="try.file")
    return None if file is None else read_picture(file.getvalue())


def _answer(given: Given | None, trial: Trial, texts: Texts) -> None:
    """The answer above the ticks that it depends on, so that a phone shows it right below the drawing."""
    answer = st.container()
    uploads = st.session_state["try.way"] == "upload"
    with_map = trial.has_maps and st.checkbox(texts("try.map"), value=True, key="try.map")
    if not trial.has_maps:
        show_text(texts("try.no_map"), "note")
    look = _ask_look(trial.look, texts, is_picture=uploads if given is None else not isinstance(given, tuple))
    with answer:
        if given is None:
            show_waiting(texts("try.waiting_file" if uploads else "try.waiting"))
        else:
            seen = trial.ask(_page(given, look, trial, texts), with_map=with_map)
            show_answer(seen, trial, texts)
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

"""The answer on the page: in words, as bars, and the pictures that it is about."""

from __future__ import annotations

from html import escape

import streamlit as st

from dessin.images.decode import Pixels
from dessin.page.pictures import image_data_uri
from dessin.serving.answer import Candidate
from dessin.serving.studio.plain import Figure, show_figures, show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.try_it.trial import Seen, Trial

# Two stand side by side, on a phone as well.
_SIDE = 170
_CSS = """<style>
.dessin.verdict small { display: block; color: #6b7280; font-size: 0.9rem; }
.dessin.verdict strong { display: block; font-size: 1.9rem; line-height: 1.2; font-weight: 680;
  letter-spacing: -0.02em; }
.dessin.verdict p { margin: 6px 0 0; }
.dessin.verdict.unsure strong, .dessin.verdict.no_class strong { color: #a8481a; }
ol.dessin.bars { list-style: none; margin: 14px 0 0; padding: 0; display: grid; gap: 10px; }
.dessin.bars li { margin: 0; }
.dessin.bars .row { display: flex; justify-content: space-between; gap: 12px;
  font-variant-numeric: tabular-nums; }
.dessin.bars .track { display: block; height: 8px; border-radius: 4px; background: #e6e8ec; margin-top: 3px; }
.dessin.bars .fill { display: block; height: 100%; min-width: 2px; border-radius: 4px; background: #b6c3ea; }
.dessin.bars li:first-child .fill { background: #3157c4; }
.dessin.bars li:first-child .row { font-weight: 600; }
.dessin.waiting { display: grid; place-items: center; text-align: center; min-height: 220px; padding: 24px;
  color: #6b7280; background: #f6f7f9; border: 1px dashed #c9cdd6; border-radius: 12px; }
</style>"""


def show_waiting(text: str) -> None:
    """What stands in the answer's place while there is nothing to answer to."""
    st.html(f'{_CSS}<div class="dessin waiting">{escape(text)}</div>')


def show_answer(seen: Seen, trial: Trial, texts: Texts) -> None:
    """The answer in words, the likeliest classes, and what it was about."""
    answer = seen.answer
    title, words = _in_words(seen, trial, texts)
    small = "" if answer.silence else f"<small>{escape(texts('looks_like'))}</small>"
    says = f"<p>{escape(words)}</p>" if words else ""
    bars = "".join(_bar(candidate) for candidate in answer.candidates)
    st.html(
        f'{_CSS}<div class="dessin verdict {answer.silence}" role="status">{small}'
        f"<strong>{escape(title)}</strong>{says}</div>"
        f'<ol class="dessin bars" aria-label="{escape(texts("bars"))}">{bars}</ol>'
    )
    took = texts("took", milliseconds=round(1000 * seen.seconds))
    show_text(f"{texts('calibrated' if trial.calibrated else 'uncalibrated')} {took}", "note")


def show_pictures(seen: Seen, texts: Texts) -> None:
    """The page as the model sees it, and where it looked."""
    figures = [Figure(_address(seen.picture), texts("sees"))]
    if seen.overlay is not None:
        figures.append(Figure(_address(seen.overlay), texts("spoke", name=seen.answer.best.name)))
    show_figures(figures, side=_SIDE)
    if seen.overlay is not None:
        show_text(texts("map_note"), "note")


def _in_words(seen: Seen, trial: Trial, texts: Texts) -> tuple[str, str]:
    """The answer as a title, and what is to be added where it is none."""
    best = seen.answer.best
    values = {"name": best.name, "probability": _percent(best.probability)}
    match seen.answer.silence:
        case "unsure":
            return texts("unsure"), texts(
                "unsure_says", threshold=_percent(trial.committee.threshold), **values
            )
        case "no_class":
            return texts("no_class"), texts("no_class_says", **values)
        case _:
            return best.name, ""


def _bar(candidate: Candidate) -> str:
    return (
        f'<li><span class="row"><span>{escape(candidate.name)}</span><span>{_percent(candidate.probability)}'
        f'</span></span><span class="track" aria-hidden="true">'
        f'<span class="fill" style="width: {100 * candidate.probability:.1f}%"></span></span></li>'
    )


def _percent(probability: float) -> str:
    """Never 0% or 100%, which no model can know."""
    return "< 1%" if probability < 0.005 else "> 99%" if probability > 0.995 else f"{probability:.0%}"


def _address(pixels: Pixels) -> str:
    return image_data_uri(pixels, kind="webp", quality=90)

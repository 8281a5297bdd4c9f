"""Images with what a model says of them, as a page for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from dessin.images.decode import Unreadable
from dessin.images.shrink import shrunk
from dessin.language import tr, tr_n
from dessin.page.blocks import Column, Gallery, Page, Picture, Shot, Table
from dessin.page.numbers import number, percent
from dessin.page.pictures import image_data_uri
from dessin.page.words import Bar
from dessin.serving.named import Candidate
from dessin.serving.runtime import Answer, ImageFile

_SIDE = 240  # of a picture, in pixels
_SHOWN = 24


def answer_page(file: ImageFile, candidates: Sequence[Candidate], reason: str) -> Page:
    """An image beside its likeliest classes; `reason` says why it has none, or why none is sure."""
    if not candidates:
        return Page(file.image_id, reason, ())
    best = candidates[0]
    shares = [(each, percent(each.probability, 1)) for each in candidates]
    rows = tuple((each.name, share, Bar(each.probability, share)) for each, share in shares)
    table = Table((Column(tr("Class")), Column(tr("Probability"), number=True), Column("")), rows)
    shot = Gallery((Shot((_picture(file),)),), "large")
    lead = f"{file.image_id}. {tr('Unsure: {reason}.', reason=reason)}" if reason else file.image_id
    return Page(f"{best.name}, {percent(best.probability, 1)}", lead, (shot, table))


def answers_page(seen: Sequence[tuple[ImageFile, Answer]], unread: int) -> Page:
    """Images with what a model says of them; `unread` others could not be read."""
    unsure = sum(bool(answer.abstention) for _, answer in seen)
    counts = [tr_n("{n} image", "{n} images", len(seen))]
    counts += [tr("{n} unsure", n=number(unsure))] if unsure else []
    counts += [tr("{n} could not be read", n=number(unread))] if unread else []
    shots = []
    for file, answer in seen[:_SHOWN]:
        title = f"{answer.best.name}, {percent(answer.best.probability)}"
        name = PurePosixPath(file.image_id).name
        note = f"{name}: {answer.reason}" if answer.reason else name
        shots.append(Shot((_picture(file),), title, note, tone="warn" if answer.abstention else ""))
    return Page(tr("Answers"), ", ".join(counts), (Gallery(tuple(shots), "small"),) if shots else ())


def _picture(file: ImageFile) -> Picture:
    try:
        pixels = shrunk(file.pixels(), _SIDE)
    except Unreadable:
        return Picture("", file.image_id)
    return Picture(image_data_uri(pixels, kind="webp"), file.image_id)

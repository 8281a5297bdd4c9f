"""The page of an explanation: whether the maps can be trusted, then drawings with their maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dessin.answers.committee import Committee
from dessin.errors import DessinError
from dessin.images.paths import image_path
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import Block, Gallery, Grid, Page, Picture, Section, Sentence, Shot, Step, Table
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, change, counted, listed, number, percent, plain, short
from dessin.page.parts import dots, further, measured, paragraphs, step, what_next, written_by
from dessin.page.pictures import ACCENT, MUTED, SECOND, Line, chart, enlarged, image_data_uri
from dessin.page.words import Tag
from dessin.statistics.intervals import Estimate
from dessin.trust.explain.measure import SMALLEST, is_better
from dessin.trust.explain.result import Explanation, FaithfulnessResult, MapRow, MethodRow

METHOD_NAMES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM", "occlusion": "Occlusion"}
SHOWN = 60
_QUALITY, _NAMED = 82, 8


def worded(found: FaithfulnessResult) -> FaithfulnessResult:
    """With each method's verdict explained."""
    rows = (row.model_copy(update={"text": method_words(row)}) for row in found.methods)
    return found.model_copy(update={"methods": tuple(rows)})


def method_words(row: MethodRow) -> str:
    """What follows from the two tests of a method's maps, and how they came out."""
    gains = "; ".join(f"{name} {change(gain)}" for name, gain in _gains(row).items())
    tests = tr("What the maps gain (n\u00a0=\u00a0{n}): {gains}.", n=row.deletion.maps.n, gains=gains)
    return f"{_verdict(row)[1]} {_of_ink(row)} {tests}"


def _gains(row: MethodRow) -> dict[str, Estimate]:
    """What the maps gain over others in the two tests, so turned that more is better in both."""
    names = (
        tr("taken away, against random maps"),
        tr("shown, against random maps"),
        tr("taken away, against maps of the ink"),
        tr("shown, against maps of the ink"),
    )
    return dict(zip(names, (*row.gains("random"), *row.gains("ink")), strict=True))


def _of_ink(row: MethodRow) -> str:
    return {
        1: tr("They say more than where the ink is."),
        0: tr("Whether they say more than where the ink is stays open."),
        -1: tr("A map of the ink alone, which knows nothing of the model, does better."),
    }[_standing(*row.gains("ink"))]


def _verdict(row: MethodRow) -> tuple[Tag, str]:
    """What follows from the tests, in a word or two and in a sentence."""
    partly = tr("One test speaks for the maps, the other cannot tell: trust them with care.")
    if _standing(*row.gains("random")) == 1:
        partly = tr("The maps mark what the answers rest on better than chance does: trust them with care.")
    return {
        "faithful": (
            Tag(tr("faithful"), "good"),
            tr("The maps mark what the answers rest on, better than chance and than the ink do."),
        ),
        "partly faithful": (Tag(tr("partly faithful")), partly),
        "not shown": (
            Tag(tr("not shown"), "warn"),
            tr("It was not shown that the maps mark what answers rest on: do not trust a single one."),
        ),
        "misleading": (
            Tag(tr("misleading"), "warn"),
            tr("In one of the two tests maps that know nothing do better: do not trust these."),
        ),
    }[row.verdict]


def _standing(*gains: Estimate) -> int:
    """1 if all gains are for certain, -1 if all are losses, else 0."""
    if all(is_better(gain) for gain in gains):
        return 1
    return -1 if all(is_better(-gain) for gain in gains) else 0


def explain_page(
    folder: Path, explanation: Explanation, committee: Committee, given: Path, collection: str = ""
) -> Page:
    """Whether the maps can be trusted, and the drawings with theirs; `collection` is empty for any images."""
    methods, shown = explanation.faithfulness.methods, galleries(explanation.rows)
    title = tr("Where does it look in these drawings?")
    if collection:
        title = tr("Where does it look in drawings of {collection}?", collection=collection)
    verdicts = [
        tr("{method}: {verdict}", method=METHOD_NAMES[row.method], verdict=_verdict(row)[1])
        for row in methods
    ]
    names = listed([f"{name} ({reason})" for name, reason in explanation.refused.items()], most=_NAMED)
    maps = Counter(row.image_id for row in explanation.rows)
    more = explanation.drawings - sum(len(gallery.rows) for gallery in shown)
    every = tr_n("{n} more lies in maps/ beside this page.", "{n} more lie in maps/ beside this page.", more)
    return Page(
        title,
        " ".join(verdicts),
        (
            *paragraphs(
                names and tr("These images could not be read: {names}.", names=names), kind="warning"
            ),
            *(_gallery(folder, one, maps, committee.names) for one in shown),
            *paragraphs(every if more else "", kind="note"),
            _tests(explanation),
            _measured(explanation.faithfulness),
            what_next(*_steps(given, bool(collection))),
        ),
        written_by(committee.name, "maps.csv, faithfulness.json"),
    )


def _gallery(folder: Path, gallery: MapGallery, maps: Mapping[str, int], names: Mapping[str, str]) -> Section:
    shots, note = [], gallery.note
    for row in gallery.rows:
        named, said = names.get(row.predicted, row.predicted), [percent(row.probability)]
        if row.right is False:
            said.append(tr("it is {label}", label=names.get(row.label, row.label)))
        if row.centre is None:
            said.append(tr("nothing speaks for it"))
        alt = tr("{image} beside what speaks for {label}", image=row.image_id, label=named)
        picture = Picture(_picture(folder, row), alt, kind="sheet")
        shots.append(Shot((picture,), named, "; ".join(said), tone="warn" if row.right is False else ""))
    if len(shots) < gallery.of:
        note = f"{note} {tr('{n} of {all} are shown.', n=len(shots), all=number(gallery.of))}".strip()
    side_by_side = Gallery(tuple(shots), "large" if maps[gallery.rows[0].image_id] < 2 else "wide")
    return Section(gallery.title, (side_by_side,), note)


def _tests(explanation: Explanation) -> Section:
    found = explanation.faithfulness
    cards = tuple(_method(row, explanation) for row in found.methods)
    lead = tr(
        "Two tests on {drawings} in {groups}. Taken away in the order of the map, the class should lose its "
        "probability soon; shown in that order on empty paper, it should come soon.",
        drawings=counted(found.drawings, "drawing"),
        groups=counted(found.groups, "group"),
    )
    return Section(tr("Do the maps tell the truth?"), cards, lead, "truth")


def _method(row: MethodRow, explanation: Explanation) -> Section:
    plotted = []
    for name, gain in _gains(row).items():
        tone = "better" if gain.low > 0 else "worse" if gain.high < 0 else "cannot-tell"
        plotted.append(Dot.of(capital(name), gain, change(gain, 2), tone=tone))
    notes = [
        tr(
            "Gain in area; a gain counts from {least} on, and right of the line the maps are better.",
            least=short(SMALLEST),
        )
    ]
    rows = [one for one in explanation.rows if one.is_main and one.method == row.method]
    if full := [(one.on_ink, one.ink) for one in rows if one.on_ink is not None]:
        on_ink, ink = (percent(sum(part) / len(full)) for part in zip(*full, strict=True))
        said = tr("Of a map {on_ink} is on ink, which covers {ink} of a drawing.", on_ink=on_ink, ink=ink)
        notes.append(said)
    if row.agreement:
        agreement = change(row.agreement)
        notes.append(tr("Rank correlation with the occlusion check: {agreement}.", agreement=agreement))
    if row.empty:
        notes.append(tr_n("{n} map is empty, and counts.", "{n} maps are empty, and count.", row.empty))
    plot = dots(dot_plot(plotted, _tick, line=0.0))
    blocks: tuple[Block, ...] = (*paragraphs(_of_ink(row)), plot, *paragraphs(" ".join(notes), kind="note"))
    return Section(METHOD_NAMES[row.method], blocks, tags=(_verdict(row)[0],), card=True)


def _tick(value: float) -> str:
    """`−0.05`; nothing before a zero."""
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "−")


def _measured(found: FaithfulnessResult) -> Section:
    meanings = {
        "gradcam": tr("a gradient of the class at the last feature map, averaged, times that map"),
        "hirescam": tr("the same gradient place by place, times the map"),
        "occlusion": tr("what the class loses where a cell of the drawing is covered with paper"),
    }
    how = tr(
        "The sample was drawn by the seed {seed}. In the place of what is not to be seen comes {baseline}. A "
        "map shows in large cells which places speak for one class, not why. Maps of several models are "
        "averaged by weight, only of those that did not see the drawing.",
        seed=found.seed,
        baseline=retold(found.baseline),
    )
    styles = {
        "maps": (tr("These maps"), ACCENT, "-"),
        "ink": (tr("Maps of the ink"), SECOND, "--"),
        "random": (tr("Random maps"), MUTED, ":"),
    }
    tests = (
        ("deletion", tr("Taken away: lower is better"), tr("% of the area taken away")),
        ("insertion", tr("Shown: higher is better"), tr("% of the area shown")),
    )
    titles = (tr("Area under the curve"),), [label for label, _, _ in styles.values()]
    sections = []
    for row in found.methods:
        cells, pictures = [], []
        for test, title, axis in tests:
            curves = {of: row.curves[f"{test} {of}"] for of in styles}
            lines = [Line(range(0, 101, 10), curves[of], *style) for of, style in styles.items()]
            picture = chart(lines, axis, tr("probability of the class"), ylim=(0, None))
            pictures.append(Section("", (Picture(picture, title, title, "chart"),)))
            cells.append((title, *(plain(getattr(getattr(row, test), of)) for of in styles)))
        areas = Table.of(*titles, cells, file=f"faithfulness-{row.method}")
        said = {"meaning": capital(meanings[row.method]), "rows": row.cells[0], "columns": row.cells[1]}
        lead = tr("{meaning}; {rows} × {columns} cells.", **said)
        sections.append(Section(METHOD_NAMES[row.method], (Grid(tuple(pictures)), areas), lead))
    return measured(Sentence(how), *sections)


def _steps(given: Path, own: bool) -> Iterator[Step]:
    if own:
        yield from further(given, "mistakes")
    why = tr("Check the maps by covering parts of the drawings, which takes longer.")
    images = () if own else ("--images", "IMAGES")
    yield step(why, "explain", given, *images, "--methods", "gradcam,occlusion", "--out", "maps-checked")


@dataclass(frozen=True)
class MapGallery:
    """Answers under one title; `of` is how many could stand there."""

    title: str
    note: str
    rows: Sequence[MapRow]
    of: int


def galleries(rows: Sequence[MapRow]) -> list[MapGallery]:
    """At most `SHOWN` answers: the surest and the most doubtful, wrong and right apart where known."""
    # The first of a drawing's rows is that of the first method and of the answer.
    first = {row.image_id: row for row in reversed(rows) if row.is_main}
    ordered = sorted(first.values(), key=lambda row: (-row.probability, row.image_id))
    wrong, right = ([row for row in ordered if row.right is side] for side in (False, True))
    half, fifth = SHOWN // 2, SHOWN // 5
    note = tr("Beside each drawing: what speaks for the answer, then for the class that is right.")
    found = [
        MapGallery(tr("Wrong, the surest first"), note, wrong[: 2 * fifth], len(wrong)),
        MapGallery(tr("Right, the surest first"), "", right[: 2 * fifth], len(right)),
        MapGallery(tr("Right, the most doubtful first"), "", right[2 * fifth :][::-1][:fifth], len(right)),
    ]
    if not wrong and not right:
        note = tr("Whether these answers are right is not known.")
        found = [
            MapGallery(tr("The surest answers"), note, ordered[:half], len(ordered)),
            MapGallery(tr("The most doubtful answers"), note, ordered[half:][::-1][:half], len(ordered)),
        ]
    return [gallery for gallery in found if gallery.rows]


def _picture(folder: Path, row: MapRow) -> str:
    stored = cv2.imread(str(image_path(folder, row.file)), cv2.IMREAD_COLOR)
    if stored is None:
        raise DessinError(f"The picture {folder / row.file} is gone.", do="Explain anew.")
    pixels = enlarged(stored[..., ::-1].astype(np.uint8))
    return image_data_uri(pixels, kind="webp", quality=_QUALITY)

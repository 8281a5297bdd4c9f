"""The page of an explanation: whether the maps can be trusted, then drawings with their maps."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dessin.answers.committee import Committee
from dessin.errors import DessinError
from dessin.images.paths import image_path
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import (
    Block,
    Column,
    Dots,
    Fact,
    Facts,
    Gallery,
    GallerySize,
    Grid,
    Next,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, change, listed, number, percent, plain, short
from dessin.page.pictures import ACCENT, MUTED, SECOND, enlarged, figure_data_uri, image_data_uri, new_figure
from dessin.page.words import Tone
from dessin.statistics.intervals import Estimate
from dessin.trust.explain.measure import SMALLEST, is_better
from dessin.trust.explain.result import Explanation, FaithfulnessResult, MapRow, MethodRow, Verdict

METHOD_NAMES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM", "occlusion": "Occlusion"}
_TONES: dict[Verdict, Tone] = {
    "faithful": "good",
    "partly faithful": "",
    "not shown": "warn",
    "misleading": "warn",
}
SHOWN = 60
_QUALITY, _NAMED = 82, 8
_Choice = tuple[str, str, Sequence[MapRow], int]


def worded(found: FaithfulnessResult) -> FaithfulnessResult:
    """With each method's verdict explained."""
    rows = (row.model_copy(update={"text": method_words(row)}) for row in found.methods)
    return found.model_copy(update={"methods": tuple(rows)})


def method_words(row: MethodRow) -> str:
    """The two tests of a method's maps, and what follows from them."""
    taken, shown = row.deletion, row.insertion
    tests = tr(
        "Where the marked places go first, the area under the curve is {taken}, against {taken_random} for "
        "random maps ({less}, lower is better); where they come first, {shown} against {shown_random} "
        "({more}, higher is better); n\u00a0=\u00a0{n}.",
        taken=f"{taken.maps.value:.3f}",
        taken_random=f"{taken.random.value:.3f}",
        less=change(taken.over_random),
        shown=f"{shown.maps.value:.3f}",
        shown_random=f"{shown.random.value:.3f}",
        more=change(shown.over_random),
        n=taken.maps.n,
    )
    numbers = {"deletion": change(taken.over_ink), "insertion": change(shown.over_ink)}
    match _standing(*row.gains("ink")):
        case 1:
            ink = tr(
                "They say more than where the ink is (deletion {deletion}, insertion {insertion}).", **numbers
            )
        case -1:
            ink = tr(
                "A map of the ink alone, which knows nothing of the model, does better (deletion {deletion}, "
                "insertion {insertion}): what they gain over random maps may be no more than knowing where "
                "something is drawn.",
                **numbers,
            )
        case _:
            ink = tr(
                "Whether they say more than where the ink is stays open (deletion {deletion}, insertion "
                "{insertion}): what they gain over random maps may be no more than knowing where something "
                "is drawn.",
                **numbers,
            )
    return f"{tests} {_conclusion(row)} {ink}"


def _conclusion(row: MethodRow) -> str:
    if row.verdict == "partly faithful" and _standing(*row.gains("random")) == 1:
        return tr("The maps mark what the answers rest on better than chance does: trust them with care.")
    return {
        "faithful": tr("The maps mark what the answers rest on, better than chance and than the ink do."),
        "partly faithful": tr(
            "One test speaks for the maps and the other cannot tell: trust them with care."
        ),
        "not shown": tr(
            "It was not shown that the maps mark what the answers rest on: do not trust a single one."
        ),
        "misleading": tr("In one of the two tests maps that know nothing do better: do not trust these."),
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
    found = explanation.faithfulness
    shown = galleries(folder, explanation.rows)
    title = tr("Where does it look in these drawings?")
    if collection:
        title = tr("Where does it look in drawings of {collection}?", collection=collection)
    facts = [_fact(row) for row in found.methods]
    facts.append(Fact(tr("Drawings explained"), number(explanation.drawings)))
    blocks: list[Block] = [Facts(tuple(facts))]
    if refused := explanation.refused:
        named = [f"{image_id} ({reason})" for image_id, reason in refused.items()]
        left_out = tr_n(
            "{n} image could not be read: {names}.",
            "{n} images could not be read: {names}.",
            len(refused),
            names=listed(named, most=_NAMED),
        )
        blocks.append(Sentence(left_out, "warning"))
    blocks += [_gallery(one, committee) for one in shown]
    more = explanation.drawings - sum(len(gallery.tiles) for gallery in shown)
    every = tr("All pictures lie in maps/ too, and maps.csv has a row a map.")
    if more > 0:
        every = tr_n(
            "{n} more drawing with its map lies in maps/ beside this page, and maps.csv has a row a map.",
            "{n} more drawings with their maps lie in maps/ beside this page, and maps.csv has a row a map.",
            more,
        )
    blocks += [
        Sentence(every, "note"),
        _tests(explanation),
        _measured(found),
        Section(tr("What to do next"), (Next(tuple(_steps(given, bool(collection)))),), anchor="next"),
    ]
    lead = " ".join(
        tr("{method}: {verdict}", method=METHOD_NAMES[row.method], verdict=_conclusion(row))
        for row in found.methods
    )
    return Page(title, lead, tuple(blocks), tr("Written by dessin about {model}.", model=committee.name))


def _fact(row: MethodRow) -> Fact:
    verdicts: dict[Verdict, str] = {
        "faithful": tr("faithful"),
        "partly faithful": tr("partly faithful"),
        "not shown": tr("not shown"),
        "misleading": tr("misleading"),
    }
    against = {
        1: tr("better than maps of the ink alone"),
        0: tr("not clearly better than maps of the ink alone"),
        -1: tr("worse than maps of the ink alone"),
    }
    ink = against[_standing(*row.gains("ink"))]
    return Fact(METHOD_NAMES[row.method], verdicts[row.verdict], ink, _TONES[row.verdict])


def _gallery(gallery: MapGallery, committee: Committee) -> Section:
    def shot(tile: Tile) -> Shot:
        row, name = tile.row, committee.names.get
        named = name(row.predicted, row.predicted)
        alt = tr("{image} beside what speaks for {label}", image=row.image_id, label=named)
        said = [percent(row.probability)]
        if row.right is False:
            said.append(tr("it is {label}", label=name(row.label, row.label)))
        if row.centre is None:
            said.append(tr("nothing speaks for it"))
        tone: Tone = "warn" if row.right is False else ""
        return Shot((Picture(tile.picture, alt, kind="sheet"),), named, "; ".join(said), tone=tone)

    note = gallery.note
    if len(gallery.tiles) < gallery.of:
        some = tr("{n} of {all} are shown.", n=len(gallery.tiles), all=number(gallery.of))
        note = f"{note} {some}".strip()
    size: GallerySize = "large" if gallery.tiles[0].panels <= 2 else "wide"
    return Section(gallery.title, (Gallery(tuple(map(shot, gallery.tiles)), size),), note)


def _tests(explanation: Explanation) -> Section:
    found = explanation.faithfulness
    cards = tuple(_method(row, explanation) for row in found.methods)
    lead = tr(
        "Two tests on {drawings} in {groups}. Places go in the order in which a map marks them: taken away "
        "first, the class should lose its probability soon; shown first on empty paper, it should come soon. "
        "Maps that know nothing and maps that know only where ink is are held against them.",
        drawings=tr_n("{n} drawing", "{n} drawings", found.drawings),
        groups=tr_n("{n} group", "{n} groups", found.groups),
    )
    return Section(tr("Do the maps tell the truth?"), cards, lead, "truth")


def _method(row: MethodRow, explanation: Explanation) -> Section:
    """The words of a method, and what its maps gain, so turned that more is better in both tests."""
    names = (
        (tr("Taken away, against random maps"), tr("Shown, against random maps")),
        (tr("Taken away, against maps of the ink"), tr("Shown, against maps of the ink")),
    )
    dots = []
    for other, tests in zip(("random", "ink"), names, strict=True):
        for name, gain in zip(tests, row.gains(other), strict=True):
            tone = "better" if gain.low > 0 else "worse" if gain.high < 0 else "cannot-tell"
            dots.append(Dot.of(name, gain, change(gain, 2), tone=tone))
    notes = [
        tr(
            "Gain in area, paired by drawing, with 95% intervals over groups of drawings; right of the line "
            "the maps are better. A gain below {least} counts as none.",
            least=short(SMALLEST),
        )
    ]
    rows = [one for one in explanation.rows if one.is_main and one.method == row.method]
    if mass := _mass(rows):
        notes.append(
            tr(
                "Of a map’s mass {on_ink} is on ink, on average, and ink covers {ink} of a drawing.",
                on_ink=percent(mass[0]),
                ink=percent(mass[1]),
            )
        )
    if row.agreement:
        agreement = change(row.agreement)
        notes.append(tr("Rank correlation with the occlusion check: {agreement}.", agreement=agreement))
    if row.empty:
        empty = tr_n("{n} map is empty, and counts.", "{n} maps are empty, and count.", row.empty)
        notes.append(empty)
    blocks = (Sentence(row.text), Dots(dot_plot(dots, _tick, line=0.0)), Sentence(" ".join(notes), "note"))
    return Section(METHOD_NAMES[row.method], blocks, card=True)


def _tick(value: float) -> str:
    """`−0.05`; nothing before a zero."""
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "−")


def _measured(found: FaithfulnessResult) -> Section:
    meanings = {
        "gradcam": tr(
            "a gradient of the class at the last feature map, averaged over the picture, times that map"
        ),
        "hirescam": tr("the same gradient place by place, times the map"),
        "occlusion": tr(
            "what the class loses where a cell of the drawing is covered with paper; no gradient"
        ),
    }
    how = tr(
        "The sample was drawn by the seed {seed}. In the place of what is not to be seen comes {baseline}. A "
        "map shows which places speak for one class, in few and large cells, whose edges are not those of "
        "lines; it does not say why they speak for it.",
        seed=found.seed,
        baseline=retold(found.baseline),
    )
    if found.models > 1:
        how += " " + tr(
            "The maps of {n} models are averaged by weight, of drawings of a fold those of the models that "
            "did not see them.",
            n=found.models,
        )
    columns = (
        Column(tr("Area under the curve")),
        *(
            Column(title, number=True)
            for title in (tr("These maps"), tr("Random maps"), tr("Maps of the ink"))
        ),
    )
    blocks: list[Block] = [Sentence(how)]
    for row in found.methods:
        charts = (
            (
                tr("Taken away, the marked places first: lower is better."),
                "deletion",
                tr("% of the area taken away"),
            ),
            (tr("Shown, the marked places first: higher is better."), "insertion", tr("% of the area shown")),
        )
        areas = tuple(
            (title, *(plain(one) for one in (measure.maps, measure.random, measure.ink)))
            for (title, _, _), measure in zip(charts, (row.deletion, row.insertion), strict=True)
        )
        lead = tr(
            "{meaning}; {rows} × {columns} cells.",
            meaning=capital(meanings[row.method]),
            rows=row.cells[0],
            columns=row.cells[1],
        )
        pictures = tuple(
            Section("", (Picture(_curves(row, curve, axis), title, title, "chart"),))
            for title, curve, axis in charts
        )
        table = Table(columns, areas, file=f"faithfulness-{row.method}")
        blocks.append(Section(METHOD_NAMES[row.method], (Grid(pictures), table), lead))
    return Section(tr("How this was measured"), tuple(blocks), anchor="how", folded=True)


def _curves(row: MethodRow, curve: str, axis: str) -> str:
    """The mean curves of one of the two tests, as a picture."""
    lines = (
        ("maps", tr("these maps"), ACCENT, "-"),
        ("ink", tr("maps of the ink"), SECOND, "--"),
        ("random", tr("random maps"), MUTED, ":"),
    )
    figure, axes = new_figure(4.6, 2.7)
    for name, label, colour, style in lines:
        values = row.curves[f"{curve} {name}"]
        shares = [100 * step / (len(values) - 1) for step in range(len(values))]
        axes.plot(shares, values, color=colour, linestyle=style, linewidth=1.8, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axis)
    axes.set_ylabel(tr("probability of the class"))
    axes.legend(fontsize=9, frameon=False)
    return figure_data_uri(figure)


def _steps(given: Path, own: bool) -> Iterator[Step]:
    model, images = shlex.quote(str(given)), "" if own else " --images IMAGES"
    if own:
        yield Step(
            tr("See all mistakes, sorted by what is taken for what, with these maps beside them."),
            f"dessin mistakes {model} --out mistakes",
        )
    yield Step(
        tr("Check the maps by covering parts of the drawings, which needs no gradient and takes longer."),
        f"dessin explain {model}{images} --methods gradcam,occlusion --out maps-checked",
    )


def _mass(rows: Sequence[MapRow]) -> tuple[float, float] | None:
    """The mean shares of a map's mass on ink, and of the square under ink; None where all maps are empty."""
    full = [(row.on_ink, row.ink) for row in rows if row.on_ink is not None]
    if not full:
        return None
    return sum(on_ink for on_ink, _ in full) / len(full), sum(ink for _, ink in full) / len(full)


@dataclass(frozen=True)
class Tile:
    """A drawing beside its maps, in so many panels, as a `data:` address, and the row that it stands for."""

    picture: str
    panels: int
    row: MapRow


@dataclass(frozen=True)
class MapGallery:
    """Tiles under one title; `of` is how many drawings could stand there."""

    title: str
    note: str
    tiles: tuple[Tile, ...]
    of: int


def galleries(folder: Path, rows: Sequence[MapRow]) -> list[MapGallery]:
    """At most `SHOWN` drawings with the maps of their answers; `folder` holds the pictures that rows name."""
    # The first of a drawing's rows is that of the first method and of the answer.
    first = {row.image_id: row for row in reversed(rows) if row.is_main}
    panels = {image_id: count + 1 for image_id, count in Counter(row.image_id for row in rows).items()}
    ordered = sorted(first.values(), key=lambda row: (-row.probability, row.image_id))
    return [
        MapGallery(title, note, tuple(_tile(folder, row, panels[row.image_id]) for row in shown), of)
        for title, note, shown, of in _choices(ordered)
        if shown
    ]


def _choices(rows: Sequence[MapRow]) -> list[_Choice]:
    """The surest and the most doubtful answers; wrong and right ones apart where that is known."""
    if not any(row.label for row in rows):
        half, unknown = SHOWN // 2, tr("Whether these answers are right is not known.")
        return [
            (tr("The surest answers"), unknown, rows[:half], len(rows)),
            (tr("The most doubtful answers"), unknown, rows[half:][::-1][:half], len(rows)),
        ]
    wrong, right = ([row for row in rows if row.right is side] for side in (False, True))
    fifth = SHOWN // 5
    beside = tr("Beside each drawing: what speaks for the answer, then for the class that is right.")
    return [
        (tr("Wrong, the surest first"), beside, wrong[: 2 * fifth], len(wrong)),
        (tr("Right, the surest first"), "", right[: 2 * fifth], len(right)),
        (tr("Right, the most doubtful first"), "", right[2 * fifth :][::-1][:fifth], len(right)),
    ]


def _tile(folder: Path, row: MapRow, panels: int) -> Tile:
    stored = cv2.imread(str(image_path(folder, row.file)), cv2.IMREAD_COLOR)
    if stored is None:
        raise DessinError(f"The picture {folder / row.file} is gone.", do="Explain anew.")
    pixels = enlarged(stored[..., ::-1].astype(np.uint8))
    return Tile(image_data_uri(pixels, kind="webp", quality=_QUALITY), panels, row)

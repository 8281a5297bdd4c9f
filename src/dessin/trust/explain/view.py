"""The page of an explanation: whether the maps can be trusted, in plain words, then drawings with their
maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dessin.answers.committee import Committee
from dessin.errors import DessinError
from dessin.images.paths import image_path
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import change
from dessin.page.pictures import ACCENT, MUTED, SECOND, figure_data_uri, image_data_uri, new_figure
from dessin.page.render import render_page
from dessin.statistics.intervals import Estimate
from dessin.trust.explain.measure import SMALLEST, is_better
from dessin.trust.explain.result import Explanation, FaithfulnessResult, MapRow, MethodRow, Verdict

METHOD_NAMES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM", "occlusion": "Occlusion"}
MEANING = {
    "gradcam": "a gradient of the class at the last feature map, averaged over the picture, times that map",
    "hirescam": "the same gradient place by place, times the map",
    "occlusion": "what the class loses where a cell of the drawing is covered with paper; no gradient in it",
}
_CONCLUSION: dict[Verdict, str] = {
    "faithful": "The maps mark what the answers rest on better than chance does.",
    "partly faithful": "One test speaks for the maps and the other cannot tell: trust them with care.",
    "not shown": "It was not shown that the maps mark what the answers rest on: do not trust a single one.",
    "misleading": "In one of the two tests maps that know nothing do better: do not trust these.",
}
_ONLY_INK = ": what they gain over random maps may be no more than knowing where something is drawn."
_AGAINST_INK = {
    "better than": ("They say more than where the ink is", "."),
    "worse than": ("A map of the ink alone, which knows nothing of the model, does better", _ONLY_INK),
    "not clearly better than": ("Whether they say more than where the ink is stays open", _ONLY_INK),
}
_TONES = {"faithful": "good", "partly faithful": "", "not shown": "warn", "misleading": "warn"}
_LINES = {
    "maps": ("these maps", ACCENT, "-"),
    "ink": ("maps of the ink", SECOND, "--"),
    "random": ("random maps", MUTED, ":"),
}
SHOWN = 60
_QUALITY = 82
_BESIDE = "Beside each drawing: what speaks for the answer, then what speaks for the class that is right."
_UNKNOWN = "Whether these answers are right is not known."
_Choice = tuple[str, str, Sequence[MapRow], int]


def worded(found: FaithfulnessResult) -> FaithfulnessResult:
    """With each method's verdict explained."""
    rows = (row.model_copy(update={"text": method_words(row)}) for row in found.methods)
    return found.model_copy(update={"methods": tuple(rows)})


def method_words(row: MethodRow) -> str:
    """The two tests of a method's maps, and what follows from them."""
    taken, shown = row.deletion, row.insertion
    before, after = _AGAINST_INK[_standing(*row.gains("ink"))]
    tests = (
        f"Where the marked places go first, the area under the curve is {taken.maps.value:.3f}, against "
        f"{taken.random.value:.3f} for random maps ({change(taken.over_random)}, lower is better); where "
        f"they come first, {shown.maps.value:.3f} against {shown.random.value:.3f} "
        f"({change(shown.over_random)}, higher is better); n\u00a0=\u00a0{taken.maps.n}."
    )
    numbers = f"deletion {change(taken.over_ink)}, insertion {change(shown.over_ink)}"
    return f"{tests} {_CONCLUSION[row.verdict]} {before} ({numbers}){after}"


def _short_words(row: MethodRow) -> str:
    """How the maps stand against random ones and against those of the ink."""
    random, ink = (_standing(*row.gains(other)) for other in ("random", "ink"))
    return f"{random} random maps, {'and' if random == ink else ink} maps of the ink alone"


def _standing(*gains: Estimate) -> str:
    """Of all gains: better than, worse than, or neither."""
    if all(is_better(gain) for gain in gains):
        return "better than"
    return "worse than" if all(is_better(-gain) for gain in gains) else "not clearly better than"


def _tick(value: float) -> str:
    """`−0.05`; nothing before a zero."""
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "−")


def explain_page(folder: Path, explanation: Explanation, committee: Committee) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    found, shown = explanation.faithfulness, galleries(folder, explanation.rows)
    main = [row for row in explanation.rows if row.is_main]
    return render_page(
        "dessin.trust.explain",
        "explain.html",
        title=f"Where {committee.name} looks",
        found=found,
        committee=committee,
        drawings=explanation.drawings,
        refused=explanation.refused,
        galleries=shown,
        more=explanation.drawings - sum(len(gallery.tiles) for gallery in shown),
        name_of=lambda label: committee.names.get(label, label),
        method_names=METHOD_NAMES,
        meaning=MEANING,
        tones=_TONES,
        short=_short_words,
        smallest=SMALLEST,
        plots={row.method: _plot(row) for row in found.methods},
        figures={
            row.method: {curve: _curves(row, curve) for curve in ("deletion", "insertion")}
            for row in found.methods
        },
        mass={row.method: _mass([one for one in main if one.method == row.method]) for row in found.methods},
    )


def _plot(row: MethodRow) -> DotPlot:
    """What the maps gain, so turned that more is better in both tests; the line is no gain."""
    dots = []
    for other, against in (("random", "random maps"), ("ink", "maps of the ink")):
        for test, gain in zip(("Taken away", "Shown"), row.gains(other), strict=True):
            name, words = f"{test}, against {against}", change(gain, 2)
            tone = "better" if gain.low > 0 else "worse" if gain.high < 0 else "cannot-tell"
            dots.append(Dot.of(name, gain, words, label=f"{name}: {words}, n = {gain.n}", tone=tone))
    return dot_plot(dots, _tick, line=0.0)


def _curves(row: MethodRow, curve: str) -> str:
    """The mean curves of one of the two tests, as a picture."""
    figure, axes = new_figure(4.6, 2.7)
    for name, (label, colour, style) in _LINES.items():
        values = row.curves[f"{curve} {name}"]
        shares = [100 * step / (len(values) - 1) for step in range(len(values))]
        axes.plot(shares, values, color=colour, linestyle=style, linewidth=1.8, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"% of the area {'taken away' if curve == 'deletion' else 'shown'}")
    axes.set_ylabel("probability of the class")
    axes.legend(fontsize=9, frameon=False)
    return figure_data_uri(figure)


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
    width: int
    height: int
    panels: int
    row: MapRow


@dataclass(frozen=True)
class Gallery:
    """Tiles under one title; `of` is how many drawings could stand there."""

    title: str
    note: str
    tiles: tuple[Tile, ...]
    of: int


def galleries(folder: Path, rows: Sequence[MapRow]) -> list[Gallery]:
    """At most `SHOWN` drawings with the maps of their answers; `folder` holds the pictures that rows name."""
    # The first of a drawing's rows is that of the first method and of the answer.
    first = {row.image_id: row for row in reversed(rows) if row.is_main}
    panels = {image_id: count + 1 for image_id, count in Counter(row.image_id for row in rows).items()}
    ordered = sorted(first.values(), key=lambda row: (-row.probability, row.image_id))
    return [
        Gallery(title, note, tuple(_tile(folder, row, panels[row.image_id]) for row in shown), of)
        for title, note, shown, of in _choices(ordered)
        if shown
    ]


def _choices(rows: Sequence[MapRow]) -> list[_Choice]:
    """The surest and the most doubtful answers; wrong and right ones apart where that is known."""
    if not any(row.label for row in rows):
        half = SHOWN // 2
        return [
            ("The surest answers", _UNKNOWN, rows[:half], len(rows)),
            ("The most doubtful answers", _UNKNOWN, rows[half:][::-1][:half], len(rows)),
        ]
    wrong, right = ([row for row in rows if row.right is side] for side in (False, True))
    fifth = SHOWN // 5
    return [
        ("Wrong, the surest first", _BESIDE, wrong[: 2 * fifth], len(wrong)),
        ("Right, the surest first", "", right[: 2 * fifth], len(right)),
        ("Right, the most doubtful first", "", right[2 * fifth :][::-1][:fifth], len(right)),
    ]


def _tile(folder: Path, row: MapRow, panels: int) -> Tile:
    stored = cv2.imread(str(image_path(folder, row.file)), cv2.IMREAD_COLOR)
    if stored is None:
        raise DessinError(f"The picture {folder / row.file} is gone.", do="Explain anew.")
    pixels = np.ascontiguousarray(stored[..., ::-1]).astype(np.uint8)
    height, width = pixels.shape[:2]
    return Tile(image_data_uri(pixels, kind="webp", quality=_QUALITY), width, height, panels, row)

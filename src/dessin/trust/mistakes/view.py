"""The page of an atlas: what is taken for what, whose drawings fail, and what goes with failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.blocks import Block, Gallery, Grid, Headline, Notes, Page, Picture, Section, Shot, Table
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, counted, listed, number, p_value, percent, share, written_p
from dessin.page.parts import dots, folded, further, measured, paragraphs, step, what_next, written_by
from dessin.page.words import Bar, Tag, Words
from dessin.runs.subject import Subject
from dessin.trust.evaluate.view import confusions
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.galleries import class_galleries, ends_of, mistake_maps, pair_galleries, thumbnail
from dessin.trust.mistakes.result import Atlas, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES, Floats
from dessin.trust.mistakes.words import confused_most

DOTS, TABLE_PAIRS = 20, 200
_OPEN_PAIRS = 8
# Of a group with fewer drawings nothing can be said.
_OF_GROUP, _GROUPS = 4, 12
_FILES = "mistakes.json, classes.csv, pairs.csv, clusters.csv, properties.csv, mistakes.csv"


def atlas_page(atlas: Atlas, subject: Subject, given: Answered, properties: Mapping[str, Floats]) -> Page:
    """Mistakes first, as pictures; then who fails, what goes with it, and what to do."""
    shown, (first, *others) = _Drawings(atlas, subject, given), atlas.summary
    return Page(
        tr("What is taken for what among drawings of {collection}?", collection=subject.collection),
        first,
        (
            Headline.of(atlas.accuracy, tr("of its answers are right")),
            *paragraphs(confused_most(atlas), kind="verdict"),
            *paragraphs(*others),
            _pairs(atlas, subject, given, shown),
            _classes(atlas, given, shown),
            *(_whose(given) if subject.inputs.split.group_by else ()),
            _properties(atlas, given, properties, shown),
            *_clusters(atlas),
            *([Notes(atlas.cautions, tr("To be read with care"))] if atlas.cautions else ()),
            _measured(atlas),
            _next(atlas, subject),
        ),
        written_by(atlas.name, _FILES),
    )


class _Drawings:
    """The drawings as the page shows them, by their places among the answers: `true` and `named` classes."""

    def __init__(self, atlas: Atlas, subject: Subject, given: Answered) -> None:
        names = [atlas.names[label] for label in given.classes]
        self.true, self.named = ([names[one] for one in each] for each in (given.targets, given.predicted))
        self._given, manifest = given, subject.inputs.manifest
        self._source = cache(lambda image_id: thumbnail(manifest.path(image_id), subject.loaded.page))

    def picture(self, image_id: str, caption: Words = "") -> Picture:
        return Picture(self._source(image_id), image_id, caption)

    def shot(self, place: int, title: str, note: Words = "") -> Shot:
        """A drawing; its title is green where it was right, orange where it was wrong."""
        picture = self.picture(self._given.rows[place].image_id)
        return Shot((picture,), title, note, tone="good" if self._given.correct[place] else "warn")

    def answer(self, place: int) -> Shot:
        """A drawing with what the model said of it."""
        taken = tr("taken for {label}", label=self.named[place])
        title = tr("right") if self._given.correct[place] else taken
        return self.shot(place, title, percent(self._given.sureness[place]))

    def mistake(self, place: int, maps: Sequence[str]) -> Shot:
        """A drawing, with its maps of what spoke for the class that it was taken for and for its own."""
        given, named, true = self._given, self.named[place], self.true[place]
        pictures = [self.picture(given.rows[place].image_id, tr("drawing"))]
        for label, source in zip((named, true), maps, strict=False):
            title = tr("for {label}", label=label)
            pictures.append(Picture(source, title, title))
        less = percent(given.probabilities[place, given.targets[place]])
        return Shot(tuple(pictures), note=f"{named} {percent(given.sureness[place])}, {true} {less}")


def _pairs(atlas: Atlas, subject: Subject, given: Answered, shown: _Drawings) -> Section:
    training = [row for row in subject.inputs.split.rows if row.fold is not None]
    pairs, cards = pair_galleries(given, atlas.pairs, training), []
    maps, no_maps = mistake_maps(subject, given, [place for pair in pairs for place in pair.wrong])
    for pair in pairs:
        label, other = atlas.names[pair.row.label], atlas.names[pair.row.predicted]
        said = {"drawings": counted(pair.row.count, "drawing"), "share": percent(pair.row.share)}
        wrong = (shown.mistake(place, maps.get(place, ())) for place in pair.wrong)
        typical = {
            "right": tr("Drawings of {label} that it is surest of:", label=other),
            "wrong": tr("Drawings of {label}, of which none was right:", label=other),
            "training": tr("Training drawings of {label}, for there is none here:", label=other),
        }[pair.typical_of]
        blocks: tuple[Block, ...] = (
            Gallery(tuple(wrong), "medium" if no_maps else "wide"),
            *paragraphs(typical, kind="note"),
            Gallery(tuple(Shot((shown.picture(image_id),)) for image_id in pair.typical), "small"),
        )
        tag = Tag(tr("{drawings}, {share} of its class", **said), "muted")
        title = tr("{label} taken for {other}", label=label, other=other)
        cards.append(Section(title, blocks, tags=(tag,), card=True))
    title, more = tr("What is taken for what"), cards[_OPEN_PAIRS:]
    if not cards:
        return Section(title, tuple(paragraphs(tr("There is no mistake."))), anchor="pairs")
    lead = tr("Maps show what speaks for the class that it named, then what speaks for the true one.")
    rows = confusions(atlas.pairs[:TABLE_PAIRS], atlas.names, "pairs")
    inside: tuple[Block, ...] = (
        *paragraphs(no_maps and tr("There are no maps: {why}", why=no_maps), kind="notice"),
        *cards[:_OPEN_PAIRS],
        *folded(tr_n("{n} pair that is rarer", "{n} pairs that are rarer", len(more)), more),
        *folded(tr("The pairs as a table"), [rows]),
    )
    return Section(title, inside, "" if no_maps else lead, "pairs")


def _classes(atlas: Atlas, given: Answered, shown: _Drawings) -> Section:
    right = {row.label: tr("{right} of {n}", right=row.right, n=row.n) for row in atlas.classes}
    plotted = []
    for row in atlas.classes[:DOTS]:
        tone, note = "worse" if row.worse else "cannot-tell", str(counted(row.groups, "group"))
        plotted.append(Dot.of(row.name, row.recall, right[row.label], tone=tone, note=note))
    rows: list[tuple[Words, ...]] = [
        (
            (row.name, *((" ", Tag(tr("worse"), "warn")) if row.worse else ())),
            listed([f"{atlas.names[taken.label]} ({taken.count})" for taken in row.taken_for], most=4),
            right[row.label],
            number(row.groups),
            share(row.recall),
            written_p(row.p_holm),
        )
        for row in atlas.classes
    ]
    numbers = (tr("Right"), tr("Groups"), tr("Share that is right"), tr("p (Holm)"))
    every = tr_n("{n} class as a table", "All {n} classes as a table", len(atlas.classes))
    cards = []
    for row, places in class_galleries(given, atlas.classes):
        tag = Tag(tr("{right} of {n} right", right=row.right, n=row.n), "warn" if row.worse else "muted")
        cards.append(Section(row.name, (Gallery(tuple(map(shown.answer, places))),), tags=(tag,)))
    blocks: tuple[Block, ...] = (
        dots(
            dot_plot(plotted, line=atlas.accuracy.value, reach=[0.0]),
            dot=tr("worse than the rest beyond chance"),
            quiet=tr("may just be unlucky"),
            line=tr("all classes together"),
        ),
        *folded(every, [Table.of((tr("Class"), tr("Taken for")), numbers, rows, file="classes")]),
        *([Grid(tuple(cards))] if cards else ()),
    )
    return Section(tr("Which classes fail"), blocks, anchor="classes")


def _whose(given: Answered) -> Iterator[Section]:
    """The groups, such as pupils or photos, whose drawings fail most, where they have some drawings each."""
    count, right = np.bincount(given.index), np.bincount(given.index, given.correct).astype(int)
    large = np.flatnonzero(count >= _OF_GROUP)
    if len(large) < 2:
        return
    name = {int(index): row.group for index, row in zip(given.index, given.rows, strict=True)}
    worst = large[np.lexsort((-count[large], right[large] / count[large]))][:_GROUPS]
    rows = (
        (name[at], Bar(share := right[at] / count[at], percent(share)), f"{right[at]} / {count[at]}")
        for at in worst.tolist()
    )
    lead = tr(
        "The worst of {n} groups (a pupil, a photo) with {least} drawings or more; they may just be unlucky.",
        n=len(large),
        least=_OF_GROUP,
    )
    worst_groups = Table.of((tr("Group"), tr("Share that is right")), (tr("Right"),), rows, file="groups")
    yield Section(tr("Whose drawings fail"), (worst_groups,), lead, "groups")


def _properties(atlas: Atlas, given: Answered, measured: Mapping[str, Floats], shown: _Drawings) -> Section:
    cards: tuple[list[Section], list[Section]] = ([], [])
    for row in atlas.properties:
        found = row.finding in ("within classes", "between classes")
        cards[not found].append(_property(row, given, measured[row.name], atlas, shown))
    nothing = tr_n(
        "{n} property with which nothing was seen",
        "{n} properties with which nothing was seen",
        len(cards[1]),
    )
    lead = tr(
        "Drawings in thirds by what can be measured on them, and each property among drawings of a class."
    )
    blocks = (*cards[0], *folded(nothing, cards[1]))
    return Section(tr("What goes with failure"), blocks, lead, "properties")


def _property(row: PropertyRow, given: Answered, values: Floats, atlas: Atlas, shown: _Drawings) -> Section:
    known, parts = PROPERTIES[row.name], row.parts
    tag = {
        "within classes": Tag(tr("goes with failure"), "warn"),
        "between classes": Tag(tr("a matter of classes")),
        "not seen": Tag(tr("nothing seen"), "muted"),
        "cannot tell": Tag(tr("cannot tell"), "muted"),
        "all alike": Tag(tr("all alike"), "muted"),
    }[row.finding]
    blocks: list[Block] = [*paragraphs(row.words)]
    if len(parts) > 1:
        plotted, galleries = [], []
        failing = None if row.failing is None else parts[row.failing]
        for part in parts:
            found, tone = part.accuracy, "worse" if part is failing else ""
            note = f"n\u00a0=\u00a0{number(found.n)}"
            plotted.append(Dot.of(part.name, found, share(found), tone=tone, note=note))
        places = ends_of(values, [one.image_id for one in given.rows])
        for end, own in zip(known.ends, places, strict=True):
            shots = (shown.shot(at, shown.true[at]) for at in own)
            galleries.append(Section(capital(end), (Gallery(tuple(shots), "small"),)))
        blocks += [dots(dot_plot(plotted, line=atlas.accuracy.value)), Grid(tuple(galleries), 300)]
    lead = capital(translated(known.meaning))
    return Section(translated(row.title), tuple(blocks), lead, tags=(tag,), card=True)


def _clusters(atlas: Atlas) -> Iterator[Section]:
    """Folded, and with a word of caution, where they are not beyond chance."""
    rows = [
        (
            listed([atlas.names[label] for label in row.labels], most=12),
            tr("{right} of {n}", right=row.inside, n=row.mistakes),
            percent(row.share, 1),
            percent(row.expected, 1),
        )
        for row in atlas.clusters
        if row.inside
    ]
    if not rows:
        return
    numbers = (tr("Mistakes that stay inside"), tr("Share of all mistakes"), tr("By chance"))
    title, firm = tr("Classes that are confused with one another"), atlas.structure.beyond_chance
    lead = "" if firm else tr("There is no structure beyond chance: the groups below may well be accidents.")
    found = Table.of((tr("Classes"),), numbers, rows, file="clusters")
    yield Section(title, (found,), lead, "clusters", folded=not firm)


def _next(atlas: Atlas, subject: Subject) -> Section:
    data, model = subject.inputs.manifest.root, subject.given
    labels = tr("Some mistakes may be wrong labels: let the answers judge the labels, and look at the worst.")
    audit = step(labels, "audit", data, "--predictions", model, "--out", "labels")
    fails = any(row.failing is not None for row in atlas.properties)
    verbs = ("robustness", "calibrate") if fails else ("calibrate",)
    return what_next(*([audit] if atlas.mistakes else ()), *further(model, *verbs))


def _measured(atlas: Atlas) -> Section:
    structure = atlas.structure
    notes = [
        tr(
            "{drawings} in {groups}, of folds {folds}, each answered by models that were not trained on it. "
            "Intervals of a class are Wilson’s; it counts as worse if as many random groups would seldom do "
            "as badly. Maps are Grad-CAM.",
            drawings=counted(atlas.accuracy.n, "drawing"),
            groups=counted(atlas.groups, "group"),
            folds=", ".join(map(str, atlas.folds)),
        )
    ]
    if structure.p is not None and structure.modularity is not None and structure.by_chance is not None:
        said = {"modularity": f"{structure.modularity:.2f}", "chance": f"{structure.by_chance:.2f}"}
        notes.append(
            tr(
                "Confusions keep within clusters to {modularity} (modularity), by chance to {chance} "
                "(p\u00a0{p}). Clusters were found in these drawings, which flatters them a little.",
                p=p_value(structure.p),
                **said,
            )
        )
    if structure.agreement is not None:
        agreement = f"{structure.agreement:.2f}"
        halves = tr("Clusters of two halves of the drawings agree by {n} (1 the same).", n=agreement)
        notes.append(halves)
    return measured(Notes(tuple(notes)))

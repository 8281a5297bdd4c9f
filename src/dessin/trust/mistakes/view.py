"""The page of an atlas: what is taken for what, whose drawings fail, and what goes with failure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.blocks import (
    Block,
    Dots,
    Gallery,
    Grid,
    Headline,
    Key,
    Notes,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, counted, listed, number, p_value, percent, share, written_p
from dessin.page.parts import columns, folded, further, measured, what_next, written_by
from dessin.page.words import Bar, Tag, Tone, Words
from dessin.runs.subject import Subject
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.galleries import (
    MapPair,
    PairGallery,
    class_galleries,
    ends_of,
    mistake_maps,
    pair_galleries,
    thumbnail,
)
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
    split = subject.inputs.split
    pairs = pair_galleries(given, atlas.pairs, [row for row in split.rows if row.fold is not None])
    maps, no_maps = mistake_maps(subject, given, [place for pair in pairs for place in pair.wrong])
    shown = _Drawings(atlas, subject, given, maps)
    first, *others = atlas.summary
    collection = subject.inputs.manifest.root.resolve().name
    blocks: list[Block] = [Headline.of(atlas.accuracy, tr("of its answers are right"))]
    if most := confused_most(atlas):
        blocks.append(Sentence(most, "verdict"))
    blocks += [
        *(Sentence(sentence) for sentence in others),
        _pairs(atlas, pairs, shown, no_maps),
        _classes(atlas, given, shown),
        *(_whose(given) if split.group_by else []),
        _properties(atlas, given, properties, shown),
        _clusters(atlas),
    ]
    if atlas.cautions:
        blocks.append(Notes(atlas.cautions, tr("To be read with care")))
    return Page(
        tr("What is taken for what among drawings of {collection}?", collection=collection),
        first,
        (*blocks, _measured(atlas), what_next(*_steps(atlas, subject))),
        written_by(atlas.name, _FILES),
    )


class _Drawings:
    """The drawings as the page shows them, by their places among the answers."""

    def __init__(self, atlas: Atlas, subject: Subject, given: Answered, maps: Mapping[int, MapPair]) -> None:
        self._given, self._maps, self.names = given, maps, atlas.names
        self._source = cache(
            lambda image_id: thumbnail(subject.inputs.manifest.path(image_id), subject.loaded.page)
        )

    def picture(self, image_id: str, caption: Words = "") -> Picture:
        return Picture(self._source(image_id), image_id, caption)

    def shot(self, place: int, title: str = "", note: Words = "") -> Shot:
        """A drawing; its title is green where it was right, orange where it was wrong."""
        tone: Tone = "good" if self._given.correct[place] else "warn"
        return Shot((self.picture(self._given.rows[place].image_id),), title, note, tone=tone)

    def answer(self, place: int) -> Shot:
        """A drawing with what the model said of it."""
        named = self.names[self._given.classes[self._given.predicted[place]]]
        title = tr("right") if self._given.correct[place] else tr("taken for {label}", label=named)
        return self.shot(place, title, percent(self._given.sureness[place]))

    def mistake(self, place: int) -> Shot:
        """A drawing, with maps of what spoke for the class that it was taken for and for its own, if any."""
        given = self._given
        named, true = (self.names[given.classes[of[place]]] for of in (given.predicted, given.targets))
        less = percent(given.probabilities[place, given.targets[place]])
        note = f"{named} {percent(given.sureness[place])}, {true} {less}"
        pictures = [self.picture(given.rows[place].image_id, tr("drawing"))]
        if found := self._maps.get(place):
            for label, source in ((named, found.predicted), (true, found.true)):
                title = tr("for {label}", label=label)
                pictures.append(Picture(source, title, title))
        return Shot(tuple(pictures), note=note)


def _pairs(atlas: Atlas, pairs: list[PairGallery], shown: _Drawings, no_maps: str) -> Section:
    title = tr("What is taken for what")
    if not pairs:
        return Section(title, (Sentence(tr("There is no mistake.")),), anchor="pairs")
    cards = [_pair(pair, shown, maps=not no_maps) for pair in pairs]
    more = cards[_OPEN_PAIRS:]
    rows = tuple(
        (atlas.names[row.label], atlas.names[row.predicted], number(row.count), percent(row.share))
        for row in atlas.pairs[:TABLE_PAIRS]
    )
    titles = columns((tr("Class"), tr("Taken for")), (tr("Drawings"), tr("Share of the class")))
    lead = tr("Maps show what speaks for the class that it named, then what speaks for the true one.")
    return Section(
        title,
        (
            *((Sentence(tr("There are no maps: {why}", why=no_maps), "notice"),) if no_maps else ()),
            *cards[:_OPEN_PAIRS],
            *folded(tr_n("{n} pair that is rarer", "{n} pairs that are rarer", len(more)), more),
            *folded(tr("The pairs as a table"), [Table(titles, rows, file="pairs")]),
        ),
        "" if no_maps else lead,
        "pairs",
    )


def _pair(pair: PairGallery, shown: _Drawings, *, maps: bool) -> Section:
    own, named = shown.names[pair.row.label], shown.names[pair.row.predicted]
    said = {"drawings": counted(pair.row.count, "drawing"), "share": percent(pair.row.share)}
    typical = {
        "right": tr("Drawings of {label} that it is surest of:", label=named),
        "wrong": tr("Drawings of {label}, of which none was right:", label=named),
        "training": tr("Training drawings of {label}, for there is none here:", label=named),
    }[pair.typical_of]
    return Section(
        tr("{label} taken for {other}", label=own, other=named),
        (
            Gallery(tuple(map(shown.mistake, pair.wrong)), "wide" if maps else "medium"),
            Sentence(typical, "note"),
            Gallery(tuple(Shot((shown.picture(image_id),)) for image_id in pair.typical), "small"),
        ),
        tags=(Tag(tr("{drawings}, {share} of its class", **said), "muted"),),
        card=True,
    )


def _classes(atlas: Atlas, given: Answered, shown: _Drawings) -> Section:
    dots = [
        Dot.of(
            row.name,
            row.recall,
            tr("{right} of {n}", right=row.right, n=row.n),
            tone="worse" if row.worse else "cannot-tell",
            note=str(counted(row.groups, "group")),
        )
        for row in atlas.classes[:DOTS]
    ]
    key = (
        Key("dot", tr("worse than the rest beyond chance")),
        Key("quiet", tr("may just be unlucky")),
        Key("line", tr("all classes together")),
    )
    numbers = (tr("Right"), tr("Groups"), tr("Share that is right"), tr("p (Holm)"))
    rows: tuple[tuple[Words, ...], ...] = tuple(
        (
            (row.name, *((" ", Tag(tr("worse"), "warn")) if row.worse else ())),
            listed([f"{atlas.names[taken.label]} ({taken.count})" for taken in row.taken_for], most=4),
            tr("{right} of {n}", right=row.right, n=row.n),
            number(row.groups),
            share(row.recall),
            written_p(row.p_holm),
        )
        for row in atlas.classes
    )
    every = tr_n("{n} class as a table", "All {n} classes as a table", len(atlas.classes))
    table = Table(columns((tr("Class"), tr("Taken for")), numbers), rows, file="classes")
    cards = tuple(
        Section(
            gallery.row.name,
            (Gallery(tuple(map(shown.answer, gallery.places))),),
            tags=(
                Tag(
                    tr("{right} of {n} right", right=gallery.row.right, n=gallery.row.n),
                    "warn" if gallery.row.worse else "muted",
                ),
            ),
        )
        for gallery in class_galleries(given, atlas.classes)
    )
    return Section(
        tr("Which classes fail"),
        (
            Dots(dot_plot(dots, line=atlas.accuracy.value, reach=[0.0]), key),
            *folded(every, [table]),
            *([Grid(cards)] if cards else []),
        ),
        anchor="classes",
    )


def _whose(given: Answered) -> Iterator[Section]:
    """The groups, such as pupils or photos, whose drawings fail most, where they have some drawings each."""
    count, right = np.bincount(given.index), np.bincount(given.index, given.correct).astype(int)
    large = np.flatnonzero(count >= _OF_GROUP)
    if len(large) < 2:
        return
    name = {int(index): row.group for index, row in zip(given.index, given.rows, strict=True)}
    worst = large[np.lexsort((-count[large], right[large] / count[large]))][:_GROUPS]
    rows = tuple(
        (name[at], Bar(share := right[at] / count[at], percent(share)), f"{right[at]} / {count[at]}")
        for at in worst.tolist()
    )
    lead = tr(
        "The worst of {n} groups (a pupil, a photo) with {least} drawings or more; they may just be unlucky.",
        n=len(large),
        least=_OF_GROUP,
    )
    table = Table(columns((tr("Group"), tr("Share that is right")), (tr("Right"),)), rows, file="groups")
    yield Section(tr("Whose drawings fail"), (table,), lead, "groups")


def _properties(atlas: Atlas, given: Answered, measured: Mapping[str, Floats], shown: _Drawings) -> Section:
    cards: tuple[list[Section], list[Section]] = ([], [])
    for row in atlas.properties:
        found = row.finding in ("within classes", "between classes")
        cards[not found].append(_property(row, given, measured, atlas, shown))
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


def _property(
    row: PropertyRow, given: Answered, measured: Mapping[str, Floats], atlas: Atlas, shown: _Drawings
) -> Section:
    known = PROPERTIES[row.name]
    tags = {
        "within classes": Tag(tr("goes with failure"), "warn"),
        "between classes": Tag(tr("a matter of classes")),
        "not seen": Tag(tr("nothing seen"), "muted"),
        "cannot tell": Tag(tr("cannot tell"), "muted"),
        "all alike": Tag(tr("all alike"), "muted"),
    }
    blocks: list[Block] = [Sentence(row.words)]
    if len(row.parts) > 1:
        dots = [
            Dot.of(
                part.name,
                part.accuracy,
                share(part.accuracy),
                tone="worse" if part is _failing(row) else "",
                note=f"n\u00a0=\u00a0{number(part.accuracy.n)}",
            )
            for part in row.parts
        ]
        ends = ends_of(measured[row.name], [one.image_id for one in given.rows])
        galleries = tuple(
            Section(
                capital(translated(end)),
                (
                    Gallery(
                        tuple(shown.shot(at, shown.names[given.rows[at].label]) for at in places), "small"
                    ),
                ),
            )
            for end, places in zip((known.lowest, known.highest), ends, strict=True)
        )
        blocks += [Dots(dot_plot(dots, line=atlas.accuracy.value)), Grid(galleries, 300)]
    lead = capital(translated(known.meaning))
    return Section(translated(row.title), tuple(blocks), lead, tags=(tags[row.finding],), card=True)


def _failing(row: PropertyRow) -> object:
    """The part that fails more, if that was found."""
    if row.finding != "within classes" or row.within is None:
        return None
    return row.parts[0 if row.within.value > 0 else -1]


def _clusters(atlas: Atlas) -> Section:
    rows = tuple(
        (
            listed([atlas.names[label] for label in row.labels], most=12),
            tr("{right} of {n}", right=row.inside, n=row.mistakes),
            percent(row.share, 1),
            percent(row.expected, 1),
        )
        for row in atlas.clusters
        if row.inside
    )
    firm, lead = atlas.structure.beyond_chance, tr("No classes are confused with one another.")
    if rows:
        lead = tr("Classes whose mistakes stay among them, and how many would by chance.")
        accident = tr("There is no structure beyond chance: the groups below may well be accidents.")
        lead = lead if firm else accident
    numbers = (tr("Mistakes that stay inside"), tr("Share of all mistakes"), tr("By chance"))
    blocks = (Table(columns((tr("Classes"),), numbers), rows, file="clusters"),) if rows else ()
    title = tr("Classes that are confused with one another")
    return Section(title, blocks, lead, "clusters", folded=not firm)


def _steps(atlas: Atlas, subject: Subject) -> Iterator[Step]:
    data, model = (shlex.quote(str(path)) for path in (subject.inputs.manifest.root, subject.given))
    if atlas.mistakes:
        why = tr(
            "Some mistakes may be wrong labels: let the answers judge the labels, and look at the worst."
        )
        yield Step(why, f"dessin audit {data} --predictions {model} --out labels")
    fails = any(row.finding == "within classes" for row in atlas.properties)
    yield from further(subject.given, *(["robustness"] if fails else []), "calibrate")


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
        notes.append(
            tr(
                "Confusions keep within clusters to {modularity} (modularity), by chance to {chance} "
                "(p\u00a0{p}). Clusters were found in these drawings, which flatters them a little.",
                modularity=f"{structure.modularity:.2f}",
                chance=f"{structure.by_chance:.2f}",
                p=p_value(structure.p),
            )
        )
    if structure.agreement is not None:
        agreement = f"{structure.agreement:.2f}"
        notes.append(
            tr(
                "Clusters of two halves of the drawings agree by {agreement} (1 the same).",
                agreement=agreement,
            )
        )
    return measured(Notes(tuple(notes)))

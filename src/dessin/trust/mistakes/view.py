"""The page of an atlas: what is taken for what, whose drawings fail, and what goes with failure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.blocks import (
    Block,
    Column,
    Dots,
    Gallery,
    Grid,
    Headline,
    Key,
    Next,
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
from dessin.page.numbers import capital, listed, number, p_value, percent, share, written_p
from dessin.page.words import Bar, Code, Tag, Tone, Words, told
from dessin.runs.subject import Subject
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.galleries import (
    ClassGallery,
    ClusterGallery,
    MapPair,
    PairGallery,
    class_galleries,
    cluster_galleries,
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


def atlas_page(atlas: Atlas, subject: Subject, given: Answered, measured: Mapping[str, Floats]) -> Page:
    """Mistakes first, as pictures; then who fails, what goes with it, and what to do."""
    split = subject.inputs.split
    pairs = pair_galleries(given, atlas.pairs, [row for row in split.rows if row.fold is not None])
    maps, no_maps = mistake_maps(subject, given, [place for pair in pairs for place in pair.wrong])
    shown = _Drawings(atlas, subject, given, maps)
    first, *others = atlas.summary
    found = atlas.accuracy
    headline = Headline.of(found, tr("of its answers are right", n=number(found.n)))
    most = confused_most(atlas)
    return Page(
        title=tr(
            "What is taken for what among drawings of {collection}?",
            collection=subject.inputs.manifest.root.resolve().name,
        ),
        lead=first,
        blocks=(
            headline,
            *([Sentence(most, "verdict")] if most else []),
            *(Sentence(sentence) for sentence in others),
            _pairs(atlas, pairs, shown, no_maps),
            _classes(atlas, given, shown),
            *(_whose(given) if split.group_by else []),
            _properties(atlas, given, measured, shown),
            _clusters(atlas, given, shown),
            *([Notes(atlas.cautions, tr("To be read with care"))] if atlas.cautions else []),
            _measured(atlas, several=len(subject.loaded.bundles) > 1),
            Section(tr("What to do next"), (Next(tuple(_steps(atlas, subject))),), anchor="next"),
        ),
        footer=told(
            "Written by dessin about {model}. The numbers are in {files} beside this page.",
            model=atlas.name,
            files=Code("mistakes.json, classes.csv, pairs.csv, clusters.csv, properties.csv, mistakes.csv"),
        ),
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
        note = tr(
            "{named} {sure}, {true} {less} (place {rank})",
            named=named,
            sure=percent(given.sureness[place]),
            true=true,
            less=percent(given.probabilities[place, given.targets[place]]),
            rank=given.rank[place],
        )
        drawing = self.picture(given.rows[place].image_id, tr("drawing"))
        if place not in self._maps:
            return Shot((drawing,), note=note)
        found = self._maps[place]
        maps = (
            (tr("for {label}", label=named), found.predicted),
            (tr("for {label}", label=true), found.true),
        )
        return Shot((drawing, *(Picture(source, title, title) for title, source in maps)), note=note)


def _pairs(atlas: Atlas, pairs: list[PairGallery], shown: _Drawings, no_maps: str) -> Section:
    title, anchor = tr("What is taken for what"), "pairs"
    if not pairs:
        return Section(title, (Sentence(tr("There is no mistake.")),), anchor=anchor)
    cards = [_pair(pair, shown, maps=not no_maps) for pair in pairs]
    blocks: list[Block] = [*cards[:_OPEN_PAIRS]]
    if no_maps:
        blocks.insert(0, Sentence(tr("There are no maps: {why}", why=no_maps), "notice"))
    if more := cards[_OPEN_PAIRS:]:
        rest = tr_n("{n} pair that is rarer", "{n} pairs that are rarer", len(more))
        blocks.append(Section(rest, tuple(more), folded=True))
    columns = (
        Column(tr("Class")),
        Column(tr("Taken for")),
        Column(tr("Drawings"), number=True),
        Column(tr("Share of the class"), number=True),
    )
    rows = tuple(
        (atlas.names[row.label], atlas.names[row.predicted], number(row.count), percent(row.share))
        for row in atlas.pairs[:TABLE_PAIRS]
    )
    table = Table(columns, rows, tr("All of them are in pairs.csv."), file="pairs")
    blocks.append(Section(tr("The pairs as a table"), (table,), folded=True))
    lead = tr("The most frequent confusions, the surest mistakes first.")
    if not no_maps:
        lead += " " + tr(
            "The maps show where the model looks: what speaks for the class that it named, then what speaks "
            "for the true one. Both can be the same place."
        )
    return Section(title, tuple(blocks), lead, anchor)


def _pair(pair: PairGallery, shown: _Drawings, *, maps: bool) -> Section:
    own, named = shown.names[pair.row.label], shown.names[pair.row.predicted]
    drawings = tr_n("{n} drawing", "{n} drawings", pair.row.count)
    tag = Tag(
        tr("{drawings}, {share} of its class", drawings=drawings, share=percent(pair.row.share)), "muted"
    )
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
        tags=(tag,),
        card=True,
    )


def _classes(atlas: Atlas, given: Answered, shown: _Drawings) -> Section:
    dots = [
        Dot.of(
            row.name,
            row.recall,
            tr("{right} of {n}", right=row.right, n=row.n),
            label=tr("{label}: {right} of {n} right", label=row.name, right=row.right, n=row.n),
            tone="worse" if row.worse else "cannot-tell",
            note=tr_n("{n} group", "{n} groups", row.groups),
        )
        for row in atlas.classes[:DOTS]
    ]
    key = (
        Key("dot", tr("worse than the rest beyond chance")),
        Key("quiet", tr("may just be unlucky")),
        Key("line", tr("all classes together")),
    )
    columns = (
        Column(tr("Class")),
        Column(tr("Right"), number=True),
        Column(tr("Groups"), number=True),
        Column(tr("Share that is right"), number=True),
        Column(tr("p (Holm)"), number=True),
        Column(tr("Taken for")),
    )
    rows: tuple[tuple[Words, ...], ...] = tuple(
        (
            (row.name, *((" ", Tag(tr("worse"), "warn")) if row.worse else ())),
            tr("{right} of {n}", right=row.right, n=row.n),
            number(row.groups),
            share(row.recall),
            written_p(row.p_holm),
            listed([f"{atlas.names[taken.label]} ({taken.count})" for taken in row.taken_for], most=4),
        )
        for row in atlas.classes
    )
    every = tr_n("{n} class as a table", "All {n} classes as a table", len(atlas.classes))
    worst = tuple(_class_card(gallery, shown) for gallery in class_galleries(given, atlas.classes))
    return Section(
        tr("Which classes fail"),
        (
            Dots(dot_plot(dots, line=atlas.accuracy.value, reach=[0.0]), key),
            Section(every, (Table(columns, rows, file="classes"),), folded=True),
            *([Grid(worst)] if worst else []),
        ),
        tr("How many drawings of a class are right, the worst first, with what the worst were taken for."),
        "classes",
    )


def _class_card(gallery: ClassGallery, shown: _Drawings) -> Section:
    row = gallery.row
    tag = Tag(tr("{right} of {n} right", right=row.right, n=row.n), "warn" if row.worse else "muted")
    more = row.n - len(gallery.places)
    note = tr_n("{n} more drawing of this class.", "{n} more drawings of this class.", more)
    blocks: list[Block] = [Gallery(tuple(map(shown.answer, gallery.places)))]
    return Section(row.name, (*blocks, *([Sentence(note, "note")] if more else [])), tags=(tag,))


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
    columns = (Column(tr("Group")), Column(tr("Share that is right")), Column(tr("Right"), number=True))
    note = tr("With so few drawings each, the worst may just be unlucky.")
    yield Section(
        tr("Whose drawings fail"),
        (Table(columns, rows, note, file="groups"),),
        tr(
            "The drawings of a group, such as a pupil’s or those of one photo, as the split keeps them "
            "together; the worst of {n} with {least} drawings or more.",
            n=len(large),
            least=_OF_GROUP,
        ),
        "groups",
    )


def _properties(atlas: Atlas, given: Answered, measured: Mapping[str, Floats], shown: _Drawings) -> Section:
    found = [row.finding in ("within classes", "between classes") for row in atlas.properties]
    cards = [_property(row, given, measured, atlas, shown) for row in atlas.properties]
    told_of = tuple(card for card, is_found in zip(cards, found, strict=True) if is_found)
    others = tuple(card for card, is_found in zip(cards, found, strict=True) if not is_found)
    nothing = tr_n(
        "{n} property with which nothing was seen", "{n} properties with which nothing was seen", len(others)
    )
    return Section(
        tr("What goes with failure"),
        (*told_of, *([Section(nothing, others, folded=True)] if others else [])),
        tr(
            "Drawings in thirds by what can be measured on them. Hard classes may be drawn in another way, "
            "so each property is also judged among drawings of one class. Green names were right, orange "
            "ones wrong."
        ),
        "properties",
    )


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
    # The part that fails more, if that was found.
    failing = None
    if row.finding == "within classes" and row.within is not None:
        failing = 0 if row.within.value > 0 else len(row.parts) - 1
    blocks: list[Block] = [Sentence(row.words)]
    if len(row.parts) > 1:
        dots = [
            Dot.of(
                part.name,
                part.accuracy,
                share(part.accuracy),
                tone="worse" if place == failing else "",
                note=f"n\u00a0=\u00a0{number(part.accuracy.n)}",
            )
            for place, part in enumerate(row.parts)
        ]
        ends = zip(
            (known.lowest, known.highest),
            ends_of(measured[row.name], [one.image_id for one in given.rows]),
            strict=True,
        )
        blocks += [
            Dots(dot_plot(dots, line=atlas.accuracy.value)),
            Grid(
                tuple(
                    Section(
                        capital(translated(end)),
                        (
                            Gallery(
                                tuple(shown.shot(at, shown.names[given.rows[at].label]) for at in places),
                                "small",
                            ),
                        ),
                    )
                    for end, places in ends
                ),
                300,
            ),
        ]
    return Section(
        translated(row.title),
        tuple(blocks),
        capital(translated(known.meaning)),
        tags=(tags[row.finding],),
        card=True,
    )


def _clusters(atlas: Atlas, given: Answered, shown: _Drawings) -> Section:
    found = cluster_galleries(given, atlas.clusters, atlas.pairs)
    lead = ""
    if found and not atlas.structure.beyond_chance:
        lead = tr("There is no structure beyond chance: the groups below may well be accidents.")
    elif not found:
        lead = tr("No classes are confused with one another.")
    return Section(
        tr("Classes that are confused with one another"),
        tuple(_cluster(view, shown) for view in found),
        lead,
        "clusters",
        folded=not atlas.structure.beyond_chance,
    )


def _cluster(view: ClusterGallery, shown: _Drawings) -> Section:
    row, names = view.row, shown.names
    tag = Tag(
        tr(
            "{share} of all mistakes, {expected} by chance",
            share=percent(row.share, 1),
            expected=percent(row.expected, 1),
        ),
        "muted",
    )
    pairs = [
        tr(
            "{label} taken for {other} ({n})",
            label=names[pair.label],
            other=names[pair.predicted],
            n=pair.count,
        )
        for pair in view.pairs
    ]
    shots = [shown.shot(place, names[label]) for label, place in view.examples]
    more = len(row.labels) - len(shots)
    note = tr_n("{n} more class is in clusters.csv.", "{n} more classes are in clusters.csv.", more)
    return Section(
        tr("{name}: {classes}", name=row.name, classes=tr_n("{n} class", "{n} classes", len(row.labels))),
        (
            Sentence(
                tr(
                    "{inside} of {mistakes} stay inside. {pairs}",
                    inside=row.inside,
                    mistakes=tr_n("{n} mistake", "{n} mistakes", row.mistakes),
                    pairs=capital(listed(pairs)),
                )
            ),
            Gallery(tuple(shots)),
            *([Sentence(note, "note")] if more else []),
        ),
        tags=(tag,),
        card=True,
    )


def _steps(atlas: Atlas, subject: Subject) -> Iterator[Step]:
    data, model = (shlex.quote(str(path)) for path in (subject.inputs.manifest.root, subject.given))
    if atlas.mistakes:
        yield Step(
            tr("Some mistakes may be wrong labels: let the answers judge the labels, and look at the worst."),
            f"dessin audit {data} --predictions {model} --out labels",
        )
    if any(row.finding == "within classes" for row in atlas.properties):
        yield Step(
            tr("See what it keeps when drawings are worn, thinner or fainter: that is where it fails."),
            f"dessin evaluate {model} --robustness --out robustness",
        )
    yield Step(
        tr("Let it be silent where it is unsure, in place of a wrong answer."),
        f"dessin calibrate {model} --out confidence",
    )


def _measured(atlas: Atlas, *, several: bool) -> Section:
    structure = atlas.structure
    notes = [
        tr(
            "{drawings} in {groups}, of folds {folds}: each was answered by models that were not trained on "
            "it. Intervals are 95%, over groups of drawings; of a class they are Wilson’s.",
            drawings=tr_n("{n} drawing", "{n} drawings", atlas.accuracy.n),
            groups=tr_n("{n} group", "{n} groups", atlas.groups),
            folds=", ".join(map(str, atlas.folds)),
        ),
        tr(
            "A class counts as worse if so many random groups would seldom do as badly: p below 5% after "
            "Holm’s correction for all {n} classes. p values of properties are Holm’s over both tests of all "
            "properties.",
            n=number(len(atlas.classes)),
        ),
    ]
    if structure.p is not None and structure.modularity is not None and structure.by_chance is not None:
        notes.append(
            tr(
                "Confusions keep within clusters to {modularity} (modularity), and to {chance} where it does "
                "not matter whose drawings they are (p\u00a0{p}). Clusters come from all probabilities, not "
                "from wrong answers alone, and were found in these drawings, which flatters them a little.",
                modularity=f"{structure.modularity:.2f}",
                chance=f"{structure.by_chance:.2f}",
                p=p_value(structure.p),
            )
        )
    if several:
        notes.append(tr("Maps are Grad-CAM, the mean over the models by their weight."))
    else:
        notes.append(tr("Maps are Grad-CAM."))
    return Section(tr("How this was measured"), (Notes(tuple(notes)),), anchor="how", folded=True)

"""How a model was made, for its page: the drawings, what was tried, the training, its figures and its "
"machine."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from dessin.collection.curation import read_curation
from dessin.collection.issues import CHECKS
from dessin.collection.split.files import Split
from dessin.language import retold, tr, translated
from dessin.models.card import CARD_FILE, read_card
from dessin.page.blocks import (
    Block,
    Command,
    Gallery,
    Grid,
    Links,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.numbers import capital, number, percent, share, short
from dessin.page.parts import columns, counts, photograph
from dessin.page.words import Code, Link, Note, Tag, Words, told
from dessin.progress import duration
from dessin.reading import number_of, read_csv
from dessin.reports.run.measure import run_parts
from dessin.reports.run.pictures import curve_charts, pages_seen, range_chart
from dessin.runs.fold_group import GroupRecord
from dessin.runs.record import RunRecord
from dessin.runs.scout import ScoutRow
from dessin.runs.stages import RANGE_FILE
from dessin.statistics.headline import metric_notes
from dessin.statistics.intervals import Estimate
from dessin.training.curve import read_curve

_PAGES, _LOOKED_AT = 4, 24


@dataclass(frozen=True)
class Tried:
    """A step on the way to a model: what was done, in how many seconds, and what came of it."""

    what: str
    seconds: float
    expected: float
    accuracy: Estimate | None
    verdict: str
    best: bool


@dataclass(frozen=True)
class Around:
    """What is known of a model beside its own folder.

    Attributes:
        given: the folder that people name it by, where that is another.
        issues: an audit's counts by kind.
        scout: the backbones that were compared.
        names: labels → names for people.
        made: what the model is, as a clause.
        tried: the steps that led to it, within a `budget`, and what is `said` of them.
        trusted: how far its confidences can be trusted, in sentences.
        photographs: ids of some to show before and after, where the model looks for their page; by
            default they are looked for.
        pages: the pages to go on to, and `files` what else lies beside the page.
        steps: what to do next, before what there is to do with any model.
        again: the command that makes it again, where that is not a training.
    """

    given: Path | None = None
    issues: Mapping[str, int] | None = None
    scout: Sequence[ScoutRow] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    tried: Sequence[Tried] = ()
    budget: str = ""
    said: Sequence[str] = ()
    trusted: Sequence[str] = ()
    photographs: Sequence[str] = ()
    pages: tuple[tuple[Link, Words], ...] = ()
    files: tuple[tuple[Link, Words], ...] = ()
    steps: tuple[Step, ...] = ()
    again: str = ""


@dataclass(frozen=True)
class SetView:
    """The results of a set of `n` images: measure → value with interval, and how intervals were found."""

    name: str
    n: int
    values: Mapping[str, str]
    method: str


def set_views(record: RunRecord) -> tuple[SetView, ...]:
    """The results of every set in the record, the holdout first."""
    return tuple(
        SetView(name, found.accuracy.n, found.written(record.counts.classes), retold(found.accuracy.method))
        for name, found in sorted(record.results.items())
    )


def how_it_was_made(run: Path, record: RunRecord, split: Split, around: Around) -> Iterator[Section]:
    """Every part of the story from the drawings to the model, the figures folded away."""
    yield Section(
        tr("How it was made"),
        (
            _model(record, around),
            *_tried(around),
            *_backbones(around.scout),
            *_training(run, record),
            *_photographs(record, split, around.photographs),
        ),
        anchor="made",
    )
    yield Section(tr("The drawings"), tuple(_drawings(record, split, around)), anchor="drawings")
    if around.files:
        yield Section(tr("In this folder"), (Links(around.files),), anchor="files")
    yield Section(tr("How this was measured"), tuple(_figures(record, split)), anchor="measured", folded=True)
    if record.decisions:
        yield Section(tr("What was decided, and why"), (_decisions(record),), folded=True)
    yield Section(tr("Time and machine"), (_machine(record),), folded=True)
    yield Section(tr("Make it again"), tuple(_again(record, around.again)), folded=True)


def _model(record: RunRecord, around: Around) -> Sentence:
    recipe = record.recipe
    alone = f"{recipe.model.backbones}, {recipe.image.size} px, {recipe.finetune.mode.replace('_', ' ')}"
    return Sentence(
        tr(
            "{model}. It learnt from {n} drawings of {classes} classes in {time}.",
            model=capital(around.made or alone),
            n=number(record.counts.train),
            classes=record.counts.classes,
            time=duration(sum(each.seconds for each in around.tried) or sum(record.timings.values())),
        )
    )


def _tried(around: Around) -> Iterator[Section]:
    if not around.tried:
        return
    lead = tr(
        "Each step in its turn, within {budget}. An accuracy is on drawings that the model was not trained "
        "on; those of different steps may be of different drawings, so a step is judged by what it adds on "
        "the same ones.",
        budget=around.budget,
    )
    figures = (tr("Time"), tr("Planned"), tr("Accuracy"))
    titles = columns((tr("Step"),), figures, (tr("What came of it"),))
    rows = tuple(
        (
            (retold(step.what), " ", Tag(tr("used"), "good")) if step.best else retold(step.what),
            duration(step.seconds),
            duration(step.expected),
            _measured(step.accuracy),
            retold(step.verdict),
        )
        for step in around.tried
    )
    said = (Sentence(line, "note") for line in around.said)
    yield Section(tr("What was tried"), (Table(titles, rows, file="steps"), *said), lead)


def _measured(accuracy: Estimate | None) -> str:
    return f"{share(accuracy)}, n = {number(accuracy.n)}" if accuracy else ""


def _backbones(scout: Sequence[ScoutRow]) -> Iterator[Section]:
    if not scout:
        return
    figures = (tr("Accuracy"), tr("Images a second"), tr("Parameters"))
    titles = columns((tr("Network"),), figures, (tr("Reason"),))
    rows = tuple(
        (
            (row.backbone, " ", Tag(tr("chosen"), "good")) if row.chosen else row.backbone,
            _measured(row.accuracy) or tr("not measured"),
            number(row.images_per_second),
            f"{number(row.parameters / 1e6, 1)} M",
            retold(row.reason),
        )
        for row in scout
    )
    lead = tr(
        "Each was given a simple classifier on what it sees (a probe), which shows at small cost what suits."
    )
    yield Section(tr("The networks that were compared"), (Table(titles, rows, file="backbones"),), lead)


def _training(run: Path, record: RunRecord) -> Iterator[Section | Grid]:
    curve = read_curve(run / "curve.csv")
    charts = [*curve_charts(curve, record.decided("best_epoch", int)), *_range_charts(run, record)]
    if charts:
        alt = tr("A curve of the training, epoch by epoch.")
        yield Grid(tuple(Section("", (Picture(chart, alt, kind="chart"),)) for chart in charts))
    if len(record.attempts) > 1:
        titles = columns((), (tr("Attempt"), tr("Learning rate")), (tr("Outcome"), tr("Evidence")))
        rows = tuple(
            (str(each.number), short(each.lr, 2), each.outcome, retold(str(each.evidence.get("seen", ""))))
            for each in record.attempts
        )
        lead = tr("An attempt whose training collapsed was begun anew with a lower learning rate.")
        yield Section(tr("Attempts"), (Table(titles, rows),), lead)


def _range_charts(run: Path, record: RunRecord) -> tuple[str, ...]:
    """The chart of the learning rate range test, where the recipe's rate was `auto`."""
    path = run / RANGE_FILE
    if not path.is_file():
        return ()
    table = read_csv(path, ["lr", "smoothed"])[1]
    rows = [(number_of(row["lr"], str(path)), number_of(row["smoothed"], str(path))) for row in table]
    return (range_chart(rows, record.attempts[0].lr),)


def _photographs(record: RunRecord, split: Split, wanted: Sequence[str]) -> Iterator[Section]:
    """A few photographs before and after, where the model looks for their page."""
    if record.recipe.image.page == "off":
        return
    ids = [row.image_id for row in split.rows]
    sample = ids[:: max(1, len(ids) // _LOOKED_AT)][:_LOOKED_AT]
    lead = tr(
        "Of a photograph of paper the model looks at the sheet alone: cut out, straightened, evenly lit and "
        "cropped to what is drawn. What is no such photograph stays as it is."
    )
    seen = pages_seen(record.recipe.data.path, wanted or sample, most=_PAGES)
    shots = tuple(
        Shot(photograph(each.before, each.after, each.image_id), note=Note(each.image_id)) for each in seen
    )
    if shots:
        yield Section(tr("Photographs of paper"), (Gallery(shots, "large"),), lead)


def _drawings(record: RunRecord, split: Split, around: Around) -> Iterator[Block]:
    said = [
        tr(
            "{n} drawings of {classes} classes in {groups} groups, each of copies of one drawing.",
            n=number(len(split.rows)),
            classes=len(split.classes),
            groups=number(len({row.group for row in split.rows})),
        )
    ]
    if split.group_by:
        said.append(
            tr("What belongs together by {groups} is in one group too.", groups=retold(split.group_by))
        )
    said.append(tr("No group is on two sides of the split, which was checked again for this page."))
    if (left := split.images - len(split.rows)) > 0:
        few = {"left": number(left), "all": number(split.images)}
        curation = tr("{left} of {all} were left out by the curation, or because they cannot be read.", **few)
        said.append(curation if split.curation_digest else tr("{left} of {all} cannot be read.", **few))
    yield Sentence(" ".join(said))
    cards = []
    if around.issues is not None:
        kinds = Counter(around.issues).most_common()
        rows = [(translated(CHECKS[kind].title), count) for kind, count in kinds if kind in CHECKS]
        found = counts(rows) if rows else Sentence(tr("No issue."))
        cards.append(Section(tr("What the audit found"), (found,)))
    if record.recipe.data.curation:
        changed = curated(record.recipe.data.curation)
        what = counts(changed.items()) if changed else Sentence(tr("Nothing."))
        cards.append(Section(tr("What the curation changed"), (what,)))
    if cards:
        yield Grid(tuple(cards))


def curated(path: str | None) -> dict[str, int]:
    """What a curation did and why → how many images; empty where its file is not known or gone."""
    if path is None or not Path(path).is_file():
        return {}
    changes = [change for change in read_curation(Path(path)).changes if change.action != "keep"]
    whys = [f"{change.action}: {change.reason.split(':')[0].split(' of ')[0]}" for change in changes]
    return dict(Counter(whys).most_common())


def _figures(record: RunRecord, split: Split) -> Iterator[Block]:
    """Every measure of every set, and how the drawings were divided."""
    results = set_views(record)
    if results:
        methods = " ".join(f"{capital(translated(each.name))}: {each.method}." for each in results)
        yield results_table(results, f"{methods} {metric_notes()}")
    titles = columns((tr("Part"),), (tr("Drawings"), tr("Share"), tr("Groups"), tr("Classes")))
    rows = tuple(
        (
            translated(part.name),
            number(part.images),
            percent(part.share),
            number(part.groups),
            tr("{n} of {all}", n=part.classes, all=len(split.classes)),
        )
        for part in run_parts(split, record)
    )
    note = tr(
        "What is learnt from (training), what choices are made on (validation), and what was set aside for "
        "one look at the end (the holdout). Intervals are found by drawing whole groups again and again."
    )
    yield Table(titles, rows, note=note)


def results_table(results: Sequence[SetView], note: str = "") -> Table:
    """Every measure of every set."""
    named = tuple(f"{capital(translated(each.name))} (n = {number(each.n)})" for each in results)
    titles = columns((tr("Measure, with 95% interval"),), named)
    rows = tuple(
        (translated(title), *(each.values[title] for each in results)) for title in results[0].values
    )
    return Table(titles, rows, note, "results")


def _decisions(record: RunRecord) -> Table:
    rows = tuple((each.title, retold(str(each.value)), retold(each.reason)) for each in record.decisions)
    return Table(columns((tr("What"), tr("Choice"), tr("Reason"))), rows)


def _machine(record: RunRecord) -> Grid:
    """Where its time went, and what carried it out."""
    hardware, values = record.hardware, columns((tr("What"), tr("Value")))
    times: list[tuple[str, str]] = [(stage, duration(seconds)) for stage, seconds in record.timings.items()]
    times.append((tr("total"), duration(sum(record.timings.values()))))
    times += [
        (tr("{stage}, images a second", stage=stage), number(speed, 1))
        for stage, speed in record.throughput.items()
    ]
    machine = (
        (tr("processor"), hardware.cpu),
        (tr("cores, threads used"), f"{hardware.cores}, {hardware.threads}"),
        (tr("memory"), f"{hardware.memory_gib} GiB"),
        (tr("GPU"), hardware.gpu or tr("none")),
        (tr("begun"), ", ".join(moment(start) for start in record.started)),
        (tr("finished"), moment(record.finished)),
    )
    return Grid((Section("", (Table(values, tuple(times)),)), Section("", (Table(values, machine),))))


def _again(record: RunRecord, command: str) -> Iterator[Block]:
    if command:
        yield Sentence(
            tr(
                "The same command makes its models anew; how many there is time for depends on the machine. "
                "Each model that votes is a run with a recipe of its own, in its record."
            )
        )
        yield Command(command)
    else:
        yield from _trained_again(record)
    rows: list[tuple[Words, ...]] = [(name, version) for name, version in record.versions.items()]
    if record.git_commit:
        rows.append((tr("commit of the working folder"), Code(record.git_commit)))
    rows += [(tr("sha256 of {name}", name=name), Code(digest)) for name, digest in record.digests if digest]
    yield Table(columns((tr("What"), tr("Version or digest"))), tuple(rows))


def _trained_again(record: RunRecord) -> Iterator[Block]:
    data, split = record.recipe.data.path or "DATA", record.recipe.data.split or "SPLIT"
    yield Sentence(
        told(
            "Save the recipe below as {file}. The same data, split, seed, hardware and versions give the "
            "same weights to the byte.",
            file=Code("recipe.yaml"),
        )
    )
    folds = f" --folds {','.join(map(str, record.folds))}" if isinstance(record, GroupRecord) else ""
    given = f"--data {shlex.quote(data)} --split {shlex.quote(split)}"
    yield Command(f"dessin train recipe.yaml {given}{folds}")
    whole = yaml.safe_dump(record.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    yield Command(whole.rstrip())


def class_names(run: Path, labels: Iterable[str]) -> dict[str, str]:
    """Labels → names for people, as the run's bundle has them; a run may outlive its bundle."""
    bundles = (run / "bundle", *sorted(run.glob("fold-*/bundle")))
    known = next((read_card(place).names for place in bundles if (place / CARD_FILE).is_file()), {})
    return {label: label for label in labels} | known


def moment(timestamp: str) -> str:
    """`2026-11-23T20:34:28+00:00` → `2026-11-23 20:34 UTC`."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp else ""

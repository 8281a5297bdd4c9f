"""What the wrap-up says of the people's machines, the data, their cleaning and their split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dessin.audit.result import Summary
from dessin.collection.issues import CHECKS
from dessin.collection.split.files import Split
from dessin.collection.thumbnails import Thumbnails
from dessin.language import tr, tr_n, translated
from dessin.page.blocks import (
    Block,
    Fact,
    Facts,
    Gallery,
    Picture,
    Section,
    Sentence,
    Shot,
    Table,
)
from dessin.page.numbers import listed, number, percent
from dessin.page.parts import columns, counts
from dessin.page.words import Bar, Code, Note, Words, parts, told
from dessin.progress import duration
from dessin.reports.run.made import curated, moment
from dessin.reports.run.measure import split_part
from dessin.reports.wrapup.sources import Sources
from dessin.runs.record import Hardware, RunRecord

_STRIP = 16


@dataclass
class _Machine:
    """A kind of machine, what it carried out, for how long, and between which times."""

    hardware: Hardware | None
    hosts: dict[str, None] = field(default_factory=dict)
    people: dict[str, None] = field(default_factory=dict)
    work: dict[str, None] = field(default_factory=dict)
    runs: int = 0
    seconds: float = 0.0
    times: list[str] = field(default_factory=list)

    def did(self, work: str, host: str, seconds: float, record: RunRecord | None) -> None:
        self.work[work] = None
        self.hosts |= {host: None} if host else {}
        self.people |= {record.who: None} if record and record.who else {}
        self.runs += 1
        self.seconds += seconds
        self.times += [*record.started, record.finished] if record else []

    @property
    def cells(self) -> tuple[Words, ...]:
        kept = self.hardware
        about = tr("its records are not here")
        if kept:
            about = tr(
                "{cpu}, {cores} cores, {memory} GiB, {gpu}, {system}",
                cpu=kept.cpu,
                cores=kept.cores,
                memory=kept.memory_gib,
                gpu=kept.gpu or tr("no GPU"),
                system=kept.system,
            )
        times = sorted(filter(None, self.times))
        when = "–" if not times else tr("{first} to {last}", first=moment(times[0]), last=moment(times[-1]))
        name = listed(list(self.hosts)) or tr("a machine without a name")
        who = listed(list(self.people)) or "–"
        return (
            who,
            (name, Note(about)),
            listed(list(self.work)),
            number(self.runs),
            duration(self.seconds),
            when,
        )


def people_blocks(sources: Sources) -> Iterator[Block]:
    """Who carried out what on which machines, and when, as far as the records know."""
    found: dict[object, _Machine] = {}

    def machine(host: str, record: RunRecord | None) -> _Machine:
        kept = record.hardware.model_copy(update={"threads": 0}) if record else None
        key = kept.model_dump_json() if kept else host
        return found.setdefault(key, _Machine(kept))

    for study in sources.studies:
        for job in study.jobs:
            if job.ended:
                place = machine(job.ended.host, job.record)
                place.did(study.record.name, job.ended.host, job.ended.seconds, job.record)
    for run in sources.runs:
        for part in run.parts:
            machine("", part).did(run.record.name, "", sum(part.timings.values()), part)
    named = any(each.people for each in found.values())
    who = tr("Records know machines and times, and no people: put the names beside them.")
    if named:
        who = tr("People are called as their machines call them: by git's user name, else by the system's.")
    again = tr("A run that was begun again counts from its first beginning.")
    yield Sentence(f"{who} {again}")
    if found:
        words = (tr("Person"), tr("Machine"), tr("What was carried out"))
        titles = columns(words, (tr("Runs"), tr("Computing")), (tr("When"),))
        rows = tuple(each.cells[0 if named else 1 :] for each in found.values())
        yield Table(titles[0 if named else 1 :], rows, file="machines")


@dataclass(frozen=True)
class Use:
    """One study or run: its name, where it says that the data are, its split and its curation."""

    name: str
    data: str
    split: Split | None
    manifest: str
    split_digest: str
    curation: str | None


def uses(sources: Sources) -> tuple[Use, ...]:
    """What each study and run was made from."""
    found = []
    for study in sources.studies:
        record = study.record
        curation = (record.recipe.get("data") or {}).get("curation")
        digests = record.digests.manifest, record.digests.split
        found.append(Use(record.name, record.data, study.split, *digests, curation))
    for run in sources.runs:
        data, digests = run.record.recipe.data, (run.record.digests.manifest, run.record.digests.split)
        found.append(Use(run.record.name, data.path or "", run.split, *digests, data.curation))
    return tuple(found)


def collection_names(found: Sequence[Use]) -> tuple[str, ...]:
    """The collections by name, one for each manifest, in the order in which they are first used."""
    digests = dict.fromkeys(use.manifest for use in found)
    return tuple(_collection([use for use in found if use.manifest == digest]) for digest in digests)


def _collection(users: Sequence[Use]) -> str:
    return next((Path(use.data).name for use in users if use.data), tr("a collection"))


def data_blocks(found: Sequence[Use], audit: Summary | None) -> Iterator[Block]:
    """Each collection in figures, a drawing of each of some classes, and what its audit found."""
    digests = list(dict.fromkeys(use.manifest for use in found))
    for digest in digests:
        users = [use for use in found if use.manifest == digest]
        its_audit = audit if audit and audit.manifest_digest == digest else None
        blocks = tuple(_collection_blocks(users, its_audit))
        if len(digests) == 1:
            yield from blocks
        else:
            yield Section(_collection(users), blocks, lead=listed([use.name for use in users], most=12))
    if len(digests) > 1:
        text = tr(
            "The studies and runs were made on {n} different collections, so their accuracies are not on one "
            "scale.",
            n=len(digests),
        )
        yield Sentence(text, "warning")
    if audit is None:
        text = tr(
            "No audit was given (--audit DIR), so nothing is said of unreadable, blank or doubtful drawings."
        )
        yield Sentence(text, "note")
    elif audit.manifest_digest not in digests:
        text = tr(
            "The audit that was given is of another collection, or of another state of this one, so it is "
            "not shown."
        )
        yield Sentence(text, "warning")


def _collection_blocks(users: Sequence[Use], audit: Summary | None) -> Iterator[Block]:
    split = next((use.split for use in users if use.split), None)
    if split is None:
        yield Sentence(
            tr("The studies' own copies of the split are gone, so the drawings cannot be counted."), "note"
        )
    else:
        used, classes = len(split.rows), len(split.classes)
        groups = len({row.group for row in split.rows})
        each = tr("{n} drawings each, on average", n=number(used / classes))
        yield Facts(
            (
                Fact(tr("Drawings"), number(split.images), tr("{n} used", n=number(used))),
                Fact(tr("Classes"), number(classes), each),
                Fact(tr("Groups"), number(groups), tr("drawings that belong together")),
            )
        )
    strip = _strip([use.data for use in users if use.data], split)
    if strip:
        yield Gallery(strip)
    else:
        yield Sentence(tr("The drawings are not where they were, so none are shown."), "note")
    if audit:
        yield Section(tr("What the audit found"), (_audit_table(audit),))


def _strip(folders: Sequence[str], split: Split | None) -> tuple[Shot, ...]:
    """A drawing of each of up to sixteen classes, evenly from the alphabet; none if they are gone."""
    if split is None or not split.classes:
        return ()
    thumbnails = next((t for t in map(Thumbnails, dict.fromkeys(folders)) if t.available), None)
    if thumbnails is None:
        return ()
    first = {row.label: row.image_id for row in reversed(split.rows)}
    step = max(1.0, len(split.classes) / _STRIP)
    shown = [split.classes[int(i * step)] for i in range(min(_STRIP, len(split.classes)))]
    names = {label: thumbnails.names.get(label, label) for label in shown}
    pictures = (
        (names[label], Picture(thumbnails.uri(first[label]), tr("a drawing of {label}", label=names[label])))
        for label in shown
    )
    return tuple(Shot((picture,), note=name) for name, picture in pictures if picture.source)


def _audit_table(audit: Summary) -> Table:
    rows = [
        (translated(CHECKS[kind].title) if kind in CHECKS else kind, count)
        for kind, count in audit.images_of.items()
    ]
    readable = tr(
        "{readable} of {all} drawings can be read.",
        readable=number(audit.readable),
        all=number(audit.images),
    )
    copies = tr(
        "Copies: {within} pairs within a class, {across} across classes.",
        within=number(audit.duplicates.within_class),
        across=number(audit.duplicates.across_classes),
    )
    return counts(rows or [(tr("no issue"), 0)], tr("What was found"), f"{readable} {copies}")


def cleaning_blocks(found: Sequence[Use]) -> Iterator[Block]:
    """Each curation file that was used, with what it did."""
    paths = list(dict.fromkeys(use.curation for use in found if use.curation))
    for path in paths:
        changed = curated(path)
        gone = Sentence(tr("Its file is not there any more."), "note")
        blocks = (counts(changed.items()) if changed else gone,)
        yield Section(tr("What {file} changed", file=path), blocks)
    if not paths:
        left = max((use.split.images - len(use.split.rows) for use in found if use.split), default=0)
        said = tr("No curation was applied: every readable drawing took part.")
        unread = tr_n("{n} was left out as unreadable.", "{n} were left out as unreadable.", left)
        yield Sentence(f"{said} {unread}" if left else said)


def split_blocks(found: Sequence[Use]) -> Iterator[Block]:
    """Each split with its parts, and what no group on two sides means."""
    digests = list(dict.fromkeys(use.split_digest for use in found))
    known = [(digest, [use for use in found if use.split_digest == digest]) for digest in digests]
    for place, (_, users) in enumerate(known, start=1):
        split = next((use.split for use in users if use.split), None)
        if split is None:
            yield Sentence(tr("The copies of the split are gone from the folders."), "note")
        elif len(digests) == 1:
            yield from _split_parts(split)
        else:
            names = listed([use.name for use in users], most=12)
            yield Section(tr("Split {n}", n=place), tuple(_split_parts(split)), lead=names)
    if len(digests) > 1:
        text = tr(
            "{n} different splits were used, so accuracies of studies on different ones must not be held "
            "against each other.",
            n=len(digests),
        )
        yield Sentence(text, "warning")


def _split_parts(split: Split) -> Iterator[Block]:
    rows_of = {tr("fold {n}", n=fold): split.validation(fold) for fold in range(split.folds)}
    rows_of[tr("holdout")] = split.held_out()
    groups, held = number(len({row.group for row in split.rows})), bool(split.held_out())
    dealt = {"n": number(len(split.rows)), "groups": groups, "folds": split.folds, "seed": split.seed}
    text = tr("{n} drawings in {groups} groups were dealt into {folds} folds, with seed {seed}.", **dealt)
    if held:
        text = tr(
            "{n} drawings in {groups} groups were dealt into {folds} folds and a holdout, with seed {seed}.",
            **dealt,
        )
    grouped: Words = tr("A group is all copies of one drawing, found under turns and mirrors too.")
    if split.group_by:
        grouped = told(
            "A group is all copies of one drawing, found under turns and mirrors too, and what {by} puts "
            "together.",
            by=Code(split.group_by),
        )
    apart = tr(
        "No group is on two sides, which was checked again for this page: so no model is asked what it has "
        "seen."
    )
    yield Sentence((f"{text} ", *parts(grouped), f" {apart}"))
    if left := split.images - len(split.rows):
        few = {"left": number(left), "all": number(split.images)}
        out = tr("{left} of {all} drawings are in no part: they cannot be read.", **few)
        if split.curation_digest:
            out = tr("{left} of {all} drawings are in no part: curation, or they cannot be read.", **few)
        yield Sentence(out)
    shown = [split_part(name, rows, split) for name, rows in rows_of.items() if rows]
    titles = columns((tr("Part"), tr("Share")), (tr("Drawings"), tr("Groups")))
    rows = tuple(
        (part.name, Bar(part.share, percent(part.share)), number(part.images), number(part.groups))
        for part in shown
    )
    yield Table(titles, rows)

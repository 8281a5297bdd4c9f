"""The page about a model: how well it names drawings, what it gets wrong and what would help, whom it fails,
how far to trust it, and how it was made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.collection.split.files import Split, read_split
from dessin.collection.thumbnails import Thumbnails
from dessin.errors import DessinError
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import (
    Block,
    Gallery,
    Headline,
    Links,
    Notes,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
)
from dessin.page.numbers import listed, number, percent, share, times
from dessin.page.parts import further, named_right, what_next
from dessin.page.words import Strong, Tag, Words, told
from dessin.reports.run.made import Around, class_names, how_it_was_made, moment
from dessin.reports.run.measure import (
    SURE,
    GroupResult,
    Help,
    Judged,
    Mixed,
    groups_worst_first,
    judged,
    mixed_up,
    surest,
    what_helps,
)
from dessin.runs.fold_group import run_record
from dessin.runs.record import SPLIT_FILE, RunRecord, SetName
from dessin.statistics.intervals import Estimate
from dessin.trust.evaluate.view import absent_classes, class_by_class

# The folder of a model's trust card, within its own.
TRUST = "trust"
_PAIRS, _A_SIDE, _MISTAKES = 8, 2, 24
_GROUPS = 24
# Of all mistakes: a pair of classes with fewer of them is not where most would be gained.
_SPREAD = 0.05


def run_page(run: Path, around: Around | None = None, *, record: RunRecord | None = None) -> Page:
    """The page about a finished run; `around` is what is known beside its folder.

    A committee, which has no record, is given one. Drawings are read from where the run found them; if they
    are gone, the page says so and has none.

    Raises:
        DessinError: no run folder, a run that is not finished, or damaged files in it.
    """
    around, record = around or Around(), record or run_record(run)
    if record.status != "finished":
        why = f" ({record.reason})" if record.reason else ""
        raise DessinError(
            f"The run {run} is {record.status}{why}, so there is nothing to report yet.",
            do=f"Finish it with dessin train --resume {run}.",
        )
    split = read_split(run / SPLIT_FILE)
    names = class_names(run, split.classes) | dict(around.names)
    found = judged(run, record, split)
    # What is looked at closely is the validation: the holdout stays for its number alone.
    looked_at = found.get("validation") or found.get("holdout")
    headline, helps = found.get("holdout") or looked_at, what_helps(looked_at, split) if looked_at else None
    data, given = record.recipe.data.path, around.given or run
    return Page(
        title=question(data or record.name),
        lead=_lead(headline, looked_at, names),
        blocks=(
            *_answer(record, headline),
            *closer_look(found, record, split, names),
            _trust(record, around),
            *how_it_was_made(run, record, split, around),
            what_next(*around.steps, *_next(given, record, helps)),
        ),
        footer=tr(
            "Written by dessin of {name}, which was made on {when}.",
            name=record.name,
            when=moment(record.finished),
        ),
    )


def question(data: str | Path) -> str:
    """What the page about a model of these drawings asks."""
    return tr("How well does it name the drawings in {name}?", name=Path(data).name)


def closer_look(
    found: Mapping[SetName, Judged], record: RunRecord, split: Split, names: Mapping[str, str]
) -> Iterator[Block]:
    """What a run gets wrong, what would help most, and its classes; nothing where it was not measured."""
    looked_at = found.get("validation") or found.get("holdout")
    if looked_at is None:
        return
    yield _mistakes(looked_at, record, _Drawings(record, names), apart=len(found) > 1)
    if notes := help_in_words(what_helps(looked_at, split), names):
        yield Section(tr("What would help most"), (Notes(notes),), anchor="help")
    yield from _groups(looked_at, split.group_by)
    yield class_by_class(looked_at.metrics, names)


class _Drawings:
    """The collection's drawings by image_id, as the page shows them, with the answers that they got."""

    def __init__(self, record: RunRecord, names: Mapping[str, str]) -> None:
        self._thumbnails = Thumbnails(record.recipe.data.path, record.recipe.image.page)
        self.available, self.names = self._thumbnails.available, names

    def mistaken(self, found: Judged, row: int) -> Picture:
        """A drawing that was named wrong, with what it is and what it was called."""
        answers = found.answers
        truth = self.names[answers.labels[row]]
        answer = self.names[answers.classes[int(answers.probabilities[row].argmax())]]
        said = tr("named {answer}, {sure} sure", answer=answer, sure=percent(float(found.sureness[row])))
        return self._picture(answers.image_ids[row], truth, (Strong(truth), f" {said}"))

    def genuine(self, image_id: str, label: str) -> Picture:
        name = self.names[label]
        return self._picture(image_id, name, (Strong(name), f" {tr('a real one')}"))

    def _picture(self, image_id: str, name: str, caption: Words) -> Picture:
        return Picture(self._thumbnails.uri(image_id), f"{name}: {image_id}", caption)


def _lead(headline: Judged | None, looked_at: Judged | None, names: Mapping[str, str]) -> str:
    if headline is None or looked_at is None:
        return tr("Nothing was measured: it was trained on every drawing that was not set aside.")
    accuracy = headline.metrics.accuracy
    said = tr(
        "Of 100 further drawings like these, expect {low} to {high} to be named right, among {classes} "
        "classes.",
        low=round(100 * accuracy.low),
        high=round(100 * accuracy.high),
        classes=sum(row.n > 0 for row in headline.metrics.per_class),
    )
    pairs = mixed_up(looked_at.metrics)
    if not pairs or pairs[0].count == 1:
        return said
    mixed = {"first": names[pairs[0].first], "second": names[pairs[0].second]}
    return f"{said} {tr('What it mixes up most is {first} and {second}.', **mixed)}"


def _answer(record: RunRecord, headline: Judged | None) -> Iterator[Block]:
    """The one number, what it stands on, and what speaks against it."""
    if headline is None:
        return
    accuracy, chance, groups = headline.metrics.accuracy, headline.chance, len(set(headline.groups))
    yield Headline.of(accuracy, tr("of the drawings that it had not seen are named right"), mark=chance)
    marks = tr(
        "They are in {groups} groups. The pale band is the interval, the grey mark is what always naming the "
        "commonest class would give ({chance}).",
        groups=number(groups),
        chance=percent(chance, 1),
    )
    yield Sentence(f"{stands_on(record, headline.name, accuracy)} {marks}")
    if accuracy.too_few:
        few = tr_n(
            "One group of drawings is too few to tell: drawings by others would say more.",
            "{n} groups of drawings are too few to tell: drawings by others would say more.",
            groups,
        )
        yield Sentence(few, "warning")
    yield from absent_classes(headline.metrics)


def stands_on(record: RunRecord, name: SetName, found: Estimate) -> str:
    """A number with its interval, which drawings it is of, and whether it is too good."""
    said = tr(
        "{share} of {n} drawings: in brackets stands what others of the same kind would give, the 95% "
        "interval. {which}",
        share=share(found),
        n=number(found.n),
        which=_which_drawings(record, name),
    )
    if name == "holdout" or record.decided("best_epoch", int) is None:
        return said
    chosen = tr(
        "How long to train was chosen on these same drawings, so the number is a little too good; the "
        "holdout’s is the honest one."
    )
    return f"{said} {chosen}"


def _mistakes(found: Judged, record: RunRecord, shown: _Drawings, *, apart: bool) -> Section:
    """Drawings that were named wrong; `apart` says that the page's number is of others."""
    wrong, n = found.mistakes, number(len(found.answers.labels))
    lead = [tr("{wrong} of {n} drawings were named wrong.", wrong=number(len(wrong)), n=n)]
    if not len(wrong):
        lead = [tr("It named all {n} drawings right.", n=n)]
    lead.append(_which_drawings(record, found.name))
    if apart:
        lead.append(tr("The number above is of the holdout, which stays for its number alone."))
    if len(wrong) and not shown.available:
        lead.append(tr("The drawings are not where the run found them, so none are shown."))
    pairs, blocks = mixed_up(found.metrics)[:_PAIRS], list[Block]()
    beside = [_misnamed(pair, found) for pair in pairs]
    if pairs:
        shots = (_pair(pair, rows, found, shown) for pair, rows in zip(pairs, beside, strict=True))
        blocks.append(Gallery(tuple(shots), "wide"))
    if others := [row for row in wrong if not any(row in rows for rows in beside)]:
        some = tuple(Shot((shown.mistaken(found, row),)) for row in others[:_MISTAKES])
        which = tr(
            "{n} of {all}. Where a drawing looks like the answer, its label may be wrong.",
            n=len(some),
            all=number(len(others)),
        )
        blocks.append(Section(tr("Other mistakes, the surest first"), (Gallery(some),), which))
    return Section(tr("What it gets wrong"), tuple(blocks), " ".join(lead), anchor="mistakes")


def _misnamed(pair: Mixed, found: Judged) -> list[int]:
    """The rows of a few drawings of the first class that were taken for the second, the surest first."""
    labels, named = found.answers.labels, found.answers.classes.index(pair.second)
    taken = found.answers.probabilities.argmax(axis=1) == named
    return [int(row) for row in found.mistakes if labels[row] == pair.first and taken[row]][:_A_SIDE]


def _pair(pair: Mixed, rows: Sequence[int], found: Judged, shown: _Drawings) -> Shot:
    """Misnamed drawings beside real ones of what they were taken for."""
    names, real = shown.names, surest(found.answers, pair.second, _A_SIDE)
    title = tr("{first} taken for {second}", first=names[pair.first], second=names[pair.second])
    n_of = {row.label: row.n for row in found.metrics.per_class}
    values = {"n": pair.there, "all": n_of[pair.first], "first": names[pair.first]}
    note = tr("{n} of {all} drawings of {first}", **values)
    if pair.count > pair.there:
        note = tr("{said}; {n} the other way round", said=note, n=pair.count - pair.there)
    mistaken = [shown.mistaken(found, row) for row in rows]
    return Shot((*mistaken, *(shown.genuine(each, pair.second) for each in real)), title, note)


def help_in_words(helps: Help, names: Mapping[str, str]) -> tuple[Words, ...]:
    """What would help most, from what is mixed up and how many drawings a class has."""
    notes: list[Words] = [
        told(
            "More drawings of {first} and {second}: {count} of their {of} ({share}) are taken for the other, "
            "which is {part} of all mistakes.",
            first=Strong(names[pair.first]),
            second=Strong(names[pair.second]),
            count=number(pair.count),
            of=number(pair.of),
            share=percent(pair.share),
            part=percent(pair.count / helps.mistakes),
        )
        for pair in helps.mixed
    ]
    notes += [
        told(
            "More drawings of {label}: there are {n}, of other classes {usual}, and {share} are named right.",
            label=Strong(names[thin.label]),
            n=number(thin.drawings),
            usual=number(thin.usual),
            share=percent(thin.recall),
        )
        for thin in helps.thin
    ]
    if helps.sure:
        labels = tr_n(
            "A look at the label of {n} mistake that it was more than {sure} sure of: it may be wrong.",
            "A look at the labels of {n} mistakes that it was more than {sure} sure of: they may be wrong.",
            helps.sure,
            sure=percent(SURE),
        )
        notes.append(labels)
    most = helps.mixed[0].count if helps.mixed else 1
    if helps.mistakes and (not helps.mixed or most < _SPREAD * helps.mistakes):
        spread = tr(
            "More drawings of every class: no pair stands out, the {n} mistakes lie in {pairs} pairs.",
            n=number(helps.mistakes),
            pairs=number(helps.pairs),
        )
        notes.append(spread)
    return tuple(notes)


def groups_in_words(rows: Sequence[GroupResult]) -> str:
    """Which groups fail more often than others beyond chance."""
    worse = [row.name for row in rows if row.worse]
    if not worse:
        return tr("None stands out from what chance gives with so few drawings each.")
    return tr("{names} fail more often than chance explains.", names=listed(worse))


def _groups(found: Judged, group_by: str) -> Iterator[Section]:
    """Whose drawings fail, where it is known what belongs together."""
    rows = groups_worst_first(found) if group_by else ()
    if len(rows) < 2:
        return
    lead = tr(
        "What belongs together was given by {groups}: a person, a photo, a page.", groups=retold(group_by)
    )
    beyond = (" ", Tag(tr("beyond chance"), "warn"))
    cells = [((row.name, *beyond) if row.worse else row.name, row.right, row.right.n) for row in rows]
    said = Sentence(groups_in_words(rows), "verdict")
    table = named_right((tr("Group"),), cells, _GROUPS, "groups")
    yield Section(tr("Whose drawings it fails on"), (said, *table), lead, anchor="groups")


def _trust(record: RunRecord, around: Around) -> Section:
    """Whether its confidences hold, its holdout, and the pages that say more."""
    opened, aside = record.holdout_opened, number(record.counts.holdout)
    holdout = Sentence(tr("No drawings were set aside, so each was named by a model that had not seen it."))
    if opened:
        often, when = times(len(opened)), ", ".join(map(moment, opened))
        said = tr(
            "The {n} drawings set aside (the holdout) were opened {often}, {when}.",
            n=aside,
            often=often,
            when=when,
        )
        again = tr("Each look that led to a choice makes their number less trustworthy.")
        holdout = Sentence(said) if len(opened) == 1 else Sentence(f"{said} {again}", "warning")
    elif record.counts.holdout:
        never = tr("The {n} drawings set aside (the holdout) have not been opened.", n=aside)
        holdout = Sentence(never, "notice")
    untested = tr(
        "Not measured here: drawings by other hands, with other pens, of other things. The trust card names "
        "what was tested and what was not."
    )
    trusted = (Sentence(retold(line)) for line in around.trusted)
    pages = (Links(around.pages),) if around.pages else ()
    blocks = (*trusted, holdout, Sentence(untested, "note"), *pages)
    return Section(tr("How far to trust it"), blocks, anchor="trust")


def _next(model: Path, record: RunRecord, helps: Help | None) -> Iterator[Step]:
    """What to do with the model now."""
    given, data = shlex.quote(model.as_posix()), shlex.quote(record.recipe.data.path or "DATA")
    trusted, inside = (model / TRUST).is_dir(), f"{given}/"
    if record.counts.holdout and not record.holdout_opened:
        yield from further(model, "holdout")
    yield Step(tr("Name further drawings."), f"dessin predict {given} PATH.. --out predictions.csv")
    if trusted:
        why = tr("Measure what its trust card lacks still; what is there stays.")
        yield Step(why, f"dessin trust {given} --out {inside}{TRUST}")
        return
    if helps and helps.sure:
        why = tr("Look at every label that may be wrong, beside typical drawings of both classes.")
        yield Step(why, f"dessin audit {data} --predictions {given} --out labels")
    yield from further(model, *(["mistakes"] if helps and helps.mistakes else []), TRUST, into=inside)


def _which_drawings(record: RunRecord, name: SetName) -> str:
    """In what relation to the model the drawings of a set are, in a sentence."""
    if name == "holdout":
        return tr("They were set aside and took no part in any choice (the holdout).")
    if record.recipe.data.fold == "none":
        return tr("Each was named by a model that had not learnt from it (out of fold).")
    return tr("It had learnt from none of them (the validation fold).")

"""What the wrap-up says of ensembles and their students, of the final run, and of the other runs given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dessin.answers.committee import Committee
from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults, RuleRow
from dessin.committees.route.result import RouteResults
from dessin.committees.soup.result import SoupResults, SoupRow
from dessin.errors import DessinError
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import Block, Dots, Key, Links, Section, Sentence, Table
from dessin.page.dots import Dot, dot_plot
from dessin.page.html import PAGE_FILE
from dessin.page.numbers import number, share, signed, times
from dessin.page.parts import columns
from dessin.page.words import Link, Note, Words
from dessin.progress import duration, warn
from dessin.reports.run.made import class_names, moment, results_table, set_views
from dessin.reports.run.measure import judged
from dessin.reports.run.view import closer_look
from dessin.reports.wrapup.conclusions import levels_like
from dessin.reports.wrapup.sources import CommitteeResults, CommitteeSource, RunSource, Sources
from dessin.runs.record import RunRecord
from dessin.studies.telling import verdict_said


def committee_card(source: CommitteeSource, address: str) -> Section:
    """What was made of several models; `address` leads to its own page, where it has one."""
    title, lead, _, dots, note = _of_results(source.results)
    blocks: list[Block] = [Sentence(text) for text in committee_sentences(source)]
    if dots:
        rings = any(dot.hollow is not None for dot in dots)
        key = (Key("ring", tr("from the drawings that it chose by, so a little too good")),) if rings else ()
        plot = dot_plot(dots, lambda value: f"{100 * value:g}%")
        blocks += [Dots(plot, key), Sentence(note, "note")]
    if address:
        blocks.append(Links(((Link(tr("All of it"), address), tr("on a page of its own")),)))
    return Section(title, tuple(blocks), lead, card=True)


def committee_sentences(source: CommitteeSource) -> tuple[str, ...]:
    """What it gains, and what it has right on the holdout, the answer first."""
    return (*_of_results(source.results)[2], *_on_the_holdout(source))


def _on_the_holdout(source: CommitteeSource) -> Iterator[str]:
    if source.opened:
        often = times(len(source.opened))
        if source.holdout is None:
            yield tr("Its holdout was opened {often}.", often=often)
        else:
            found, n = share(source.holdout), number(source.holdout.n)
            yield tr("Its holdout was opened {often}: {accuracy}, n = {n}.", often=often, accuracy=found, n=n)


_Told = tuple[str, str, Sequence[str], list[Dot], str]


def _of_results(results: CommitteeResults) -> _Told:
    """Title, lead, sentences, accuracies and what these are."""
    match results:
        case EnsembleResults():
            dots = [_dot(rule, results.chosen) for rule in results.rules]
            note = tr("Accuracy on drawings that the rule did not choose by, with 95% intervals.")
            return results.name, _made_of(len(results.members), results.images), results.summary, dots, note
        case SoupResults():
            dots = [_dot(way, results.chosen) for way in results.ways]
            note = tr("Accuracy on drawings that the way did not choose by, with 95% intervals.")
            return results.name, _made_of(len(results.members), results.images), results.summary, dots, note
        case DistillResults():
            dots = [
                Dot.of(
                    row.name,
                    row.accuracy,
                    share(row.accuracy),
                    note=tr_n("{n} model", "{n} models", row.size.models),
                )
                for row in results.answerers
            ]
            title = tr("{student}, taught by {teacher}", student=results.student, teacher=results.committee)
            lead = tr_n("{n} drawing, out of fold.", "{n} drawings, out of fold.", results.images)
            return title, lead, (*results.verdict, *results.warnings), dots, _out_of_fold()
        case RouteResults():
            dots = [Dot.of(each.name, each.accuracy, share(each.accuracy)) for each in results.variants]
            title = tr("{model}, routed", model=results.generalist)
            drawings, families = number(results.images), len(results.families)
            lead = tr("{n} drawings of {families} families.", n=drawings, families=families)
            return title, lead, (results.verdict, *results.cautions), dots, _out_of_fold()
        case Committee():
            # One that is known by its own file alone, such as the vote of an auto.
            noted, said = results.provenance, []
            if found := noted.get("validation_accuracy"):
                said.append(tr("Out of fold: {accuracy}.", accuracy=found))
            if found := noted.get("nested_accuracy"):
                said.append(tr("On drawings that its choice did not see: {accuracy}.", accuracy=found))
            unknown = tr("What it has right was not measured when it was made.")
            models = tr_n("{n} model.", "{n} models.", len(results.bundles))
            return results.name, models, said or [unknown], [], ""


def _out_of_fold() -> str:
    return tr("Accuracy out of fold, with 95% intervals from whole groups of drawings.")


def _made_of(members: int, images: int) -> str:
    models = tr_n("{n} member", "{n} members", members)
    return tr("{members}; {n} drawings that none of them has seen.", members=models, n=number(images))


def _dot(row: RuleRow | SoupRow, chosen: str) -> Dot:
    found = row.nested if isinstance(row, RuleRow) else row.accuracy
    note = tr("base")
    if row.gain:
        gained = signed(row.gain.difference.value)
        note = tr("{points} points, {verdict}", points=gained, verdict=verdict_said(row.gain))
    tone = "" if row.name == chosen else "cannot-tell"
    return Dot.of(row.name, found, share(found), tone=tone, note=note, hollow=row.naive.value)


def final_blocks(sources: Sources, links: Callable[[Path], str]) -> Iterator[Block]:
    """The last run: what it is, its figures, what it gets wrong; `links` gives the address of a file."""
    final = sources.final
    if final is None:
        yield Sentence(
            tr("No final run was given, so what all choices together give is not known."), "notice"
        )
        return
    record = final.record
    yield Sentence(
        tr(
            "{name}: {backbone} at {size} px, {mode}, trained on {n} drawings in {time}.",
            name=record.name,
            backbone=record.recipe.model.backbones,
            size=record.recipe.image.size,
            mode=record.recipe.finetune.mode.replace("_", " "),
            n=number(record.counts.train),
            time=duration(sum(record.timings.values())),
        )
    )
    if same := levels_like(record, sources):
        yield Sentence(tr("Its recipe is that of {levels}.", levels=", ".join(same)))
    if record.status != "finished":
        status = tr("The run is {status}.", status=record.status)
        if record.reason:
            status = tr("The run is {status}: {reason}.", status=record.status, reason=retold(record.reason))
        yield Sentence(status, "warning")
    sets = set_views(record)
    if sets:
        yield results_table(sets)
    else:
        yield Sentence(tr("Nothing was measured."), "notice")
    yield from _opened(record)
    yield from _closer_look(final)
    beside = ((name, links(final.path / name), what) for name, what in _files().items())
    kept = tuple((Link(name, address), what) for name, address, what in beside if address)
    if kept:
        yield Section(tr("Where to look further"), (Links(kept),))
    if len(sources.runs) > 1:
        yield Section(tr("All runs that were given"), (_all_runs(sources.runs),))


def _opened(record: RunRecord) -> Iterator[Sentence]:
    opened = [moment(opening) for opening in record.holdout_opened]
    if opened:
        often, when = times(len(opened)), ", ".join(opened)
        yield Sentence(tr("Its holdout was opened {often}: {when}.", often=often, when=when))
    elif record.counts.holdout:
        text = tr(
            "Its holdout of {n} drawings was never opened, so its number comes from drawings that took part "
            "in choosing.",
            n=number(record.counts.holdout),
        )
        yield Sentence(text, "notice")


def _closer_look(final: RunSource) -> tuple[Block, ...]:
    path, record, split = final.path, final.record, final.split
    if split is None or not record.results:
        return ()
    try:
        found = judged(path, record, split)
    except DessinError as error:
        warn(f"the classes of {path} are left out of the report: {error}")
        return ()
    return tuple(closer_look(found, record, split, class_names(path, split.classes)))


def _files() -> dict[str, str]:
    return {
        PAGE_FILE: tr("its own page"),
        "record.json": tr("what it was made of, decided and measured"),
        "curve.csv": tr("the learning curve"),
        "validation/predictions.csv": tr("every answer on the validation drawings"),
        "holdout/predictions.csv": tr("every answer on the holdout"),
        "bundle/bundle.json": tr("the model, whole, for predict and serve"),
    }


def _all_runs(runs: Sequence[RunSource]) -> Table:
    titles = columns((tr("Run"), tr("Status")), (tr("Accuracy"), tr("Holdout opened")))
    rows = []
    for run in runs:
        results, name = run.honest_result
        found: Words = tr("nothing measured")
        if results:
            found = (f"{share(results.accuracy)} ({name})", Note(f"n = {number(results.accuracy.n)}"))
        opened = number(len(run.record.holdout_opened))
        rows.append((run.record.name, run.record.status, found, opened))
    return Table(titles, tuple(rows), file="runs")

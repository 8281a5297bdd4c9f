"""The verb `ensemble`: members chosen by a rule, and what such a choice gives on drawings it did not see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from dessin.answers.committee import save_committee
from dessin.answers.predictions import to_predictions, write_predictions
from dessin.committees.ensemble.measure import (
    Compared,
    Settings,
    chosen_rule,
    measure_rules,
    member_rows,
    pair_rows,
    rule_rows,
    views_gain,
)
from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow
from dessin.committees.ensemble.view import ensemble_lines, ensemble_page, told
from dessin.committees.gains import check_matters
from dessin.committees.members import Members, check_bundles, find_members, make_committee
from dessin.committees.rules.nested import RuleResult
from dessin.committees.sides import Sides
from dessin.errors import DessinError
from dessin.folders import result_folder
from dessin.ops import as_paths, names
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.tables import terminal_width
from dessin.progress import duration, say
from dessin.runs.record import SPLIT_FILE
from dessin.training.views import PLAIN, check_views

COMMITTEE, NESTED = "committee", "nested"


def ensemble(
    runs: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    select: Literal["greedy", "accuracy", "diversity", "weighted", "all", "best"] = "greedy",
    rule: Literal["soft", "hard"] = "soft",
    scale: bool = False,
    views: str | Sequence[str] = (),
    data: str | Path | None = None,
    seed: Annotated[int, "from 0"] = 0,
    name: str = "",
    matters: float = 0.02,
) -> EnsembleResults:
    """Choose members among runs, and say what that gains on drawings that the choice did not see.

    All members answer the same out-of-fold images. `out` gets `committee/` (a bundle like any model), the
    predictions of `nested/`, `rules.csv`, `members.csv`, `pairs.csv`, `results.json` and `index.html`.

    Args:
        runs: Runs and groups of folds; runs that differ in their fold alone are one member.
        out: A new folder.
        select: How members are chosen.
        rule: Average probabilities (soft), or count labels (hard).
        scale: Give each member a temperature of its own first, fitted on what the choice may look at.
        views: Further looks of every member at an image, beside the plain one, such as
            hflip,rotate_left,smaller.
        data: Where the drawings are now, if not where the runs found them; used with views only.
        seed: Of the bags of the greedy choice, and of outer parts where there are too few folds.
        name: The committee's name; by default that of the folder.
        matters: The smallest difference of accuracy (0..1) that would matter.

    Raises:
        DessinError: members that cannot vote together (see `find_members`), unknown choices, `out` in use.
    """
    began, out = time.monotonic(), Path(out)
    chosen, rules = chosen_rule(select, rule)
    seen_in = check_views(tuple(dict.fromkeys((*PLAIN, *names(views)))))
    settings = Settings(chosen, scale, seen_in, data, seed, matters)
    check_matters(matters)
    members = find_members(as_paths(runs), least=2)
    absent = check_bundles(members)
    if absent and seen_in != PLAIN:
        raise DessinError(
            f"{absent[0]} was collected without its weights, and views ask every model anew.",
            do="Leave --views out, or have the run packed with --bundles.",
        )
    with result_folder(out, what="an ensemble") as part:
        say(
            f"{len(members.members)} members{', each with a temperature of its own' if scale else ''}"
            f"{f', in {len(seen_in)} views' if seen_in != PLAIN else ''}; {len(members.rows):,} images that "
            f"all answered out of fold (fold {', '.join(map(str, members.folds))})"
        )
        for line in (*members.notes, f"the committee will be chosen by: {chosen}"):
            say(line)
        # The tables of many members do not fit memory.
        with TemporaryDirectory(prefix=".tables", dir=part, ignore_cleanup_errors=True) as folder:
            measured = measure_rules(members, settings, rules, Path(folder))
            results = _results(members, settings, *measured, select=select, name=name or out.resolve().name)
            voting = {run for row in results.members if _votes(results, row) for run in row.runs}
            without = tuple(path.as_posix() for path in absent if path.as_posix() in voting)
            spent = round(time.monotonic() - began, 1)
            results = told(results.model_copy(update={"without": without, "seconds": spent}))
            compared = measured[0]
            found, base = compared.named(chosen), compared.named(BASE_RULE)
            _write(members, settings, found, results, part)
            nested = to_predictions(found.nested_probabilities, members.rows, members.classes)
            write_predictions(nested, part / NESTED)
            paper = members.members[0].runs[0].record.recipe.image.page
            sides = Sides(nested, base.nested_probabilities, results.data, paper)
            # The page comes last, so where it is, everything is.
            drawn = ensemble_page(results, out, sides)
            write_page(part / PAGE_FILE, drawn)
    for line in ensemble_lines(results, terminal_width()):
        say(line)
    say(f"written to {out} in {duration(time.monotonic() - began)}; the page is {out / PAGE_FILE}")
    return results.with_page(drawn, out)


def _results(
    members: Members,
    settings: Settings,
    compared: Compared,
    plain: Compared | None,
    notes: Sequence[str],
    *,
    select: str,
    name: str,
) -> EnsembleResults:
    first = members.members[0].runs[0].record
    return EnsembleResults(
        name=name,
        chosen=settings.chosen,
        select=select,
        rule=compared.named(settings.chosen).choice.rule,
        scaled=settings.scale,
        seed=settings.seed,
        images=len(members.rows),
        groups=len({row.group for row in members.rows}),
        classes=len(members.classes),
        folds=members.folds,
        parts=compared.parts,
        matters=settings.matters,
        split=members.split.digest,
        manifest=first.digests.manifest,
        data=str(settings.data or first.recipe.data.path or ""),
        members=member_rows(members, compared),
        rules=rule_rows(members, compared, settings.matters),
        pairs=pair_rows(members, compared),
        views=views_gain(members, compared, plain, settings),
        notes=(*members.notes, *notes),
        seconds=0.0,
    )


def _votes(results: EnsembleResults, member: MemberRow) -> bool:
    return member.name in results.chosen_rule.members


def _write(
    members: Members, settings: Settings, chosen: RuleResult, results: EnsembleResults, out: Path
) -> None:
    """The folder's files but for its predictions and its page."""
    results.write_tables(out)
    results.write(out)
    if results.without:
        return
    committee, bundles = make_committee(
        results.name,
        members,
        vote=results.rule,
        weights={row.name: row.weights[settings.chosen] for row in results.members},
        temperatures={row.name: row.temperature for row in results.members},
        views=settings.views,
        provenance={
            "made_by": results.kind,
            "select": results.select,
            "rule": results.rule,
            "seed": str(results.seed),
            "folds": ",".join(map(str, members.folds)),
            "data": results.data,
            "nested_accuracy": str(chosen.nested),
            "dessin": version("dessin"),
        },
    )
    split = members.members[0].runs[0].folder / SPLIT_FILE
    save_committee(out / COMMITTEE, committee, bundles, split=split)

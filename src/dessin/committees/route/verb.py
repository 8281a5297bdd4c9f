"""The verb `route`: a router over families and experts inside them, trained, joined, and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from dessin.answers.committee import Committee, read_committee, save_committee
from dessin.answers.predictions import to_predictions
from dessin.committees.answers import out_of_fold
from dessin.committees.families.measure import potential
from dessin.committees.families.result import read_families, write_families
from dessin.committees.members import MemberRun, Members, find_members
from dessin.committees.part_runs import begin
from dessin.committees.route.measure import collect_answers, make_routed, measure_route, scale_parts
from dessin.committees.route.parts import (
    NONE,
    PartRecipes,
    check_curation,
    choose_experts,
    part_recipes,
    plan_parts,
    train_parts,
)
from dessin.committees.route.result import RouteResults
from dessin.committees.route.view import result_lines, route_page, told
from dessin.committees.sides import Sides
from dessin.errors import DessinError
from dessin.folders import going_on
from dessin.models.card import read_card
from dessin.ops import as_texts
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.tables import terminal_width
from dessin.progress import say
from dessin.runs.inputs import read_inputs
from dessin.runs.record import SPLIT_FILE

ROUTE_FILE = "route.json"
FAMILIES_FILE = "families.csv"
COMMITTEE = "committee"


def route(
    run: str | Path,
    *,
    families: str | Path,
    out: str | Path,
    experts: Annotated[str | Sequence[str], "auto, none, or names with commas"] = "auto",
    router: Annotated[str | Path | None, "a recipe's name or file, or none"] = None,
    expert: Annotated[str | Path | None, "a recipe's name or file"] = None,
    data: str | Path | None = None,
    overrides: Annotated[Sequence[str], "--set", "key=value"] = (),
) -> RouteResults:
    """Train a router over families and experts inside them, and say whether they pay.

    They are joined with the generalist into a committee. Begun again with the same `out` and settings it goes
    on where it stopped; the recipe of a part that did not finish may be corrected. Writes `runs/`,
    `committee/`, `results.json` and `index.html`.

    Args:
        run: The generalist: a run, or a group of folds, of which every fold gets its own parts.
        families: A families file of all its classes.
        out: The folder of the results.
        experts: Families that get an expert.
        router: The router's recipe (by default the generalist's), or none for the generalist's own sums over
            families.
        expert: The recipe of every expert; by default the generalist's.
        data: The collection; by default the generalist's.
        overrides: Override a key of the recipes of the router and of the experts.

    Raises:
        DessinError: runs, families or recipes that do not fit, a part that failed, or an `out` that holds
            something else.
    """
    out, members = Path(out), find_members([Path(run)])
    runs = _one_model(members, run)
    given = read_families(Path(families), members.classes)
    answers = out_of_fold(members)
    found = potential(answers.probabilities, answers.targets, answers.groups, given, answers.classes)
    chosen, decision = choose_experts(experts, found, given)
    say(decision.line())
    asked = PartRecipes(
        router=None if router in (None, NONE) else Path(str(router)),
        expert=None if expert is None else Path(expert),
        overrides=as_texts(overrides),
    )
    parts = plan_parts(members.split, given, chosen, router=router != NONE, folds=members.folds)
    recipes = part_recipes(parts, runs, asked)
    place = data or runs[0].record.recipe.data.path
    inputs = read_inputs(place, runs[0].folder / SPLIT_FILE, None)
    now = {
        name: recipe.model_dump(mode="json", exclude={"data": {"path", "split"}})
        for name, recipe in recipes.items()
    }
    made_of = {
        "generalist": {str(own.fold): own.record.digests.model for own in runs},
        "split": members.split.digest,
        "families": given.digest,
        "recipes": now,
    }

    done = (out / COMMITTEE).exists()
    with going_on(out, keeps="What is trained so far"):
        begin(out / ROUTE_FILE, made_of, partial(_made_otherwise, now=now), what="a routed model", done=done)
        write_families(given, out / FAMILIES_FILE)
        trained = train_parts(out, parts, runs, recipes, Path(str(place)))
        scaled = scale_parts(collect_answers(members, answers, given, trained, inputs))
        decided = [decision, scaled.decision()]
        folds = members.split.folds
        results = told(measure_route(answers, scaled.answers, split_folds=folds, decisions=decided))
        committee, bundles = make_routed(members, answers, given, trained, scaled.temperatures, str(place))
        _save(out / COMMITTEE, committee, bundles, runs[0].folder / SPLIT_FILE)
        results.write(out)
        joined = scaled.answers.joined(router=scaled.answers.router, experts=True)
        routed = to_predictions(joined.astype(np.float32), members.rows, members.classes)
        paper = runs[0].record.recipe.image.page
        sides = Sides(routed, answers.probabilities, str(place or ""), paper)
        drawn = route_page(results, answers.names, trained, out, sides)
        write_page(out / PAGE_FILE, drawn)
    for line in result_lines(results, terminal_width()):
        say(line)
    say(f"committee: {out / COMMITTEE}; page: {out / PAGE_FILE}")
    return results.with_page(drawn, out)


def _one_model(members: Members, run: str | Path) -> tuple[MemberRun, ...]:
    """The runs of the generalist."""
    if len(members.members) != 1:
        raise DessinError(
            f"{run} holds {len(members.members)} models.",
            allowed="A generalist is one run, or one fold group.",
        )
    runs = members.members[0].runs
    for own in runs:
        check_curation(own.record)
    return runs


def _made_otherwise(before: object, now: Mapping[str, object]) -> list[str]:
    """The parts whose recipes are others than the folder was begun with."""
    held = before if isinstance(before, dict) else {}
    return [name for name in held.keys() & now.keys() if held[name] != now[name]]


def _save(folder: Path, committee: Committee, bundles: Mapping[str, Path], split: Path) -> None:
    """Write the committee; one that lies there already must be this one."""
    if not folder.exists():
        save_committee(folder, committee, bundles, split=split)
        return
    weights = {name: read_card(bundle).digests["weights"] for name, bundle in bundles.items()}
    if read_committee(folder) != committee.model_copy(update={"weights": weights}):
        raise DessinError(
            f"{folder} holds another committee than its parts make.", do="Move it away and run again."
        )

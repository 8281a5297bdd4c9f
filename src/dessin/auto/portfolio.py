"""What to do next with the time that is left: a pure decision from what exists and what work costs.

The numbers of the portfolio are `TABLE`: change them there, and measure (`docs/log.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dessin.auto.budget import VOTING
from dessin.auto.situation import Made, Situation, Step
from dessin.errors import DessinError
from dessin.page.numbers import counted
from dessin.progress import duration


@dataclass(frozen=True)
class Table:
    """Sides in pixels, epochs, shares of the time that is left, and numbers of members.

    Attributes:
        probe_sides: of probes, and of what ranks candidates, from the smallest, at which speeds are measured.
        joined: the most bodies in one probe.
        tuning_sides: from the largest that is allowed to the smallest.
        least_epochs, enough_epochs, most_epochs: a run of fewer is not begun; a larger side is taken where so
            many fit; more are not tried.
        members: (seconds for tuning below which, runs to divide them by).
        recipes, most_folds: how many members are tuned, and on how many folds each.
        scout_share, probe_share, last_share, first_share: of the time that is left, at most, for work that
            cannot be cut short: the third for a probe where nothing can follow it, the last for one before
            which there is no model.
        logistic_share: a probe is fitted so where that takes no more of the time that is left, else by ridge.
        margin: how much longer than thought a run may take before it ends at an epoch's end.
        solved: accuracy from which nothing more is tried.
    """

    probe_sides: tuple[int, ...] = (128, 160, 224)
    joined: int = 3
    tuning_sides: tuple[int, ...] = (224, 160, 128)
    least_epochs: int = 4
    enough_epochs: int = 5
    most_epochs: int = 16
    members: tuple[tuple[float, int], ...] = ((400.0, 1), (900.0, 2), (1800.0, 3))
    most_members: int = 5
    recipes: int = 2
    most_folds: int = 5
    scout_share: float = 0.4
    probe_share: float = 0.4
    last_share: float = 0.85
    first_share: float = 0.75
    logistic_share: float = 0.05
    margin: float = 0.06
    solved: float = 0.995


TABLE = Table()
# On a GPU, up to the sides that strong bodies were trained at. Not measured: no GPU was lent.
GPU_TABLE = replace(
    TABLE,
    probe_sides=(224, 448),
    tuning_sides=(448, 378, 320, 224),
    enough_epochs=6,
    most_epochs=14,
)


def table_of(device: str) -> Table:
    return GPU_TABLE if device == "cuda" else TABLE


@dataclass(frozen=True)
class End:
    """Nothing more is begun: why, and whether more time would help."""

    reason: str
    more_helps: bool = True


def next_step(now: Situation, table: Table = TABLE) -> Step | End:
    """The step that is worth most of those that can end in time, or why there is none.

    Raises:
        DessinError: not even the first probe fits; the least budget is named.
    """
    if not now.of("probe"):
        return _first(now, table)
    best = max((each.accuracy for each in now.made if each.accuracy is not None), default=0.0)
    if best >= table.solved:
        return End(f"{best:.1%} are right already: more time would show nothing more", more_helps=False)
    step = _vote(now) or _joint(now, table)
    return step if step is not None else _tuned(now, table)


def side_by_side(now: Situation, step: Step, table: Table = TABLE) -> tuple[Step, ...]:
    """The step, and the further folds of its recipe that other machines can train meanwhile."""
    steps = [step]
    while step.kind == "tune" and len(steps) < now.lanes:
        further = _tuned(replace(now, made=(*now.made, *map(Made, steps))), table)
        if isinstance(further, End) or further.recipe_name != step.recipe_name:
            break
        # What an earlier fold leaves in the cache is not there yet.
        steps.append(further.model_copy(update={"seconds": step.seconds}))
    return tuple(steps)


def wishes(now: Situation, seconds: float, table: Table = TABLE) -> list[Step]:
    """The steps that so many seconds more would buy."""
    steps: list[Step] = []
    costs = now.costs
    made, left = now.made, now.available + seconds + costs.closing(now.models, now.further)
    while len(steps) < _WISHES:
        step = next_step(replace(now, budget=now.budget + seconds, left=left, made=made), table)
        if isinstance(step, End):
            break
        steps.append(step)
        made, left = (*made, Made(step)), left - step.seconds
    return steps


def bought(steps: Sequence[Step]) -> list[str]:
    """Steps that more time would buy as one sentence, folds of one recipe together; none for no steps."""
    seconds: dict[str, float] = {}
    words: dict[str, str] = {}
    folds: dict[str, int] = {}
    for step in steps:
        if step.kind != "committee":
            key = step.recipe_name or step.name
            seconds[key] = seconds.get(key, 0.0) + step.seconds
            folds[key] = folds.get(key, 0) + 1
            words.setdefault(key, step.words())
    told = []
    for key, said in words.items():
        many = f" and {counted(folds[key] - 1, 'further fold')}" if folds[key] > 1 else ""
        told.append(f"{said}{many} ({duration(seconds[key])})")
    return [f"An hour more would buy: {'; '.join(told)}."] if told else []


_WISHES = 8


def _first(now: Situation, table: Table) -> Step:
    """Ranking as many candidates as pay for it, at the side of the later probe if that does; then a probe.

    A ranking does not pay that leaves time for a smaller joint probe than there would be without it.
    """
    share = table.scout_share * now.available
    unranked = 0.0 if now.made or now.ranked else _reach(now, min(_sides(now, table)), table)
    for count in range(0 if now.ranked else len(now.candidates), 1, -1):
        for side in _sides(now, table):
            models = now.candidates[:count]
            step = _scout(now, models, side)
            after = replace(now, left=now.left - step.seconds, made=(*now.made, Made(step)), ranked=models)
            # Which body to tune is worth knowing; a joint probe reads all of them.
            wanted = now.frozen.issuperset(models) or _follows(_tuned(after, table), table)
            fits = step.seconds <= share and after.spare(_probe(after, models[:1], side, table)) >= 0
            if wanted and fits and _reach(after, side, table) >= unranked:
                return step
    ranked = now.ranked or now.candidates
    side = next((step.size for step in now.of("scout")), min(_sides(now, table)))
    step = _probe(now, ranked[:1], side, table)
    # Once something was begun there is a first model in any case, late rather than never.
    if now.spare(step) < 0 and not now.made:
        need = now.budget - now.left + step.seconds + now.costs.closing([(ranked[0], side)] * 2, now.further)
        raise DessinError(
            f"{now.costs.all_images} images cannot be read and probed in this budget: the shortest plan is "
            f"{duration(need)}.",
            allowed=f"A budget of at least {duration(1.15 * need)} is needed.",
            do="Give a larger --budget.",
        )
    return step if now.made else _at_once(now, step, table)


def _reach(now: Situation, side: int, table: Table) -> float:
    """What the best probe is worth that there is time for, when the first one is at this side."""
    quick = _probe(now, (now.ranked or now.candidates)[:1], side, table)
    first = quick if now.made else _at_once(now, quick, table)
    spent = replace(now, left=now.left - first.seconds, made=(*now.made, Made(first)))
    probes = [step for step in (first, _joint(spent, table)) if step]
    return max(_worth(step.size, len(step.models)) for step in probes)


def _follows(tuned: Step | End, table: Table) -> bool:
    """Whether there is time for tuning of some length."""
    return isinstance(tuned, Step) and tuned.epochs >= table.enough_epochs


def _at_once(now: Situation, quick: Step, table: Table) -> Step:
    """The better probe that fits at first and would not after the quick one, where there is such a one."""
    later = _joint(replace(now, left=now.left - quick.seconds, made=(Made(quick),)), table)
    best = later or quick
    for side, models in _choices(now, table):
        if _worth(side, len(models)) <= _worth(best.size, len(best.models)):
            break
        step = _probe(now, models, side, table)
        if step.seconds <= table.first_share * now.available and now.spare(step) >= 0:
            return step
    return quick


def _choices(now: Situation, table: Table) -> list[tuple[int, tuple[str, ...]]]:
    """Sides and bodies of probes, the best first."""
    known = _different(now.ranked or now.candidates)
    most = min(table.joined, len(known))
    choices = [(side, tuple(known[:count])) for side in _sides(now, table) for count in range(1, most + 1)]
    choices.sort(key=lambda each: _worth(each[0], len(each[1])), reverse=True)
    return [each for each in choices if now.rate([(m, each[0]) for m in each[1]] * 2) >= now.at_least]


def _different(known: tuple[str, ...]) -> tuple[str, ...]:
    """Beside the best candidate first other bodies, which see more than the same one with other weights."""
    best = known[0].partition(":")[0]
    return (known[0], *sorted(known[1:], key=lambda name: name.partition(":")[0] == best))


def _worth(side: int, bodies: int) -> float:
    """In the order of what probes of one to three bodies at 128, 160 and 224 px named of real drawings."""
    return float(side**2 * bodies**0.65)


def _sides(now: Situation, table: Table) -> list[int]:
    """The sides of a probe, the largest first."""
    return sorted({_side(side, now) for side in table.probe_sides}, reverse=True)


def _scout(now: Situation, models: Sequence[str], side: int) -> Step:
    costs = now.costs
    computing, fits = now.computes(models, side), sum(costs.fit([model], kind="ridge") for model in models)
    return Step(
        kind="scout",
        name="scout",
        models=tuple(models),
        size=side,
        seconds=computing + fits,
        computing=computing,
        reason=f"the candidates that fit into {duration(now.available)}, with time left for the best of them",
    )


def _probe(now: Situation, models: Sequence[str], side: int, table: Table) -> Step:
    """A probe of all folds; features that an earlier step computed are there already."""
    logistic, ridge = (now.costs.fit(models, kind=kind) for kind in ("logistic", "ridge"))
    fit: Literal["ridge", "logistic"] = (
        "logistic" if logistic <= table.logistic_share * now.available else "ridge"
    )
    computing = now.computes(models, side)
    if len(models) > 1:
        reason = f"{len(models)} bodies joined see more than one"
    elif now.ranked:
        reason = "the best that was ranked"
    else:
        reason = "the first candidate: there is no time to rank others"
    name = f"probe-{side}" if len(models) == 1 else f"joint-{side}"
    return Step(
        kind="probe",
        name=name,
        models=tuple(models),
        size=side,
        fit=fit,
        seconds=computing + (logistic if fit == "logistic" else ridge),
        computing=computing,
        reason=reason,
    )


def _joint(now: Situation, table: Table) -> Step | None:
    """Several bodies in one probe, once, or one body at a larger side: what fits into its share of the time.

    That is nearly all of it where no run of tuning of some length could end in it.
    """
    before = now.of("probe")
    if any(len(step.models) > 1 for step in before) or now.of("tune"):
        return None
    share = table.probe_share if _follows(_tuned(now, table), table) else table.last_share
    for side, models in _choices(now, table):
        if any(step.models == models and step.size >= side for step in before):
            continue
        step = _probe(now, models, side, table)
        if step.seconds <= share * now.available and now.spare(step) >= 0:
            return step
    return None


def _vote(now: Situation) -> Step | None:
    """A committee of everything that there is, where that is new."""
    members = _members(now)
    tuned = len(now.of("tune"))
    before = now.of("committee")
    if len(members) < 2 or (before and before[-1].epochs == tuned) or now.rate(now.models) < now.at_least:
        return None
    seconds = VOTING * now.costs.pace
    if seconds > now.available:
        return None
    # `epochs` counts the runs that it may choose from, by which a later one is told to be new.
    return Step(
        kind="committee",
        name=f"committee-{tuned}",
        models=members,
        epochs=tuned,
        seconds=seconds,
        reason="kept only if it is better than its best member on drawings that its choice did not see",
    )


def _members(now: Situation) -> tuple[str, ...]:
    """The probe that reads most, and each tuned recipe whose first fold is there."""
    probes = [step.name for step in now.of("probe")[-1:]]
    return (*probes, *dict.fromkeys(step.recipe_name for step in now.of("tune")))


def _tuned(now: Situation, table: Table) -> Step | End:
    """The next run of a recipe that was begun, or the first of another."""
    runs, costs = now.of("tune"), now.costs
    after = VOTING * costs.pace
    bodies = [model for model in now.ranked or now.candidates if model not in now.frozen]
    if not bodies:
        return End("no candidate can be tuned on this machine", more_helps=False)
    if any(each.failed for each in now.made):
        return End("a step failed, and the next would be like it", more_helps=False)
    many = [*now.models, *((run.models[0], run.size) for run in runs[-1:])]
    if runs and now.rate(many) < now.at_least:
        slow = f"a vote of {counted(len(runs) + 2, 'model')} would name {now.rate(many):.1f} images a second"
        return End(f"{slow}, and {now.at_least:g} are asked for", more_helps=False)
    by_recipe: dict[str, list[Step]] = {}
    for run in runs:
        by_recipe.setdefault(run.recipe_name, []).append(run)
    for of_one in by_recipe.values():
        last = of_one[-1]
        fold = len(of_one)
        if fold < min(costs.part.folds, table.most_folds) and last.epochs >= table.enough_epochs:
            step = _run(now, last.models[0], last.size, last.epochs, fold, last.seed)
            again = step.model_copy(update={"name": f"{last.recipe_name}/fold-{fold}"})
            if now.spare(again) >= after + table.margin * again.seconds:
                return again
    most = min(costs.part.folds, table.most_folds)
    if len(by_recipe) >= table.recipes and all(len(of_one) >= most for of_one in by_recipe.values()):
        return End("every member of the portfolio is made: more time would add nothing that is known to help",
                   more_helps=False)  # fmt: skip
    return _new_recipe(now, bodies, len(by_recipe), after, table)


def _new_recipe(now: Situation, bodies: Sequence[str], number: int, after: float, table: Table) -> Step | End:
    model = bodies[number % len(bodies)]
    looks = now.costs.closing([(model, max(now.sides or table.tuning_sides))], now.further)
    available = now.available - after - (looks - now.costs.closing([], now.further))
    together = available * now.lanes
    wanted = next((count for limit, count in table.members if together < limit), table.most_members)
    sides = now.sides or table.tuning_sides
    for runs in range(wanted if number < table.recipes else 1, 0, -1):
        each = available / (1 + table.margin) / -(-runs // now.lanes)
        for side in sides:
            epochs = _epochs(now, model, side, each)
            if epochs >= (table.enough_epochs if side > min(sides) or runs > 1 else table.least_epochs):
                step = _run(now, model, side, min(epochs, table.most_epochs), 0, number)
                taken = {each.recipe_name for each in now.of("tune")}
                if step.recipe_name not in taken:
                    return step
    need = _run(now, model, min(sides), table.least_epochs, 0, number).seconds * (1 + table.margin)
    left = duration(max(0.0, available))
    return End(f"the next step, tuning {model}, needs {duration(need)}, and {left} are left for it")


def _epochs(now: Situation, model: str, side: int, seconds: float) -> int:
    left = seconds - now.costs.beginning(model) - now.computes([model], side)
    return int(left / now.costs.epoch(model, side))


def _run(now: Situation, model: str, side: int, epochs: int, fold: int, seed: int) -> Step:
    costs = now.costs
    seconds = costs.beginning(model) + now.computes([model], side) + epochs * costs.epoch(model, side)
    reason = f"{duration(costs.epoch(model, side))} an epoch"
    if fold:
        reason += "; one more fold of the same recipe, so that its vote has seen more drawings"
    name = f"tuned-{model.replace(':', '-')}-{side}-{epochs}/fold-{fold}"
    return Step(
        kind="tune",
        name=name,
        models=(model,),
        size=side,
        epochs=epochs,
        fold=fold,
        seed=seed,
        seconds=seconds,
        reason=reason,
    )


def _side(wanted: int, now: Situation) -> int:
    """A side that is allowed: tests and small collections know others."""
    return min(now.sides, key=lambda side: abs(side - wanted)) if now.sides else wanted

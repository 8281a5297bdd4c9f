"""The plan of `auto`: on any machine, for any budget, steps end in time, and what is left is explained."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dessin.auto.budget import Costs, Part, Speed, parse_rate
from dessin.auto.portfolio import TABLE, End, bought, next_step, side_by_side, wishes
from dessin.auto.situation import Made, Situation, Step
from dessin.errors import DessinError
from dessin.progress import parse_budget

SMALL, LARGE = "tf_efficientnet_lite0", "tf_efficientnet_lite2"
CANDIDATES = (f"{SMALL}:drawn", SMALL, LARGE)


def costs(images: int = 3000, scale: float = 1.0, classes: int = 30) -> Costs:
    held = images // 5
    part = Part(max(1, (images - held) // 5), 5, images - held, held, classes)
    speeds = {
        (SMALL, 128): Speed(400 * scale, 140 * scale, 400 * scale),
        (LARGE, 128): Speed(200 * scale, 70 * scale, 200 * scale),
    }
    return Costs(part, 300 * scale, speeds, {SMALL: 2144, LARGE: 2224}, 1e11 * scale)


@dataclass(frozen=True)
class Walk:
    """What a plan came to: its steps, the seconds used, and why it ended."""

    steps: tuple[Step, ...]
    used: float
    end: End
    last: Situation


def walk(
    budget: float,
    known: Costs,
    *,
    slower: Callable[[Step], float] = lambda _step: 1.0,
    right: Callable[[Step], float | None] = lambda _step: 0.5,
    at_least: float = 0.0,
    late: bool = False,
) -> Walk:
    """Every step of a plan; each takes `slower` times as long as thought, but a training stops in time."""
    used, made, ranked = 5.0, tuple[Made, ...](), tuple[str, ...]()
    while True:
        now = Situation(known, budget, budget - used, CANDIDATES, made, ranked, at_least=at_least)
        step = next_step(now)
        if isinstance(step, End):
            closing = known.closing(now.models)
            return Walk(tuple(each.step for each in made), used + closing, step, now)
        assert late or step.seconds <= now.available, step.words()
        seconds, epoch = step.seconds * slower(step), 0.0
        if step.kind == "tune":
            epoch = known.epoch(step.models[0], step.size) * slower(step)
            seconds = min(seconds, max(now.available, known.beginning(step.models[0]) + epoch))
        used += seconds
        made = (*made, Made(step, right(step)))
        assert len({each.step.name for each in made}) == len(made)
        assert len(made) < 80
        if step.kind == "scout":
            ranked = step.models


machines = st.builds(costs, st.integers(60, 20_000), st.floats(0.1, 100), st.integers(2, 300))


@given(machines, st.floats(20, 20_000))
def test_a_plan_uses_its_budget_or_says_why_not(known: Costs, budget: float) -> None:
    try:
        found = walk(budget, known)
    except DessinError:
        return
    assert found.used <= budget * 1.0001
    assert found.steps[-1].kind != "scout"
    if found.used < 0.85 * budget and found.end.more_helps:
        assert re.search(r"needs .* and .* left for it", found.end.reason)


@given(machines, st.floats(100, 20_000), st.integers(1, 8))
def test_folds_that_go_on_side_by_side_are_of_one_recipe_and_end_in_time(
    known: Costs, budget: float, lanes: int
) -> None:
    made = (Made(Step(kind="probe", name="probe-128", models=(SMALL,), size=128, seconds=9, reason="")),)
    now = Situation(known, budget, budget - 9, CANDIDATES, made, lanes=lanes)
    step = next_step(now)
    if isinstance(step, End):
        return
    steps = side_by_side(now, step)
    assert steps[0] == step
    assert len(steps) <= (lanes if step.kind == "tune" else 1)
    assert [each.fold for each in steps[1:]] == list(range(1, len(steps)))
    assert {each.recipe_name for each in steps} == {step.recipe_name}
    after = replace(now, left=now.left - step.seconds, made=(*made, *map(Made, steps)))
    assert after.available >= 0


def test_a_cluster_s_folds_are_more_and_no_shorter() -> None:
    probe = Step(kind="probe", name="joint-128", models=(SMALL, LARGE), size=128, seconds=9, reason="")
    made = (Made(probe),)
    alone, many = (Situation(costs(), 400, 391, CANDIDATES, made, lanes=lanes) for lanes in (1, 4))
    (one,), four = (side_by_side(now, _tune(now)) for now in (alone, many))
    assert len(four) == 4
    assert (four[0].size, four[0].epochs) >= (one.size, one.epochs)


def _tune(now: Situation) -> Step:
    step = next_step(now)
    assert isinstance(step, Step)
    assert step.kind == "tune"
    return step


@given(machines, st.floats(60, 5_000), st.floats(0.7, 1.4))
def test_a_machine_that_slows_down_is_not_overrun_by_much(known: Costs, budget: float, slower: float) -> None:
    try:
        found = walk(budget, known, slower=lambda _step: slower)
    except DessinError:
        return
    tuned = [step for step in found.steps if step.kind == "tune"]
    spare = max((known.epoch(step.models[0], step.size) for step in tuned), default=0.0)
    assert found.used <= 1.05 * budget + spare * slower or not tuned


def test_a_machine_that_slows_down_at_once_still_gives_a_model() -> None:
    found = walk(300.0, costs(scale=2.0), slower=lambda step: 9.0 if step.kind == "scout" else 1.0, late=True)
    assert [step.kind for step in found.steps] == ["scout", "probe"]
    assert "left for it" in found.end.reason


def test_an_impossible_budget_says_what_would_do() -> None:
    with pytest.raises(DessinError, match="at least") as caught:
        walk(10.0, costs())
    words = str(caught.value).split("at least ")[1].split(" is needed")[0]
    minutes, _, seconds = words.rpartition(" min ")
    needed = 60 * float(minutes or 0) + float(seconds.removesuffix(" s"))
    found = walk(needed + 1, costs())
    assert [step.kind for step in found.steps] == ["probe"]
    assert found.steps[0].models == CANDIDATES[:1]


def test_more_time_buys_more_in_the_order_of_its_gain() -> None:
    walks = [walk(60.0 * minutes, costs(scale=4.0)) for minutes in (1, 2, 5, 15, 60)]
    tuned = [sum(step.kind == "tune" for step in each.steps) for each in walks]
    assert tuned == sorted(tuned)
    assert tuned[-1] > tuned[1]
    kinds = [step.kind for step in walks[-1].steps]
    assert kinds[:4] == ["scout", "probe", "probe", "tune"]
    assert [step.fold for step in walks[-1].steps if step.kind == "tune"][:3] == [0, 1, 2]
    assert len(walks[-1].steps[2].models) == TABLE.joined
    assert kinds[-1] == "committee", "what was made last is in the vote"


def test_folds_of_a_member_have_one_recipe() -> None:
    found = walk(3600.0, costs(scale=4.0))
    first = [step for step in found.steps if step.kind == "tune" and step.seed == 0]
    assert len({(step.recipe_name, step.models, step.size, step.epochs, step.seed) for step in first}) == 1


def test_it_ends_where_more_time_would_not_help() -> None:
    solved = walk(3600.0, costs(scale=4.0), right=lambda _step: 1.0)
    assert [step.kind for step in solved.steps] == ["scout", "probe"]
    assert not solved.end.more_helps
    assert "100.0% are right already" in solved.end.reason
    assert wishes(solved.last, 3600.0) == []
    endless = walk(1e6, costs(scale=4.0))
    assert "every member of the portfolio is made" in endless.end.reason
    assert sum(step.kind == "tune" for step in endless.steps) == 2 * 5


def test_what_is_too_large_to_tune_is_probed_alone() -> None:
    known = costs(scale=4.0)
    frozen = Situation(known, 900.0, 900.0, CANDIDATES, frozen=frozenset(CANDIDATES))
    scouted = next_step(frozen)
    assert isinstance(scouted, Step)
    assert scouted.models == CANDIDATES
    probed = replace(
        frozen, ranked=CANDIDATES, made=(Made(scouted), Made(Step(kind="probe", name="p", models=CANDIDATES,
                                                                 size=224, seconds=1.0, reason=""), 0.5))
    )  # fmt: skip
    end = next_step(probed)
    assert isinstance(end, End)
    assert "no candidate can be tuned" in end.reason


def test_a_step_that_failed_is_not_tried_again() -> None:
    now = walk(900.0, costs(scale=4.0)).last
    tuned = next(each for each in now.made if each.step.kind == "tune")
    made = now.made[: now.made.index(tuned)]
    failed = replace(now, made=(*made, replace(tuned, failed=True)), left=500.0)
    end = next_step(failed)
    assert isinstance(end, End)
    assert "failed" in end.reason


def test_it_says_what_an_hour_more_would_buy() -> None:
    found = walk(120.0, costs(scale=2.0))
    wished = wishes(found.last, 3600.0)
    assert wished
    assert wished[0].name not in {step.name for step in found.steps}
    assert sum(step.seconds for step in wished) <= 3600.0 + 120.0
    (said,) = bought(wished)
    assert said.startswith("An hour more would buy: ")
    assert "further fold" in said
    assert "vote" not in said
    assert bought([]) == []


def test_no_model_is_made_that_would_be_too_slow() -> None:
    known = costs(scale=4.0)
    alone = known.speed(SMALL, 160).forward / 2
    found = walk(1800.0, known, at_least=0.9 * alone)
    kinds = [step.kind for step in found.steps]
    assert "committee" not in kinds
    assert all(len(step.models) == 1 for step in found.steps if step.kind == "probe")
    assert "are asked for" in found.end.reason
    assert "committee" in [step.kind for step in walk(1800.0, known, at_least=1.0).steps]
    assert [parse_rate(text) for text in ("20/s", "20", "0.5 / s")] == [20.0, 20.0, 0.5]
    with pytest.raises(DessinError, match="images a second"):
        parse_rate("fast")


def test_work_is_known_from_the_nearest_measurement() -> None:
    known = costs()
    assert known.speed(f"{SMALL}:drawn", 128) == known.speed(SMALL, 128)
    assert known.speed(SMALL, 192).forward == pytest.approx(known.speed(SMALL, 128).forward / 2.25)
    other = known.speed("tf_efficientnet_lite1", 128)
    assert known.speed(LARGE, 128).forward / 2 < other.forward < known.speed(SMALL, 128).forward


def test_what_a_step_took_changes_what_the_next_are_thought_to_take() -> None:
    known = costs()
    slow = known.learnt({(SMALL, 160): Speed(100.0, 30.0, 100.0)}, 2.0, fit=True)
    assert slow.epoch(SMALL, 192) > known.epoch(SMALL, 192)
    assert slow.fit([SMALL]) > 1.9 * known.fit([SMALL])
    assert slow.closing([(SMALL, 160)]) > known.closing([(SMALL, 160)])
    assert known.learnt({}, 1e9).pace <= 4.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5m", 90), ("30", 30)]
)
def test_reads_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5m", "soon", "5 days", "m"])
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(DessinError, match="not a budget"):
        parse_budget(text)


@given(machines, st.floats(60, 3600))
def test_a_ranking_costs_no_larger_probe(known: Costs, budget: float) -> None:
    """Where ranking would leave time for a smaller joint probe only, the order known beforehand is taken."""

    def reach(steps: Sequence[Step]) -> float:
        return max((s.size**2 * len(s.models) ** 0.65 for s in steps if s.kind == "probe"), default=0.0)

    try:
        found = walk(budget, known)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules["dessin.auto.portfolio"], "_scout", lambda *_: ENDLESS)
            unranked = walk(budget, known)
    except DessinError:
        return
    assert reach(found.steps) >= reach(unranked.steps)


ENDLESS = Step(kind="scout", name="scout", seconds=1e9, reason="never fits")

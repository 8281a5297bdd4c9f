from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dessin.auto.budget import MAX_EPOCHS, SAFETY, AutoPlan, Speed, Workload, parse_budget, plan_auto
from dessin.errors import DessinError

MODELS = ("small", "large")


def speeds(scale: float = 1.0) -> dict[tuple[str, int], Speed]:
    areas = {224: 1.0, 160: 2.0, 128: 3.0}
    return {
        (name, size): Speed(scale * 90 * area / cost, scale * 24 * area / cost)
        for name, cost in (("small", 1.0), ("large", 1.6))
        for size, area in areas.items()
    }


def planned(budget_s: float, images: int = 3000, scale: float = 1.0) -> AutoPlan:
    return plan_auto(Workload(images, 300, speeds(scale)), MODELS, budget_s)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5m", 90), ("30", 30)]
)
def test_reads_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5m", "soon", "5 days", "m"])
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(DessinError, match="not a budget"):
        parse_budget(text)


@given(st.integers(50, 3_000), st.floats(0.8, 50), st.floats(200, 10_000))
def test_a_plan_never_promises_more_than_the_budget(images: int, scale: float, budget_s: float) -> None:
    plan = planned(budget_s, images, scale)
    assert plan.seconds <= SAFETY * budget_s + 1e-6
    assert 0 <= plan.epochs <= MAX_EPOCHS


def test_more_time_never_buys_a_smaller_picture_or_fewer_candidates() -> None:
    plans = [planned(60.0 * m) for m in range(3, 60)]
    assert [p.size for p in plans] == sorted(p.size for p in plans)
    assert [len(p.models) for p in plans] == sorted(len(p.models) for p in plans)
    assert plans[0].size == 128
    assert plans[-1].size == 224


def test_an_impossible_budget_says_what_would_do() -> None:
    with pytest.raises(DessinError, match="at least") as caught:
        planned(5)
    words = str(caught.value).split("at least ")[1].split(" is needed")[0]
    minutes, _, seconds = words.partition(" min ")
    needed = (
        60 * float(minutes) + float(seconds.removesuffix(" s"))
        if seconds
        else float(minutes.removesuffix(" s"))
    )
    assert planned(needed + 1).models == ("small",)

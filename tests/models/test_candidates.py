"""Which backbones a machine tries is planned from numbers alone: no torch, no hub, no GPU."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dessin.models.candidates import Candidates, Job, Machine, choose_candidates
from dessin.models.default_backbones import ALWAYS, ROWS, TABLE, side_of
from dessin.models.price import gib_of

PACKAGED = frozenset(row.name for row in TABLE if row.tier == "packaged")
GPU = Machine("cuda", 80.0, 16, PACKAGED, hub="")
CPU = Machine("cpu", 16.0, 2, PACKAGED, hub="")
GONE = "the hub cannot be reached"
HOUR = Job(images=1000, seconds=3600.0, tuned=True)
SIGLIP, EVA, CONVNEXT, TINY = (
    "vit_so400m_patch14_siglip_378.webli_ft_in1k",
    "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k",
    "convnext_large_mlp.clip_laion2b_soup_ft_in12k_in1k_320",
    "tiny_vit_21m_224.dist_in22k_ft_in1k",
)


def reasons(plan: Candidates) -> dict[str, str]:
    return {each.value: each.reason for each in (*plan.taken, *plan.offered, *plan.missed, *plan.left)}


def test_a_gpu_of_80_gb_tries_the_strong_ones_and_says_licences_and_minutes() -> None:
    plan = choose_candidates(GPU, HOUR)
    assert plan.names == (*ALWAYS, EVA, SIGLIP, CONVNEXT)
    assert not plan.missed
    said = dict(zip(plan.names[len(ALWAYS) :], plan.lines(), strict=True))
    for name, line in said.items():
        assert line.startswith(f"candidate: {name} (")
        assert ROWS[name].licence in line
        assert f"{ROWS[name].tuning_gib:.1f} of 80 GiB" in line
        assert " for features of 1,000 images, tuning " in line
        assert "GB from the hub" in line
    assert "MIT, 304 M parameters, 70.7% on ImageNet-Sketch, tuned, 448 px" in said[EVA]
    assert "Apache-2.0" in said[SIGLIP]


def test_with_the_hub_gone_it_says_what_it_would_have_used() -> None:
    plan = choose_candidates(replace(GPU, hub=GONE), HOUR)
    assert plan.names == ALWAYS
    assert [missed.value for missed in plan.missed] == [EVA, SIGLIP, CONVNEXT]
    for line in plan.lines():
        assert line.startswith("would have been a candidate: ")
        assert GONE in line
        assert "tuning " in line


def test_what_was_fetched_ahead_is_used_without_the_hub() -> None:
    base = "convnext_base.clip_laion2b_augreg_ft_in12k_in1k"
    plan = choose_candidates(replace(GPU, hub=GONE, here=PACKAGED | {EVA, base}), HOUR)
    assert plan.names == (*ALWAYS, EVA, base)
    assert "its weights are here" in reasons(plan)[EVA]
    assert [missed.value for missed in plan.missed] == [SIGLIP, CONVNEXT]


def test_what_memory_is_too_small_to_tune_is_offered_for_a_probe_or_lora() -> None:
    plan = choose_candidates(replace(GPU, memory_gib=12.0), replace(HOUR, seconds=None))
    assert {each.way for each in plan.taken} == {"tuned"}
    assert [(each.value, each.way) for each in plan.offered] == [(EVA, "frozen"), (SIGLIP, "lora")]
    reason = reasons(plan)[EVA]
    assert reason.startswith("tuning needs 17.7 GiB, and 12.0 are free; MIT, ")
    assert "frozen, for a probe, 448 px, 3.8 of 12 GiB" in reason
    assert not {each.value for each in plan.offered} & {each.value for each in plan.left}
    assert [line.split(":")[0] for line in plan.lines()] == ["candidate"] * 3 + ["offered"] * 2


def test_with_the_hub_gone_it_says_what_it_would_have_offered() -> None:
    plan = choose_candidates(replace(GPU, memory_gib=12.0, hub=GONE), replace(HOUR, seconds=None))
    assert not plan.offered
    assert [each.way for each in plan.missed] == ["frozen", "lora", "tuned", "tuned", "tuned"]
    line = plan.lines()[1]
    assert line.startswith(
        f"would have been offered: {SIGLIP} ({GONE}; tuning needs 15.1 GiB, and 12.0 are free"
    )


def test_what_there_is_no_time_to_tune_is_offered_too() -> None:
    job = Job(images=15_000, seconds=2100.0, tuned=True)
    plan = choose_candidates(replace(GPU, here=frozenset(ROWS)), job)
    offered = {each.value: each for each in plan.offered}
    assert offered[EVA].way == "lora"
    assert "too much of 35 min 0 s" in offered[EVA].reason
    assert all(each.seconds <= 0.5 * 2100 for each in (*plan.taken, *plan.offered))


def test_where_a_probe_is_all_that_is_wanted_nothing_is_offered_beside_it() -> None:
    plan = choose_candidates(replace(GPU, memory_gib=12.0), replace(HOUR, tuned=False))
    assert {each.way for each in plan.taken} == {"frozen"}
    assert EVA in plan.names
    assert not plan.offered


def test_a_processor_gets_a_small_one_where_there_is_time() -> None:
    assert choose_candidates(CPU, HOUR).names == (*ALWAYS, TINY)
    short = choose_candidates(CPU, replace(HOUR, seconds=300.0))
    assert short.names == ALWAYS
    assert "too much of 5 min" in reasons(short)[TINY]
    assert reasons(short)[SIGLIP] == "needs a GPU"


def test_memory_counts_for_what_is_done() -> None:
    tuned, frozen = (
        choose_candidates(replace(GPU, memory_gib=16.0), replace(HOUR, tuned=tuned))
        for tuned in (True, False)
    )
    assert SIGLIP not in tuned.names
    assert "needs 15.1 GiB, and 16.0 are free" in reasons(tuned)[SIGLIP]
    assert SIGLIP in frozen.names


def test_a_licence_of_its_own_is_never_taken_unasked() -> None:
    everything = replace(GPU, memory_gib=1000.0, here=frozenset(ROWS))
    for machine in (everything, GPU, CPU):
        plan = choose_candidates(machine, replace(HOUR, seconds=None))
        assert not any("dinov3" in name for name in plan.names)
        assert "only when you name it" in reasons(plan)["vit_large_patch16_dinov3.lvd1689m"]


machines = st.builds(
    Machine,
    st.sampled_from(["cpu", "cuda", "mps"]),
    st.floats(0.5, 200),
    st.integers(1, 64),
    st.frozensets(st.sampled_from(sorted(ROWS))),
    st.sampled_from(["", GONE]),
)
jobs = st.builds(Job, st.integers(10, 100_000), st.none() | st.floats(10, 1e5), st.booleans())


@given(machines, jobs)
def test_nothing_is_taken_that_cannot_be_had(machine: Machine, job: Job) -> None:
    plan = choose_candidates(machine, job)
    assert plan.names[: len(ALWAYS)] == ALWAYS
    assert len(set(plan.names)) == len(plan.names)
    for each in (*plan.taken[len(ALWAYS) :], *plan.offered):
        assert not machine.hub or each.value in machine.here
        assert each.gib == gib_of(ROWS[each.value], each.way) <= machine.memory_gib
        assert job.seconds is None or each.seconds <= job.seconds
    assert not {each.value for each in plan.offered} & set(plan.names)
    assert not plan.missed or machine.hub
    assert not {decision.value for decision in plan.missed} & set(plan.names)


@given(machines, jobs, st.floats(1, 10))
def test_more_time_and_memory_never_lose_all_of_the_best(machine: Machine, job: Job, more: float) -> None:
    """The first of the strongest stays, or a stronger one comes before it."""
    order = list(ROWS)
    seconds = None if job.seconds is None else more * job.seconds
    richer = replace(machine, memory_gib=more * machine.memory_gib)
    before = beside_the_usual(choose_candidates(machine, job))
    after = beside_the_usual(choose_candidates(richer, replace(job, seconds=seconds)))
    if before:
        assert after
        assert order.index(after[0]) <= order.index(before[0])


def beside_the_usual(plan: Candidates) -> list[str]:
    return sorted((each.value for each in (*plan.taken[len(ALWAYS) :], *plan.offered)), key=list(ROWS).index)


def test_a_side_is_one_that_the_backbone_reads_and_was_trained_at() -> None:
    assert [side_of(EVA, most) for most in (128, 160, 224, 320, 448, 600)] == [126, 154, 224, 308, 448, 448]
    assert [side_of(ALWAYS[0], most) for most in (128, 160, 224, 448)] == [128, 160, 224, 224]
    assert side_of("resnet18", 448) == 448, "of others nothing is known"


def test_planning_imports_no_torch() -> None:
    code = "import sys, dessin.models.candidates; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_is_whole(row: object) -> None:
    assert isinstance(row, type(TABLE[0]))
    assert row.features_gib < row.tuning_gib or row.tier == "packaged"
    assert row.size % row.step == 0

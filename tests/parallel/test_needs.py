"""What work asks of a cluster's nodes, from what the first of it took."""

from __future__ import annotations

from dessin.parallel.needs import GIB, Needs, Node, Took, measured, places_for


def node(cores: float = 8, memory: float = 16, gpus: float = 0) -> Node:
    return Node("", True, cores, gpus, memory * GIB)


def test_memory_is_what_was_measured_rounded_up_and_no_more_than_a_node_has() -> None:
    nodes = [node(memory=2), node(memory=4)]
    assert measured(Needs(1), Took(1.0, int(0.6 * GIB)), nodes).memory == 0.75 * GIB
    assert measured(Needs(1), Took(1.0, 9 * GIB), nodes).memory == 4 * GIB
    assert measured(Needs(1), Took(1.0, 0), nodes).memory == 0


def test_a_gpu_is_shared_by_as_many_as_it_holds_with_a_quarter_to_spare() -> None:
    shares = {
        took: measured(Needs(1, gpus=1.0), Took(1.0, GIB, took), [node(gpus=1)]).gpus
        for took in (0.9, 0.41, 0.4, 0.05, 0.0)
    }
    assert shares == {0.9: 1.0, 0.41: 1.0, 0.4: 0.5, 0.05: 0.25, 0.0: 1.0}


def test_there_is_room_for_as_many_as_cores_memory_and_gpus_allow() -> None:
    nodes = [node(cores=8, memory=3), node(cores=3, memory=16)]
    assert places_for(Needs(1, memory=GIB), nodes) == 3 + 3
    assert places_for(Needs(2), nodes) == 4 + 1
    assert places_for(Needs(1, gpus=0.5), [node(gpus=2), node()]) == 4
    assert places_for(Needs(99), nodes) == 1


def test_a_plan_says_it_in_words() -> None:
    assert Needs(2, gpus=0.25, memory=GIB * 3 // 4).words() == "2 cores, 0.75 GiB, 1/4 of a GPU"
    assert Needs(1).words() == "1 core"

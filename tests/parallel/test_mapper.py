"""Mappers: the same results in the same order, wherever the work is done; what goes wrong is raised here."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.parallel.mapper import ThreadMapper
from dessin.parallel.ray_data import RayMapper, _in_order, _Piece
from dessin.parallel.ray_queue import Work
from dessin.runs.executors.choose import choose_mapper
from dessin.runs.machine import NOBODY, who


def test_threads_keep_the_order_of_the_items() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()
        return number * number

    assert list(ThreadMapper(2).map(work, range(50))) == [number * number for number in range(50)]


def test_what_a_thread_raises_ends_the_work() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise DessinError("the third is bad")
        done.append(number)
        return number

    with pytest.raises(DessinError, match="the third is bad"):
        list(ThreadMapper(1).map(work, range(10_000)))
    assert len(done) < 10_000


def test_pieces_in_any_order_become_items_in_order() -> None:
    pieces = [_Piece(2, ("e",)), _Piece(0, ("a", "b")), _Piece(3, ("f",)), _Piece(1, ("c", "d"))]
    assert list(_in_order(iter(pieces))) == list("abcdef")


def test_an_exception_comes_where_its_item_would_have() -> None:
    failing = [_Piece(1, ("c",), ValueError("after c")), _Piece(0, ("a", "b")), _Piece(2, ("d",))]
    items = _in_order(iter(failing))
    assert [next(items) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="after c"):
        next(items)


def test_the_executor_is_chosen_by_name() -> None:
    choose = partial(choose_mapper, name="audit", folder="out")
    assert choose("local", None) is None
    chosen = choose("ray", "10.0.0.1:6379", gpu=True)
    assert isinstance(chosen, RayMapper)
    assert (chosen.address, chosen.gpu) == ("10.0.0.1:6379", True)
    assert chosen.work == Work("audit", str(Path("out").absolute()), who() or NOBODY)
    with pytest.raises(DessinError, match='Did you mean "ray"'):
        choose("rya", None)
    with pytest.raises(DessinError, match="address auto was given, and the executor is local"):
        choose("local", "auto")


def test_no_items_need_no_ray() -> None:
    assert list(RayMapper("1.2.3.4:5").map(abs, [])) == []

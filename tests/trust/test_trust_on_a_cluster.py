"""`evaluate --robustness` and `explain` on two real Ray nodes: the bytes of one machine, and the queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ray_kit import cluster_of
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.errors import DessinError
from dessin.parallel import ray_data
from dessin.parallel.ray_queue import Queued, Work, announced, queued
from dessin.reading import read_json
from dessin.runs.machine import NOBODY, who
from dessin.runs.train import train
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three folds, which each are asked about other drawings."""
    with apart(tmp_path_factory.mktemp("trust")) as folder:
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        asked: dict[str, Any] = {"data": data, "split": split, "folds": "all", "threads": 1}
        yield train(tiny_recipe("probe"), out=folder / "group", **asked)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Its nodes have a cache of their own, and make what they need of it themselves."""
    with cluster_of(2, tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Queued, ...]]:
    """What the queue shows of each map at its end."""
    found: list[tuple[Queued, ...]] = []

    @contextmanager
    def watched(ray: ModuleType, work: Work, names: Sequence[str]) -> Iterator[None]:
        with announced(ray, work, names):
            yield
            found.append(queued(ray))

    monkeypatch.setattr(ray_data, "announced", watched)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("robustness.json", "index.html")
    }


def two_shares(shown: Sequence[Queued], name: str, folder: Path) -> None:
    """Whose both are, and where: a node may have been too late for any of it."""
    assert {job.name for job in shown} == {f"{name} 1", f"{name} 2"}
    assert {(job.folder, job.who) for job in shown} == {(str(folder), who() or NOBODY)}
    working = [job.node_id for job in shown if job.state == "running"]
    assert working
    assert len(set(working)) == len(working)


def test_the_suite_gives_the_answers_of_one_machine(
    group: Path, cluster: Any, tmp_path: Path, seen: list[tuple[Queued, ...]]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    evaluate(group, out=here, robustness=True)
    evaluate(group, out=there, robustness=True, executor="ray", address=cluster.address)
    assert files(there) == files(here)
    results = (read_json(folder / "robustness.json") for folder in (there, here))
    first, second = ({**found, "seconds": 0} for found in results)
    assert first == second
    (shown,) = seen
    two_shares(shown, "robustness", there)


def test_maps_have_the_bytes_of_one_machine(
    group: Path, cluster: Any, tmp_path: Path, seen: list[tuple[Queued, ...]]
) -> None:
    here, there, methods = tmp_path / "here", tmp_path / "there", ("gradcam", "occlusion")
    explain(group, out=here, methods=methods)
    explain(group, out=there, methods=methods, executor="ray", address=cluster.address)
    assert files(there) == files(here)
    pictures, measures = seen
    two_shares(pictures, "explain", there)
    two_shares(measures, "explain", there)


def test_plain_answers_are_no_work_for_a_cluster(group: Path) -> None:
    with pytest.raises(DessinError, match="a cluster would do it no faster"):
        evaluate(group, executor="ray")

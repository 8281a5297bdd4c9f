"""A Ray cluster of several nodes on this machine, all on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dessin.parallel import ray_connection

# A dead node is noticed within about two seconds instead of twenty.
QUICK = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 2,
}


@contextmanager
def cluster_of(nodes: int, cache: Path) -> Iterator[Any]:
    """A head without cores, where the driver is, and so many nodes with one core each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", ray_connection._TOKEN)
        patch.setenv("DESSIN_CACHE", str(cache))
        from ray.cluster_utils import Cluster

        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK},
        )
        for _ in range(nodes):
            made.add_node(num_cpus=1)
        yield made
        made.shutdown()

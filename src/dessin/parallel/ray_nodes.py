"""Whether the nodes of a Ray cluster can take our work, asked before any of it is sent."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from dessin.errors import DessinError

_PACKAGES = ("dessin", "numpy", "Pillow", "opencv-python-headless", "torch", "timm")


def check_nodes(ray: ModuleType) -> None:
    """Ask every node that has a core for its versions.

    Ray Data itself would try for ever on a node that lacks a package, and another version of one may give
    other numbers.

    Raises:
        DessinError: a node lacks dessin, or has another version of a package that can change a number.
    """
    affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    asked = {
        node["NodeManagerHostname"]: ray.remote(package_versions)
        .options(num_cpus=0, max_retries=0, scheduling_strategy=affinity(node["NodeID"], soft=False))
        .remote()
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    }
    if not asked:
        raise DessinError("No node of the Ray cluster has a core to give.", do="Add a node to it.")
    ours = package_versions()
    for host, answer in asked.items():
        try:
            theirs: dict[str, str] = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise unfit(host, error) from None
        others = [f"{name} {theirs[name]} (here {ours[name]})" for name in ours if theirs[name] != ours[name]]
        if others:
            raise DessinError(
                f"The node {host} has other versions than this machine: {', '.join(others)}.",
                do="Install the same packages on every node.",
            )


def package_versions() -> dict[str, str]:
    """The packages that can change what a map gives, as this process has them."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return versions


def unfit(host: str, error: Exception) -> DessinError:
    """The error for a node that could not even begin."""
    said = str(error).strip().splitlines()
    reason = said[-1] if said else type(error).__name__
    return DessinError(
        f"The node {host} cannot take the work: {reason.rstrip('.')}.",
        do="Install the same packages on every node.",
    )

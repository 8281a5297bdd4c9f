"""The verb `queue`: what runs and waits on a Ray cluster, whose it is, and where."""

from __future__ import annotations

from dessin.language import tr, tr_n
from dessin.page.notebook import ShownTuple
from dessin.page.tables import aligned, terminal_width
from dessin.parallel.ray_connection import connected
from dessin.parallel.ray_queue import Queued, queued
from dessin.progress import say


def queue(*, address: str = "auto") -> ShownTuple[Queued]:
    """Show what runs and what waits on a Ray cluster: whose it is, what it is for, and on which machine.

    Args:
        address: The running cluster, `auto` (the one that this machine belongs to) or `host:port`.

    Raises:
        DessinError: Ray is not installed, or there is no such cluster.
    """
    with connected(address) as ray:
        found = ShownTuple(queued(ray))
    if found:
        titles = (tr("State"), tr("Job"), tr("Folder"), tr("Who"), tr("From"), tr("Runs on"), tr("Since"))
        words = {"running": tr("running"), "waiting": tr("waiting")}
        rows = [
            (words[job.state], job.name, job.folder, job.who, job.machine, job.node, job.since[:16])
            for job in found
        ]
        for line in aligned(titles, rows, terminal_width()):
            say(line)
    going = sum(job.state == "running" for job in found)
    say(
        tr_n(
            "{n} job of dessin on {where}, {running} running",
            "{n} jobs of dessin on {where}, {running} running",
            len(found),
            where=address,
            running=going,
        )
    )
    return found

"""What may pass if one waits: the trouble itself, and how long to be patient with it."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.errors import DessinError
from dessin.fetch.clock import Clock
from dessin.progress import duration, say

AGAIN = "Check the network, or wait; the same command goes on where it stopped."
_PROGRESS = 2**20


class PassingError(Exception):
    """A try that failed and may be repeated; `wait` is what the server asked for, in seconds.

    `restart` says that the bytes received so far are of no use.
    """

    def __init__(self, reason: str, *, wait: float = 0.0, restart: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.restart = wait, restart


@dataclass(frozen=True)
class Manners:
    """How a server is treated; `slowest` is in bytes a second, and below it a connection counts as stuck."""

    timeout_s: float = 30.0
    interval_s: float = 0.25
    tries: int = 6
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0
    slowest: float = 1024.0


class Patience:
    """Counts the failures of one file; a mebibyte more than ever before starts the count anew."""

    def __init__(self, url: str, manners: Manners, clock: Clock) -> None:
        self._url, self._manners, self._clock = url, manners, clock
        self._failures, self._most = 0, 0

    def reached(self, size: int) -> None:
        if size >= self._most + _PROGRESS:
            self._most, self._failures = size, 0

    def wait(self, trouble: PassingError) -> None:
        """Sleep before the next try, twice as long each time.

        Raises:
            DessinError: too many failures, or the server asks for a longer pause than is sensible.
        """
        self._failures += 1
        if self._failures >= self._manners.tries:
            raise DessinError(
                f"{self._url} could not be fetched in {self._failures} tries; the last time {trouble}.",
                do=AGAIN,
            )
        pause = max(trouble.wait, self._manners.first_pause_s * 2 ** (self._failures - 1))
        if pause > self._manners.longest_pause_s:
            raise DessinError(
                f"{self._url}: {trouble}, and the server asks to wait for {duration(pause)}.", do=AGAIN
            )
        say(f"{self._url}: {trouble}; again in {duration(pause)}")
        self._clock.sleep(pause)

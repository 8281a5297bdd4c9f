"""A limit of time for training, kept between epochs so that it cannot change what an epoch computes."""

from __future__ import annotations

import time


class EpochClock:
    """Whether another epoch fits into the time allowed, if it takes as long as those so far."""

    def __init__(self, seconds_allowed: float | None, epochs_before: int) -> None:
        self._allowed, self._before, self._started = seconds_allowed, epochs_before, time.monotonic()

    def allows_another(self, epochs_done: int) -> bool:
        """The first epoch is always allowed: nothing is known of its length."""
        if self._allowed is None or epochs_done == self._before:
            return True
        used = time.monotonic() - self._started
        return used + used / (epochs_done - self._before) <= self._allowed

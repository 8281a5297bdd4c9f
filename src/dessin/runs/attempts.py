"""Training in attempts: a run that collapses is begun anew with a lower rate, and all of it is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError
from dessin.progress import say, warn
from dessin.runs.record import Attempt, read_record, write_record
from dessin.training.curve import write_curve
from dessin.training.guard import Collapsed
from dessin.training.outcome import Outcome

CHECKPOINT = "checkpoint"
ATTEMPTS = "attempts"
_FACTOR = 0.1


@dataclass(frozen=True)
class Attempts:
    """How a run trains: `train_at(lr)` goes on from a checkpoint where there is one; `renew()` undoes it all.

    `first_lr()` is asked once, when no attempt is in the record yet.
    """

    folder: Path
    allowed: int
    first_lr: Callable[[], float]
    train_at: Callable[[float], Outcome]
    renew: Callable[[], None]

    def carry_out(self) -> Outcome:
        """The outcome of the first attempt that does not collapse.

        Raises:
            DessinError: the last attempt that is allowed collapsed too; the record has the evidence of each.
        """
        attempt = self._under_way()
        while True:
            try:
                outcome = self.train_at(attempt.lr)
            except Collapsed as collapse:
                attempt = self._after(attempt, collapse)
                self.renew()
            else:
                _put(self.folder, attempt.ended("finished"))
                return outcome

    def _under_way(self) -> Attempt:
        attempts = read_record(self.folder).attempts
        if attempts:
            return self._next(attempts[-1]) if attempts[-1].outcome == "collapsed" else attempts[-1]
        attempt = Attempt(number=1, lr=self.first_lr())
        _put(self.folder, attempt)
        return attempt

    def _after(self, attempt: Attempt, collapse: Collapsed) -> Attempt:
        """Keep what the attempt left, then begin the next; killed in between, the attempt is repeated."""
        kept = self.folder / ATTEMPTS / str(attempt.number)
        kept.mkdir(parents=True, exist_ok=True)
        write_curve(kept / "curve.csv", collapse.curve)
        # Renamed first: a checkpoint that was removed by half would look damaged.
        shutil.rmtree(kept / CHECKPOINT, ignore_errors=True)
        if (self.folder / CHECKPOINT).exists():
            (self.folder / CHECKPOINT).rename(kept / CHECKPOINT)
            shutil.rmtree(kept / CHECKPOINT)
        ended = attempt.ended("collapsed", {**collapse.evidence, "seen": collapse.seen})
        _put(self.folder, ended)
        warn(f"Attempt {attempt.number} collapsed. {collapse.seen}")
        return self._next(ended)

    def _next(self, attempt: Attempt) -> Attempt:
        """Begin the attempt after a collapsed one."""
        if attempt.number >= self.allowed:
            tries = "its only attempt" if self.allowed == 1 else f"each of {self.allowed} attempts"
            raise DessinError(
                f"The training collapsed in {tries}; at the last, with a learning rate of {attempt.lr:.2g}: "
                f"{attempt.evidence['seen']}",
                do="Check the labels and the augmentation (dessin augment), or start a new run with a much "
                "lower optimizer.lr or with optimizer.lr: auto.",
            )
        following = Attempt(number=attempt.number + 1, lr=attempt.lr * _FACTOR)
        _put(self.folder, following)
        say(f"Attempt {following.number} of {self.allowed} begins anew, with a rate of {following.lr:.2g}.")
        return following


def _put(folder: Path, attempt: Attempt) -> None:
    """Write an attempt into the record, in the place of its earlier state."""
    record = read_record(folder)
    others = tuple(other for other in record.attempts if other.number != attempt.number)
    write_record(folder, record.changed(attempts=(*others, attempt)))

"""What a trust card is made from: a run or a committee as it lies on disk, its answers, its split, and what
was measured of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dessin.answers.committee import COMMITTEE_FILE, Committee, find_home, find_model, read_committee
from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.split.files import Split, read_split
from dessin.errors import DessinError
from dessin.progress import say
from dessin.runs.fold_group import is_fold_group, is_run, with_its_group
from dessin.runs.holdout import looks_below
from dessin.runs.joined import finished_record, own_split
from dessin.runs.record import SPLIT_FILE, RunRecord, SetName
from dessin.runs.subject import read_subject
from dessin.statistics.metrics import Metrics
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.evaluate.measure import measured
from dessin.trust.robustness.result import RobustnessResult


@dataclass(frozen=True)
class TrustSources:
    """A run or group of folds (with its `record`) or a committee (with its `committee`), and its measures.

    `given` is the folder that was named, `home` the one that holds the measures (in an ensemble, another);
    `metrics` has the sets that were measured, at least one. `opened` counts looks at the holdout, `own` those
    of this very model: the others were of another fold of its group, or of the group.
    """

    given: Path
    home: Path
    name: str
    record: RunRecord | None
    committee: Committee | None
    split: Split
    data: Path | None
    metrics: dict[SetName, Metrics]
    opened: int
    own: int
    robustness: RobustnessResult | None
    confidence: ConfidenceResult | None

    @property
    def measured_on(self) -> SetName:
        return "validation" if "validation" in self.metrics else "holdout"

    def command(self, verb: str) -> str:
        """What a user types to measure more."""
        return f"dessin {verb} {shlex.quote(self.given.as_posix())}"

    @property
    def main(self) -> Metrics:
        """The results that the card dwells on."""
        return self.metrics[self.measured_on]


def read_sources(folder: Path) -> TrustSources:
    """Read a finished run or a committee.

    A committee keeps no validation answers, so it is asked for them, each drawing through models that did
    not see it; where its drawings are not at hand, its holdout's stand alone.

    Raises:
        DessinError: neither, an unfinished run, or a model that was measured on nothing.
    """
    record, committee, folder = None, None, find_home(folder)
    found: dict[SetName, Predictions] = {}
    if is_run(folder):
        home, record = folder, finished_record(folder)
        split, data, opened = own_split(folder, record), record.recipe.data.path, record.holdout_opened
        if is_fold_group(folder):
            opened = read_committee(folder).holdout_opened
        found = {name: read_predictions(folder / name) for name in record.results}
    else:
        home = find_model(folder)
        if not (home / COMMITTEE_FILE).is_file():
            raise DessinError(
                f"{folder} is a bundle, which does not say what it was measured on.",
                allowed="A trust card is made of a run or a committee.",
                do="Name the run that the bundle comes from.",
            )
        committee, split = read_committee(home), read_split(home / SPLIT_FILE)
        data, opened = committee.provenance.get("data"), committee.holdout_opened
        try:
            subject = read_subject(home, None, None)
            found["validation"] = subject.answers(subject.rows("validation"))
        except DessinError as error:
            say(f"Without validation answers: {error.seen}")
        if (home / "holdout" / "predictions.csv").is_file():
            found["holdout"] = read_predictions(home / "holdout")
    if not found:
        raise DessinError(
            f"{folder} was measured on nothing yet.",
            do=f"Measure it with dessin evaluate {folder} --holdout --out OUT, which is counted.",
        )
    seed = record.seed if record else 0
    return TrustSources(
        given=folder,
        home=home,
        name=folder.resolve().name,
        record=record,
        committee=committee,
        split=split,
        data=Path(data) if data else None,
        metrics={name: measured(answers, split.rows, seed=seed) for name, answers in found.items()},
        opened=len(looks_below([with_its_group(home)]).opened),
        own=len(opened),
        robustness=RobustnessResult.find(home),
        confidence=ConfidenceResult.find(home),
    )

"""What an evaluation measures: a run, a bundle or a committee, and the images it may be asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dessin.answers.committee import COMMITTEE_FILE, LoadedCommittee, find_home, find_model, load_model
from dessin.answers.inference import answer_rows, folds_of
from dessin.answers.predictions import Predictions, read_predictions, to_predictions
from dessin.answers.published import hub_name
from dessin.answers.tree import ModelNode
from dessin.collection.split.files import Assignment
from dessin.errors import DessinError
from dessin.runs.holdout import Opening, open_holdout
from dessin.runs.inputs import Inputs, read_inputs
from dessin.runs.joined import finished_record
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, SetName
from dessin.statistics.temperature import tempered
from dessin.training.device import choose_device
from dessin.training.views import PLAIN


@dataclass(frozen=True)
class Subject:
    """A model with what it can be measured on; `record` is that of a run, `given` what the user named.

    `home` is the folder that keeps the count of openings and the holdout's predictions; a bundle has none.
    `kept` are answers without any temperature that cannot be asked for again: a model of parts that were
    fitted on every fold keeps what each said of the images that it was not fitted to.
    """

    given: Path
    home: Path | None
    loaded: LoadedCommittee
    record: RunRecord | None
    inputs: Inputs
    kept: Predictions | None = None

    @property
    def seed(self) -> int:
        return self.record.seed if self.record else 0

    @property
    def collection(self) -> str:
        """What the folder of drawings is called."""
        return self.inputs.manifest.root.resolve().name

    def rows(self, set_name: SetName) -> tuple[Assignment, ...]:
        """The images of the set, none of which a model was trained on that answers them."""
        split = self.inputs.split
        if set_name == "holdout":
            rows = split.held_out()
            if not rows:
                raise DessinError("The split has no holdout.", do="Split with --holdout 0.2 and train again.")
            return rows
        if self.kept is not None:
            answered = set(self.kept.image_ids)
            return tuple(row for row in split.rows if row.image_id in answered)
        folds = folds_of(self.loaded)
        if not folds:
            raise DessinError(
                f"No fold was left out of the training of {self.given} (fold none, or none that all its "
                "members have), so there are no validation images.",
                do="Use --holdout, which is counted, or train with a fold.",
            )
        return tuple(row for row in split.rows if row.fold in folds)

    def open_holdout(self, asks: Mapping[str, object], out: Path | None) -> Opening:
        """Count one look at the holdout, before any number of it is computed; see there for the arguments."""
        if self.home is None:
            raise DessinError(
                f"{self.given} keeps no count of how often the holdout was opened.",
                do="Evaluate the run that it comes from.",
            )
        return open_holdout(self.home, asks, out)

    def answers(self, rows: tuple[Assignment, ...], views: tuple[str, ...] | None = None) -> Predictions:
        """Probabilities for `rows`: for a fold from the models that did not see it, else from all."""
        classes = self.loaded.committee.classes
        if self.kept is not None and all(row.fold is not None for row in rows):
            return self._kept_answers(rows, views)
        table = np.empty((len(rows), len(classes)), dtype=np.float32)
        by_fold: dict[int | None, list[int]] = {}
        for place, row in enumerate(rows):
            by_fold.setdefault(row.fold, []).append(place)
        device, opener = torch.device(str(choose_device().value)), self.inputs.opener()
        for fold, places in by_fold.items():
            image_ids = [rows[place].image_id for place in places]
            table[places] = answer_rows(self.loaded, opener, image_ids, device=device, fold=fold, views=views)
        return to_predictions(table, rows, classes)

    def _kept_answers(self, rows: tuple[Assignment, ...], views: tuple[str, ...] | None) -> Predictions:
        assert self.kept is not None, "asked for where there are some"
        committee = self.loaded.committee
        if views not in (None, PLAIN, committee.views):
            raise DessinError(
                f"{self.given} has parts that were fitted on every fold, and keeps what they said of unseen "
                "drawings in one view alone.",
                do="Ask for the holdout with --holdout, or leave out --views.",
            )
        temperature = committee.temperature
        if isinstance(committee.root, ModelNode):
            temperature = self.loaded.bundles[committee.root.bundle].card.temperature
        table = self.kept.table([row.image_id for row in rows], committee.classes)
        return to_predictions(tempered(table, temperature).astype(np.float32), rows, committee.classes)


def read_subject(given: Path, data: str | Path | None, split: str | Path | None) -> Subject:
    """The model that `given` names with its data: by default those that it was trained on.

    Raises:
        DessinError: an unfinished run, no model, data that changed, or a split it was not trained by.
    """
    named = hub_name(given)
    given = find_home(given)
    record = finished_record(given) if (given / FILE).is_file() else None
    folder = find_model(given)
    # Nothing is kept in the hub's cache.
    home = given if record else folder if (folder / COMMITTEE_FILE).is_file() and not named else None
    loaded = load_model(folder)
    if record is not None:
        data, split = data or record.recipe.data.path, split or given / SPLIT_FILE
    elif home is not None:
        own = home / SPLIT_FILE
        data = data or loaded.committee.provenance.get("data") or None
        split = split or (own if own.is_file() else None)
    inputs = read_inputs(data, split, None)
    if inputs.split.digest != loaded.committee.digests.get("split"):
        raise DessinError(
            f"{split} is not the split that {given} was trained by, so its validation images and its holdout "
            "may hold images that the model has seen.",
            do="Use the split.csv that lies beside it.",
        )
    return Subject(given, home, loaded, record, inputs, _kept(home, loaded))


def _kept(home: Path | None, loaded: LoadedCommittee) -> Predictions | None:
    """The answers that stand for a model of which a part was fitted on every fold; None for any other."""
    fitted = any(bundle.card.provenance.get("fold") == "none" for bundle in loaded.bundles.values())
    if home is None or not fitted:
        return None
    folder = home / "validation"
    return read_predictions(folder) if (folder / "predictions.csv").is_file() else None

"""Whatever answers, as a committee: a bundle is one of a single model, so that all verbs treat both alike."""

from __future__ import annotations

from pathlib import Path

from dessin.ensembles.committee import (
    COMMITTEE_FILE,
    Committee,
    LoadedCommittee,
    change_committee,
    load_committee,
)
from dessin.ensembles.tree import ModelNode
from dessin.errors import DessinError
from dessin.models.bundle import Bundle, load_bundle
from dessin.models.card import CARD_FILE, Rejection, change_card

_ALONE = "bundle"
# Where runs and ensembles keep what can answer.
_INSIDE = ("bundle", "committee")


def find_model(path: Path) -> Path:
    """The bundle or committee folder that `path` names: itself, or the one inside a run or an ensemble.

    Raises:
        DessinError: no such folder, or nothing in it that can answer.
    """
    for folder in (path, *(path / name for name in _INSIDE)):
        if any((folder / file).is_file() for file in (CARD_FILE, COMMITTEE_FILE)):
            return folder
    if not path.is_dir():
        raise DessinError(f"There is no folder {path}.", do="Name a run, a bundle or a committee.")
    raise DessinError(
        f"{path} holds no {CARD_FILE}, no {COMMITTEE_FILE}, and no {_ALONE}/{CARD_FILE}.",
        allowed="A model is a bundle folder, a committee folder, or that of a run that has finished.",
        do="Check the path; an unfinished run goes on with dessin train --resume.",
    )


def load_model(path: Path) -> LoadedCommittee:
    """The model that `path` names.

    Raises:
        DessinError: as `find_model`, or one that is damaged.
    """
    folder = find_model(path)
    if (folder / COMMITTEE_FILE).is_file():
        return load_committee(folder)
    return as_committee(load_bundle(folder))


def set_confidence(
    folder: Path, *, temperature: float, threshold: float, rejection: Rejection | None
) -> None:
    """Put what makes a model's answers sure or withheld into its card; the weights stay as they are.

    Raises:
        DessinError: `folder` is no bundle and no committee, or a value that a card cannot have.
    """
    values = {"temperature": temperature, "threshold": threshold, "rejection": rejection}
    if (folder / COMMITTEE_FILE).is_file():
        change_committee(folder, values)
    else:
        change_card(folder, values)


def as_committee(bundle: Bundle) -> LoadedCommittee:
    """The committee of one bundle, which answers exactly as the bundle does."""
    card = bundle.card
    committee = Committee(
        name=card.backbone,
        classes=card.classes,
        names=card.names,
        root=ModelNode(bundle=_ALONE),
        threshold=card.threshold,
        rejection=card.rejection,
        weights={_ALONE: card.digests["weights"]},
        digests=card.digests,
        provenance=card.provenance,
        licence=card.licence,
    )
    return LoadedCommittee(committee, {_ALONE: bundle})

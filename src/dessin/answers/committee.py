"""Whatever answers, as a committee on disk: `committee.json` with its bundles below, or a bundle, which is
one of a single model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from dessin.answers.published import fetched, hub_name
from dessin.answers.tree import ModelNode, Node, leaves
from dessin.errors import DessinError
from dessin.files import atomic_path
from dessin.images.paths import image_path
from dessin.images.spec import Page
from dessin.models.card import CARD_FILE, Digest, Rejection, change_card, read_card
from dessin.results import Result
from dessin.schema import changed
from dessin.training.views import PLAIN, check_views

if TYPE_CHECKING:
    from dessin.models.bundle import Bundle

COMMITTEE_FILE = "committee.json"
SPLIT_NAME = "split.csv"

Views = Annotated[tuple[str, ...], AfterValidator(check_views)]


class Committee(Result):
    """Several bundles that answer as one.

    `classes` are the labels in the order of its answers; `names` gives them for people. Every bundle looks at
    an image in all `views`, and its mean probability counts. `temperature`, `threshold` and `rejection` act
    as in a bundle's card, on what the tree gives (its energy is the mean of its bundles'). `weights` has the
    digest of each bundle's weights, and `holdout_opened` a date for each time that it was measured on the
    holdout.
    """

    FILE = COMMITTEE_FILE
    WHAT = "a committee"
    FOLDER = "committee"

    name: str
    classes: tuple[str, ...] = Field(min_length=2)
    names: dict[str, str] = Field(default_factory=dict)
    root: Node
    views: Views = PLAIN
    temperature: float = Field(1.0, gt=0.0, allow_inf_nan=False)
    threshold: float = Field(0.0, ge=0.0, le=1.0)
    rejection: Rejection | None = None
    weights: dict[str, Digest] = Field(default_factory=dict)
    digests: dict[str, Digest] = Field(default_factory=dict)
    provenance: dict[str, str] = Field(default_factory=dict)
    licence: str
    holdout_opened: tuple[str, ...] = ()

    @property
    def bundles(self) -> tuple[str, ...]:
        """The paths of its bundles, once each."""
        return leaves(self.root)


@dataclass(frozen=True)
class LoadedCommittee:
    """A committee with its bundles by path, all on the CPU and in evaluation mode."""

    committee: Committee
    bundles: Mapping[str, Bundle]

    @property
    def page(self) -> Page:
        """`auto` where any of them looks for the page in a photograph."""
        return "auto" if any(bundle.card.image.page == "auto" for bundle in self.bundles.values()) else "off"


def save_committee(
    folder: Path, committee: Committee, bundles: Mapping[str, Path], *, split: Path | None = None
) -> Committee:
    """Write a new committee folder with a copy of each bundle: path in the committee → bundle folder.

    `split` is the split file of its models, to be put beside them, so that it can be evaluated.

    Returns the committee with the digests of its weights. The folder appears whole or not at all.

    Raises:
        DessinError: the folder exists, a bundle is missing or damaged.
    """
    if folder.exists():
        raise DessinError(f"{folder} already exists.", do="Choose another folder.")
    committee = _with_weights(committee, bundles)
    with atomic_path(folder) as temporary:
        for name, source in bundles.items():
            place = image_path(temporary, name)
            place.mkdir(parents=True)
            for file in (CARD_FILE, read_card(source).file):
                shutil.copyfile(source / file, place / file)
        if split is not None:
            shutil.copyfile(split, temporary / SPLIT_NAME)
        committee.write(temporary)
    return committee


def write_committee(folder: Path, committee: Committee) -> Committee:
    """Write `committee.json` beside bundles that lie below the folder already; returns what was written."""
    bundles = {name: image_path(folder, name) for name in committee.bundles}
    committee = _with_weights(committee, bundles)
    committee.write(folder)
    return committee


def change_committee(folder: Path, values: Mapping[str, object]) -> Committee:
    """Replace some values of `committee.json`; returns what was written."""
    committee = changed(read_committee(folder), values, str(folder / COMMITTEE_FILE))
    committee.write(folder)
    return committee


read_committee = Committee.read


def load_committee(folder: Path) -> LoadedCommittee:
    """A committee with its bundles.

    Raises:
        DessinError: as `read_committee`; a bundle outside the folder, a missing, damaged or exchanged one.
    """
    # Loading needs torch, which takes seconds to import; to read what a committee says of itself does not.
    from dessin.models.bundle import load_bundle

    committee = read_committee(folder)
    bundles = {}
    for name in committee.bundles:
        bundle = load_bundle(image_path(folder, name))
        if bundle.card.digests["weights"] != committee.weights.get(name):
            raise DessinError(
                f"The bundle {name} in {folder} is not the one that the committee was made of.",
                do="Copy the committee again, whole.",
            )
        bundles[name] = bundle
    return LoadedCommittee(committee, bundles)


def _with_weights(committee: Committee, bundles: Mapping[str, Path]) -> Committee:
    """The committee with the digests of its bundles' weights, which must be just those that it names."""
    if set(bundles) != set(committee.bundles):
        strange = sorted(set(bundles) ^ set(committee.bundles))
        raise DessinError(f"The committee and its bundles do not agree: {strange[0]} is only in one of them.")
    weights = {name: read_card(folder).digests["weights"] for name, folder in bundles.items()}
    return committee.model_copy(update={"weights": weights})


_ALONE = "bundle"
# The folder of an auto has a record of it, and below it the best model so far.
AUTO_FILE, AUTO_BEST = "auto.json", "best"


def find_home(path: Path) -> Path:
    """The run or committee that `path` names: itself, that of the best model of an auto, or one of the hub
    (`hub:OWNER/NAME`), which is fetched."""
    named = hub_name(path)
    if named is not None:
        return fetched(named, (CARD_FILE, COMMITTEE_FILE))
    return path / AUTO_BEST if (path / AUTO_FILE).is_file() and (path / AUTO_BEST).is_dir() else path


def find_model(path: Path) -> Path:
    """The bundle or committee folder that `path` names: itself, or the one inside a run, an ensemble or an
    auto."""
    path = find_home(path)
    # Where runs and ensembles keep what can answer.
    for folder in (path, path / _ALONE, path / "committee"):
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
    """The model that `path` names."""
    from dessin.models.bundle import load_bundle

    folder = find_model(path)
    if (folder / COMMITTEE_FILE).is_file():
        return load_committee(folder)
    return as_committee(load_bundle(folder))


def set_confidence(
    folder: Path, *, temperature: float, threshold: float, rejection: Rejection | None
) -> None:
    """Put what makes a model's answers sure or withheld into its card; the weights stay as they are."""
    values = {"temperature": temperature, "threshold": threshold, "rejection": rejection}
    if (folder / COMMITTEE_FILE).is_file():
        change_committee(folder, values)
    else:
        change_card(folder, values)


def as_committee(bundle: Bundle) -> LoadedCommittee:
    """The committee of one bundle, which answers exactly as the bundle does."""
    card = bundle.card
    committee = Committee(
        name="+".join(card.backbones),
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

"""Members: finished runs of one split, those of one recipe gathered over folds; and committees of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dessin.answers.committee import COMMITTEE_FILE, Committee, read_committee
from dessin.answers.predictions import join_out_of_fold
from dessin.answers.tree import Ballot, ModelNode, Node, VoteNode
from dessin.collection.split.files import Assignment, Split, read_split
from dessin.errors import DessinError
from dessin.files import digest_of, sha256_file
from dessin.models.card import read_card
from dessin.page.numbers import counted, listed
from dessin.runs.fold_group import is_fold_folder
from dessin.runs.folds import MADE_BY
from dessin.runs.inputs import class_numbers
from dessin.runs.joined import at_present, finished_record, own_predictions, own_split
from dessin.runs.origin import weights_left_out
from dessin.runs.record import FILE, SPLIT_FILE, STUDY_FILE, RunRecord
from dessin.training.views import PLAIN

Kind = Literal["run", "folds", "fold group"]
_NAMED = 3
_STRANGE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class MemberRun:
    """A finished run that validated `fold`, or (None) a probe of all folds, which keeps answers for each."""

    folder: Path
    record: RunRecord
    fold: int | None
    folds: tuple[int, ...]

    @property
    def left_out(self) -> int:
        """The fold that its model was not fitted to.

        Raises:
            DessinError: there is none.
        """
        if self.fold is None:
            raise DessinError(
                f"{self.folder} is a probe of all folds, whose model can be asked about none of them anew.",
                do="Leave it out, or train it on each fold with --folds all.",
            )
        return self.fold

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


@dataclass(frozen=True)
class Member:
    """One voter: a run, or the runs of one recipe and seed over several folds, in their order."""

    name: str
    kind: Kind
    runs: tuple[MemberRun, ...]

    @property
    def folds(self) -> tuple[int, ...]:
        return tuple(fold for run in self.runs for fold in run.folds)


@dataclass(frozen=True, eq=False)
class Members:
    """Members by name, and the N images of `folds` that all of them answered without being trained on them.

    `notes` says what was gathered, aligned and left out.
    """

    members: tuple[Member, ...]
    split: Split
    folds: tuple[int, ...]
    rows: tuple[Assignment, ...]
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the split, and what the first member answers beside them by name alone."""
        return self.members[0].runs[0].record.recipe.data.classes(self.split.classes)

    @property
    def targets(self) -> NDArray[np.int64]:
        """The true class numbers, (N,)."""
        return class_numbers(self.rows, self.classes)

    @property
    def groups(self) -> NDArray[Any]:
        """(N,) str."""
        return np.array([row.group for row in self.rows])

    @property
    def fold_of(self) -> NDArray[np.int64]:
        """The fold of each image, (N,)."""
        return np.array([row.fold for row in self.rows], dtype=np.int64)


def find_members(folders: Sequence[Path], *, least: int = 1) -> Members:
    """Run folders and fold groups as members; runs that differ in nothing but their fold are one.

    The order of `folders` does not matter. Predictions are not read yet.

    Raises:
        DessinError: fewer than `least` members, a run twice, one that is not finished or has no validation
            images, a selected committee, another split, or no fold that all have.
    """
    found = [(run, group) for folder in folders for run, group in _runs_of(folder)]
    if not found:
        raise DessinError("No run was given.", do="Name runs, or fold groups.")
    twice = [path for path, count in Counter(run.folder.resolve() for run, _ in found).items() if count > 1]
    if twice:
        raise DessinError(f"The run {twice[0]} was named twice.", do="Name each run once.")
    split = _one_split([run for run, _ in found])
    members = tuple(sorted(_gathered(found), key=lambda member: member.name))
    if len(members) < least:
        raise DessinError(
            f"{counted(len(members), 'member was', 'members were')} given.",
            allowed=f"At least {least} are needed.",
            do="Name more runs, or fold groups.",
        )
    folds = tuple(sorted(set.intersection(*(set(member.folds) for member in members))))
    if not folds:
        has = [f"{member.name} ({', '.join(map(str, member.folds))})" for member in members[:_NAMED]]
        raise DessinError(
            f"No fold was validated by all {len(members)} members: {', '.join(has)}"
            f"{' …' if len(members) > _NAMED else ''}.",
            allowed="Members are chosen on images that each of them answered and none was trained on.",
            do="Train the missing folds with --folds all, or leave out the members without them.",
        )
    rows = tuple(row for row in split.rows if row.fold in folds)
    return Members(members, split, folds, rows, tuple(_notes(members, split, folds)))


def member_answers(member: Member, members: Members) -> tuple[NDArray[np.float32], bool]:
    """A member's out-of-fold probabilities (N, C), and whether its columns had another order of classes."""
    kept = [
        at_present(own_predictions(run.folder, run.record, members.split, "validation"), run.folder)
        for run in member.runs
        if set(run.folds) & set(members.folds)
    ]
    aligned = any(own.classes != members.classes for own in kept)
    return join_out_of_fold(kept, members.rows, members.classes), aligned


def _runs_of(folder: Path) -> list[tuple[MemberRun, Path | None]]:
    """The run of a run folder, or those of a fold group with the group's folder."""
    if (folder / FILE).is_file():
        return [(_run(folder), None)]
    if (folder / COMMITTEE_FILE).is_file():
        made_by = read_committee(folder).provenance.get("made_by", "")
        if made_by != MADE_BY:
            raise DessinError(
                f"{folder} is a committee that was chosen (by {made_by or 'an unknown hand'}), and its "
                "choice has looked at the very labels that this one would be measured on.",
                allowed="Members are runs and fold groups.",
                do="Name the runs that it was made of.",
            )
        return [(_run(path), folder) for path in sorted(folder.glob("fold-*")) if (path / FILE).is_file()]
    if (folder / STUDY_FILE).is_file():
        raise DessinError(
            f"{folder} is a study.", allowed="Members are runs and fold groups.", do=f"Name {folder}/runs/*."
        )
    if not folder.is_dir():
        raise DessinError(f"There is no folder {folder}.", do="Check the path.")
    raise DessinError(
        f"{folder} is neither a run nor a fold group: it has no {FILE} and no {COMMITTEE_FILE}.",
        do="Name folders that dessin train wrote; of an unfinished fold group, its finished folds.",
    )


def _run(folder: Path) -> MemberRun:
    record = finished_record(folder)
    fold = record.recipe.data.fold
    if "validation" not in record.results:
        raise DessinError(
            f"{folder} has no validation results (its fold is {fold}), so nothing can be chosen by it.",
            do="Use runs that validated a fold.",
        )
    if fold == "none":
        return MemberRun(folder, record, None, tuple(range(read_split(folder / SPLIT_FILE).folds)))
    return MemberRun(folder, record, fold, (fold,))


def _one_split(runs: Sequence[MemberRun]) -> Split:
    """The split of all runs; each run's own copy must be the one that it was made with."""
    first = runs[0]
    split = own_split(first.folder, first.record)
    file = sha256_file(first.folder / SPLIT_FILE)
    for run in runs[1:]:
        if run.record.digests.split != split.digest:
            raise DessinError(
                f"{run.folder} was made with another split than {first.folder}, so what one was validated "
                "on, the other may have been trained on.",
                allowed="All members need the very same split.",
                do="Train them with one --split.",
            )
        copy = run.folder / SPLIT_FILE
        if not copy.is_file() or sha256_file(copy) != file:
            own_split(run.folder, run.record)
    return split


def _gathered(found: Sequence[tuple[MemberRun, Path | None]]) -> list[Member]:
    """Groups as they are, other runs by recipe and seed; each by the name of its folder.

    `lite0/fold-3` is named by `lite0`; where others are named by the same folder, by its first run's.
    """
    by_group: dict[Path, list[MemberRun]] = {}
    by_recipe: dict[str, list[MemberRun]] = {}
    for run, group in sorted(found, key=lambda pair: pair[0].folds):
        if group is not None:
            by_group.setdefault(group.resolve(), []).append(run)
        else:
            by_recipe.setdefault(_but_for_the_fold(run.record), []).append(run)
    of_recipes = [together for runs in by_recipe.values() for together in _with_each_fold_once(runs)]
    firsts = [runs[0].folder.resolve() for runs in of_recipes]
    named_by = [first.parent if is_fold_folder(first) else first for first in firsts]
    counts = Counter([*by_group, *named_by])
    paths = [
        *by_group,
        *(path if counts[path] == 1 else first for path, first in zip(named_by, firsts, strict=True)),
    ]
    kinds: list[Kind] = ["fold group"] * len(by_group)
    kinds += ["folds" if len(runs) > 1 else "run" for runs in of_recipes]
    everyone = zip(told_apart(paths), kinds, (*by_group.values(), *of_recipes), strict=True)
    return [Member(name, kind, tuple(runs)) for name, kind, runs in everyone]


def _but_for_the_fold(record: RunRecord) -> str:
    """What a run was made of, but for the fold and for where its files lay."""
    recipe = record.recipe.model_dump(mode="json", exclude={"data", "track"})
    digests = record.digests
    made_of = [record.recipe.data.training_curation, digests.weights, digests.training_curation]
    return digest_of([recipe, record.seed, *made_of])


def _with_each_fold_once(runs: list[MemberRun]) -> list[list[MemberRun]]:
    """Runs of one recipe as members: all together, else by their parent folders, else each by itself."""
    if _folds_differ(runs):
        return [runs]
    by_parent: dict[Path, list[MemberRun]] = {}
    for run in runs:
        by_parent.setdefault(run.folder.resolve().parent, []).append(run)
    if all(map(_folds_differ, by_parent.values())):
        return list(by_parent.values())
    return [[run] for run in runs]


def _folds_differ(runs: Sequence[MemberRun]) -> bool:
    return len({run.fold for run in runs} - {None}) == len(runs)


def told_apart(paths: Sequence[Path], *, depth: int = 1) -> tuple[str, ...]:
    """The last `depth` parts of each path, or as many more as it takes to tell all apart."""
    names = tuple("/".join(path.parts[-depth:]) for path in paths)
    enough = len(set(names)) == len(names) or depth >= max(len(path.parts) for path in paths)
    return names if enough else told_apart(paths, depth=depth + 1)


def _notes(members: Sequence[Member], split: Split, folds: Sequence[int]) -> list[str]:
    """Which members are of several runs, which folds are left out, and who is the same as another."""
    by_count: dict[int, list[str]] = {}
    for member in members:
        if member.kind == "folds":
            by_count.setdefault(len(member.runs), []).append(member.name)
    notes = [
        f"{listed(names)} {'is one member' if len(names) == 1 else 'are one member each'}, of {count} "
        "runs that differ in their fold alone."
        for count, names in by_count.items()
    ]
    lost = sorted({fold for member in members for fold in member.folds} - set(folds))
    if lost:
        fewer = [member.name for member in members if not set(lost) <= set(member.folds)]
        images = sum(row.fold in lost for row in split.rows)
        more = f" and {len(fewer) - _NAMED} more" if len(fewer) > _NAMED else ""
        notes.append(
            f"{'Fold' if len(lost) == 1 else 'Folds'} {', '.join(map(str, lost))} ({images:,} images): left "
            f"out, since not every member validated that much; missing in {', '.join(fewer[:_NAMED])}{more}."
        )
    weights = {member.name: tuple(run.record.digests.model for run in member.runs) for member in members}
    return notes + clones({name: digests for name, digests in weights.items() if all(digests)})


def clones(weights: Mapping[str, object]) -> list[str]:
    """Members with the very same weights, which count as one with twice the weight; by name."""
    by_weights: dict[object, list[str]] = {}
    for name, digest in weights.items():
        by_weights.setdefault(digest, []).append(name)
    return [
        f"{' and '.join(names)} have the very same weights." for names in by_weights.values() if names[1:]
    ]


def check_bundles(members: Members) -> tuple[Path, ...]:
    """Refuse members that no committee could be made of, before anything is computed.

    Returns the runs whose weights did not travel with them. That is no fault: their answers did.
    """
    absent = []
    for run in (run for member in members.members for run in member.runs):
        if weights_left_out(run.folder):
            absent.append(run.folder)
            continue
        card = read_card(run.bundle)
        said, weights = card.digests.get("weights", ""), run.bundle / card.file
        if not weights.is_file() or sha256_file(weights) != said:
            raise DessinError(
                f"{weights} is missing or damaged: it is not what the bundle's card says.",
                do="Restore it, or leave the run out.",
            )
        if run.record.digests.model not in ("", said):
            raise DessinError(
                f"{run.bundle} is not the model that gave the predictions of {run.folder}.",
                do="Restore it, or leave the run out.",
            )
    return tuple(absent)


def make_committee(
    name: str,
    members: Members,
    *,
    vote: Literal["soft", "geometric", "hard"],
    weights: Mapping[str, float],
    temperatures: Mapping[str, float],
    views: Sequence[str],
    provenance: Mapping[str, str],
) -> tuple[Committee, dict[str, Path]]:
    """The committee of the members with a weight above 0, and its bundles: path in it → folder.

    A member of several folds is itself a vote of its folds' models. What a temperature was fitted to are
    single models' answers, so there it stands at each of the models, before they are joined.
    """
    chosen = [member for member in members.members if weights.get(member.name, 0.0) > 0]
    places = plain_names([member.name for member in chosen], "member")
    ballots: list[Ballot] = []
    bundles: dict[str, Path] = {}
    for member in chosen:
        place, one = f"models/{places[member.name]}", len(member.runs) == 1
        own = {place if one else f"{place}/fold-{run.fold}": run.bundle for run in member.runs}
        bundles |= own
        temperature = temperatures.get(member.name, 1.0)
        models = tuple(Ballot(node=ModelNode(bundle=path), temperature=temperature) for path in own)
        whole = models[0] if one else Ballot(node=VoteNode(ballots=models))
        ballots.append(whole.model_copy(update={"weight": weights[member.name]}))
    names = {label: text for bundle in bundles.values() for label, text in read_card(bundle).names.items()}
    root = VoteNode(rule=vote, ballots=tuple(ballots))
    return assembled(name, members, names, root, bundles, provenance, views=views), bundles


def assembled(
    name: str,
    members: Members,
    names: Mapping[str, str],
    root: Node,
    bundles: Mapping[str, Path],
    provenance: Mapping[str, str],
    *,
    views: Sequence[str] = PLAIN,
) -> Committee:
    """The committee of a tree over bundles, which may be asked as their licences say."""
    licences = dict.fromkeys(read_card(bundle).licence for bundle in bundles.values())
    manifest = members.members[0].runs[0].record.digests.manifest
    return Committee(
        name=name,
        classes=members.classes,
        names=dict(names),
        root=root,
        views=tuple(views),
        digests={"split": members.split.digest, "manifest": manifest},
        provenance=dict(provenance),
        licence="; ".join(licences),
    )


def plain_names(names: Sequence[str], nameless: str, *, most: int = 200) -> dict[str, str]:
    """Each name as that of a folder, no two alike on any disk; `nameless` where nothing of it can be kept."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = _STRANGE.sub("-", name).strip("-.")[:most] or nameless
        folder, number = plain, 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.casefold())
        folders[name] = folder
    return folders

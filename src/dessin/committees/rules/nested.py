"""What a rule of choosing members gains on images that it did not choose by, beside the naive figure.

The images are parted; for each part a rule chooses by all the others, and its choice answers the part. What
choosing and measuring on the same images adds is the optimism (Cawley and Talbot, "On over-fitting in model
selection and subsequent selection bias in performance evaluation", JMLR 2010).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.answers.table import MemberTable, Rows
from dessin.committees.rules.choice import RULES, Choice, Rule, TableRule, apply_choice, choose_by_all
from dessin.errors import DessinError
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.statistics.contrasts import Contrast, two_models
from dessin.statistics.intervals import Estimate, bootstrap_mean, group_index

BASELINE = "best single"
PARTS = 5
_FEWEST_FOLDS = 3


@dataclass(frozen=True, eq=False)
class RuleResult:
    """One rule, measured.

    Attributes:
        choice: made on all images: what a committee is built of.
        naive: its accuracy on the images that it was chosen by.
        nested: the accuracy on images that the choices (`fold_choices`, one a part) were not made by.
        optimism: naive minus nested, paired by image; exactly 0 for a rule that learns nothing.
        gain: nested accuracy minus that of the best single member, chosen in the same way.
        nested_probabilities: (N, C) float32.
    """

    name: str
    choice: Choice
    naive: Estimate
    nested: Estimate
    optimism: Estimate
    gain: Contrast
    nested_probabilities: NDArray[np.float32]
    fold_choices: tuple[Choice, ...]


def compare_rules(
    table: MemberTable, *, rules: Mapping[str, Rule] = RULES, seed: int = 0
) -> tuple[RuleResult, ...]:
    """Every rule with its naive and its nested accuracy; intervals resample whole groups.

    Raises:
        DessinError: all images are in one group, so that none can be kept apart.
        ValueError: no rule named "best single".
    """
    if BASELINE not in rules:
        raise ValueError(f'the rules {", ".join(rules)} lack "{BASELINE}", that gains are measured against')
    everything = table.every_row
    chosen = choose_by_all(table, everything, rules, seed)
    fold_choices: dict[str, list[Choice]] = {name: [] for name in rules}
    nested = {name: np.zeros((len(everything), len(table.classes)), dtype=np.float32) for name in rules}
    parts = outer_parts(table, seed)
    for inside in track(parts, len(parts), "Choosing members", unit="parts"):
        outside = np.setdiff1d(everything, inside)
        for name, choice in choose_by_all(table, outside, rules, seed).items():
            fold_choices[name].append(choice)
            nested[name][inside] = apply_choice(table, inside, choice)
    right = {name: nested[name].argmax(axis=1) == table.targets for name in rules}
    results = []
    for name, rule in rules.items():
        # As float32, like every file of predictions, so that files measured later give the same figures.
        answers = apply_choice(table, everything, chosen[name]).astype(np.float32)
        naive, unseen = answers.argmax(axis=1) == table.targets, right[name]
        optimism = no_optimism(len(everything))
        if not isinstance(rule, TableRule) or rule.learns:
            optimism = two_models(naive, unseen, table.groups, seed=seed).by_image
        results.append(
            RuleResult(
                name=name,
                choice=chosen[name],
                naive=bootstrap_mean(naive, table.groups, seed=seed),
                nested=bootstrap_mean(unseen, table.groups, seed=seed),
                optimism=optimism,
                gain=two_models(unseen, right[BASELINE], table.groups, seed=seed),
                nested_probabilities=nested[name],
                fold_choices=tuple(fold_choices[name]),
            )
        )
    return tuple(results)


def no_optimism(images: int) -> Estimate:
    """What choosing and measuring on the same images adds where nothing is chosen by them."""
    return Estimate(0.0, 0.0, 0.0, images, "nothing is chosen")


def outer_parts(table: MemberTable, seed: int = 0) -> tuple[Rows, ...]:
    """The rows of each part: of a fold, or of one of five parts of whole groups where folds are too few.

    Parts are dealt by the names of images and the seed; which images come first does not matter.
    """
    part_of = table.folds
    if len(np.unique(table.folds)) < _FEWEST_FOLDS:
        part_of = deal_groups(group_index(table.groups), table.image_ids, seed=seed)
    return tuple(np.flatnonzero(part_of == part) for part in np.unique(part_of))


def deal_groups(groups: NDArray[np.int64], image_ids: Sequence[str], *, seed: int = 0) -> NDArray[np.int64]:
    """The part of each image, (N,): five parts of whole `groups` (N,), or as many as there are groups.

    The largest groups go first, each into the part with the fewest images. It is done by the names of images
    and the seed; which images come first, and how groups are numbered, does not matter.

    Raises:
        DessinError: all images are in one group.
    """
    index = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(index)
    if len(sizes) < 2:
        raise DessinError(
            "All images are in one group, so no part of them can be kept apart to measure a choice.",
            do="Use more images, or runs of more folds.",
        )
    # The first image by name stands for its group, since groups of one have no name of their own.
    by_name = np.array(sorted(range(len(index)), key=lambda image: image_ids[image]))
    leader = by_name[np.unique(index[by_name], return_index=True)[1]]
    order = permutation(seed, "outer parts", 0, image_keys([image_ids[image] for image in leader]))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(min(PARTS, len(sizes)), dtype=np.int64)
    part_of = np.empty(len(sizes), dtype=np.int64)
    for group in order:
        part_of[group] = filled.argmin()
        filled[part_of[group]] += sizes[group]
    return np.asarray(part_of[index])

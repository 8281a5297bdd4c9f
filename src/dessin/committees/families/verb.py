"""The verb `families`: which classes belong together, and what a router and experts could give at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from dessin.collection.thumbnails import Thumbnails
from dessin.committees.answers import OutOfFold, out_of_fold
from dessin.committees.families.measure import potential
from dessin.committees.families.proposals import Proposal, from_confusions, from_wordnet
from dessin.committees.families.result import FamilyMap, read_families, write_families
from dessin.committees.families.view import Typical, cautions, families_page, family_lines
from dessin.committees.members import Members, find_members
from dessin.errors import DessinError, unknown
from dessin.files import write_text
from dessin.ops import as_paths
from dessin.page.html import document
from dessin.page.tables import terminal_width
from dessin.progress import say

SOURCES = ("confusions", "wordnet")


def families(
    runs: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    source: Annotated[str, "--from", "confusions, wordnet or a .csv"] = "confusions",
    count: Annotated[int | None, "--families", "from 2"] = None,
) -> FamilyMap:
    """Propose which classes belong together, and say what a router and experts could give at most.

    A page goes beside the table.

    Args:
        runs: Runs or groups of folds of one split; of several models, the mean answer counts.
        out: A new families file (.csv); it is meant to be read, and changed by hand.
        source: The runs' out-of-fold confusions, WordNet, or a families file, to see what that could pay.
        count: How many families confusions are cut into; by default as many as there seem to be.

    Raises:
        DessinError: runs that do not belong together, an `out` that exists, or what a proposal refuses.
    """
    out = Path(out)
    if out.suffix.lower() != ".csv":
        raise DessinError(f"The families were to be written to {out}.", allowed="It ends in .csv.")
    page = out.with_suffix(".html")
    if out.exists():
        raise _occupied(out)
    members = find_members(as_paths(runs))
    answers = out_of_fold(members)
    proposal = _proposed(answers, source, count)
    found = potential(
        answers.probabilities, answers.targets, answers.groups, proposal.families, answers.classes
    )
    warnings = tuple(cautions(answers, found, same_images=source == "confusions"))
    typical = _typical(members, answers)
    drawn = families_page(answers, proposal, found, warnings, typical, sorted(as_paths(runs)), out)
    text = document(drawn)
    # The page first: one without its table is what a killed process left, if it says the same.
    if page.exists() and not (page.is_file() and page.read_bytes() == text.encode()):
        raise _occupied(page)
    write_text(page, text)
    write_families(proposal.families, out)
    say(f"{answers.name}: {proposal.words}")
    for line in family_lines(found, answers.names, warnings, terminal_width()):
        say(line)
    say(f"written to {out}; page: {page}")
    return proposal.families.with_page(drawn, out.parent)


def _typical(members: Members, answers: OutOfFold) -> Typical:
    """Of each class the drawing that its own class has most of."""
    own = answers.probabilities[np.arange(len(answers.targets)), answers.targets]
    surest = {answers.classes[answers.targets[row]]: members.rows[row].image_id for row in np.argsort(own)}
    recipe = members.members[0].runs[0].record.recipe
    return Typical(surest, Thumbnails(recipe.data.path, recipe.image.page), str(recipe.data.path or ""))


def _occupied(path: Path) -> DessinError:
    return DessinError(
        f"{path} already exists, and it may hold changes made by hand.",
        do="Choose another --out, or move the file away.",
    )


def _proposed(answers: OutOfFold, source: str, count: int | None) -> Proposal:
    if source == "confusions":
        return from_confusions(
            answers.probabilities, answers.targets, answers.classes, answers.names, count=count
        )
    if count is not None:
        raise DessinError(
            f"{count} families were asked for, from {source}.",
            allowed="Only confusions can be cut into any number of families.",
            do="Leave --families out, or use --from confusions.",
        )
    if source == "wordnet":
        return from_wordnet(answers.classes)
    if not source.lower().endswith(".csv"):
        raise unknown("source of families", source, SOURCES, do="A families file ends in .csv.")
    given = read_families(Path(source), answers.classes)
    return Proposal(given, f"{len(given.names)} families from {Path(source).name}", np.zeros(0))

"""The verb `soup`: weights averaged into one model, and what that gains on drawings it was not chosen by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import torch

from dessin.answers.predictions import to_predictions, write_predictions
from dessin.collection.split.files import write_split
from dessin.committees.gains import check_matters
from dessin.committees.members import clones
from dessin.committees.sides import Sides
from dessin.committees.soup.measure import STEPS, curve_between, measure_ways, member_rows
from dessin.committees.soup.members import (
    SoupMembers,
    guide_of,
    make_mixer,
    read_ends,
    read_members,
    read_tuned,
)
from dessin.committees.soup.result import CHOSEN_WAY, LEARNING, SoupKind, SoupResults, SoupRow
from dessin.committees.soup.view import soup_lines, soup_page, told
from dessin.committees.soup.weights import Mixer
from dessin.errors import DessinError, unknown
from dessin.folders import result_folder
from dessin.models.bundle import save_bundle
from dessin.models.card import BundleCard, read_card
from dessin.ops import as_paths
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.numbers import counted
from dessin.page.tables import terminal_width
from dessin.progress import duration, say
from dessin.runs.inputs import Inputs, read_inputs
from dessin.runs.record import SPLIT_FILE
from dessin.training.device import choose_device
from dessin.training.seeding import reproducible

BUNDLE, VALIDATION = "bundle", "validation"


def soup(
    runs: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    kind: Literal["greedy", "uniform", "wise"] = "greedy",
    data: str | Path | None = None,
    seed: Annotated[int, "from 0"] = 0,
    name: str = "",
    matters: float = 0.02,
) -> SoupResults:
    """Average the weights of runs that share a start into one model, and say what that gains.

    The gain is measured on drawings unseen by the choice. `out` gets `bundle/` (a model like any), the
    model's predictions of `validation/`, `soup.csv`, for wise `curve.csv`, `results.json` and `index.html`.

    Args:
        runs: Finished runs of one backbone on one fold that share a start; for wise one that was fine-tuned
            from a probe.
        out: A new folder.
        kind: The best run, then each that does not make it worse (greedy), all alike (uniform), or between
            one run's probe and its fine-tuned weights (wise).
        data: Where the drawings are now, if not where the runs found them.
        seed: Of dealing the parts that choices are measured on.
        name: The soup's name; by default that of the folder.
        matters: The smallest difference of accuracy (0..1) that would matter.

    Raises:
        DessinError: runs that share no start or are not of one fold, an unknown kind, `out` in use.
    """
    began, out = time.monotonic(), Path(out)
    folders = as_paths(runs)
    _check_kind(kind, len(folders))
    check_matters(matters)
    device = torch.device(str(choose_device().value))
    members, threads = None, torch.get_num_threads()
    if kind == "wise":
        first = read_tuned(folders[0])
        # The probe's bytes depend on the number of threads that it was fitted with.
        threads = first.record.hardware.threads
    else:
        members = read_members(folders)
        first = members.runs[0]
    where = data or first.record.recipe.data.path
    inputs = read_inputs(where, first.folder / SPLIT_FILE, None)
    with result_folder(out, what="a soup") as part, reproducible(device, threads):
        store = inputs.opener()(read_card(first.folder / BUNDLE).image)
        if members is None:
            say(f"from the probe of {first.name} to its fine-tuned weights, {len(STEPS)} steps")
            members, notes = read_ends(first, inputs, store, device)
        else:
            say(
                f"{len(members.runs)} runs of {members.card.backbone} that share a start; "
                f"{len(members.rows):,} validation images of fold {members.fold}"
            )
            notes = tuple(clones({run.name: run.record.digests.model for run in members.runs}))
        mixer = make_mixer(members, inputs, store, device)
        ways, unseen = measure_ways(members, mixer.answers, seed=seed, matters=matters)
        results = _results(members, mixer, inputs, ways, kind=kind, seed=seed, matters=matters)
        told_of = {"name": name or out.resolve().name, "data": str(where), "notes": (*notes, *results.notes)}
        spent = round(time.monotonic() - began, 1)
        results = told(results.model_copy(update={**told_of, "seconds": spent}))
        _write(members, mixer, results, inputs, part)
        answers = to_predictions(unseen[results.chosen], members.rows, members.card.classes)
        page = first.record.recipe.image.page
        sides = Sides(answers, unseen[results.base], results.data, page)
        # The page comes last, so where it is, everything is.
        drawn = soup_page(results, out, sides)
        write_page(part / PAGE_FILE, drawn)
    for line in soup_lines(results, terminal_width()):
        say(line)
    say(f"written to {out} in {duration(time.monotonic() - began)}; the page is {out / PAGE_FILE}")
    return results.with_page(drawn, out)


def _results(
    members: SoupMembers,
    mixer: Mixer,
    inputs: Inputs,
    ways: tuple[SoupRow, ...],
    *,
    kind: SoupKind,
    seed: int,
    matters: float,
) -> SoupResults:
    chosen = next(way for way in ways if way.name == CHOSEN_WAY[kind])
    return SoupResults(
        name="",
        soup=kind,
        chosen=chosen.name,
        base=ways[0].name,
        backbone=members.card.backbone,
        seed=seed,
        images=len(members.rows),
        groups=len(np.unique(members.groups)),
        classes=len(members.card.classes),
        fold=members.fold,
        parts=len(chosen.part_shares),
        matters=matters,
        split=inputs.split.digest,
        manifest=inputs.manifest.digest,
        data="",
        statistics=len(mixer.moved),
        runs=tuple(run.name for run in members.runs),
        members=member_rows(members, chosen),
        ways=ways,
        curve=curve_between(members, mixer.answers) if members.ends else (),
        notes=_of_statistics(mixer, members),
        seconds=0.0,
    )


def _check_kind(kind: str, runs: int) -> None:
    if kind not in get_args(SoupKind):
        raise unknown("kind of soup", kind, get_args(SoupKind))
    if kind == "wise" and runs != 1:
        raise DessinError(
            f"{runs} runs were given.",
            allowed="The kind wise goes between the probe and the end of one run.",
            do="Name one run, or use kind greedy or uniform.",
        )
    if kind != "wise" and runs < 2:
        raise DessinError(
            f"{counted(runs, 'run was', 'runs were')} given.",
            allowed="A soup is the mean of two runs or more.",
            do="Name more runs; or, to go between one run's probe and its end, use kind wise.",
        )


def _of_statistics(mixer: Mixer, members: SoupMembers) -> tuple[str, ...]:
    """What to say of batch normalisations whose statistics no mean of weights gives."""
    if not mixer.moved:
        return ()
    have = "has" if len(mixer.moved) == 1 else "have"
    return (
        f"{counted(len(mixer.moved), 'batch normalisation')} {have} other statistics in each of the members; "
        "for every mixture they were estimated anew on the training images, augmented as in "
        f"{guide_of(members.runs).name}.",
    )


def _write(members: SoupMembers, mixer: Mixer, results: SoupResults, inputs: Inputs, folder: Path) -> None:
    """The folder's files but for its page."""
    shares = tuple(results.chosen_way.shares.get(name, 0.0) for name in members.names)
    mixer.load(shares)
    save_bundle(folder / BUNDLE, mixer.classifier, _card(members.card, results))
    answers = to_predictions(mixer.answers(shares), members.rows, members.card.classes)
    write_predictions(answers, folder / VALIDATION)
    write_split(inputs.split, folder / SPLIT_FILE)
    results.write_tables(folder)
    results.write(folder)


def _card(card: BundleCard, results: SoupResults) -> BundleCard:
    """The members' card, with what the weights are now."""
    weighed = {member.name: f"{member.share:.6g}" for member in results.members}
    provenance = {
        "made_by": results.kind,
        "kind": results.soup,
        "runs": ", ".join(results.runs),
        "shares": ", ".join(f"{name}: {share}" for name, share in weighed.items()),
        "fold": str(results.fold),
        "seed": str(results.seed),
        "backbone_weights": card.provenance.get("backbone_weights", ""),
        "dessin": version("dessin"),
    }
    if results.chosen in LEARNING:
        # What dessin evaluate says beside a figure from the images that were chosen by.
        provenance["nested_accuracy"] = str(results.chosen_way.accuracy)
    # What was fitted to one member's answers does not hold for others.
    plain: dict[str, float | None] = {"temperature": 1.0, "threshold": 0.0, "rejection": None}
    return card.model_copy(update={"provenance": provenance, **plain})

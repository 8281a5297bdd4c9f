"""The verb `compare`: trained models on the same images, paired, with what such a comparison can see."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from dessin.errors import DessinError
from dessin.folders import result_folder
from dessin.language import tr
from dessin.ops import as_paths
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.tables import terminal_width
from dessin.progress import say
from dessin.reports.compare.measure import comparisons, robust_pairs, several_trainings
from dessin.reports.compare.result import ComparedRun, RunComparison
from dessin.reports.compare.view import comparison_lines, comparison_page
from dessin.reports.differences import Difference, differences, recipe_keys
from dessin.runs.joined import Joined, join_runs
from dessin.runs.record import SetName
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import read_sources
from dessin.trust.card.verb import trust_cards

_KEYS_NAMED = 6
_ONE_TRAINING_EACH = (
    "This is about these trained models. With one training each, the luck of a training is not in the "
    "numbers; whether a recipe is better is a question for dessin study, over seeds and folds."
)


def compare(
    runs: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    holdout: bool = False,
    matters: float = 0.02,
) -> RunComparison:
    """Compare models on the same images, with intervals, and say what this design could have seen.

    Args:
        runs: Two or more runs, or groups of folds, that were measured on the same images; the first is the
            base.
        out: A new folder for index.html, comparison.json, comparison.csv and differences.csv.
        holdout: On the holdout, where every run's was opened already; it is never opened here.
        matters: The smallest difference of accuracy (0..1) that would matter.

    Raises:
        DessinError: runs that cannot be compared (see `join_runs`), or a folder `out` that is in use.
    """
    if not 0.0 < matters < 1.0:
        raise DessinError(
            f"A difference of {matters:g} was to matter.",
            allowed="It lies between 0 and 1.",
            do="Use 0.02 for 2 points.",
        )
    set_name: SetName = "holdout" if holdout else "validation"
    joined = join_runs(as_paths(runs), set_name)
    with nullcontext() if out is None else result_folder(Path(out), what="a comparison") as part:
        cards = trust_cards([replace(read_sources(run.folder), name=run.name) for run in joined.runs])
        result = _compared(joined, set_name, matters, cards)
        if part is not None:
            result.write(part)
            write_page(part / PAGE_FILE, comparison_page(result, joined))
    result = result.with_page(lambda: comparison_page(result, joined), out)
    for line in comparison_lines(result, terminal_width()):
        say(line)
    if out is not None:
        say(tr("page: {file}", file=Path(out) / PAGE_FILE))
    return result


def _compared(
    joined: Joined, set_name: SetName, matters: float, cards: tuple[TrustCard, ...]
) -> RunComparison:
    found = differences([run.record for run in joined.runs])
    robustness, unlike = robust_pairs(joined.runs)
    runs = [
        ComparedRun(
            name=run.name,
            path=run.folder.as_posix(),
            accuracy=run.record.results[set_name].accuracy,
            seed=run.record.seed,
            fold=", ".join(map(str, run.folds)) if run.joined else run.record.recipe.data.fold,
            model=run.record.digests.model,
            opened=len(run.record.holdout_opened),
        )
        for run in joined.runs
    ]
    return RunComparison(
        set_name=set_name,
        images=len(joined.image_ids),
        groups=len(set(joined.groups.tolist())),
        matters=matters,
        runs=tuple(runs),
        comparisons=comparisons(joined, matters),
        differences=found,
        cautions=(*_cautions(joined, set_name, found), *unlike),
        cards=cards,
        robustness=robustness,
    )


def _cautions(joined: Joined, set_name: SetName, found: Sequence[Difference]) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    cautions = [_ONE_TRAINING_EACH]
    if several_trainings(joined):
        folds = len(joined.runs[0].folds)
        cautions = [
            f"Each was trained once on each of {folds} folds, with one seed, and differences are paired over "
            "folds. Over seeds too, whether a recipe is better is a question for dessin study."
        ]
    base = joined.runs[0]
    for run in joined.runs[1:]:
        if run.record.digests.model and run.record.digests.model == base.record.digests.model:
            cautions.append(f"{run.name} has the very weights of {base.name}.")
    keys = recipe_keys(found)
    if not keys and len({run.record.seed for run in joined.runs}) > 1:
        cautions.append(
            "The recipes are equal and the seeds are not: what differs is the luck of a training."
        )
    if len(joined.runs) == 2 and len(keys) > 1:
        named = ", ".join(keys[:_KEYS_NAMED]) + (" and more" if len(keys) > _KEYS_NAMED else "")
        cautions.append(
            f"The recipes differ in {len(keys)} keys ({named}), so the difference cannot be laid to one "
            "of them."
        )
    looks = max(len(run.record.holdout_opened) for run in joined.runs)
    if set_name == "holdout" and looks > 1:
        cautions.append(
            f"The holdout was opened {looks} times for one of these runs; each look that led to a choice "
            "makes its numbers less trustworthy."
        )
    return tuple(cautions)

"""A study's levels in a table, and how sure each of their differences is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dessin.experiments.wrapup.changes import Change, base_level, changes, varied
from dessin.experiments.wrapup.sources import StudySource
from dessin.page.numbers import at_least, counted, p_value, plain, points, share, signed
from dessin.runs.record import Result
from dessin.studies.records import Comparison, LevelResult, Verdict


@dataclass(frozen=True)
class LevelRow:
    """A level's line in the table; `changes` of the base are its values of what others change.

    Texts are empty where there is nothing to say.
    """

    name: str
    is_base: bool
    changes: tuple[Change, ...]
    runs: str
    loss: str
    accuracy: str
    n: str
    difference: str
    p: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Evidence:
    """How sure a difference is: the verdict in words, and lines of (way of asking, answer)."""

    name: str
    against: str
    verdict: str
    lines: tuple[tuple[str, str], ...]


def level_rows(study: StudySource) -> tuple[LevelRow, ...]:
    """The levels in the order of the study, the base first."""
    results = {result.level: result for result in study.results.levels} if study.results else {}
    compared = {item.name: item for item in study.results.comparisons} if study.results else {}
    base = base_level(study.record)
    levels = [base, *(level for level in study.record.levels if level != base)]
    return tuple(
        _level_row(
            level.name,
            varied(study.record) if level == base else changes(study.record, level),
            results.get(level.name),
            None if level == base else compared.get(level.name),
            is_base=level == base,
        )
        for level in levels
    )


def _level_row(
    name: str,
    changed: tuple[Change, ...],
    result: LevelResult | None,
    compared: Comparison | None,
    *,
    is_base: bool,
) -> LevelRow:
    accuracy, loss = (result.accuracy, result.loss) if result else (None, None)
    return LevelRow(
        name=name,
        is_base=is_base,
        changes=changed,
        runs=_runs(result) if result else "",
        loss=plain(loss) if loss else "",
        accuracy=share(accuracy) if accuracy else "",
        n=in_images(accuracy),
        difference=points(compared.difference) if compared else "",
        p=p_value(compared.p_holm).removeprefix("=\u00a0") if compared else "",
        verdict=compared.verdict if compared else None,
    )


def in_images(result: Result | None) -> str:
    """`n = 1 246`; empty for no result."""
    return f"n = {result.n:,}".replace(",", "\u202f") if result else ""


def _runs(result: LevelResult) -> str:
    lost = {"collapsed": result.collapsed, "failed": result.failed}
    kept = f"{result.finished}" if result.finished == result.jobs else f"{result.finished} of {result.jobs}"
    return ", ".join([kept, *(f"{count} {what}" for what, count in lost.items() if count)])


def evidence(comparison: Comparison) -> Evidence:
    """Every way of asking about one difference."""
    ways: Mapping[str, Result | None] = {
        "images and runs together (the verdict rests on it)": comparison.difference,
        "images alone, whole groups resampled": comparison.by_image,
        "seeds alone, Student's t": comparison.by_seed,
        "folds alone, Nadeau and Bengio": comparison.by_fold,
    }
    lines = [(way, points(result)) for way, result in ways.items() if result]
    p, adjusted = p_value(comparison.p), p_value(comparison.p_holm)
    lines.append(("p, before and after Holm", f"p\u00a0{p}, p\u00a0{adjusted}"))
    if len(comparison.seed_differences) > 1 and comparison.sign_flip_p is not None:
        by_seed = ", ".join(map(signed, comparison.seed_differences))
        flipped = f"{by_seed}, p\u00a0{p_value(comparison.sign_flip_p)}"
        lines.append(("each seed, and a flip of their signs", flipped))
    for test in comparison.mcnemar:
        alone = f"{test.level_alone} right here alone, {test.base_alone} in the base alone"
        lines.append((f"McNemar, seed {test.seed}", f"{alone}, p\u00a0{p_value(test.p)}"))
    lines.append(("found in 80 of 100 such studies", at_least(comparison.detectable)))
    rests = f"{counted(comparison.images, 'drawing')}, {counted(comparison.cells, 'pair')} of runs"
    lines.append(("rests on", rests))
    return Evidence(comparison.name, comparison.against, comparison.verdict_text, tuple(lines))

"""A comparison of runs as a page and as lines for a terminal, in the order in which it is read."""

from __future__ import annotations

from dessin.page.numbers import points, size, written_p
from dessin.page.render import render_page
from dessin.page.tables import aligned, printable
from dessin.reports.compare.measure import class_changes
from dessin.reports.compare.result import RunComparison
from dessin.reports.run.made import class_names
from dessin.runs.joined import Joined
from dessin.statistics.comparison import Comparison, draw_forest
from dessin.trust.robustness.compare import RobustComparison
from dessin.trust.robustness.suite import SUITE


def comparison_page(result: RunComparison, joined: Joined) -> str:
    """`comparison.html`, whole: nothing is loaded from outside and every name is escaped."""
    base = joined.runs[0]
    classes = {
        comparison.name: class_changes(joined.correct[0], correct, joined.labels)
        for comparison, correct in zip(result.comparisons, joined.correct[1:], strict=True)
    }
    return render_page(
        "dessin.reports.compare",
        "compare.html",
        title=f"{base.name} against {_against(result)}: a dessin comparison",
        result=result,
        base=base.name,
        against=_against(result),
        facts_by_kind=list(zip(*(card.facts for card in result.cards), strict=True)),
        forest=draw_forest(result.comparisons, result.matters),
        robust_forests=[draw_forest(_titled(pair), result.matters) for pair in result.robustness],
        measured=[
            run.record.results[result.set_name].written(run.record.counts.classes) for run in joined.runs
        ],
        classes=classes,
        names=class_names(base.folder, joined.labels),
    )


def _titled(pair: RobustComparison) -> list[Comparison]:
    """The corruptions of a comparison under their names for people."""
    titles = {corruption.name: corruption.title for corruption in SUITE}
    return [row.model_copy(update={"name": titles[row.name]}) for row in pair.corruptions]


def _against(result: RunComparison) -> str:
    names = [comparison.name for comparison in result.comparisons]
    return names[0] if len(names) == 1 else f"{len(names)} other runs"


def comparison_lines(result: RunComparison, width: int | None) -> list[str]:
    """Accuracies, differences, verdicts, and what differs, as lines for a terminal."""
    accuracies = [[run.name, str(run.accuracy)] for run in result.runs]
    accuracy = f"accuracy ({result.set_name})"
    lines = aligned(["run", accuracy], accuracies, width, whole={accuracy})
    titles = ["against " + result.runs[0].name, "points", "alone right", "McNemar p", "p (Holm)", "could see"]
    lines += ["", *aligned(titles, list(map(_cells, result.comparisons)), width, whole=titles[1:]), ""]
    lines += [printable(f"{c.name}: {c.verdict_text}.") for c in result.comparisons]
    facts = [
        [alike[0].title, *(fact.value or "not measured" for fact in alike)]
        for alike in zip(*(card.facts for card in result.cards), strict=True)
    ]
    lines += ["", *aligned(["beyond accuracy", *(card.name for card in result.cards)], facts, width)]
    lines += [
        printable(f"{pair.first}, robust accuracy: {pair.robust.verdict_text}.") for pair in result.robustness
    ]
    differing = [[found.key, *found.texts] for found in result.differences]
    titles = ["what differs", *(run.name for run in result.runs)]
    nothing = ["Nothing differs in recipe, data, weights, versions or hardware."]
    lines += ["", *(aligned(titles, differing, width) if differing else nothing)]
    return [*lines, *(printable(f"Note: {caution}") for caution in result.cautions)]


def _cells(comparison: Comparison) -> list[str]:
    exact = comparison.mcnemar[0]
    return [
        comparison.name,
        points(comparison.difference),
        f"{exact.level_alone} : {exact.base_alone}",
        written_p(exact.p),
        written_p(comparison.p_holm),
        size(comparison.detectable),
    ]

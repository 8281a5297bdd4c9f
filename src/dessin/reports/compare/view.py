"""The page of a comparison: what it says, in the order in which it is read."""

from __future__ import annotations

from dessin.models.card import CARD_FILE, read_card
from dessin.page.numbers import points, share, written_p
from dessin.page.render import render_page
from dessin.reports.compare.measure import class_changes
from dessin.reports.compare.result import RunComparison
from dessin.runs.joined import Joined
from dessin.statistics.comparison import Comparison
from dessin.statistics.forest import draw_forest
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
        classes=classes,
        names=_names(joined),
        points=points,
        written_p=written_p,
        share=share,
    )


def _titled(pair: RobustComparison) -> list[Comparison]:
    """The corruptions of a comparison under their names for people."""
    titles = {corruption.name: corruption.title for corruption in SUITE}
    return [row.model_copy(update={"name": titles[row.name]}) for row in pair.corruptions]


def _names(joined: Joined) -> dict[str, str]:
    """Labels → names for people, as the base's bundle has them; runs may outlive their bundles."""
    bundle = joined.runs[0].folder / "bundle"
    known = read_card(bundle).names if (bundle / CARD_FILE).is_file() else {}
    return {label: label for label in joined.labels} | known


def _against(result: RunComparison) -> str:
    names = [comparison.name for comparison in result.comparisons]
    return names[0] if len(names) == 1 else f"{len(names)} other runs"

"""The facts of a trust card about accuracy and about the split."""

from __future__ import annotations

from dessin.experiments.trust.card import Fact
from dessin.experiments.trust.leaks import LeakCheck
from dessin.experiments.trust.sources import TrustSources
from dessin.page.numbers import counted, listed, share
from dessin.runs.record import Result
from dessin.statistics.metrics import ClassResult

_NAMED = 4


def validation_fact(sources: TrustSources) -> Fact:
    found = sources.metrics.get("validation")
    if found is None:
        return Fact(
            key="validation",
            title="Accuracy, validation",
            detail="It has no validation drawings of its own: it was trained on every fold.",
        )
    nested = sources.committee.provenance.get("nested_accuracy") if sources.committee else ""
    tail = (
        f" Its members were chosen on these very drawings; on drawings that the choice did not see: {nested}."
        if nested
        else " They took part in choosing the weights that were kept, so the figure is slightly too good."
    )
    return Fact(
        key="validation",
        title="Accuracy, validation",
        value=share(Result(**found.accuracy.__dict__)),
        detail=f"On {counted(found.n, 'drawing')} that the model was not trained on.{tail}",
    )


def holdout_fact(sources: TrustSources) -> Fact:
    found, title = sources.metrics.get("holdout"), "Accuracy, holdout"
    if found is None:
        detail = (
            f"Locked away so far. {sources.command('evaluate')} --holdout --out OUT opens it; that counts."
            if sources.split.held_out()
            else "The split has no holdout."
        )
        return Fact(key="holdout", title=title, detail=detail)
    looks = "once" if sources.opened <= 1 else f"{sources.opened} times"
    tail = "" if sources.opened <= 1 else " Each look that led to a choice makes the figure less trustworthy."
    return Fact(
        key="holdout",
        title=title,
        value=share(Result(**found.accuracy.__dict__)),
        detail=f"On {counted(found.n, 'drawing')} that no choice was made on, opened {looks}.{tail}",
        tone="" if sources.opened <= 1 else "warn",
    )


def worst_class(sources: TrustSources) -> ClassResult:
    """The class of the lowest recall; of equal ones that with most drawings, then the first by name."""
    rows = [(row.recall.value, -row.n, row.label, row) for row in sources.main.per_class if row.recall]
    return min(rows, key=lambda row: row[:3])[3]


def worst_class_fact(sources: TrustSources) -> Fact:
    worst = worst_class(sources)
    rows = [row for row in sources.main.per_class if row.recall]
    never = [row for row in rows if row.recall and row.recall.value == 0.0]
    taken = f", mostly taken for {worst.confused_with}" if worst.confused_count > 1 else ""
    recall = worst.recall
    value = f"{worst.label}: {share(Result(**recall.__dict__))}" if recall else ""
    behind = f"{counted(worst.n, 'drawing')} ({recall.method})" if recall else ""
    names = listed([row.label for row in never], most=_NAMED)
    others = (
        f" {counted(len(never), 'class', 'classes')} of {len(rows)} had none right ({names})."
        if never
        else ""
    )
    return Fact(
        key="worst_class",
        title="Worst class",
        value=value,
        detail=f"Of {behind}{taken}. With so few drawings a class, the worst of {len(rows)} "
        f"classes is partly bad luck.{others}",
        tone="warn" if never else "",
    )


def leaks_fact(found: LeakCheck) -> Fact:
    title, groups = "Leak check", counted(found.groups, "group")
    if not found.searched:
        return Fact(
            key="leaks",
            title=title,
            value="groups only",
            detail=f"All {groups} lie on one side each. Copies could not be searched for: {found.reason}",
            tone="warn",
        )
    if found.crossing:
        return Fact(
            key="leaks",
            title=title,
            value=f"{counted(found.crossing, 'pair')} of copies on two sides",
            detail=f"Among {counted(found.images, 'drawing')} such as "
            f"{listed([' and '.join(pair) for pair in found.examples], most=2)}. The accuracies may be too "
            "good.",
            tone="warn",
        )
    pairs = counted(found.pairs, "pair")
    copies = f"{pairs} were found, each on one side of the split." if found.pairs else "there are none."
    return Fact(
        key="leaks",
        title=title,
        value="none found",
        detail=f"{counted(found.images, 'drawing')} were searched anew for copies, turned and mirrored ones "
        f"too: {copies} All {groups} lie on one side each.",
        tone="good",
    )

"""The numbers of an audit: of the collection, and of what models say about its labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dessin.audit.answers import LabelAnswers
from dessin.audit.judgement import Judgement
from dessin.audit.result import DuplicateCounts, FamilyShare, Moments, Spread, Summary
from dessin.collection.checks.base import Issue, LabelNumbers, LabelReview, SuspectLabel
from dessin.collection.duplicates import Pair
from dessin.collection.families import find_families
from dessin.collection.issues import CHECKS
from dessin.collection.manifest import Manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.scan import Scan
from dessin.statistics.intervals import bootstrap_mean


def summarise(
    collection: Collection,
    manifest: Manifest,
    scan: Scan,
    pairs: Sequence[Pair],
    issues: Sequence[Issue],
    labels: LabelNumbers | None = None,
) -> Summary:
    """Every number of the audit, from what it found."""
    measured = [m for m in scan.measurements if m.readable]
    counts = Counter(row.label for row in manifest.rows)
    found = Counter(issue.issue for issue in issues)
    colours = np.array([m.brightness for m in measured]).reshape(-1, 3)
    families_by, families = _families(counts)
    return Summary(
        layout=collection.layout,
        notes=collection.notes,
        manifest_digest=manifest.digest,
        images=len(manifest.rows),
        readable=len(measured),
        classes=len(counts),
        class_counts=dict(sorted(counts.items())),
        modes=_counted(m.mode for m in measured),
        formats=_counted(m.format for m in measured),
        brightness={
            name: Moments(mean=round(float(values.mean()), 2), sd=round(float(values.std()), 2))
            for name, values in zip(("red", "green", "blue"), colours.T, strict=True)
            if len(values)
        },
        width=_spread([m.width for m in measured]),
        height=_spread([m.height for m in measured]),
        aspect=_spread([m.width / m.height for m in measured]),
        ink=_spread([m.ink for m in measured]),
        contrast=_spread([m.contrast for m in measured]),
        issues={kind: found[kind] for kind in CHECKS},
        duplicates=_duplicates(manifest, pairs),
        families_by=families_by,
        families=families,
        skipped={rule: len(paths) for rule, paths in sorted(collection.skipped.items())},
        labels=labels,
        grounds=_counted(m.ground for m in measured if m.ground),
        named=dict(Counter(kind for kind, _ in dict.fromkeys((i.issue, i.image_id) for i in issues))),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    points = np.percentile(values, [0, 25, 50, 75, 100])
    named = zip(Spread.model_fields, points, strict=True)
    return Spread(**{name: round(float(value), 4) for name, value in named})


def _duplicates(manifest: Manifest, pairs: Sequence[Pair]) -> DuplicateCounts:
    labels = {row.image_id: row.label for row in manifest.rows}
    kinds = Counter(pair.kind for pair in pairs)
    within = sum(labels[pair.first] == labels[pair.second] for pair in pairs)
    # The pairs form a forest: a tree of n images has n - 1 of them.
    involved = {image_id for pair in pairs for image_id in (pair.first, pair.second)}
    return DuplicateCounts(
        bytes=kinds["bytes"],
        pixels=kinds["pixels"],
        near=kinds["near"],
        within_class=within,
        across_classes=len(pairs) - within,
        sets=len(involved) - len(pairs),
    )


def _families(counts: Mapping[str, int]) -> tuple[str, tuple[FamilyShare, ...]]:
    found = find_families(counts)
    if found is None:
        return "", ()
    images = sum(counts.values())
    shares = []
    for family in found.families:
        inside = sum(counts[label] for label in family.labels)
        shares.append(
            FamilyShare(
                name=family.name,
                parent=family.parent,
                classes=len(family.labels),
                images=inside,
                share_of_classes=round(len(family.labels) / found.classes, 4),
                share_of_images=round(inside / images, 4),
            )
        )
    return found.by, tuple(shares)


def review_labels(answers: LabelAnswers, judgement: Judgement) -> LabelReview:
    """What the audit shows of a judgement."""
    typical = _typical_drawings(answers, judgement)
    count = int(judgement.suspects.sum())
    suspects = [_suspect(answers, judgement, row, typical) for row in judgement.ranking[:count]]
    right = answers.probabilities.argmax(axis=1) == answers.given
    accuracy, noise = bootstrap_mean(right, [row.group for row in answers.rows]), judgement.noise
    varying = f"An image has {answers.fewest} to {answers.most} answers; their mean counts."
    numbers = LabelNumbers(
        judged=len(answers.rows),
        models=answers.models,
        accuracy=round(accuracy.value, 4),
        accuracy_low=round(accuracy.low, 4),
        accuracy_high=round(accuracy.high, 4),
        suspects=count,
        noise=round(noise.value, 4),
        noise_low=round(noise.low, 4),
        noise_high=round(noise.high, 4),
        notes=(varying,) if answers.fewest < answers.most else (),
    )
    return LabelReview(tuple(suspects), numbers)


def _typical_drawings(answers: LabelAnswers, judgement: Judgement) -> dict[int, str]:
    """Class number → the drawing of the class, among those beyond suspicion, that shows it best.

    It is surely of the class and looks like other classes as drawings of it do (Bhattacharyya's coefficient
    with the class's mean): in a class that models hardly know the surest alone can be a wrong label.
    """
    given, every = answers.given, np.arange(len(answers.rows))
    trusted = np.flatnonzero(~judgement.suspects)
    roots = np.sqrt(answers.probabilities)
    usual = np.zeros((len(answers.classes), len(answers.classes)))
    np.add.at(usual, given[trusted], roots[trusted])
    # Drawings are compared within a class, so the class's number of drawings does not matter.
    score = answers.probabilities[every, given] * (roots * usual[given]).sum(axis=1)
    typical: dict[int, str] = {}
    for row in trusted[np.argsort(-score[trusted], kind="stable")]:
        typical.setdefault(int(given[row]), answers.rows[row].image_id)
    return typical


def _suspect(answers: LabelAnswers, judgement: Judgement, row: int, typical: dict[int, str]) -> SuspectLabel:
    given, suggested = int(answers.given[row]), int(judgement.suggested[row])
    return SuspectLabel(
        image_id=answers.rows[row].image_id,
        given=answers.classes[given],
        suggested=answers.classes[suggested],
        probability=float(answers.probabilities[row, suggested]),
        score=float(1.0 - judgement.quality[row]),
        like=typical.get(suggested, ""),
        unlike=typical.get(given, ""),
    )

"""Everything that an atlas says, from a model's answers and the measures of its drawings."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dessin.statistics.intervals import bootstrap_mean
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.classes import class_rows, find_clusters, pair_rows
from dessin.trust.mistakes.properties import associations, correlated
from dessin.trust.mistakes.property_rows import property_rows
from dessin.trust.mistakes.result import Atlas, Mistake
from dessin.trust.mistakes.strokes import Floats
from dessin.trust.mistakes.view import (
    accuracy_sentence,
    cautions,
    classes_sentence,
    clusters_sentence,
    properties_sentence,
)
from dessin.trust.mistakes.worse_classes import classes_differ


def build_atlas(name: str, given: Answered, measured: Mapping[str, Floats], *, seed: int = 0) -> Atlas:
    """The atlas of a model called `name`; `measured` has each property (N,) of the drawings."""
    accuracy = bootstrap_mean(given.correct, given.index, seed=seed)
    classes = class_rows(given, seed=seed)
    differ = classes_differ(given.correct, given.targets, given.index, seed=seed)
    structure, clusters = find_clusters(given, seed=seed)
    found = property_rows(associations(measured, given.correct, given.targets, given.index, seed=seed))
    told = {row.name for row in found if row.finding in ("within classes", "between classes")}
    together = [pair for pair in correlated(measured) if told & set(pair[:2])]
    seen = {row.label for row in classes}
    absent = tuple(label for label in given.classes if label not in seen)
    drawings = tuple(_mistake(given, place, measured) for place in given.wrong)
    return Atlas(
        name=name,
        folds=given.folds,
        groups=int(given.index.max()) + 1,
        accuracy=accuracy,
        mistakes=len(drawings),
        absent=absent,
        classes_differ=differ,
        classes=classes,
        pairs=pair_rows(given),
        structure=structure,
        clusters=clusters,
        properties=found,
        drawings=drawings,
        names={label: given.names.get(label, label) for label in given.classes},
        summary=(
            accuracy_sentence(accuracy, len(drawings), len(classes)),
            classes_sentence(classes, differ),
            clusters_sentence(structure, clusters, given.names),
            properties_sentence(found),
        ),
        cautions=cautions(classes, absent, structure, found, together),
    )


def _mistake(given: Answered, place: int, measured: Mapping[str, Floats]) -> Mistake:
    values = {name: float(values[place]) for name, values in measured.items()}
    return Mistake(
        image_id=given.rows[place].image_id,
        label=given.rows[place].label,
        predicted=given.classes[given.predicted[place]],
        probability=float(given.sureness[place]),
        rank=int(given.rank[place]),
        properties={name: None if math.isnan(value) else value for name, value in values.items()},
    )

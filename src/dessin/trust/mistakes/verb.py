"""The verb `mistakes`: an atlas of what a model gets wrong on drawings that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.answers.committee import COMMITTEE_FILE
from dessin.files import claim_folder, write_text
from dessin.progress import say
from dessin.runs.subject import Subject, read_subject
from dessin.statistics.intervals import bootstrap_mean
from dessin.trust.mistakes.answered import Answered, answered
from dessin.trust.mistakes.measure import class_rows, classes_differ, find_clusters, pair_rows
from dessin.trust.mistakes.properties import associations, correlated
from dessin.trust.mistakes.result import Atlas, Mistake, PropertyRow, write_tables
from dessin.trust.mistakes.strokes import Floats, measure_drawings
from dessin.trust.mistakes.view import (
    accuracy_sentence,
    atlas_page,
    cautions,
    classes_sentence,
    clusters_sentence,
    properties_sentence,
    property_words,
)

PAGE_FILE = "atlas.html"


def mistakes(
    run: str | Path,
    *,
    out: str | Path,
    data: str | Path | None = None,
    split: str | Path | None = None,
) -> Atlas:
    """Write the atlas of mistakes: classes, confused pairs with maps, and what goes with failure.

    Only validation drawings are looked at, through models that were not trained on them: those that a run
    kept its answers to, else they are asked.

    Args:
        run: A run or a committee, or a bundle (with its data and split).
        out: A new folder; `mistakes.json` is written last.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.

    Raises:
        DessinError: an unfinished run, no validation drawings, changed data, a split that the model was not
            trained on, or a folder `out` that is in use.
    """
    subject, folder = read_subject(Path(run), data, split), Path(out)
    rows = subject.rows("validation")
    claim_folder(folder, what="an atlas of mistakes")
    given = answered(subject, rows)
    measured = measure_drawings(subject.inputs.manifest, [row.image_id for row in rows])
    atlas = build_atlas(_name(subject), given, measured, seed=subject.seed)
    write_tables(atlas, folder)
    write_text(folder / PAGE_FILE, atlas_page(atlas, subject, given, measured))
    atlas.write(folder)
    for line in (*atlas.summary, *atlas.cautions):
        say(line)
    say(f"page: {folder / PAGE_FILE}")
    return atlas


def _name(subject: Subject) -> str:
    """What the page calls the model; a run of a fold group has only `fold-0` for a name of its own."""
    if subject.record is None:
        return subject.loaded.committee.name
    group = subject.given.absolute().parent
    return (
        f"{group.name}/{subject.record.name}" if (group / COMMITTEE_FILE).is_file() else subject.record.name
    )


def build_atlas(name: str, given: Answered, measured: Mapping[str, Floats], *, seed: int = 0) -> Atlas:
    """The atlas of a model called `name`; `measured` has each property (N,) of the drawings."""
    accuracy = bootstrap_mean(given.correct, given.index, seed=seed)
    classes = class_rows(given, seed=seed)
    differ = classes_differ(given.correct, given.targets, given.index, seed=seed)
    structure, clusters = find_clusters(given, seed=seed)
    found = _worded(associations(measured, given.correct, given.targets, given.index, seed=seed))
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


def _worded(found: Sequence[PropertyRow]) -> tuple[PropertyRow, ...]:
    """Those that go with failure first, then by the p of the trend within classes."""
    order = {"within classes": 0, "between classes": 1, "not seen": 2, "cannot tell": 3, "all alike": 4}
    ranked = sorted(found, key=lambda row: (order[row.finding], row.p_within, row.p_overall))
    return tuple(row.model_copy(update={"words": property_words(row)}) for row in ranked)


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

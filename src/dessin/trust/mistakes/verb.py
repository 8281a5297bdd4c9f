"""The verb `mistakes`: an atlas of what a model gets wrong on drawings that it was not trained on."""

from __future__ import annotations

from pathlib import Path

from dessin.answers.committee import COMMITTEE_FILE
from dessin.folders import result_folder
from dessin.language import tr
from dessin.page.html import PAGE_FILE, write_page
from dessin.progress import say
from dessin.runs.subject import Subject, read_subject
from dessin.trust.mistakes.answered import answered
from dessin.trust.mistakes.measure import measure_mistakes
from dessin.trust.mistakes.properties import correlated
from dessin.trust.mistakes.result import Atlas, write_tables
from dessin.trust.mistakes.strokes import measure_drawings
from dessin.trust.mistakes.view import atlas_page
from dessin.trust.mistakes.words import worded


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
    with result_folder(folder, what="an atlas of mistakes") as part:
        given = answered(subject, rows)
        ids, page = [row.image_id for row in rows], subject.loaded.page
        measured = measure_drawings(subject.inputs.manifest, ids, page)
        found = measure_mistakes(_name(subject), given, measured, seed=subject.seed)
        atlas = worded(found, correlated(measured))
        write_tables(atlas, part)
        drawn = atlas_page(atlas, subject, given, measured)
        write_page(part / PAGE_FILE, drawn)
        atlas.write(part)
    for line in (*atlas.summary, *atlas.cautions):
        say(line)
    say(tr("page: {file}", file=folder / PAGE_FILE))
    return atlas.with_page(drawn, folder)


def _name(subject: Subject) -> str:
    """What the page calls the model; a run of a fold group has only `fold-0` for a name of its own."""
    if subject.record is None:
        return subject.loaded.committee.name
    group = subject.given.absolute().parent
    return (
        f"{group.name}/{subject.record.name}" if (group / COMMITTEE_FILE).is_file() else subject.record.name
    )

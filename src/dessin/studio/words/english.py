"""The English interface texts of the studio."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "frame.language": "Language",
    "frame.data": "Data",
    "frame.runs": "Runs",
    "frame.studies": "Studies",
    "frame.mistakes": "Mistakes",
    "frame.try": "Try it",
    "frame.rescan": "Look again",
    "frame.rescan_help": "Looks for files that came since this page was opened.",
    "choose.page": "Page (of {pages})",
    "job.stays": "Stay on this page until it has ended.",
    "data.none": (
        "No collection was found here: a folder with one folder a class, a CSV of labelled drawings, "
        "or a contest folder."
    ),
    "data.collection": "Collection",
    "data.audit": "Audit",
    "data.curation": "Curation file",
    "data.curation_says": (
        "{file} has {rows:,} rows. A tick below changes it at once; no drawing is touched."
    ),
    "data.show": "Show",
    "data.classes": "Classes",
    "data.drawings": "Drawings",
    "data.a_class": "Drawings a class",
    "data.test": "Test drawings",
    "data.skipped": "Files skipped",
    "data.no_audit": (
        "These drawings have not been audited yet: no duplicates, no conflicts and no broken files are known."
    ),
    "data.make_audit": "Audit these drawings",
    "data.auditing": "Looking at every drawing",
    "data.class": "Class",
    "data.class_says": "{count:,} drawings, of which the curation drops {dropped:,}.",
    "data.is_drop": "dropped",
    "data.is_keep": "kept",
    "data.is_relabel": "relabelled {label}",
    "data.duplicates": "Duplicates",
    "data.conflicts": "Label conflicts",
    "data.suspects": "Suspect labels",
    "data.others": "Other findings",
    "data.explain_duplicates": (
        "The same drawing twice, also turned or mirrored. Of two copies one is enough."
    ),
    "data.explain_conflicts": "The same drawing under two labels. At most one of them is right.",
    "data.explain_suspects": (
        "Models that did not see the drawing find its label implausible. On the right is a typical "
        "drawing of what it looks like. Many are odd drawings of the right class."
    ),
    "data.explain_others": (
        "Broken or empty files, faint drawings, several objects in one picture, odd sizes."
    ),
    "data.example": "an example",
    "data.drop": "Drop it",
    "data.drop_one": "Drop drawing {place}",
    "data.ticked_above": "Drawing {place} has its tick further up.",
    "issue.unreadable": "unreadable",
    "issue.exact_duplicate": "exact duplicate",
    "issue.near_duplicate": "near-duplicate",
    "issue.label_conflict": "label conflict",
    "issue.suspect_label": "suspect label",
    "issue.blank": "blank",
    "issue.low_contrast": "low contrast",
    "issue.several_objects": "several objects",
    "issue.odd_size": "odd size",
    "issue.odd_aspect": "odd aspect",
    "runs.none": "No run was found here. dessin train makes one.",
    "runs.count": "{shown:,} of {total:,} runs",
    "runs.where": "Only runs with",
    "runs.more": "Order and columns",
    "runs.sort": "Order by",
    "runs.down": "The largest first",
    "runs.columns": "Columns (none: the usual ones)",
    "runs.choose": "Look at these; the first is the base of the comparison",
    "runs.two_cards": "Cards and the comparison are of the first two.",
    "runs.curves": "Curves",
    "runs.accuracy": "Accuracy, validation",
    "runs.loss": "Loss, validation",
    "runs.epoch": "epoch",
    "runs.no_curve": "{name} has no curve: it was not trained epoch by epoch, or not yet.",
    "runs.reading": "Reading what was measured",
    "runs.cards": "Trust cards",
    "runs.unmeasured": "not measured",
    "runs.untested": "What was not tested",
    "runs.comparison": "Comparison, drawing by drawing",
    "runs.on": "On {images:,} drawings in {groups:,} groups; 95% intervals, in points.",
    "verdict.better": "better",
    "verdict.worse": "worse",
    "verdict.no difference": "no difference",
    "verdict.cannot tell": "cannot tell",
    "verdict.no result": "no result",
    "studies.none": "No study was found here. dessin study makes one.",
    "studies.study": "Study",
    "studies.gain found": "Gain found.",
    "studies.no gain": "No gain.",
    "studies.undecided": "Undecided.",
    "studies.unfinished": "Unfinished.",
    "studies.level": "Level",
    "studies.accuracy": "Accuracy",
    "studies.difference": "Points against the base",
    "studies.verdict": "Verdict",
    "studies.base": "base",
    "studies.its_base": "its base",
    "studies.forest": (
        "Differences of accuracy against {against} with 95% intervals, in points. The band holds "
        "differences below {matters} points, which would not matter."
    ),
    "studies.effects": "Each factor over all levels of the other",
    "studies.power": "What this design could have seen",
    "studies.evidence": "How sure that is",
    "studies.way": "Way of asking",
    "studies.answer": "Answer",
    "studies.lost": "Runs without a result",
    "studies.run": "Run",
    "studies.status": "Status",
    "studies.reason": "Why",
    "mistakes.none": "No atlas of mistakes was found here.",
    "mistakes.atlas": "Atlas",
    "mistakes.model": "Model",
    "mistakes.accuracy": "Accuracy",
    "mistakes.count": "Mistakes",
    "mistakes.no_drawings": (
        "The drawings of this atlas do not lie in this workspace, so they cannot be shown."
    ),
    "mistakes.pairs": "What is taken for what",
    "mistakes.pair": "{true} taken for {taken}: {count:,} of {n:,} drawings",
    "mistakes.others": "Drawings of {taken}, for comparison",
    "mistakes.sure": "{probability} sure, the true class is number {rank}",
    "mistakes.maps_of": "Maps by the model",
    "mistakes.show_maps": "Show what spoke for either class",
    "mistakes.maps_note": (
        "Warm places spoke for the class. A map shows where a model looked, not why; it is honest "
        "only for a model that was not trained on these drawings."
    ),
    "mistakes.mapping": "Making maps",
    "mistakes.speaks_for": "for {name}",
    "mistakes.make_one": "Make an atlas of another model",
    "mistakes.make": "Make the atlas",
    "mistakes.making": "Asking the model about drawings that it was not trained on",
    "runs.run": "run",
}

"""Set drawings aside by a rule of your own, and split what is left.

    python examples/curate_by_a_rule.py --out result [--drawings FOLDER]

The audit measures every image (ink, contrast, objects, size). Here a drawing is set aside if it has far less
ink than is usual in its class: half-finished ones. The rule is joined with what the audit proposes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

import dessin
from dessin.collection.curation import Change, Curation, read_curation, write_curation
from dessin.doodles.doodles import generate_doodles

SHARE_OF_USUAL_INK = 0.6


def main(out: Path, drawings: Path | None = None) -> int:
    if drawings is None:
        generate_doodles(out / "doodles", classes=12, per_class=10, seed=0)
        drawings = out / "doodles" / "drawings"

    audit = dessin.audit(drawings, out=out / "audit")
    dessin.curate(drawings, issues=out / "audit" / "issues.csv", out=out / "proposed.csv")
    proposed = read_curation(out / "proposed.csv")

    # Rows of the manifest and measurements of the scan stand in the same order.
    ink: dict[str, dict[str, float]] = {}
    for row, measured in zip(audit.manifest.rows, audit.scan.measurements, strict=True):
        if measured.readable:
            ink.setdefault(row.label, {})[row.image_id] = measured.ink
    named = {change.image_id for change in proposed.changes}
    faint = []
    for shares in ink.values():
        usual = median(shares.values())
        faint += [
            Change(image_id, "drop", "", f"{share / usual:.0%} of the ink that is usual in its class")
            for image_id, share in sorted(shares.items())
            if share < SHARE_OF_USUAL_INK * usual and image_id not in named
        ]
    changes = sorted((*proposed.changes, *faint), key=lambda change: change.image_id)
    write_curation(Curation(tuple(changes)), out / "curation.csv")
    print(f"{len(faint)} drawings have little ink; {len(named)} more were proposed by the audit")

    # Whatever reads a split honours the curation: it is in the split's digests.
    split = dessin.split(drawings, curation=out / "curation.csv", folds=3, out=out / "split.csv")
    print(f"{len(split.rows)} of {len(audit.manifest.rows)} images are in {out / 'split.csv'}")
    return len(faint)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawings", type=Path)
    arguments = parser.parse_args()
    main(arguments.out, arguments.drawings)

"""From a folder of drawings to a classifier, step by step, in Python.

    python examples/folder_to_classifier.py --out result [--drawings FOLDER]

Without a folder, doodles with planted faults are drawn first. Every step is one call, and is what the command
of the same name does; each writes its files below --out, so you can stop anywhere and look.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dessin
from dessin.doodles.doodles import generate_doodles
from dessin.recipe import make_recipe

# A probe: a linear head on frozen, pretrained features. Seconds, and often all that a small collection needs.
RECIPE = {
    "image": {"size": 64},
    "model": {"backbone": "tf_efficientnet_lite0"},
    "finetune": {"mode": "probe"},
}


def main(out: Path, drawings: Path | None = None) -> float:
    if drawings is None:
        generate_doodles(out / "doodles", classes=12, per_class=10, seed=0)
        drawings = out / "doodles" / "drawings"

    # 1. Look before you train: damaged files, copies, drawings with two labels.
    audit = dessin.audit(drawings, out=out / "audit")
    print(f"{len(audit.manifest.rows)} images, {len(audit.issues)} issues: {out / 'audit' / 'index.html'}")

    # 2. Set aside what does harm. The file says what and why; no image is touched.
    dessin.curate(drawings, issues=out / "audit" / "issues.csv", out=out / "curation.csv")

    # 3. Split: copies stay on one side. Say with `group=` what else belongs together.
    dessin.split(drawings, curation=out / "curation.csv", folds=3, holdout=0.2, out=out / "split.csv")

    # 4. Train, and look at the fold that was kept out.
    run = dessin.train(make_recipe(RECIPE), data=drawings, split=out / "split.csv", out=out / "run")
    print(f"validation: {dessin.evaluate(run).metrics.accuracy}")

    # 5. Only now open the holdout. The run's record counts how often.
    final = dessin.evaluate(run, holdout=True, out=out / "holdout")
    print(f"holdout, opened {final.opened} time: {final.metrics.accuracy}")

    # 6. Use it: the bundle is the whole model, with its preprocessing and its class names.
    dessin.predict(run / "bundle", [drawings], out=out / "predictions.csv")
    return final.metrics.accuracy.value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawings", type=Path)
    arguments = parser.parse_args()
    main(arguments.out, arguments.drawings)

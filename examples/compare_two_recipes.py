"""Is one recipe better than another? Same drawings, same seeds, same folds, and an honest verdict.

    python examples/compare_two_recipes.py --out result [--drawings FOLDER]

The question here: does a picture of 32 pixels a side serve as well as one of 64? Each level is trained on two
folds with two seeds; differences are paired by image and by run. Stopped, the same call goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dessin
from dessin.doodles.doodles import generate_doodles

STUDY = """
hypothesis: At 32 pixels a side the lines of a drawing are lost.
topic: data
recipe:
  model: {backbone: tf_efficientnet_lite0}
  finetune: {mode: probe}
factor: size
levels:
  64 pixels: {image: {size: 64}}
  32 pixels: {image: {size: 32}}
seeds: [0, 1]
folds: [0, 1]
matters: 0.05
"""


def main(out: Path, drawings: Path | None = None) -> str:
    out.mkdir(parents=True, exist_ok=True)
    if drawings is None:
        generate_doodles(out / "doodles", classes=12, per_class=10, seed=0)
        drawings = out / "doodles" / "drawings"
    if not (out / "split.csv").exists():
        dessin.split(drawings, folds=2, holdout=0.2, out=out / "split.csv")
    (out / "size.yaml").write_text(STUDY, encoding="utf-8")

    # Ask first what such a study could see; `dry_run` trains nothing.
    dessin.study(out / "size.yaml", data=drawings, split=out / "split.csv", out=out / "study", dry_run=True)
    results = dessin.study(out / "size.yaml", data=drawings, split=out / "split.csv", out=out / "study")
    assert results is not None
    comparison = results.comparisons[0]
    print(f"difference: {comparison.difference}")
    print(f"verdict: {comparison.verdict}")
    return comparison.verdict


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawings", type=Path)
    arguments = parser.parse_args()
    main(arguments.out, arguments.drawings)

"""What each ingredient of training does on real drawings: a base recipe with one thing changed.

Every run trains on the same images for the same number of epochs and is compared with the base image by image
on the same validation fold, with an interval from resampling whole groups. One seed: differences inside the
interval say nothing. A run that is in OUT already is not repeated, or resumed. From the repository root:

    dessin split DATA --out split.csv --group '^(.*)-\\d+\\.png$' --folds 2 --holdout 0.2
    python benchmarks/ingredients.py --data DATA --split split.csv --out OUT [--only REGEX]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.recipe import make_recipe
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.statistics.intervals import bootstrap_mean

AUGMENT = ["hflip", "rotate(15)", "translate(0.07)", "scale(0.8, 1.2)"]
BASE: dict[str, Any] = {
    "data": {"fold": 0},
    "image": {"size": 128},
    "finetune": {"mode": "probe_then_full"},
    "augment": AUGMENT,
    "loss": "label_smoothing(0.1)",
    "optimizer": {"lr": 2e-4, "weight_decay": 0.05, "warmup_epochs": 0.5},
    "train": {"epochs": 3, "batch_size": 32},
}
# name → (what the base's sections become, and what was expected of it)
INGREDIENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no augmentation": ({"augment": []}, "worse"),
    "hflip only": ({"augment": ["hflip"]}, "a little worse"),
    **{
        f"+ {op}": ({"augment": [*AUGMENT, op]}, expected)
        for op, expected in (
            ("vflip", "worse: few drawings are upside down"),
            ("shear(10)", "a little better"),
            ("random_crop(0.8)", "a little better"),
            ("perspective(0.2)", "a little better"),
            ("elastic(0.03)", "better: drawings differ by such bends"),
            ("line_wobble(0.01)", "a little better"),
            ("thickness(0.7, 1.4)", "better: pens differ (+0.6 is on record for another collection)"),
            ("stroke_dropout(0.1)", "a little better"),
            ("ink_fade(0.5)", "nothing: the ink is of one darkness"),
            ("paper_tone(0.2)", "nothing: the paper is white"),
            ("paper(0.5)", "nothing here; much on other paper"),
            ("ruling(0.5)", "nothing here; some on ruled paper"),
            ("shadow(0.5)", "nothing here; some in photographs"),
            ("jitter(0.2, 0.2, 0.2, 0.05)", "nothing: there is no colour"),
            ("brightness(0.3)", "nothing"),
            ("contrast(0.3)", "nothing"),
            ("blur(1.5)", "nothing"),
            ("noise(0.1)", "nothing"),
            ("erase(0.3)", "a little better"),
            ("invert(0.2)", "worse"),
            ("clahe(0.5)", "nothing"),
            ("mixup(0.2)", "worse in 3 epochs"),
            ("cutmix(1.0)", "worse in 3 epochs"),
            ("mixup_or_cutmix(0.2, 1.0)", "worse in 3 epochs"),
            ("autoaugment(imagenet)", "worse: too strong for 3 epochs"),
            ("autoaugment(cifar10)", "worse: too strong for 3 epochs"),
            ("randaugment(2, 9)", "worse: too strong for 3 epochs"),
            ("trivialaugment", "worse: too strong for 3 epochs"),
            ("augmix(3)", "nothing"),
        )
    },
    "copies: hflip (twice the steps)": ({"copies": ["hflip"]}, "as good as more epochs"),
    "curriculum: thickness from epoch 2": ({"stages": {2: ["thickness(0.7, 1.4)"]}}, "nothing"),
    "gray": ({"image": {"colour": "gray"}}, "nothing: the drawings are gray"),
    "CLAHE": ({"image": {"clahe": True}}, "nothing"),
    "head from scratch": ({"finetune": {"mode": "full"}}, "much worse"),
    "head from scratch, lr 1e-3": ({"finetune": {"mode": "full"}, "optimizer": {"lr": 1e-3}}, "worse"),
    "head from ImageNet's rows": (
        {"finetune": {"mode": "full", "head_start": "imagenet"}},
        "worse than the probe: few of the names are ImageNet classes",
    ),
    "batch norm trained": ({"finetune": {"batch_norm": "train"}}, "worse: the probe's start is undone"),
    "probe only": ({"finetune": {"mode": "probe"}}, "worse"),
    "stage 4": ({"finetune": {"mode": "stages", "stages": [4], "head_start": "probe"}}, "worse, faster"),
    "stages 3 and 4": ({"finetune": {"mode": "stages", "stages": [3, 4], "head_start": "probe"}}, "the same"),
    "last 3 blocks": (
        {"finetune": {"mode": "last_blocks", "last_blocks": 3, "head_start": "probe"}},
        "worse, faster",
    ),
    "layer decay 0.8": ({"finetune": {"layer_decay": 0.8}}, "a little worse in 3 epochs"),
    "cosine head": ({"finetune": {"head": "cosine"}}, "nothing"),
    "MLP head": ({"finetune": {"head": "mlp"}}, "nothing"),
    "dropout 0.3": ({"model": {"drop_rate": 0.3}}, "nothing"),
    "drop path 0.1": ({"model": {"drop_path": 0.1}}, "nothing"),
    "cross entropy": ({"loss": "cross_entropy"}, "the same accuracy, a higher loss"),
    "focal(2)": ({"loss": "focal(2.0)"}, "nothing"),
    "asymmetric(0, 4)": ({"loss": "asymmetric(0, 4)"}, "nothing"),
    "triplet(0.2)": ({"loss": "triplet(0.2)"}, "nothing: batches of 32 hold few pairs of a class"),
    "class weights": ({"train": {"class_weights": "balanced"}}, "nothing: the classes are even"),
    "Adam": ({"optimizer": {"name": "adam", "weight_decay": 0.0}}, "nothing"),
    "SGD, lr 0.01": ({"optimizer": {"name": "sgd", "lr": 1e-2, "weight_decay": 1e-4}}, "a little worse"),
    "SAM 0.05 (twice the time)": ({"optimizer": {"sam": 0.05}}, "a little better"),
    "lr 5e-4": ({"optimizer": {"lr": 5e-4}}, "better in 3 epochs"),
    "lr 1e-3": ({"optimizer": {"lr": 1e-3}}, "worse"),
    "lr auto": ({"optimizer": {"lr": "auto"}}, "near the best of the rates above"),
    "schedule step": ({"optimizer": {"schedule": "step"}}, "nothing"),
    "schedule plateau": (
        {"optimizer": {"schedule": "plateau"}},
        "a little worse: it never falls in 3 epochs",
    ),
    "schedule constant": ({"optimizer": {"schedule": "constant"}}, "a little worse"),
    "schedule one cycle": ({"optimizer": {"schedule": "one_cycle"}}, "nothing"),
    "clipping 1.0": ({"optimizer": {"clip_norm": 1.0}}, "nothing"),
    "EMA 0.98": ({"train": {"ema": 0.98}}, "a little better"),
    "mean of the last 2 epochs": ({"train": {"average_last": 2}}, "nothing after a cosine"),
    "accumulate 2": ({"train": {"accumulate": 2}}, "a little worse: half the steps"),
    "bfloat16": ({"train": {"precision": "bfloat16"}}, "nothing"),
}


def main() -> None:
    options = _options()
    names = [name for name in INGREDIENTS if re.search(options.only, name)]
    print("| ingredient | expected | accuracy | minus the base, paired | loss | training s |")
    print("|---|---|---|---|---|---|")
    base = _carry_out("base", {}, options)
    if base is None:
        raise SystemExit("The base failed.")
    _print("base", "", base, base, options)
    for name in names:
        changes, expected = INGREDIENTS[name]
        run = _carry_out(name, changes, options)
        if run is not None:
            _print(name, expected, run, base, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="a regular expression over the names")
    return parser.parse_args()


def _carry_out(name: str, changes: dict[str, Any], options: argparse.Namespace) -> Path | None:
    folder: Path = options.out / re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    if folder.is_dir() and read_record(folder).status == "finished":
        return folder
    values = dict(BASE)
    for key, value in changes.items():
        merge = isinstance(value, dict) and key in values
        values[key] = {**values[key], **value} if merge else value
    try:
        with quiet():
            if folder.is_dir():
                return train(resume=folder)
            return train(make_recipe(values), data=options.data, split=options.split, out=folder)
    except DessinError as error:
        print(f"| {name} | failed: {error} | | | | |", flush=True)
        return None


def _print(name: str, expected: str, run: Path, base: Path, options: argparse.Namespace) -> None:
    mine, theirs = read_predictions(run / "validation"), read_predictions(base / "validation")
    assert mine.image_ids == theirs.image_ids
    group_of = {row.image_id: row.group for row in read_split(options.split).rows}
    groups = [group_of[image_id] for image_id in mine.image_ids]
    hits, base_hits = ((p.order[:, 0] == p.targets).astype(float) for p in (mine, theirs))
    difference = bootstrap_mean(hits - base_hits, groups, bounds=(-1, 1))
    record = read_record(run)
    points = (
        ""
        if run == base
        else f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    )
    seconds = record.timings.get("training", 0.0)
    loss = record.results["validation"].loss.value
    print(f"| {name} | {expected} | {hits.mean():.1%} | {points} | {loss:.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()

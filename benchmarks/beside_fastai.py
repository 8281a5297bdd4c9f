"""dessin beside fastai's `fine_tune(5)`: the same images, the same weights, one after the other.

Both sides train on every image of the split but the holdout and are then asked for each holdout image once;
nothing is chosen on it. fastai has its default augmentation (`aug_transforms()`), its default batch size and
loop; dessin has the recipes that are named. A side's time is that of its whole process from its start to the
end of training: imports, decoding, training, and for dessin writing the run (its caches are empty).
Accuracies are compared image by image, with an interval from resampling whole groups. fastai lives in an
environment of its own, with `pip install fastai timm`. From the repository root:

    dessin split DATA --out split.csv --group '^(.*)-\\d+\\.png$' --folds 5 --holdout 0.2
    python benchmarks/beside_fastai.py --data DATA --split split.csv --python FASTAI_ENV/bin/python \\
        --out OUT RECIPE..
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

SIZE = 128
EPOCHS = 5
BACKBONE = "tf_efficientnet_lite0"


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "fastai-side":
        train_with_fastai(Path(sys.argv[2]))
        return
    options = _options()
    options.out.mkdir(parents=True)
    compare(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True, help="with a holdout, which is the test set")
    parser.add_argument("--python", type=Path, required=True, help="the interpreter that has fastai")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    return parser.parse_args()


def compare(options: argparse.Namespace) -> None:
    """Run fastai, then each recipe, and print the table."""
    from dessin.collection.split.files import read_split
    from dessin.statistics.intervals import bootstrap_mean

    split = read_split(options.split)
    held_out = split.held_out()
    groups = [row.group for row in held_out]
    correct, seconds = {}, {}
    seconds["fastai"], predicted = run_fastai(options, split)
    correct["fastai"] = [predicted[row.image_id] == row.label for row in held_out]
    for recipe in options.recipes:
        seconds[recipe.stem], predicted = run_dessin(options, recipe)
        correct[recipe.stem] = [predicted[row.image_id] == row.label for row in held_out]
    trained = len(split.training(None))
    print(f"\n{BACKBONE} at {SIZE} px, {trained:,} images to train on, holdout n = {len(held_out)}")
    for name, hits in correct.items():
        share = seconds[name] / seconds["fastai"]
        print(f"{name:<20} {bootstrap_mean(hits, groups)}   {seconds[name]:6.0f} s ({share:.3f} of fastai's)")
        if name != "fastai":
            differences = [float(a) - float(b) for a, b in zip(hits, correct["fastai"], strict=True)]
            difference = bootstrap_mean(differences, groups, bounds=(-1, 1))
            print(f"{'':<20} minus fastai, paired by image: {difference}")


def run_fastai(options: argparse.Namespace, split) -> tuple[float, dict[str, str]]:  # type: ignore[no-untyped-def]
    """Seconds of the whole process, and image id → predicted label."""
    from safetensors.torch import save_file

    from dessin.models.weights import load_state, resolve_weights

    weights = (options.out / "weights.safetensors").resolve()
    save_file({name: t.contiguous() for name, t in load_state(resolve_weights(BACKBONE)).items()}, weights)
    job = {
        "data": str(options.data.resolve()),
        "weights": str(weights),
        "train": [[row.image_id, row.label] for row in split.training(None)],
        "test": [row.image_id for row in split.held_out()],
        "out": str((options.out / "fastai.csv").resolve()),
    }
    file = options.out / "fastai-job.json"
    file.write_text(json.dumps(job))
    started = time.time()
    _timed([str(options.python), __file__, "fastai-side", str(file)])
    with Path(job["out"]).open() as lines:
        predicted = dict(csv.reader(lines))
    return float(predicted.pop("trained at")) - started, predicted


def run_dessin(options: argparse.Namespace, recipe: Path) -> tuple[float, dict[str, str]]:
    """Seconds of `dessin train` with empty caches, and image id → predicted label of the holdout."""
    run = options.out / recipe.stem
    shared = ["--data", str(options.data), "--split", str(options.split)]
    environment = {"DESSIN_CACHE": str(options.out / f"cache-{recipe.stem}")}
    dessin = [sys.executable, "-m", "dessin"]
    seconds = _timed(
        [*dessin, "train", str(recipe), *shared, "--set", "data.fold=none", "--out", str(run)], environment
    )
    evaluated = options.out / f"{recipe.stem}-holdout"
    _timed([*dessin, "evaluate", str(run), "--holdout", "--out", str(evaluated)], environment)
    with (run / "holdout" / "predictions.csv").open() as lines:
        return seconds, {row["image_id"]: row["predicted"] for row in csv.DictReader(lines)}


def _timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    print("$", " ".join(command), flush=True)
    started = time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, **(environment or {})})
    return time.monotonic() - started


def train_with_fastai(file: Path) -> None:
    """The side that runs under fastai's interpreter, which has no dessin."""
    _declare_missing_ops()
    import torch
    from fastai.vision import all as vision

    job = json.loads(file.read_text())
    label_of = dict(job["train"])
    torch.manual_seed(0)
    block = vision.DataBlock(
        blocks=(vision.ImageBlock, vision.CategoryBlock),
        get_items=lambda _: list(label_of),
        get_x=lambda image_id: Path(job["data"]) / image_id,
        get_y=label_of.get,
        # Everything is trained on; fastai wants a validation set, so it gets two batches of the same images.
        splitter=lambda items: (list(range(len(items))), list(range(min(128, len(items))))),
        item_tfms=vision.Resize(SIZE),
        batch_tfms=vision.aug_transforms(),
    )
    loaders = block.dataloaders(None)
    overlay = {"file": job["weights"]}
    learner = vision.vision_learner(
        loaders, BACKBONE, metrics=vision.accuracy, pretrained_cfg_overlay=overlay
    )
    with learner.no_bar():
        learner.fine_tune(EPOCHS)
    trained_at = time.time()
    test = loaders.test_dl([Path(job["data"]) / image_id for image_id in job["test"]])
    probabilities, _ = learner.get_preds(dl=test)
    names = [str(loaders.vocab[i]) for i in probabilities.argmax(1).tolist()]
    with Path(job["out"]).open("w", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerows(zip(job["test"], names, strict=True))
        rows.writerow(["trained at", trained_at])


def _declare_missing_ops() -> None:
    """A torchvision whose compiled ops do not fit the installed torch cannot be imported without this."""
    import importlib.util

    import torch
    from torch import library as torch_library

    folder = Path(importlib.util.find_spec("torchvision").submodule_search_locations[0])  # type: ignore[union-attr, index]
    try:
        torch.ops.load_library(str(next(folder.glob("_C*.so"))))
    except OSError:
        global library
        library = torch_library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if __name__ == "__main__":
    main()

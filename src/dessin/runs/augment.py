"""The verb `augment`: a contact sheet of what a recipe's augmentation does, and how much each op changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from torch import Tensor

from dessin.augmentation.contact_sheet import Cell, Column, Sheet, draw_sheet
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.preview import (
    OpEffect,
    check_pipeline,
    effect_lines,
    read_drawings,
    rendered,
    single_ops,
)
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.files import write_bytes
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.language import tr
from dessin.models.backbones import check_backbone, describe_backbone
from dessin.ops import as_texts
from dessin.page.blocks import Page, Picture
from dessin.page.notebook import Shown
from dessin.page.pictures import data_uri
from dessin.progress import say
from dessin.recipe import Recipe
from dessin.runs.inputs import read_inputs
from dessin.runs.plan import rows_of
from dessin.runs.run import as_recipe

_MEASURED = 64
_SHOWN = 6
_EPOCHS = 3


@dataclass(frozen=True, repr=False)
class Preview(Shown):
    """Where the sheet is, and what was measured."""

    TABLE = "effects"

    sheet: Path
    effects: tuple[OpEffect, ...]


def augment(
    recipe: Annotated[str | Path | Recipe, "a recipe's name or file"],
    *,
    out: str | Path,
    data: str | Path | None = None,
    split: str | Path | None = None,
    overrides: Annotated[Sequence[str], "--set", "key=value"] = (),
    epoch: Annotated[int, "from 1"] = 1,
) -> Preview:
    """Draw what a recipe's augmentation does to drawings, and measure how much each op changes.

    Six drawings are shown in three epochs, and 64 are measured.

    Args:
        recipe: Such as lite0-128 (`dessin recipes` lists them), or a YAML file.
        out: The picture (.png) to write.
        data: The collection; by default the recipe's.
        split: Show training drawings of this split only; by default the recipe's split, or else all drawings.
        overrides: Override a key of the recipe, such as image.size=96.
        epoch: The first of the three epochs shown.

    Raises:
        DessinError: no augmentation at all, an op that changes nothing in any of the drawings, or anything
            wrong with the recipe or the data.
    """
    path = Path(out)
    if path.suffix.lower() != ".png":
        raise DessinError(
            f"The contact sheet cannot be written to {path}.", do="Name a file that ends in .png."
        )
    if epoch < 1:
        raise DessinError(f"There is no epoch {epoch}.", allowed="Epochs are counted from 1.")
    name = "recipe" if isinstance(recipe, Recipe) else Path(recipe).stem
    wanted = as_recipe(recipe, as_texts(overrides))
    check_backbone(wanted.model.backbone)
    for line in wanted.pipeline.lines():
        say(line)
    store, labels = _sample(wanted, data or wanted.data.path, split or wanted.data.split)
    rows = np.arange(len(store.image_ids))
    effects = check_pipeline(wanted.pipeline, store, rows, wanted.seed)
    size = wanted.image.size
    say("\n" + tr("Changed by more than 2 levels, in {n} drawings at {size} px:", n=len(rows), size=size))
    for line in effect_lines(effects):
        say(f"  {line}")
    sheet = _sheet(name, wanted, store, labels, effects, epoch - 1)
    drawn = draw_sheet(sheet)
    write_bytes(path, drawn)
    say("\n" + tr("The contact sheet: {file}", file=path))
    made = Preview(path, effects)
    picture = Picture(data_uri(drawn, "image/png"), sheet.title, kind="sheet")
    return made.with_page(Page(sheet.title, "", (picture, *made.rows_as_table())))


def _sample(
    recipe: Recipe, data: str | Path | None, split: str | Path | None
) -> tuple[PixelStore, dict[str, str]]:
    """A store of a few drawings from every part of the classes, and the label of each."""
    if data is None:
        raise DessinError("No data was given.", do="Name it with --data, or in the recipe as data.path.")
    if split is None:
        collection = read_collection(Path(data))
        say(describe_collection(collection))
        manifest = build_manifest(collection)
        labels = {row.image_id: row.label for row in manifest.rows}
    else:
        inputs = read_inputs(data, split, recipe.data.curation)
        manifest = inputs.manifest
        labels = {row.image_id: row.label for row in rows_of(inputs.split, recipe)[0]}
    sha256 = {row.image_id: row.sha256 for row in manifest.rows}
    chosen = _spread(labels, _MEASURED)
    images = [StoredImage(image_id, sha256[image_id]) for image_id in chosen]
    interpolation = describe_backbone(recipe.model.backbone).interpolation
    store = open_store(images, manifest.root, recipe.image, interpolation)
    return store, {image_id: labels[image_id] for image_id in chosen}


def _spread(labels: dict[str, str], count: int) -> list[str]:
    """At most `count` image ids: the first of each class, or of classes all over the alphabet, then more."""
    members: dict[str, list[str]] = {}
    for image_id, label in sorted(labels.items()):
        members.setdefault(label, []).append(image_id)
    chosen: list[str] = []
    for place in range(max(map(len, members.values()))):
        deal = [ids[place] for _, ids in sorted(members.items()) if place < len(ids)]
        wanted = min(count - len(chosen), len(deal))
        chosen += [deal[i * len(deal) // wanted] for i in range(wanted)]
    return chosen


def _sheet(
    name: str,
    recipe: Recipe,
    store: PixelStore,
    labels: dict[str, str],
    effects: tuple[OpEffect, ...],
    epoch: int,
) -> Sheet:
    """Columns: the drawings, each op alone, the three epochs, and each copy in the first of them."""
    shown = _spread(labels, _SHOWN)
    drawings = read_drawings(store, store.rows(shown))
    columns = [Column("original", f"{recipe.image.size} px, as it is evaluated")]
    cells = [_cells(drawings.pixels, [labels[image_id] for image_id in shown])]

    def add(title: str, note: str, pipeline: Pipeline, number: int, copy: int) -> None:
        pictures, plan = rendered(pipeline, drawings, recipe.seed, number, copy)
        columns.append(Column(title, note))
        cells.append(_cells(pictures, list(map(plan.describe, range(len(pictures))))))

    for effect, (op, part, alone) in zip(effects, single_ops(recipe.pipeline), strict=False):
        add(op, f"{part}: {_share(effect)}", alone, epoch, alone.factor - 1)
    for number in range(epoch, epoch + _EPOCHS):
        add(f"all together, epoch {number + 1}", _share(effects[-1]), recipe.pipeline, number, 0)
    for copy in range(1, recipe.pipeline.factor):
        add(f"copy {copy}, epoch {epoch + 1}", "a sample of its own", recipe.pipeline, epoch, copy)
    measured = (
        f"{effects[0].images} drawings measured; a pixel counts as changed from more than 2 levels on; "
        f"seed {recipe.seed}"
    )
    lines = (*recipe.pipeline.lines(), measured)
    return Sheet(f"{name}: what training sees", lines, columns, list(zip(*cells, strict=True)))


def _share(effect: OpEffect) -> str:
    return f"{effect.pixels_changed:.1%} of pixels, {effect.images_changed}/{effect.images} images"


def _cells(pictures: Tensor, captions: Sequence[str]) -> list[Cell]:
    levels = pictures.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return [
        Cell(image.squeeze(-1) if image.shape[-1] == 1 else image, caption)
        for image, caption in zip(levels, captions, strict=True)
    ]

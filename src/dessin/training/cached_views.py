"""Frozen stages computed once: the activations of a few augmented views of each image, which training reads.

Where the first stages are frozen, most of a step's time goes into computing the same function of other views
of the same images. So each image has k views, drawn as in the first k epochs, whose activations are kept
in half precision; from then on an epoch costs the later stages alone, and draws for each image one of its
views (Cache and Reuse, CVPR workshops 2024: augment first, then cache). A view is computed whole, in batches
that nothing but the order of the images decides, so that a resumed training finds the same numbers.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.augmentation.apply import apply_plan
from dessin.augmentation.pipeline import Pipeline
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import cache_folder
from dessin.language import phrase
from dessin.models.classifier import Classifier
from dessin.models.prefix import Halves, check_cut, cut_before
from dessin.progress import track
from dessin.randomness import Words, uniform
from dessin.recipe import Recipe
from dessin.training.data import PixelSource, Rows, TrainingData
from dessin.training.folding import fold

_MOST_BYTES = 8 * 2**30
_BATCH = 32
_HALF = 2


def halves_of(classifier: Classifier, recipe: Recipe) -> Halves | None:
    """The frozen and the trained half of a body; None where the recipe caches no views."""
    finetune = recipe.finetune
    return cut_before(classifier, min(finetune.stages or (4,))) if finetune.cached_views else None


def decide_views(halves: Halves, recipe: Recipe, samples: int) -> Decision[int]:
    """How many views of each of so many samples are kept: as many as asked for, if they take 8 GiB at most.

    Raises:
        DessinError: the body cannot be cut, or not even two views find room.
    """
    asked = recipe.finetune.cached_views
    size, channels = recipe.image.size, recipe.image.channels
    device = halves.classifier.mean.device
    # A picture with something in it: on a blank one everything agrees.
    pixels = torch.arange(2 * channels * size * size, device=device) * 97 % 256
    shape = check_cut(halves, pixels.reshape(2, channels, size, size).float())
    view = samples * int(np.prod(shape)) * _HALF
    chosen = min(asked, _MOST_BYTES // view)
    each = f"a view of {samples:,} samples takes {view / 2**20:,.0f} MiB on the disk"
    if chosen < 2:
        raise DessinError(
            f"The views that finetune.cached_views asks for find no room: {each}.",
            allowed=f"They may take {_MOST_BYTES / 2**30:.0f} GiB.",
            do="Cache the activations of a later stage, use a smaller image.size, or leave it out.",
        )
    reason = f"as asked: {each}, in a file without a name that goes with the process"
    if chosen < asked:
        reason = f"{asked} were asked for, and {each}, of {_MOST_BYTES / 2**30:.0f} GiB that they may take"
    return Decision("cached views", chosen, reason)


class CachedViews:
    """Activations (samples, ..) float16 of each of `count` views, computed when an epoch first needs them."""

    def __init__(
        self, halves: Halves, data: TrainingData, source: PixelSource, pipeline: Pipeline, recipe: Recipe
    ) -> None:
        self._data, self._source, self._pipeline, self._seed = data, source, pipeline, recipe.seed
        self._keys = pipeline.sample_keys(data.keys)
        self.count = decide_views(halves, recipe, len(self._keys)).value
        self._halves = _evaluating(halves, source.gather(data.train_rows[:2])[0])
        self._views: list[NDArray[np.float16]] = []

    def fill(self, epoch: int) -> None:
        """Compute what an epoch (counted from 0) needs and is not there yet.

        Raises:
            DessinError: no room on the disk, or activations beyond half precision.
        """
        while len(self._views) < min(epoch + 1, self.count):
            self._views.append(self._computed(len(self._views)))

    def drawn(self, epoch: int, keys: Words) -> Rows:
        """The number of each sample's view in an epoch, (n,): the first epochs have one each."""
        if epoch < self.count:
            return np.full(len(keys), epoch, dtype=np.int64)
        draws = uniform(self._seed, "view", epoch, keys, 1)[:, 0]
        return (draws * self.count).astype(np.int64)

    def gather(self, samples: Rows, views: Rows) -> Tensor:
        """Activations (n, ..) float32 of samples (n,) in their views (n,), on the device."""
        rows = np.stack([self._views[view][sample] for sample, view in zip(samples, views, strict=True)])
        activations = torch.from_numpy(rows).to(self._source.device).float()
        if activations.ndim != 4:
            return activations
        return activations.contiguous(memory_format=torch.channels_last)

    def _computed(self, view: int) -> NDArray[np.float16]:
        count, kept = len(self._keys), None
        batches = (np.arange(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))
        label = phrase("Preparing view {n} of {all}", n=view + 1, all=self.count)
        for chosen in track(batches, count, label, size=len):
            number, image = np.divmod(chosen, len(self._data.keys))
            pixels, background = self._source.gather(self._data.train_rows[image])
            plan = self._pipeline.plan(self._seed, view, self._keys[chosen], number, self._source.size)
            with torch.no_grad():
                activations = self._halves.first(apply_plan(plan, pixels, background)).half().cpu()
            if not bool(activations.isfinite().all()):
                raise DessinError(
                    "Activations of the frozen stages do not fit into half precision.",
                    do="Leave out finetune.cached_views.",
                )
            if kept is None:
                kept = _nameless((count, *activations.shape[1:]))
            kept[chosen] = activations.numpy()
        assert kept is not None, "a training has images"
        return kept


def _evaluating(halves: Halves, pixels: Tensor) -> Halves:
    """With a first half of its own that nothing trains, folded where that is exact on `pixels`."""
    plain, fast = (copy.deepcopy(halves.first_body).eval() for _ in range(2))
    fold(fast)
    kept, folded = (replace(halves, first_body=body) for body in (plain, fast))
    with torch.no_grad():
        expected, found = kept.first(pixels), folded.first(pixels)
    return folded if (found - expected).abs().max() <= 1e-4 * expected.abs().max() else kept


def _nameless(shape: tuple[int, ...]) -> NDArray[np.float16]:
    """An array in a file that is gone when the process ends, however it does."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = int(np.prod(shape)) * _HALF, shutil.disk_usage(folder).free
    if needed > free:
        raise DessinError(
            f"A cached view takes {needed / 2**20:,.0f} MiB; in {folder} {free / 2**20:,.0f} are free.",
            do="Make room, set DESSIN_CACHE to a folder on another disk, or leave out finetune.cached_views.",
        )
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype=np.float16, mode="w+", shape=shape)

"""Images a second of a usual augmentation, from uint8 pixels in memory to a float batch of 32.

    python benchmarks/augment.py [--data DATA] [--size 224] [--rounds 7] [--cores 2]

The recipe is hflip, rotate(15), scale(0.8, 1.2), thickness(0.8, 1.25), jitter(0.2, 0.2, 0.2, 0.05). It is
like for like: every contender draws its own parameters for every image, resamples bilinearly, and fills
with the paper's colour (white for the others, which take one colour for all images). Each has as many
cores: dessin and kornia as threads on whole batches; torchvision as worker processes of a DataLoader, its
usual place, and as threads, on Pillow images and on tensors. Thickness is the nearest that the others have:
a 3 x 3 minimum or maximum, as likely, blended in by up to a share that moves the ink about as much
(Pillow's MinFilter and MaxFilter, max_pool2d, kornia.morphology). dessin's time includes its planning.
kornia is timed if it can be imported. The contenders take turns within each round, so that a change of the
machine's mood meets all; medians. On a machine that is busy otherwise, give --cores 1: threads that wait
for each other at every operation measure the other jobs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dessin.augmentation.apply import apply_plan
from dessin.augmentation.pipeline import Pipeline
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.doodles.drawing import draw_doodle
from dessin.doodles.subjects import SUBJECTS
from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.ink import border_median
from dessin.images.spec import ImageSpec
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.torchvision_ops import ensure_torchvision
from dessin.randomness import image_keys
from dessin.system import keep_freed_memory

OPS = ("hflip", "rotate(15)", "scale(0.8, 1.2)", "thickness(0.8, 1.25)", "jitter(0.2, 0.2, 0.2, 0.05)")
BATCH = 32
BLEND = 0.4  # at most; a pen of 3 px then changes by up to a quarter

Pass = Callable[[], None]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.cores)
    keep_freed_memory()
    pixels, paper, source = _drawings(options.data, options.images, options.size)
    with ThreadPoolExecutor(options.cores) as pool:
        passes = _contenders(pixels, paper, pool, options.cores)
        speeds: dict[str, list[float]] = {name: [] for name in passes}
        for number in range(options.rounds + 1):
            for name, run in passes.items():
                started = time.perf_counter()
                run()
                if number:  # the first round warms up
                    speeds[name].append(len(pixels) / (time.perf_counter() - started))
    print(f"{len(pixels)} {source} at {options.size} px, batches of {BATCH}, cores: {options.cores}")
    print(f"torch {torch.__version__}; {', then '.join(OPS)}")
    own = statistics.median(speeds["dessin"])
    for name, seen in speeds.items():
        middle = statistics.median(seen)
        ahead = "" if name == "dessin" else f"   dessin is {own / middle:5.1f} times as fast"
        print(f"{name:<34} {middle:8.0f} images/s  ({min(seen):.0f} to {max(seen):.0f}){ahead}")
    fastest = max(statistics.median(seen) for name, seen in speeds.items() if name != "dessin")
    verdict = "AHEAD of all" if own > fastest else "BEHIND"
    print(
        f"{own / fastest:.2f} times the fastest of the others, medians of {options.rounds} rounds: {verdict}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="real drawings; otherwise doodles are generated")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--cores", type=int, default=2, help="threads, or worker processes, of each contender"
    )
    return parser.parse_args()


def _drawings(data: Path | None, count: int, size: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Pixels (n, 3, size, size) and background (n, 3), uint8."""
    spec = ImageSpec(size=size)
    if data is None:
        names = sorted(SUBJECTS)
        doodles = [draw_doodle(names[n % len(names)], n, seed=0) for n in range(count)]
        fitted = [prepare(decode(doodle.data).pixels, spec, "bicubic") for doodle in doodles]
        paper = [border_median(image.transpose(1, 2, 0)) for image in fitted]
        return np.stack(fitted), np.stack(paper), "generated doodles"
    manifest = build_manifest(read_collection(data))
    rows = manifest.rows[:: max(1, len(manifest.rows) // count)][:count]
    images = [StoredImage(row.image_id, row.sha256) for row in rows]
    store = open_store(images, manifest.root, spec, "bicubic")
    return np.array(store.pixels), np.array(store.background), f"drawings of {data.name}"


def _contenders(
    pixels: np.ndarray, paper: np.ndarray, pool: ThreadPoolExecutor, cores: int
) -> dict[str, Pass]:
    passes = {"dessin": _dessin(pixels, paper)}
    for name, image_transform in (("Pillow", _on_pillow()), ("tensors", _on_tensors())):
        passes[f"torchvision v2, {name}, workers"] = _in_workers(pixels, image_transform, cores)
        passes[f"torchvision v2, {name}, threads"] = _in_threads(pixels, image_transform, pool, cores)
    try:
        passes["kornia, whole batches"] = _kornia(pixels)
    except ImportError as error:
        print(f"kornia is not timed: {error}", file=sys.stderr)
    return passes


def _batches(pixels: np.ndarray) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(pixels), BATCH))


def _dessin(pixels: np.ndarray, paper: np.ndarray) -> Pass:
    pipeline, epoch = Pipeline(OPS), iter(range(sys.maxsize))
    keys = image_keys([str(n) for n in range(len(pixels))])
    originals = np.zeros(len(pixels), dtype=np.int64)

    def run() -> None:
        number = next(epoch)
        for part in _batches(pixels):
            plan = pipeline.plan(0, number, keys[part], originals[part], pixels.shape[-1])
            batch = apply_plan(plan, torch.from_numpy(pixels[part]), torch.from_numpy(paper[part]))
            _check(batch)

    return run


def _on_pillow() -> Callable[[np.ndarray], Tensor]:
    ensure_torchvision()
    from torchvision.transforms import v2

    def thickness(image: Image.Image) -> Image.Image:
        filtered = image.filter((ImageFilter.MinFilter if torch.rand(()) < 0.5 else ImageFilter.MaxFilter)(3))
        return Image.blend(image, filtered, BLEND * float(torch.rand(())))

    steps = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(15, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR, fill=255),
            v2.Lambda(thickness),
            v2.ColorJitter(0.2, 0.2, 0.2, 0.05),
            v2.PILToTensor(),
        ]
    )
    return lambda image: steps(Image.fromarray(image.transpose(1, 2, 0))).float()


def _on_tensors() -> Callable[[np.ndarray], Tensor]:
    ensure_torchvision()
    from torchvision.transforms import v2

    def thickness(image: Tensor) -> Tensor:
        sign = -1.0 if torch.rand(()) < 0.5 else 1.0
        pooled = sign * functional.max_pool2d(sign * image.float(), 3, 1, 1)
        return torch.lerp(image.float(), pooled, BLEND * torch.rand(())).to(torch.uint8)

    steps = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(15, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR, fill=255),
            v2.Lambda(thickness),
            v2.ColorJitter(0.2, 0.2, 0.2, 0.05),
        ]
    )
    return lambda image: steps(torch.from_numpy(image)).float()


class _Images(Dataset[Tensor]):
    def __init__(self, pixels: np.ndarray, transform: Callable[[np.ndarray], Tensor]) -> None:
        self.pixels, self.transform = pixels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.pixels[index])


def _in_workers(pixels: np.ndarray, transform: Callable[[np.ndarray], Tensor], cores: int) -> Pass:
    images = _Images(pixels, transform)
    loader = DataLoader(
        images, batch_size=BATCH, num_workers=cores, persistent_workers=True, multiprocessing_context="fork"
    )

    def run() -> None:
        for batch in loader:
            _check(batch)

    return run


def _in_threads(
    pixels: np.ndarray, transform: Callable[[np.ndarray], Tensor], pool: ThreadPoolExecutor, cores: int
) -> Pass:
    def run() -> None:
        torch.set_num_threads(1)  # as many images at a time as cores, each on one of them
        for part in _batches(pixels):
            _check(torch.stack(list(pool.map(transform, pixels[part]))))
        torch.set_num_threads(cores)

    return run


def _kornia(pixels: np.ndarray) -> Pass:
    ensure_torchvision()
    from kornia import augmentation, morphology

    moves = augmentation.AugmentationSequential(
        augmentation.RandomHorizontalFlip(),
        augmentation.RandomAffine(
            15.0, scale=(0.8, 1.2), p=1.0, padding_mode="fill", fill_value=torch.ones(3)
        ),
    )
    colours: Any = augmentation.ColorJitter(0.2, 0.2, 0.2, 0.05, p=1.0)
    kernel = torch.ones(3, 3)

    def thickness(batch: Tensor) -> Tensor:
        thin = torch.rand(len(batch)) < 0.5
        pooled = torch.empty_like(batch)
        pooled[thin] = morphology.dilation(batch[thin], kernel)
        pooled[~thin] = morphology.erosion(batch[~thin], kernel)
        return torch.lerp(batch, pooled, BLEND * torch.rand(len(batch), 1, 1, 1))

    def run() -> None:
        for part in _batches(pixels):
            batch = torch.from_numpy(pixels[part]).float().div_(255)
            _check(colours(thickness(moves(batch))).mul_(255))

    return run


def _check(batch: Tensor) -> None:
    if batch.dtype != torch.float32 or batch.ndim != 4 or not 1 < float(batch[0].mean()) < 256:
        raise RuntimeError(f"a contender returned {batch.dtype} {tuple(batch.shape)}, mean {batch[0].mean()}")


if __name__ == "__main__":
    main()

"""What the author of a plugin calls in a test: does my op, loss, check, reader, corruption or tracker hold?

The plugin must be installed (`pip install -e .`), for each is looked up by its name. All raise AssertionError
with what does not hold.
"""

from __future__ import annotations

from collections.abc import Collection as Some
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dessin.augmentation.apply import apply_plan, mix
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.preview import SEEN
from dessin.collection.checks.base import Context, Issue
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import CHECKS
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.readers.detect import read_collection, reader_of
from dessin.collection.readers.walk import nfc
from dessin.collection.scan import scan_images
from dessin.doodles.drawing import draw_doodle
from dessin.doodles.subjects import SUBJECTS
from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec
from dessin.models.losses import make_loss
from dessin.randomness import image_keys
from dessin.reading import read_json
from dessin.runs.tracking.messages import Begin, End, Message, Point
from dessin.runs.tracking.sinks import FOLDER, TrackerError, TrackerProcess
from dessin.trackers import read_tracker
from dessin.trust.robustness.asking import SetImages
from dessin.trust.robustness.corruption import STRENGTHS, Sketch, fields_of
from dessin.trust.robustness.suite import corruptions

_SIDE = 96
_SEEDS = (0, 1, 2)


def check_op(text: str) -> None:
    """An augmentation op as a recipe names it, such as `smudge(6)`, on 16 doodles in gray and in colour.

    It changes some drawing by more than 2 levels in every seed; what comes out has the shape that went in, is
    float32 and within 0..255; an image comes out the same in any batch and each time, and the batch that went
    in is as it was; and it says what it did.
    """
    pipeline = Pipeline((text,))
    for colour in ("gray", "rgb"):
        pixels, background = _doodles(colour)
        before = pixels.clone()
        for seed in _SEEDS:
            whole, said = _augmented(pipeline, pixels, background, seed, slice(None))
            _require(torch.equal(pixels, before), text, "it changed the batch that it was given")
            _require(whole.shape == pixels.shape, text, f"{tuple(pixels.shape)} became {tuple(whole.shape)}")
            _require(whole.dtype == torch.float32, text, f"it made {whole.dtype}, and float32 is needed")
            _require(bool(torch.isfinite(whole).all()), text, "it made values that are not finite")
            # A blend of pictures may round beyond white.
            inside = bool(((whole >= -0.01) & (whole <= 255.01)).all())
            _require(inside, text, "it made values outside 0..255")
            changed = ((whole - pixels).abs() > SEEN).flatten(1).any(1)
            _require(bool(changed.any()), text, f"it changed none of {len(pixels)} {colour} doodles")
            again, _ = _augmented(pipeline, pixels, background, seed, slice(None))
            _require(torch.equal(whole, again), text, "the same seed gave other pixels")
            # Mixing takes the next image of the batch, so only a whole batch can come again.
            if pipeline.mixes:
                continue
            for row in range(0, len(pixels), 5):
                alone, _ = _augmented(pipeline, pixels, background, seed, slice(row, row + 1))
                _require(torch.equal(alone[0], whole[row]), text, f"alone, doodle {row} came out otherwise")
            wordless = [row for row in torch.nonzero(changed)[:, 0].tolist() if said[row] == "unchanged"]
            _require(not wordless, text, f"it changed doodle {wordless[:1]} and says that it did not")


def check_loss(text: str) -> None:
    """A loss as a recipe names it, such as `focal(2)`: one finite value an image, with a finite gradient.

    On certain and on soft targets, for logits from 0 to ±60 and for bfloat16 ones; in float32; an image's
    value does not depend on the order of its batch; and a right answer costs less than a wrong one.
    """
    loss = make_loss(text)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 8, generator=generator)
    certain = functional.one_hot(torch.arange(12) % 4, 4).float()
    soft = torch.lerp(certain, certain.roll(1, 0), 0.3)
    for scale in (0.0, 1.0, 60.0):
        for targets in (certain, soft):
            logits = (scale * torch.randn(12, 4, generator=generator)).requires_grad_()
            values = loss(logits, targets, features)
            _require(values.shape == (12,), text, f"12 images gave {tuple(values.shape)} values")
            _require(values.dtype == torch.float32, text, f"it gave {values.dtype}, and float32 is needed")
            (gradient,) = torch.autograd.grad(values.mean(), logits)
            finite = bool(torch.isfinite(values).all() and torch.isfinite(gradient).all())
            _require(finite, text, f"for logits of about ±{scale:g} a value or a gradient is not finite")
            order = torch.randperm(12, generator=generator)
            moved = loss(logits.detach()[order], targets[order], features[order])
            same = torch.allclose(moved, values.detach()[order], atol=1e-5, rtol=1e-5)
            _require(same, text, "an image's value depends on the order of its batch")
    right, wrong = (loss(6 * answers, certain, features).mean() for answers in (certain, certain.roll(1, 0)))
    _require(bool(right < wrong), text, "a right answer costs no less than a wrong one")
    narrow = loss(torch.randn(12, 4, generator=generator).bfloat16(), certain, features)
    _require(narrow.dtype == torch.float32, text, "for bfloat16 logits it did not compute in float32")


def check_audit_check(name: str, data: str | Path, images: Some[str]) -> tuple[Issue, ...]:
    """An audit check on a collection: it finds just these `images` (their ids), each time, whole issues."""
    collection = read_collection(data)
    manifest = build_manifest(collection)
    scan = scan_images(manifest)
    context = Context(manifest, scan, find_duplicates(manifest, scan))
    check = CHECKS[name]
    issues = check.run(context)
    known = {row.image_id for row in manifest.rows}
    for issue in issues:
        _require(issue.issue == name, name, f"it reports issues named {issue.issue}")
        _require(0.0 <= issue.score <= 1.0, name, f"the score {issue.score} of {issue.image_id} is no share")
        _require(
            {issue.image_id, issue.other_id} <= {*known, ""}, name, f"it names no image of {data}: {issue}"
        )
        _require(bool(issue.other_id) or not check.pairs, name, f"it has pairs, and {issue} names one image")
    _require(issues == check.run(context), name, "a second time it found something else")
    found = {issue.image_id for issue in issues}
    _require(found == set(images), name, f"it found {sorted(found)}, and {sorted(images)} was expected")
    for words in (check.title, check.short, check.summary):
        _require(bool(words.strip()), name, "its title, short or summary is empty")
    return tuple(issues)


def check_reader(name: str, data: str | Path) -> Collection:
    """A reader on a file or folder of its layout: it is the one that is chosen, its collection whole."""
    path = Path(data).absolute()
    chosen = reader_of(path).name
    _require(chosen == name, name, f"{path} is taken for {chosen}")
    collection = read_collection(path)
    ids = [item.image_id for item in collection.items]
    _require(collection.layout == name, name, f"its collections say that they are {collection.layout}")
    _require(bool(ids) and ids == sorted(set(ids)), name, "its items are not sorted by image_id, each once")
    labels = {item.label for item in collection.items}
    _require(collection.classes == tuple(sorted(labels)), name, "its classes are not the sorted labels")
    _require(set(collection.names) >= labels, name, "a label has no name for people")
    for image_id in (*ids, *collection.test_ids):
        portable = image_id == nfc(image_id) and "\\" not in image_id and ".." not in image_id.split("/")
        _require(portable and not image_id.startswith("/"), name, f"{image_id!r} is no portable path")
        _require(collection.path(image_id).is_file(), name, f"there is no file {collection.path(image_id)}")
    return collection


def check_corruption(name: str) -> None:
    """A corruption on 16 doodles in gray and in colour: five pages of the right kind, each time the same.

    From the weakest level to the strongest, the page is on average farther from the drawing.
    """
    (found,) = (one for one in corruptions() if one.name == name)
    rows = np.arange(len(SUBJECTS), dtype=np.int64)
    for colour in ("gray", "rgb"):
        pixels, background = (tensor.numpy() for tensor in _doodles(colour))
        images = SetImages(pixels, background, rows, tuple(SUBJECTS), np.roll(rows, 1))
        chunk = images.chunk(rows)
        for (page, paper, _), second in zip(chunk.pages, chunk.seconds, strict=True):
            sketch = Sketch(page, paper, (0.4, 0.6, 0.3, 0.7), fields_of(_SIDE, 0), second)
            pages = [np.asarray(made) for made in found.act(sketch, found.levels)]
            _require(len(pages) == STRENGTHS, name, f"it gave {len(pages)} pages for {STRENGTHS} levels")
            right = all(made.shape == page.shape and made.dtype == np.uint8 for made in pages)
            _require(right, name, f"a page is not {page.shape} uint8 as the drawing is")
        levels = chunk.corrupted(found)
        _require(np.array_equal(levels, chunk.corrupted(found)), name, "a second time it did something else")
        apart = np.abs(levels.astype(np.float64) - pixels).mean(axis=(1, 2, 3, 4))
        _require(bool(apart[-1] > 0), name, f"its strongest level changes no {colour} doodle")
        _require(bool((np.diff(apart) >= 0).all()), name, f"a stronger level changes less: {apart.round(2)}")


def check_tracker(text: str, run: str | Path) -> tuple[Message, ...]:
    """A tracker as a recipe names it, such as `diary("notes")`, in a process of its own as beside a training.

    `run` is a new folder that stands for the run's. A run begins there, has two epochs and is interrupted; it
    goes on with the second told again, has a third, and ends. All must be answered in time and without a
    failure, and the tracker must have a name for the run, by which it finds it again.

    Returns:
        What the tracker was told, each epoch once: that, and no more, should be found where it keeps it.
    """
    tracker, folder = read_tracker(text), Path(run) / FOLDER
    _require(not folder.exists(), text, f"{run} is no new folder")
    begin = Begin(name=Path(run).name, parameters={"train.epochs": 3, "augment": "[]"}, tags={"seed": "0"})
    points = [Point(key=str(k), step=k, values={"train_loss": 1 / k, "lr": 1e-3}) for k in (1, 2, 3)]
    end = End(status="finished", values={"results/validation/accuracy": 0.9}, tags={"status": "finished"})
    log = f"what it printed is in {folder / tracker.name}.log"
    beginnings: tuple[tuple[Message, ...], ...] = ((begin, *points[:2]), (begin, *points[1:], end))
    for messages in beginnings:
        process = TrackerProcess(tracker, folder)
        try:
            for message in messages:
                process.send(message)
            process.settle()
        except TrackerError as error:
            raise AssertionError(f"{text}: {error}; {log}") from None
        finally:
            status = process.end()
        _require(status == 0, text, f"it could not be ended; {log}")
        _require(bool(process.note), text, "it does not note where the run is found")
        identity = read_json(folder / f"{tracker.name}.json")["identity"]
        _require(
            bool(identity), text, "it has no name for the run, so one that is resumed would be new to it"
        )
    return begin, *points, end


def _require(holds: bool, what: str, otherwise: str) -> None:
    if not holds:
        raise AssertionError(f"{what}: {otherwise}")


def _doodles(colour: str) -> tuple[Tensor, Tensor]:
    """One doodle a subject, pixels (16, C, S, S) uint8 and background (16, C) uint8."""
    spec = ImageSpec.model_validate({"size": _SIDE, "colour": colour})
    pages = [
        prepare(decode(draw_doodle(subject, 0, seed=0).data).pixels, spec, "bicubic") for subject in SUBJECTS
    ]
    pixels = torch.from_numpy(np.stack(pages))
    corners = pixels[:, :, :: _SIDE - 1, :: _SIDE - 1].flatten(2)
    return pixels, corners.float().mean(2).byte()


def _augmented(
    pipeline: Pipeline, pixels: Tensor, background: Tensor, seed: int, rows: slice
) -> tuple[Tensor, list[str]]:
    keys = image_keys([f"doodle {number}" for number in range(len(pixels))])[rows]
    plan = pipeline.plan(seed, 0, keys, np.zeros(len(keys), dtype=np.int64), _SIDE)
    drawn = apply_plan(plan, pixels[rows], background[rows])
    mixed = mix(plan.mixing, drawn, torch.eye(len(keys)))[0]
    return mixed, [plan.describe(image) for image in range(len(keys))]

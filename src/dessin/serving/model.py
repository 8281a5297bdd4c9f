"""A model in Python and in notebooks: `dessin.load`, and answers that show themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dessin.collection.readers.table import SUFFIXES
from dessin.errors import DessinError, quoted
from dessin.images.decode import MAX_PIXELS, Unreadable, decode
from dessin.images.ground import Pixels, on_a_ground
from dessin.language import tr
from dessin.page.blocks import Fact, Facts, Page
from dessin.page.notebook import Shown, ShownTuple, Tables
from dessin.page.numbers import number, percent
from dessin.serving import runtime
from dessin.serving.named import Candidate, Named
from dessin.serving.predict import find_images
from dessin.serving.runtime import ImageFile, Refused, Runtime, read_answers
from dessin.serving.view import answer_page, answers_page

if TYPE_CHECKING:
    from dessin.serving.maps import ImageMap, MapMaker

ImageLike: TypeAlias = "str | PathLike[str] | bytes | NDArray[Any] | Image.Image"
_NAMED = 24
_ALLOWED = "An image is a path, the bytes of a file, a Pillow image, or an array (H, W) or (H, W, 3 or 4)."


def load(model: str | Path, *, views: Sequence[str] = ()) -> Model:
    """A model that answers in Python: of an auto, a run, a bundle, a committee or an export.

    Args:
        model: Its folder.
        views: Looks at an image, of which the mean counts; by default the model's own.

    Raises:
        DessinError: none of these, an unfinished run, an unknown view, or damaged files.
    """
    return Model(str(model), Runtime.load(model, views=views))


@dataclass(frozen=True, repr=False)
class Model(Shown):
    """What answers: `predict` names the class of images, and `explain` of an answer shows where it looked."""

    path: str
    runtime: Runtime = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.runtime.committee.classes

    @property
    def names(self) -> dict[str, str]:
        """The classes' names for people, by label."""
        return {label: self.runtime.committee.names.get(label, label) for label in self.classes}

    @overload
    def predict(self, images: bytes | Image.Image, *, top: int = 5) -> Answer: ...
    @overload
    def predict(self, images: list[Any] | tuple[Any, ...], *, top: int = 5) -> Answers: ...
    @overload
    def predict(self, images: ImageLike | Iterable[ImageLike], *, top: int = 5) -> Any: ...
    def predict(self, images: ImageLike | Iterable[ImageLike], *, top: int = 5) -> Answer | Answers:
        """The class of an image, or of each of several.

        Args:
            images: One image: a path, the bytes of a file, a Pillow image, or an array (H, W), (H, W, 3) or
                (H, W, 4) of uint8, or of floats from 0 to 1. Several: a list of such, an array (N, H, W, ..),
                a folder, or a table of paths.
            top: How many classes to name.

        Returns:
            An answer, or one for each image in the order given; an image of several that cannot be read has
            an answer without a class, whose `reason` says why.

        Raises:
            DessinError: no image, one that cannot be read, or something else than an image.
        """
        if isinstance(images, Image.Image | bytes) or (isinstance(images, np.ndarray) and images.ndim < 4):
            return self._alone(_given(images, "image"), top)
        if isinstance(images, str | PathLike):
            path = Path(fspath(images))
            if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
                return self._alone(ImageFile(path.as_posix(), path), top)
            return self._several(find_images([path]), top)
        if not isinstance(images, Iterable):
            raise DessinError(f"{quoted(images)} is no image.", allowed=_ALLOWED)
        return self._several([_given(image, f"image {place}") for place, image in enumerate(images)], top)

    def as_page(self) -> Page:
        """What it is, in a few facts."""
        committee, bundles = self.runtime.committee, self.runtime.loaded.bundles.values()
        sizes = dict.fromkeys(f"{bundle.card.image.size} px" for bundle in bundles)
        facts = (
            Fact(tr("Classes"), number(len(self.classes))),
            Fact(tr("Networks"), number(len(bundles))),
            Fact(tr("Images"), ", ".join(sizes)),
            Fact(tr("Unsure below"), percent(committee.threshold, 1) if committee.threshold else tr("never")),
            Fact(tr("Licence"), committee.licence),
        )
        shown = ", ".join(list(self.names.values())[:_NAMED])
        lead = f"{shown} …" if len(self.classes) > _NAMED else shown
        return Page(f"{committee.name} ({self.path})", lead, (Facts(facts),))

    @cached_property
    def _maps(self) -> MapMaker:
        from dessin.serving.maps import MapMaker

        return MapMaker(self.runtime)

    def _alone(self, file: ImageFile, top: int) -> Answer:
        (answer,) = self._several([file], top)
        if not answer.top:
            raise Unreadable(answer.reason, name=answer.image_id)
        return answer

    def _several(self, files: Sequence[ImageFile], top: int) -> Answers:
        if not files:
            raise DessinError("No image was given.", allowed=_ALLOWED)
        if top < 1:
            raise DessinError(f"{top} classes were asked for.", allowed="At least 1.")
        # By place: two images may have one name.
        numbered = [_Numbered(str(place), file.path, file) for place, file in enumerate(files)]
        found = self.runtime.predict_files(numbered)
        answered = runtime.Answered(found.probabilities, found.scores)
        answers: dict[str, runtime.Answer | Refused] = {each.image_id: each for each in found.unreadable}
        answers |= dict(
            zip(found.image_ids, read_answers(self.runtime.committee, answered, top), strict=True)
        )
        return Answers(Answer.of(file, answers[str(place)], self) for place, file in enumerate(files))


@dataclass(frozen=True, eq=False, repr=False)
class Answer(Shown, Named):
    """What a model says of one image.

    `top` are the likeliest classes, the likeliest first. `unsure` is true below the model's threshold, and
    for what it takes for a drawing of no class; `reason` says why. What cannot be read has no class at all.
    """

    TABLE = "top"

    image_id: str
    top: tuple[Candidate, ...]
    unsure: bool
    reason: str
    _file: ImageFile = field(repr=False)
    _model: Model = field(repr=False)

    @classmethod
    def of(cls, file: ImageFile, found: runtime.Answer | Refused, model: Model) -> Answer:
        if isinstance(found, Refused):
            return cls(file.image_id, (), True, found.reason, file, model)
        return cls(file.image_id, found.candidates, bool(found.abstention), found.reason, file, model)

    def explain(self, label: str | None = None) -> ImageMap:
        """Where the model looked: a map of what speaks for a class, by default the likeliest.

        Raises:
            DessinError: a class that the model has not, an image that cannot be read, or models of which each
                sees a picture of its own.
        """
        return self._model._maps.make(self._file.pixels(), label)

    def as_page(self) -> Page:
        """The image beside the likeliest classes."""
        return answer_page(self._file, self.top, self.reason)


class Answers(ShownTuple[Answer]):
    """An answer for each of several images, in the order in which they were given."""

    def as_page(self) -> Page:
        """The first images with their answers."""
        unread = sum(not answer.top for answer in self)
        seen = [
            (answer._file, runtime.Answer(answer.top, "unsure" if answer.unsure else "", answer.reason))
            for answer in self
            if answer.top
        ]
        return answers_page(seen, unread)

    def _tables(self) -> Tables:
        most = max((len(answer.top) for answer in self), default=0)
        rows = []
        for answer in self:
            row: dict[str, Any] = {
                "image_id": answer.image_id,
                "label": answer.label,
                "name": answer.name,
                "probability": answer.probability,
                "unsure": answer.unsure,
                "reason": answer.reason,
            }
            for place in range(1, most):
                other = answer.top[place] if place < len(answer.top) else None
                row[f"top{place + 1}"] = other.label if other else ""
                row[f"top{place + 1}_probability"] = other.probability if other else 0.0
            rows.append(row)
        yield "", rows


@dataclass(frozen=True)
class _Numbered(ImageFile):
    file: ImageFile

    def pixels(self) -> Pixels:
        return self.file.pixels()


@dataclass(frozen=True, eq=False)
class _InMemory(ImageFile):
    """An image that has no file: `held` are its pixels (H, W, 3) uint8."""

    held: Pixels = field(repr=False)

    def pixels(self) -> Pixels:
        return self.held


def _given(image: object, name: str) -> ImageFile:
    """An image of a list, or one alone; `name` is what it is called that has no path."""
    if isinstance(image, str | PathLike):
        path = Path(fspath(image))
        return ImageFile(path.as_posix(), path)
    if isinstance(image, bytes):
        return _InMemory(name, Path(name), decode(image).pixels)
    if isinstance(image, Image.Image):
        return _InMemory(name, Path(name), _from_pillow(image, name))
    if hasattr(image, "__array__"):
        return _InMemory(name, Path(name), _from_array(np.asarray(image), name))
    raise DessinError(f"The {name} is {quoted(image)}.", allowed=_ALLOWED)


def _from_pillow(image: Image.Image, name: str) -> Pixels:
    if image.width * image.height > MAX_PIXELS or not (image.width and image.height):
        raise Unreadable(f"{image.width}x{image.height} pixels", name=f"The {name}")
    try:
        return on_a_ground(ImageOps.exif_transpose(image))[0]
    except OSError as error:  # the rest of a file that Pillow reads only now
        raise Unreadable(str(error), name=f"The {name}") from None


def _from_array(values: NDArray[Any], name: str) -> Pixels:
    """Numbers as levels: whole ones from 0 to 255 as they are, floats from 0 to 1 as shares of 255."""
    shape = " x ".join(map(str, values.shape))
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        do = "Put the channels last: array.transpose(1, 2, 0)." if values.shape[:1] in ((1,), (3,)) else ""
        raise DessinError(f"The {name} is an array of {shape}.", allowed=_ALLOWED, do=do)
    if not values.size:
        raise DessinError(f"The {name} is empty: {shape}.", allowed=_ALLOWED)
    if values.dtype == np.bool_ or np.issubdtype(values.dtype, np.floating):
        most, values = 1.0, values.astype(np.float64)
    elif np.issubdtype(values.dtype, np.integer):
        most = 255.0
    else:
        raise DessinError(f"The {name} is an array of {values.dtype}.", allowed=_ALLOWED)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= most):
        raise DessinError(
            f"The {name} has values from {low:g} to {high:g}.",
            allowed="Whole numbers lie between 0 and 255, floats between 0 and 1.",
            do="For floats up to 255: array.astype('uint8').",
        )
    levels = values.astype(np.uint8) if most > 1.0 else np.rint(255.0 * values).astype(np.uint8)
    return _from_pillow(Image.fromarray(levels), name)

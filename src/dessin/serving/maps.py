"""Where a model at work looks: a map over one image, for the API and the studio."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dessin.errors import DessinError, unknown
from dessin.images.fit import Prepared, prepare_for
from dessin.images.ground import Pixels
from dessin.models.card import BundleImage
from dessin.models.classifier import Classifier
from dessin.page.pictures import enlarged
from dessin.serving.runtime import Runtime
from dessin.trust.explain.explainer import Explainer
from dessin.trust.explain.pictures import overlay, side_by_side
from dessin.trust.explain.sources import Batch, Drawing


@dataclass(frozen=True, eq=False, repr=False)
class ImageMap:
    """A map of what speaks for the class `label`.

    `values` (S, S) float32 in 0..1; `picture` (S, S, 3) uint8 is the image as the model sees it, and
    `overlay` (S, S, 3) uint8 the map over it.
    """

    label: str
    method: str
    values: NDArray[np.float32]
    picture: Pixels
    overlay: Pixels

    def __repr__(self) -> str:
        return f"ImageMap({self.label}, {self.method}, {' x '.join(map(str, self.values.shape))})"

    def _repr_png_(self) -> bytes:
        pair = side_by_side([enlarged(self.picture), enlarged(self.overlay)])
        buffer = io.BytesIO()
        Image.fromarray(pair).save(buffer, "png")
        return buffer.getvalue()


def map_maker(runtime: Runtime) -> MapMaker | None:
    """None for models that fit drawings into their square in different ways: there is no one picture."""
    try:
        return MapMaker(runtime)
    except DessinError:
        return None


class MapMaker:
    """Makes maps for a runtime, whose models it makes ready once; not for two threads at once."""

    def __init__(self, runtime: Runtime) -> None:
        """Raises:
        DessinError: models that fit drawings into their square in different ways.
        """
        self._runtime = runtime
        self._explainer = Explainer(runtime.loaded, runtime.device)
        bundles = runtime.loaded.bundles.values()
        has_gradients = all(isinstance(bundle.classifier, Classifier) for bundle in bundles)
        self.method = "gradcam" if has_gradients else "occlusion"

    def make(self, pixels: Pixels, label: str | None = None) -> ImageMap:
        """The map of decoded pixels (H, W, 3) uint8 for a class (default: the likeliest).

        Raises:
            DessinError: a class that the model does not have.
        """
        return self.make_prepared(prepare_for(pixels, self._runtime.fittings), label)

    def make_prepared(self, prepared: Prepared, label: str | None = None) -> ImageMap:
        """The same for an image that is prepared already; raises alike."""
        classes = self._runtime.committee.classes
        if label is not None and label not in classes:
            raise unknown("class", label, classes)

        def wanted(image: BundleImage) -> torch.Tensor:
            return torch.from_numpy(prepared.squares[image.fitting][None]).to(self._runtime.device)

        batch = Batch((Drawing("", Path()),), None, wanted)
        asked = self._explainer.ask(batch, gradients=self.method == "gradcam")
        label = label or classes[int(asked.probabilities[0].argmax())]
        values = self._explainer.maps(asked, [label], self.method)[0]
        picture = self._explainer.image(asked, 0)
        return ImageMap(label, self.method, values, picture, overlay(picture, values))

"""A deployable model, whole: one folder with `bundle.json` and `model.safetensors` or `model.onnx`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from dessin.errors import DessinError, quoted
from dessin.files import atomic_path, sha256_bytes, sha256_file, write_bytes
from dessin.models.backbones import describe_backbone, sketch_body
from dessin.models.card import ONNX_FILE, WEIGHTS_FILE, BesideBody, BundleCard, BundleImage, read_card
from dessin.models.classifier import Classifier, empty_classifier, resize
from dessin.models.gray import first_convolution
from dessin.models.layers import feature_count
from dessin.models.network import Network, OnnxNetwork, check_description
from dessin.models.tensors import TensorShape, check_file, check_finite, tensor_shapes, unpacked
from dessin.page.numbers import listed


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle; the classifier is on the CPU and in evaluation mode."""

    card: BundleCard
    classifier: Network

    def with_weights(self, purpose: str) -> Classifier:
        """The classifier where it is more than a function: with weights, layers and gradients.

        Raises:
            DessinError: an exported model, which only answers; `purpose` says what is asked of it.
        """
        if not isinstance(self.classifier, Classifier):
            raise DessinError(
                f"This model was exported to {self.card.file}, and {purpose} needs the network itself.",
                do="Name the run or the bundle that it was exported from.",
            )
        return self.classifier


def save_bundle(folder: Path, classifier: Classifier, card: BundleCard) -> BundleCard:
    """Write a bundle and return its card with the digest of the weights; equal weights give equal bytes.

    The folder appears whole or not at all. One that already holds the very same bundle is left as it is
    (a run that was killed just after writing it comes here again); any other one is refused.
    """
    weights = save(classifier.plain_state())
    card = card.model_copy(update={"digests": {**card.digests, "weights": sha256_bytes(weights)}})
    if folder.exists():
        if _same(folder, card):
            return card
        raise DessinError(
            f"{folder} already exists, so the bundle is not written there.", do="Choose another folder."
        )
    _check_card(card, classifier)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        write_bytes(temporary / WEIGHTS_FILE, weights)
        card.write(temporary)
    return card


def write_onnx_bundle(folder: Path, model: bytes, card: BundleCard) -> BundleCard:
    """Write the bundle of an exported model (an ONNX file) into a folder; returns the card with its digest.

    The card comes last, and a folder without one is no bundle.

    Raises:
        DessinError: the file cannot be used, or is not what the card says.
    """
    digests = {**card.digests, "weights": sha256_bytes(model)}
    card = card.model_copy(update={"file": ONNX_FILE, "digests": digests})
    check_description(OnnxNetwork(model), card)
    write_bytes(folder / ONNX_FILE, model)
    card.write(folder)
    return card


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, strictly.

    Raises:
        DessinError: not a bundle, a newer format, weights that are not those of the card, that do not fit, or
            that are no numbers; an ONNX file that holds more than a model of drawings needs.
    """
    card = read_card(folder)
    if card.exported:
        network = OnnxNetwork(_read_weights(folder / ONNX_FILE, card))
        check_description(network, card)
        return Bundle(card, network.eval())
    return Bundle(card, _classifier(folder, card).eval())


def _classifier(folder: Path, card: BundleCard) -> Classifier:
    path = folder / WEIGHTS_FILE
    # The header first: nothing is built and no tensor is read for weights of another model.
    shapes = tensor_shapes(path)
    width = _head_width(shapes, card)
    _check_count(sum(shape.elements for shape in shapes.values()), width, folder, card)
    classifier = empty_classifier(
        card.backbone,
        len(card.classes),
        channels=_channels(shapes, card),
        head=card.head,
        features=card.features,
        beside=card.backbones[1:],
        mirrored=card.mirrored,
        width=width,
    )
    resize(classifier, card.image.size, tried=False)
    _check_card(card, classifier)
    own = classifier.state_dict()
    expected = {(name, tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in own.items()}
    found = {(name, shape.shape, shape.floating) for name, shape in shapes.items()}
    wrong = sorted({name for name, *_ in expected ^ found})
    if wrong:
        names = ", ".join(name[:60] for name in wrong[:3])
        raise _misfit(folder, card, f"{len(wrong)} tensors differ, such as {names}")
    state = unpacked(_read_weights(path, card), path)
    check_finite(state, path)
    classifier.load_state_dict(state)
    _look_once(classifier, folder, card)
    return classifier


@torch.inference_mode()
def _look_once(classifier: Classifier, folder: Path, card: BundleCard) -> None:
    """A network that cannot read images of its card's size says so here, and not at its first answer."""
    side = card.image.size
    blank = torch.zeros(1, classifier.channels, side, side, dtype=torch.uint8)
    try:
        classifier.eval()(blank)
    # So each family of networks says it.
    except (AssertionError, RuntimeError, ValueError, IndexError) as error:
        how = f"it cannot look at an image of {side} pixels: {quoted(str(error))}"
        raise _misfit(folder, card, how) from None


def _head_width(shapes: Mapping[str, TensorShape], card: BundleCard) -> int:
    """D as the weights have it: to find out what several layers give takes a second, and a look will tell."""
    first = shapes.get("head.hidden.weight" if card.head == "mlp" else "head.weight")
    if card.features == "several" and first is not None and len(first.shape) == 2:
        return first.shape[1]
    return sum(feature_count(name, card.features) for name in card.backbones)


def _check_count(numbers: int, width: int, folder: Path, card: BundleCard) -> None:
    """A small file must not ask for a large network; half, for its tables may be of a smaller image."""
    bodies = sum(describe_backbone(name).parameters for name in card.backbones)
    head = len(card.classes) * width
    if numbers < bodies // 2 + head:
        raise _misfit(
            folder, card, f"there are {numbers:,} numbers in them, and it has about {bodies + head:,}"
        )


def _misfit(folder: Path, card: BundleCard, how: str) -> DessinError:
    bodies = listed(card.backbones)
    return DessinError(
        f"The weights in {folder} do not fit {bodies} with {len(card.classes)} classes: {how}.",
        do="Make the bundle anew with this version of timm, or install the one it was made with.",
    )


def _read_weights(path: Path, card: BundleCard) -> bytes:
    check_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DessinError(f"{path} cannot be read: {error.strerror}.", do="Copy the bundle again.") from None
    if sha256_bytes(data) != card.digests["weights"]:
        raise DessinError(
            f"{path} is not the file that its card was written for (the digest differs).",
            do="Copy the bundle again, whole.",
        )
    return data


def _channels(shapes: Mapping[str, TensorShape], card: BundleCard) -> int:
    """How many channels the weights read: a gray bundle may hold an RGB model, which repeats the channel."""
    if card.image.colour != "gray":
        return 3
    stem = first_convolution(sketch_body(card.backbone))
    kernel = shapes.get(f"body.{stem}.weight")
    return 1 if kernel is not None and kernel.shape[1:2] == (1,) else 3


def _check_card(card: BundleCard, classifier: Classifier) -> None:
    """The card must say what the model does: as many classes, and the normalisation that is inside it."""
    if len(card.classes) != classifier.classes:
        raise DessinError(
            f"The card lists {len(card.classes)} classes and the model has {classifier.classes}."
        )
    if card.head != classifier.head_kind:
        raise DessinError(
            f"The card states a {card.head} head and the model has a {classifier.head_kind} one."
        )
    if card.features != classifier.reads:
        raise DessinError(
            f"The card states features of {card.features} and the model has those of {classifier.reads}."
        )
    bodies = tuple(encoder.backbone for encoder in classifier.encoders)
    if card.backbones != bodies:
        raise DessinError(f"The card states {listed(card.backbones)} and the model has {listed(bodies)}.")
    if card.mirrored != classifier.mirrored:
        raise DessinError("Of the card and the model one looks at mirror images and the other does not.")
    if classifier.channels == 1 and card.image.colour != "gray":
        raise DessinError(f"The card states {card.image.colour} images and the model reads one gray channel.")
    normalised: tuple[BundleImage | BesideBody, ...] = (card.image, *card.beside)
    for name, body in zip(card.backbones, normalised, strict=True):
        info, stated = describe_backbone(name), torch.tensor([body.mean, body.std])
        if not torch.allclose(stated, torch.tensor([info.mean, info.std]), atol=1e-6):
            raise DessinError(
                f"The card's mean and std {body.mean}, {body.std} are not those of {name}: "
                f"{info.mean}, {info.std}.",
                do="Make the bundle anew.",
            )


def _same(folder: Path, card: BundleCard) -> bool:
    try:
        digest = sha256_file(folder / card.file)
        return read_card(folder) == card and digest == card.digests["weights"]
    except (DessinError, OSError):
        return False

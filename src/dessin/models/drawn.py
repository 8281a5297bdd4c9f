"""Weights that have seen drawings, as they come with dessin: a body tuned on Quick, Draw!, in half precision.

`benchmarks/drawn_weights.py` makes such a file from a run; the recipe `drawn-128` makes the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from dessin.errors import DessinError, listing, quoted
from dessin.files import sha256_file
from dessin.models.tensors import check_finite, whole
from dessin.progress import warn_once
from dessin.reading import read_json

DRAWN: Final = "drawn"
SOURCE: Final = "drawn: Quick, Draw! by Google LLC"
# sha256 by backbone: another file is never read.
DIGESTS: Final[Mapping[str, str]] = {
    "tf_efficientnet_lite0": "baa5f2b7fa45a80caae8889895fb8b35c9ac968fa43c24dec410030748a33909",
}
_COLLECTION: Final = "quickdraw"
_FETCHED: Final = "fetch.json"
_HEADER_BYTES: Final = 8


def drawn_file(backbone: str) -> tuple[Path, str]:
    """The packaged file of a backbone, and its sha256.

    Raises:
        DessinError: there is none for this backbone (those that have one are named), or it was changed.
    """
    plain = backbone.removesuffix(".in1k")
    if plain not in DIGESTS:
        raise DessinError(
            f"No weights of {quoted(backbone)} that have seen drawings come with dessin (weights: {DRAWN}).",
            allowed=f"These have them: {listing(list(DIGESTS))}.",
            do="Choose one of these, or set model.weights to auto, or to a run of your own.",
        )
    path, expected = Path(__file__).with_name(f"{plain}.{DRAWN}.safetensors"), DIGESTS[plain]
    found = sha256_file(path) if path.is_file() else "no file"
    if found != expected:
        raise DessinError(
            f"{path} is not the file that came with dessin (sha256 {found[:12]}, expected {expected[:12]}), "
            "so it is not read.",
            do="Install dessin again.",
        )
    return path, expected


def drawn_facts(path: Path) -> dict[str, str]:
    """What such a file says of itself: source, licence, classes, run, validation and more."""
    with whole(path), safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def packed(body: Mapping[str, Tensor], facts: Mapping[str, str]) -> bytes:
    """A safetensors file of a body in half precision; the same tensors and facts give the same bytes.

    Whole numbers stay as they are.

    Raises:
        DessinError: a weight is too large for half precision.
    """
    halves = {n: t.half().contiguous() if t.is_floating_point() else t for n, t in body.items()}
    check_finite(halves, "half precision")
    data = save(halves)
    length = int.from_bytes(data[:_HEADER_BYTES], "little")
    header = json.loads(data[_HEADER_BYTES : _HEADER_BYTES + length])
    # The library writes facts in the order of a hash table, which is another in each process.
    text = json.dumps({"__metadata__": dict(sorted(facts.items())), **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _HEADER_BYTES)
    return b"".join((len(text).to_bytes(_HEADER_BYTES, "little"), text, data[_HEADER_BYTES + length :]))


def widened(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Half precision as float32, exactly; all else as it is."""
    halves = (torch.float16, torch.bfloat16)
    return {name: tensor.float() if tensor.dtype in halves else tensor for name, tensor in state.items()}


def warn_of_own_drawings(backbone: str, root: Path, classes: Sequence[str]) -> None:
    """Say where a collection is, or may be, the one that the drawn weights were trained on."""
    so = "accuracies measured on it with them are then better than they will be on other drawings."
    fetched: object = None
    with suppress(DessinError):
        fetched = read_json(root / _FETCHED) if (root / _FETCHED).is_file() else None
    if isinstance(fetched, dict) and fetched.get("collection") == _COLLECTION:
        warn_once(
            DRAWN, f"This collection is from Quick, Draw!, on which the {DRAWN} weights were trained: {so}"
        )
        return
    seen = set(map(_plain, json.loads(drawn_facts(drawn_file(backbone)[0])["classes"])))
    if seen.issuperset(map(_plain, classes)):
        warn_once(
            DRAWN,
            f"The {DRAWN} weights were trained on Quick, Draw!, and each class here is one of its classes. "
            f"If the drawings are from there too, {so}",
        )


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ")

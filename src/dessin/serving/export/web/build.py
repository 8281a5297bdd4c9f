"""A model as one HTML file: script, style, runtime and models; nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import PIL
from markupsafe import Markup

from dessin.answers.committee import LoadedCommittee
from dessin.errors import DessinError
from dessin.files import sha256_bytes, write_text
from dessin.language import language
from dessin.models.card import BundleCard, BundleImage
from dessin.page.numbers import listed, number
from dessin.page.render import render_piece
from dessin.serving.export.web.runtime import WebRuntime, licences
from dessin.serving.export.web.words import words
from dessin.serving.look import Colour, Look

PAGE_FILE, WORKER_FILE, LICENCES_FILE = "index.html", "sw.js", "licences.txt"
# In their order they are one module.
_SCRIPTS: Final = ("decode.js", "fit.js", "even.js", "answer.js", "pad.js", "crop.js", "main.js")
# The first version of Pillow that resizes tall pictures along their columns first: some pixels then differ by
# a few levels. The page does as the Pillow of whoever exports.
_TALL_FIRST: Final = 13
# A browser holds the page as one text of at most half a gigabyte.
LARGEST_MODELS = 256 * 2**20


def check_for_page(loaded: LoadedCommittee) -> None:
    """Raises:
    DessinError: a model that a page cannot do as it is.
    """
    if any(bundle.card.image.clahe for bundle in loaded.bundles.values()):
        raise DessinError(
            "This model looks at drawings after CLAHE, which a page does not do.",
            do="Serve it with dessin serve, or train without clahe.",
        )


def write_web_page(
    folder: Path, loaded: LoadedCommittee, models: Mapping[str, bytes], look: Look, runtime: WebRuntime
) -> None:
    """Write the page of exported `models` (name of a bundle → ONNX file) into a folder.

    Raises:
        DessinError: models that are too large for a page.
    """
    size = sum(map(len, models.values()))
    if size > LARGEST_MODELS:
        raise DessinError(
            f"The models have {number(size / 2**20)} MiB.",
            allowed=f"A page holds {LARGEST_MODELS // 2**20}.",
            do="Distill them into a smaller one with dessin distill, or serve them with dessin serve.",
        )
    named = {f"model {name}": data for name, data in models.items()}
    page = web_page(card_of(loaded, look), {"runtime": runtime.script, "wasm": runtime.wasm, **named})
    write_text(folder / PAGE_FILE, page)
    worker = _own("sw.js").replace("DIGEST", sha256_bytes(page.encode())[:16])
    write_text(folder / WORKER_FILE, worker)
    write_text(folder / LICENCES_FILE, f"The model: {loaded.committee.licence}\n\n{licences()}\n")


def web_page(card: Mapping[str, Any], parts: Mapping[str, bytes]) -> str:
    """The page as a text; `parts` are what its script unpacks by name."""
    script = "\n".join(map(_own, _SCRIPTS))
    style = (files("dessin.page") / "page.css").read_text(encoding="utf-8") + _own("page.css")
    spoken = words()
    return render_piece(
        "dessin.serving.export.web",
        "page.html",
        language=language(),
        words=spoken[language()],
        card=card,
        policy=_policy(script, style),
        style=Markup(style),
        script=Markup(script),
        data=_json({"card": card, "words": spoken}),
        parts={name: Markup(_packed(data)) for name, data in parts.items()},
    )


def card_of(loaded: LoadedCommittee, look: Look) -> dict[str, Any]:
    """What the page's script needs to answer as `serving.runtime` does."""
    committee, bundles = loaded.committee, loaded.bundles
    cards = {name: bundle.card for name, bundle in bundles.items()}
    return {
        "classes": committee.classes,
        "names": [committee.names.get(label, label) for label in committee.classes],
        "root": committee.root.model_dump(mode="json"),
        "views": committee.views,
        "temperature": committee.temperature,
        "threshold": committee.threshold,
        "rejection": committee.rejection and committee.rejection.model_dump(mode="json"),
        "calibrated": committee.temperature != 1.0 or all(card.temperature != 1.0 for card in cards.values()),
        "models": {
            name: {"classes": card.classes, "image": _image(card.image), "temperature": card.temperature}
            for name, card in cards.items()
        },
        "page": loaded.page == "auto",
        "look": {
            "thickness": look.thickness,
            "size": look.size,
            "paper": _css(look.paper),
            "ink": _css(look.ink),
        },
        "about": listed(sorted({_about(card) for card in cards.values()})),
    }


def _image(image: BundleImage) -> dict[str, Any]:
    names = {"size", "colour", "fit", "interpolation"}
    tall_first = int(PIL.__version__.partition(".")[0]) >= _TALL_FIRST
    return {**image.model_dump(include=names), "channels": image.spec.channels, "tall_first": tall_first}


def _about(card: BundleCard) -> str:
    return f"{'+'.join(card.backbones)}, {card.image.spec.words} ({card.licence})"


def _policy(script: str, style: str) -> str:
    """What the browser is to allow: this script, the module that it unpacks, this style, and no request."""
    own, look = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{own}' blob: 'wasm-unsafe-eval'; style-src 'sha256-{look}'; "
        "img-src data:; worker-src 'self'; base-uri 'none'; form-action 'none'"
    )


def _json(value: object) -> Markup:
    """JSON that ends no script, whatever a class is called."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _own(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

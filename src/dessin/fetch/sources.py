"""The public collections that can be fetched: where they are, their terms, and what of them is wanted."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError, quoted
from dessin.randomness import image_keys, permutation
from dessin.reading import read_csv

_GIB = 2**30


@dataclass(frozen=True)
class Source:
    """`address` of its file or, with `{name}` in it, of its files, one a class; `budget` in bytes."""

    name: str
    title: str
    address: str
    licence: str
    budget: int


QUICKDRAW = Source(
    name="quickdraw",
    title="Quick, Draw!",
    address="https://storage.googleapis.com/quickdraw_dataset/full/simplified/{name}.ndjson",
    licence="""Drawings from the Quick, Draw! data set by Google LLC
https://github.com/googlecreativelab/quickdraw-dataset

Licence: Creative Commons Attribution 4.0 International (CC BY 4.0)
https://creativecommons.org/licenses/by/4.0/

Changed: strokes of the simplified files were drawn as PNG pictures, and a sample of them was taken.
Only drawings that the game recognised are in it. fetch.json says what came from where.
Whoever passes these pictures on names the source and the licence, and says what was changed.
""",
    budget=12 * _GIB,
)
# The authors' page (https://github.com/HaohanWang/ImageNet-Sketch) points to stores that need a browser or an
# account; the authors' copy on the Hugging Face Hub is the one that a program may ask for. About 7 GiB.
IMAGENET_SKETCH = Source(
    name="imagenet-sketch",
    title="ImageNet-Sketch",
    address="https://huggingface.co/datasets/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip",
    licence="""Drawings from ImageNet-Sketch
H. Wang, S. Ge, Z. Lipton, E. P. Xing: "Learning Robust Global Representations by Penalizing Local Predictive
Power", NeurIPS 2019. https://github.com/HaohanWang/ImageNet-Sketch

The authors gathered these pictures by searching the web. Their repository is under the MIT licence, which
does not cover the rights of those who drew the pictures: use them for research, and do not pass them on
without asking whose they are. fetch.json says what came from where.
""",
    budget=16 * _GIB,
)
SOURCES = {source.name: source for source in (QUICKDRAW, IMAGENET_SKETCH)}


def quickdraw_classes() -> tuple[str, ...]:
    """The names of the 345 classes of Quick, Draw!"""
    _, rows = read_csv(Path(__file__).with_name("quickdraw_classes.csv"), ["name"])
    return tuple(row["name"] for row in rows)


def known_source(name: str) -> Source:
    """
    Raises:
        DessinError: no collection of this name can be fetched.
    """
    if name not in SOURCES:
        raise DessinError(
            f'"{quoted(name)}" is not a collection that can be fetched.',
            allowed=f"There are {' and '.join(SOURCES)}.",
        )
    return SOURCES[name]


def choose_classes(wanted: Sequence[str], names: Mapping[str, str], title: str) -> tuple[str, ...]:
    """The labels that `wanted` names, sorted and each once; all of them where nothing is wanted.

    `names` maps a label to its name for people; either may be typed, in any case.

    Raises:
        DessinError: a name that is not there, with the nearest that are, or one of several labels.
    """
    if not wanted:
        return tuple(sorted(names))
    spelt: dict[str, list[str]] = {}
    for label, name in names.items():
        for key in {label.lower(), name.lower()}:
            spelt.setdefault(key, []).append(label)
    return tuple(sorted({_choose(text, spelt, names, title) for text in wanted}))


def _choose(text: str, spelt: Mapping[str, list[str]], names: Mapping[str, str], title: str) -> str:
    labels = spelt.get(text.lower(), [])
    if len(labels) == 1:
        return labels[0]
    if labels:
        raise DessinError(
            f'"{quoted(text)}" is the name of {len(labels)} classes: {", ".join(sorted(labels))}.'
        )
    near = difflib.get_close_matches(text.lower(), spelt, n=3, cutoff=0.5)
    meant = sorted({names[label] for key in near for label in spelt[key]})
    raise DessinError(
        f'{title} has no class "{quoted(text)}" among its {len(names):,}.',
        do=f"Did you mean {' or '.join(meant)}?" if meant else "See the names on its own page.",
    )


def sample(ids: Sequence[str], count: int, *, label: str, seed: int) -> list[str]:
    """`count` of the ids (or all), sorted; a larger count only adds to a smaller one's."""
    keys = image_keys([f"{label}/{name}" for name in ids])
    order = permutation(seed, "fetch", 0, keys)[:count]
    return sorted(ids[i] for i in order)

"""Names for people: a wnid becomes its English name, any other label loses its underscores.

The names are WordNet's, from the tables that ship inside timm; timm itself is not imported.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from dessin.errors import DessinError
from dessin.reading import read_text

_WNID = re.compile(r"n\d{8}")


def is_wnid(label: str) -> bool:
    """Whether a label is a WordNet noun id, such as n02084071."""
    return _WNID.fullmatch(label) is not None


def class_names(labels: Iterable[str]) -> dict[str, str]:
    """label → name; two wnids of one name (crane, the bird and the machine) keep their id beside it."""
    labels = tuple(labels)
    lemmas = synset_table("lemma") if any(map(is_wnid, labels)) else {}
    names = {
        label: lemmas[label].split(",")[0].strip() if label in lemmas else label.replace("_", " ").strip()
        for label in labels
    }
    counts = Counter(names.values())
    return {label: name if counts[name] == 1 else f"{name} ({label})" for label, name in names.items()}


@functools.cache
def synset_table(kind: Literal["lemma", "definition"]) -> Mapping[str, str]:
    """wnid → its lemmas (comma-separated) or its definition, for the 21,844 synsets of ImageNet."""
    rows = (line.partition("\t") for line in _timm_lines(f"imagenet_synset_to_{kind}.txt"))
    return {wnid: text for wnid, _, text in rows}


@functools.cache
def imagenet_wnids() -> tuple[str, ...]:
    """The wnids of the 1,000 classes of ImageNet-1k (ILSVRC 2012), sorted."""
    return tuple(sorted(_timm_lines("imagenet_synsets.txt")))


def _timm_lines(name: str) -> list[str]:
    spec = importlib.util.find_spec("timm")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        table = Path(folder) / "data" / "_info" / name
        if table.is_file():
            return read_text(table).splitlines()
    raise DessinError(
        "WordNet's names were not found: the installed timm does not hold its synset tables.",
        do="Install timm again, in the range that dessin asks for.",
    )

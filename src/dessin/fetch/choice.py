"""Which classes and which drawings: names as people type them, and a sample that the seed decides."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from dessin.errors import DessinError
from dessin.randomness import image_keys, permutation


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
        raise DessinError(f'"{text}" is the name of {len(labels)} classes: {", ".join(sorted(labels))}.')
    near = difflib.get_close_matches(text.lower(), spelt, n=3, cutoff=0.5)
    meant = sorted({names[label] for key in near for label in spelt[key]})
    raise DessinError(
        f'{title} has no class "{text}" among its {len(names):,}.',
        do=f"Did you mean {' or '.join(meant)}?" if meant else "See the names on its own page.",
    )


def sample(ids: Sequence[str], count: int, *, label: str, seed: int) -> list[str]:
    """`count` of the ids (or all), sorted; a larger count only adds to a smaller one's."""
    keys = image_keys([f"{label}/{name}" for name in ids])
    order = permutation(seed, "fetch", 0, keys)[:count]
    return sorted(ids[i] for i in order)

"""Groups named by the user: a pattern over the image ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dessin.collection.readers.collection import Item
from dessin.errors import DessinError

_LONGEST_PATTERN = 200


def group_by_pattern(items: Sequence[Item], pattern: str) -> tuple[Item, ...]:
    """Items with the pattern's first capture group, or its whole match, as their group.

    The pattern is searched in the whole image_id; an image it does not match stays without a group.

    Raises:
        DessinError: the pattern does not compile, is longer than 200 characters or matches no image.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise DessinError(
            f"The --group pattern has {len(pattern)} characters.",
            allowed=f"At most {_LONGEST_PATTERN}.",
            do="Shorten it, or give the groups as a column of a CSV.",
        )
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DessinError(
            f'The --group pattern "{pattern}" is not a regular expression: {error}.', do="Correct it."
        ) from None
    grouped = tuple(replace(item, group=_first(compiled.search(item.image_id))) for item in items)
    if not any(item.group for item in grouped):
        raise DessinError(
            f'The --group pattern "{pattern}" matches none of the {len(items):,} images, such as '
            f"{items[0].image_id}.",
            allowed="It is a regular expression over the image id, or the name of a column of the CSV.",
            do="Correct it, or leave --group away.",
        )
    return grouped


def _first(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return (match[1] if match.re.groups else match[0]) or ""


def describe_groups(items: Sequence[Item], group_by: str) -> str:
    """How many groups there are and how many images have none."""
    groups = {item.group for item in items if item.group}
    alone = sum(not item.group for item in items)
    rest = f"images without one: {alone:,}" if alone else "every image has one"
    return f"groups by {group_by}: {len(groups):,}; {rest}"

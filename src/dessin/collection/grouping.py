"""Transitive groups: what is joined by any chain of links ends in one group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from dessin.collection.duplicates import Pair

Key = TypeVar("Key", bound=Hashable)


class UnionFind(Generic[Key]):
    """Disjoint sets with path halving (Tarjan and van Leeuwen, JACM 1984); an unseen key is alone."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}

    def find(self, key: Key) -> Key:
        """The representative of a key's set; which one depends on the order of the joins."""
        parent = self._parent
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(self, first: Key, second: Key) -> None:
        self._parent[self.find(first)] = self.find(second)


def group_images(
    image_ids: Iterable[str], user_groups: Mapping[str, str], pairs: Iterable[Pair]
) -> dict[str, str]:
    """image_id → group: the transitive union of the user's groups and of duplicate pairs.

    A group bears the first of its users' group names, else its first image_id; the names are unique and
    do not depend on any order. A pair may pass through an image outside `image_ids`, which still joins.
    """
    image_ids = sorted(image_ids)
    sets: UnionFind[tuple[str, str]] = UnionFind()
    for image_id in image_ids:
        if user_groups.get(image_id):
            sets.join(("image", image_id), ("group", user_groups[image_id]))
    for pair in pairs:
        sets.join(("image", pair.first), ("image", pair.second))
    taken = {user_groups[image_id] for image_id in image_ids if user_groups.get(image_id)}
    names: dict[tuple[str, str], str] = {sets.find(("group", name)): name for name in sorted(taken)[::-1]}
    groups = {}
    for image_id in image_ids:
        # A user's group may bear the name of another image: "./" keeps the two apart.
        name = f"./{image_id}" if image_id in taken else image_id
        groups[image_id] = names.setdefault(sets.find(("image", image_id)), name)
    return groups

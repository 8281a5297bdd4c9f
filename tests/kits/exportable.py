"""A small bundle that remembers its data and split, so that it can be exported and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tiny_bundle import make_bundle

from dessin.answers.committee import SPLIT_NAME, Committee, save_committee
from dessin.answers.tree import Ballot, ModelNode, Node, VoteNode
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split, write_split
from dessin.collection.split.plan import make_split
from dessin.doodles.drawing import draw_doodle
from dessin.models.card import change_card, read_card

LABELS = ("cat", "house", "star")
A_CLASS = 16


@dataclass(frozen=True)
class World:
    """Drawings in class folders, their split, and a bundle whose fold is 0."""

    data: Path
    split: Path
    parts: Split
    bundle: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted(self.data.rglob("*.png")))


def make_world(folder: Path) -> World:
    data, split = folder / "data", folder / SPLIT_NAME
    drawn = {label: [draw_doodle(label, n, seed=0).data for n in range(A_CLASS)] for label in LABELS}
    for label, images in drawn.items():
        (data / label).mkdir(parents=True)
        for number, content in enumerate(images):
            (data / label / f"{number:02d}.png").write_bytes(content)
    manifest = build_manifest(read_collection(data))
    labels = {row.image_id: row.label for row in manifest.rows}
    parts = make_split(labels, {name: name for name in labels}, folds=2, holdout=0.2, seed=0)
    parts = replace(parts, manifest_digest=manifest.digest, images=len(labels))
    write_split(parts, split)
    world = World(data, split, parts, folder / "bundle")
    add_bundle(world, world.bundle, drawn)
    return world


def add_bundle(
    world: World, place: Path, examples: Mapping[str, Sequence[bytes]], *, fold: int = 0, size: int = 32
) -> Path:
    """A bundle of the world's data; its fold is only named, since what it learned does not matter here."""
    make_bundle(place, examples, size=size, temperature=0.7)
    digests = {**read_card(place).digests, "split": world.parts.digest}
    change_card(place, {"digests": digests, "provenance": {"fold": str(fold)}})
    return place


def add_committee(world: World, folder: Path, bundles: Mapping[str, Path], root: Node | None = None) -> Path:
    """A committee of bundles, by default a vote, with the split beside it."""
    vote = VoteNode(ballots=tuple(Ballot(node=ModelNode(bundle=name)) for name in bundles))
    committee = Committee(
        name="several",
        classes=LABELS,
        root=root or vote,
        digests={"split": world.parts.digest},
        provenance={"data": str(world.data)},
        licence="none",
    )
    save_committee(folder, committee, bundles, split=world.split)
    return folder

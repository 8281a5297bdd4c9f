"""The class-folder layout: DATA/<class>/**/image."""

from __future__ import annotations

from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Item, Reader, listing
from dessin.collection.readers.walk import Walk, walk_images
from dessin.errors import DessinError

_PART_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


class ClassFolders(Reader):
    """A collection whose labels are the names of the folders directly below it: what any folder may be."""

    name = "class folders"

    def matches(self, path: Path) -> bool:
        return path.is_dir()

    def read(self, path: Path, group_column: str | None) -> Collection:  # noqa: ARG002
        """Refuses nothing in it, images but no class folders, and parts (train, val) instead of classes."""
        walk = walk_images(path)
        folders = [folder for folder in walk.folders if "/" not in folder]
        loose = [image_id for image_id in walk.images if "/" not in image_id]
        items = tuple(
            Item(image_id, image_id.split("/", 1)[0]) for image_id in sorted(walk.images) if "/" in image_id
        )
        classes = tuple(sorted({item.label for item in items}))
        if not items:
            raise _nothing_found(path, walk, loose)
        if set(map(str.lower, classes)) <= _PART_NAMES:
            raise DessinError(
                f"The folders in {path} are named {listing(classes)}: parts of a data set, not classes.",
                allowed="The folders directly inside DATA are taken for the classes.",
                do=f"Name one part ({path / classes[0]}), or put the classes of all parts into one folder.",
            )
        for image_id in loose:
            walk.skip("image outside every class folder", image_id)
        empty = [folder for folder in folders if folder not in classes]
        notes = (f"class folders without any image: {listing(empty)}",) if empty else ()
        return Collection(
            root=path,
            layout=ClassFolders.name,
            items=items,
            classes=classes,
            names=class_names(classes),
            skipped={rule: tuple(paths) for rule, paths in walk.skipped.items()},
            notes=notes,
        )


def _nothing_found(root: Path, walk: Walk, loose: list[str]) -> DessinError:
    if loose:
        return DessinError(
            f"{root} holds {len(loose):,} images ({listing(loose)}) and no folder of a class.",
            allowed="Images lie in one folder a class, or are listed in a CSV with image_path,label.",
            do="Make one folder a class and move the images into them.",
        )
    skipped = "; ".join(f"{len(paths):,} skipped ({rule})" for rule, paths in walk.skipped.items())
    seen = f"No image was found in {root}" + (f": {skipped}." if skipped else ": it is empty.")
    return DessinError(
        seen,
        allowed="DATA is a folder of class folders, a CSV, or a contest folder; "
        "images are PNG, JPEG, WebP, BMP or GIF.",
        do="Check the path.",
    )

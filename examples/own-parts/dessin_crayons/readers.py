from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Item, Reader
from dessin.collection.readers.walk import walk_images


class OneFolder(Reader):
    """All images in one folder, each named LABEL_NUMBER: cat_001.png."""

    name = "one folder"

    def matches(self, path: Path) -> bool:
        files = [file for file in path.iterdir() if not file.name.startswith(".")] if path.is_dir() else []
        return bool(files) and all(file.is_file() and self._label(file.name) for file in files)

    def read(self, path: Path, group_column: str | None) -> Collection:
        walk = walk_images(path)
        items = tuple(Item(image_id, self._label(image_id)) for image_id in sorted(walk.images))
        classes = tuple(sorted({item.label for item in items}))
        return Collection(path, self.name, items, classes, class_names(classes))

    def _label(self, name: str) -> str:
        label, _, number = Path(name).stem.rpartition("_")
        return label if number.isdigit() else ""


ONE_FOLDER = OneFolder()

"""A package that adds to dessin, as pip would leave it in a folder that is on the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dessin.plugins import GROUP


def install(folder: Path, name: str, entries: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Write the files of version 1.0 of a package, and the metadata that names its entry points."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))

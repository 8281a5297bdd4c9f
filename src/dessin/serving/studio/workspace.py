"""What lies in a folder that dessin works in, by name; the only way from a name to a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError
from dessin.models.card import CARD_FILE


@dataclass(frozen=True)
class Workspace:
    """What `root` holds, each as a POSIX path below it, sorted; "." is the root itself.

    `collections` are folders or CSVs of labelled drawings, `splits` and `curations` are files. `bundles` are
    those outside of runs and committees. `notes` are lines about what was not looked into.
    """

    root: Path
    collections: tuple[str, ...] = ()
    audits: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    curations: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    committees: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Everything that can answer: committees, bundles, and runs that have one."""
        finished = tuple(run for run in self.runs if (self.path(run) / "bundle" / CARD_FILE).is_file())
        return (*self.committees, *self.bundles, *finished)

    def path(self, name: str) -> Path:
        """The file or folder of a name; links are resolved first.

        Raises:
            DessinError: the name leads out of the workspace.
        """
        path = self.root if "\0" in name else (self.root / name).resolve()
        if "\0" in name or not path.is_relative_to(self.root):
            raise DessinError(
                f'"{name}" does not lie inside {self.root}.', do="Choose something inside the workspace."
            )
        return path

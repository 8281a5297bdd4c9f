"""Run notebooks in one kernel, one after the other, each with nothing of the one before.

    python tests/kits/run_notebooks.py OUT NOTEBOOK..      writes each with its outputs into OUT

A kernel that imports torch takes seconds to start, so they share one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run(out: Path, paths: list[Path]) -> None:
    books = [nbformat.read(path, as_version=4) for path in paths]
    client = NotebookClient(books[0], kernel_name="python3", timeout=300)
    client.resources = {"metadata": {"path": str(out)}}
    with client.setup_kernel():
        for path, book in zip(paths, books, strict=True):
            client.nb = book
            client.kc.execute("%reset -f", silent=True)
            for number, cell in enumerate(book.cells):
                client.execute_cell(cell, number)
            nbformat.write(book, out / path.name)


if __name__ == "__main__":
    run(Path(sys.argv[1]), list(map(Path, sys.argv[2:])))

"""A verb carried out in a process of its own, from a page that shows what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dessin.errors import DessinError
from dessin.studio.plain import show_text
from dessin.studio.texts import Texts
from dessin.studio.verb import end

_LAST = 3


def carry_out(arguments: Sequence[str], title: str, texts: Texts) -> None:
    """Run `dessin ARGUMENTS` to its end; leaving the page ends it.

    Raises:
        DessinError: the verb failed, in its own words.
    """
    command = [sys.executable, "-m", "dessin", *arguments]
    lines: list[str] = []
    with st.status(title, expanded=True) as status:
        show_text(texts("job.stays"), "note")
        place = st.empty()
        # One stream, for what it says and what it warns of belong together.
        verb = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        try:
            for line in verb.stdout or ():
                lines.append(line.rstrip())
                with place:
                    show_text(lines[-1], "note")
            code = verb.wait()
        finally:
            end(verb)
            if verb.stdout:
                verb.stdout.close()
        if code:
            status.update(label=title, state="error")
            raise DessinError(" ".join(lines[-_LAST:]).removeprefix("dessin: ") or f"{title}: {code}")
        status.update(label=title, state="complete", expanded=False)


def new_folder(root: Path, name: str) -> Path:
    """`root / name`, or with the first number behind it that is free."""
    folder, number = root / name, 2
    while folder.exists():
        folder, number = root / f"{name}-{number}", number + 1
    return folder

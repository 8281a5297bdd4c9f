"""What every page is shown through: what a user can mend is a sentence on it, never a traceback."""

from __future__ import annotations

from collections.abc import Callable

from dessin.errors import DessinError
from dessin.serving.studio.plain import show_text
from dessin.serving.studio.texts import Texts
from dessin.serving.studio.workspace import Workspace

Show = Callable[[Workspace, Texts], None]


def show_guarded(show: Show, workspace: Workspace, texts: Texts) -> None:
    """Show a page; an error of dessin ends it with its text."""
    try:
        show(workspace, texts)
    except DessinError as error:
        show_text(str(error), "error")

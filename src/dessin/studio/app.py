"""The studio's frame, run by Streamlit: `streamlit run app.py -- WORKSPACE`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import streamlit as st

from dessin.errors import DessinError
from dessin.language import LANGUAGES, own_name
from dessin.studio.plain import PAGES, Show, show_guarded, show_text
from dessin.studio.texts import Texts, texts_in
from dessin.studio.workspace import Workspace, scan_workspace

_STALE_S = 15
_LANGUAGE = "kept.language"
# Where each page is shown, in the order of the sidebar.
_PAGES = {
    "start": ("views.start", "show_start"),
    "collect": ("views.collect", "show_collect"),
    "label": ("views.label", "show_label"),
    "data": ("views.data", "show_data"),
    "teach": ("views.teach", "show_teach"),
    "try": ("try_it.page", "show_try_it"),
    "mistakes": ("views.mistakes", "show_mistakes"),
    "runs": ("views.runs", "show_runs"),
    "studies": ("views.studies", "show_studies"),
}


@st.cache_data(ttl=_STALE_S, show_spinner=False)
def _scanned(root: str) -> Workspace:
    return scan_workspace(Path(root))


def main(root: Path) -> None:
    """One run of the script: the frame, and the page that is chosen."""
    st.set_page_config(
        page_title="dessin studio",
        layout="wide",
        menu_items={"Get help": None, "Report a bug": None, "About": None},
    )
    st.html(_css())
    texts = _choose_language()
    try:
        workspace = _scanned(str(root))
    except DessinError as error:
        show_text(str(error), "error")
        return
    opened = _navigation(workspace, texts)
    _foot(workspace, texts)
    opened.run()


def _css() -> str:
    """The studio's style element; the forest pictures look as on dessin's pages, by the same rules."""
    sheets = (files("dessin.studio") / "studio.css", files("dessin.page") / "dots.css")
    return "\n".join(["<style>", *(sheet.read_text(encoding="utf-8") for sheet in sheets), "</style>"])


def _choose_language() -> Texts:
    """The language: chosen in the sidebar, and kept in the address; at first the address's, else dessin's.

    To lead to another page empties the address and forgets what round buttons say, so it is kept beside both.
    """
    if "language" not in st.session_state:
        kept = st.session_state.get(_LANGUAGE, st.query_params.get("lang"))
        st.session_state["language"] = texts_in(kept).language
    chosen = st.sidebar.radio(
        " · ".join(texts_in(language)("frame.language") for language in LANGUAGES),
        LANGUAGES,
        key="language",
        format_func=own_name,
        horizontal=True,
        label_visibility="collapsed",
    )
    texts = texts_in(chosen)
    st.session_state[_LANGUAGE] = texts.language
    if st.query_params.get("lang") != texts.language:
        st.query_params["lang"] = texts.language
    return texts


def _navigation(workspace: Workspace, texts: Texts) -> st.Page:
    """The page that is open. The plain address leads to "Try it" where something can answer, else to "Begin".

    Streamlit's default page has no address of its own, so it is the one that nobody needs to name.
    """
    # No icons: the browser would fetch the icon of a page from the internet, for its tab.
    pages = {
        name: st.Page(
            _page(name, workspace, texts),
            title=texts(f"frame.{name}"),
            url_path=name,
            default=name == "start",
        )
        for name in _PAGES
    }
    opened = st.navigation(list(pages.values()))
    begins = "begun" not in st.session_state
    st.session_state["begun"] = True
    st.session_state[PAGES] = pages
    if begins and opened == pages["start"] and workspace.models:
        st.switch_page(pages["try"])
    return opened


def _page(name: str, workspace: Workspace, texts: Texts) -> Callable[[], None]:
    """A page as Streamlit runs it, imported when it is first opened: what it needs takes seconds to load."""

    def run() -> None:
        st.title(texts(f"frame.{name}"), anchor=False)
        module, function = _PAGES[name]
        show: Show = getattr(import_module(f"dessin.studio.{module}"), function)
        show_guarded(show, workspace, texts)

    return run


def _foot(workspace: Workspace, texts: Texts) -> None:
    with st.sidebar:
        show_text(str(workspace.root), "note")
        if st.button(texts("frame.rescan"), help=texts("frame.rescan_help"), icon=":material/refresh:"):
            st.cache_data.clear()
            st.rerun()
        for note in workspace.notes:
            show_text(note, "note")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

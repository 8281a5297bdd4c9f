"""The forest pictures of dessin's pages, within the studio."""

from __future__ import annotations

import streamlit as st

from dessin.page.dots import DotPlot
from dessin.page.render import render_page


def show_dots(plot: DotPlot) -> None:
    """Dots with their intervals on one scale."""
    st.html(render_page("dessin.serving.studio.views", "dots_part.html", plot=plot))

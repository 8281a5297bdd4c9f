"""Settings of Sphinx; `docs/site/build.py` calls it."""

from dessin import __version__

project = "dessin"
author = "The dessin authors"
version = release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
highlight_language = "text"
html_theme = "furo"
html_title = f"dessin {version}"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path: list[str] = []

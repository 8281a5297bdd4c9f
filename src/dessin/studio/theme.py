"""The studio's look: the colours of dessin's pages, and a little CSS for phones and keyboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files

INK, MUTED, LINE, GROUND = "#1f2430", "#6b7280", "#e6e8ec", "#f6f7f9"
ACCENT, GOOD, WARN = "#3157c4", "#1e7a4c", "#a8481a"
# Told apart without colour vision as well; the first is dessin's own.
SERIES = (ACCENT, "#c4661f", GOOD, "#8a4fa3", "#b03a5b", "#3d8fa8", "#7a6a1e", MUTED)

THEME: Mapping[str, object] = {
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.textColor": INK,
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": GROUND,
    "theme.borderColor": LINE,
    "theme.baseRadius": "10px",
    "theme.chartCategoricalColors": json.dumps(SERIES),
    "theme.font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
}

_CSS = """
.block-container { padding-top: 4.4rem; padding-bottom: 4rem; max-width: 1180px; }
[data-testid="stHeading"] h1 { letter-spacing: -0.02em; font-size: 2.1rem; padding: 0 0 0.4rem; }
:root { --ink: #1f2430; --muted: #6b7280; --line: #e6e8ec; --paper: #ffffff; --accent: #3157c4;
  --accent-soft: #edf1fc; --warn: #a8481a; --good: #1e7a4c; }
.dessin { overflow-wrap: anywhere; line-height: 1.5; }
p.dessin { margin: 0; max-width: 84ch; }
h3.dessin { font-size: 1.2rem; font-weight: 640; margin: 1rem 0 0; padding: 0; }
.dessin.note { color: #6b7280; font-size: 0.875rem; }
.dessin.good, .dessin.warn, .dessin.error { border-left: 3px solid; padding: 10px 14px; max-width: none; }
.dessin.good { border-color: #1e7a4c; background: #e9f6ef; }
.dessin.warn { border-color: #a8481a; background: #fcf1ea; }
.dessin.error { border-color: #b3261e; background: #fdeceb; }
.dessin.facts { display: grid; gap: 1px; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr));
  background: #e6e8ec; border: 1px solid #e6e8ec; border-radius: 12px; overflow: hidden; margin: 0;
  padding: 0; }
.dessin.facts > div { background: #fff; padding: 12px 16px; }
.dessin.facts dt { color: #6b7280; font-size: 0.82rem; font-weight: 400; }
.dessin.facts dd { margin: 0; font-size: 1.35rem; font-weight: 640; font-variant-numeric: tabular-nums; }
.dessin.figures { display: grid; gap: 10px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--side)), var(--side))); }
.dessin.figures figure { margin: 0; min-width: 0; }
.dessin.figures img, .dessin.figures .none { display: block; width: 100%; aspect-ratio: 1;
  object-fit: contain; background: #fff; border: 1px solid #e6e8ec; border-radius: 8px; }
.dessin.figures .none { display: grid; place-items: center; color: #6b7280; background: #f6f7f9; }
.dessin.figures figcaption { font-size: 0.75rem; line-height: 1.35; margin-top: 4px; }
.dessin.figures small { display: block; color: #6b7280; font-size: 0.75rem; }
.dessin.table { overflow-x: auto; }
.dessin.table table { border-collapse: collapse; width: 100%; font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
.dessin.table th { text-align: left; color: #6b7280; font-weight: 500; font-size: 0.82rem; }
.dessin.table th, .dessin.table td { padding: 7px 14px 7px 0; border: 0; border-bottom: 1px solid #e6e8ec;
  vertical-align: top; }
.dessin.facts dd small { display: block; color: #6b7280; font-size: 0.8rem; font-weight: 400; }
.dessin.table.whole th, .dessin.table.whole td { white-space: nowrap; }
.dessin.table.whole td:first-child { white-space: normal; min-width: 9rem; }
.dessin.table.stacked td:first-child { min-width: 7.5rem; }
.dessin.table td small { display: block; color: #6b7280; font-size: 0.8rem; font-weight: 400; }
a:focus-visible, button:focus-visible, summary:focus-visible {
  outline: 3px solid #3157c4; outline-offset: 2px; }
label:has(input:focus-visible) { outline: 3px solid #3157c4; outline-offset: 3px; border-radius: 6px; }
@media (max-width: 640px) {
  .block-container { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stHeading"] h1 { font-size: 1.7rem; }
  .dessin.facts > div:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .dessin.table.stacked td:empty, .dessin.table.stacked thead { display: none; }
  .dessin.table.stacked tr { display: block; border-bottom: 1px solid #e6e8ec; padding: 8px 0; }
  .dessin.table.stacked td { display: block; border: 0; padding: 3px 0; }
  .dessin.table.whole td:first-child { white-space: normal; min-width: 9rem; }
.dessin.table.stacked td:first-child { font-weight: 600; }
  .dessin.table.stacked td[data-title]:not([data-title=""])::before { content: attr(data-title);
    display: block; color: #6b7280; font-size: 0.8rem; font-weight: 400; }
}
"""


def css() -> str:
    """The studio's style element; the forest pictures look as on dessin's pages, by the same rules."""
    lines = files("dessin.page").joinpath("style.css").read_text(encoding="utf-8").splitlines()
    dots = [line for line in lines if line.startswith(".dots")]
    narrow = [line for line in lines if line.startswith("  .dots")]
    return "\n".join(["<style>", _CSS, *dots, "@media (max-width: 760px) {", *narrow, "}", "</style>"])

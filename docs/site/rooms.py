"""The picture of the rooms, drawn from the code's own imports.

    python docs/site/rooms.py        writes docs/pictures/rooms.svg

A row is a room, the ground at the bottom; its bar is its share of the code, and a dot says that it imports
the room of that column. Every dot lies on one side of the diagonal: data flows one way.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from source_code import ROOT, imports, modules, rooms

PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
CELL = 19
NAMES = 112
BAR = 150
TOP = 104
LEFT = NAMES + BAR + 24


def draw_rooms() -> str:
    """An SVG that needs no font, script or colour from elsewhere."""
    order = [room for layer in reversed(rooms()) for room in layer]
    lines = Counter[str]()
    for module in modules().values():
        lines[module.room] += module.lines
    strength = Counter((who.room, modules()[module].room) for who, module, _ in imports())
    largest, whole = max(lines[room] for room in order), sum(lines.values())
    width, height = LEFT + CELL * len(order) + 16, TOP + CELL * len(order) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="13" role="img" '
        'aria-labelledby="title">',
        '<title id="title">The rooms of dessin, what each imports, and its share of the code</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, room in enumerate(order):
        x, y = LEFT + CELL * index, TOP + CELL * index
        if index % 2 == 0:
            parts.append(f'<rect x="0" y="{y}" width="{width}" height="{CELL}" fill="#f3f5f8"/>')
        share = lines[room] / whole
        middle = y + CELL - 5
        parts += [
            f'<text x="{NAMES}" y="{middle}" text-anchor="end" fill="#1a1f27">{escape(room)}</text>',
            f'<rect x="{NAMES + 8}" y="{y + 4}" width="{max(1, round((BAR - 44) * lines[room] / largest))}" '
            f'height="{CELL - 8}" fill="#8aa4c8"/>',
            f'<text x="{NAMES + BAR + 8}" y="{middle}" text-anchor="end" fill="#55606e">{share:.0%}</text>',
            f'<text transform="translate({x + CELL / 2 + 4} {TOP - 6}) rotate(-60)" fill="#1a1f27">'
            f"{escape(room)}</text>",
            f'<rect x="{x + 3}" y="{y + 3}" width="{CELL - 6}" height="{CELL - 6}" fill="#d4d9e0"/>',
        ]
        for other, below in enumerate(order):
            count = strength[room, below]
            if count and below != room:
                radius = min(CELL / 2 - 2, 2 + count**0.5 * 0.6)
                parts.append(
                    f'<circle cx="{LEFT + CELL * other + CELL / 2}" cy="{y + CELL / 2}" r="{radius:.1f}" '
                    f'fill="#2457a0"><title>{escape(room)} imports {escape(below)}: {count}</title></circle>'
                )
    parts += [
        f'<text x="{NAMES}" y="{TOP - 8}" text-anchor="end" fill="#55606e">room</text>',
        f'<text x="{NAMES + 8}" y="{TOP - 8}" fill="#55606e">share of the code</text>',
        f'<text x="{LEFT}" y="{height - 10}" fill="#55606e">A dot: the room of the row imports '
        "the room of the column (larger: more often).</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def write(path: Path = PICTURE) -> None:
    path.write_text(draw_rooms(), encoding="utf-8")


if __name__ == "__main__":
    write()

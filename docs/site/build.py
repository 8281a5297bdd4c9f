"""Build the site: the pages of docs/, and the reference made from the code. Offline; a warning is an error.

python docs/site/build.py [OUT]
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference import code, room_pages, rooms_index  # noqa: E402
from rooms import draw_rooms  # noqa: E402
from source_code import ROOT  # noqa: E402
from verb_pages import recipes_page, verb_pages, verbs_index  # noqa: E402

# Papers that lie elsewhere and are pages of the site, too.
PAPERS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    "README.md": "index.md",
}
# The name of a block's file, which MyST would drop.
TITLE = re.compile(r'^```(\w+) title="(.*?)"$', re.MULTILINE)
# A link to a recipe, or to their folder, leads to the page that shows them all.
RECIPES = ("src", "dessin", "recipes")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")


def build(out: Path) -> int:
    """Make the site in `out`, a folder that is replaced; Sphinx's exit status."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as trees:
        source = Path(folder)
        write_sources(source)
        shutil.rmtree(out, ignore_errors=True)
        return sphinx(["-q", "-W", "--keep-going", "-E", "-d", trees, "-c", str(HERE), folder, str(out)])


def write_sources(source: Path) -> None:
    """What Sphinx reads: the pages with links that hold there, the reference, and the index as a tree."""
    shutil.copytree(ROOT / "docs" / "pictures", source / "pictures")
    (source / "pictures" / "rooms.svg").write_text(draw_rooms(), encoding="utf-8")
    for path in sorted((ROOT / "docs").glob("*.md")):
        (source / path.name).write_text(with_links(path, source), encoding="utf-8")
    for name, page in PAPERS.items():
        if page != "index.md":
            (source / page).write_text(with_links(ROOT / name, source), encoding="utf-8")
    for script in sorted((ROOT / "examples").glob("*.py")):
        with (source / "examples.md").open("a", encoding="utf-8") as examples:
            examples.write(f"\n## {script.name}\n\n{code(script.read_text(encoding='utf-8'))}\n")
    reference = source / "reference"
    reference.mkdir()
    verbs, rooms = verb_pages(), room_pages()
    pages = {
        "verbs": verbs_index(),
        "recipes": recipes_page(),
        "rooms": rooms_index(rooms),
        **verbs,
        **rooms,
    }
    for name, text in pages.items():
        trees = {"verbs": verbs, "rooms": rooms}.get(name)
        tree = toctree("", trees) if trees else ""
        (reference / f"{name}.md").write_text(text + tree, encoding="utf-8")
    index = source / "index.md"
    index.write_text(index.read_text(encoding="utf-8") + "".join(index_trees(index)), encoding="utf-8")


def with_links(page: Path, source: Path) -> str:
    """A page's text; links to other pages point into the site, and files outside docs/ are taken along."""

    def moved(match: re.Match[str]) -> str:
        target, anchor = (page.parent / match[1]).resolve(), match[2] or ""
        inside = target.relative_to(ROOT)
        if inside.parts[0] == "docs":
            return f"]({inside.relative_to('docs').as_posix()}{anchor})"
        if inside.as_posix() in PAPERS:
            return f"]({PAPERS[inside.as_posix()]}{anchor})"
        if inside.parts[:3] == RECIPES:
            return "](reference/recipes.md)"
        if not target.is_file():
            raise SystemExit(
                f"{page.relative_to(ROOT)}: the link {match[1]} is no file that the site can take along."
            )
        copy = source / "files" / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target, copy)
        return f"](files/{inside.as_posix()})"

    return LINK.sub(moved, TITLE.sub(r"`\2`:\n\n```\1", page.read_text(encoding="utf-8")))


def index_trees(index: Path) -> Iterator[str]:
    """The headings of the index with their links, as what the site's side shows."""
    for section in index.read_text(encoding="utf-8").split("\n## ")[1:]:
        pages = re.findall(r"^- \[(.*?)\]\((.*?)\.md\)", section, re.MULTILINE)
        yield toctree(section.splitlines()[0], [f"{title} <{name}>" for title, name in pages])


def toctree(caption: str, names: Iterable[str]) -> str:
    head = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{head}\n" + "\n".join(names) + "\n```\n"


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"))

"""Folders as people have them: each is read rightly, and says how, or is refused with the cure."""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path

import pytest
from fuzz_kit import cases, rng
from odd_folders import BESIDE, CLASSES, FOLDERS, IN_IMG, PNG, TABLES, Case, counts, put
from PIL import Image, ImageDraw

from dessin.auto.verb import auto
from dessin.collection.checks.base import Context
from dessin.collection.checks.labels import OddLabels
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import Item, describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import read_split
from dessin.collection.split.verb import split
from dessin.errors import DessinError


@pytest.mark.parametrize("case", [*FOLDERS, *TABLES, *BESIDE], ids=lambda case: case.name)
def test_a_folder_is_read_rightly_or_refused_with_the_cure(tmp_path: Path, case: Case) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    data = case.make(root)
    if case.refused:
        with pytest.raises(DessinError) as caught:
            read_collection(data)
        told = str(caught.value)
        assert caught.value.do, told
    else:
        collection = read_collection(data)
        assert counts(collection) == case.classes, describe_collection(collection)
        given = Counter(item.part for item in collection.items if item.part)
        assert dict(given) == case.parts
        told = describe_collection(collection)
        for item in collection.items:
            assert collection.path(item.image_id).read_bytes() == PNG
    for words in (*case.said, *case.refused):
        assert words in told, told


# --- the same table, written otherwise


def _written(rows: list[tuple[str, str]], names: tuple[str, str], how: dict[str, str]) -> bytes:
    """A table of these rows as another program would write it."""
    quote, mark = how["quote"], how["delimiter"]
    cells = [[f"{quote}{cell}{quote}" for cell in row] for row in (names, *rows)]
    before = "" if quote else how["space"]  # nothing may stand between a closing quote and the delimiter
    lines = [f"{before}{mark}{how['space']}".join(row) + how["tail"] * (mark == ",") for row in cells]
    text = (f"sep={mark}{how['end']}" if how["sep"] else "") + how["end"].join([*lines, *[how["empty"]] * 2])
    return text.encode(how["encoding"])


WAYS = {
    "delimiter": (",", ";", "\t"),
    "quote": ("", '"'),
    "space": ("", " "),
    "tail": ("", ",,"),
    "end": ("\n", "\r\n", "\r"),
    "empty": ("", ",,"),
    "sep": ("", "yes"),
    "encoding": ("utf-8", "utf-8-sig", "utf-16"),
}
NAMES = [
    ("image_path", "label"),
    ("Image Path", "CLASS"),
    ("file", "category"),
    ("id", "Species"),
    ("IMG", "y"),
]


def test_however_a_table_is_written_its_collection_is_the_same(tmp_path: Path) -> None:
    random = rng("tables written otherwise")
    rows = [
        ("img/1.png", "cat, big"),
        ("img/2.png", "caf\u00e9"),
        ("img/3.png", "caf\u00e9"),
        ("img/4.png", "owl"),
    ]
    for path in IN_IMG:
        put(tmp_path / path, PNG)
    file = tmp_path / "labels.csv"
    put(
        file,
        b'image_path,label\nimg/1.png,"cat, big"\n' + "".join(f"{p},{c}\n" for p, c in rows[1:]).encode(),
    )
    plain = read_collection(file).items
    for _ in range(cases(150)):
        how = {name: random.choice(ways) for name, ways in WAYS.items()}
        if how["delimiter"] != ",":
            how["empty"] = ""
        quoted = how["quote"] or how["delimiter"] != ","
        said = rows if quoted else [(path, label.replace(",", " ")) for path, label in rows]
        said = [
            (
                random.choice(
                    [path, path.replace("/", "\\"), f"./{path}", path.removesuffix(".png"), path.upper()]
                ),
                label,
            )
            for path, label in random.sample(said, len(said))
        ]
        put(file, _written(said, random.choice(NAMES), how))
        expected = plain if quoted else tuple(Item(i.image_id, i.label.replace(",", " ")) for i in plain)
        assert read_collection(file).items == expected, (how, file.read_bytes())


def test_a_row_is_never_lost(tmp_path: Path) -> None:
    """Every row of a table is an image, or skipped and said, or the table is refused."""
    random = rng("rows of a table")
    for path in IN_IMG:
        put(tmp_path / path, PNG)
    put(tmp_path / "img/._5.png", PNG)
    cells = [
        *IN_IMG,
        "img/1",
        "img\\2.png",
        "IMG/3.PNG",
        "img/._5.png",
        "img/6.png",
        "",
        " ",
        "../1.png",
        "x" * 400,
    ]
    read = 0
    for _ in range(cases(150)):
        rows = random.sample(cells, random.randint(1, 4))
        lines = [f"{row},{random.choice(('cat', 'dog', ''))}" for row in rows]
        put(tmp_path / "labels.csv", "\n".join(["file,label", *lines]).encode())
        try:
            collection = read_collection(tmp_path / "labels.csv")
        except DessinError:
            continue
        read += 1
        unlisted = len(collection.skipped.get("not listed in labels.csv", ()))
        skipped = sum(map(len, collection.skipped.values())) - unlisted
        full = [line for line in lines if line.strip(" ,")]
        assert len(collection.items) + skipped == len(full), (lines, collection)
    assert read > 10


# --- the split that comes with the data


def drawing(seed: int) -> bytes:
    """A drawing unlike those of other seeds."""
    random = rng(f"drawing {seed}")
    page = Image.new("L", (96, 96), 255)
    points = [(random.randint(8, 88), random.randint(8, 88)) for _ in range(9)]
    ImageDraw.Draw(page).line(points, fill=0, width=3)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def _given(root: Path, *, copies: int = 0) -> Path:
    """Two classes in three parts, each drawing another; `copies` of the test drawings are also trained on."""
    for number, part in enumerate(["train"] * 8 + ["val"] * 2 + ["test"] * 2):
        for label in ("cat", "dog"):
            put(root / part / label / f"{number}.png", drawing(10 * number + (label == "dog")))
    for number in range(copies):
        put(root / "train" / "cat" / f"copy{number}.png", (root / f"test/cat/{10 + number}.png").read_bytes())
    return root


def test_a_given_split_is_kept_image_by_image(tmp_path: Path) -> None:
    made = split(_given(tmp_path / "data"), out=tmp_path / "split.csv", given=True, folds=4)
    sides = {row.image_id: row.fold for row in made.rows}
    assert all((sides[i] is None) == i.startswith("test/") for i in sides)
    assert all((sides[i] == 0) == i.startswith("val/") for i in sides)
    assert {sides[i] for i in sides if i.startswith("train/")} == {1, 2, 3}
    assert (made.folds, made.rule, round(made.holdout, 3)) == (4, "given-1", round(4 / 24, 3))
    assert read_split(tmp_path / "split.csv") == made


def test_drawings_in_two_given_parts_are_counted_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("dessin.collection.split.verb.warn", said.append)
    made = split(_given(tmp_path / "data", copies=2), out=tmp_path / "split.csv", given=True)
    assert len(said) == 1
    assert said[0].startswith("2 images of the given test part")
    assert len(made.held_out()) == 4
    assert read_split(tmp_path / "split.csv") == made


def test_folds_in_a_column_are_kept(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        put(tmp_path / f"{number}.png", drawing(number))
        rows.append(f"{number}.png,{'cat' if number % 2 else 'dog'},{3 + number // 4}")
    file = tmp_path / "labels.csv"
    put(file, "\n".join(["file,label,fold", *rows]).encode())
    made = split(file, out=tmp_path / "split.csv", given=True)
    assert [row.fold for row in sorted(made.rows, key=lambda row: int(row.image_id[:-4]))] == [
        number // 4 for number in range(12)
    ]
    assert (made.folds, made.holdout) == (3, 0.0)


def test_a_given_split_that_cannot_be_kept_is_refused_at_once(tmp_path: Path) -> None:
    for path in CLASSES:
        put(tmp_path / "plain" / path, PNG)
        put(tmp_path / "test only" / "test" / path, PNG)
    for data, words in (("plain", "comes with no split"), ("test only", "comes with no split")):
        with pytest.raises(DessinError, match=words):
            split(tmp_path / data, out=tmp_path / "split.csv", given=True)
    data = _given(tmp_path / "data")
    put(data / "test" / "owl" / "1.png", drawing(99))
    with pytest.raises(DessinError, match="1 class has no image to train on in the given split: owl"):
        split(data, out=tmp_path / "split.csv", given=True)


def test_one_class_is_refused_by_split_and_auto_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "data" / "cat" / "1.png", PNG)
    put(tmp_path / "data" / "cat" / "2.png", PNG)
    monkeypatch.setattr("dessin.collection.split.verb.build_manifest", None)
    with pytest.raises(DessinError, match="one class alone: cat"):
        split(tmp_path / "data", out=tmp_path / "split.csv")
    with pytest.raises(DessinError, match="one class alone: cat"):
        auto(tmp_path / "data", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- links, labels, and odd things in the place of files


def test_links_that_lead_out_are_followed_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in CLASSES:
        put(tmp_path / "store" / path, PNG)
        link = tmp_path / "subset" / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path / "store" / path)
    with pytest.raises(
        DessinError, match=r"cat/1.png.* is a link .*DESSIN_FOLLOW_LINKS=1 dessin .*cp -rL"
    ) as caught:
        read_collection(tmp_path / "subset")
    assert "row" not in str(caught.value)
    monkeypatch.setenv("DESSIN_FOLLOW_LINKS", "1")
    collection = read_collection(tmp_path / "subset")
    assert counts(collection) == {"cat": 2, "dog": 2}
    assert all(row.mode == "L" for row in build_manifest(collection).rows)
    put(tmp_path / "labels.csv", b"file,label\n../store/cat/1.png,cat\n")
    with pytest.raises(DessinError, match=r"contains \.\."):
        read_collection(tmp_path / "labels.csv")


def test_labels_that_may_be_a_slip_are_found(tmp_path: Path) -> None:
    counted = {"cat": 4, "Cat": 2, "cat ": 1, "ice cream": 3, "ice_cream": 2, "owls": 2, "owl": 1, "nan": 2}
    for label, count in {**counted, "dog": 2, "glass": 1, "42": 1, "7": 1, "?": 1}.items():
        for number in range(count):
            put(tmp_path / label / f"{number}.png", PNG)
    manifest = build_manifest(read_collection(tmp_path))
    found = OddLabels().run(Context(manifest, scan_images(manifest), ()))
    assert {issue.image_id.partition("/")[0]: issue.other_id.partition("/")[0] for issue in found} == {
        "Cat": "cat",
        "cat ": "cat",
        "ice_cream": "ice cream",
        "owl": "owls",
        "nan": "",
        "?": "",
    }
    details = {issue.image_id: issue.detail for issue in found}
    assert details["Cat/0.png"] == '"Cat" (2 images) beside "cat" (4 images)'
    assert details["nan/0.png"] == '"nan" (2 images): is this an empty cell?'


def test_pipes_and_closed_folders_beside_the_images_are_no_trouble(tmp_path: Path) -> None:
    for path in CLASSES:
        put(tmp_path / path, PNG)
    for name in ("labels.csv", "scan", "x.png", "cat/record.json", "classes.txt"):
        os.mkfifo(tmp_path / name)
    assert counts(read_collection(tmp_path)) == {"cat": 2, "dog": 2}

"""Readers: layouts detected, junk skipped by rule, unsafe and wrong input refused."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dessin.collection.names import class_names, synset_table
from dessin.collection.readers.collection import Collection, describe_collection
from dessin.collection.readers.contest import read_contest
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.walk import file_rule, path_rule
from dessin.errors import DessinError


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), 255).save(buffer, "PNG")
    return buffer.getvalue()


PNG = _png()


def put(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(PNG)
    return root


def ids(collection: Collection) -> list[str]:
    return [item.image_id for item in collection.items]


def refused(data: Path, *words: str, group: str | None = None) -> None:
    with pytest.raises(DessinError) as caught:
        read_collection(data, group=group)
    for word in words:
        assert word in str(caught.value)


# --- tables


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_long_table_is_known_by_its_first_rows(encoding: str, tmp_path: Path) -> None:
    """More than is looked at, whose end is in the middle of a line, of a character and of a quoted cell."""
    names = [f"{number}.png" for number in range(12)]
    put(tmp_path, *names)
    for padding in range(4):
        remark = "그림\n" * (1_400 + padding)
        rows = "".join(f'{name},{"cat" if n % 2 else "dog"},"{remark}"\n' for n, name in enumerate(names))
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        (tmp_path / "t.csv").write_bytes(f"{mark}file,class,remark\n{rows}".encode(encoding))
        collection = read_collection(tmp_path)
        assert collection.layout == "csv"
        assert collection.classes == ("cat", "dog")


def test_a_cell_of_a_table_without_names_is_no_column_to_group_by(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(4)]
    put(tmp_path, *names)
    (tmp_path / "t.csv").write_text("".join(f"{name},{'ab'[n % 2]}\n" for n, name in enumerate(names)))
    refused(tmp_path / "t.csv", "matches none of the 4 images", group="b")
    grouped = read_collection(tmp_path / "t.csv", group="column 2")
    assert [item.group for item in grouped.items] == ["a", "b", "a", "b"]


# --- class folders


def test_class_folders_give_sorted_ids_labels_and_classes(tmp_path: Path) -> None:
    put(tmp_path, "dog/b.PNG", "dog/deep/er/a.jpg", "ant/z.webp")
    collection = read_collection(tmp_path)
    assert collection.layout == "class folders"
    assert ids(collection) == ["ant/z.webp", "dog/b.PNG", "dog/deep/er/a.jpg"]
    assert collection.classes == ("ant", "dog")
    assert [item.label for item in collection.items] == ["ant", "dog", "dog"]
    assert "3 images in 2 classes" in describe_collection(collection)


def test_one_image_of_one_class_is_counted_in_the_singular(tmp_path: Path) -> None:
    put(tmp_path, "dog/b.png")
    told = f"{tmp_path}: class folders, 1 image in 1 class (1 a class)\nclasses: dog 1"
    assert describe_collection(read_collection(tmp_path)) == told


def test_junk_is_skipped_by_rule_and_rubbish_with_an_image_name_is_not(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.png", "dog/._1.png", "dog/.DS_Store", "dog/Thumbs.db", "dog/.hidden.png")
    put(tmp_path, "__MACOSX/dog/1.png", ".git/x.png", "dog/scan", "dog/old.psd", "loose.png")
    (tmp_path / "dog" / "notes.txt").write_text("of a dog")
    (tmp_path / "dog" / "broken.png").write_bytes(b"rubbish")
    os.mkfifo(tmp_path / "dog" / "pipe.png")
    collection = read_collection(tmp_path)
    assert ids(collection) == ["dog/1.png", "dog/broken.png"]
    assert collection.skipped == {
        "hidden folder": (".git/",),
        "__MACOSX folder": ("__MACOSX/",),
        "hidden file": ("dog/.hidden.png",),
        "AppleDouble file ._*": ("dog/._1.png",),
        ".DS_Store": ("dog/.DS_Store",),
        "Thumbs.db": ("dog/Thumbs.db",),
        "no image extension": ("dog/notes.txt",),
        "image without an image's extension: rename it": ("dog/scan",),
        "image format .psd, which dessin does not read": ("dog/old.psd",),
        "not a regular file": ("dog/pipe.png",),
        "image outside every class folder": ("loose.png",),
    }
    assert "skipped 1 (AppleDouble file ._*): dog/._1.png" in describe_collection(collection)


def test_class_folders_without_images_are_said(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.png")
    (tmp_path / "cat").mkdir()
    collection = read_collection(tmp_path)
    assert collection.classes == ("dog",)
    assert "class folders without any image: cat" in describe_collection(collection)


def test_nothing_usable_is_refused_with_what_was_seen(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "no file or folder")
    refused(tmp_path, "empty")
    (tmp_path / "readme.txt").touch()
    refused(tmp_path, "No image", "1 skipped (no image extension)")
    refused(tmp_path / "readme.txt", "neither a folder nor a CSV")
    put(tmp_path, "1.png")
    refused(tmp_path, "1 image (1.png)", "no folder of a class")


def test_parts_of_a_data_set_are_not_taken_for_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/dog/1.png", "Valid/dog/2.png", "test/3.png")
    collection = read_collection(tmp_path)
    assert [(i.image_id, i.label, i.part) for i in collection.items] == [
        ("Valid/dog/2.png", "dog", "val"),
        ("train/dog/1.png", "dog", "train"),
    ]
    assert collection.skipped == {"image outside every class folder": ("test/3.png",)}
    put(tmp_path / "flat", "train/1.png", "val/2.png")
    refused(tmp_path / "flat", "parts of a data set", "train, val")


def test_a_decomposed_name_becomes_nfc_and_is_still_found(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café/é.png")
    put(tmp_path, decomposed)
    collection = read_collection(tmp_path)
    assert ids(collection) == ["café/é.png"]
    assert collection.classes == ("café",)
    assert collection.path("café/é.png").read_bytes() == PNG


def test_two_spellings_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "dog/é.png", unicodedata.normalize("NFD", "dog/é.png"))
    refused(tmp_path, "é.png twice")


def test_names_that_no_table_can_hold_are_skipped_and_said(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.png", "dog/new\nline.png", "dog/back\\slash.png")
    (tmp_path / os.fsdecode(b"dog/\xff.png")).write_bytes(PNG)
    collection = read_collection(tmp_path)
    assert ids(collection) == ["dog/1.png"]
    (paths,) = collection.skipped.values()
    assert len(paths) == 3
    describe_collection(collection).encode()


def test_links_inside_are_followed_and_links_leaving_are_refused(tmp_path: Path) -> None:
    root = put(tmp_path / "data", "dog/1.png")
    put(tmp_path, "secret/2.png")
    (root / "dog" / "copy.png").symlink_to(root / "dog" / "1.png")
    assert ids(read_collection(root)) == ["dog/1.png", "dog/copy.png"]
    (root / "dog" / "out.png").symlink_to(tmp_path / "secret" / "2.png")
    refused(root, "dog/out.png")
    (root / "dog" / "out.png").unlink()
    (root / "cat").symlink_to(tmp_path / "secret")
    refused(root, "cat")
    (root / "cat").unlink()
    (root / "dog" / "up").symlink_to(root / "dog")
    refused(root, "dog/up", "leads back")


# --- CSV


def csv(folder: Path, text: str, name: str = "labels.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_csv_is_read_from_its_folder_or_directly(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "2.png")
    path = csv(tmp_path, "\ufeffimage_path,label,author\n2.png,dog,ann\na/1.png, cat ,\n")
    for data in (tmp_path, path):
        collection = read_collection(data)
        assert collection.layout == "csv"
        assert [(i.image_id, i.label) for i in collection.items] == [("2.png", "dog"), ("a/1.png", "cat")]
    grouped = read_collection(path, group="author")
    assert [item.group for item in grouped.items] == ["ann", ""]
    assert "groups by column author: 1; images without one: 1" in describe_collection(grouped)


def test_class_name_and_target_are_read_and_checked(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png", "3.png")
    head = "image_path,class_name,target\n"
    csv(tmp_path, head + "1.png,dog,0\n2.png,cat,1\n3.png,dog,0\n")
    collection = read_collection(tmp_path)
    assert collection.classes == ("cat", "dog")
    assert "not in the order of the labels" in describe_collection(collection)
    csv(tmp_path, head + "1.png,dog,0\n2.png,cat,1\n3.png,dog,1\n")
    refused(tmp_path, "several targets", "dog (0, 1)")
    csv(tmp_path, head + "1.png,dog,0\n2.png,cat,1\n3.png,cow,1\n")
    refused(tmp_path, "several classes one target", "1 (cat, cow)")
    csv(tmp_path, head + "1.png,dog,0\n2.png,cat,2\n3.png,dog,0\n")
    refused(tmp_path, "targets from 0 to 2", "0 to 1")
    csv(tmp_path, head + "1.png,dog,zero\n")
    refused(tmp_path, '"zero"', "whole number")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ("lists no image",)),
        ("1.png,\n", ("without a label", "1.png")),
        ("1.png,dog\n1.png,dog\n", ("more than once", "1.png")),
        ("1.png,dog\nno.png,dog\nnope.png,cat\n", ("2 images", "no.png, nope.png")),
        ("/etc/1.png,dog\n", ("row 1", "absolute")),
        ("C:/1.png,dog\n", ("absolute",)),
        ("a/../1.png,dog\n", ("..",)),
        ("1.png,dog\na\\1.png,dog\n", ("row 2", "backslash")),
        ("a//1.png,dog\n", ("empty part",)),
        (",dog\n", ("is empty",)),
        ("1.png,dog,extra\n", ("fields of the header",)),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, body: str, words: tuple[str, ...]) -> None:
    put(tmp_path, "1.png")
    refused(csv(tmp_path, "image_path,label\n" + body), *words)


def test_many_missing_files_are_counted_and_five_are_named(tmp_path: Path) -> None:
    rows = "".join(f"{i}.png,dog\n" for i in range(9))
    refused(csv(tmp_path, "image_path,label\n" + rows), "9 images", "4.png and 4 more")


def test_a_csv_path_through_a_link_that_leaves_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "secret/1.png")
    path = csv(tmp_path / "data", "image_path,label\nlink/1.png,dog\n")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    refused(path, "link", "does not lie inside")


def test_a_csv_that_is_no_table_of_images_is_refused_or_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.png")
    path = csv(tmp_path, "name,kind\nx,y\n", "notes.csv")
    refused(path, "name, kind", "image_path,label")
    assert read_collection(tmp_path).layout == "class folders"
    csv(tmp_path, "image_path,label\ndog/1.png,dog\n", "one.csv")
    assert read_collection(tmp_path).layout == "csv"
    csv(tmp_path, "image_path,label\ndog/1.png,dog\n", "two.csv")
    refused(tmp_path, "2 CSVs", "one.csv, two.csv")


def test_junk_listed_in_a_csv_is_skipped_and_said(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "._1.png")
    collection = read_collection(csv(tmp_path, "image_path,label\n1.png,dog\n._1.png,dog\n"))
    assert ids(collection) == ["1.png"]
    assert collection.skipped == {"AppleDouble file ._*": ("._1.png",)}


def test_a_csv_finds_files_whose_names_the_disk_decomposes(tmp_path: Path) -> None:
    put(tmp_path, unicodedata.normalize("NFD", "é/ü.png"))
    collection = read_collection(csv(tmp_path, "image_path,label\né/ü.png,dog\n"))
    assert collection.path("é/ü.png").read_bytes() == PNG


# --- contest


def contest(root: Path, *, shuffle: int = 0) -> Path:
    """Three wnid classes with two images each; the test list is in an order of its own."""
    rows = [f"{w},{w}/sketch_{i}.JPEG,{t}" for t, w in enumerate(WNIDS) for i in range(2)]
    random.Random(shuffle).shuffle(rows)
    put(root, *(f"train/{row.split(',')[1]}" for row in rows), *(f"test/{i}.JPEG" for i in range(3)))
    csv(root, "class_name,image_path,target\n" + "\n".join(rows) + "\n", "train.csv")
    csv(root, "image_path\n2.JPEG\n0.JPEG\n1.JPEG\n", "test.csv")
    return root


WNIDS = ("n01443537", "n02012849", "n03126707")


def test_a_contest_is_detected_also_below_data(tmp_path: Path) -> None:
    root = contest(tmp_path / "data")
    for folder in (root, tmp_path):
        collection = read_collection(folder)
        assert (collection.layout, collection.root) == ("contest", root)
        assert ids(collection)[0] == "train/n01443537/sketch_0.JPEG"
        assert collection.test_ids == ("test/2.JPEG", "test/0.JPEG", "test/1.JPEG")
        assert collection.classes == WNIDS


def test_an_ordinary_csv_named_like_a_contests_is_read_as_a_csv(tmp_path: Path) -> None:
    put(tmp_path, "train/1.png")
    csv(tmp_path, "image_path,label\ntrain/1.png,dog\n", "train.csv")
    assert read_collection(tmp_path).layout == "csv"


def test_the_order_of_a_contests_rows_does_not_matter(tmp_path: Path) -> None:
    first, second = (
        read_collection(contest(tmp_path / "a")),
        read_collection(contest(tmp_path / "b", shuffle=1)),
    )
    assert first.items == second.items


def test_a_contest_may_number_its_classes_as_it_likes(tmp_path: Path) -> None:
    root = contest(tmp_path)
    text = (root / "train.csv").read_text()
    swapped = text.replace(",0\n", ",x\n").replace(",1\n", ",0\n").replace(",x\n", ",7\n")
    (root / "train.csv").write_text(swapped)
    assert read_contest(root).targets == {"n01443537": 7, "n02012849": 0, "n03126707": 2}
    assert read_collection(root).classes == WNIDS
    (root / "train.csv").write_text(text.replace(",0\n", ",x\n", 1))
    refused(root, "one class_name several targets", "n01443537 (0, x)")


def test_contest_leftovers_are_said_and_missing_tests_refused(tmp_path: Path) -> None:
    root = put(contest(tmp_path), "train/n01443537/unlisted.JPEG", "train/._n01443537.JPEG")
    collection = read_collection(root)
    assert collection.skipped["not listed in train.csv"] == ("train/n01443537/unlisted.JPEG",)
    assert collection.skipped["AppleDouble file ._*"] == ("train/._n01443537.JPEG",)
    csv(root, "ID,image_path,target\n0,2.JPEG,0\n1,0.JPEG,0\n2,1.JPEG,0\n", "sample_submission.csv")
    assert read_collection(root).test_ids == collection.test_ids
    (root / "test" / "1.JPEG").unlink()
    refused(root, "lists 1 image", "1.JPEG")
    (root / "test.csv").unlink()
    assert read_collection(root).test_ids == ("test/0.JPEG", "test/2.JPEG")
    shutil.rmtree(root / "test")
    assert "nothing to submit" in describe_collection(read_collection(root))


# --- groups and names


def test_a_pattern_groups_by_its_first_capture_or_whole_match(tmp_path: Path) -> None:
    put(tmp_path, "dog/p1-1.png", "dog/p1-2.png", "dog/odd.png")
    for pattern, expected in ((r"^(.*)-\d+\.png$", "dog/p1"), (r"p\d+", "p1")):
        collection = read_collection(tmp_path, group=pattern)
        assert [item.group for item in collection.items] == ["", expected, expected]
        assert f"groups by pattern {pattern}: 1; images without one: 1" in describe_collection(collection)


def test_bad_patterns_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.png")
    refused(tmp_path, "matches none", "dog/1.png", group="author")
    refused(tmp_path, "not a regular expression", group="(")
    refused(tmp_path, "201 characters", group="a" * 201)


def test_wnids_get_their_english_name_and_namesakes_stay_apart() -> None:
    names = class_names(["n01443537", "n02012849", "n03126707", "hot_dog", "n99999999"])
    assert names == {
        "n01443537": "goldfish",
        "n02012849": "crane (n02012849)",
        "n03126707": "crane (n03126707)",
        "hot_dog": "hot dog",
        "n99999999": "n99999999",
    }
    assert len(synset_table("definition")) == len(synset_table("lemma")) > 20_000


def test_names_need_neither_timm_nor_torch() -> None:
    code = (
        "import sys; from dessin.collection.names import class_names; assert class_names(['n01443537']);"
        "assert not {'timm', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(*[st.text(st.characters(exclude_characters="/"), min_size=1)] * 2)
def test_a_path_is_skipped_wherever_its_file_is(folder: str, name: str) -> None:
    if file_rule(name):
        assert path_rule(f"{folder}/{name}")
    assert path_rule(f"__MACOSX/{name}") == "__MACOSX folder"

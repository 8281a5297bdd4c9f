"""Folders as people have them, and what is right for each: its classes with what is said, or a refusal."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from dessin.collection.readers.collection import Collection


def _picture(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), 255).save(buffer, kind)
    return buffer.getvalue()


PNG = _picture()
TWO = {"cat": 2, "dog": 2}
CLASSES = ("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png")
FLAT = ("1.png", "2.png", "3.png", "4.png")
IN_IMG = ("img/1.png", "img/2.png", "img/3.png", "img/4.png")
ROWS = "1.png,cat\n2.png,cat\n3.png,dog\n4.png,dog\n"


@dataclass(frozen=True)
class Case:
    """What lies in a folder, and either its classes with what is said, or the words of the refusal."""

    name: str
    images: tuple[str, ...] = ()
    texts: dict[str, str | bytes] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    parts: dict[str, int] = field(default_factory=dict)
    data: str = ""
    more: Callable[[Path], object] | None = None

    def make(self, root: Path) -> Path:
        for path in self.images:
            put(root / path, PNG)
        for path, text in self.texts.items():
            put(root / path, text.encode() if isinstance(text, str) else text)
        if self.more:
            self.more(root)
        return root / self.data


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def table(*lines: str, name: str = "labels.csv") -> dict[str, str | bytes]:
    return {name: "\n".join(lines) + "\n"}


def named(header: str, *, rows: str = ROWS, name: str = "labels.csv") -> dict[str, str | bytes]:
    return {name: f"{header}\n{rows}"}


def counts(collection: Collection) -> dict[str, int]:
    return dict(Counter(item.label for item in collection.items))


def under(folder: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}/{path}" for path in paths)


FOLDERS = [
    Case("plain classes", CLASSES, classes=TWO, said=("classes: cat 2, dog 2", "4 images in 2 classes")),
    Case(
        "an archive unpacked one level too deep",
        under("drawings", CLASSES),
        {"__MACOSX/drawings/cat/._1.png": b"\0\5"},
        TWO,
        ("drawings in it is read",),
    ),
    Case("three levels too deep", under("a/b/c", CLASSES), classes=TWO, said=("a/b/c in it is read",)),
    Case(
        "too deep beside a text", under("set", CLASSES), {"README.txt": "cats"}, TWO, ("set in it is read",)
    ),
    Case(
        "a table one level too deep",
        under("set", FLAT),
        named("file,label", name="set/labels.csv"),
        TWO,
        ("set in it is read", "column file"),
    ),
    Case("one class", ("cat/1.png", "cat/2.png"), classes={"cat": 2}, said=("2 images in 1 class",)),
    Case(
        "one class with folders that sort",
        ("cat/1.png", "cat/a/2.png", "cat/b/3.png"),
        classes={"cat": 3},
        said=("folders inside a class are not classes: cat (a, b)",),
    ),
    Case(
        "classes of classes",
        ("animals/cat/1.png", "animals/dog/2.png", "fruit/apple/3.png"),
        refused=("either level may be the classes", "animals, fruit", "apple, cat, dog", "classes.txt"),
    ),
    Case(
        "classes of classes, the outer chosen",
        ("animals/cat/1.png", "animals/dog/2.png", "fruit/apple/3.png"),
        {"classes.txt": "fruit\nanimals\n"},
        {"animals": 2, "fruit": 1},
        ("those of classes.txt",),
    ),
    Case(
        "classes of classes, the inner chosen",
        ("animals/cat/1.png", "animals/dog/2.png", "fruit/apple/3.png"),
        {"classes.txt": "cat\r\ndog\r\napple\r\n"},
        {"apple": 1, "cat": 1, "dog": 1},
        ("those of classes.txt", "inside animals, fruit"),
    ),
    Case(
        "classes of classes, and a list of neither",
        ("animals/cat/1.png", "animals/dog/2.png", "fruit/apple/3.png"),
        {"classes.txt": "cat\nowl\n"},
        refused=("classes.txt names neither",),
    ),
    Case(
        "the same folders in each class",
        ("cat/anna/1.png", "cat/ben/2.png", "dog/anna/3.png", "dog/ben/4.png"),
        classes=TWO,
        said=("are not classes: cat (anna, ben), dog (anna, ben)",),
    ),
    Case(
        "batches in the classes",
        ("cat/batch 1/1.png", "cat/batch 2/2.png", "dog/2024-01/3.png", "dog/2024-02/4.png"),
        classes=TWO,
        said=("are not classes",),
    ),
    Case("one folder in each class", ("cat/cats/1.png", "dog/dogs/2.png"), classes={"cat": 1, "dog": 1}),
    Case(
        "parts of a given split",
        (*under("train", CLASSES), *under("val", CLASSES), "test/cat/9.png"),
        classes={"cat": 5, "dog": 4},
        said=("parts of a given split", "only dessin split --given keeps it"),
        parts={"train": 4, "val": 4, "test": 1},
    ),
    Case(
        "parts inside the classes",
        ("cat/Train/1.png", "cat/Test/2.png", "dog/Train/3.png", "dog/Test/4.png"),
        classes=TWO,
        said=("parts of a given split",),
        parts={"train": 2, "test": 2},
    ),
    Case(
        "a part without labels",
        (*under("train", CLASSES), "test/9.png"),
        classes=TWO,
        said=("skipped 1 (image outside every class folder): test/9.png",),
        parts={"train": 4},
    ),
    Case(
        "parts without classes",
        ("train/1.png", "test/2.png"),
        refused=("parts of a data set", "one folder a class"),
    ),
    Case(
        "a flat folder whose names say the class",
        ("cat_01.png", "cat_02.png", "dog_1.png", "dog_2.png"),
        refused=("no folder of a class", "cat 2, dog 2", "image_path,label"),
    ),
    Case("a flat folder", ("a.png", "b.png"), refused=("2 images", "no folder of a class", "CSV")),
    Case("nothing", refused=("it is empty",)),
    Case(
        "other formats alone",
        texts={"cat/1.jxl": b"x", "cat/2.pdf": b"x"},
        refused=("image format .jxl", "as PNG or JPEG"),
    ),
    Case("a table and no image", texts=named("file,label"), refused=("4 images", "does not hold")),
    Case(
        "what machines leave behind",
        (
            *CLASSES,
            *under("@eaDir", CLASSES),
            *under(".thumbnails", CLASSES),
            *under("__MACOSX", CLASSES),
            "cat/@eaDir/1.png",
            "lost+found/x.png",
            "$RECYCLE.BIN/y.png",
            "Thumbs/z.png",
            ".ipynb_checkpoints/q.png",
        ),
        {"desktop.ini": "x", "cat/Thumbs.db": "x", "cat/1.png:Zone.Identifier": "x", "~$notes.docx": "x"},
        TWO,
        ("@eaDir folder", "lost+found folder", "hidden folder"),
    ),
    Case(
        "results of dessin among the images",
        (*CLASSES, "explained/pictures/1.png", "result/audit/sheet.png", "runs/first/x.png"),
        {
            "explained/faithfulness.json": "{}",
            "result/audit/issues.csv": "image_id",
            "runs/first/record.json": "{}",
        },
        TWO,
        ("a result of dessin", "explained/"),
    ),
    Case(
        "dessin's own tables among the images",
        CLASSES,
        {
            "split.csv": "# dessin split 1 {}\nimage_id,label,group,fold\ncat/1.png,cat,a,0\n",
            "curation.csv": "image_id,action,label,reason\ncat/1.png,relabel,dog,why\n",
            "predictions.csv": "image_id,label,fold,predicted,probability\ncat/1.png,cat,0,dog,0.5\n",
            "manifest.csv": "# dessin manifest 1 0\nimage_id,label,group\ncat/1.png,cat,\n",
        },
        TWO,
    ),
    Case(
        "images that lost their extension",
        (*CLASSES, "cat/scan0001", "cat/scan0002.tmp"),
        classes=TWO,
        said=("without an image's extension: rename it): cat/scan0001, cat/scan0002.tmp",),
    ),
    Case("extensions in capitals", ("cat/1.PNG", "dog/2.JPG"), classes={"cat": 1, "dog": 1}),
    Case("an archive", texts={"drawings.zip": b"PK"}, data="drawings.zip", refused=("unzip", "Unpack it")),
    Case("a tape archive", texts={"drawings.tar.gz": b"x"}, data="drawings.tar.gz", refused=("tar xf",)),
    Case("a sheet", texts={"labels.xlsx": b"PK"}, data="labels.xlsx", refused=("CSV UTF-8",)),
    Case(
        "a single image",
        ("1.png",),
        data="1.png",
        refused=("a single image", "folder that holds the classes"),
    ),
    Case(
        "a table that dessin wrote",
        FLAT,
        {"split.csv": "# dessin split 1 {}\nimage_id,label\n1.png,cat\n"},
        data="split.csv",
        refused=("that dessin wrote",),
    ),
]

TABLES = [
    Case(
        "the documented columns", FLAT, named("image_path,label"), TWO, ("column image_path", "column label")
    ),
    Case(
        "columns of other names",
        FLAT,
        named("File Name,Species"),
        TWO,
        ("column File Name", "column Species"),
    ),
    Case("a table of id and y", FLAT, named("ID,y"), TWO),
    Case(
        "label before path",
        FLAT,
        table("class,img", "cat,1.png", "cat,2.png", "dog,3.png", "dog,4.png"),
        classes=TWO,
    ),
    Case(
        "an index that programs add",
        FLAT,
        table(",image,category", "0,1.png,cat", "1,2.png,cat", "2,3.png,dog", "3,4.png,dog"),
        classes=TWO,
    ),
    Case(
        "numbers beside names",
        FLAT,
        table("filename,class_id,class", "1.png,0,cat", "2.png,0,cat", "3.png,1,dog", "4.png,1,dog"),
        classes=TWO,
        said=("the label in column class",),
    ),
    Case(
        "two columns that could be the label",
        FLAT,
        table("filename,class,species", "1.png,a,cat", "2.png,b,cat", "3.png,a,dog", "4.png,b,dog"),
        refused=("could be the label: class, species", "Name that column label"),
    ),
    Case(
        "an id that is no file beside the path",
        FLAT,
        table("id,path,label", "70,1.png,cat", "71,2.png,cat", "72,3.png,dog", "73,4.png,dog"),
        classes=TWO,
        said=("the path is in column path",),
    ),
    Case("a label of an unusual name", FLAT, named("file,what"), TWO, ("the label in column what",)),
    Case(
        "no header",
        FLAT,
        {"labels.csv": ROWS},
        TWO,
        ("labels.csv (no line of names): the path is in column 1; the label in column 2",),
    ),
    Case("no header, and semicolons", FLAT, {"labels.csv": ROWS.replace(",", ";")}, TWO),
    Case(
        "columns without meaning",
        FLAT,
        named("a,b,c", rows="x,y,z\n"),
        refused=("a, b, c", "image_path,label"),
        data="labels.csv",
    ),
    Case(
        "names without extension",
        IN_IMG,
        table("id,label", "img/1,cat", "img/2,cat", "img/3,dog", "img/4,dog"),
        classes=TWO,
        said=("4 found without its extension",),
    ),
    Case(
        "names without extension that two files fit",
        (*FLAT, "1.jpg"),
        table("id,label", "1,cat", "2,cat", "3,dog"),
        refused=("row 1: 1 (1.jpg, 1.png)", "with its extension"),
    ),
    Case("paths below the one folder beside", IN_IMG, named("file,label"), TWO, ("below img/",)),
    Case(
        "paths that two folders beside hold",
        (*under("a", FLAT), *under("b", FLAT)),
        named("file,label"),
        data="labels.csv",
        refused=("is in a/ and in b/",),
    ),
    Case(
        "paths from the folder above",
        FLAT,
        table("path,label", "{root}/1.png,cat", "{root}/3.png,dog"),
        classes={"cat": 1, "dog": 1},
        more=lambda root: fill_in(root, root.name),
        said=("not listed in labels.csv",),
    ),
    Case(
        "absolute paths below",
        FLAT,
        table("path,label", "{root}/1.png,cat", "{root}/3.png,dog"),
        classes={"cat": 1, "dog": 1},
        more=lambda root: fill_in(root, str(root)),
    ),
    Case(
        "absolute paths of another machine",
        FLAT,
        table("path,label", "/home/anna/1.png,cat"),
        refused=("absolute",),
    ),
    Case(
        "backslashes",
        CLASSES,
        table("path,label", "cat\\1.png,cat", ".\\dog\\3.png,dog"),
        data="labels.csv",
        classes={"cat": 1, "dog": 1},
    ),
    Case(
        "dots before",
        CLASSES,
        table("path,label", "./cat/1.png,cat", "./dog/3.png,dog"),
        data="labels.csv",
        classes={"cat": 1, "dog": 1},
    ),
    Case(
        "another case",
        FLAT,
        table("path,label", "1.PNG,cat", "3.Png,dog"),
        classes={"cat": 1, "dog": 1},
        said=("2 found in another case",),
    ),
    Case(
        "addresses of the web",
        FLAT,
        table("path,label", "https://example.org/1.png,cat"),
        refused=("address of the web", "Download"),
    ),
    Case(
        "a few files are missing",
        FLAT,
        named("file,label", rows=ROWS + "img/5.png,dog\nx/1.jpg,cat\n"),
        refused=("2 images", "in 6 rows", "img/5.png, x/1.jpg", "x/1.jpg (1.png?)"),
    ),
    Case(
        "an image twice",
        FLAT,
        named("file,label", rows=ROWS + "1.png,dog\n"),
        refused=("more than once: 1.png",),
    ),
    Case(
        "an image twice, once without extension",
        FLAT,
        named("file,label", rows=ROWS + "1,cat\n"),
        refused=("more than once: 1.png",),
    ),
    Case(
        "a row without a label",
        FLAT,
        named("file,label", rows=ROWS.replace("2.png,cat", "2.png,")),
        refused=("1 row", "2.png"),
    ),
    Case(
        "a row that is too long",
        FLAT,
        named("file,label", rows=ROWS.replace("dog", "dog,cat", 1)),
        data="labels.csv",
        refused=("row 3", "2 fields"),
    ),
    Case(
        "an open quote",
        FLAT,
        named("file,label", rows=ROWS + '"1.png,cat\n'),
        data="labels.csv",
        refused=("labels.csv",),
    ),
    Case(
        "another encoding",
        FLAT,
        {"labels.csv": "file,label\n1.png,caf\xe9\n".encode("latin-1")},
        data="labels.csv",
        refused=("not UTF-8", "CSV UTF-8"),
    ),
    Case(
        "a column of parts",
        FLAT,
        table("file,label,split", "1.png,cat,train", "2.png,cat,Test", "3.png,dog,train", "4.png,dog,Test"),
        classes=TWO,
        said=("only dessin split --given keeps it",),
        parts={"train": 2, "test": 2},
    ),
    Case(
        "a column of folds",
        FLAT,
        table("file,label,fold", "1.png,cat,0", "2.png,cat,1", "3.png,dog,0", "4.png,dog,1"),
        classes=TWO,
        parts={"0": 2, "1": 2},
    ),
    Case(
        "a column set that is none",
        FLAT,
        table("file,label,set", "1.png,cat,blue", "3.png,dog,red"),
        classes={"cat": 1, "dog": 1},
    ),
]

BESIDE = [
    Case(
        "a table for each part",
        FLAT,
        {
            **table("file,label", "1.png,cat", "3.png,dog", name="train.csv"),
            **table("file,label", "2.png,cat", name="val.csv"),
        },
        refused=("train.csv, val.csv", "one table with a column split (train, val)"),
    ),
    Case(
        "a table of names whose images lie in several folders",
        (*under("part 1", FLAT[:2]), *under("part 2/b", FLAT[2:])),
        named("file,label"),
        TWO,
        ("4 found in a folder below", "the folders (part 1, part 2) are not used as classes"),
    ),
    Case(
        "a table of names that two folders hold",
        (*under("a", FLAT), *under("b", FLAT[:1])),
        named("file,label", rows=ROWS + "5.png,dog\n"),
        data="labels.csv",
        refused=("1 image", "5.png", "a does not hold"),
    ),
    Case(
        "a table of images without a plain label",
        CLASSES,
        table("file,mood,hand", "cat/1.png,good,left", "dog/3.png,bad,right"),
        TWO,
        ("labels.csv is not used: no column is plainly the label (mood, hand); name one of them label",),
    ),
    Case(
        "a column a class",
        FLAT,
        table("image,cat,dog", "1.png,1,0", "2.png,1,0", "3.png,0,1", "4.png,0,1"),
        refused=("no column is plainly the label (cat, dog)",),
    ),
    Case(
        "a list in a text file",
        FLAT,
        {"list.txt": ROWS},
        data="list.txt",
        refused=("image_path,label beside",),
    ),
    Case("the folder of a class", CLASSES, data="cat", refused=("name the folder above",)),
    Case(
        "a table of a few beside classes",
        CLASSES,
        table("file,label", "cat/1.png,tabby"),
        TWO,
        ("labels.csv is not used: it lists 1 of 4 images",),
    ),
    Case(
        "a table of most beside classes",
        CLASSES,
        table("file,label", "cat/1.png,a", "cat/2.png,a", "dog/3.png,b"),
        refused=("class folders (cat, dog)", "3 of their 4 images", "Name the table", "move it out"),
    ),
    Case(
        "a table of all beside folders",
        CLASSES,
        table("file,label", "cat/1.png,old", "cat/2.png,new", "dog/3.png,old", "dog/4.png,new"),
        {"old": 2, "new": 2},
        ("the folders (cat, dog) are not used as classes",),
    ),
    Case("a table of another thing beside classes", CLASSES, table("artist,year", "anna,2024"), TWO),
    Case(
        "a table of images that are not there beside classes",
        CLASSES,
        table("file,label", "x.png,tabby"),
        TWO,
        ("labels.csv is not used: it lists 0 of 4 images",),
    ),
    Case(
        "two tables of all",
        FLAT,
        {**named("file,label"), **named("file,label", name="other.csv")},
        refused=("2 CSVs", "labels.csv, other.csv", "Name one"),
    ),
    Case(
        "a table, named, beside classes",
        CLASSES,
        table("file,label", "cat/1.png,tabby", "dog/3.png,pug"),
        {"tabby": 1, "pug": 1},
        ("not listed in labels.csv): cat/2.png, dog/4.png",),
        data="labels.csv",
    ),
    Case("a list of ids without labels", CLASSES, table("file", "cat/1.png"), TWO),
    Case(
        "a sample of a submission beside the table",
        FLAT,
        {**named("file,label"), **table("file,label", "1.png,cat", name="sample_submission.csv")},
        TWO,
    ),
]


def fill_in(root: Path, value: str) -> None:
    file = root / "labels.csv"
    file.write_text(file.read_text().replace("{root}", value))

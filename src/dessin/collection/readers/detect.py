"""The table of layouts, which of them a path has, and reading it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dessin.collection.readers.collection import Collection, Reader
from dessin.collection.readers.columns import path_columns
from dessin.collection.readers.contest import ContestFolder
from dessin.collection.readers.csv_file import LabelCsv, choose_table
from dessin.collection.readers.folders import ClassFolders
from dessin.collection.readers.groups import group_by_pattern
from dessin.collection.readers.table import SUFFIXES
from dessin.collection.readers.walk import HEIC_SUFFIXES, file_rule, folder_rule, is_result
from dessin.errors import DessinError, install_command
from dessin.images.containers.heif import can_read_heic
from dessin.places import check_readable
from dessin.plugins import Table

_ARCHIVES = {
    ".zip": "unzip",
    **dict.fromkeys((".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst"), "tar xf"),
    **dict.fromkeys((".7z", ".rar"), "7z x"),
}
_SHEETS = frozenset({".xlsx", ".xls", ".ods", ".numbers"})


# In the order in which they are asked; readers of other packages come after these.
READERS: Table[Reader] = Table("reader", Reader, (ContestFolder(), LabelCsv()))  # type: ignore[type-abstract]
# Any folder may be one of class folders, so it is what is left.
_OTHERWISE = ClassFolders()


def reader_of(path: Path) -> Reader:
    """The first reader that knows the layout of a file or folder.

    Raises:
        DessinError: no such path, or no known layout.
    """
    check_readable(path)
    for reader in (*READERS.values(), _OTHERWISE):
        if reader.matches(path):
            return reader
    do = "Name the folder that holds the classes."
    if path.suffix.lower() in _ARCHIVES:
        do = f"Unpack it ({_ARCHIVES[path.suffix.lower()]}), and name the folder that comes out."
    elif path.suffix.lower() in _SHEETS:
        do = 'Save it as "CSV UTF-8" beside the images, and name that file.'
    elif path.suffix.lower() in (".txt", ".json", ".jsonl", ".xml", ".parquet"):
        do = "Save it as a CSV with the columns image_path,label beside the images, and name that."
    elif not file_rule(path.name):
        do = "It is a single image: name the folder that holds the classes."
    raise DessinError(
        f"{path} is neither a folder nor a CSV.",
        allowed="DATA is a folder of class folders, a CSV, or a contest folder.",
        do=do,
    )


def unwrapped(path: Path) -> Path:
    """The folder that holds the collection where archives were unpacked one level or more too deep.

    A folder with one folder alone in it stands for that one, where several classes or a table lie inside.
    """
    inner = path
    while inner.is_dir():
        folders, files = _contents(inner)
        if any(Path(file).suffix.lower() in SUFFIXES for file in files):
            return inner
        if not folders or any(not file_rule(file) for file in files):
            return path
        if len(folders) > 1:
            return inner
        inner = inner / folders[0]
    return path


def _contents(folder: Path) -> tuple[list[str], list[str]]:
    """The folders that may hold images, and the files; none where it is closed."""
    folders, files = [], []
    try:
        entries = list(folder.iterdir())
    except OSError:
        return [], []
    for entry in entries:
        if entry.is_symlink() and not entry.exists():
            continue
        if not entry.is_dir():
            files.append(entry.name)
        elif not folder_rule(entry.name) and not is_result(entry):
            folders.append(entry.name)
    return folders, files


def read_collection(data: str | Path, *, group: str | None = None) -> Collection:
    """Detect the layout of `data` and read it; `group` is a column of its CSV or a regular expression.

    Raises:
        DessinError: what `reader_of` or the layout's reader refuses, or a `group` that is neither.
    """
    given = Path(data).absolute()
    path, reader = given, reader_of(given)
    if reader is _OTHERWISE and unwrapped(given) != given:
        path = unwrapped(given)
        reader = reader_of(path)
    column = group if group in reader.columns(path) else None
    beside = choose_table(path).notes if reader is _OTHERWISE else ()
    try:
        collection = reader.read(path, column)
    except DessinError as error:
        if not beside:
            raise
        seen = " ".join([error.seen, *(f"{note}." for note in beside)])
        raise DessinError(seen, allowed=error.allowed, do=error.do) from None
    collection = replace(collection, notes=(*collection.notes, *beside))
    if path != given:
        note = f"{given.name} holds one folder alone, so {path.relative_to(given).as_posix()} in it is read"
        collection = replace(collection, notes=(note, *collection.notes))
    collection = _with_heic(collection)
    return _grouped(collection, group, column) if group else collection


def _with_heic(collection: Collection) -> Collection:
    """The collection, with a note of how many photographs are HEIC where they cannot be read here.

    Raises:
        DessinError: all of them.
    """
    heic = [item.image_id for item in collection.items if Path(item.image_id).suffix.lower() in HEIC_SUFFIXES]
    if not heic or can_read_heic():
        return collection
    cure = f"{install_command('heic')} (or let the phone save JPEG)"
    if len(heic) == len(collection.items):
        raise DessinError(f"All images in {collection.root} are HEIC photographs.", do=f"Install: {cure}.")
    note = f"{len(heic):,} HEIC photographs cannot be read without: {cure}"
    return replace(collection, notes=(*collection.notes, note))


def _grouped(collection: Collection, group: str, column: str | None) -> Collection:
    if column:
        group_by, items = f"column {column}", collection.items
        if path_columns([column]) and len({item.group for item in items}) == len(items):
            raise DessinError(
                f"--group {column} would make every image its own group.", do="Name another column."
            )
        if not any(item.group for item in items):
            raise DessinError(f"The column {column} is empty in every row.", do="Name another column.")
    else:
        group_by, items = f"pattern {group}", group_by_pattern(collection.items, group)
    groups = {item.group for item in items if item.group}
    alone = sum(not item.group for item in items)
    rest = f"images without one: {alone:,}" if alone else "every image has one"
    notes = (f"groups by {group_by}: {len(groups):,}; {rest}", *collection.notes)
    return replace(collection, items=items, group_by=group_by, notes=notes)

"""A contest's sample submission: which test image each row is about, and what each column wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.collection.readers.columns import path_columns
from dessin.collection.readers.contest import Contest
from dessin.collection.readers.joined import join_names
from dessin.collection.readers.table import read_table
from dessin.errors import DessinError, listing
from dessin.page.numbers import counted
from dessin.serving.form import Form
from dessin.serving.wanted import as_targets, wanted_by

DEFAULT_COLUMNS = ("ID", "image_path", "target")
_NUMBERED = ("", "id", "index", "row", "row_id", "no", "number", "unnamed: 0")
Table = Mapping[str, Sequence[str]]


def read_form(contest: Contest) -> Form:
    """The sample submission's form; without a sample ID,image_path,target in the order of the test images.

    Raises:
        DessinError: a sample of other images than the contest's, or whose meaning is not plain.
    """
    if not contest.samples:
        return _default(contest)
    if len(contest.samples) > 1:
        names = listing([path.name for path in contest.samples])
        raise DessinError(
            f"{contest.collection.root} has several sample submissions: {names}.",
            do="Leave the one that the contest wants there, and move the others away.",
        )
    sample = contest.samples[0]
    read = read_table(sample)
    columns = read.columns
    table = {column: read.column(column) for column in columns}
    if len(table) < len(columns):
        raise DessinError(
            f"{sample} has a column twice: {', '.join(columns)}.", do="Restore the contest's file."
        )
    column, image_ids = _images_of(sample, table, contest)
    place = {image_id: row for row, image_id in enumerate(contest.collection.test_ids)}
    listed = {
        name: tuple(cells[place[image_id]] for image_id in image_ids) for name, cells in contest.test.items()
    }
    kept = [
        name
        for name, cells in table.items()
        if name == column or listed.get(name) == cells or _is_kept(name, cells, image_ids)
    ]
    wanted = wanted_by(sample, contest, {name: table[name] for name in table if name not in kept})
    numbered = next((name for name in kept if name.casefold() in _NUMBERED), column)
    return Form(
        sample,
        columns,
        read.rows,
        image_ids,
        table[numbered],
        {columns.index(name): what for name, what in wanted.items()},
        read.delimiter,
    )


def _default(contest: Contest) -> Form:
    test_ids = contest.collection.test_ids
    paths = [image_id.removeprefix(contest.test_folder) for image_id in test_ids]
    numbers = tuple(map(str, range(len(test_ids))))
    rows = tuple((number, path, "") for number, path in zip(numbers, paths, strict=True))
    return Form(None, DEFAULT_COLUMNS, rows, test_ids, numbers, {2: as_targets(contest)})


def _is_kept(column: str, cells: Sequence[str], image_ids: Sequence[str]) -> bool:
    """Whether a column numbers the rows, or names their images in another way: no answer is wanted there."""
    if len(set(cells)) < len(cells):
        return False
    named = join_names(cells, image_ids)
    return column.casefold() in _NUMBERED or [named.get(cell) for cell in cells] == list(image_ids)


def _images_of(sample: Path, table: Table, contest: Contest) -> tuple[str, tuple[str, ...]]:
    """The column that names the test images, and that of each row."""
    test_ids = contest.collection.test_ids
    column, found = "", dict[str, str]()
    paths = sorted(path_columns(table), key=lambda name: name.casefold() in _NUMBERED)
    for name in dict.fromkeys((*paths, *table)):
        named = _named_by(sample, name, table[name], contest)
        if len(named) > len(found):
            column, found = name, named
        if len(found) == len(test_ids):
            break
    if not found:
        raise DessinError(
            f"No column of {sample} names the test images, such as {test_ids[0]}; its columns are "
            f"{listing(list(table))}.",
            allowed="A column has their paths or names, with or without an extension, or test.csv's ids.",
            do="Restore the contest's file.",
        )
    _check_images(sample, column, table[column], found, test_ids)
    return column, tuple(found[cell] for cell in table[column])


def _check_images(
    sample: Path, column: str, cells: Sequence[str], found: Mapping[str, str], test_ids: Sequence[str]
) -> None:
    """Refuse a sample that has not exactly one row for each test image."""
    named = set(found.values())
    twice = [cell for cell, count in Counter(cells).items() if count > 1]
    strange = [cell for cell in dict.fromkeys(cells) if cell not in found]
    missing = [image_id for image_id in test_ids if image_id not in named]
    said = [
        f"{counted(len(names), one, many)}: {listing(names)}"
        for names, one, many in (
            (twice, "image is in several rows", "images are in several rows"),
            (strange, "row names no test image", "rows name no test image"),
            (missing, "test image has no row", "test images have no row"),
        )
        if names
    ]
    if said:
        raise DessinError(
            f"{sample}, column {column}, does not fit the {counted(len(test_ids), 'test image')}; "
            f"{'; '.join(said)}.",
            allowed="A sample submission has one row for each test image.",
            do="Restore the contest's files.",
        )


def _named_by(sample: Path, column: str, cells: Sequence[str], contest: Contest) -> dict[str, str]:
    """cell → test image: by test.csv's own column of that name, else by its file, else by its row."""
    test_ids = contest.collection.test_ids
    own, used = contest.test.get(column, ()), set(cells)
    if len(set(own)) == len(own) and not used.isdisjoint(own):
        return {cell: image_id for cell, image_id in zip(own, test_ids, strict=True) if cell in used}
    by_file = join_names(tuple(dict.fromkeys(cells)), test_ids)
    if column.casefold() not in _NUMBERED or not contest.test:
        return by_file
    start = next((start for start in (0, 1) if used == {str(start + k) for k in range(len(test_ids))}), None)
    if start is None:
        return by_file
    by_row = {str(start + k): image_id for k, image_id in enumerate(test_ids)}
    if by_file and by_file != by_row:
        cell = next(cell for cell in cells if by_file.get(cell) != by_row[cell])
        raise DessinError(
            f"The column {column} of {sample} can be read in two ways: {cell} is row {cell} of test.csv "
            f"({by_row[cell]}), or the file {by_file.get(cell, 'of that number')}.",
            allowed="The ids are file names, or a column of the same name in test.csv has them too.",
            do=f"Add the column {column} to test.csv, or write the file names there.",
        )
    return by_row

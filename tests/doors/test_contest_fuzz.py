"""Contests of drawn shapes, whose submission is known; damaged tables are an answer or a sentence.

`DESSIN_FUZZ=20000 pytest tests/doors/test_contest_fuzz.py` tries as many of each.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random
from typing import Literal

import numpy as np
import pytest
from fuzz_kit import cases, rng

from dessin.collection.readers.contest import find_contest, read_contest
from dessin.committees.vote.verb import vote
from dessin.errors import DessinError
from dessin.serving.form import check_submission, fill
from dessin.serving.sample import read_form
from dessin.serving.wanted import contest_labels

pytestmark = pytest.mark.slow

WORDS = (
    "cat",
    "dog",
    "owl",
    "great_crab",
    "고양이",
    "new york",
    "1st",
    "n02084071",
    "x;y",
    'the "one"',
    "-tree",
)
FOLDERS = (
    ("train", "test"),
    ("train_images", "test_images"),
    ("images/train", "images/test"),
    ("images", "images"),
)
ID_NAMES = ("id", "ID", "image_id", "image", "filename", "path", "image_path", "Id")
LABEL_NAMES = ("label", "class_name", "breed", "category", "Label")
SAMPLES = ("sample_submission.csv", "sampleSubmission.csv", "submission_format.csv", "example_submission.csv")


@dataclass
class Drawn:
    """A contest as its organiser has it, and what is right: the submission's text."""

    files: dict[str, str]
    images: list[str]
    truth: dict[str, str]
    submission: str


def text_of(columns: list[str], rows: list[list[str]], separator: str) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", delimiter=separator)
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def draw(dice: Random) -> Drawn:
    classes = sorted(dice.sample(WORDS, dice.randint(2, 5)))
    if dice.random() < 0.2:
        classes = sorted(map(str, dice.sample(range(30), len(classes))))
    train_in, test_in = dice.choice(FOLDERS)
    suffix = dice.choice((".png", ".JPEG", ".jpg"))
    nested = train_in != test_in and dice.random() < 0.3
    trained = {
        f"{'sub/' if nested else ''}a{n}{suffix}": classes[n % len(classes)] for n in range(2 * len(classes))
    }
    tests = {f"t{n:02}{suffix}": dice.choice(classes) for n in dice.sample(range(40), dice.randint(2, 6))}
    bare, separator = dice.random() < 0.4, dice.choice((",", ",", ";", "\t"))
    folder = dice.random() < 0.2

    def written(name: str, base: str) -> str:
        path = f"{base}/{name}" if folder else name
        return str(PurePosixPath(path).with_suffix("")) if bare else path

    id_name, label_name = dice.choice(ID_NAMES), dice.choice(LABEL_NAMES)
    numbers = dict(zip(classes, dice.sample(range(50), len(classes)), strict=True))
    numbered = dice.random() < 0.5 and not classes[0].isdigit()
    columns = [id_name, label_name, *(["target"] if numbered else [])]
    rows = [
        [written(name, train_in), label, *([str(numbers[label])] if numbered else [])]
        for name, label in trained.items()
    ]
    dice.shuffle(rows)
    files = {"train.csv": text_of(columns, rows, separator)}
    order = list(tests)
    if dice.random() < 0.6:
        dice.shuffle(order)
        files["test.csv"] = text_of([id_name], [[written(name, test_in)] for name in order], ",")
    dice.shuffle(order)
    kind = dice.choice(("names", "probabilities", *(["numbers"] if numbered else ["ranks"])))
    texts = {label: label for label in classes}
    if kind in ("numbers", "ranks"):
        own = numbers if numbered else {label: rank for rank, label in enumerate(classes)}
        texts = {label: str(own[label]) for label in classes}
        kind = "names" if classes[0].isdigit() else kind
        texts = {label: label for label in classes} if classes[0].isdigit() else texts
    if kind == "probabilities":
        head = dice.sample(classes, len(classes))
        answers = [[share(label, tests[name], len(classes)) for label in head] for name in order]
        dummy = [["0"] * len(head) for _ in order]
    else:
        head = {"names": [label_name], "numbers": ["target"], "ranks": ["prediction"]}[kind]
        answers = [[texts[tests[name]]] for name in order]
        dummy = [[texts[classes[0]]] for _ in order]
    first = dice.random() < 0.8
    ids = [[written(name, test_in)] for name in order]
    head = [id_name, *head] if first else [*head, id_name]

    def filled(cells: list[list[str]]) -> str:
        pairs = zip(ids, cells, strict=True)
        return text_of(head, [[*i, *c] if first else [*c, *i] for i, c in pairs], separator)

    files[dice.choice(SAMPLES)] = filled(dummy)
    images = [f"{train_in}/{name}" for name in trained] + [f"{test_in}/{name}" for name in tests]
    return Drawn(
        files, images, {f"{test_in}/{name}": label for name, label in tests.items()}, filled(answers)
    )


def share(label: str, true: str, classes: int) -> str:
    return "0.75" if label == true else f"{0.25 / max(1, classes - 1):.9g}"


def put(drawn: Drawn, root: Path) -> Path:
    for name in drawn.images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    for name, text in drawn.files.items():
        (root / name).write_text(text, encoding="utf-8", newline="")
    return root


def submitted(root: Path, truth: dict[str, str]) -> str:
    contest = read_contest(root)
    form = read_form(contest)
    labels = contest_labels(contest, contest.collection.classes[::-1])
    told = {
        image_id: np.array(
            [float(share(label, truth.get(image_id, labels[0]), len(labels))) for label in labels]
        )
        for image_id in contest.collection.test_ids
    }
    text = fill(form, told, labels)
    check_submission(text, form)
    return text


def test_drawn_contests_are_submitted_rightly(tmp_path: Path) -> None:
    dice = rng("contests")
    for case in range(cases(80)):
        drawn = draw(dice)
        root = put(drawn, tmp_path / str(case))
        assert submitted(root, drawn.truth) == drawn.submission, (case, drawn.files)


def damaged(text: str, dice: Random) -> bytes:
    """One to three faults: bytes, lines, cells, quotes, encodings."""
    data = bytearray(text.encode())
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(data) + 1)
        lines = bytes(data).split(b"\n")
        row = dice.randrange(len(lines))
        match dice.randrange(9):
            case 0:
                data[place:place] = bytes(dice.choices(range(256), k=dice.randint(1, 3)))
            case 1:
                del data[place : place + dice.randint(1, 9)]
            case 2:
                data[place:place] = dice.choice(
                    (b'"', b",", b";", b"\n", b"\r", b"\t", b"\0", b"\\", b"/", b"..", b"=")
                )
            case 3:
                lines.pop(row)
                data = bytearray(b"\n".join(lines))
            case 4:
                data = bytearray(b"\n".join([*lines[:row], lines[row], *lines[row:]]))
            case 5:
                lines[row] = dice.choice(
                    (b"", b"0", b"nan", b"1e999", b"9" * 40, "é\u0301".encode(), b"id,id")
                )
                data = bytearray(b"\n".join(lines))
            case 6:
                cells = lines[row].split(b",")
                cells[dice.randrange(len(cells))] = dice.choice(
                    (b"", b"0", b"-1", b"0.5", b"cat", b"../x", b"1" * 5000)
                )
                lines[row] = b",".join(cells)
                data = bytearray(b"\n".join(lines))
            case 7:
                data = data[:place]
            case _:
                data = bytearray(bytes(data).decode("utf-8", "replace").encode("utf-16"))
    return bytes(data)


def test_damaged_tables_are_an_answer_or_a_sentence(tmp_path: Path) -> None:
    dice = rng("damaged contests")
    read = longest = 0
    for case in range(cases(80)):
        drawn = draw(dice)
        root = put(drawn, tmp_path / str(case % 50) / str(case))
        for name in dice.sample(sorted(drawn.files), dice.randint(1, len(drawn.files))):
            (root / name).write_bytes(damaged(drawn.files[name], dice))
        try:
            if find_contest(root):
                submitted(root, drawn.truth)
                read += 1
        except DessinError as error:
            longest = max(longest, len(str(error)))
    assert read, "some damage is harmless"
    assert longest < 2_000


def test_damaged_submissions_vote_or_are_a_sentence(tmp_path: Path) -> None:
    dice = rng("damaged submissions")
    counted = longest = 0
    for case in range(cases(80)):
        drawn = draw(dice)
        files = [tmp_path / f"{case % 50}-{n}.csv" for n in range(2)]
        for file in files:
            data = drawn.submission.encode() if dice.random() < 0.3 else damaged(drawn.submission, dice)
            file.write_bytes(data)
        rule: Literal["soft", "hard"] = "soft" if dice.random() < 0.3 else "hard"
        try:
            vote(files, rule=rule, out=tmp_path / "voted.csv", align=dice.choice(("refuse", "common")))
            counted += 1
        except DessinError as error:
            longest = max(longest, len(str(error)))
    assert counted, "some damage is harmless"
    assert longest < 2_000

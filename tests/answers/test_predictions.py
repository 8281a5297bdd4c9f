"""Prediction files: what was written comes back, joined by image id, and a mix-up is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dessin.answers.predictions import (
    Predictions,
    join_out_of_fold,
    read_predictions,
    to_predictions,
    write_predictions,
)
from dessin.collection.split.files import Assignment
from dessin.errors import DessinError

CLASSES = ("ant", "bee", 'cat, "big"', "dog", "eel", "fox")


def some() -> Predictions:
    table = np.random.default_rng(0).dirichlet(np.ones(6), 5).astype(np.float32)
    rows = [
        Assignment(f"x/{i},{CLASSES[i]}.png", CLASSES[i], f"g{i}", None if i % 2 else i) for i in range(5)
    ]
    return to_predictions(table, rows, CLASSES)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    predictions = some()
    write_predictions(predictions, tmp_path / "validation")
    again = read_predictions(tmp_path / "validation")
    assert (again.probabilities == predictions.probabilities).all()
    assert again.probabilities.dtype == np.float32
    for name in ("image_ids", "labels", "folds", "classes"):
        assert getattr(again, name) == getattr(predictions, name)
    assert again.folds == ("0", "holdout", "2", "holdout", "4")


def test_the_table_for_people_agrees_with_the_array(tmp_path: Path) -> None:
    predictions = some()
    write_predictions(predictions, tmp_path)
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["image_id", "label", "fold", "predicted", "probability", "correct"]
    for row, table, label in zip(rows, predictions.probabilities, predictions.labels, strict=True):
        ranked = [CLASSES[c] for c in np.argsort(-table)]
        assert [row["predicted"], *(row[f"top{i}"] for i in range(2, 6))] == ranked[:5]
        assert float(row["probability"]) == pytest.approx(table.max(), abs=1e-6)
        assert row["correct"] == str(int(ranked[0] == label))


def test_rows_are_joined_by_id_and_not_by_position(tmp_path: Path) -> None:
    predictions = some()
    write_predictions(predictions, tmp_path)
    path = tmp_path / "predictions.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text(head + "".join(reversed(rows)))
    again = read_predictions(tmp_path)
    assert again.labels == predictions.labels
    assert (again.targets == predictions.targets).all()


def test_two_classes_have_a_second_place_and_no_third(tmp_path: Path) -> None:
    rows = [Assignment("a.png", "ant", "a.png", 0)]
    write_predictions(to_predictions(np.array([[0.5, 0.5]], np.float32), rows, ("ant", "bee")), tmp_path)
    assert (tmp_path / "predictions.csv").read_text().splitlines() == [
        "image_id,label,fold,predicted,probability,correct,top2",
        "a.png,ant,0,ant,0.500000,1,bee",
    ]


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    def broken(name: str, change: object) -> Path:
        folder = tmp_path / name
        write_predictions(some(), folder)
        change(folder)  # type: ignore[operator]
        return folder

    def shorten(folder: Path) -> None:
        np.save(folder / "probabilities.npy", np.zeros((4, 6), np.float32))

    def pickled(folder: Path) -> None:
        np.save(folder / "probabilities.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    def renamed(folder: Path) -> None:
        text = (folder / "image_ids.csv").read_text()
        (folder / "image_ids.csv").write_text(text.replace("x/0", "y/0"))

    def other_class(folder: Path) -> None:
        text = (folder / "classes.csv").read_text()
        (folder / "classes.csv").write_text(text.replace("ant", "gnu"))

    for name, change, seen in (
        ("short", shorten, "do not belong together"),
        ("pickle", pickled, "not a whole, plain array"),
        ("ids", renamed, "same images"),
        ("classes", other_class, '"ant"'),
        ("gone", lambda folder: (folder / "probabilities.npy").unlink(), "no file"),
    ):
        with pytest.raises(DessinError, match=seen):
            read_predictions(broken(name, change))


def test_a_join_is_by_name_whatever_the_order() -> None:
    predictions = some()
    ids, classes = predictions.image_ids[::-1], predictions.classes[::-1]
    assert np.array_equal(predictions.table(ids, classes), predictions.probabilities[::-1, ::-1])
    turned = predictions.of(ids)
    assert turned.labels == predictions.labels[::-1]
    assert np.array_equal(turned.correct, predictions.correct[::-1])
    for images, labels in ((("z.png",), classes), (ids, ("zebra",))):
        with pytest.raises(DessinError, match="say nothing of"):
            predictions.table(images, labels)


def test_out_of_fold_each_image_has_one_answer() -> None:
    whole = some()
    rows = [Assignment(i, label, i, 0) for i, label in zip(whole.image_ids, whole.labels, strict=True)]
    parts = [whole.of(whole.image_ids[2:]), whole.of(whole.image_ids[:2])]
    assert np.array_equal(join_out_of_fold(parts, rows, whole.classes), whole.probabilities)
    for wrong, seen in ((parts[:1], "by 0 of the models"), ([*parts, parts[1]], "by 2 of the models")):
        with pytest.raises(DessinError, match=seen):
            join_out_of_fold(wrong, rows, whole.classes)
    with pytest.raises(DessinError, match="and the split has 6"):
        join_out_of_fold(parts, rows, (*whole.classes[:-1], "zebra"))

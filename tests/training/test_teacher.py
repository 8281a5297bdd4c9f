"""Soft labels: a teacher that says what the labels say changes nothing, one that errs is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import CLASSES, TinyNet, final_bytes, make_data, make_settings, make_training, run_tiny
from torch.nn import functional

from dessin.answers.soft_labels import SoftLabels, read_soft_labels, write_soft_labels
from dessin.answers.teacher import read_teacher, teacher_targets
from dessin.errors import DessinError
from dessin.models.losses import make_loss
from dessin.recipe import TeacherSpec, make_recipe
from dessin.statistics.temperature import tempered
from dessin.training.data import TrainingData
from dessin.training.loop import fit

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "c")
MIXED = ["hflip", "rotate(15)", "mixup_or_cutmix(0.4, 1.0)"]


def ids_of(data: TrainingData) -> list[str]:
    return [data.store.image_ids[row] for row in data.train_rows]


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[labels]


def guesses(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(CLASSES), count).astype(np.float32)


def taught(
    folder: Path, table: np.ndarray, *, data: TrainingData | None = None, weight: float = 0.9, **spec: float
) -> TrainingData:
    """The tiny data with a teacher whose files are read from `folder`; `table` has a row a training image."""
    data = data or make_data()
    write_soft_labels(SoftLabels(tuple(ids_of(make_data())), NAMES, table), folder)
    given = TeacherSpec(labels=str(folder), weight=weight, **spec)
    teacher = read_teacher(given, ids_of(data), NAMES)
    assert teacher is not None
    targets = teacher_targets(teacher.probabilities, data.train_labels, given)
    return TrainingData(
        data.store, data.train_rows, data.train_labels, data.validation_rows, data.validation_labels, targets
    )


def bytes_after(folder: Path, data: TrainingData, **changes: Any) -> str:
    model, _ = run_tiny(folder, recipe=make_settings(**changes), data=data)
    return final_bytes(folder, model)


@pytest.mark.parametrize("loss", ["cross_entropy", "label_smoothing(0.1)", "focal(2.0)", "asymmetric(0, 4)"])
def test_a_teacher_without_weight_or_with_the_labels_own_words_changes_no_byte(
    tmp_path: Path, loss: str
) -> None:
    changes = {"loss": loss, "augment": MIXED, "copies": ["vflip"], "train": {"class_weights": "balanced"}}
    data = make_data()
    plain = bytes_after(tmp_path / "plain", data, **changes)
    silent = taught(tmp_path / "s", guesses(24), weight=0.0)
    assert bytes_after(tmp_path / "silent", silent, **changes) == plain
    for number, weight in enumerate((0.9, 1.0)):
        echo = taught(tmp_path / f"e{number}", one_hot(data.train_labels), weight=weight, temperature=3.0)
        assert bytes_after(tmp_path / f"echo{number}", echo, **changes) == plain
    other = taught(tmp_path / "o", guesses(24))
    assert bytes_after(tmp_path / "other", other, **changes) != plain


def test_neither_the_order_of_the_files_nor_that_of_the_images_matters(tmp_path: Path) -> None:
    table = guesses(24)
    whole = taught(tmp_path / "whole", table)
    ids, random = ids_of(make_data()), np.random.default_rng(1)
    rows, columns = random.permutation(24), [2, 0, 1]
    shuffled = SoftLabels(
        tuple(ids[i] for i in rows), tuple(NAMES[c] for c in columns), table[np.ix_(rows, columns)]
    )
    write_soft_labels(shuffled, tmp_path / "shuffled")
    read = read_soft_labels(tmp_path / "shuffled")
    assert read.digest == read_soft_labels(tmp_path / "whole").digest
    assert read.digest != SoftLabels(read.image_ids, read.classes, guesses(24, 5)).digest
    found = read_teacher(TeacherSpec(labels=str(tmp_path / "shuffled")), ids, NAMES)
    assert found is not None
    np.testing.assert_array_equal(found.probabilities, table)
    moved = taught(tmp_path / "moved", table, data=make_data(permuted=True))
    assert moved.digest == whole.digest
    assert bytes_after(tmp_path / "m", moved) == bytes_after(tmp_path / "w", whole)


def test_a_teacher_that_says_b_of_every_a_is_believed(tmp_path: Path) -> None:
    whole = make_data(train=48)
    rows, hard = whole.validation_rows, whole.validation_labels
    # Nothing is validated, so that the last epoch counts and not the one that the labels like best.
    none = np.zeros(0, dtype=np.int64)
    data = TrainingData(whole.store, whole.train_rows, whole.train_labels, none, none)
    table = one_hot(np.where(data.train_labels == 0, 1, data.train_labels))
    write_soft_labels(SoftLabels(tuple(ids_of(data)), NAMES, table), tmp_path / "labels")
    spec = TeacherSpec(labels=str(tmp_path / "labels"), weight=1.0)
    teacher = read_teacher(spec, ids_of(data), NAMES)
    assert teacher is not None
    targets = teacher_targets(teacher.probabilities, data.train_labels, spec)
    misled = TrainingData(data.store, data.train_rows, data.train_labels, none, none, targets)
    recipe = make_settings(train={"epochs": 12}, optimizer={"lr": 0.03}, augment=[])
    said = {}
    for name, given in (("misled", misled), ("told", data)):
        model, _ = run_tiny(tmp_path / name, recipe=recipe, data=given)
        with torch.inference_mode():
            pixels = torch.from_numpy(np.array(data.store.pixels))[rows]
            answers = model.eval()(pixels).argmax(1).numpy()
        said[name] = answers[hard == 0]
    assert (said["misled"] == 1).all()
    assert (said["told"] == 0).all()


def test_the_targets_worked_by_hand() -> None:
    probabilities = np.array([[0.64, 0.36, 0.0], [0.2, 0.2, 0.6]], dtype=np.float32)
    soft = np.array([[0.8, 0.6, 0.0]]) / 1.4
    np.testing.assert_allclose(tempered(probabilities[:1], 2.0), soft, atol=1e-7)
    targets = teacher_targets(probabilities, np.array([2, 0]), TeacherSpec(labels="x", weight=0.75))
    np.testing.assert_allclose(targets, [[0.48, 0.27, 0.25], [0.4, 0.15, 0.45]], atol=1e-6)
    assert targets.sum(axis=1) == pytest.approx([1.0, 1.0])
    sharp, flat = tempered(probabilities, 0.01), tempered(probabilities, 100.0)
    np.testing.assert_allclose(sharp, [[1, 0, 0], [0, 0, 1]], atol=1e-6)
    assert flat[1].max() - flat[1].min() < 0.01


def test_a_mixture_of_targets_is_the_mixture_of_the_losses() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, CLASSES, generator=generator, dtype=torch.float64)
    teacher, labels = guesses(5), np.array([0, 1, 2, 0, 1])
    spec = TeacherSpec(labels="x", weight=0.7, temperature=2.0)
    joined = make_loss("cross_entropy")(logits, torch.from_numpy(teacher_targets(teacher, labels, spec)))
    soft = torch.from_numpy(tempered(teacher, 2.0))
    apart = 0.7 * -(soft * logits.log_softmax(1)).sum(1)
    apart += 0.3 * functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    torch.testing.assert_close(joined, apart, atol=1e-6, rtol=1e-6)


class StoppedError(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes_and_with_the_same_teacher_only(
    tmp_path: Path,
) -> None:
    recipe = make_settings(augment=MIXED, train={"epochs": 3}, teacher={"labels": "here", "weight": 0.9})
    elsewhere = make_settings(augment=MIXED, train={"epochs": 3}, teacher={"labels": "moved", "weight": 0.9})
    data = taught(tmp_path / "labels", guesses(24))
    whole, _ = run_tiny(tmp_path / "whole", recipe=recipe, data=data)

    def stop(row: Any) -> None:
        if row.epoch == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(make_training(TinyNet(), recipe, data), tmp_path / "broken", on_epoch=stop)
    spoilt = taught(tmp_path / "spoilt", guesses(24, seed=1))
    for changed, given in ((recipe, spoilt), (recipe, make_data()), (make_settings(augment=MIXED), data)):
        with pytest.raises(DessinError, match="cannot be resumed as it was begun"):
            run_tiny(tmp_path / "broken", recipe=changed, data=given, resume=True)
    model, _ = run_tiny(tmp_path / "broken", recipe=elsewhere, data=data, resume=True)
    assert final_bytes(tmp_path / "broken", model) == final_bytes(tmp_path / "whole", whole)


def _broken(table: np.ndarray, row: int, values: list[float]) -> np.ndarray:
    table = table.copy()
    table[row] = values
    return table


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ids, table: (ids[1:], NAMES, table[1:]), "say nothing of 1 of 24 training images: 000.png"),
        (lambda ids, table: (ids, ("a", "b", "d"), table), "they differ in c"),
        (lambda ids, table: (ids, NAMES[:2], one_hot(np.zeros(24, int))[:, :2]), "have 2 classes"),
        (lambda ids, table: (ids, NAMES, _broken(table, 3, [np.nan, 0.5, 0.5])), "003.png sums to nan"),
        (lambda ids, table: (ids, NAMES, _broken(table, 4, [np.inf, 0.5, 0.5])), "004.png sums to inf"),
        (lambda ids, table: (ids, NAMES, _broken(table, 5, [0.5, 0.5, 0.5])), "005.png sums to 1.5"),
        (lambda ids, table: (ids, NAMES, _broken(table, 6, [1.5, -0.5, 0.0])), "no distribution for 1 of 24"),
        (lambda ids, table: ((ids[1], *ids[1:]), NAMES, table), "the image 001.png twice"),
        (lambda ids, table: (ids, ("a", "b", "b"), table), "the class b twice"),
        (lambda ids, table: (ids[:-1], NAMES, table), "of the shape"),
        (lambda ids, table: (ids, NAMES, table.astype(np.int64)), "no distribution"),
    ],
)
def test_what_is_no_teacher_of_these_images_is_refused(
    tmp_path: Path, change: Callable[..., Any], said: str
) -> None:
    ids = ids_of(make_data())
    write_soft_labels(SoftLabels(*change(tuple(ids), guesses(24))), tmp_path / "labels")
    with pytest.raises(DessinError) as caught:
        read_teacher(TeacherSpec(labels=str(tmp_path / "labels")), ids, NAMES)
    assert said in str(caught.value)


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    spec = TeacherSpec(labels=str(tmp_path / "labels"))
    with pytest.raises(DessinError, match="There is no file"):
        read_teacher(spec, ["x"], NAMES)
    write_soft_labels(SoftLabels(("x",), NAMES, guesses(1)), tmp_path / "labels")
    for content in (b"no array", b""):
        (tmp_path / "labels" / "probabilities.npy").write_bytes(content)
        with pytest.raises(DessinError, match="not a whole, plain array"):
            read_teacher(spec, ["x"], NAMES)
    np.save(tmp_path / "labels" / "probabilities.npy", np.ones((1, 3), dtype=np.int64))
    with pytest.raises(DessinError, match="holds int64"):
        read_teacher(spec, ["x"], NAMES)
    assert read_teacher(TeacherSpec(), ["x"], NAMES) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teacher": {"weight": 0.5}}, "weight acts only where labels"),
        ({"teacher": {"temperature": 2.0}}, "temperature acts only where labels"),
        ({"teacher": {"labels": "x", "weight": 1.5}}, "teacher.weight"),
        ({"teacher": {"labels": "x", "temperature": 0.0}}, "teacher.temperature"),
        ({"teacher": {"labels": "x", "temperature": float("nan")}}, "teacher.temperature"),
        ({"teacher": {"lables": "x"}}, "teacher.labels"),
        ({"teacher": {"labels": "x"}, "finetune": {"mode": "probe"}}, "a probe is fitted to labels"),
        ({"teacher": {"labels": "x"}, "loss": "triplet(0.2)"}, "compares images by their one class"),
    ],
)
def test_a_recipe_in_which_a_teacher_would_not_act_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DessinError) as caught:
        make_recipe(changes)
    assert said in str(caught.value)
    assert make_recipe({}).teacher.labels is None

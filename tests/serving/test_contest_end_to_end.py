"""A contest of 500 classes from its folder to a valid submission, and what a submission must not be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contest_kit import make_contest
from tiny_bundle import make_bundle

from dessin.collection.duplicates import find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.readers.contest import Contest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.plan import plan_split
from dessin.errors import DessinError
from dessin.files import csv_text, write_csv
from dessin.reading import read_csv
from dessin.serving.form import Form, check_submission
from dessin.serving.predict import find_images, predict
from dessin.serving.runtime import Predictions, Refused, Runtime
from dessin.serving.submit import answer_all, submit
from dessin.serving.wanted import Wanted, contest_labels

pytestmark = pytest.mark.slow

CLASSES, PER_CLASS, TEST = 500, 3, 250
Folder = tuple[Path, tuple[int, ...], Path]


def _wnid(number: int) -> str:
    return f"n{10_000_000 + 37 * number}"


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The contest folder, its hidden targets, and a model trained on all of it."""
    out = tmp_path_factory.mktemp("contest")
    rows = [(_wnid(c), f"{_wnid(c)}/sketch_{n}.JPEG") for c in range(CLASSES) for n in range(PER_CLASS)]
    hidden = make_contest(out / "c", rows, test=TEST, size=40, seed=1)
    examples: dict[str, list[bytes]] = {}
    for name, path in rows:
        examples.setdefault(name, []).append((out / "c" / "data" / "train" / path).read_bytes())
    # Columns in another order than the contest's: the labels decide, not the positions.
    model = make_bundle(out / "model", examples, classes=sorted(examples, reverse=True))
    return out / "c", hidden, model


def test_the_folder_becomes_a_valid_submission(contest: Folder, tmp_path: Path) -> None:
    folder, hidden, model = contest
    out = tmp_path / "submission.csv"
    submit(model, folder, out=out)
    rows = read_csv(out, ("ID", "image_path", "target"))[1]
    sample = read_csv(folder / "data" / "sample_submission.csv", ())[1]
    assert out.read_text().splitlines()[0] == "ID,image_path,target"
    assert [(row["ID"], row["image_path"]) for row in rows] == [(r["ID"], r["image_path"]) for r in sample]
    targets = np.array([int(row["target"]) for row in rows])
    assert targets.min() >= 0
    assert targets.max() < CLASSES
    # Chance is 0.2%: rows or targets out of step would show.
    assert (targets == np.array(hidden)).mean() > 0.02


def test_the_same_folder_is_read_described_and_split(contest: Folder) -> None:
    folder, _, _ = contest
    collection = read_collection(folder)
    assert (len(collection.classes), len(collection.items)) == (CLASSES, CLASSES * PER_CLASS)
    assert len(collection.test_ids) == TEST
    assert sum(len(paths) for paths in collection.skipped.values()) >= 2
    manifest = build_manifest(collection)
    assert {row.mode for row in manifest.rows} == {"L", "RGB"}
    scan = scan_images(manifest)
    split = plan_split(manifest, scan, find_duplicates(manifest, scan), folds=2, holdout=0.2, seed=0)
    assert len(split.classes) == CLASSES
    assert len(split.held_out()) > 0


def test_targets_follow_the_images_of_a_list_in_another_order(contest: Folder, tmp_path: Path) -> None:
    folder, _, model = contest
    before = {row.image_path: row.target for row in submit(model, folder, out=tmp_path / "a.csv")}
    root = folder / "data"
    kept = {name: (root / name).read_bytes() for name in ("test.csv", "sample_submission.csv")}
    try:
        paths = [row["image_path"] for row in read_csv(root / "test.csv", ("image_path",))[1]][::-1]
        write_csv(root / "test.csv", ("image_path",), [(path,) for path in paths])
        (root / "sample_submission.csv").unlink()
        after = submit(model, folder, out=tmp_path / "b.csv")
    finally:
        for name, data in kept.items():
            (root / name).write_bytes(data)
    assert [row.image_path for row in after] == paths
    assert [row.identifier for row in after] == [str(number) for number in range(TEST)]
    assert {row.image_path: row.target for row in after} == before


def test_an_unreadable_test_image_gets_the_commonest_answer(contest: Folder, tmp_path: Path) -> None:
    folder, _, model = contest
    before = submit(model, folder, out=tmp_path / "a.csv")
    broken = folder / "data" / "test" / before[7].image_path
    data = broken.read_bytes()
    try:
        broken.write_bytes(data[:100])
        after = submit(model, folder, out=tmp_path / "b.csv")
    finally:
        broken.write_bytes(data)
    others = [row.target for number, row in enumerate(after) if number != 7]
    assert others == [row.target for number, row in enumerate(before) if number != 7]
    assert others.count(after[7].target) == max(others.count(target) for target in others)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A contest of three classes with ids without extension and no test.csv, and its model."""
    out = tmp_path_factory.mktemp("small")
    rows = [(name, f"{name}{n}.JPEG") for name in ("cat", "dog", "owl") for n in range(4)]
    make_contest(out / "c", rows, test=9, size=40, seed=2)
    root = out / "c" / "data"
    examples: dict[str, list[bytes]] = {}
    for name, path in rows:
        examples.setdefault(name, []).append((root / "train" / path).read_bytes())
    write_csv(
        root / "train.csv", ("id", "label"), [(path.removesuffix(".JPEG"), name) for name, path in rows]
    )
    for name in ("test.csv", "sample_submission.csv"):
        (root / name).unlink()
    return root, make_bundle(out / "model", examples, classes=("owl", "cat", "dog"))


def by_predict(model: Path, root: Path, out: Path) -> dict[str, str]:
    """What `predict` says of the test images: the number in the name → the label."""
    predict(model, [root], out=out / "p.csv")
    return {Path(row["image_id"]).stem: row["predicted"] for row in read_csv(out / "p.csv", ("image_id",))[1]}


def test_names_are_submitted_as_predict_names_them(small: tuple[Path, Path], tmp_path: Path) -> None:
    root, model = small
    ids = [str(n) for n in (3, 1, 4, 0, 5, 8, 2, 6, 7)]
    write_csv(root / "sampleSubmission.csv", ("label", "id"), [("dog", name) for name in ids])
    rows = submit(model, root, out=tmp_path / "s.csv")
    (root / "sampleSubmission.csv").unlink()
    told = by_predict(model, root, tmp_path)
    assert len(set(told.values())) > 1
    expected = "".join(f"{told[name]},{name}\n" for name in ids)
    assert (tmp_path / "s.csv").read_text() == f"label,id\n{expected}"
    assert [row.identifier for row in rows] == ids
    assert [("cat", "dog", "owl")[row.target] for row in rows] == [told[name] for name in ids]


def test_probabilities_are_submitted_also_of_an_image_that_cannot_be_read(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    root, model = small
    sample = root / "submission_format.csv"
    write_csv(sample, ("image", "dog", "owl", "cat"), [(f"{n}.JPEG", 0, 0, 0) for n in range(9)])
    broken = root / "test" / "4.JPEG"
    data = broken.read_bytes()
    try:
        broken.write_bytes(data[:50])
        submit(model, root, out=tmp_path / "s.csv")
    finally:
        broken.write_bytes(data)
        sample.unlink()
    rows = read_csv(tmp_path / "s.csv", ("image", "dog", "owl", "cat"))[1]
    shares = np.array([[float(row[label]) for label in ("owl", "cat", "dog")] for row in rows])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-8)
    files = [file.path for file in find_images([root])]
    told = Runtime.load(model).predict_paths(files)
    names = [Path(name).name for name in told.image_ids]
    known = [names.index(f"{n}.JPEG") for n in range(9) if n != 4]
    np.testing.assert_allclose(np.delete(shares, 4, axis=0), told.probabilities[known], atol=1e-6)
    best = np.delete(shares, 4, axis=0).argmax(axis=1)
    common = np.bincount(best).argmax()
    np.testing.assert_allclose(
        shares[4], np.delete(shares, 4, axis=0)[best == common].mean(axis=0), atol=1e-6
    )


def test_the_sample_is_never_overwritten(small: tuple[Path, Path]) -> None:
    root, model = small
    sample = root / "sample_submission.csv"
    write_csv(sample, ("id", "label"), [(n, "cat") for n in range(9)])
    before = sample.read_bytes()
    with pytest.raises(DessinError, match="is the contest's sample submission"):
        submit(model, root, out=sample)
    assert sample.read_bytes() == before
    sample.unlink()


def test_a_sample_is_checked_before_the_model_is_read(
    small: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, model = small
    monkeypatch.delattr(Runtime, "load")
    write_csv(root / "sample_submission.csv", ("id", "label"), [(n, "cat") for n in range(1, 10)])
    try:
        with pytest.raises(
            DessinError, match=r"1 row names no test image: 9; 1 test image has no row: test/0\.JPEG"
        ):
            submit(model, root, out=tmp_path / "s.csv")
    finally:
        (root / "sample_submission.csv").unlink()


def test_a_contest_stands_for_its_test_images(contest: Folder) -> None:
    folder, _, _ = contest
    listed = [row["image_path"] for row in read_csv(folder / "data" / "test.csv", ("image_path",))[1]]
    assert [file.image_id for file in find_images([folder / "data"])] == [f"test/{path}" for path in listed]
    by_csv = find_images([folder / "data" / "test.csv"])
    assert [file.image_id for file in by_csv] == [f"test/{path}" for path in listed]


def test_a_model_of_other_classes_is_refused(contest: Folder, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"500 only the contest has .* 3 only the model has"):
        submit(bundle, contest[0], out=tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_a_folder_that_is_no_contest_is_refused(contest: Folder, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="no test images"):
        submit(contest[2], contest[0] / "data" / "train", out=tmp_path / "s.csv")


@pytest.mark.parametrize(
    ("model_classes", "found"),
    [
        (("b", "c", "A"), ("b", "c", "A")),
        (("B", "C", "a"), ("b", "c", "A")),
        (("02", "1", "0"), ("c", "b", "A")),
    ],
)
def test_a_model_may_spell_the_classes_otherwise(
    model_classes: tuple[str, ...], found: tuple[str, ...], tmp_path: Path
) -> None:
    collection = Collection(tmp_path, "contest", (), ("A", "b", "c"), {})
    task = Contest(collection, targets={"A": 0, "b": 1, "c": 2})
    assert contest_labels(task, model_classes) == found


def test_classes_that_differ_in_capitals_alone_are_not_taken_for_each_other(tmp_path: Path) -> None:
    task = Contest(Collection(tmp_path, "contest", (), ("A", "a"), {}))
    assert contest_labels(task, ("a", "A")) == ("a", "A")
    with pytest.raises(DessinError, match=r"1 only the contest has \(A\)"):
        contest_labels(task, ("a", "b"))


def test_nothing_readable_is_no_submission() -> None:
    nothing = Predictions((), np.zeros((0, 2), dtype=np.float32), (Refused("test/0.JPEG", "empty file"),))
    with pytest.raises(DessinError, match="Not one"):
        answer_all(nothing, ("a", "b"))


COLUMNS = ("ID", "image_path", "target")
ROWS = tuple((str(n), f"{n}.JPEG", str(n % 3)) for n in range(5))
WANTED = {2: Wanted("numbers", texts={"a": "0", "b": "1", "c": "2"})}
FORM = Form(None, COLUMNS, ROWS, tuple(row[1] for row in ROWS), tuple(row[0] for row in ROWS), WANTED)


def test_a_good_submission_passes() -> None:
    check_submission(csv_text(COLUMNS, ROWS), FORM)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS[:-1], "4 rows for 5"),
        ((*ROWS, ROWS[0]), "6 rows for 5"),
        ((ROWS[1], ROWS[0], *ROWS[2:]), "contest has 0"),
        ((*ROWS[:-1], ("4", "9.JPEG", "1")), r"9\.JPEG"),
        ((*ROWS[:-1], ("4", "4.JPEG", "3")), "answers 3, which is no class"),
        ((*ROWS[:-1], ("4", "4.JPEG", "")), "is no class"),
    ],
)
def test_a_faulty_submission_is_refused(rows: tuple[tuple[str, ...], ...], said: str) -> None:
    with pytest.raises(DessinError, match=said):
        check_submission(csv_text(COLUMNS, rows), FORM)


def test_other_columns_or_shares_that_are_none_are_refused() -> None:
    with pytest.raises(DessinError, match="columns id, image_path, target"):
        check_submission(csv_text(("id", "image_path", "target"), ROWS), FORM)
    shares = {n: Wanted("p", probability_of=label) for n, label in enumerate("ab", 1)}
    form = Form(None, ("id", "a", "b"), (("1", "", ""),), ("1.png",), ("1",), shares)
    check_submission("id,a,b\n1,0.25,0.75\n", form)
    for wrong in ("0.25,0.74", "-0.25,1.25", "nan,1"):
        with pytest.raises(DessinError, match="Row 1 of the submission has probabilities"):
            check_submission(f"id,a,b\n1,{wrong}\n", form)

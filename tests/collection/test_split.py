"""Splits: everything once, groups whole, classes even, the same on any order, refused when stale."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dessin.collection.curation import Change, Curation, write_curation
from dessin.collection.duplicates import Pair, group_images
from dessin.collection.manifest import Manifest, Row, build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split, check_split, read_split, write_split
from dessin.collection.split.plan import class_counts, describe_split, make_split
from dessin.collection.split.verb import split
from dessin.errors import DessinError


def singles(classes: int, images: int) -> dict[str, str]:
    return {f"c{c:03}/{i:03}.png": f"c{c:03}" for c in range(classes) for i in range(images)}


def alone(labels: dict[str, str]) -> dict[str, str]:
    return {image_id: image_id for image_id in labels}


@st.composite
def collections(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and groups: 2 to 5 classes, groups of 1 to 6 images, some across classes."""
    labels: dict[str, str] = {}
    groups: dict[str, str] = {}
    for c in range(draw(st.integers(2, 5))):
        for g, size in enumerate(draw(st.lists(st.integers(1, 6), min_size=4, max_size=12))):
            for i in range(size):
                labels[f"c{c}/{g}-{i}"] = f"c{c}"
                groups[f"c{c}/{g}-{i}"] = f"c{c}/{g}"
    if draw(st.booleans()):
        groups |= {i: "shared" for i in labels if i.split("/")[1].startswith("0-")}
    return labels, groups


def rows_of(made: Split) -> dict[str, int | None]:
    return {row.image_id: row.fold for row in made.rows}


@settings(deadline=None, max_examples=60)
@given(collections(), st.integers(2, 4), st.sampled_from([0.0, 0.1, 0.2, 0.4]), st.integers(0, 99))
def test_every_image_is_once_in_one_part_and_no_group_on_two_sides(
    drawn: tuple[dict[str, str], dict[str, str]], folds: int, holdout: float, seed: int
) -> None:
    labels, groups = drawn
    made = make_split(labels, groups, folds=folds, holdout=holdout, seed=seed)
    assert [row.image_id for row in made.rows] == sorted(labels)
    sides: dict[str, set[int | None]] = {}
    for row in made.rows:
        assert row.label == labels[row.image_id]
        sides.setdefault(row.group, set()).add(row.fold)
    assert all(len(side) == 1 for side in sides.values())
    parts = [made.held_out(), *(made.validation(fold) for fold in range(folds))]
    assert sorted(row.image_id for part in parts for row in part) == sorted(labels)
    assert all(parts[1:])
    assert bool(parts[0]) == (holdout > 0)
    for fold in range(folds):
        training = made.training(fold)
        assert {row.label for row in training} == set(made.classes)
        assert len(training) + len(made.validation(fold)) == len(made.training(None))
    assert len(made.training(None)) + len(made.held_out()) == len(labels)


@settings(deadline=None, max_examples=30)
@given(collections(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_names_of_classes_matter(
    drawn: tuple[dict[str, str], dict[str, str]], random: np.random.Generator
) -> None:
    labels, groups = drawn
    shuffled = list(labels)
    random.shuffle(shuffled)
    made = make_split(labels, groups, folds=3, holdout=0.2, seed=1)
    assert make_split({i: labels[i] for i in shuffled}, groups, folds=3, holdout=0.2, seed=1) == made
    renamed = {image_id: "z" + label[::-1] for image_id, label in labels.items()}
    assert rows_of(make_split(renamed, groups, folds=3, holdout=0.2, seed=1)) == rows_of(made)


def test_another_seed_gives_another_split_as_even() -> None:
    labels = singles(4, 25)
    splits = [make_split(labels, alone(labels), folds=5, holdout=0.2, seed=seed) for seed in range(4)]
    assert len({tuple(rows_of(made).values()) for made in splits}) == 4
    for made in splits:
        assert set(class_counts(made).values()) == {(4, 4, 4, 4, 4, 5)}


def test_the_split_is_the_same_on_every_machine() -> None:
    labels = singles(2, 6)
    made = make_split(labels, alone(labels), folds=2, holdout=0.25, seed=7)
    assert ["h" if row.fold is None else row.fold for row in made.rows] == [
        0,
        "h",
        "h",
        0,
        1,
        1,
        0,
        0,
        1,
        1,
        "h",
        0,
    ]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(6, 40), min_size=2, max_size=6), st.integers(2, 6), st.sampled_from([0.0, 0.2, 0.3])
)
def test_single_images_are_spread_within_one_of_even(sizes: list[int], folds: int, holdout: float) -> None:
    labels = {f"c{c}/{i}": f"c{c}" for c, size in enumerate(sizes) for i in range(size)}
    made = make_split(labels, alone(labels), folds=folds, holdout=holdout, seed=0)
    for label, counts in class_counts(made).items():
        assert max(counts[:-1]) - min(counts[:-1]) <= 1
        assert abs(counts[-1] - holdout * sizes[int(label[1:])]) <= 1
    totals = Counter(row.fold for row in made.rows if row.fold is not None)
    assert max(totals.values()) - min(totals.values()) <= 2


def test_uneven_photo_groups_still_give_every_class_a_fair_holdout() -> None:
    sizes = ([4, 5, 5, 5, 6], [1, 5, 6, 6, 7], [5, 5, 6, 9], [2, 5, 5, 5, 8], [5, 10, 10], [3, 7, 7, 8])
    labels, groups = {}, {}
    for c in range(60):
        for g, size in enumerate(sizes[c % len(sizes)]):
            for i in range(size):
                labels[f"c{c}/{g}-{i}"], groups[f"c{c}/{g}-{i}"] = f"c{c}", f"c{c}/{g}"
    made = make_split(labels, groups, folds=5, holdout=0.2, seed=3)
    counts = class_counts(made)
    assert all(3 <= held <= 7 for *_, held in counts.values())
    totals = np.sum(list(counts.values()), axis=0)
    assert np.ptp(totals[:-1]) <= 6
    assert abs(totals[-1] / len(labels) - 0.2) < 0.01
    assert "too few groups to be validated in every fold, 60" in describe_split(made)


def test_a_class_of_two_groups_trains_in_every_fold_and_is_said_to_miss_the_holdout() -> None:
    labels = singles(3, 10) | {"rare/1": "rare", "rare/2": "rare"}
    made = make_split(labels, alone(labels), folds=5, holdout=0.2, seed=0)
    folds = [row.fold for row in made.rows if row.label == "rare"]
    assert None not in folds
    assert len(set(folds)) == 2
    assert "classes without an image in the holdout, 1: rare" in describe_split(made)


def test_impossible_splits_are_refused_by_name() -> None:
    labels = singles(2, 6)

    def refused(words: str, labels: dict[str, str], groups: dict[str, str], **changes: float) -> None:
        numbers = {"folds": 3, "holdout": 0.2, "seed": 0} | changes
        with pytest.raises(DessinError, match=words):
            make_split(labels, groups, **numbers)

    refused("A split into 1 fold was asked for", labels, alone(labels), folds=1)
    for holdout in (1.0, -0.1, float("nan")):
        refused("share of the images", labels, alone(labels), holdout=holdout)
    refused("seed -1", labels, alone(labels), seed=-1)
    refused("12 groups, and 21 parts", labels, alone(labels), folds=20)
    one = labels | {"rare/1": "rare"}
    refused(r"rare \(1 image\)", one, alone(one))
    tied = labels | {"rare/1": "rare", "rare/2": "rare"}
    refused(r"rare \(2 images\)", tied, alone(tied) | {"rare/1": "x", "rare/2": "x"})
    locked = {"a/1": "a", "b/1": "b", "a/2": "a", "b/2": "b", "c/1": "c", "c/2": "c"}
    triangle = {"a/1": "1", "b/1": "1", "b/2": "2", "c/1": "2", "a/2": "3", "c/2": "3"}
    refused("fits into the holdout", labels, alone(labels), holdout=0.01)
    refused("missing from the training part", locked, triangle, folds=2, holdout=0.0)


# --- groups


def near(first: str, second: str) -> Pair:
    return Pair(first, second, "near", "identity", 1.0)


def test_chains_of_pairs_and_user_groups_join_transitively() -> None:
    ids = list("abcdefgh")
    groups = group_images(ids, {"c": "photo", "d": "photo"}, [near("a", "b"), near("b", "c"), near("e", "z")])
    assert groups == dict.fromkeys("abcd", "photo") | {i: i for i in "efgh"}
    joined = group_images(ids, {}, [near("e", "z"), near("f", "z")])
    assert joined["e"] == joined["f"] == "e"


def test_a_user_group_named_like_an_image_stays_apart_from_it() -> None:
    groups = group_images(["a", "b", "c"], {"b": "a", "c": "a"}, [])
    assert groups["b"] == groups["c"] != groups["a"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_pairs(
    links: list[tuple[int, int]], random: np.random.Generator
) -> None:
    ids = [str(i) for i in range(10)]
    pairs = [near(str(i), str(j)) for i, j in links]
    groups = group_images(ids, {"3": "g", "7": "g"}, pairs)
    random.shuffle(pairs)
    random.shuffle(ids)
    assert group_images(ids, {"3": "g", "7": "g"}, pairs) == groups
    assert all(groups[pair.first] == groups[pair.second] for pair in pairs)


# --- the file


def manifest_of(labels: dict[str, str]) -> Manifest:
    rows = tuple(Row(i, label, "", 1, 1, "L", f"sha of {i}") for i, label in sorted(labels.items()))
    classes = tuple(sorted(set(labels.values())))
    return Manifest(Path("drawings"), rows, classes, {label: label for label in classes})


def stamped(manifest: Manifest, labels: dict[str, str], left_out: int = 0) -> Split:
    made = make_split(labels, alone(labels), folds=3, holdout=0.2, seed=0)
    return replace(made, manifest_digest=manifest.digest, group_by='a "b"; c', images=len(labels) + left_out)


def test_a_split_is_read_back_as_written(tmp_path: Path) -> None:
    labels = singles(3, 8) | {"é, x/1": "é, x", "é, x/2": "é, x"}
    made = stamped(manifest_of(labels), labels)
    write_split(made, tmp_path / "split.csv")
    back = read_split(tmp_path / "split.csv")
    assert back == made
    assert back.digest == made.digest
    assert (tmp_path / "split.csv").read_text().startswith('# dessin split 1 {"seed": 0, "folds": 3')


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("# dessin split 1 ", "# something ", "does not begin"),
        ('"seed": 0', '"sead": 0', "seed"),
        ('"folds": 3', '"folds": 1', "folds"),
        (",holdout\n", ",9\n", 'fold "9"'),
        ("c000/001.png,c000,c000/001.png", "c000/000.png,c000,c000/000.png", "two rows|two sides"),
        (",c000,", ",,", "without image_id, label or group"),
    ],
)
def test_an_edited_split_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    labels = singles(3, 8)
    path = tmp_path / "split.csv"
    write_split(stamped(manifest_of(labels), labels), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DessinError, match=words):
        read_split(path)


def test_a_group_on_two_sides_of_an_edited_file_is_refused(tmp_path: Path) -> None:
    labels = singles(2, 8)
    made = stamped(manifest_of(labels), labels)
    rows = tuple(replace(row, group="same") for row in made.rows)
    write_split(replace(made, rows=rows), tmp_path / "split.csv")
    with pytest.raises(DessinError, match="two sides"):
        read_split(tmp_path / "split.csv")


def test_a_changed_collection_is_refused_with_the_difference() -> None:
    labels = singles(3, 8)
    made = stamped(manifest_of(labels), labels)
    check_split(made, manifest_of(labels))
    without = {image_id: label for image_id, label in labels.items() if image_id != "c001/003.png"}
    with pytest.raises(DessinError, match=r"1 were removed \(c001/003.png\)"):
        check_split(made, manifest_of(without))
    with pytest.raises(DessinError, match=r"1 images were added \(c001/new.png\)"):
        check_split(made, manifest_of(labels | {"c001/new.png": "c001"}))
    with pytest.raises(DessinError, match=r"1 have another label \(c001/003.png\)"):
        check_split(made, manifest_of(labels | {"c001/003.png": "c002"}))
    changed = manifest_of(labels)
    rows = (replace(changed.rows[0], sha256="other"), *changed.rows[1:])
    with pytest.raises(DessinError, match="bytes of a file"):
        check_split(made, replace(changed, rows=rows))


def test_images_that_a_curation_left_out_are_not_called_added() -> None:
    labels = singles(3, 8)
    whole = labels | {"c000/dropped.png": "c000"}
    made = stamped(manifest_of(whole), labels, left_out=1)
    check_split(made, manifest_of(whole))
    with pytest.raises(DessinError, match="1 images were added, among 2 that are not in the split"):
        check_split(made, manifest_of(whole | {"c000/new.png": "c000"}))


# --- the verb


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Two classes of eight distinct drawings; one mirrored copy, one exact copy, one broken file."""
    root = tmp_path / "drawings"
    generator = np.random.Generator(np.random.Philox(5))
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(8):
            page = np.full((96, 96), 255, dtype=np.uint8)
            page[8:88, 8:88] = np.kron(generator.integers(0, 2, (10, 10)) * 255, np.ones((8, 8)))
            Image.fromarray(page).save(root / label / f"{i}.png")
    Image.open(root / "cat" / "0.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "cat" / "m.png")
    (root / "dog" / "copy.png").write_bytes((root / "dog" / "3.png").read_bytes())
    (root / "dog" / "broken.png").write_bytes(b"rubbish")
    return root


def test_the_verb_keeps_copies_together_and_leaves_unreadable_images_out(
    drawings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "split.csv"
    made = split(drawings, out=out, folds=3, holdout=0.2, seed=1)
    assert read_split(out) == made
    fold = rows_of(made)
    groups = {row.image_id: row.group for row in made.rows}
    assert "dog/broken.png" not in fold
    assert groups["cat/0.png"] == groups["cat/m.png"]
    assert groups["dog/3.png"] == groups["dog/copy.png"]
    assert len(set(groups.values())) == 16
    assert len(fold) == 18
    check_split(made, build_manifest(read_collection(drawings)))
    again = split(drawings, out=tmp_path / "out" / "again.csv", folds=3, holdout=0.2, seed=1)
    assert again == made
    assert out.read_bytes() == (tmp_path / "out" / "again.csv").read_bytes()
    assert split(drawings, out=out, folds=3, holdout=0.2, seed=1) == made
    with pytest.raises(DessinError, match="locked holdout"):
        split(drawings, out=out, folds=3, holdout=0.2, seed=2)
    assert read_split(out) == made


def test_the_verb_honours_a_curation_and_user_groups(drawings: Path, tmp_path: Path) -> None:
    changes = (Change("cat/1.png", "drop", "", "x"), Change("cat/2.png", "relabel", "dog", "x"))
    curation = tmp_path / "out" / "curation.csv"
    write_curation(Curation(changes), curation)
    out = tmp_path / "out" / "split.csv"
    made = split(drawings, out=out, folds=2, holdout=0.2, group=r"[67]\.png", curation=curation)
    labels = {row.image_id: row.label for row in made.rows}
    assert "cat/1.png" not in labels
    assert labels["cat/2.png"] == "dog"
    assert made.curation_digest == Curation(changes).digest
    assert len({rows_of(made)[i] for i in ("cat/6.png", "dog/6.png")}) == 1
    check_split(made, build_manifest(read_collection(drawings)))
    with pytest.raises(DessinError, match="no file"):
        split(drawings, out=out, curation=tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("sizes", "options", "why"),
    [
        ({"cat": 12}, {}, "one class alone: cat"),
        ({"cat": 12, "dog": 1}, {}, r"1 class has a single image.*dog \(1 image\)"),
        ({"cat": 2, "dog": 2}, {}, "4 groups, and 6 parts"),
        ({"cat": 12, "dog": 12}, {"folds": 1}, "A split into 1 fold"),
        ({"cat": 12, "dog": 12}, {"holdout": 1.0}, "A holdout of 1 "),
    ],
)
def test_what_no_split_can_be_made_of_is_said_before_an_image_is_read(
    sizes: dict[str, int],
    options: dict[str, float],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for label, count in sizes.items():
        (tmp_path / "drawings" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "drawings" / label / f"{number}.png").write_bytes(b"read by nobody")

    def not_yet(*_: object) -> None:
        raise AssertionError("an image is read")

    monkeypatch.setattr("dessin.collection.split.verb.scan_images", not_yet)
    with pytest.raises(DessinError, match=why):
        split(tmp_path / "drawings", out=tmp_path / "split.csv", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["drawings"]

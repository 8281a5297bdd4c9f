"""The verb `vote`: laws of voting, planted faults, and files as people have them."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dessin.answers.predictions import Predictions, write_predictions
from dessin.answers.tree import Ballot, ModelNode, VoteNode, combine
from dessin.committees.vote.measure import BY_AGREEMENT, BY_ORDER, BY_PROBABILITY
from dessin.committees.vote.verb import Voted, vote
from dessin.errors import DessinError

pytestmark = pytest.mark.slow

IMAGES = tuple(f"{i}.JPEG" for i in range(40))
CLASSES = ("crab", "owl", "tree")
Writer = Callable[[Path], Path]


def submission(path: Path, targets: Sequence[object], *, order: Sequence[int] | None = None) -> Path:
    """A contest's submission; with `order` its rows are permuted, each with its own ID and path."""
    rows = [(i, IMAGES[i], targets[i]) for i in (order if order is not None else range(len(targets)))]
    return written(path, [("ID", "image_path", "target"), *rows])


def written(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def random_targets(seed: int, *, classes: int = 4, length: int = len(IMAGES)) -> list[int]:
    return [int(t) for t in np.random.default_rng(seed).integers(0, classes, length)]


def distribution(seed: int, images: int = len(IMAGES), classes: int = 3) -> np.ndarray:
    draws = np.random.default_rng(seed).exponential(size=(images, classes)) ** 3
    return (draws / draws.sum(axis=1, keepdims=True)).astype(np.float32)


def folder(
    path: Path,
    table: np.ndarray,
    *,
    image_ids: Sequence[str] = IMAGES,
    classes: Sequence[str] = CLASSES,
    labels: Sequence[str] | None = None,
) -> Path:
    """A folder of predictions, with true labels (by default those of the first class)."""
    truth = tuple(labels or [classes[0]] * len(image_ids))
    folds = ("0",) * len(image_ids)
    write_predictions(Predictions(tuple(image_ids), tuple(classes), table, truth, folds), path)
    return path


def answers(result: Voted) -> dict[str, str]:
    return dict(zip(result.image_ids, result.predicted, strict=True))


def test_a_vote_of_clones_is_the_clone(tmp_path: Path) -> None:
    one = submission(tmp_path / "one.csv", random_targets(1))
    copies = [submission(tmp_path / f"copy{k}.csv", random_targets(1)) for k in range(3)]
    vote([one, *copies], out=tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().split() == one.read_bytes().split()
    table = distribution(1)
    folders = [folder(tmp_path / f"f{k}", table) for k in range(3)]
    soft = vote(folders, rule="soft", out=tmp_path / "soft")
    assert soft.count.probabilities is not None
    np.testing.assert_allclose(soft.count.probabilities, table, atol=1e-6)


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_a_vote_of_one_is_that_one(tmp_path: Path, rule: str) -> None:
    table = distribution(2)
    result = vote([folder(tmp_path / "one", table)], rule=rule, out=tmp_path / "out.csv")
    assert result.predicted == tuple(CLASSES[c] for c in table.argmax(axis=1))


def test_the_order_of_files_and_of_rows_changes_nothing(tmp_path: Path) -> None:
    targets = [random_targets(seed) for seed in range(4)]
    plain = [submission(tmp_path / f"p{k}.csv", t) for k, t in enumerate(targets)]
    before = vote(plain, out=tmp_path / "before.csv", weights=[2, 1, 1, 1])
    assert before.count.tied.any(), "the data must hold ties for this to say anything"
    shuffled = [
        submission(tmp_path / f"p{k}.csv", t, order=np.random.default_rng(k).permutation(40).tolist())
        for k, t in enumerate(targets)
    ]
    after = vote([shuffled[k] for k in (2, 0, 3, 1)], out=tmp_path / "after.csv", weights=[1, 2, 1, 1])
    assert answers(before) == answers(after)
    assert before.count.decided == after.count.decided


def test_the_order_of_files_changes_no_probability(tmp_path: Path) -> None:
    folders = [folder(tmp_path / f"f{k}", distribution(k)) for k in range(5)]
    forth = vote(folders, rule="soft", out=tmp_path / "forth")
    vote(folders[::-1], rule="soft", out=tmp_path / "back")
    assert np.array_equal(
        np.load(tmp_path / "forth/probabilities.npy"), np.load(tmp_path / "back/probabilities.npy")
    )
    assert forth.image_ids == IMAGES


def test_a_file_with_weight_zero_changes_nothing_whatever_it_holds(tmp_path: Path) -> None:
    files = [submission(tmp_path / f"s{k}.csv", random_targets(k)) for k in range(3)]
    before = vote(files, out=tmp_path / "before.csv")
    stranger = written(tmp_path / "stranger.csv", [("path", "label"), ("elsewhere.png", "zebra")])
    vote([stranger, *files], out=tmp_path / "after.csv", weights=[0, 1, 1, 1])
    assert (tmp_path / "before.csv").read_bytes() == (tmp_path / "after.csv").read_bytes()
    assert len(before.image_ids) == 40


def test_a_heavy_file_outvotes_the_others(tmp_path: Path) -> None:
    files = [submission(tmp_path / f"s{k}.csv", random_targets(k)) for k in range(3)]
    result = vote(files, out=tmp_path / "out.csv", weights=[1, 1, 2.5])
    assert result.predicted == tuple(map(str, random_targets(2)))
    typed = vote(files, out=tmp_path / "typed.csv", weights="1, 1, 2.5")
    assert typed.predicted == result.predicted
    with pytest.raises(DessinError, match='The weights are "1,x"'):
        vote(files, out=tmp_path / "refused.csv", weights="1,x")


def test_a_hard_vote_of_probabilities_is_that_of_a_committee(tmp_path: Path) -> None:
    tables = {f"f{k}": distribution(k) for k in range(4)}
    folders = [folder(tmp_path / name, table) for name, table in tables.items()]
    result = vote(folders, out=tmp_path / "out.csv")
    node = VoteNode(rule="hard", ballots=tuple(Ballot(node=ModelNode(bundle=name)) for name in tables))
    joined, _ = combine(node, tables, dict.fromkeys(tables, CLASSES))
    assert result.count.tied.any()
    assert result.count.decided == {BY_PROBABILITY: int(result.count.tied.sum())}
    assert result.predicted == tuple(CLASSES[c] for c in joined.argmax(axis=1))


def test_a_tie_goes_to_the_voter_that_agrees_with_the_vote_elsewhere(tmp_path: Path) -> None:
    # On the last image three labels tie; `good` was with the vote everywhere, `bad` and `worse` were not.
    good = submission(tmp_path / "a-good.csv", [1, 1, 1, 2])
    bad = submission(tmp_path / "b-bad.csv", [1, 1, 3, 0])
    worse = submission(tmp_path / "c-worse.csv", [4, 1, 1, 5])
    result = vote([bad, worse, good], out=tmp_path / "out.csv")
    assert result.predicted == ("1", "1", "1", "2")
    assert result.count.decided == {BY_AGREEMENT: 1}


def test_a_tie_without_any_evidence_goes_by_the_order_of_labels(tmp_path: Path) -> None:
    two = [submission(tmp_path / "a.csv", [10, 7]), submission(tmp_path / "b.csv", [9, 7])]
    assert vote(two, out=tmp_path / "out.csv").predicted == ("9", "7"), "numbers are ordered by value"
    assert vote(two[::-1], out=tmp_path / "out.csv").count.decided == {BY_ORDER: 1}


def test_a_submission_keeps_the_first_files_rows_and_ids(tmp_path: Path) -> None:
    order = np.random.default_rng(5).permutation(40).tolist()
    first = submission(tmp_path / "first.csv", random_targets(0), order=order)
    others = [submission(tmp_path / f"o{k}.csv", random_targets(0)) for k in range(2)]
    vote([first, *others], out=tmp_path / "out.csv")
    assert read(tmp_path / "out.csv") == read(first)


def test_rows_are_joined_by_path_and_not_by_number(tmp_path: Path) -> None:
    targets = random_targets(0)
    plain = [submission(tmp_path / f"s{k}.csv", targets) for k in range(2)]
    order = np.random.default_rng(3).permutation(40)
    rows = [(position, IMAGES[i], targets[i]) for position, i in enumerate(order)]
    renumbered = written(tmp_path / "r.csv", [("ID", "image_path", "target"), *rows])
    result = vote([*plain, renumbered], out=tmp_path / "out.csv")
    assert result.predicted == tuple(map(str, targets))
    assert (result.count.shares == 1.0).all()


def test_other_class_orders_are_joined_by_name(tmp_path: Path) -> None:
    table = distribution(4)
    turned = folder(tmp_path / "turned", table[:, ::-1], classes=CLASSES[::-1], labels=["crab"] * 40)
    result = vote([turned, folder(tmp_path / "plain", table)], rule="soft", out=tmp_path / "out")
    assert result.classes == CLASSES
    assert result.count.probabilities is not None
    np.testing.assert_allclose(result.count.probabilities, table, atol=1e-6)


def test_a_misspelt_id_is_named_and_counted(tmp_path: Path) -> None:
    plain = submission(tmp_path / "a.csv", random_targets(0))
    rows = [(i, name.replace("7.JPEG", "7x.JPEG"), 0) for i, name in enumerate(IMAGES)]
    misspelt = written(tmp_path / "b.csv", [("ID", "image_path", "target"), *rows])
    with pytest.raises(DessinError, match=r"of 44 ids all have 36.*b\.csv lacks 4 \(17\.JPEG"):
        vote([plain, misspelt], out=tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    result = vote([plain, misspelt], out=tmp_path / "out.csv", align="common")
    assert len(result.image_ids) == 36
    assert "7.JPEG" not in result.image_ids


@pytest.mark.parametrize("change", [str.lower, lambda name: f"{name.removesuffix('.JPEG')}.png"])
def test_another_spelling_is_never_guessed_but_named(tmp_path: Path, change: Callable[[str], str]) -> None:
    plain = submission(tmp_path / "a.csv", random_targets(0))
    other = written(tmp_path / "b.csv", [("path", "label"), *((change(name), "1") for name in IMAGES)])
    with pytest.raises(DessinError, match="They would be the same if they did not differ in"):
        vote([plain, other], out=tmp_path / "out.csv", align="common")


@pytest.mark.parametrize("prefix", ["test/", "./", "/kaggle/input/test/", "data\\test\\"])
def test_a_folder_before_every_id_is_seen_through(tmp_path: Path, prefix: str) -> None:
    targets = random_targets(0)
    plain = submission(tmp_path / "a.csv", targets)
    longer = written(
        tmp_path / "b.csv",
        [("path", "label"), *((prefix + name, targets[i]) for i, name in enumerate(IMAGES))],
    )
    result = vote([plain, longer], out=tmp_path / "out.csv")
    assert result.image_ids == IMAGES
    assert result.predicted == tuple(map(str, targets))


def test_folders_that_tell_images_apart_stay(tmp_path: Path) -> None:
    rows = [("cat/1.png", "cat"), ("dog/1.png", "dog")]
    files = [written(tmp_path / f"{k}.csv", [("image_id", "label"), *rows]) for k in range(2)]
    assert vote(files, out=tmp_path / "out.csv").image_ids == ("cat/1.png", "dog/1.png")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("image", "x"), ("1.png", "a")], "has no column that says the class; its columns are image, x"),
        ([("x", "label"), ("1.png", "a")], "has no column that names the image; its columns are x, label"),
        ([("path", "file", "label"), ("1", "1", "a")], "the columns path and file could each name the image"),
        ([("path", "label", "class"), ("1", "a", "b")], "label and class could each name the class"),
        ([("path", "label"), ("1.png", "a"), ("./1.png", "b")], "1 images more than once: 1.png"),
        ([("path", "label"), ("1.png", ""), ("2.png", "b")], "1 rows have no label; the first is row 1"),
        ([("path", "cat", "dog"), ("1.png", "3.2", "-1")], "1 rows are no probabilities"),
        ([("path", "cat", "dog"), ("1.png", "nan", "1")], "1 rows are no probabilities"),
        ([("path", "label"), ("1.png",)], "row 1 does not have the 2 fields"),
        ([("path", "label")], "has no rows"),
        ([("path", "label"), ("", "a")], "a row that names no image"),
    ],
)
def test_a_doubtful_file_is_refused(tmp_path: Path, rows: list[tuple[str, ...]], message: str) -> None:
    with pytest.raises(DessinError, match=message.replace("(", r"\(")):
        vote([written(tmp_path / "bad.csv", rows)], out=tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filename;Label\n1.png;owl\n2.png;crab\n", ("owl", "crab")),
        ("\ufeffFile\tCLASS\n1.png\towl\n2.png\tcrab\n", ("owl", "crab")),
        (",image_id,target\n0,1.png,3.0\n1,2.png,7.0\n", ("3", "7")),
        ("id,label,score\n1.png,owl,0.7\n2.png,crab,0.4\n", ("owl", "crab")),
        ("image_id,label,fold,predicted\n1.png,owl,0,crab\n2.png,owl,0,owl\n", ("crab", "owl")),
        ("path,label,x,y\n1.png,owl,17,20\n2.png,crab,3,4\n", ("owl", "crab")),
        ("path,owl,crab\n1.png,0.7,0.3\n2.png,0.1,0.9\n", ("owl", "crab")),
        ("path;owl;crab\n1.png;0,7;0,3\n2.png;0,1;0,9\n", ("owl", "crab")),
        ("sep=;\r\nid;breed\r\n1.png;owl\r\n2.png;crab\r\n", ("owl", "crab")),
        ("path,label,owl,crab\n1.png,crab,0.7,0.3\n2.png,crab,0.1,0.9\n", ("owl", "crab")),
    ],
)
def test_label_files_of_many_tools_are_read(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    assert vote([path], out=tmp_path / "out.csv").predicted == expected


def test_labels_of_many_digits_are_words(tmp_path: Path) -> None:
    long = "9" * 5000
    path = written(tmp_path / "long.csv", [("path", "label"), ("1.png", long), ("2.png", "7")])
    assert vote([path], out=tmp_path / "out.csv").predicted == (long, "7")


def test_rows_of_predict_without_an_answer_abstain(tmp_path: Path) -> None:
    head = ("image_id", "predicted", "name", "probability", "reason")
    unsure = [
        ("1.png", "", "", "", "truncated"),
        ("2.png", "", "", "", "below"),
        ("3.png", "owl", "", "1", ""),
    ]
    sure = [("1.png", "crab", "", "1", ""), ("2.png", "", "", "", "below"), ("3.png", "owl", "", "1", "")]
    files = [written(tmp_path / f"{k}.csv", [head, *rows]) for k, rows in enumerate((unsure, sure))]
    result = vote(files, out=tmp_path / "out.csv")
    assert result.predicted == ("crab", "", "owl")
    assert read(tmp_path / "out.csv")[1] == {"image_id": "2.png", "predicted": "", "share": ""}
    assert read(tmp_path / "out.csv")[0]["share"] == "1.000000", "a share of the votes that were cast"


def test_a_soft_vote_needs_probabilities(tmp_path: Path) -> None:
    files = [submission(tmp_path / "s.csv", random_targets(0)), folder(tmp_path / "f", distribution(0))]
    with pytest.raises(DessinError, match=r"A soft vote needs probabilities, and .*s\.csv has labels alone"):
        vote(files, rule="soft", out=tmp_path / "out")


def test_other_classes_are_named(tmp_path: Path) -> None:
    first = folder(tmp_path / "a", distribution(0))
    other = folder(tmp_path / "b", distribution(1), classes=("crab", "owl", "zebra"))
    with pytest.raises(DessinError, match=r"1 only .*a has \(tree\) and 1 only .*b has \(zebra\)"):
        vote([first, other], rule="soft", out=tmp_path / "out")
    labels = written(tmp_path / "l.csv", [("path", "label"), *((name, "cow") for name in IMAGES)])
    with pytest.raises(DessinError, match=r"l\.csv has 1 labels that are no class of .*a: cow"):
        vote([first, labels], out=tmp_path / "out.csv")
    numbers = submission(tmp_path / "n.csv", random_targets(0))
    words = written(
        tmp_path / "w.csv", [("path", "label"), *((n, CLASSES[i % 3]) for i, n in enumerate(IMAGES))]
    )
    with pytest.raises(DessinError, match="not one label in common: 0, 1, 2 and 1 more and crab, owl, tree"):
        vote([numbers, words], out=tmp_path / "out.csv")


def test_runs_vote_with_the_set_that_all_have(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder(tmp_path / name / "holdout", distribution(0))
    folder(tmp_path / "a" / "validation", distribution(1), image_ids=[f"v{i}" for i in range(40)])
    assert vote([tmp_path / "a", tmp_path / "b"], out=tmp_path / "out.csv").image_ids == IMAGES
    folder(tmp_path / "c" / "validation", distribution(1))
    with pytest.raises(DessinError, match="no set of predictions in common"):
        vote([tmp_path / "b", tmp_path / "c"], out=tmp_path / "out.csv")


def test_a_soft_vote_can_vote_again_and_keeps_what_is_true(tmp_path: Path) -> None:
    labels = [CLASSES[i % 3] for i in range(40)]
    folders = [folder(tmp_path / f"f{k}", distribution(k), labels=labels) for k in range(2)]
    first = vote(folders, rule="soft", out=tmp_path / "first")
    again = vote([tmp_path / "first"], rule="soft", out=tmp_path / "again.csv", temperatures="fit")
    assert again.predicted == first.predicted
    assert again.temperatures != (1.0,)
    with pytest.raises(DessinError, match="already exists"):
        vote(folders, rule="soft", out=tmp_path / "first")


def test_a_temperature_turns_a_soft_vote(tmp_path: Path) -> None:
    sure = folder(tmp_path / "sure", np.array([[0.9, 0.1, 0.0]], np.float32), image_ids=["1"])
    unsure = folder(tmp_path / "unsure", np.array([[0.3, 0.7, 0.0]], np.float32), image_ids=["1"])
    assert vote([sure, unsure], rule="soft", out=tmp_path / "a.csv").predicted == ("crab",)
    cooled = vote([sure, unsure], rule="soft", out=tmp_path / "a.csv", temperatures=[4.0, 0.25])
    assert cooled.predicted == ("owl",)


def test_fitting_needs_true_labels(tmp_path: Path) -> None:
    wide = written(tmp_path / "wide.csv", [("path", "owl", "crab"), ("1.png", "0.7", "0.3")])
    with pytest.raises(DessinError, match=r"wide\.csv has no true labels"):
        vote([wide], rule="soft", out=tmp_path / "out", temperatures="fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0]}, "2 files and 1 weights"),
        ({"weights": [1.0, -1.0]}, "A weight is -1"),
        ({"weights": [0.0, 0.0]}, "Every weight is 0"),
        ({"weights": [1.0, float("nan")]}, "A weight is nan"),
        ({"rule": "sofft"}, 'Did you mean "soft"'),
        ({"align": "commun"}, 'Did you mean "common"'),
        ({"temperatures": [1.0, 0.0], "rule": "soft"}, "A temperature is 0"),
        ({"temperatures": "auto"}, "a number for each file, or fit, such as 1,1,0.5"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    folders = [folder(tmp_path / f"f{k}", distribution(k)) for k in range(2)]
    with pytest.raises(DessinError, match=message):
        vote(folders, out=tmp_path / "out.csv", **options)  # type: ignore[arg-type]


def test_a_file_that_votes_is_never_overwritten(tmp_path: Path) -> None:
    one = submission(tmp_path / "one.csv", random_targets(0))
    with pytest.raises(DessinError, match="is one of the files that vote"):
        vote([one], out=tmp_path / "." / "one.csv")


def test_voting_does_not_load_torch() -> None:
    code = (
        "import sys, dessin.committees.vote.verb; print([m for m in ('torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Contests as people have them: read rightly, with a submission right to the byte, or the cure is said."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from dessin.collection.readers.contest import read_contest
from dessin.collection.readers.detect import read_collection
from dessin.committees.vote.verb import vote
from dessin.errors import DessinError
from dessin.serving.form import check_submission, fill
from dessin.serving.sample import read_form
from dessin.serving.wanted import contest_labels

TRAIN = {f"{n:03}.png": label for n, label in enumerate(["cat", "cat", "dog", "dog", "owl", "owl"])}
TESTS = {"900.png": "owl", "901.png": "cat", "902.png": "dog"}
WNIDS = {"cat": "n02123045", "dog": "n02084071", "owl": "n01621127"}
TEST_CSV = "id\n900.png\n901.png\n902.png\n"
NAMED = "id,label\n" + "".join(f"{name},{label}\n" for name, label in TRAIN.items())
BARE = NAMED.replace(".png", "")
CLASSIC = "class_name,image_path,target\n" + "".join(
    f"{label},{name},{['cat', 'dog', 'owl'].index(label)}\n" for name, label in TRAIN.items()
)


def table(header: str, *rows: str) -> str:
    return "\n".join((header, *rows)) + "\n"


@dataclass(frozen=True)
class World:
    """A contest folder: its text files, where its images lie, and what is to come out of it."""

    files: Mapping[str, str]
    submission: str
    train_in: str = "train"
    test_in: str = "test"
    train: Mapping[str, str] = field(default_factory=lambda: TRAIN)
    tests: Mapping[str, str] = field(default_factory=lambda: TESTS)

    def make(self, root: Path) -> Path:
        for folder, names in ((self.train_in, self.train), (self.test_in, self.tests)):
            for name in names:
                (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
                (root / folder / name).write_bytes(b"")
        for name, text in self.files.items():
            (root / name).write_text(text, encoding="utf-8", newline="")
        return root


def answers(
    image_ids: Sequence[str], labels: Sequence[str], truth: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """What a model says that is right about every image: 0.7 for its class, the rest shared."""
    told = {}
    for image_id in image_ids:
        rest = 0.3 / (len(labels) - 1)
        label = next(label for name, label in truth.items() if image_id.endswith(f"/{name}"))
        told[image_id] = np.array([0.7 if one == label else rest for one in labels])
    return told


def submitted(root: Path, truth: Mapping[str, str]) -> str:
    contest = read_contest(root)
    form = read_form(contest)
    # The columns of a model come in an order of their own.
    labels = contest_labels(contest, contest.collection.classes[::-1])
    text = fill(form, answers(contest.collection.test_ids, labels, truth), labels)
    check_submission(text, form)
    return text


P = {"cat": "0.7,0.15,0.15", "dog": "0.15,0.7,0.15", "owl": "0.15,0.15,0.7"}
BY_NAME = table("id,label", "900.png,owl", "901.png,cat", "902.png,dog")
BY_RANK = table("ID,image_path,target", "0,900.png,2", "1,901.png,0", "2,902.png,1")
SHARES = table("id,cat,dog,owl", f"900.png,{P['owl']}", f"901.png,{P['cat']}", f"902.png,{P['dog']}")
WORLDS = {
    "ids and labels": World(
        {"train.csv": NAMED, "test.csv": TEST_CSV, "sample_submission.csv": BY_NAME.replace("owl", "cat")},
        BY_NAME,
    ),
    "ids without extension": World(
        {
            "train.csv": BARE,
            "test.csv": TEST_CSV.replace(".png", ""),
            "sampleSubmission.csv": table("id,label", "900,cat", "901,cat", "902,cat"),
        },
        table("id,label", "900,owl", "901,cat", "902,dog"),
    ),
    "the sample in an order of its own": World(
        {
            "train.csv": NAMED,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,label", "902.png,cat", "900.png,cat", "901.png,cat"),
        },
        table("id,label", "902.png,dog", "900.png,owl", "901.png,cat"),
    ),
    "the answer before the id": World(
        {
            "train.csv": NAMED,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("label,id", "dog,900.png", "dog,901.png", "dog,902.png"),
        },
        table("label,id", "owl,900.png", "cat,901.png", "dog,902.png"),
    ),
    "the contest as it was, without a sample": World(
        {"train.csv": CLASSIC, "test.csv": "image_path\n900.png\n901.png\n902.png\n"}, BY_RANK
    ),
    "the contest as it was, with one": World(
        {
            "train.csv": CLASSIC,
            "test.csv": "image_path\n900.png\n901.png\n902.png\n",
            "sample_submission.csv": table(
                "ID,image_path,target", "0,900.png,0", "1,901.png,0", "2,902.png,0"
            ),
        },
        BY_RANK,
    ),
    "names wanted where train.csv has numbers too": World(
        {
            "train.csv": CLASSIC,
            "test.csv": "image_path\n900.png\n901.png\n902.png\n",
            "sample_submission.csv": table("image_path,label", "900.png,cat", "901.png,cat", "902.png,cat"),
        },
        table("image_path,label", "900.png,owl", "901.png,cat", "902.png,dog"),
    ),
    "the ranks under another name": World(
        {
            "train.csv": NAMED,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,prediction", "900.png,0", "901.png,0", "902.png,0"),
        },
        table("id,prediction", "900.png,2", "901.png,0", "902.png,1"),
    ),
    "the numbers of train.csv": World(
        {
            "train.csv": CLASSIC.replace(",0\n", ",30\n").replace(",1\n", ",10\n").replace(",2\n", ",20\n"),
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,target", "900.png,10", "901.png,10", "902.png,10"),
        },
        table("id,target", "900.png,20", "901.png,30", "902.png,10"),
    ),
    "a number beside the label": World(
        {
            "train.csv": table(
                "path,label,class_id", *(f"train/{n},{v},{ord(v[0])}" for n, v in TRAIN.items())
            ),
            "test.csv": table("path", *(f"test/{n}" for n in TESTS)),
            "sample_submission.csv": table("path,class_id", *(f"test/{n},0" for n in TESTS)),
        },
        table("path,class_id", "test/900.png,111", "test/901.png,99", "test/902.png,100"),
    ),
    "a probability for each class": World(
        {
            "train.csv": NAMED,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,cat,dog,owl", *(f"{n},0,0,0" for n in TESTS)),
        },
        SHARES,
    ),
    "probabilities in columns of numbers, in another order": World(
        {
            "train.csv": CLASSIC,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,class_2,class_0,class_1", *(f"{n},0,0,0" for n in TESTS)),
        },
        table(
            "id,class_2,class_0,class_1",
            "900.png,0.7,0.15,0.15",
            "901.png,0.15,0.7,0.15",
            "902.png,0.15,0.15,0.7",
        ),
    ),
    "one probability of two": World(
        {
            "train.csv": table("id,label", "1.png,0", "2.png,0", "3.png,1"),
            "sample_submission.csv": table("id,label", "8,0.5", "9,0.5"),
        },
        table("id,label", "8,0.7", "9,0.3"),
        train={"1.png": "0", "2.png": "0", "3.png": "1"},
        tests={"8.png": "1", "9.png": "0"},
    ),
    "no test.csv": World(
        {
            "train.csv": NAMED.replace("id,", "image_path,"),
            "sample_submission.csv": BY_NAME.replace("owl", "dog"),
        },
        BY_NAME,
    ),
    "a test folder alone": World({"train.csv": NAMED}, BY_RANK),
    "folders by other names, below data": World(
        {
            "data/train_labels.csv": BARE.replace("id,label", "image_id,breed"),
            "data/submission_format.csv": table("image_id,breed", "900,owl", "901,owl", "902,owl"),
        },
        table("image_id,breed", "900,owl", "901,cat", "902,dog"),
        train_in="data/train_images",
        test_in="data/test_images",
    ),
    "all images in one folder": World(
        {"train.csv": NAMED, "test.csv": TEST_CSV, "sample_submission.csv": BY_NAME},
        BY_NAME,
        train_in="images",
        test_in="images",
    ),
    "images/train and images/test": World(
        {"train.csv": NAMED, "test.csv": TEST_CSV, "sample_submission.csv": BY_NAME},
        BY_NAME,
        train_in="images/train",
        test_in="images/test",
    ),
    "paths that begin with train/": World(
        {
            "train.csv": NAMED.replace("\n0", "\ntrain/0"),
            "test.csv": TEST_CSV.replace("\n9", "\ntest/9"),
            "sample_submission.csv": BY_NAME.replace("\n9", "\ntest/9"),
        },
        BY_NAME.replace("\n9", "\ntest/9"),
    ),
    "a spreadsheet's semicolons": World(
        {
            "train.csv": NAMED.replace(",", ";"),
            "test.csv": TEST_CSV.replace("id", "id;width").replace(".png", ".png;96"),
            "sample_submission.csv": "\ufeff" + BY_NAME.replace(",", ";").replace("\n", "\r\n"),
        },
        BY_NAME.replace(",", ";"),
    ),
    "rows by number, as test.csv numbers them": World(
        {
            "train.csv": NAMED,
            "test.csv": table("id,file", "17,902.png", "18,900.png", "19,901.png"),
            "sample_submission.csv": table("id,label", "19,cat", "18,cat", "17,cat"),
        },
        table("id,label", "19,cat", "18,owl", "17,dog"),
    ),
    "rows by number, in the order of test.csv": World(
        {
            "train.csv": NAMED,
            "test.csv": table("image", "902.png", "900.png", "901.png"),
            "sample_submission.csv": table("Id,Category", "1,cat", "2,cat", "3,cat"),
        },
        table("Id,Category", "1,dog", "2,owl", "3,cat"),
    ),
    "numbers that lost their zeros": World(
        {"train.csv": NAMED, "sample_submission.csv": table("id,label", "7,cat", "8,cat", "9,cat")},
        table("id,label", "7,owl", "8,cat", "9,dog"),
        tests={"0007.png": "owl", "0008.png": "cat", "0009.png": "dog"},
    ),
    "what test.csv says of an image is kept": World(
        {
            "train.csv": NAMED,
            "test.csv": table("id,source", "900.png,pen", "901.png,ink", "902.png,pen"),
            "sample_submission.csv": table(
                "id,source,label", "902.png,pen,cat", "901.png,ink,cat", "900.png,pen,cat"
            ),
        },
        table("id,source,label", "902.png,pen,dog", "901.png,ink,cat", "900.png,pen,owl"),
    ),
    "an id that is the label": World(
        {
            "train.csv": NAMED.replace("id,label", "Image,Id"),
            "sample_submission.csv": table("Image,Id", "900.png,cat", "901.png,cat", "902.png,cat"),
        },
        table("Image,Id", "900.png,owl", "901.png,owl", "902.png,dog"),
        tests={"900.png": "owl", "901.png": "owl", "902.png": "dog"},
    ),
    "labels that are numbers from 1": World(
        {
            "train.csv": table("id,label", "1.png,01", "2.png,01", "3.png,02"),
            "test.csv": table("id", "8.png", "9.png"),
            "sample_submission.csv": table("id,label", "8.png,0", "9.png,0"),
        },
        table("id,label", "8.png,02", "9.png,01"),
        train={"1.png": "01", "2.png": "01", "3.png": "02"},
        tests={"8.png": "02", "9.png": "01"},
    ),
    "ids of videos, which begin with a dash": World(
        {
            "train.csv": table("id,label", "-a1,cat", "=b2,cat", "@c3,dog"),
            "test.csv": table("id", "-x", "+y"),
            "sample_submission.csv": table("id,label", "-x,cat", "+y,cat"),
        },
        table("id,label", "-x,dog", "+y,cat"),
        train={"-a1.png": "cat", "=b2.png": "cat", "@c3.png": "dog"},
        tests={"-x.png": "dog", "+y.png": "cat"},
    ),
    "tabs, and test images in folders": World(
        {
            "train.csv": NAMED.replace(",", "\t"),
            "sample_submission.csv": table("id\tlabel", "b/902\tcat", "a/900\tcat", "a/901\tcat"),
        },
        table("id\tlabel", "b/902\tdog", "a/900\towl", "a/901\tcat"),
        tests={"a/900.png": "owl", "a/901.png": "cat", "b/902.png": "dog"},
    ),
    "names of files where images have folders": World(
        {"train.csv": NAMED, "sample_submission.csv": BY_NAME},
        BY_NAME,
        tests={"a/900.png": "owl", "a/901.png": "cat", "b/902.png": "dog"},
    ),
    "names of a file system that decomposes them": World(
        {
            "train.csv": unicodedata.normalize("NFD", table("id,label", "1.png,é", "2.png,고양이")),
            "sample_submission.csv": unicodedata.normalize("NFD", table("id,label", "8.png,é", "9.png,é")),
        },
        unicodedata.normalize("NFD", table("id,label", "8.png,고양이", "9.png,é")),
        train={"1.png": "é", "2.png": "고양이"},
        tests={"8.png": "고양이", "9.png": "é"},
    ),
    "labels that are numbers, without a sample": World(
        {"train.csv": table("id,label", "1.png,3", "2.png,12", "3.png,7")},
        table("ID,image_path,target", "0,8.png,12", "1,9.png,3"),
        train={"1.png": "3", "2.png": "12", "3.png": "7"},
        tests={"8.png": "12", "9.png": "3"},
    ),
    "columns of ranks where labels are numbers from 1": World(
        {
            "train.csv": table("class_name,image_path,target", "1,1.png,0", "2,2.png,1", "3,3.png,2"),
            "sample_submission.csv": table("id,0,1,2", "8.png,0,0,0", "9.png,0,0,0"),
        },
        table("id,0,1,2", "8.png,0.15,0.7,0.15", "9.png,0.15,0.15,0.7"),
        train={"1.png": "1", "2.png": "2", "3.png": "3"},
        tests={"8.png": "2", "9.png": "3"},
    ),
    "a class called unknown": World(
        {
            "train.csv": table("id,label", "1.png,unknown", "2.png,cat"),
            "sample_submission.csv": table("id,prediction", "8.png,unknown", "9.png,unknown"),
        },
        table("id,prediction", "8.png,unknown", "9.png,cat"),
        train={"1.png": "unknown", "2.png": "cat"},
        tests={"8.png": "unknown", "9.png": "cat"},
    ),
    "capital letters": World(
        {
            "Train.csv": NAMED.replace("id,label", "Image_ID,Label"),
            "Test.csv": TEST_CSV.replace("id", "Image_ID"),
            "SampleSubmission.csv": table("Image_ID,Label", "900.png,cat", "901.png,cat", "902.png,cat"),
        },
        table("Image_ID,Label", "900.png,owl", "901.png,cat", "902.png,dog"),
        train_in="Images",
        test_in="Images",
    ),
    "archives that hold a folder of their own name, in a folder": World(
        {
            "the-contest/train.csv": NAMED,
            "the-contest/test.csv": TEST_CSV,
            "the-contest/sample_submission.csv": BY_NAME,
        },
        BY_NAME,
        train_in="the-contest/train/train",
        test_in="the-contest/test/test",
    ),
    "answers that are empty": World(
        {
            "train.csv": NAMED,
            "test.csv": TEST_CSV,
            "sample_submission.csv": table("id,label", "900.png,", "901.png,", "902.png,"),
        },
        BY_NAME,
    ),
    "names of people for wnids": World(
        {
            "train.csv": table("id,label", *(f"{n},{WNIDS[v]}" for n, v in TRAIN.items())),
            "sample_submission.csv": table("id,dog,tabby,owl", *(f"{n},0,0,0" for n in TESTS)),
        },
        table("id,dog,tabby,owl", "900.png,0.15,0.15,0.7", "901.png,0.15,0.7,0.15", "902.png,0.7,0.15,0.15"),
        train={name: WNIDS[label] for name, label in TRAIN.items()},
        tests={name: WNIDS[label] for name, label in TESTS.items()},
    ),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_submission_is_right_to_the_byte(world: World, tmp_path: Path) -> None:
    root = world.make(tmp_path)
    collection = read_collection(root)
    assert collection.layout == "contest"
    assert {Path(item.image_id).name: item.label for item in collection.items} == world.train
    folder = f"{world.test_in}/".removeprefix("data/").removeprefix("the-contest/")
    assert {image_id.removeprefix(folder) for image_id in collection.test_ids} == set(world.tests)
    assert not collection.skipped
    assert submitted(root, world.tests) == world.submission


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_vote_of_a_submission_and_its_copy_is_that_submission(world: World, tmp_path: Path) -> None:
    files = [tmp_path / "mine.csv", tmp_path / "copy.csv"]
    text = submitted(world.make(tmp_path / "contest"), world.tests)
    for file in files:
        file.write_text(text, encoding="utf-8")
    if "0.3" in text:
        with pytest.raises(DessinError, match=r"holds shares such as 0\.7"):
            vote(files, out=tmp_path / "voted.csv")
        return
    rule: Literal["soft", "hard"] = "soft" if "0.15" in text else "hard"
    voted = vote(files, rule=rule, out=tmp_path / "voted.csv")
    assert len(voted.image_ids) == len(world.tests)
    if ",source," in text:
        text = table("image_id,predicted,share", "902.png,dog,1.0", "901.png,cat,1.0", "900.png,owl,1.0")
        text = text.replace("1.0", "1.000000")
    assert (tmp_path / "voted.csv").read_text(encoding="utf-8") == text


KAGGLE = {"train.csv": NAMED, "test.csv": TEST_CSV}
REFUSED = {
    "rows that are too few": (
        "id,label\n900.png,cat\n901.png,cat\n",
        "1 test image has no row: test/902.png",
    ),
    "rows that are too many": (BY_NAME + "903.png,cat\n", "1 row names no test image: 903.png"),
    "other images": (
        BY_NAME.replace("902", "x2"),
        "1 row names no test image: x2.png; 1 test image has no row: test/902.png",
    ),
    "an id twice": (BY_NAME.replace("902", "901"), "1 image is in several rows: 901.png"),
    "no id at all": ("label\ncat\ndog\nowl\n", "No column"),
    "no answer": (TEST_CSV, "has no column for the answers"),
    "a number where train.csv has names": (table("id,label", *(f"{n},0" for n in TESTS)), "it holds 0"),
    "a class that is none": (BY_NAME.replace("owl", "fox"), "it holds cat, dog, fox"),
    "a class in capitals": (BY_NAME.replace("owl", "Owl"), "Write owl as train.csv does"),
    "numbers beyond the classes": (table("id,y", "900.png,7", "901.png,8", "902.png,9"), "it holds 7, 8, 9"),
    "a share of one of three": (table("id,y", *(f"{n},0.5" for n in TESTS)), "it holds 0.5"),
    "a class without a column": (
        table("id,cat,dog", *(f"{n},0,0" for n in TESTS)),
        "no column for the class owl",
    ),
    "a column without a class": (
        table("id,cat,dog,owl,fox", *(f"{n},0,0,0,0" for n in TESTS)),
        "no class for the column fox",
    ),
    "two answers": (table("id,first,second", *(f"{n},cat,dog" for n in TESTS)), "column first"),
    "a column twice": (table("id,label,label", *(f"{n},cat,dog" for n in TESTS)), "a column twice"),
    "row numbers that could be files": (
        table("id,label", "0,cat", "1,cat", "2,cat"),
        "can be read in two ways",
    ),
}


@pytest.mark.parametrize(("sample", "said"), REFUSED.values(), ids=REFUSED)
def test_a_sample_that_is_not_plain_is_refused_with_what_was_seen(
    sample: str, said: str, tmp_path: Path
) -> None:
    world = World(KAGGLE | {"sample_submission.csv": sample}, "")
    if "two ways" in said:
        tests = dict(zip(("2.png", "0.png", "1.png"), TESTS.values(), strict=True))
        world = World({**world.files, "test.csv": table("file", *tests)}, "", tests=tests)
    contest = read_contest(world.make(tmp_path))
    with pytest.raises(DessinError) as caught:
        read_form(contest)
    assert said in str(caught.value)
    assert caught.value.allowed or caught.value.do


def test_two_samples_are_refused(tmp_path: Path) -> None:
    samples = {"sample_submission.csv": BY_NAME, "sampleSubmission_2.csv": BY_NAME}
    contest = read_contest(World(KAGGLE | samples, "").make(tmp_path))
    with pytest.raises(DessinError, match=r"several sample submissions: sampleSubmission_2\.csv, sample_"):
        read_form(contest)


def test_what_people_hand_in_is_no_sample(tmp_path: Path) -> None:
    mine = {"submission.csv": BY_NAME, "my_submission.csv": BY_NAME, "submission_best.csv": BY_NAME}
    root = World(KAGGLE | mine, "").make(tmp_path)
    assert read_contest(root).samples == ()


def test_a_table_of_labels_without_test_images_is_no_contest(tmp_path: Path) -> None:
    root = World({"train.csv": NAMED.replace("\n0", "\ntrain/0").replace("id,", "image_path,")}, "").make(
        tmp_path
    )
    for image in (root / "test").iterdir():
        image.unlink()
    (root / "test").rmdir()
    assert read_collection(root).layout == "csv"

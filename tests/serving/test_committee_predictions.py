"""A committee at work: models of other sizes and class orders join by name, in any views, in every verb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contest_kit import make_contest
from tiny_bundle import make_bundle

from dessin.answers.committee import Committee, as_committee, save_committee
from dessin.answers.tree import Ballot, ModelNode, VoteNode
from dessin.errors import DessinError
from dessin.models.bundle import load_bundle
from dessin.models.card import read_card
from dessin.reading import read_csv
from dessin.serving.predict import predict
from dessin.serving.runtime import Runtime
from dessin.serving.submit import submit
from dessin.statistics.temperature import tempered

pytestmark = pytest.mark.slow

LABELS = ("cat", "house", "star")
Paths = list[Path]


@pytest.fixture
def files(tmp_path: Path, drawings: dict[str, list[bytes]]) -> Paths:
    paths = []
    for label, images in drawings.items():
        for number, data in enumerate(images):
            paths.append(tmp_path / f"{label}-{number}.png")
            paths[-1].write_bytes(data)
    return paths


@pytest.fixture
def bundles(tmp_path: Path, drawings: dict[str, list[bytes]]) -> dict[str, Path]:
    """Two models that differ: in size, in the order of classes, and in temperature."""
    half = {label: images[:2] for label, images in drawings.items()}
    return {
        "models/small": make_bundle(tmp_path / "small", drawings, temperature=0.5),
        "models/large": make_bundle(tmp_path / "large", half, classes=LABELS[::-1], size=48),
    }


def joined(folder: Path, bundles: dict[str, Path], weights: tuple[float, ...], **changes: object) -> Path:
    ballots = [
        Ballot(node=ModelNode(bundle=name), weight=weight)
        for name, weight in zip(bundles, weights, strict=True)
    ]
    committee = Committee(
        name="c", classes=LABELS, root=VoteNode(ballots=tuple(ballots)), licence="none", **changes
    )
    save_committee(folder, committee, bundles)
    return folder


def alone(bundle: Path, files: Paths, views: tuple[str, ...] = ()) -> np.ndarray:
    """A bundle's answers with columns in the order of LABELS."""
    runtime = Runtime.load(bundle, views=views)
    answers = runtime.predict_paths(files).probabilities
    return answers[:, [runtime.committee.classes.index(label) for label in LABELS]]


def test_it_answers_by_the_weighted_mean_joined_by_name(
    bundles: dict[str, Path], files: Paths, tmp_path: Path
) -> None:
    folder = joined(tmp_path / "committee", bundles, (1.0, 3.0))
    small, large = (alone(bundle, files).astype(np.float64) for bundle in bundles.values())
    found = Runtime.load(folder).predict_paths(files).probabilities
    np.testing.assert_allclose(found, (small + 3 * large) / 4, atol=1e-6)


def test_a_member_without_weight_changes_nothing(
    bundles: dict[str, Path], files: Paths, tmp_path: Path
) -> None:
    folder = joined(tmp_path / "committee", bundles, (1.0, 0.0))
    found = Runtime.load(folder).predict_paths(files).probabilities
    np.testing.assert_allclose(found, alone(bundles["models/small"], files), atol=1e-7)


def test_a_bundle_is_a_committee_of_one(bundles: dict[str, Path], files: Paths, tmp_path: Path) -> None:
    bundle = bundles["models/large"]
    whole = Runtime(as_committee(load_bundle(bundle))).predict_paths(files).probabilities
    clones = {"models/a": bundle, "models/b": bundle}
    vote = Runtime.load(joined(tmp_path / "committee", clones, (1.0, 1.0))).predict_paths(files)
    order = [read_card(bundle).classes.index(label) for label in LABELS]
    np.testing.assert_allclose(vote.probabilities, whole[:, order], atol=1e-7)


def test_views_are_averaged_before_the_vote(bundles: dict[str, Path], files: Paths, tmp_path: Path) -> None:
    looks = ("identity", "hflip", "smaller")
    folder = joined(tmp_path / "committee", bundles, (1.0, 1.0), views=looks)
    parts = [alone(bundle, files, (view,)) for bundle in bundles.values() for view in looks]
    by_itself = Runtime.load(folder).predict_paths(files).probabilities
    np.testing.assert_allclose(by_itself, np.mean(parts, axis=0), atol=1e-6)
    plain = Runtime.load(folder, views=["identity"]).predict_paths(files).probabilities
    assert np.abs(plain - by_itself).max() > 1e-3


def test_views_of_the_plain_one_alone_are_the_plain_answer(bundles: dict[str, Path], files: Paths) -> None:
    bundle = bundles["models/small"]
    np.testing.assert_array_equal(alone(bundle, files, ("identity",)), alone(bundle, files))


@pytest.mark.parametrize(
    ("views", "said"), [(["hflop"], 'Did you mean "hflip"'), (["hflip"] * 2, "only once")]
)
def test_wrong_views_are_refused(
    bundles: dict[str, Path], files: Paths, tmp_path: Path, views: list[str], said: str
) -> None:
    with pytest.raises(DessinError, match=said):
        predict(bundles["models/small"], files, out=tmp_path / "p.csv", views=views)
    assert not (tmp_path / "p.csv").exists()


def test_its_own_temperature_and_threshold_act_on_the_whole(
    bundles: dict[str, Path], files: Paths, tmp_path: Path
) -> None:
    plain = Runtime.load(joined(tmp_path / "plain", bundles, (1.0, 1.0))).predict_paths(files)
    folder = joined(tmp_path / "warm", bundles, (1.0, 1.0), temperature=3.0, threshold=0.99)
    warm = Runtime.load(folder).predict_paths(files)
    expected = tempered(plain.probabilities.astype(np.float64), 3.0)
    np.testing.assert_allclose(warm.probabilities, expected, atol=1e-5)
    predict(folder, files, out=tmp_path / "p.csv")
    rows = read_csv(tmp_path / "p.csv", ("predicted", "reason"))[1]
    assert {row["predicted"] for row in rows} == {""}
    assert all("below the threshold" in row["reason"] for row in rows)


def test_an_unreadable_image_stops_nobody(bundles: dict[str, Path], files: Paths, tmp_path: Path) -> None:
    folder = joined(tmp_path / "committee", bundles, (1.0, 1.0))
    rubbish = tmp_path / "rubbish.png"
    rubbish.write_bytes(b"no image")
    runtime = Runtime.load(folder)
    found = runtime.predict_paths([files[0], rubbish, files[1]])
    assert [refused.image_id for refused in found.unreadable] == [rubbish.as_posix()]
    expected = runtime.predict_paths(files[:2]).probabilities
    np.testing.assert_array_equal(found.probabilities, expected)


def test_an_ensembles_folder_stands_for_its_committee(
    bundles: dict[str, Path], files: Paths, tmp_path: Path
) -> None:
    joined(tmp_path / "ensemble" / "committee", bundles, (1.0, 1.0))
    inside = Runtime.load(tmp_path / "ensemble" / "committee").predict_paths(files)
    outside = Runtime.load(tmp_path / "ensemble").predict_paths(files)
    np.testing.assert_array_equal(inside.probabilities, outside.probabilities)


def test_a_committee_submits(tmp_path: Path) -> None:
    rows = [(f"n{c}", f"n{c}/sketch_{n}.JPEG") for c in range(3) for n in range(4)]
    make_contest(tmp_path / "contest", rows, test=9, size=40, seed=2)
    train = tmp_path / "contest" / "data" / "train"
    examples = {
        f"n{c}": [(train / path).read_bytes() for name, path in rows if name == f"n{c}"] for c in range(3)
    }
    bundles = {
        f"models/{n}": make_bundle(tmp_path / f"b{n}", examples, size=size) for n, size in ((0, 32), (1, 48))
    }
    committee = Committee(
        name="c",
        classes=tuple(examples),
        root=VoteNode(rule="hard", ballots=tuple(Ballot(node=ModelNode(bundle=name)) for name in bundles)),
        licence="none",
    )
    save_committee(tmp_path / "committee", committee, bundles)
    submit(tmp_path / "committee", tmp_path / "contest", out=tmp_path / "submission.csv")
    written = read_csv(tmp_path / "submission.csv", ("ID", "image_path", "target"))[1]
    assert len(written) == 9
    assert {int(row["target"]) for row in written} <= {0, 1, 2}

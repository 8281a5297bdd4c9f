"""The verb explain: on a run's validation drawings, on any images, for a model and for committees."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.committee import Committee, LoadedCommittee, load_model
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import Ballot, ModelNode, Node, RoutedNode, VoteNode
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.page.numbers import change
from dessin.progress import quiet
from dessin.reading import read_csv
from dessin.runs.train import train
from dessin.statistics.intervals import Estimate
from dessin.trust.explain.explainer import Explainer, Share, shares
from dessin.trust.explain.measure import SAMPLE, seeded_sample, verdict_of
from dessin.trust.explain.pictures import centre_of_mass
from dessin.trust.explain.result import Explanation, FaithfulnessResult, MapRow, Measure, MethodRow
from dessin.trust.explain.sources import BATCH, Drawing, Reader, given_drawings, in_chunks
from dessin.trust.explain.verb import explain
from dessin.trust.explain.view import SHOWN, galleries, method_words

pytestmark = pytest.mark.slow

METHODS = ("gradcam", "occlusion")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("explain")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        train(tiny_recipe("full"), data=data, split=split, out=folder / "run")
        yield folder


@pytest.fixture(scope="module")
def explained(world: Path) -> Explanation:
    return explain(world / "run", out=world / "out", methods=METHODS)


def test_every_validation_drawing_has_its_maps_and_nothing_else_has(
    world: Path, explained: Explanation
) -> None:
    split = read_split(world / "split.csv")
    validated = {row.image_id for row in split.rows if row.fold == 0}
    assert {row.image_id for row in explained.rows} == validated
    written = {path.relative_to(world / "out").as_posix() for path in (world / "out" / "maps").rglob("*.png")}
    assert written == {row.file for row in explained.rows}
    _, rows = read_csv(world / "out" / "maps.csv", ("image_id", "label", "explained", "file"))
    assert len(rows) == len(explained.rows)
    labels = {row.image_id: row.label for row in split.rows}
    assert all(row["label"] == labels[row["image_id"]] for row in rows)


def test_the_answers_are_those_of_the_run(world: Path, explained: Explanation) -> None:
    kept = read_predictions(world / "run" / "validation")
    for place, image_id in enumerate(kept.image_ids):
        best = int(kept.probabilities[place].argmax())
        own = [row for row in explained.rows if row.image_id == image_id]
        assert {row.predicted for row in own} == {kept.classes[best]}
        assert own[0].probability == pytest.approx(float(kept.probabilities[place, best]), abs=1e-3)


def test_a_wrong_answer_has_the_right_class_s_map_beside_its_own(world: Path, explained: Explanation) -> None:
    by_drawing: dict[str, list[MapRow]] = {}
    for row in explained.rows:
        by_drawing.setdefault(row.image_id, []).append(row)
    assert {len(rows) for rows in by_drawing.values()} <= {2, 4}
    for rows in by_drawing.values():
        classes = {row.predicted for row in rows} | {row.label for row in rows}
        assert {(row.method, row.explained) for row in rows} == {(m, c) for m in METHODS for c in classes}
        picture = np.asarray(Image.open(world / "out" / rows[0].file))
        panels = 1 + len(rows)
        assert picture.shape == (32, 32 * panels + 6 * (panels - 1), 3)


def test_mass_is_measured_where_it_is(explained: Explanation) -> None:
    full = [row for row in explained.rows if row.centre is not None]
    assert full
    assert all(0 < row.centre[0] < 1 and 0 < row.centre[1] < 1 for row in full if row.centre)
    assert all(row.on_ink is not None and 0 <= row.on_ink <= 1 for row in full)
    corner = np.zeros((10, 20), dtype=np.float32)
    corner[9, 0] = 0.5
    assert centre_of_mass(corner) == pytest.approx((0.025, 0.95))
    assert centre_of_mass(np.zeros_like(corner)) is None


def test_faithfulness_is_kept_with_n_and_intervals(world: Path, explained: Explanation) -> None:
    found = FaithfulnessResult.read(world / "out")
    assert found == explained.faithfulness
    assert found.drawings == len({row.image_id for row in explained.rows})
    assert [row.method for row in found.methods] == list(METHODS)
    for row in found.methods:
        for measure in (row.deletion, row.insertion):
            difference = measure.maps.value - measure.random.value
            assert measure.over_random.value == pytest.approx(difference)
            assert measure.over_random.low <= measure.over_random.value <= measure.over_random.high
            assert measure.maps.n == found.drawings
        assert row.curves["deletion maps"][0] == pytest.approx(row.curves["insertion ink"][-1], abs=1e-5)
        assert (row.agreement is None) == (row.method == "occlusion")
    table = list(csv.DictReader(io.StringIO((world / "out" / "faithfulness.csv").read_text())))
    assert len(table) == 2 * 2 * 5 + 1


def test_the_page_is_escaped_and_says_the_verdict(world: Path, explained: Explanation) -> None:
    page = (world / "out" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    for row in explained.faithfulness.methods:
        assert row.verdict in page
        meaning, of_ink, _ = row.text.split(". ", 2)
        assert meaning in page
        assert of_ink in page
        for gain in (*row.gains("random"), *row.gains("ink")):
            assert change(gain, 2) in page


def test_the_same_again_is_the_same_to_the_byte(world: Path, explained: Explanation) -> None:
    again = explain(world / "run", out=world / "again", methods=METHODS)
    assert again == explained
    for row in explained.rows:
        assert (world / "again" / row.file).read_bytes() == (world / "out" / row.file).read_bytes()


def test_a_run_and_its_bundle_with_data_explain_alike(world: Path, explained: Explanation) -> None:
    found = explain(
        world / "run" / "bundle",
        out=world / "of_bundle",
        methods=METHODS,
        data=world / "data",
        split=world / "split.csv",
    )
    assert found.rows == explained.rows


def make_odd_images(folder: Path) -> dict[str, Image.Image]:
    """Images of every mode, and of sizes from one pixel on."""
    gray = np.full((50, 90), 255, dtype=np.uint8)
    gray[10:30, 20:60:4] = 0
    page = Image.fromarray(gray)
    deep = Image.fromarray(gray.astype(np.uint16) * 257)
    clear = Image.merge("RGBA", (page, page, page, Image.fromarray(255 - gray)))
    images = {
        "bits.png": page.convert("1"),
        "gray.png": page,
        "gray_alpha.png": clear.convert("LA"),
        "palette.gif": page.convert("P"),
        "colour.jpg": page.convert("RGB"),
        "print.jpg": page.convert("CMYK"),
        "clear.png": clear,
        "deep.png": deep,
        "wide.png": Image.new("L", (900, 3), 200),
        "dot.png": Image.new("L", (1, 1), 0),
        "blank.bmp": Image.new("RGB", (64, 64), "white"),
        "deep/below/näme.webp": page.convert("RGB"),
    }
    for name, image in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name)
    return images


def test_any_image_of_any_mode_and_size_is_explained_and_bad_ones_are_named(
    world: Path, tmp_path: Path
) -> None:
    images = make_odd_images(tmp_path / "images")
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "images" / "empty.jpg").write_bytes(b"")
    found = explain(world / "run", out=tmp_path / "out", images=[tmp_path / "images"])
    assert {row.image_id for row in found.rows} == set(images)
    assert set(found.refused) == {"broken.png", "empty.jpg"}
    assert all((tmp_path / "out" / row.file).is_file() for row in found.rows)
    assert all(row.label == "" and row.explained == row.predicted for row in found.rows)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "broken.png" in page
    assert "Whether these answers are right is not known." in page


def test_single_files_are_taken_once_under_the_folder_they_share(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    found = given_drawings([tmp_path / "b", tmp_path / "a" / "1.png", tmp_path / "b" / "2.png"])
    assert [drawing.image_id for drawing in found] == ["b/2.png", "b/3.png", "a/1.png"]
    with pytest.raises(DessinError, match="no file or folder"):
        given_drawings([tmp_path / "c"])


def test_mistakes_of_the_user_are_said(world: Path, explained: Explanation, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="gradcom"):
        explain(world / "run", out=tmp_path / "a", methods=["gradcom"])
    with pytest.raises(DessinError, match="already exists"):
        explain(world / "run", out=world / "out")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(DessinError, match="Not one of 1 images"):
        explain(world / "run", out=tmp_path / "b", images=[tmp_path / "bad.png"])
    assert not (tmp_path / "b").exists()
    with pytest.raises(DessinError, match="There is no folder"):
        explain(world / "nowhere", out=tmp_path / "c", images=[world / "data"])
    assert len(explained.rows) > 0


def test_batches_are_of_one_fold_and_hold_every_drawing_once() -> None:
    folds = [None, 0, 1] * 40
    drawings = [Drawing(f"{n}", Path("x"), fold=fold) for n, fold in enumerate(folds)]
    chunks = in_chunks(drawings)
    assert sorted(int(d.image_id) for chunk in chunks for d in chunk) == list(range(120))
    assert all(len({d.fold for d in chunk}) == 1 and len(chunk) <= BATCH for chunk in chunks)
    assert in_chunks([]) == []


def committee_of(world: Path, root: Node, folds: dict[str, str]) -> LoadedCommittee:
    """The run's own bundle under several names, each said to have been trained without a fold."""
    alone = load_model(world / "run")
    (bundle,) = alone.bundles.values()
    bundles = {
        name: replace(bundle, card=bundle.card.model_copy(update={"provenance": {"fold": fold}}))
        for name, fold in folds.items()
    }
    committee = Committee(name="several", classes=alone.committee.classes, root=root, licence="none")
    return LoadedCommittee(committee, bundles)


def look_at(
    world: Path, loaded: LoadedCommittee, fold: int | None
) -> tuple[Explainer, np.ndarray, list[str]]:
    """The explainer with the maps of six drawings for their first class, and who was asked."""
    explainer = Explainer(loaded, torch.device("cpu"))
    drawings = [replace(drawing, fold=fold) for drawing in given_drawings([world / "data"])[::6]]
    (batch,) = Reader(explainer.images, explainer.device).batches(drawings)
    assert batch is not None
    seen = explainer.ask(batch, gradients=True)
    labels = [explainer.classes[0]] * len(drawings)
    return explainer, explainer.maps(seen, labels, "gradcam"), sorted(seen.pixels)


def test_a_committee_of_clones_looks_as_the_clone_and_weights_count(world: Path) -> None:
    single = look_at(world, committee_of(world, ModelNode(bundle="a"), {"a": "0"}), None)[1]
    vote = VoteNode(
        ballots=(
            Ballot(node=ModelNode(bundle="a"), weight=3.0),
            Ballot(node=ModelNode(bundle="b"), weight=1.0),
            Ballot(node=ModelNode(bundle="c"), weight=0.0),
        )
    )
    loaded = committee_of(world, vote, {"a": "0", "b": "1", "c": "0"})
    _, maps, asked = look_at(world, loaded, None)
    np.testing.assert_allclose(maps, single, atol=1e-5)
    assert asked == ["a", "b", "c"]
    assert look_at(world, loaded, 1)[2] == ["b"]
    assert shares(vote, "x") == {"a": Share("x", 0.75), "b": Share("x", 0.25)}


def test_models_that_differ_are_averaged_by_weight(world: Path) -> None:
    vote = VoteNode(
        ballots=(
            Ballot(node=ModelNode(bundle="a"), weight=3.0),
            Ballot(node=ModelNode(bundle="b"), weight=1.0),
        )
    )
    loaded = committee_of(world, vote, {"a": "0", "b": "1"})
    # The second names its classes in another order; the class is the same by name, its column is not.
    first, second = loaded.bundles["a"], loaded.bundles["b"]
    turned = second.card.model_copy(update={"classes": second.card.classes[::-1]})
    loaded = LoadedCommittee(loaded.committee, {"a": first, "b": replace(second, card=turned)})
    single = committee_of(world, ModelNode(bundle="a"), {"a": "0"})
    explainer = Explainer(single, torch.device("cpu"))
    (batch,) = Reader(explainer.images, explainer.device).batches(given_drawings([world / "data"])[::6])
    assert batch is not None
    seen = explainer.ask(batch, gradients=True)
    own, other = (
        explainer.maps(seen, [label] * len(batch.drawings), "gradcam")
        for label in (explainer.classes[0], explainer.classes[-1])
    )
    np.testing.assert_allclose(look_at(world, loaded, None)[1], 0.75 * own + 0.25 * other, atol=1e-5)


def test_models_that_fit_drawings_differently_are_not_laid_over_one_another(world: Path) -> None:
    vote = VoteNode(ballots=tuple(Ballot(node=ModelNode(bundle=name)) for name in "ab"))
    loaded = committee_of(world, vote, {"a": "0", "b": "1"})
    squashed = loaded.bundles["b"].card
    image = squashed.image.model_copy(update={"fit": "squash"})
    other = replace(loaded.bundles["b"], card=squashed.model_copy(update={"image": image}))
    with pytest.raises(DessinError, match="letterbox, squash"):
        Explainer(LoadedCommittee(loaded.committee, {**loaded.bundles, "b": other}), torch.device("cpu"))


def test_a_routed_answer_is_half_of_who_names_the_family_and_half_of_who_names_the_class() -> None:
    general, router, expert = (ModelNode(bundle=name) for name in ("general", "router", "expert"))
    families = {"cat": "animals", "dog": "animals", "cup": "things"}
    routed = RoutedNode(generalist=general, router=router, families=families, experts={"animals": expert})
    assert shares(routed, "cat") == {"router": Share("animals", 0.5), "expert": Share("cat", 0.5)}
    assert shares(routed, "cup") == {"router": Share("things", 0.5), "general": Share("cup", 0.5)}
    alone = RoutedNode(generalist=general, families=families)
    assert shares(alone, "dog") == {"general": Share("dog", 1.0)}


def test_the_page_shows_so_many_drawings_and_each_once() -> None:
    rows = []
    for n in range(200):
        file = f"maps/{n}.png"
        label = "a" if n % 2 else "b"
        rows.append(MapRow(f"{n}", label, "a", n / 200, "gradcam", "a", file, None, None, 0.0))
    shown = galleries(rows)
    ids = [row.image_id for gallery in shown for row in gallery.rows]
    assert len(ids) == len(set(ids)) == SHOWN
    wrong = shown[0].rows
    assert not any(row.right for row in wrong)
    assert [row.probability for row in wrong] == sorted((row.probability for row in wrong), reverse=True)
    assert wrong[0].image_id == "198"
    unlabelled = [replace(row, label="") for row in rows]
    assert sum(len(gallery.rows) for gallery in galleries(unlabelled)) == SHOWN


def test_the_sample_is_drawn_by_names_alone_and_smaller_for_many_models() -> None:
    drawings = [Drawing(f"{n}.png", Path("x")) for n in range(300)]
    names = {drawing.image_id for drawing in seeded_sample(drawings, 0, 1)}
    assert len(names) == SAMPLE
    assert {drawing.image_id for drawing in seeded_sample(drawings[::-1], 0, 1)} == names
    assert {drawing.image_id for drawing in seeded_sample(drawings, 1, 1)} != names
    fewer = {drawing.image_id for drawing in seeded_sample(drawings, 0, 30)}
    assert len(fewer) == 16
    assert fewer < names
    assert len(seeded_sample(drawings[:5], 0, 1)) == 5


def measure(gain: tuple[float, float, float], ink: float) -> Measure:
    def result(value: float, low: float, high: float) -> Estimate:
        return Estimate(value=value, low=low, high=high, n=10)

    level = result(0.5, 0.4, 0.6)
    return Measure(
        maps=level,
        random=level,
        ink=level,
        over_random=result(*gain),
        over_ink=result(ink, ink - 0.01, ink + 0.01),
    )


def method_row(deletion: Measure, insertion: Measure) -> MethodRow:
    return MethodRow(
        method="gradcam",
        cells=(7, 7),
        deletion=deletion,
        insertion=insertion,
        agreement=None,
        empty=0,
        curves={},
        verdict="not shown",
    )


@pytest.mark.parametrize(
    ("deletion", "insertion", "verdict"),
    [
        ((-0.2, -0.3, -0.1), (0.2, 0.1, 0.3), "faithful"),
        ((-0.2, -0.3, 0.1), (0.2, 0.1, 0.3), "partly faithful"),
        ((-0.1, -0.3, 0.1), (0.1, -0.1, 0.3), "not shown"),
        ((-0.001, -0.002, -0.0001), (0.001, 0.0001, 0.002), "not shown"),
        ((0.2, 0.1, 0.3), (0.2, 0.1, 0.3), "misleading"),
        ((-0.2, -0.3, -0.1), (-0.2, -0.3, -0.1), "misleading"),
    ],
)
def test_the_verdict_follows_from_the_intervals(
    deletion: tuple[float, float, float], insertion: tuple[float, float, float], verdict: str
) -> None:
    more, less = (method_row(measure(deletion, -ink), measure(insertion, ink)) for ink in (0.1, -0.1))
    assert verdict_of(more.gains("random"), more.gains("ink")) == verdict
    below = verdict_of(less.gains("random"), less.gains("ink"))
    assert below == ("partly faithful" if verdict == "faithful" else verdict), "the ink alone does better"
    assert "more than where the ink is" in method_words(more)
    assert "does better" in method_words(less)
    told = method_words(less.model_copy(update={"verdict": below}))
    assert ("better than chance does: trust them with care" in told) == (verdict == "faithful")

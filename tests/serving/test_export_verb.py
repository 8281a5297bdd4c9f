"""An exported folder answers as its model did, in every verb; what answers otherwise is not written."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from exportable import LABELS, World, add_bundle, add_committee, make_world

from dessin.answers.committee import load_model, read_committee
from dessin.answers.tree import ModelNode, RoutedNode
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.images.ground import Pixels
from dessin.models.bundle import load_bundle
from dessin.models.card import BundleCard, change_card, read_card
from dessin.models.classifier import Classifier
from dessin.reading import read_csv
from dessin.runs.subject import read_subject
from dessin.serving.export import verb
from dessin.serving.export.convert import to_int8, to_onnx
from dessin.serving.export.result import Price
from dessin.serving.export.verb import Exported, export
from dessin.serving.export.web.build import card_of
from dessin.serving.export.web.runtime import WebRuntime
from dessin.serving.look import USUAL
from dessin.serving.predict import predict
from dessin.statistics.intervals import Estimate
from dessin.trust.confidence.verb import calibrate
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        yield make_world(folder)


@pytest.fixture(scope="module", autouse=True)
def converted_once() -> Iterator[None]:
    """What a bundle was converted to is remembered: that takes seconds and gives the same bytes each time."""
    made: dict[tuple[str, bytes], bytes] = {}

    def remembered(classifier: Classifier, card: BundleCard, drawings: Pixels) -> bytes:
        key = card.digests["weights"], drawings.tobytes()
        if key not in made:
            made[key] = to_onnx(classifier, card, drawings)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "to_onnx", remembered)
        yield


@pytest.fixture(scope="module")
def exported(world: World) -> Path:
    folder = world.data.parent / "exported"
    export(world.bundle, out=folder, data=world.data, split=world.split)
    return folder


@pytest.fixture(scope="module")
def int8(world: World) -> Path:
    folder = world.data.parent / "int8"
    export(world.bundle, out=folder, int8=True, data=world.data, split=world.split)
    return folder


def table(path: Path) -> tuple[list[str], np.ndarray]:
    """The names that were predicted, and every probability of a predictions file."""
    _, rows = read_csv(path, ["image_id", "predicted"])
    numbers = [[float(row[key]) for key in row if key.endswith("probability")] for row in rows]
    return [row["predicted"] for row in rows], np.array(numbers)


def probabilities(model: Path, world: World) -> np.ndarray:
    subject = read_subject(model, world.data, world.split)
    return subject.answers(subject.rows("validation")).probabilities


def test_predict_gives_the_same_file(world: World, exported: Path, tmp_path: Path) -> None:
    for name, model in (("torch", world.bundle), ("onnx", exported)):
        predict(model, [world.data], out=tmp_path / name, top=3, views=("identity", "hflip", "smaller"))
    (said, ours), (also, theirs) = table(tmp_path / "torch"), table(tmp_path / "onnx")
    assert said == also
    assert len(set(said)) == len(LABELS)
    assert np.abs(ours - theirs).max() <= TOLERANCE


def test_the_card_says_what_was_written_and_how_it_was_checked(world: World, exported: Path) -> None:
    before, card = read_card(world.bundle), read_card(exported)
    assert sorted(path.name for path in exported.iterdir()) == ["bundle.json", "export.json", "model.onnx"]
    assert card.digests == {**before.digests, "weights": sha256_file(exported / "model.onnx")}
    assert (card.classes, card.temperature, card.image) == (before.classes, before.temperature, before.image)
    assert card.provenance["exported_from"] == before.digests["weights"]
    outcome = Exported.model_validate(json.loads((exported / "export.json").read_text()))
    (found,) = outcome.agreement.values()
    assert found.exact
    assert found.drawings == found.same_top1 == len(world.parts.validation(0))
    assert found.words in card.provenance["export_check"]


def test_verbs_that_ask_for_answers_take_it(world: World, exported: Path, tmp_path: Path) -> None:
    shown = {"data": world.data, "split": world.split}
    ours, theirs = probabilities(world.bundle, world), probabilities(exported, world)
    assert np.abs(ours - theirs).max() <= TOLERANCE
    results = [
        evaluate(model, out=tmp_path / f"{model.name}-evaluated", robustness=True, **shown)
        for model in (world.bundle, exported)
    ]
    assert results[0].metrics.accuracy == results[1].metrics.accuracy
    robust = [found.robustness.result.robust.value for found in results if found.robustness]
    assert len(robust) == 2
    assert robust[0] == pytest.approx(robust[1], abs=0.002)
    outcomes = [
        calibrate(model, out=tmp_path / f"{model.name}-calibrated", **shown).calibration
        for model in (world.bundle, exported)
    ]
    assert outcomes[0].temperature == pytest.approx(outcomes[1].temperature, rel=1e-3)


def test_maps_need_no_gradients_or_say_so(world: World, exported: Path, tmp_path: Path) -> None:
    one = [world.files[0]]
    with pytest.raises(DessinError, match="no gradients"):
        explain(exported, out=tmp_path / "gradients", methods=["gradcam"], images=one)
    found = explain(exported, out=tmp_path / "occlusion", methods=["occlusion"], images=one)
    assert [row.method for row in found.rows] == ["occlusion"]


def test_a_vote_and_a_router_are_exported_with_their_tree(world: World, tmp_path: Path) -> None:
    drawn = {label: [(world.data / label / f"{n:02d}.png").read_bytes() for n in (3, 5)] for label in LABELS}
    families = {"cat": "alive", "house": "thing", "star": "thing"}
    experts = {label: drawn[label] for label in ("house", "star")}
    bundles = {
        "models/all": world.bundle,
        "models/larger": add_bundle(world, tmp_path / "larger", drawn, size=48),
        "models/things": add_bundle(world, tmp_path / "things", experts),
        "models/router": add_bundle(
            world, tmp_path / "router", {"alive": drawn["cat"], "thing": drawn["house"] + drawn["star"]}
        ),
    }
    routed = RoutedNode(
        generalist=ModelNode(bundle="models/larger"),
        router=ModelNode(bundle="models/router"),
        families=families,
        experts={"thing": ModelNode(bundle="models/things")},
    )
    vote = {name: bundles[name] for name in ("models/all", "models/larger")}
    rest = {name: bundles[name] for name in bundles if name != "models/all"}
    for name, parts, root in (("vote", vote, None), ("routed", rest, routed)):
        whole = add_committee(world, tmp_path / name, parts, root)
        folder = tmp_path / f"{name}-exported"
        outcome = export(whole, out=folder)
        assert set(outcome.agreement) == set(parts)
        assert read_committee(folder).root == read_committee(whole).root
        assert all(bundle.card.exported for bundle in load_model(folder).bundles.values())
        assert np.abs(probabilities(whole, world) - probabilities(folder, world)).max() <= TOLERANCE
        # The split and the data are known, as they were before.
        assert len(read_subject(folder, None, None).rows("validation")) == len(world.parts.validation(0))


def test_what_answers_otherwise_is_not_written(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(classifier: object, card: BundleCard, drawings: Pixels) -> bytes:
        other = load_bundle(world.bundle).with_weights("a fault")
        with torch.no_grad():
            other.head.bias[0] += 0.01
        return to_onnx(other, card, drawings)

    monkeypatch.setattr(verb, "to_onnx", wrong)
    with pytest.raises(DessinError, match="does not answer as torch does"):
        export(world.bundle, out=tmp_path / "out", data=world.data, split=world.split)
    assert not (tmp_path / "out").exists()


def test_int8_is_calibrated_on_training_drawings_alone_and_its_price_is_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Pixels] = []

    def watched(model: bytes, card: BundleCard, drawings: Pixels) -> bytes:
        shown.append(drawings)
        return to_int8(model, card, drawings)

    monkeypatch.setattr(verb, "to_int8", watched)
    subject = read_subject(world.bundle, world.data, world.split)
    outcome = export(world.bundle, out=tmp_path / "out", int8=True, data=world.data, split=world.split)
    store = subject.inputs.opener()(read_card(world.bundle).image)
    own = {pixels.tobytes() for pixels in shown[0]}
    for rows, expected in (
        (world.parts.training(0), len(world.parts.training(0))),
        (world.parts.validation(0), 0),
        (world.parts.held_out(), 0),
    ):
        of_rows = {np.array(store.pixels[[n]]).tobytes() for n in store.rows([row.image_id for row in rows])}
        assert len(own & of_rows) == expected
    assert outcome.price is not None
    assert outcome.price.difference.n == len(world.parts.validation(0))
    assert outcome.price.difference.low <= outcome.price.difference.value <= outcome.price.difference.high


def test_int8_is_smaller_and_near(world: World, exported: Path, int8: Path) -> None:
    sizes = [(folder / "model.onnx").stat().st_size for folder in (exported, int8)]
    assert sizes[1] < 0.7 * sizes[0]
    assert read_card(int8).precision == "int8"
    ours, theirs = probabilities(world.bundle, world), probabilities(int8, world)
    assert 0 < np.abs(ours - theirs).max() < 0.2


def test_int8_twice_is_the_same_file(world: World, int8: Path, tmp_path: Path) -> None:
    export(world.bundle, out=tmp_path / "again", int8=True, data=world.data, split=world.split)
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (int8 / "model.onnx").read_bytes()


@pytest.mark.parametrize(("value", "high", "loud"), [(-0.05, -0.03, True), (-0.05, 0.01, False)])
def test_a_certain_loss_is_loud(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: float,
    high: float,
    loud: bool,
) -> None:
    def priced(*_: object) -> Price:
        accuracy = Estimate(0.5, 0.4, 0.6, 90)
        return Price(float32=accuracy, int8=accuracy, difference=Estimate(value, -0.07, high, 90))

    said: list[str] = []
    loudly: list[str] = []
    monkeypatch.setattr(verb, "say", said.append)
    monkeypatch.setattr(verb, "warn", loudly.append)
    monkeypatch.setattr(verb, "int8_price", priced)
    export(world.bundle, out=tmp_path / "out", int8=True, data=world.data, split=world.split)
    assert any("−5.0 [−7.0," in line for line in said)
    assert any("loses more than 2 points" in line for line in loudly) == loud
    assert (tmp_path / "out" / "bundle.json").is_file()


def test_a_page_is_made_of_a_model_of_torch_with_the_look_of_its_drawings(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "web_runtime", lambda _: WebRuntime(b"export {}", b""))
    bundle = tmp_path / "bundle"
    shutil.copytree(world.bundle, bundle)
    digests = {**read_card(bundle).digests, "manifest": world.parts.manifest_digest}
    change_card(bundle, {"digests": digests})
    page, out = tmp_path / "page", tmp_path / "out"
    outcome = export(bundle, out=out, page=page, data=world.data, split=world.split)
    assert all(found.exact for found in outcome.agreement.values())
    text = (page / "index.html").read_text(encoding="utf-8")
    card = json.loads(text.split('id="page">')[1].split("</script>")[0])["card"]
    assert card["classes"] == list(LABELS)
    assert card["models"]["bundle"]["temperature"] == 0.7
    packed = text.split('id="model bundle">')[1].split("</script>")[0]
    assert gzip.decompress(base64.b64decode(packed)) == (out / "model.onnx").read_bytes()
    assert 0.001 < card["look"]["thickness"] < 0.1
    assert card["look"] != card_of(load_model(out), USUAL)["look"]


def test_without_data_or_twice_it_is_refused_before_anything_is_written(
    world: World, exported: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(DessinError, match="--data"):
        export(world.bundle, out=out)
    with pytest.raises(DessinError, match=r"exported to model\.onnx"):
        export(exported, out=out, data=world.data, split=world.split)
    assert not out.exists()
    with pytest.raises(DessinError, match="not empty"):
        export(world.bundle, out=exported, data=world.data, split=world.split)

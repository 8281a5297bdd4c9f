"""A model that looks at mirror images too: the same weights, other answers, and the same ones everywhere."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe
from torch import Tensor

from dessin.errors import DessinError
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import read_card
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights
from dessin.progress import quiet
from dessin.recipe import Recipe, make_recipe
from dessin.runs.inputs import read_inputs
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.serving.export.verb import export
from dessin.serving.predict import predict
from dessin.training.probe import fit_probe
from dessin.trust.confidence.evidence import answers_of
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain

pytestmark = pytest.mark.slow

BACKBONE = "test_efficientnet"
PIXELS = torch.randint(0, 256, (4, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def build(*, mirrored: bool) -> Classifier:
    weights = Weights(BACKBONE, "none", None, "", "none")
    classifier = build_classifier(BACKBONE, 3, weights, image_size=40, mirrored=mirrored)
    head = torch.randn((3, classifier.width), generator=torch.Generator().manual_seed(1))
    classifier.start_head(head, torch.zeros(3))
    return classifier.eval()


def asked(classifier: Classifier, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        return classifier(pixels)


def test_its_logits_are_the_mean_of_both_looks_and_do_not_know_left_from_right() -> None:
    plain, mirrored = build(mirrored=False), build(mirrored=True)
    one, other = asked(plain, PIXELS), asked(plain, PIXELS.flip(3))
    assert (one - other).abs().max() > 0.01, "else the mean of both would say nothing"
    found = asked(mirrored, PIXELS)
    torch.testing.assert_close(found, (one + other) / 2)
    torch.testing.assert_close(found, asked(mirrored, PIXELS.flip(3)))


def test_what_it_learns_from_is_one_look() -> None:
    plain, mirrored = build(mirrored=False), build(mirrored=True)
    with torch.inference_mode():
        assert torch.equal(plain.features(PIXELS), mirrored.features(PIXELS))
        assert torch.equal(plain.train()(PIXELS), mirrored.train()(PIXELS))


def test_a_recipe_without_it_is_written_as_before() -> None:
    values = {"model": {"backbone": BACKBONE, "mirrored": True}}
    recipe = make_recipe(values)
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    assert recipe.model_dump()["model"]["mirrored"] is True
    assert "mirrored" not in make_recipe({}).model_dump()["model"]


def test_a_probe_is_chosen_by_and_says_of_unseen_images_what_the_mirrored_model_would() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    middle = generator.normal(size=(3, 8))
    features = (middle[labels] + generator.normal(size=(2, 60, 8))).astype(np.float32)
    folds, groups = np.arange(60) % 4, [""] * 60
    found = fit_probe(features, labels, groups, 3, folds=folds, looks=2)
    # The mean of the views in place of the first, which alone is asked: the same samples to learn from.
    mean = features.mean(axis=0)
    assert found.unseen is not None
    once = fit_probe(features, labels, groups, 3, folds=folds)
    assert once.unseen is not None
    right = [(said.argmax(axis=1) == labels).mean() for said in (found.unseen, once.unseen)]
    assert right[0] > right[1], "two looks at noise see more than one"
    held = folds == 1
    others = fit_probe(features[:, ~held], labels[~held], groups[:45], 3, folds=folds[~held], looks=2)
    expected = others.logits(mean[held]).argmax(axis=1)
    assert (found.unseen[held].argmax(axis=1) == expected).mean() > 0.9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawings, a split, and a run with and without mirror images."""
    with apart(tmp_path_factory.mktemp("mirrored")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, mirrored in (("plain", False), ("both", True)):
            model = {"backbone": BACKBONE, "weights": "none", "mirrored": mirrored}
            asked = tiny_recipe("probe", model=model, augment=[])
            train(asked, data=data, split=split, out=folder / name)
        yield folder


@pytest.mark.slow
def test_the_card_says_what_it_does(home: Path) -> None:
    plain, both = (home / name / "bundle" for name in ("plain", "both"))
    assert read_card(both).mirrored
    assert "mirrored" not in (plain / "bundle.json").read_text()
    bundle = load_bundle(both)
    classifier = bundle.with_weights("a test")
    assert classifier.mirrored
    with pytest.raises(DessinError, match="one looks at mirror images and the other does not"):
        save_bundle(home / "other", classifier, bundle.card.model_copy(update={"mirrored": False}))
    with pytest.raises(DessinError, match="one looks at mirror images and the other does not"):
        save_bundle(home / "other", load_bundle(plain).with_weights("a test"), bundle.card)


@pytest.mark.slow
def test_validation_prediction_export_and_maps_agree_on_what_it_answers(home: Path, tmp_path: Path) -> None:
    both, data, split = home / "both", home / "data", home / "split.csv"
    drawings = [data / CLASSES[0]]
    with quiet():
        assert (
            evaluate(both, out=tmp_path / "measured").metrics.accuracy.value
            == read_record(both).results["validation"].accuracy.value
        )
        found = export(both, out=tmp_path / "onnx", data=data, split=split)
        assert max(a.largest_difference for a in found.agreement.values()) < 1e-5
        assert read_card(tmp_path / "onnx").mirrored
        models = {"torch": both, "onnx": tmp_path / "onnx", "plain": home / "plain"}
        probabilities = {}
        for name, model in models.items():
            predict(model, drawings, out=tmp_path / f"{name}.csv")
            with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
                probabilities[name] = [float(row["probability"]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(probabilities["torch"], probabilities["onnx"], atol=1e-4)
        assert np.abs(np.subtract(probabilities["torch"], probabilities["plain"])).max() > 1e-4
        explain(both, images=drawings, out=tmp_path / "maps")


@pytest.mark.slow
def test_what_confidence_is_measured_on_is_what_it_answers(home: Path) -> None:
    bundle = load_bundle(home / "both" / "bundle")
    inputs = read_inputs(str(home / "data"), str(home / "split.csv"), None)
    image_ids = [row.image_id for row in inputs.split.rows[:6]]
    opener = inputs.opener()
    store = opener(bundle.card.image)
    pixels = torch.from_numpy(np.array(store.pixels[store.rows(image_ids)]))
    classifier = bundle.with_weights("a test")
    with quiet():
        answers = answers_of(bundle, opener, image_ids, label="answers")
    np.testing.assert_allclose(answers.logits, asked(classifier, pixels).numpy(), atol=1e-5)
    assert answers.features is not None

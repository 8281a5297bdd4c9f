"""A probe that reads several bodies: trained, killed, resumed, evaluated, exported, and what it refuses."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.committees.distill.verb import distill
from dessin.committees.ensemble.verb import ensemble
from dessin.committees.soup.verb import soup
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.bundle import load_bundle
from dessin.progress import quiet
from dessin.recipe import Recipe
from dessin.runs import stages
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.serving.export.verb import export
from dessin.serving.maps import map_maker
from dessin.serving.predict import predict
from dessin.serving.runtime import Runtime
from dessin.training import features as module
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain

pytestmark = pytest.mark.slow

FIRST, SECOND = "test_efficientnet", "test_resnet"


def recipe(beside: list[str], **model: Any) -> Recipe:
    values = {"backbone": FIRST, "weights": "none", "beside": beside} | model
    return tiny_recipe("probe", model=values, augment=[])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawings, a split, a run whose body was tuned, and a probe that joins it to a random one."""
    with apart(tmp_path_factory.mktemp("joined")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        tuned = tiny_recipe("full", model={"backbone": SECOND, "weights": "none"})
        train(tuned, data=data, split=split, out=folder / "tuned")
        asked = recipe([f"{SECOND}:{folder / 'tuned'}"])
        train(asked, data=data, split=split, out=folder / "joined")
        yield folder


def run(home: Path, out: Path, asked: Recipe) -> Path:
    with quiet():
        return train(asked, data=home / "data", split=home / "split.csv", out=out)


def test_the_card_and_the_record_name_each_body_with_its_weights(home: Path) -> None:
    record, card = read_record(home / "joined"), load_bundle(home / "joined" / "bundle").card
    tuned = read_record(home / "tuned").digests.model
    assert card.backbones == (FIRST, SECOND)
    assert card.provenance["backbone_weights"] == "none"
    assert card.provenance["beside_0_weights"] == f"bundle tuned {tuned}"
    assert card.licence == "none"
    assert record.decided("weights beside 1", str) == f"{SECOND}: bundle tuned"
    assert record.decided("bodies", str) == f"{FIRST} + {SECOND}"
    assert (record.decided("speed", float) or 0) > 0
    assert record.digests.beside
    assert not read_record(home / "tuned").digests.beside
    assert "beside" not in read_record(home / "tuned").model_dump(mode="json")["digests"]


def test_the_bodies_are_the_ones_that_were_named(home: Path) -> None:
    joined = load_bundle(home / "joined" / "bundle").with_weights("a test")
    tuned = load_bundle(home / "tuned" / "bundle").with_weights("a test")
    mine, theirs = joined.encoders[1].body.state_dict(), tuned.body.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_features_of_a_body_are_computed_once_whatever_it_is_joined_with(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Path] = []
    whole = module._compute
    monkeypatch.setattr(module, "_compute", lambda *asked: computed.append(asked[0]) or whole(*asked))
    known = f"{SECOND}:{home / 'tuned'}"
    views = len(stages.PROBE_VIEWS)
    for name, asked, bodies in (("two", [known], 2), ("one", [], 0), ("three", [known, f"{SECOND}:none"], 1)):
        computed.clear()
        run(home, tmp_path / name, recipe(asked))
        assert len(computed) == bodies * views, name


def test_the_order_changes_the_names_and_not_the_answers(home: Path, tmp_path: Path) -> None:
    run(home, tmp_path / "file", tiny_recipe("full", augment=[]))
    names = [f"{FIRST}:{tmp_path / 'file'}", f"{SECOND}:{home / 'tuned'}"]
    answers = []
    for order in (names, names[::-1]):
        (first, weights), other = order[0].split(":"), order[1]
        out = run(home, tmp_path / first, recipe([other], backbone=first, weights=weights))
        answers.append(np.load(out / "validation" / "probabilities.npy", allow_pickle=False))
        assert load_bundle(out / "bundle").card.backbones[0] == first
    # As near as a fit that stops where accuracy no longer changes.
    np.testing.assert_allclose(answers[0], answers[1], atol=0.1)
    assert (answers[0].argmax(1) == answers[1].argmax(1)).all()


class Killed(BaseException):
    """Stands for a kill: nothing of dessin catches it."""


@pytest.mark.parametrize("place", ["shared_probe", "save_bundle", "_validate"])
def test_a_killed_one_goes_on_to_the_same_bytes(
    place: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(stages, place, die)
        with pytest.raises(Killed):
            run(home, tmp_path / "run", read_record(home / "joined").recipe)
    with quiet():
        train(resume=tmp_path / "run")
    whole, resumed = (
        sha256_file(f / "bundle/model.safetensors") for f in (home / "joined", tmp_path / "run")
    )
    assert whole == resumed


def test_a_beside_that_changed_cannot_be_gone_on_with(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = load_file(home / "tuned" / "bundle" / "model.safetensors")
    body = {name.removeprefix("body."): t for name, t in state.items() if name.startswith("body.")}
    save_file(body, tmp_path / "body.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "save_bundle", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run(home, tmp_path / "run", recipe([f"{SECOND}:{tmp_path / 'body.safetensors'}"]))
    next(tensor for tensor in body.values() if tensor.ndim == 4).add_(1)
    save_file(body, tmp_path / "body.safetensors")
    with pytest.raises(DessinError, match="have changed: beside"), quiet():
        train(resume=tmp_path / "run")


def test_it_is_evaluated_predicted_exported_and_explained(home: Path, tmp_path: Path) -> None:
    joined, data, split = home / "joined", home / "data", home / "split.csv"
    drawings = [data / CLASSES[0]]
    with quiet():
        measured = evaluate(joined, out=tmp_path / "measured")
        kept = read_record(joined).results["validation"].accuracy
        assert measured.metrics.accuracy.value == kept.value
        found = export(joined, out=tmp_path / "onnx", data=data, split=split)
        assert max(a.largest_difference for a in found.agreement.values()) < 1e-5
        export(joined, out=tmp_path / "int8", data=data, split=split, int8=True)
        for name, place in (("torch", joined), ("onnx", tmp_path / "onnx"), ("int8", tmp_path / "int8")):
            predict(place, drawings, out=tmp_path / f"{name}.csv")
        shown = explain(joined, images=drawings, out=tmp_path / "maps", methods="gradcam,hirescam,occlusion")
        assert shown.drawings == len(list(drawings[0].iterdir()))
    torch_rows, onnx_rows, int8_rows = (table(tmp_path / f"{name}.csv") for name in ("torch", "onnx", "int8"))
    for mine, other in zip(torch_rows, onnx_rows, strict=True):
        assert (mine["image_id"], mine["predicted"]) == (other["image_id"], other["predicted"])
        assert float(mine["probability"]) == pytest.approx(float(other["probability"]), abs=1e-5)
    assert len(int8_rows) == len(torch_rows)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_bodies_and_mirror_images_go_together(home: Path, tmp_path: Path) -> None:
    out = run(
        home, tmp_path / "run", recipe([f"{SECOND}:{home / 'tuned'}"], mirrored=True, features="several")
    )
    (speed,) = (found for found in read_record(out).decisions if found.name == "speed")
    assert "mirror image" in speed.reason
    with quiet():
        found = export(out, out=tmp_path / "onnx", data=home / "data", split=home / "split.csv")
    assert max(a.largest_difference for a in found.agreement.values()) < 1e-5
    classifier = load_bundle(out / "bundle").classifier
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(pixels), classifier(pixels.flip(3)))


def test_it_votes_answers_at_work_and_teaches(home: Path, tmp_path: Path) -> None:
    with quiet():
        found = ensemble([home / "joined", home / "tuned"], out=tmp_path / "both", select="all")
        taught = distill(
            home / "joined",
            student=FIRST,
            out=tmp_path / "taught",
            overrides=["model.weights=none", "image.size=32", "finetune.mode=full", "train.epochs=1"],
            data=home / "data",
            split=home / "split.csv",
            views="identity",
            final=False,
        )
        runtime = Runtime.load(home / "joined")
        maps = map_maker(runtime)
    assert found is not None
    assert taught is not None
    pixels = np.full((40, 40, 3), 255, dtype=np.uint8)
    pixels[8:30, 10:14] = 0
    assert maps is not None
    assert maps.method == "gradcam"
    assert maps.make(pixels).values.shape == (32, 32)


def test_a_soup_of_bodies_that_differ_is_refused(home: Path, tmp_path: Path) -> None:
    other = run(home, tmp_path / "other", recipe([f"{SECOND}:none"]))
    with pytest.raises(DessinError, match="weights beside"), quiet():
        soup([home / "joined", other], out=tmp_path / "soup")


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ("test_resnett", 'Unknown backbone: "test_resnett"'),
        ("test_resnet:drawn", "No weights of test_resnet"),
        ("test_resnet:runs/nowhere", 'no weights at "runs/nowhere"'),
        ("test_vit:{home}/tuned", "holds test_resnet"),
    ],
)
def test_a_wrong_beside_is_refused_by_name_and_leaves_no_folder(
    beside: str, message: str, home: Path, tmp_path: Path
) -> None:
    with pytest.raises(DessinError, match=message):
        run(home, tmp_path / "run", recipe([beside.format(home=home)]))
    assert not (tmp_path / "run").exists()

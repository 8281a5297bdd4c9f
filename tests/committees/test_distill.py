"""The verb `distill` on tiny networks: who taught whom, what is kept, and what the figures are of."""

from __future__ import annotations

import csv
import html
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family_kit import apart, kit_recipe, make_drawings, make_kit_split

from dessin.answers.committee import Committee, load_committee, save_committee
from dessin.answers.inference import answer_rows
from dessin.answers.predictions import read_predictions
from dessin.answers.soft_labels import read_soft_labels
from dessin.answers.tree import Ballot, ModelNode, VoteNode
from dessin.collection.split.files import read_split
from dessin.committees.distill.result import DistillResults
from dessin.committees.distill.verb import distill
from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import read_card
from dessin.progress import quiet
from dessin.reports.verb import report
from dessin.runs.inputs import read_inputs
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

NAME = "<script>alert(1)</script>"
STUDENT = "test_efficientnet"
VIEWS = ("identity", "hflip")
OVERRIDES = (
    "model.weights=none",
    "train.epochs=2",
    "train.batch_size=8",
    "optimizer.lr=2e-3",
    "finetune.mode=full",
    "finetune.batch_norm=train",
)


@dataclass(frozen=True)
class World:
    folder: Path
    data: Path
    split: Path
    bundles: dict[str, Path]
    committee: Path
    out: Path
    results: DistillResults

    def distilled(self, out: Path, committee: Path | None = None, **changes: Any) -> DistillResults:
        given = {
            "overrides": OVERRIDES,
            "views": VIEWS,
            "folds": "all",
            "data": self.data,
            "student": STUDENT,
        }
        return distill(committee or self.committee, out=out, **(given | changes))


def joined(folder: Path, bundles: dict[str, Path], split: Path) -> Path:
    """A committee with its split beside it: a vote of members, each a vote of its folds' models."""
    card = read_card(next(iter(bundles.values())))
    members: dict[str, list[Ballot]] = {}
    for name in bundles:
        members.setdefault(name.partition("/")[0], []).append(Ballot(node=ModelNode(bundle=name)))
    votes = [VoteNode(ballots=tuple(ballots)) for ballots in members.values()]
    committee = Committee(
        name=NAME,
        classes=card.classes[::-1],
        root=VoteNode(ballots=tuple(Ballot(node=vote) for vote in votes)),
        digests={"split": read_split(split).digest},
        licence=card.licence,
    )
    save_committee(folder, committee, bundles)
    shutil.copyfile(split, folder / "split.csv")
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with apart(tmp_path_factory.mktemp("distill")) as folder, quiet():
        data = make_drawings(folder / "drawings")
        split = make_kit_split(data, folder / "split.csv")
        bundles = {}
        for fold in (0, 1):
            for seed in (0, 1):
                recipe = kit_recipe(fold, seed=seed)
                run = train(recipe, data=data, split=split, out=folder / "teachers" / f"{seed}-fold-{fold}")
                bundles[f"m{seed}/fold-{fold}"] = run / "bundle"
        committee = joined(folder / "committee", bundles, split)
        world = World(folder, data, split, bundles, committee, folder / "out", None)  # type: ignore[arg-type]
        results = world.distilled(world.out)
        with pytest.MonkeyPatch.context() as patch:
            # Once is enough to see that speed is measured right.
            patch.setattr("dessin.committees.distill.measure.ROUNDS", 1)
            yield World(folder, data, split, bundles, committee, world.out, results)


def spoilt(source: Path, folder: Path, classes: int = 6) -> Path:
    """The bundle with another head: it answers anything."""
    bundle = load_bundle(source)
    with torch.no_grad():
        bundle.classifier.head.weight.copy_(torch.randn(bundle.classifier.head.weight.shape) * 5)
    save_bundle(folder, bundle.classifier, bundle.card)
    return folder


def weights_of(run: Path) -> str:
    return sha256_bytes((run / "bundle" / "model.safetensors").read_bytes())


def test_a_folds_student_learns_its_training_images_from_models_without_that_fold(world: World) -> None:
    inputs = read_inputs(world.data, world.split, None)
    for fold in (0, 1, None):
        labels = read_soft_labels(world.out / "labels" / f"fold-{'none' if fold is None else fold}")
        rows = inputs.split.training(fold)
        assert labels.image_ids == tuple(row.image_id for row in rows)
        held_out = {row.image_id for row in inputs.split.held_out()}
        unseen = set() if fold is None else {row.image_id for row in inputs.split.validation(fold)}
        assert not set(labels.image_ids) & (unseen | held_out)
        loaded = load_committee(world.committee)
        table = answer_rows(
            loaded,
            lambda image: inputs.open_store(image.spec, image.interpolation),
            labels.image_ids,
            device=torch.device("cpu"),
            fold=fold,
            views=VIEWS,
        )
        np.testing.assert_array_equal(labels.probabilities, table)
        name = "student-final" if fold is None else f"student-fold-{fold}"
        record = read_record(world.out / "runs" / name)
        assert record.digests.teacher == labels.digest
        assert record.recipe.data.fold == ("none" if fold is None else fold)
        assert record.recipe.teacher.temperature == 1.0


def test_other_folds_models_have_no_say(world: World, tmp_path: Path) -> None:
    bundles = dict(world.bundles)
    bundles["m0/fold-1"] = spoilt(bundles["m0/fold-1"], tmp_path / "spoilt")
    committee = joined(tmp_path / "committee", bundles, world.split)
    given = {"committee": committee, "folds": [0], "final": False}
    changed = world.distilled(tmp_path / "out", **given)
    for name in ("labels/fold-0/probabilities.npy", "committee/fold-0/probabilities.npy"):
        assert (tmp_path / "out" / name).read_bytes() == (world.out / name).read_bytes()
    assert weights_of(tmp_path / "out/runs/student-fold-0") == weights_of(world.out / "runs/student-fold-0")
    assert changed.labels[0].digest == world.results.labels[0].digest
    # The spoilt model is heard where it belongs.
    world.distilled(tmp_path / "other", **(given | {"folds": [1]}))
    name = "labels/fold-1/probabilities.npy"
    assert (tmp_path / "other" / name).read_bytes() != (world.out / name).read_bytes()


def test_the_figures_are_of_the_same_images(world: World) -> None:
    results, split = world.results, read_split(world.split)
    rows = {row.image_id: row for row in split.rows if row.fold is not None}
    assert results.folds == (0, 1)
    assert results.images == len(rows)
    right: dict[str, dict[str, bool]] = {}
    for name, places in {
        "committee": [world.out / "committee" / f"fold-{fold}" for fold in (0, 1)],
        "student": [world.out / "runs" / f"student-fold-{fold}" / "validation" for fold in (0, 1)],
        "student alone": [world.out / "runs" / f"alone-fold-{fold}" / "validation" for fold in (0, 1)],
    }.items():
        own = [read_predictions(place) for place in places]
        right[name] = {
            image_id: predicted == rows[image_id].label
            for part in own
            for image_id, predicted in zip(
                part.image_ids, [part.classes[c] for c in part.probabilities.argmax(axis=1)], strict=True
            )
        }
        assert right[name].keys() == rows.keys()
        assert results.named(name).accuracy.value == pytest.approx(np.mean(list(right[name].values())))
    for row in (results.paid, results.gained):
        difference = [right["student"][i] - int(right[row.against][i]) for i in rows]
        assert row.difference.value == pytest.approx(np.mean(difference))
        assert row.p_holm >= row.p
    assert DistillResults.model_validate(json.loads((world.out / "results.json").read_text())) == results


def test_the_student_alone_is_an_ordinary_run_of_the_same_recipe(world: World, tmp_path: Path) -> None:
    record = read_record(world.out / "runs" / "alone-fold-1")
    taught = read_record(world.out / "runs" / "student-fold-1")
    assert record.recipe.teacher.labels is None
    assert taught.recipe.model_dump(exclude={"teacher"}) == record.recipe.model_dump(exclude={"teacher"})
    run = train(record.recipe, data=world.data, split=world.split, out=tmp_path / "run")
    assert weights_of(run) == weights_of(world.out / "runs" / "alone-fold-1")
    assert weights_of(run) != weights_of(world.out / "runs" / "student-fold-1")
    assert [d.value for d in taught.decisions if d.name == "teacher"] == ["0.9 of each target"]


def test_the_bundle_is_the_final_students(world: World) -> None:
    card = read_card(world.out / "bundle")
    assert card == read_card(world.out / "runs" / "student-final" / "bundle")
    assert card.provenance["fold"] == "none"
    labels = read_soft_labels(world.out / "labels" / "fold-none")
    assert card.provenance["teacher"] == labels.digest
    assert load_bundle(world.out / "bundle").card.backbone == STUDENT
    measured = evaluate(
        Path(shutil.copytree(world.out / "runs" / "student-final", world.folder / "h")), holdout=True
    )
    assert measured.opened == 1


def test_speed_and_size(world: World) -> None:
    speed, results = world.results.speed, world.results
    assert {(pace.name, pace.batch) for pace in speed.paces} == {
        (name, batch) for name in ("whole committee", "committee", "student") for batch in (32, 1)
    }
    for row in (*speed.paces, *speed.gains):
        assert 0 < row.low <= row.value <= row.high
    # Four models and two models of the student's own kind.
    assert speed.gain("whole committee", 32).value > speed.gain("committee", 32).value > 1
    alone = results.named("student").size
    assert (results.whole.models, results.named("committee").size.models, alone.models) == (4, 2, 1)
    assert results.whole.parameters == 4 * alone.parameters
    files = (world.out / "runs" / "student-fold-0" / "bundle").iterdir()
    assert alone.bytes == sum(file.stat().st_size for file in files)
    with (world.out / "distill.csv").open() as file:
        table = {row["name"]: row for row in csv.DictReader(file)}
    assert list(table) == ["committee", "student", "student alone", "whole committee"]
    assert float(table["student"]["accuracy"]) == results.named("student").accuracy.value
    assert table["whole committee"]["models"] == "4"


def test_begun_again_nothing_is_trained_or_asked_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(world.out, tmp_path / "out"))
    refused = pytest.fail

    def never(*args: Any, **kwargs: Any) -> None:
        refused("something was done anew")

    with monkeypatch.context() as patch:
        for name in ("plan.answer_rows", "verb.measure_speed"):
            patch.setattr(f"dessin.committees.distill.{name}", never)
        patch.setattr(import_module("dessin.runs.subject"), "answer_rows", never)
        for name in ("begin_run", "resume_run"):
            patch.setattr(import_module("dessin.runs.executors.job"), name, never)
        assert world.distilled(out) == world.results


def test_what_was_lost_is_done_again_to_the_same_bytes(world: World, tmp_path: Path) -> None:
    out = Path(shutil.copytree(world.out, tmp_path / "out"))
    for gone in ("runs/student-fold-1", "labels/fold-1", "bundle", "committee/fold-0"):
        shutil.rmtree(out / gone)
    for file in ("jobs/student-fold-1.json", "results.json", "index.html"):
        (out / file).unlink()
    assert world.distilled(out) == world.results
    assert weights_of(out / "runs/student-fold-1") == weights_of(world.out / "runs/student-fold-1")
    assert (out / "index.html").is_file()


def test_labels_that_changed_under_a_finished_student_are_noticed(world: World, tmp_path: Path) -> None:
    out = Path(shutil.copytree(world.out, tmp_path / "out"))
    path = out / "labels" / "fold-0" / "probabilities.npy"
    table = np.load(path)
    np.save(path, table[::-1])
    with pytest.raises(DessinError, match="taught by other labels"):
        world.distilled(out)


def test_a_student_that_was_interrupted_does_not_go_on_with_other_labels(
    world: World, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(world.out / "runs" / "student-fold-0", out)
    record = json.loads((out / "record.json").read_text())
    record["status"] = "failed"
    record["recipe"]["teacher"]["labels"] = str(tmp_path / "labels")
    (out / "record.json").write_text(json.dumps(record))
    labels = Path(shutil.copytree(world.out / "labels" / "fold-0", tmp_path / "labels"))
    np.save(labels / "probabilities.npy", np.load(labels / "probabilities.npy")[::-1])
    with pytest.raises(DessinError, match="have changed: teacher"):
        train(resume=out, data=world.data)


def test_other_settings_do_not_go_into_the_same_folder(world: World, tmp_path: Path) -> None:
    for changes, said in (
        ({"temperature": 3.0}, "another temperature"),
        ({"weight": 0.5}, "another weight"),
        ({"folds": [0]}, "another folds"),
        ({"views": ["identity"]}, "another views"),
        ({"seed": 5}, "another recipe"),
        (
            {"committee": world.bundles["m0/fold-0"], "split": world.split, "folds": [0]},
            "another committee",
        ),
    ):
        with pytest.raises(DessinError, match=said):
            world.distilled(world.out, **changes)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        world.distilled(tmp_path / "mine")


def test_a_recipe_that_failed_may_be_corrected(world: World, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    text = "image: {{size: 32}}\nmodel: {{backbone: resnet18, weights: none}}\noptimizer: {{lr: {}}}\n"
    text += "train: {{epochs: 1, batch_size: 8, attempts: 1}}\n"
    recipe.write_text(text.format("1.0") + "loss: focal(2.0)\nseed: 3\n")
    given = {"recipe": recipe, "overrides": (), "folds": [0], "final": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("dessin.runs.run"), "carry_out", _broken)
        with pytest.raises(DessinError, match="student-fold-0 has failed: the disk"):
            world.distilled(tmp_path / "out", **given)
    recipe.write_text(text.format("0.002"))
    results = world.distilled(tmp_path / "out", **given)
    own = read_record(tmp_path / "out" / "runs" / "student-fold-0").recipe
    assert (own.model.backbone, own.seed, own.optimizer.lr) == (STUDENT, 0, 0.002)
    assert results.final is False
    assert not (tmp_path / "out" / "bundle").exists()
    assert not (tmp_path / "out" / "labels" / "fold-none").exists()


def _broken(job: object) -> None:
    raise DessinError("the disk is full")


def test_a_teacher_that_had_no_say_and_flat_labels_are_noticed(world: World, tmp_path: Path) -> None:
    probed = ["finetune.mode=probe_then_full", "optimizer.lr=1e-9", "train.epochs=1", "train.select_by=loss"]
    results = world.distilled(
        tmp_path / "out",
        overrides=[*OVERRIDES, *probed],
        folds=[1],
        final=False,
        temperature=100.0,
        weight=0.5,
    )
    same, flat = results.warnings
    assert "On fold 1 the student and the one alone have the same weights" in same
    assert "nearly flat" in flat
    assert results.gained.difference.value == 0.0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "had no say there" in page


def test_the_page_escapes_names_and_says_how_the_labels_came_about(world: World) -> None:
    page = (world.out / "index.html").read_text()
    assert NAME not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "models that were trained without that fold" in page
    assert "http" not in page.replace("http-equiv", "")
    for sentence in (*world.results.verdict, *world.results.cautions):
        assert sentence in html.unescape(page)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folds": [2]}, "did not see: 0, 1;"),
        ({"folds": "0,0"}, "each once"),
        ({"weight": 0.0}, "learn alone"),
        ({"temperature": 0.0}, "between 0.01 and 100"),
        ({"matters": 0.0}, "between 0 and 1"),
        ({"views": ["sideways"]}, "view"),
        ({"student": "test_eficientnet"}, "test_efficientnet"),
        ({"overrides": ["finetune.mode=probe"]}, "a probe is fitted to labels"),
        ({"overrides": ["loss=triplet(0.2)", *OVERRIDES]}, "compares images"),
        ({"overrides": ["teacher.labels=x"]}, "the committee is the teacher"),
        ({"overrides": ["image.sizes=3"]}, "image.size"),
        ({"data": None}, "No data was given"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(
    world: World, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DessinError) as caught:
        world.distilled(tmp_path / "out", **changes)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_committee_that_saw_everything_cannot_be_measured(world: World, tmp_path: Path) -> None:
    run = train(kit_recipe(data={"fold": "none"}), data=world.data, split=world.split, out=tmp_path / "run")
    committee = joined(tmp_path / "all", {"m": run / "bundle"}, world.split)
    with pytest.raises(DessinError, match="No fold was left out"):
        world.distilled(tmp_path / "out", committee)
    half = {name: folder for name, folder in world.bundles.items() if name.endswith("fold-0")}
    with pytest.raises(DessinError, match="did not see: 0;"):
        world.distilled(tmp_path / "out", joined(tmp_path / "half", half, world.split), folds=[1])


def test_a_wrap_up_tells_of_a_student(world: World, tmp_path: Path) -> None:
    assert DistillResults.lies_in(world.out)
    assert DistillResults.read(world.out) == world.results
    page = report(world.out, out=tmp_path / "wrap-up.html").read_text()
    assert NAME not in page
    for row in world.results.answerers:
        assert f"{row.accuracy.value:.1%}" in page

"""The verb `soup` on tiny networks: what is refused, what is kept, and whether the bundle is what it says."""

from __future__ import annotations

import csv
import html
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family_kit import apart, kit_recipe, make_drawings, make_kit_split
from safetensors.torch import load_file

from dessin.answers.committee import load_model
from dessin.answers.inference import answer_rows, predict_rows
from dessin.answers.predictions import read_predictions, to_predictions, write_predictions
from dessin.collection.split.files import read_split, write_split
from dessin.collection.split.plan import make_split
from dessin.committees.soup.measure import between
from dessin.committees.soup.members import (
    make_mixer,
    names_apart,
    read_ends,
    read_members,
    read_tuned,
    stated_accuracy,
)
from dessin.committees.soup.result import SoupResults
from dessin.committees.soup.verb import soup
from dessin.committees.soup.weights import Mixer, alone
from dessin.errors import DessinError
from dessin.files import write_json
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import read_card
from dessin.page.numbers import share
from dessin.progress import quiet
from dessin.reading import read_json
from dessin.reports.verb import report
from dessin.runs.inputs import read_inputs
from dessin.runs.record import read_record, write_record
from dessin.runs.train import train
from dessin.statistics.metrics import measure
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

NAME = "<script>alert(1)</script>"
NEW = {"mode": "full", "batch_norm": "train"}
PROBED = {"mode": "probe_then_full"}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Pot:
    """Trained runs: `a`, `b`, `c` from the same new head, `tuned` and `tuned-2` from the same probe."""

    folder: Path
    data: Path
    split: Path

    def run(self, name: str, finetune: dict[str, str], *, fold: int = 0, **changes: Any) -> Path:
        values = {"augment": ["hflip"], "train": {"epochs": 2, "batch_size": 8}, "optimizer": {"lr": 2e-3}}
        recipe = kit_recipe(fold, **(values | {"finetune": finetune} | changes))
        return train(recipe, data=self.data, split=self.split, out=self.folder / "runs" / name)

    def of(self, *names: str) -> list[Path]:
        return [self.folder / "runs" / name for name in names]


@pytest.fixture(scope="module")
def pot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pot]:
    with apart(tmp_path_factory.mktemp("soup")) as folder, quiet():
        data = make_drawings(folder / "data")
        pot = Pot(folder, data, make_kit_split(data, folder / "split.csv"))
        pot.run("a", NEW)
        pot.run("<b>b", NEW, optimizer={"lr": 6e-3})
        pot.run("c", NEW, augment=["rotate(10)"], optimizer={"lr": 4e-3})
        pot.run("tuned", PROBED, optimizer={"lr": 3e-4})
        pot.run("tuned-2", PROBED, optimizer={"lr": 1e-3})
        shutil.copytree(folder / "runs" / "tuned", folder / "runs" / "clone")
        yield pot


@pytest.fixture(scope="module")
def greedy(pot: Pot) -> SoupResults:
    with quiet():
        return soup(pot.of("a", "<b>b", "c"), out=pot.folder / "greedy", name=NAME)


@pytest.fixture(scope="module")
def wise(pot: Pot) -> SoupResults:
    with quiet():
        return soup(pot.of("tuned"), out=pot.folder / "wise", kind="wise", name=NAME)


@pytest.fixture(autouse=True)
def shared_cache(pot: Pot, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(pot.folder / "cache"))


def weights_of(bundle: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(bundle / "model.safetensors"))


def mixer_of(pot: Pot, *names: str) -> Mixer:
    members = read_members(pot.of(*names))
    inputs = read_inputs(pot.data, pot.split, None)
    return make_mixer(members, inputs, inputs.opener()(members.card.image), CPU)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_soup_of_clones_is_the_clone_to_the_byte_and_gains_nothing(pot: Pot, tmp_path: Path) -> None:
    for kind in ("uniform", "greedy"):
        results = soup(pot.of("tuned", "clone"), out=tmp_path / kind, kind=kind)
        (run,) = pot.of("tuned")
        made = tmp_path / kind / "bundle" / "model.safetensors"
        assert made.read_bytes() == (run / "bundle" / "model.safetensors").read_bytes()
        assert "very same drawings right" in results.summary[0]
        assert results.chosen_way.won == results.chosen_way.lost == 0
        assert any("have the very same weights" in note for note in results.notes)


def test_the_uniform_soup_is_the_mean_of_all_weights_computed_by_hand(pot: Pot, tmp_path: Path) -> None:
    soup(pot.of("tuned", "tuned-2"), out=tmp_path / "soup", kind="uniform")
    first, second = (weights_of(run / "bundle") for run in pot.of("tuned", "tuned-2"))
    mean = weights_of(tmp_path / "soup" / "bundle")
    assert mean.keys() == first.keys()
    moved = 0
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            by_hand = (first[name].numpy().astype(np.float64) + second[name].numpy()) / 2
            assert np.allclose(tensor.numpy(), by_hand, rtol=1e-6, atol=1e-12)
            moved += not torch.equal(first[name], second[name])
        else:
            assert torch.equal(tensor, torch.maximum(first[name], second[name]))
    assert moved > 10


def test_the_order_of_runs_changes_neither_the_weights_nor_the_choice(
    pot: Pot, greedy: SoupResults, tmp_path: Path
) -> None:
    for kind in ("greedy", "uniform"):
        one = greedy if kind == "greedy" else soup(pot.of("a", "<b>b", "c"), out=tmp_path / "x", kind=kind)
        other = soup(pot.of("c", "a", "<b>b"), out=tmp_path / kind, kind=kind)
        assert {way.name: way.shares for way in one.ways} == {way.name: way.shares for way in other.ways}
        assert [way.part_shares for way in one.ways] == [way.part_shares for way in other.ways]
        place = pot.folder / "greedy" if kind == "greedy" else tmp_path / "x"
        mine, theirs = (folder / "bundle" / "model.safetensors" for folder in (place, tmp_path / kind))
        assert mine.read_bytes() == theirs.read_bytes()


def test_statistics_of_trained_batch_norms_are_estimated_anew_and_that_is_said(
    pot: Pot, tmp_path: Path
) -> None:
    results = soup(pot.of("a", "c"), out=tmp_path / "soup", kind="uniform")
    assert results.statistics > 0
    assert any("estimated anew" in note for note in results.notes)
    first, second = (weights_of(run / "bundle") for run in pot.of("a", "c"))
    mean = weights_of(tmp_path / "soup" / "bundle")
    name = next(name for name in mean if name.endswith("running_mean"))
    assert not torch.allclose(mean[name], (first[name] + second[name]) / 2, atol=1e-4)
    weight = name.replace("running_mean", "weight")
    assert torch.allclose(mean[weight], (first[weight] + second[weight]) / 2, atol=1e-7)
    frozen = soup(pot.of("tuned", "tuned-2"), out=tmp_path / "frozen", kind="uniform")
    assert frozen.statistics == 0
    assert torch.equal(
        weights_of(tmp_path / "frozen" / "bundle")[name], weights_of(pot.of("tuned")[0] / "bundle")[name]
    )


def test_the_known_answers_of_a_member_are_those_of_its_weights(pot: Pot) -> None:
    mixer = mixer_of(pot, "a", "<b>b")
    for number in range(2):
        shares = alone(number, 2)
        known = mixer.known.pop(shares)
        assert np.abs(mixer.answers(shares) - known).max() < 1e-5
    apart_by = np.abs(mixer.answers(alone(0, 2)) - mixer.answers(alone(1, 2))).max()
    assert apart_by > 1e-3, "the members differ, so the test can fail"


@pytest.mark.parametrize("kind", ["greedy", "wise"])
def test_the_bundle_predicts_what_the_results_say(
    pot: Pot, greedy: SoupResults, wise: SoupResults, kind: str
) -> None:
    out, results = pot.folder / kind, greedy if kind == "greedy" else wise
    kept = read_predictions(out / "validation")
    inputs = read_inputs(pot.data, pot.split, None)
    answers = answer_rows(load_model(out), inputs.opener(), kept.image_ids, device=CPU, fold=0)
    assert np.abs(answers - kept.probabilities).max() < 1e-5
    naive = results.chosen_way.naive
    assert float((answers.argmax(axis=1) == kept.targets).mean()) == pytest.approx(naive.value)
    measured = evaluate(out / "bundle", data=pot.data, split=out / "split.csv")
    assert measured.metrics.accuracy.value == pytest.approx(naive.value)
    assert measured.metrics.n == results.images == len(read_split(pot.split).validation(0))


def test_the_bundle_says_where_it_comes_from(pot: Pot, greedy: SoupResults) -> None:
    card, (run, *_) = read_card(pot.folder / "greedy" / "bundle"), pot.of("a", "<b>b", "c")
    assert card.provenance["made_by"] == "soup"
    assert card.provenance["kind"] == "greedy"
    assert card.provenance["runs"] == "a, <b>b, c"
    assert card.provenance["fold"] == "0"
    assert card.provenance["nested_accuracy"].startswith(f"{greedy.chosen_way.accuracy.value:.1%}")
    own = read_card(run / "bundle")
    assert (card.classes, card.image, card.names, card.licence) == (
        *(own.classes, own.image, own.names, own.licence),
    )
    assert card.digests["split"] == own.digests["split"]


def test_results_are_read_back_and_tables_agree_with_them(pot: Pot, greedy: SoupResults) -> None:
    out = pot.folder / "greedy"
    assert SoupResults.read(out) == greedy
    rows = rows_of(out / "soup.csv")
    assert [row["way"] for row in rows] == ["best single run", "uniform soup", "greedy soup"]
    for row, way in zip(rows, greedy.ways, strict=True):
        assert float(row["accuracy"]) == way.accuracy.value
        assert sum(float(row[f"share of {name}"]) for name in ("a", "<b>b", "c")) == pytest.approx(1.0)
    uniform = greedy.way("uniform soup")
    assert uniform.naive.value == uniform.accuracy.value
    assert uniform.optimism.value == 0.0
    best = max(member.accuracy.value for member in greedy.members)
    assert greedy.way("best single run").naive.value == best
    assert greedy.chosen_way.naive.value >= best, "chosen so that it is not worse here"
    for member, run in zip(greedy.members, pot.of("a", "<b>b", "c"), strict=True):
        assert member.accuracy.value == read_record(run).results["validation"].accuracy.value


def test_the_ends_of_the_way_are_the_probe_and_the_run(pot: Pot) -> None:
    (run,) = pot.of("tuned")
    inputs = read_inputs(pot.data, pot.split, None)
    tuned = read_tuned(run)
    store = inputs.opener()(read_card(run / "bundle").image)
    members, _ = read_ends(tuned, inputs, store, CPU)
    mixer = make_mixer(members, inputs, store, CPU)
    mixer.known.clear()
    own = read_predictions(run / "validation")
    row_of = {image_id: row for row, image_id in enumerate(own.image_ids)}
    rows = [row_of[row.image_id] for row in members.rows]
    assert np.abs(mixer.answers(between(1.0)) - own.probabilities[rows]).max() < 1e-4
    probe = mixer.answers(between(0.0))
    stated = stated_accuracy(run)
    assert stated is not None
    assert float((probe.argmax(axis=1) == members.targets).mean()) == pytest.approx(stated)
    first = next(row for row in rows_of(run / "curve.csv") if row["epoch"] == "0")
    loss = -np.log(probe[np.arange(len(probe)), members.targets]).mean()
    assert float(loss) == pytest.approx(float(first["validation_loss"]), abs=1e-4)
    body = [name for name in members.states[0] if name.startswith("body.")]
    assert any(not torch.equal(*(state[name] for state in members.states)) for name in body)


@pytest.mark.parametrize(
    "finetune",
    [
        {"mode": "probe_then_full", "head": "mlp"},
        {"mode": "probe_then_full", "head": "cosine"},
        {"mode": "last_blocks", "head_start": "probe"},
    ],
    ids=lambda finetune: "-".join(finetune.values()),
)
def test_the_probe_is_found_again_whatever_was_trained_from_it(
    pot: Pot, tmp_path: Path, finetune: dict[str, str]
) -> None:
    recipe = kit_recipe(
        0,
        finetune=finetune,
        train={"epochs": 6, "batch_size": 8, "select_by": "loss", "average_last": 2},
        optimizer={"lr": 1e-4},
    )
    run = train(recipe, data=pot.data, split=pot.split, out=tmp_path / "probe")
    results = soup([run], out=tmp_path / "wise", kind="wise")
    first = next(row for row in rows_of(run / "curve.csv") if row["epoch"] == "0")
    assert results.curve[0].accuracy.value == pytest.approx(float(first["validation_accuracy"]))
    assert results.curve[0].loss.value == pytest.approx(float(first["validation_loss"]), abs=1e-4)
    assert results.curve[-1].loss.value == pytest.approx(read_record(run).results["validation"].loss.value)
    assert sum(row.share for row in results.members) == pytest.approx(1.0)
    assert [row.name for row in results.members] == ["probe", "fine-tuned"]


def test_on_a_way_with_trained_statistics_the_ends_keep_their_own(pot: Pot, tmp_path: Path) -> None:
    (tuned,) = pot.of("tuned")
    run = shutil.copytree(tuned, tmp_path / "moved")
    bundle = load_bundle(run / "bundle")
    norm = next(module for module in bundle.classifier.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert norm.running_mean is not None
    norm.running_mean += 0.2
    shutil.rmtree(run / "bundle")
    card = save_bundle(run / "bundle", bundle.classifier, bundle.card)
    inputs, rows = read_inputs(pot.data, pot.split, None), read_split(pot.split).validation(0)
    store = inputs.opener()(card.image)
    answers = predict_rows(bundle.classifier, store, store.rows([row.image_id for row in rows]), device=CPU)
    predictions = to_predictions(answers, rows, card.classes)
    write_predictions(predictions, run / "validation")
    metrics = measure(answers, predictions.targets, [row.group for row in rows], card.classes)
    record = read_record(run).with_results("validation", metrics)
    digests = record.digests.model_copy(update={"model": card.digests["weights"]})
    write_record(run, record.changed(digests=digests))
    results = soup([run], out=tmp_path / "wise", kind="wise")
    assert results.statistics == 1
    assert any("1 batch normalisation has" in note for note in results.notes)
    assert results.curve[0].accuracy.value == pytest.approx(stated_accuracy(run))
    assert results.curve[-1].loss.value == pytest.approx(metrics.loss.value, abs=1e-6)


def test_the_curve_goes_from_the_probe_to_the_run(pot: Pot, wise: SoupResults) -> None:
    (run,) = pot.of("tuned")
    assert [point.alpha for point in wise.curve] == [step / 10 for step in range(11)]
    record = read_record(run).results["validation"]
    assert wise.curve[-1].accuracy.value == record.accuracy.value
    assert wise.curve[-1].loss.value == pytest.approx(record.loss.value, abs=1e-6)
    assert wise.curve[0].accuracy.value == pytest.approx(stated_accuracy(run))
    assert wise.chosen_way.naive.value == max(point.accuracy.value for point in wise.curve)
    assert [float(row["alpha"]) for row in rows_of(pot.folder / "wise" / "curve.csv")] == [
        point.alpha for point in wise.curve
    ]
    assert any("as the run's curve states" in note for note in wise.notes)


def test_a_bundle_on_the_way_is_the_mean_of_its_ends(pot: Pot, wise: SoupResults) -> None:
    (run,) = pot.of("tuned")
    alpha = wise.chosen_way.shares.get("fine-tuned", 0.0)
    made, end = weights_of(pot.folder / "wise" / "bundle"), weights_of(run / "bundle")
    inputs = read_inputs(pot.data, pot.split, None)
    store = inputs.opener()(read_card(run / "bundle").image)
    start = read_ends(read_tuned(run), inputs, store, CPU)[0].states[0]
    for name, tensor in made.items():
        if tensor.is_floating_point():
            by_hand = (1 - alpha) * start[name].double() + alpha * end[name].double()
            assert torch.allclose(tensor.double(), by_hand, rtol=1e-6, atol=1e-9)


def changed_run(source: Path, folder: Path, change: dict[str, Any]) -> Path:
    """A copy of a run whose record says something else."""
    shutil.copytree(source, folder)
    values = read_json(folder / "record.json")
    for path, value in change.items():
        *parents, key = path.split(".")
        place = values
        for parent in parents:
            place = place[parent]
        place[key] = value
    write_json(folder / "record.json", values)
    return folder


def refused(pot: Pot, tmp_path: Path, *runs: Path, kind: str = "greedy", **changes: Any) -> str:
    with pytest.raises(DessinError) as caught:
        soup(runs, out=tmp_path / "refused", kind=kind, **changes)
    assert not (tmp_path / "refused" / "bundle").exists()
    return str(caught.value)


def test_a_new_head_of_another_seed_is_refused(pot: Pot, tmp_path: Path) -> None:
    (a,) = pot.of("a")
    other = pot.run("other seed", NEW, seed=1)
    message = refused(pot, tmp_path, a, other)
    assert "do not share a start" in message
    assert "drawn from seed 0 in a; drawn from seed 1 in other seed" in message
    same = {"digests.weights": "c" * 64}
    first = changed_run(a, tmp_path / "first", same)
    second = changed_run(a, tmp_path / "second", same | {"seed": 1, "recipe.seed": 1})
    assert "The start of the head: drawn from seed 0 in first; drawn from seed 1 in second" in refused(
        pot, tmp_path, first, second
    )


def test_probes_of_other_seeds_share_a_start(pot: Pot, tmp_path: Path) -> None:
    same = {"digests.weights": "c" * 64}
    (tuned,) = pot.of("tuned")
    first = changed_run(tuned, tmp_path / "first", same)
    second = changed_run(tuned, tmp_path / "second", same | {"seed": 1, "recipe.seed": 1})
    assert read_members([first, second]).names == ("first", "second")


def test_other_starts_folds_splits_and_weights_are_refused_with_the_reason(pot: Pot, tmp_path: Path) -> None:
    a, tuned = pot.of("a", "tuned")
    assert "The start of the head: drawn from seed 0 in a; a probe in tuned" in refused(
        pot, tmp_path, a, tuned
    )
    fold = pot.run("fold one", NEW, fold=1)
    assert "trained on" in refused(pot, tmp_path, a, fold)
    network = pot.run("other network", NEW, model={"backbone": "test_resnet", "weights": "none"})
    assert "The backbone: test_efficientnet in a; test_resnet in other network" in refused(
        pot, tmp_path, a, network
    )
    gray = pot.run("gray", NEW, image={"size": 32, "colour": "gray"})
    assert "The image: 32 px, rgb" in refused(pot, tmp_path, a, gray)
    pretrained = changed_run(a, tmp_path / "pretrained", {"digests.weights": "c" * 64})
    message = refused(pot, tmp_path, a, pretrained)
    assert "The pretrained weights: drawn from seed 0 in a; sha256 cccccccccccc… in pretrained" in message


def test_another_split_is_refused(pot: Pot, tmp_path: Path) -> None:
    (a,) = pot.of("a")
    split = read_split(pot.split)
    labels = {row.image_id: row.label for row in split.rows}
    other = make_split(labels, {image_id: image_id for image_id in labels}, folds=2, holdout=0.25, seed=7)
    other_split = tmp_path / "split.csv"
    write_split(replace(other, manifest_digest=split.manifest_digest, images=split.images), other_split)
    recipe = kit_recipe(0, finetune=NEW, train={"epochs": 1, "batch_size": 8}, optimizer={"lr": 2e-3})
    run = train(recipe, data=pot.data, split=other_split, out=tmp_path / "run")
    message = refused(pot, tmp_path, a, run)
    assert "on one fold of one split" in message


def test_what_is_asked_must_make_sense(pot: Pot, tmp_path: Path) -> None:
    a, b, tuned, clone = pot.of("a", "<b>b", "tuned", "clone")
    assert "1 run was given" in refused(pot, tmp_path, a)
    assert "use kind wise" in refused(pot, tmp_path, a)
    assert "2 runs were given" in refused(pot, tmp_path, tuned, clone, kind="wise")
    assert 'Did you mean "greedy"?' in refused(pot, tmp_path, a, b, kind="gredy")
    assert "was named twice" in refused(pot, tmp_path, a, a)
    assert "began its head anew" in refused(pot, tmp_path, a, kind="wise")
    assert "between 0 and 1" in refused(pot, tmp_path, a, b, matters=2.0)
    unfinished = changed_run(tuned, tmp_path / "unfinished", {"status": "running"})
    assert "is running" in refused(pot, tmp_path, unfinished, kind="wise")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        soup([a, b], out=tmp_path / "full")


def test_a_run_that_kept_its_probe_has_no_way_to_go(pot: Pot, tmp_path: Path) -> None:
    (tuned,) = pot.of("tuned")
    decisions = read_json(tuned / "record.json")["decisions"]
    for decision in decisions:
        if decision["name"] == "best_epoch":
            decision["value"] = 0
    kept = changed_run(tuned, tmp_path / "kept", {"decisions": decisions})
    assert "kept kept the weights of its probe" in refused(pot, tmp_path, kept, kind="wise")
    probe = pot.run("probe", {"mode": "probe"})
    assert "is a probe itself" in refused(pot, tmp_path, probe, kind="wise")


def test_ends_that_are_not_the_runs_are_refused(pot: Pot, tmp_path: Path) -> None:
    tuned, other = pot.of("tuned", "tuned-2")
    wrong = changed_run(tuned, tmp_path / "wrong", {"digests.model": ""})
    shutil.rmtree(wrong / "bundle")
    shutil.copytree(other / "bundle", wrong / "bundle")
    assert "does not give the run's own probabilities" in refused(pot, tmp_path, wrong, kind="wise")
    shutil.copytree(tuned, tmp_path / "stated")
    curve = tmp_path / "stated" / "curve.csv"
    first = rows_of(curve)[0]["validation_accuracy"]
    curve.write_text(curve.read_text().replace(f",{first},0.0,", ",0.987,0.0,"))
    assert stated_accuracy(tmp_path / "stated") == 0.987
    message = refused(pot, tmp_path, tmp_path / "stated", kind="wise")
    assert "says that it began at 98.70%" in message


def test_pages_are_whole_and_escape_names(pot: Pot, greedy: SoupResults, wise: SoupResults) -> None:
    for kind, results in (("greedy", greedy), ("wise", wise)):
        page = (pot.folder / kind / "index.html").read_text()
        for text in (*results.summary[1:], *results.cautions, share(results.chosen_way.accuracy)):
            assert text in html.unescape(page)
        assert NAME not in page
        assert "<b>b" not in page.replace("<b>bars ", ""), "but the names of classes under drawings"
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "http://" not in page
        assert "https://" not in page
        assert "nan" not in page.split("</style>")[1].lower().split()
    assert (pot.folder / "wise" / "index.html").read_text().count("data:image/svg+xml") == 1
    assert "&lt;b&gt;b" in (pot.folder / "greedy" / "index.html").read_text()


def test_a_wrap_up_tells_of_a_soup(pot: Pot, greedy: SoupResults, tmp_path: Path) -> None:
    page = report(pot.folder / "greedy", out=tmp_path / "wrap-up.html").read_text()
    assert "single models only" not in page
    for way in greedy.ways:
        assert share(way.accuracy) in page


def test_names_have_as_many_parents_as_it_takes(tmp_path: Path) -> None:
    def names(*paths: str) -> tuple[str, ...]:
        return names_apart([tmp_path / path for path in paths])

    assert names("runs/a", "runs/b") == ("a", "b")
    assert names("a/fold-0") == ("a/fold-0",)
    assert names("x/a/run", "y/a/run") == ("x/a/run", "y/a/run")

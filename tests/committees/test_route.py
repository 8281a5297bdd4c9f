"""The verb `route` on tiny networks: derived splits, ordinary runs, a committee, going on after a stop."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from family_kit import (
    CLASSES,
    FAMILIES,
    apart,
    kit_recipe,
    make_drawings,
    make_kit_split,
    write_families_by_hand,
)

from dessin.answers.committee import Committee, load_committee, read_committee, write_committee
from dessin.answers.inference import answer_rows
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import Ballot, ModelNode, RoutedNode, VoteNode
from dessin.collection.split.files import read_split
from dessin.committees.route.result import RouteResults
from dessin.committees.route.verb import route
from dessin.errors import DessinError
from dessin.models.card import read_card
from dessin.page.numbers import share
from dessin.progress import quiet
from dessin.reports.verb import report
from dessin.runs.inputs import read_inputs
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.statistics.temperature import tempered
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow

BOTH = ("bars", "<b>spots")
ROUTER, BARS, SPOTS = "router-fold-0", "expert-bars-fold-0", "expert-b-spots-fold-0"


@dataclass(frozen=True)
class World:
    folder: Path
    data: Path
    split: Path
    run: Path
    group: Path
    families: Path
    routed: Path
    results: RouteResults


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with apart(tmp_path_factory.mktemp("route")) as folder, quiet():
        data = make_drawings(folder / "drawings")
        split = make_kit_split(data, folder / "split.csv")
        group = folder / "group"
        runs = [
            train(kit_recipe(fold), data=data, split=split, out=group / f"fold-{fold}") for fold in (0, 1)
        ]
        card = read_card(runs[0] / "bundle")
        ballots = tuple(Ballot(node=ModelNode(bundle=f"fold-{fold}/bundle")) for fold in (0, 1))
        write_committee(
            group,
            Committee(
                name="group",
                classes=card.classes,
                root=VoteNode(ballots=ballots),
                provenance={"made_by": "folds"},
                licence=card.licence,
            ),
        )
        run = Path(shutil.copytree(runs[0], folder / "run"))
        families = write_families_by_hand(folder / "families.csv")
        results = route(run, families=families, out=folder / "routed", experts=BOTH)
        yield World(folder, data, split, run, group, families, folder / "routed", results)


def test_the_parts_are_ordinary_runs_on_the_same_images(world: World) -> None:
    whole = read_split(world.split)
    router = read_split(world.routed / "runs" / ROUTER / "split.csv")
    assert [(r.image_id, r.group, r.fold) for r in router.rows] == [
        (r.image_id, r.group, r.fold) for r in whole.rows
    ]
    assert all(r.label == FAMILIES[own.label] for r, own in zip(router.rows, whole.rows, strict=True))
    bars = read_split(world.routed / "runs" / BARS / "split.csv")
    assert bars.rows == tuple(row for row in whole.rows if FAMILIES[row.label] == "bars")
    assert (router.manifest_digest, bars.manifest_digest) == (whole.manifest_digest,) * 2
    assert len({whole.digest, router.digest, bars.digest}) == 3
    assert read_card(world.routed / "runs" / ROUTER / "bundle").classes == ("<b>spots", "bars")
    assert read_card(world.routed / "runs" / BARS / "bundle").classes == CLASSES[:3]
    for name in (ROUTER, BARS, SPOTS):
        assert read_record(world.routed / "runs" / name).status == "finished"


def test_a_part_can_be_evaluated_and_resumed_like_any_run(world: World) -> None:
    run = world.routed / "runs" / ROUTER
    again = evaluate(run)
    assert again.metrics.accuracy.value == read_record(run).results["validation"].accuracy.value
    assert train(resume=run) == run


def test_the_results_are_of_the_generalists_own_images(world: World) -> None:
    own = read_predictions(world.run / "validation")
    accuracy = float((own.probabilities.argmax(axis=1) == own.targets).mean())
    results = world.results
    assert results.named("generalist").accuracy.value == pytest.approx(accuracy)
    assert results.images == len(own.image_ids)
    assert [row.name for row in results.comparisons] == [
        "router alone",
        "router and experts",
        "own families and experts",
    ]
    assert results.committee == "router and experts"
    router = read_predictions(world.routed / "runs" / ROUTER / "validation")
    found = float((router.probabilities.argmax(axis=1) == router.targets).mean())
    assert results.named("router and experts").family.value == pytest.approx(found)
    on_disk = json.loads((world.routed / "results.json").read_text())
    assert RouteResults.model_validate(on_disk) == results


def test_the_page_escapes_names_and_says_the_verdict(world: World) -> None:
    page = (world.routed / "index.html").read_text()
    assert not re.search(r"<b>spots(?! \d)", page), "but the names of classes under drawings"
    assert "&lt;b&gt;spots" in page
    for sentence in (world.results.verdict, *world.results.cautions):
        assert sentence in html.unescape(page)


def test_a_wrap_up_tells_of_a_routed_model(world: World, tmp_path: Path) -> None:
    page = html.unescape(report(world.routed, out=tmp_path / "wrap-up.html").read_text())
    assert world.results.verdict in page
    for variant in world.results.variants:
        assert share(variant.accuracy) in page


def test_the_committee_answers_by_the_product_of_its_scaled_parts(world: World) -> None:
    committee = read_committee(world.routed / "committee")
    root = committee.root
    assert isinstance(root, RoutedNode)
    assert set(root.experts) == set(BOTH)
    assert committee.digests["split"] == read_split(world.split).digest
    table, _ = _answers(world, world.routed / "committee", fold=0)
    assert table.sum(axis=1) == pytest.approx(np.ones(len(table)), abs=1e-5)
    assert (table >= 0).all()
    router = read_predictions(world.routed / "runs" / ROUTER / "validation")
    expert = read_predictions(world.routed / "runs" / BARS / "validation")
    own = [router.image_ids.index(image_id) for image_id in expert.image_ids]
    family = tempered(router.probabilities.astype(float), _temperature(root.router))
    inside = tempered(expert.probabilities.astype(float), _temperature(root.experts["bars"]))
    by_hand = family[own, router.classes.index("bars")][:, None] * inside
    columns = [committee.classes.index(label) for label in expert.classes]
    assert table[own][:, columns] == pytest.approx(by_hand, abs=1e-5)


def _temperature(node: object) -> float:
    assert isinstance(node, VoteNode)
    return node.ballots[0].temperature


def _answers(world: World, committee: Path, *, fold: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = read_inputs(world.data, world.split, None)
    rows = inputs.split.validation(fold)
    loaded = load_committee(committee)
    table = answer_rows(
        loaded,
        lambda image: inputs.open_store(image.spec, image.interpolation),
        [row.image_id for row in rows],
        fold=fold,
        device=torch.device("cpu"),
    )
    return table, np.array([loaded.committee.classes.index(row.label) for row in rows])


def test_begun_again_nothing_is_trained_anew(world: World) -> None:
    weights = world.routed / "runs" / ROUTER / "bundle" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert route(world.run, families=world.families, out=world.routed, experts=BOTH) == world.results
    assert weights.stat().st_mtime_ns == before


def test_what_was_lost_is_done_again_to_the_same_bytes(world: World, tmp_path: Path) -> None:
    out = Path(shutil.copytree(world.routed, tmp_path / "routed"))
    for gone in (out / "runs" / BARS, out / "committee"):
        shutil.rmtree(gone)
    (out / "jobs" / f"{BARS}.json").unlink()
    (out / "results.json").unlink()
    assert route(world.run, families=world.families, out=out, experts=BOTH) == world.results
    assert read_committee(out / "committee") == read_committee(world.routed / "committee")


def test_other_settings_do_not_go_into_the_same_folder(world: World, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="another set of recipes"):
        route(world.run, families=world.families, out=world.routed, experts="bars")
    moved = write_families_by_hand(tmp_path / "f.csv", {**FAMILIES, "bars 3": "<b>spots"})
    with pytest.raises(DessinError, match="another families"):
        route(world.run, families=moved, out=world.routed, experts=BOTH)
    with pytest.raises(DessinError, match="another generalist"):
        route(world.group / "fold-1", families=world.families, out=world.routed, experts=BOTH)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        route(world.run, families=world.families, out=tmp_path / "mine", experts=BOTH)


def test_without_a_router_the_generalists_sums_count(world: World, tmp_path: Path) -> None:
    results = route(world.run, families=world.families, out=tmp_path / "r", experts="bars", router="none")
    assert results.committee == "own families and experts"
    assert sorted(path.name for path in (tmp_path / "r" / "runs").iterdir()) == [BARS]
    root = read_committee(tmp_path / "r" / "committee").root
    assert isinstance(root, RoutedNode)
    assert root.router is None


def test_a_fold_group_gets_parts_for_each_fold(world: World, tmp_path: Path) -> None:
    results = route(world.group, families=world.families, out=tmp_path / "g", experts=["<b>spots"])
    assert results.folds == (0, 1)
    assert results.images == sum(row.fold is not None for row in read_split(world.split).rows)
    names = Counter(path.name.rsplit("-fold-", 1)[0] for path in (tmp_path / "g" / "runs").iterdir())
    assert names == {"router": 2, "expert-b-spots": 2}
    root = read_committee(tmp_path / "g" / "committee").root
    assert isinstance(root, VoteNode)
    assert [ballot.node.kind for ballot in root.ballots] == ["routed", "routed"]
    table, targets = _answers(world, tmp_path / "g" / "committee", fold=1)
    assert table.sum(axis=1) == pytest.approx(np.ones(len(table)), abs=1e-5)
    assert len(targets) == len(read_split(world.split).validation(1))


def test_other_recipes_and_overrides_reach_the_parts(world: World, tmp_path: Path) -> None:
    recipe = tmp_path / "expert.yaml"
    recipe.write_text(
        "image: {size: 48}\nmodel: {backbone: test_efficientnet, weights: none}\nfinetune: {mode: probe}\n"
    )
    route(
        world.run,
        families=world.families,
        out=tmp_path / "r",
        experts="bars",
        expert=recipe,
        overrides=["image.colour=gray"],
    )
    router, expert = (read_record(tmp_path / "r" / "runs" / name).recipe for name in (ROUTER, BARS))
    assert (router.image.size, expert.image.size) == (32, 48)
    assert (router.image.colour, expert.image.colour) == ("gray", "gray")
    assert (router.data.fold, expert.data.fold) == (0, 0)


def test_a_part_that_failed_is_put_right_and_the_others_are_kept(world: World, tmp_path: Path) -> None:
    out, recipe = tmp_path / "r", tmp_path / "expert.yaml"
    model = "model: {{backbone: test_efficientnet, weights: {}}}"
    text = f"image: {{{{size: 32}}}}\n{model}\nfinetune: {{{{mode: probe}}}}\n"
    recipe.write_text(text.format("missing.safetensors"))
    with pytest.raises(DessinError, match="expert for bars of fold 0 has failed") as caught:
        route(world.run, families=world.families, out=out, experts="bars", expert=recipe)
    assert "finished runs are kept" in str(caught.value)
    assert not (out / "committee").exists()
    router = out / "runs" / ROUTER / "record.json"
    before = router.read_bytes()
    # A collapsed run would be taken for ended too, were its recipe not another one now.
    job = out / "jobs" / f"{BARS}.json"
    job.write_text(job.read_text().replace('"failed"', '"collapsed"'))
    recipe.write_text(text.format("none"))
    results = route(world.run, families=world.families, out=out, experts="bars", expert=recipe)
    assert [row.family for row in results.experts] == ["bars"]
    assert router.read_bytes() == before
    with pytest.raises(DessinError, match="another set of recipes"):
        route(world.run, families=world.families, out=out, experts="bars", overrides=["seed=5"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"experts": "barz"}, 'Did you mean "bars"'),
        ({"experts": "none", "router": "none"}, "the routed model is the generalist itself"),
        ({"overrides": ["image.sizes=3"]}, "image.size"),
        ({"experts": "alone", "families": {**FAMILIES, "bars 3": "alone"}}, "single class"),
        ({"families": {"bars 1": "bars"}}, "5 of 6 classes have no family"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(
    world: World, tmp_path: Path, options: dict, said: str
) -> None:
    given = dict(options)
    families = world.families
    if "families" in given:
        families = write_families_by_hand(tmp_path / "f.csv", given.pop("families"))
    with pytest.raises(DessinError) as caught:
        route(world.run, families=families, out=tmp_path / "out", **given)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()

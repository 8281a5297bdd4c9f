"""The verb `ensemble` on members made by hand, whose best committee is known."""

from __future__ import annotations

import csv
import html
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ensemble_kit import (
    LABELS,
    Answers,
    cast_members,
    cast_run,
    cast_split,
    guesses,
    knows,
    truth,
)

from dessin.answers.committee import read_committee
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import VoteNode
from dessin.collection.split.files import Split
from dessin.committees.ensemble.measure import SELECT, chosen_rule
from dessin.committees.ensemble.pictures import heat_maps
from dessin.committees.ensemble.result import EnsembleResults
from dessin.committees.ensemble.verb import COMMITTEE, NESTED, ensemble
from dessin.committees.ensemble.view import ensemble_page, rule_in_words, times_chosen, told
from dessin.committees.rules.choice import RULES
from dessin.errors import DessinError
from dessin.models.card import WEIGHTS_FILE
from dessin.page.blocks import Dots, walk
from dessin.page.html import PAGE_FILE, document
from dessin.page.words import plain
from dessin.progress import quiet
from dessin.reports.verb import report
from dessin.runs.record import SPLIT_FILE

pytestmark = pytest.mark.slow

HALF, OTHER = "knows <i>the other half", "knows half"
PAIR = {HALF, OTHER}


def pair_and_noise(split: Split) -> dict[str, Answers]:
    """Two that are right together wherever one of them knows, and three that are sure and know nothing."""
    return {
        HALF: knows(split, LABELS[:2]),
        OTHER: knows(split, LABELS[2:]),
        **{f"noise {i}": guesses(split, i) for i in range(3)},
    }


@pytest.fixture(scope="module")
def split() -> Split:
    return cast_split()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, split: Split) -> list[Path]:
    return cast_members(tmp_path_factory.mktemp("runs"), split, pair_and_noise(split))


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, runs: list[Path]
) -> Iterator[tuple[Path, EnsembleResults]]:
    out = tmp_path_factory.mktemp("made") / "planted pair"
    with quiet():
        yield out, ensemble(runs, out=out, select="accuracy")


def test_a_planted_pair_is_found_and_its_gain_is_told(made: tuple[Path, EnsembleResults]) -> None:
    _, results = made
    chosen, best = results.chosen_rule, results.rule_named("best single")
    assert set(chosen.members) == PAIR
    assert chosen.nested.value == 1.0
    assert best.naive.value == 0.5
    assert best.nested.value <= 0.5
    assert chosen.gain is not None
    assert chosen.gain.difference.value == 1.0 - best.nested.value
    assert chosen.gain.verdict == "better"
    assert all(set(weights) == PAIR for weights in chosen.part_weights)
    assert f"gains {100 * chosen.gain.difference.value:.1f} points" in results.summary[0]
    # In bags of members that lack one of the two, the greedy choice takes others too, but of little weight.
    weights = {row.name: row.weights["greedy"] for row in results.members}
    assert set(sorted(weights, key=lambda name: weights[name])[-2:]) == PAIR
    assert sum(weights[name] for name in PAIR) > 0.5


def test_figures_are_those_of_the_written_predictions(made: tuple[Path, EnsembleResults]) -> None:
    out, results = made
    nested = read_predictions(out / NESTED)
    right = nested.probabilities.argmax(axis=1) == nested.targets
    assert len(right) == results.images == results.chosen_rule.nested.n
    assert right.mean() == results.chosen_rule.nested.value


def test_what_is_written_is_what_was_returned(made: tuple[Path, EnsembleResults], split: Split) -> None:
    out, results = made
    assert EnsembleResults.read(out) == results
    assert EnsembleResults.lies_in(out)
    assert not (out / ".tables").exists()
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [COMMITTEE, NESTED, "rules.csv", "members.csv", "pairs.csv", "results.json", PAGE_FILE]
    )
    assert split.digest == results.split
    assert (out / COMMITTEE / SPLIT_FILE).is_file()


def test_the_tables_have_a_row_for_everything(made: tuple[Path, EnsembleResults]) -> None:
    out, results = made
    rules, members, pairs = (
        list(csv.DictReader((out / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("rules", "members", "pairs")
    )
    assert [row["rule"] for row in rules] == list(RULES)
    needed = {"members", "naive", "nested", "low", "high", "optimism", "gain", "p_holm", "verdict", "n"}
    assert needed <= set(rules[0])
    chosen = next(row for row in rules if row["rule"] == "accuracy")
    assert (chosen["members"], float(chosen["nested"]), chosen["verdict"]) == ("2", 1.0, "better")
    assert float(chosen["gain"]) == 1.0 - float(rules[0]["nested"])
    assert rules[0]["gain"] == rules[0]["verdict"] == ""
    assert [row["member"] for row in members] == [member.name for member in results.members]
    for rule in RULES:
        assert sum(float(row[f"weight in {rule}"]) for row in members) == pytest.approx(1.0)
    assert {"accuracy", "low", "high", "log_loss", "temperature", "n", "kind"} <= set(members[0])
    assert len(pairs) == 5 * 4 // 2
    planted = next(row for row in pairs if {row["first"], row["second"]} == PAIR)
    # Each is right on its half alone: they never err together, and never agree.
    assert [float(planted[name]) for name in ("disagreement", "double_fault", "q")] == [1.0, 0.0, -1.0]


def test_the_order_of_runs_does_not_matter(
    made: tuple[Path, EnsembleResults], runs: list[Path], tmp_path: Path
) -> None:
    out, _ = made
    shuffled = [runs[i] for i in np.random.default_rng(1).permutation(len(runs))]
    again = tmp_path / out.name
    ensemble(shuffled, out=again, select="accuracy")
    first, second = (json.loads((folder / "results.json").read_text()) for folder in (out, again))
    assert first.pop("seconds") >= 0
    assert second.pop("seconds") >= 0
    assert first == second
    for name in ("rules.csv", "members.csv", "pairs.csv", f"{COMMITTEE}/committee.json"):
        assert (out / name).read_bytes() == (again / name).read_bytes()


def test_columns_in_another_order_are_joined_by_name(
    made: tuple[Path, EnsembleResults], runs: list[Path], split: Split, tmp_path: Path
) -> None:
    answers = pair_and_noise(split)[HALF]
    moved = [
        cast_run(tmp_path / HALF / f"fold-{fold}", split, answers, fold=fold, classes=LABELS[::-1])
        for fold in range(3)
    ]
    others = [run for run in runs if run.parent.name != HALF]
    results = ensemble([*moved, *others], out=tmp_path / "out", name="planted pair")
    assert any("joined by name" in note for note in results.notes)
    assert results.rules == made[1].rules


@pytest.mark.parametrize("scale", [False, True])
def test_clones_are_no_better_than_one(split: Split, tmp_path: Path, scale: bool) -> None:
    one = guesses(split, 5, skill=1.0)
    clones = cast_members(tmp_path, split, dict.fromkeys(["a", "b", "c"], one))
    results = ensemble(clones, out=tmp_path / "out", scale=scale)
    alone = results.members[0].accuracy.value
    assert {rule.nested.value for rule in results.rules} == {alone}
    assert {rule.naive.value for rule in results.rules} == {alone}
    gains = [rule.gain for rule in results.rules if rule.gain]
    assert {(gain.difference.value, gain.p_holm) for gain in gains} == {(0.0, 1.0)}
    assert not {gain.verdict for gain in gains} & {"better", "worse"}
    assert {(pair.disagreement, pair.q) for pair in results.pairs} == {(0.0, 1.0)}


def test_choosing_among_noise_is_found_out(split: Split, tmp_path: Path) -> None:
    noise = {f"noise {i:02d}": guesses(split, i) for i in range(16)}
    results = ensemble(cast_members(tmp_path, split, noise), out=tmp_path / "out", select="accuracy")
    for name in ("best single", "accuracy", "diversity", "greedy"):
        rule = results.rule_named(name)
        assert rule.naive.value > rule.nested.value
        assert rule.optimism.value == pytest.approx(rule.naive.value - rule.nested.value)
    assert results.chosen_rule.optimism.low > 0
    assert "points too much" in results.summary[1]
    nothing = results.rule_named("all soft")
    assert (nothing.naive.value, nothing.optimism.low, nothing.optimism.high) == (nothing.nested.value, 0, 0)
    assert "Nothing was chosen" in told(results.model_copy(update={"chosen": "all soft"})).summary[1]


@pytest.mark.parametrize("scale", [False, True])
def test_a_part_has_no_say_in_what_answers_it(split: Split, tmp_path: Path, scale: bool) -> None:
    """All members answer fold 1 with nonsense: what is chosen without that fold stays the very same."""
    answers = {name: guesses(split, i, skill=1.0) for i, name in enumerate("abcd")}
    honest = ensemble(cast_members(tmp_path, split, answers), out=tmp_path / "honest", scale=scale)
    part = [row.fold == 1 for row in split.rows]
    spoiled = {name: table.copy() for name, table in answers.items()}
    for i, table in enumerate(spoiled.values()):
        table[part] = guesses(split, 50 + i, skill=-2.0)[part]
    other = ensemble(cast_members(tmp_path / "spoiled", split, spoiled), out=tmp_path / "other", scale=scale)
    at = honest.folds.index(1)
    for before, after in zip(honest.rules, other.rules, strict=True):
        assert before.part_weights[at] == after.part_weights[at]
    changed = [
        before.part_weights != after.part_weights
        for before, after in zip(honest.rules, other.rules, strict=True)
    ]
    assert any(changed)


@pytest.mark.parametrize("select", ["diversity", "weighted", "best"])
def test_every_way_of_selecting_makes_the_committee_that_it_reports(
    runs: list[Path], tmp_path: Path, select: str
) -> None:
    results = ensemble(runs, out=tmp_path / "out", select=select, rule="soft")
    committee = read_committee(tmp_path / "out" / COMMITTEE)
    assert isinstance(committee.root, VoteNode)
    weights = [ballot.weight for ballot in committee.root.ballots]
    rule = results.rule_named(SELECT[select])
    assert weights == [row.weights[rule.name] for row in results.members if row.name in rule.members]
    assert committee.provenance["select"] == select
    assert len(committee.bundles) == 3 * len(rule.members)


def test_a_hard_vote_has_the_members_of_its_soft_rule(runs: list[Path], tmp_path: Path) -> None:
    results = ensemble(runs, out=tmp_path / "out", rule="hard")
    assert results.chosen == "greedy, hard vote"
    assert results.rule == results.chosen_rule.vote == "hard"
    assert results.chosen_rule.members == results.rule_named("greedy").members
    committee = read_committee(tmp_path / "out" / COMMITTEE)
    assert isinstance(committee.root, VoteNode)
    assert committee.root.rule == "hard"
    assert "hard vote" in results.summary[0]
    assert "Each member names one class" in (tmp_path / "out" / PAGE_FILE).read_text(encoding="utf-8")


def test_two_folds_are_dealt_into_parts_and_that_is_said(split: Split, tmp_path: Path) -> None:
    runs = cast_members(tmp_path, split, {"a": guesses(split, 1), "b": guesses(split, 2)}, folds=(0, 2))
    results = ensemble(runs, out=tmp_path / "out", select="all")
    assert results.folds == (0, 2)
    assert results.parts == 5
    page = (tmp_path / "out" / PAGE_FILE).read_text(encoding="utf-8")
    assert "Each choice was made 5 times without a part" in page
    assert results.images == sum(row.fold in (0, 2) for row in split.rows)


def test_a_temperature_is_found_and_goes_into_the_committee(split: Split, tmp_path: Path) -> None:
    calm = guesses(split, 3, skill=1.5)
    logits = 3 * np.log(calm)
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    members = {"calm": calm, "sure": sure.astype(np.float32)}
    results = ensemble(cast_members(tmp_path, split, members), out=tmp_path / "out", select="all", scale=True)
    first, second = (row.temperature for row in results.members)
    assert second == pytest.approx(3 * first, rel=0.01)
    # Once scaled they are the same, so their losses are too.
    assert results.members[0].loss.value == pytest.approx(results.members[1].loss.value, abs=1e-4)
    root = read_committee(tmp_path / "out" / COMMITTEE).root
    assert isinstance(root, VoteNode)
    for ballot, temperature in zip(root.ballots, (first, second), strict=True):
        assert isinstance(ballot.node, VoteNode)
        assert {inner.temperature for inner in ballot.node.ballots} == {temperature}
        assert ballot.temperature == 1.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"select": "gredy"}, "greedy"),
        ({"rule": "sofft"}, "soft"),
        ({"select": "best", "rule": "hard"}, "does not vote"),
        ({"views": ["hflop"]}, "hflip"),
        ({"matters": 2.0}, "between 0 and 1"),
    ],
)
def test_unknown_choices_are_refused_before_anything_is_written(
    runs: list[Path], tmp_path: Path, values: dict[str, object], words: str
) -> None:
    with pytest.raises(DessinError, match=words):
        ensemble(runs, out=tmp_path / "out", **values)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_an_occupied_folder_is_refused(made: tuple[Path, EnsembleResults], runs: list[Path]) -> None:
    with pytest.raises(DessinError, match="not empty"):
        ensemble(runs, out=made[0])


def test_a_chosen_committee_is_no_member(made: tuple[Path, EnsembleResults], runs: list[Path]) -> None:
    with pytest.raises(DessinError, match=r"was chosen \(by ensemble\)"):
        ensemble([made[0] / COMMITTEE, *runs], out=made[0].parent / "again")


@pytest.mark.parametrize("fault", ["damaged", "exchanged", "missing"])
def test_a_bundle_that_is_not_the_runs_own_is_refused(split: Split, tmp_path: Path, fault: str) -> None:
    runs = cast_members(tmp_path, split, {"a": guesses(split, 1), "b": guesses(split, 2)})
    bundle = runs[0] / "bundle"
    if fault == "damaged":
        (bundle / WEIGHTS_FILE).write_bytes(b"other")
    else:
        shutil.rmtree(bundle)
    if fault == "exchanged":
        shutil.copytree(runs[1] / "bundle", bundle)
    words = {"damaged": "damaged", "exchanged": "is not the model that gave", "missing": "There is no bundle"}
    with pytest.raises(DessinError, match=words[fault]):
        ensemble(runs, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_are_escaped_in_the_page(made: tuple[Path, EnsembleResults]) -> None:
    _, results = made
    named = results.model_copy(update={"name": "<script>alert(1)</script>"})
    page = document(ensemble_page(named, Path("<script>alert(1)</script>")))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<i>the other" not in page
    assert "&lt;i&gt;the other" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_says_everything(made: tuple[Path, EnsembleResults]) -> None:
    out, results = made
    page = html.unescape((out / PAGE_FILE).read_text(encoding="utf-8"))
    for text in (*results.summary[1:], *results.cautions):
        assert text in page
    for rule in results.rules:
        assert rule_in_words(rule.name)[1] in page
    for _, picture in heat_maps(results):
        assert plain(picture.caption) in page
    disagreement, _, q = (picture.alt for _, picture in heat_maps(results))
    assert disagreement.endswith("to 100.0")
    assert "from −1.00" in q
    assert "3 of 3" in page


def test_the_page_counts_what_changes(made: tuple[Path, EnsembleResults]) -> None:
    """The planted pair names every drawing right, and the best single member about half of them."""
    out, results = made
    wrong = results.images - round(results.rule_named("best single").nested.value * results.images)
    assert wrong > 0
    page = (out / PAGE_FILE).read_text(encoding="utf-8")
    who = "the soft vote of the most accurate members"
    assert f"{wrong} of {results.images} drawings are named right by {who} and wrong by" in page
    assert "; 0 the other way round. 0 both name wrong." in page


def test_the_page_draws_what_was_measured(made: tuple[Path, EnsembleResults]) -> None:
    _, results = made
    page = ensemble_page(results, Path("out"))
    table = next(table for table in page.tables() if table.columns[0].title == "Member")
    rows = [[plain(cell) for cell in row] for row in table.rows]
    assert {row[0].split(" (")[0] for row in rows[:2]} == PAIR
    assert [row[2] for row in rows] == ["50%", "50%", "–", "–", "–"]
    assert [row[5] for row in rows[:2]] == ["3 of 3", "3 of 3"]
    assert times_chosen(results.rule_named("all soft")) == {row.name: 3 for row in results.members}
    (plot,) = (block.plot for block in walk(page.blocks) if isinstance(block, Dots))
    for row, rule in zip(plot.rows, results.rules, strict=True):
        assert (row.dot.value, row.dot.hollow) == (rule.nested.value, rule.naive.value)
    places = [row.at for row in plot.rows]
    assert np.argmax(places) == np.argmax([rule.nested.value for rule in results.rules])


def test_many_members_are_drawn_as_pictures(split: Split, tmp_path: Path) -> None:
    members = {f"member {i:02d}": guesses(split, i, skill=0.5) for i in range(14)}
    results = ensemble(
        cast_members(tmp_path, split, members, folds=(0,)), out=tmp_path / "out", select="best"
    )
    assert "is what the others are held against" in results.summary[0]
    assert all(picture.source.startswith("data:image/svg+xml") for _, picture in heat_maps(results))


def test_every_rule_has_words() -> None:
    for select in SELECT:
        for name in chosen_rule(select, "soft")[1]:
            assert all(rule_in_words(name))
    for select in set(SELECT) - {"best"}:
        for name in chosen_rule(select, "hard")[1]:
            assert all(rule_in_words(name))


def test_the_answers_of_the_kit_are_what_it_says(split: Split) -> None:
    targets = truth(split)
    half, other = knows(split, LABELS[:2]), knows(split, LABELS[2:])
    first, second = (table.argmax(axis=1) == targets for table in (half, other))
    assert (first ^ second).all()
    assert ((half + other).argmax(axis=1) == targets).all()
    assert np.allclose(half.sum(axis=1), 1.0, atol=1e-6)


def test_a_wrap_up_tells_of_an_ensemble(made: tuple[Path, EnsembleResults], tmp_path: Path) -> None:
    folder, results = made
    page = report(folder, out=tmp_path / "wrap-up.html").read_text()
    assert results.summary[0][:40] in page
    assert "No ensemble was tested" not in page
    assert "single models only" not in page
    for rule in results.rules:
        assert f"{rule.nested.value:.1%}" in page

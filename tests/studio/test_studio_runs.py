"""The pages Runs, Studies and Mistakes on real runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from studio_kit import STARS, alert, checked, make_study, open_page, raw, words

from dessin.errors import DessinError
from dessin.reports.compare.verb import compare
from dessin.runs.record import read_record
from dessin.statistics.comparison import Verdict
from dessin.studio.texts import texts_in
from dessin.studio.views.run_table import column_names, comparable_pair, run_table
from dessin.studio.views.runs import long_form
from dessin.studio.workspace import scan_workspace
from dessin.training.curve import CurveRow
from dessin.trust.mistakes.result import Atlas
from dessin.trust.mistakes.verb import mistakes

pytestmark = pytest.mark.slow

KOREAN = texts_in("ko")


def test_the_table_has_the_accuracy_of_each_run_and_sorts_by_it(made: Path) -> None:
    table = run_table(scan_workspace(made), where="", sort="-accuracy", columns=[])
    accuracies = [read_record(row.path).results["validation"].accuracy.value for row in table.rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert set(table.names) == {"runs/fast", "runs/slow"}
    column = table.titles.index("accuracy")
    value, n = table.cells[0][column]
    assert value.startswith(f"{accuracies[0]:.1%}")
    assert n.startswith("n = ")


def test_conditions_and_columns_are_those_of_the_verb(made: Path) -> None:
    table = run_table(
        scan_workspace(made), where="optimizer.lr>0.001, backbone~test", sort="", columns=["optimizer.lr"]
    )
    assert table.names == ("runs/fast",)
    assert table.titles == ("name", "optimizer.lr")
    assert "recipe.optimizer.lr" in column_names(scan_workspace(made))
    with pytest.raises(DessinError):
        run_table(scan_workspace(made), where="optimiser=1", sort="", columns=[])


def test_two_runs_of_one_fold_are_a_pair_to_begin_with(made: Path) -> None:
    assert comparable_pair(run_table(scan_workspace(made), where="", sort="", columns=[])) == [
        "runs/fast",
        "runs/slow",
    ]
    assert comparable_pair(run_table(scan_workspace(made), where="name~slow", sort="", columns=[])) == [
        "runs/slow"
    ]


def test_a_curve_has_a_point_an_epoch_and_no_averages() -> None:
    def row(epoch: int, accuracy: float | None, averaged: int = 0) -> CurveRow:
        return CurveRow(
            epoch=epoch,
            step=epoch,
            train_loss=None,
            validation_loss=1.0,
            validation_accuracy=accuracy,
            lr=0.1,
            seconds=1.0,
            averaged=averaged,
        )

    curves = {"a": [row(0, 0.1), row(1, 0.5), row(1, 0.6, averaged=2)], "b": [row(0, None)]}
    assert long_form(curves, "validation_accuracy") == (["a", "a"], [0, 1], [0.1, 0.5])
    assert long_form(curves, "validation_loss") == (["a", "a", "b"], [0, 1, 0], [1.0, 1.0, 1.0])


def test_the_page_says_what_compare_says_and_shows_two_cards(made: Path) -> None:
    page = open_page(made, "runs")
    found = compare([made / "runs" / "fast", made / "runs" / "slow"])
    assert found.comparisons[0].verdict_text in words(page)
    assert all(caution in words(page) for caution in found.cautions)
    assert raw(page).count("none found") == 2
    assert len(page.get("vega_lite_chart")) == 2


def test_a_filter_that_cannot_be_read_is_a_sentence(made: Path) -> None:
    page = open_page(made, "runs")
    checked(page.text_input(key="runs.where").input("accurracy>0.1").run())
    assert "accurracy" in alert(page)
    assert raw(page).count("<table") == 0


def test_a_damaged_run_is_listed_and_harms_no_other(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "workspace"))
    (root / "runs" / "slow" / "record.json").write_text("{")
    page = open_page(root, "runs")
    assert "damaged" in words(page)
    assert page.multiselect(key="runs.chosen").value == ["runs/fast"]


def test_studies_say_when_there_are_none(made: Path) -> None:
    assert "No study was found" in words(open_page(made, "studies"))
    assert KOREAN("studies.none") in raw(open_page(made, "studies", "ko"))


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("better", "Gain found."), ("worse", "No gain."), ("cannot tell", "Undecided.")]
)
def test_a_study_has_its_verdict_interval_and_power(tmp_path: Path, verdict: Verdict, outcome: str) -> None:
    compared = make_study(tmp_path / "rates", small=0.031, low=-0.012, high=0.078, verdict=verdict)
    page = open_page(tmp_path, "studies")
    said = words(page)
    assert "Smaller *steps* are <b>surer</b>." in said
    assert f"{outcome} small: {verdict}." in said
    assert said.count("+3.1 [−1.2, +7.8]") >= 2
    assert compared.verdict_text in said
    assert "50.0% [47.0, 53.0]" in said
    assert "n = 300" in said
    assert "5.1 points" in said
    assert "4.7 points" in said
    assert '<div class="dots">' in raw(page)
    assert "<b>surer" not in raw(page)


def test_an_unfinished_study_says_so(tmp_path: Path) -> None:
    make_study(tmp_path / "rates", small=0.0, low=-0.1, high=0.1, verdict="cannot tell")
    (tmp_path / "rates" / "results.json").unlink()
    page = open_page(tmp_path, "studies")
    assert "Unfinished." in words(page)
    assert '<div class="dots">' not in raw(page)


@pytest.fixture(scope="module")
def with_atlas(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(made, tmp_path_factory.mktemp("atlas") / "workspace"))
    mistakes(root / "runs" / "slow", out=root / "wrong", data=root / "drawings")
    return root


def test_mistakes_are_shown_beside_what_they_were_taken_for(with_atlas: Path) -> None:
    atlas = Atlas.read(with_atlas / "wrong")
    assert atlas.pairs
    page = open_page(with_atlas, "mistakes")
    assert all(line in words(page) for line in atlas.summary)
    for pair in atlas.pairs:
        assert f"{pair.label} taken for {pair.predicted}: {pair.count}" in words(page)
    for mistake in atlas.drawings:
        assert f"{mistake.probability:.0%} sure" in words(page)
    assert "<script" not in raw(page)


def test_maps_are_made_of_the_models_own_class_and_the_other(with_atlas: Path) -> None:
    page = open_page(with_atlas, "mistakes")
    assert page.selectbox(key="mistakes.maps:slow").value == "runs/slow"
    before = raw(page).count("<img ")
    box = next(box for box in page.checkbox if (box.key or "").startswith("mistakes.maps:"))
    checked(box.check().run())
    assert raw(page).count("<img ") >= before + 2


def test_without_its_drawings_an_atlas_is_read_all_the_same(with_atlas: Path, tmp_path: Path) -> None:
    root = Path(
        shutil.copytree(with_atlas, tmp_path / "workspace", ignore=shutil.ignore_patterns("drawings"))
    )
    page = open_page(root, "mistakes")
    assert "No one collection in this workspace holds" in words(page)
    assert raw(page).count("<img ") == 0


def test_a_damaged_atlas_is_an_error_to_be_read(with_atlas: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(with_atlas, tmp_path / "workspace"))
    values = json.loads((root / "wrong" / "mistakes.json").read_text())
    (root / "wrong" / "mistakes.json").write_text(json.dumps(values | {"format": 99}))
    assert "format 99" in alert(open_page(root, "mistakes"))


def test_an_atlas_can_be_made_from_the_page(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "workspace"))
    page = open_page(root, "mistakes")
    page.button[0].click().run(timeout=120)
    checked(page)
    assert Atlas.read(root / "mistakes").name in ("fast", "slow")
    assert STARS in words(page)

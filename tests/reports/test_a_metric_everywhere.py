"""A metric is one entry in one table, and every place that shows metrics shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_runs import answers, made_run, made_split

from dessin.reports.compare.verb import compare
from dessin.reports.verb import report
from dessin.runs.listing.verb import runs
from dessin.runs.record import read_record
from dessin.runs.tracking.messages import ending
from dessin.statistics.headline import METRICS, Floats, Integers, Metric, metric_lines
from dessin.studio.views.run_table import run_table
from dessin.studio.workspace import scan_workspace

pytestmark = pytest.mark.slow

SPLIT = made_split()
TITLE = "Certainty of the truth"


def certainty(probabilities: Floats, targets: Integers) -> Floats:
    return np.asarray(probabilities[np.arange(len(targets)), targets], dtype=np.float64)


@pytest.fixture(autouse=True)
def _another() -> Iterator[None]:
    METRICS.append(Metric("certainty", TITLE, "certainty", per_image=certainty, note="certainty is new"))
    try:
        yield
    finally:
        METRICS.pop()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "run", SPLIT, answers(SPLIT, 0.5, seed=1))


def test_it_is_measured_with_an_interval_and_recorded(run: Path) -> None:
    found = dict(read_record(run).results["validation"].items())[METRICS[-1]]
    assert 0.1 <= found.low < found.value < found.high <= 0.8
    assert json.loads((run / "record.json").read_text())["results"]["validation"]["certainty"]["n"] == found.n
    assert ending(read_record(run)).values["results/validation/certainty"] == found.value


def test_it_is_in_the_reports_and_in_tables(run: Path, tmp_path: Path) -> None:
    text = METRICS[-1].written(dict(read_record(run).results["validation"].items())[METRICS[-1]])
    other = made_run(tmp_path / "other", SPLIT, answers(SPLIT, 0.7, seed=2))
    page = report(run, out=tmp_path / "run.html").read_text()
    assert TITLE in page
    assert text in page
    assert "certainty is new" in page
    wrapup = report(other, run, out=tmp_path / "wrapup.html").read_text()
    assert TITLE in wrapup
    assert text in wrapup
    compare([run, other], out=tmp_path / "compared")
    compared = (tmp_path / "compared" / "index.html").read_text()
    assert TITLE in compared
    assert text in compared
    table = run_table(scan_workspace(tmp_path), where="", sort="", columns=["validation.certainty"])
    assert (text, "n = 60") in table.cells[-1]


def test_it_is_said_and_sorted_by(run: Path, tmp_path: Path) -> None:
    made_run(tmp_path / "better", SPLIT, answers(SPLIT, 0.9, seed=2))
    rows = runs(tmp_path, columns=["name", "validation.certainty"], sort="-validation.certainty")
    assert [row.values["name"] for row in rows] == ["better", "run"]
    said = metric_lines("validation", read_record(run).results["validation"].items(), 3)
    assert [line.partition(" ")[0] for line in said] == ["validation:"] * 2
    assert "; certainty 3" in said[-1]


def test_a_record_from_before_it_is_read_and_shows_what_it_has(run: Path, tmp_path: Path) -> None:
    file = run / "record.json"
    values = json.loads(file.read_text())
    del values["results"]["validation"]["certainty"]
    file.write_text(json.dumps(values))
    assert len(read_record(run).results["validation"].items()) == len(METRICS) - 1
    assert "Macro-F1" in report(run, out=tmp_path / "run.html").read_text()


def test_what_is_1_whatever_the_answers_are_is_not_shown(run: Path, tmp_path: Path) -> None:
    results = read_record(run).results["validation"]
    assert "top5" in dict(results)
    for classes, shown in ((2, False), (5, False), (6, True)):
        assert ("Top-5 accuracy" in results.written(classes)) == shown
        assert any("top-5" in line for line in metric_lines("validation", results.items(), classes)) == shown
    assert "op-5" not in report(run, out=tmp_path / "run.html").read_text()
    made_run(tmp_path / "other", SPLIT, answers(SPLIT, 0.9, seed=2))
    compare([run, tmp_path / "other"], out=tmp_path / "compared")
    assert "op-5" not in (tmp_path / "compared" / "index.html").read_text()

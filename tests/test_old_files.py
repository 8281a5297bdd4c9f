"""What dessin 0.1.0 wrote (at e65547e) is read and used as it was: runs, committees, bundles, results."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import dessin
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import check_split, read_split

pytestmark = pytest.mark.slow

OLD = Path(__file__).parent / "data" / "written_by_0_1_0"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in: verbs write beside what they read."""
    folder = shutil.copytree(OLD, tmp_path / "old")
    monkeypatch.chdir(folder)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_a_split_still_fits_its_drawings(old: Path) -> None:
    manifest = build_manifest(read_collection(old / "drawings"))
    split = read_split(old / "split.csv")
    check_split(split, manifest)
    fold_of = {r.image_id: "holdout" if r.fold is None else str(r.fold) for r in split.rows}
    assert list(fold_of.items()) == [(row["image_id"], row["fold"]) for row in rows(old / "split.csv")]


def test_a_run_is_evaluated_to_the_answers_that_it_had(old: Path) -> None:
    run = old / "runs" / "group" / "fold-0"
    before = np.load(run / "validation" / "probabilities.npy", allow_pickle=False)
    dessin.evaluate(run, data="drawings", split="split.csv", out="again")
    after = np.load(old / "again" / "probabilities.npy", allow_pickle=False)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_an_exported_bundle_predicts_as_it_did(old: Path) -> None:
    before = rows(old / "predictions.csv")
    dessin.predict("exported", ["drawings"], out="again.csv")
    after = rows(old / "again.csv")
    assert [(r["image_id"], r["predicted"], r["reason"][:20]) for r in after] == [
        (r["image_id"], r["predicted"], r["reason"][:20]) for r in before
    ]
    for name in ("probability", "top2_probability"):
        assert [float(r[name]) for r in after] == pytest.approx([float(r[name]) for r in before], abs=1e-4)


def test_a_group_of_folds_answers_as_a_committee(old: Path) -> None:
    dessin.predict("runs/group", ["drawings/bars"], out="group.csv")
    assert len(rows(old / "group.csv")) == 12
    dessin.explain("runs/group/fold-0", images=["drawings/bars"], out="maps-again")
    assert len(rows(old / "maps-again" / "maps.csv")) == 12


def test_runs_are_listed_and_compared_to_the_same_figures(old: Path) -> None:
    dessin.runs(".", csv="runs.csv")
    listed = {row["name"]: row for row in rows(old / "runs.csv")}
    for path in old.glob("runs/group/*/record.json"):
        accuracy = json.loads(path.read_text())["results"]["validation"]["accuracy"]["value"]
        assert float(listed[f"runs/group/{path.parent.name}"]["accuracy"]) == pytest.approx(accuracy)
    dessin.compare(["runs/single", "runs/group/fold-0"], out="compared-again")
    before, after = (
        json.loads((old / f / "comparison.json").read_text()) for f in ("compared", "compared-again")
    )
    then, now = before["comparisons"][0], after["comparisons"][0]
    assert now["verdict"] == then["verdict"]
    # Of few groups the intervals were too narrow then.
    for name in ("difference", "by_image"):
        assert (now[name]["value"], now[name]["n"]) == (then[name]["value"], then[name]["n"])
        assert now[name]["low"] <= then[name]["low"]
        assert now[name]["high"] >= then[name]["high"]
    assert now["p"] >= then["p"]


def test_a_card_says_what_was_measured_then(old: Path) -> None:
    dessin.card("runs/single", out="card-again.html")
    before, after = (json.loads((old / name).read_text()) for name in ("card.json", "card-again.json"))
    assert after.keys() == before.keys()


def test_the_wrap_up_tells_of_an_old_study_and_old_committees(old: Path) -> None:
    dessin.report("study", "ensemble", "distilled", "runs/single", out="wrap-up.html")
    page = (old / "wrap-up.html").read_text()
    assert "Mirrored drawings teach more" in page
    verdict = json.loads((old / "study" / "results.json").read_text())["comparisons"][0]["verdict"]
    assert verdict in page


def test_a_run_report_is_made_of_an_old_run(old: Path) -> None:
    dessin.report("runs/group/fold-0", out="run.html")
    assert (old / "run.html").stat().st_size > 10_000


def test_a_finished_study_is_not_begun_anew(old: Path) -> None:
    before = {path: path.read_bytes() for path in (old / "study" / "jobs").iterdir()}
    dessin.study("study/study.yaml", data="drawings", split="split.csv", out="study")
    assert {path: path.read_bytes() for path in (old / "study" / "jobs").iterdir()} == before


def test_results_of_committees_are_typed_again(old: Path) -> None:
    """Each kind of `results.json` is what its verb wrote, key by key."""
    from dessin.committees.distill.result import DistillResults
    from dessin.committees.ensemble.result import EnsembleResults
    from dessin.committees.route.result import RouteResults
    from dessin.committees.soup.result import SoupResults

    kinds = {
        "ensemble": EnsembleResults,
        "soup": SoupResults,
        "distilled": DistillResults,
        "routed": RouteResults,
    }
    for folder, kind in kinds.items():
        values = json.loads((old / folder / "results.json").read_text())
        assert json.loads(kind.model_validate(values).model_dump_json()) == values


def test_an_audit_leads_to_the_same_curation(old: Path) -> None:
    dessin.audit("drawings", out="audit-again")
    assert rows(old / "audit-again" / "issues.csv") == rows(old / "audit" / "issues.csv")
    dessin.curate("drawings", issues="audit/issues.csv", out="curation-again.csv")
    head, again = (old / "curation-again.csv").read_bytes().split(b"\n", 1)
    assert head.startswith(b"# dessin curation")
    assert again == (old / "curation.csv").read_bytes()

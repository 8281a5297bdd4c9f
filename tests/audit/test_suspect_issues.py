"""Suspect labels in an audit and a curation: shown, counted, written, and set aside only where asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_kit import audit_with
from hypothesis import given
from hypothesis import strategies as st
from scribbles import encode, scribble, write_drawings

from dessin.collection.checks.base import LabelNumbers, LabelReview, SuspectLabel
from dessin.collection.checks.pairs import suspect_issue
from dessin.collection.curation import curate, read_curation
from dessin.collection.issues import read_issues, write_issues
from dessin.files import sha256_file
from dessin.progress import quiet

STRANGE = 'a, "b"\nlooks like c; <script>alert(1)</script> 오리 # %s {{ x }}'


def numbers(suspects: int) -> LabelNumbers:
    return LabelNumbers(
        judged=6,
        models="2 runs",
        accuracy=0.5,
        accuracy_low=0.4,
        accuracy_high=0.6,
        suspects=suspects,
        noise=0.25,
        noise_low=0.1,
        noise_high=0.4,
        notes=("An image has 1 to 2 answers; their mean counts.",),
    )


def suspect(image_id: str, suggested: str, **drawings: str) -> SuspectLabel:
    return SuspectLabel(
        image_id=image_id,
        given=image_id.split("/")[0],
        suggested=suggested,
        probability=0.83,
        score=0.97,
        like=drawings.get("like", ""),
        unlike=drawings.get("unlike", ""),
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(3)]
    drawings = {name: encode(scribble(seed)) for seed, name in enumerate(names)}
    return write_drawings(tmp_path / "data", drawings)


def test_suspects_are_written_counted_shown_and_curated_only_by_name(data: Path, tmp_path: Path) -> None:
    before = {path: sha256_file(path) for path in data.rglob("*.png")}
    suspects = (
        suspect("dog/1.png", "cat", like="cat/0.png", unlike="dog/0.png"),
        suspect("cat/2.png", "dog"),
    )
    with quiet():
        result = audit_with(LabelReview(suspects, numbers(2)), data, tmp_path / "out")
    assert result.summary.issues["suspect_label"] == 2
    issues = read_issues(tmp_path / "out" / "issues.csv")
    found = [(i.image_id, i.other_id, i.detail, i.score) for i in issues if i.issue == "suspect_label"]
    assert found == [
        ("cat/2.png", "", "looks like dog", 0.97),
        ("dog/1.png", "cat/0.png", "looks like cat", 0.97),
    ]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "looks like cat (83%)" in page
    assert page.count("<b>labelled ") == 2
    assert "suspect_label --out reviewed.csv" in page

    with quiet():
        safe = curate(data, issues=tmp_path / "out" / "issues.csv", out=tmp_path / "safe.csv")
        asked = curate(
            data, issues=tmp_path / "out" / "issues.csv", out=tmp_path / "asked.csv", kinds=["suspect_label"]
        )
    assert safe.changes == ()
    assert {(c.image_id, c.action, c.reason) for c in asked.changes} == {
        ("cat/2.png", "drop", "suspect_label: looks like dog"),
        ("dog/1.png", "drop", "suspect_label: looks like cat"),
    }
    assert read_curation(tmp_path / "asked.csv") == asked
    assert before == {path: sha256_file(path) for path in data.rglob("*.png")}


def test_the_page_shows_the_worst_and_says_where_the_others_are(data: Path, tmp_path: Path) -> None:
    suspects = tuple(suspect(f"cat/{number % 3}.png", "dog") for number in range(70))
    with quiet():
        audit_with(LabelReview(suspects, numbers(70)), data, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<b>labelled ") == 60
    assert "The 60 least plausible of 70" in page


def test_labels_without_suspects_are_said_to_be_plausible(data: Path, tmp_path: Path) -> None:
    with quiet():
        audit_with(LabelReview((), numbers(0)), data, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "No label looks implausible" in page
    assert "reviewed.csv" not in page


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1))
def test_any_label_survives_the_issues_file(label: str) -> None:
    issue = suspect_issue(suspect("cat/1.png", label))
    assert issue.detail.removeprefix("looks like ") == label


@pytest.mark.parametrize("label", [STRANGE, "looks like looks like", "\t=1+1", "\\n"])
def test_strange_labels_reach_issues_and_curation_as_they_are(data: Path, tmp_path: Path, label: str) -> None:
    write_issues([suspect_issue(suspect("cat/1.png", label))], tmp_path / "issues.csv")
    (issue,) = read_issues(tmp_path / "issues.csv")
    assert issue.detail == f"looks like {label}"
    with quiet():
        curate(data, issues=tmp_path / "issues.csv", out=tmp_path / "curation.csv", kinds=["suspect_label"])
    (change,) = read_curation(tmp_path / "curation.csv").changes
    assert change.reason == f"suspect_label: looks like {label}"

"""Curation: the rule of each kind, files written by hand, and what applying does and does not change."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dessin.cli import app
from dessin.collection.checks.base import Issue
from dessin.collection.curation import (
    Change,
    Curation,
    apply_curation,
    curate,
    propose_curation,
    propose_safely,
    read_curation,
    too_many,
    write_curation,
)
from dessin.collection.issues import CHECKS, default_kinds, write_issues
from dessin.collection.manifest import Manifest, Row
from dessin.errors import DessinError

IDS = ("cat/1", "cat/2", "cat/3", "cat/4", "dog/1", "dog/2", "dog/3")


def manifest_of(*image_ids: str) -> Manifest:
    rows = tuple(Row(i, i.split("/")[0], "", 1, 1, "L", i) for i in sorted(image_ids))
    classes = tuple(sorted({row.label for row in rows}))
    return Manifest(Path("drawings"), rows, classes, {label: label for label in classes})


MANIFEST = manifest_of(*IDS)


def duplicate(image_id: str, other: str, kind: str = "exact_duplicate") -> Issue:
    return Issue(image_id, kind, 1.0, other)


def conflict(one: str, other: str) -> list[Issue]:
    return [Issue(one, "label_conflict", 1.0, other), Issue(other, "label_conflict", 1.0, one)]


def actions(issues: list[Issue], *kinds: str) -> dict[str, str]:
    changes = propose_curation(issues, MANIFEST, kinds).changes
    assert all(change.reason for change in changes)
    return {change.image_id: change.action for change in changes}


def test_of_exact_copies_in_a_class_the_first_stays() -> None:
    issues = [duplicate("cat/3", "cat/1"), duplicate("cat/2", "cat/1"), duplicate("dog/2", "dog/1")]
    assert actions(issues, "exact_duplicate") == {
        "cat/1": "keep",
        "cat/2": "drop",
        "cat/3": "drop",
        "dog/1": "keep",
        "dog/2": "drop",
    }


def test_copies_in_one_class_are_found_though_both_are_linked_to_another_class() -> None:
    issues = [duplicate("dog/1", "cat/1"), duplicate("dog/2", "cat/1")]
    assert actions(issues, "exact_duplicate") == {"dog/1": "keep", "dog/2": "drop"}


def test_an_unreadable_first_copy_does_not_stay() -> None:
    issues = [Issue("cat/1", "unreadable", 1.0), duplicate("cat/2", "cat/1"), duplicate("cat/3", "cat/1")]
    expected = {"cat/1": "drop", "cat/2": "keep", "cat/3": "drop"}
    assert actions(issues, "unreadable", "exact_duplicate") == expected


def test_a_conflict_sets_every_side_and_every_copy_of_a_side_aside() -> None:
    issues = [*conflict("cat/1", "dog/1"), duplicate("cat/2", "cat/1"), duplicate("dog/1", "cat/1")]
    expected = {"cat/1": "drop", "cat/2": "drop", "dog/1": "drop"}
    assert actions(issues, "label_conflict") == expected
    assert actions(issues, "label_conflict", "exact_duplicate") == expected
    assert actions(issues, "exact_duplicate") == {"cat/1": "keep", "cat/2": "drop"}


def test_near_copies_are_dropped_only_when_chosen_and_through_exact_ones() -> None:
    issues = [duplicate("cat/2", "cat/1"), duplicate("cat/3", "cat/2", "near_duplicate")]
    assert actions(issues, "exact_duplicate") == {"cat/1": "keep", "cat/2": "drop"}
    both = {"cat/1": "keep", "cat/2": "drop", "cat/3": "drop"}
    assert actions(issues, "exact_duplicate", "near_duplicate") == both


@pytest.mark.parametrize(
    "kind", sorted(set(CHECKS) - {"exact_duplicate", "near_duplicate", "label_conflict"})
)
def test_every_other_kind_drops_what_it_names_when_chosen(kind: str) -> None:
    issues = [Issue("cat/1", kind, 0.5, detail="why")]
    assert actions(issues, kind) == {"cat/1": "drop"}
    assert actions(issues, "label_conflict") == {}


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(list(CHECKS)))))
def test_the_order_of_issues_does_not_matter_and_something_of_each_set_of_copies_stays(
    drawn: list[tuple[str, str, str]],
) -> None:
    issues = [Issue(i, kind, 1.0, other) for i, other, kind in drawn if i != other]
    proposed = propose_curation(issues, MANIFEST, list(CHECKS))
    assert proposed == propose_curation(issues[::-1], MANIFEST, list(CHECKS))
    assert len({change.image_id for change in proposed.changes}) == len(proposed.changes)
    copies = [issue for issue in issues if issue.issue in ("exact_duplicate", "near_duplicate")]
    only = propose_curation(copies, MANIFEST, list(CHECKS))
    assert apply_curation(only, MANIFEST).classes == MANIFEST.classes


def test_unknown_kinds_and_issues_of_another_collection_are_refused() -> None:
    with pytest.raises(DessinError, match='Did you mean "blank"'):
        propose_curation([], MANIFEST, ["blanc"])
    with pytest.raises(DessinError, match="cow/1"):
        propose_curation([duplicate("cat/1", "cow/1")], MANIFEST, ["blank"])


def test_half_a_pair_is_refused() -> None:
    with pytest.raises(DessinError, match="does not name the other image"):
        propose_curation([Issue("cat/1", "exact_duplicate", 1.0)], MANIFEST, ["blank"])


def test_applying_drops_relabels_and_keeps() -> None:
    curation = Curation(
        (
            Change("cat/1", "drop", "", "x"),
            Change("cat/2", "relabel", "dog", "x"),
            Change("cat/3", "keep", "", "x"),
        )
    )
    after = apply_curation(curation, MANIFEST)
    assert {row.image_id: row.label for row in after.rows} == {
        "cat/2": "dog",
        "cat/3": "cat",
        "cat/4": "cat",
        "dog/1": "dog",
        "dog/2": "dog",
        "dog/3": "dog",
    }
    assert len(MANIFEST.rows) == len(IDS)
    assert apply_curation(Curation(), MANIFEST) == MANIFEST


def test_a_class_that_loses_every_image_leaves_the_classes_and_an_empty_collection_is_refused() -> None:
    dogs = tuple(Change(i, "drop", "", "x") for i in IDS if i.startswith("dog"))
    assert apply_curation(Curation(dogs), MANIFEST).classes == ("cat",)
    everything = tuple(Change(i, "drop", "", "x") for i in IDS)
    with pytest.raises(DessinError, match="every image"):
        apply_curation(Curation(everything), MANIFEST)


def test_unknown_images_and_classes_are_refused_when_applied() -> None:
    with pytest.raises(DessinError, match="cow/9"):
        apply_curation(Curation((Change("cow/9", "drop", "", "x"),)), MANIFEST)
    with pytest.raises(DessinError, match='Did you mean "dog"'):
        apply_curation(Curation((Change("cat/1", "relabel", "dogg", "x"),)), MANIFEST)


def test_a_file_is_read_back_as_written_and_a_reason_does_not_change_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "curation.csv"
    curation = Curation((Change("cat/1", "drop", "", 'a "b", c'), Change("cat/2", "relabel", "dog", "")))
    write_curation(curation, path)
    assert read_curation(path) == curation
    path.write_text(path.read_text().replace("a ", "z "))
    assert read_curation(path).digest == curation.digest
    path.write_text(path.read_text().replace("relabel,dog", "drop,"))
    assert read_curation(path).digest != curation.digest


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("cat/1,drop,,x\ncat/1,keep,,x\n", "two rows for cat/1"),
        ("cat/1,relabel,,x\n", "no label"),
        ("cat/1,drop,dog,x\n", 'the label "dog"'),
        ("cat/1,dorp,,x\n", 'Did you mean "drop"'),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, body: str, words: str) -> None:
    path = tmp_path / "curation.csv"
    path.write_text("image_id,action,label,reason\n" + body)
    with pytest.raises(DessinError, match=words):
        read_curation(path)


def test_the_verb_writes_a_file_touches_no_image_and_never_overwrites(tmp_path: Path) -> None:
    root = tmp_path / "drawings"
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png", "dog/3.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 255).save(root / name)
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*.png")}
    write_issues([duplicate("cat/2.png", "cat/1.png")], tmp_path / "issues.csv")
    out = tmp_path / "curation.csv"
    made = curate(root, issues=tmp_path / "issues.csv", out=out)
    assert read_curation(out) == made
    assert [(c.image_id, c.action) for c in made.changes] == [("cat/1.png", "keep"), ("cat/2.png", "drop")]
    assert before == {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*.png")}
    with pytest.raises(DessinError, match="already exists"):
        curate(root, issues=tmp_path / "issues.csv", out=out)


def crowd(conflicts: int, of: int) -> tuple[list[Issue], Manifest]:
    """`conflicts` images in conflict, two by two and ever less surely, of a collection of `of` images."""
    ids = [f"{'cat' if number % 2 else 'dog'}/{number:03d}" for number in range(of)]
    issues = []
    for number in range(0, conflicts, 2):
        one, other, score = ids[number], ids[number + 1], 1.0 - number / 1000
        issues += [Issue(one, "label_conflict", score, other), Issue(other, "label_conflict", score, one)]
    return issues, manifest_of(*ids)


def test_more_than_a_fifth_for_one_reason_is_not_set_aside_by_itself() -> None:
    for conflicts, doubted in ((20, False), (22, True), (100, True)):
        issues, manifest = crowd(conflicts, 100)
        copies = duplicate("dog/098", "dog/096")
        curation, doubts = propose_safely([*issues, copies], manifest)
        dropped = {c.image_id for c in curation.changes if c.action == "drop"}
        assert [doubt.kind for doubt in doubts] == ["label_conflict"] * doubted
        assert dropped == ({"dog/098"} if doubted else {*(i.image_id for i in issues), "dog/098"})
        # Whoever names the kind gets all of them.
        assert len(propose_curation(issues, manifest, ["label_conflict"]).changes) == conflicts


def test_the_six_examples_are_pairs_once_each_from_the_surest_to_the_least_sure() -> None:
    issues, manifest = crowd(60, 100)
    (doubt,) = too_many(issues, manifest, default_kinds())
    assert (doubt.count, doubt.images) == (60, 100)
    assert doubt.examples[0] == ("cat/001", "dog/000")
    assert doubt.examples[-1] == ("cat/059", "dog/058")
    assert len(set(doubt.examples)) == 6
    assert len({image for pair in doubt.examples for image in pair}) == 12
    line = doubt.line("so none is set aside")
    assert "60 of 100 images (60%), more than a fifth, so none is set aside." in line
    assert "6 pairs of them: cat/001 and dog/000; " in line
    few, manifest = [Issue(f"cat/{n}", "unreadable", 1.0) for n in (1, 2, 3)], MANIFEST
    (doubt,) = too_many(few, manifest, default_kinds())
    assert doubt.examples == (("cat/1", ""), ("cat/2", ""), ("cat/3", ""))
    assert doubt.line("").endswith("3 images of them: cat/1; cat/2; cat/3.")


def test_the_verb_says_what_it_left_out_and_the_command_that_it_prints_sets_it_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    issues, manifest = crowd(6, 10)
    root = tmp_path / "my drawings"
    for row in manifest.rows:
        (root / row.label).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 255).save(root / f"{row.image_id}.png")
    named = [replace(i, image_id=f"{i.image_id}.png", other_id=f"{i.other_id}.png") for i in issues]
    write_issues(named, tmp_path / "issues.csv")
    made = curate(root, issues=tmp_path / "issues.csv", out=tmp_path / "curation.csv")
    assert not made.changes
    said = capsys.readouterr().err
    assert "Label conflicts: 6 of 10 images (60%), more than a fifth, so none is set aside." in said
    command = said[said.index("dessin curate ") :].strip()
    app(shlex.split(command)[1:], standalone_mode=False)
    assert "and set aside because --kinds says so" in capsys.readouterr().err
    assert len(read_curation(tmp_path / "curation-all.csv").changes) == 6

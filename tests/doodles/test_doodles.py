"""Doodles: the same bytes from the same seed, in mixed files, and the audit finds what was planted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dessin.collection.checks.base import Context, Issue
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import run_checks
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split
from dessin.collection.split.plan import plan_split
from dessin.doodles.check import AnswerKey, check_answers, describe_findings, false_alarms, read_answer_key
from dessin.doodles.doodles import generate_doodles
from dessin.doodles.drawing import draw_doodle
from dessin.errors import DessinError

pytestmark = pytest.mark.slow

CLASSES, PER_CLASS = 12, 10
Audited = tuple[Path, AnswerKey, tuple[Issue, ...], Split]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """A small set of doodles with its real audit and its real split."""
    out = tmp_path_factory.mktemp("doodles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(tmp_path_factory.mktemp("doodle_cache")))
        key = generate_doodles(out, classes=CLASSES, per_class=PER_CLASS, seed=4)
        manifest = build_manifest(read_collection(out / "drawings"))
        scan = scan_images(manifest)
        pairs = find_duplicates(manifest, scan)
        split = plan_split(manifest, scan, pairs, folds=3, holdout=0.2, seed=0)
        return out, key, run_checks(Context(manifest, scan, pairs)), split


def test_every_planted_fault_is_found_and_nothing_else(audited: Audited) -> None:
    _, key, issues, split = audited
    findings = check_answers(key, issues, split)
    assert [finding for finding in findings if not finding.found] == []
    assert len(findings) > len(key.faults)
    assert false_alarms(key, issues) == ()


def test_the_key_plants_what_the_demo_promises(audited: Audited) -> None:
    out, key, _, _ = audited
    planted = Counter(fault.issue for fault in key.faults)
    assert planted["exact_duplicate"] >= 3
    assert planted["near_duplicate"] >= 3
    assert planted["label_conflict"] == 2
    assert planted["unreadable"] == 2
    assert planted["blank"] == planted["low_contrast"] == 1
    assert read_answer_key(out / "answer_key.json") == key
    files = [path for path in (out / "drawings").rglob("*") if path.is_file()]
    assert len(files) == key.images + len(key.skipped)
    assert len(read_collection(out / "drawings").items) == key.images


def test_copies_of_files_are_equal_and_other_faults_are_not(audited: Audited) -> None:
    out, key, _, _ = audited
    for fault in key.faults:
        if fault.other_id:
            equal = (out / "drawings" / fault.image_id).read_bytes() == (
                out / "drawings" / fault.other_id
            ).read_bytes()
            assert equal == (fault.details == ("bytes",)), fault


@pytest.mark.parametrize("number", range(15))
def test_a_missed_fault_is_said(audited: Audited, number: int) -> None:
    _, key, issues, split = audited
    fault = key.faults[number]
    blind = tuple(
        issue
        for issue in issues
        if not (issue.issue == fault.issue and fault.image_id in (issue.image_id, issue.other_id))
    )
    missed = [finding for finding in check_answers(key, blind, split) if not finding.found]
    assert [finding.image_id for finding in missed] == [fault.image_id]
    table = describe_findings(check_answers(key, blind, split), ())
    assert sum(text.startswith("MISSED") for text in table) == 1


def test_the_wrong_symmetry_is_a_missed_fault(audited: Audited) -> None:
    _, key, issues, split = audited
    wrong = tuple(replace(i, detail="vflip") if i.detail.startswith("hflip") else i for i in issues)
    missed = {finding.image_id for finding in check_answers(key, wrong, split) if not finding.found}
    hflips = {fault.image_id for fault in key.faults if fault.details == ("hflip",)}
    assert hflips
    assert missed == hflips


def test_a_copy_on_the_other_side_of_the_split_is_said(audited: Audited) -> None:
    _, key, issues, split = audited
    fault = next(fault for fault in key.faults if fault.issue == "near_duplicate")
    rows = tuple(
        replace(row, fold=1 if row.fold != 1 else None) if row.image_id == fault.image_id else row
        for row in split.rows
    )
    missed = [f for f in check_answers(key, issues, replace(split, rows=rows)) if not f.found]
    assert [finding.what for finding in missed] == [f"{fault.what}: on one side"]


def test_false_alarms_are_counted(audited: Audited) -> None:
    _, key, issues, _ = audited
    alarm = Issue("sun/sun_001.png", "near_duplicate", 0.9, "sun/sun_002.png", "identity")
    dark = Issue("sun/sun_001.png", "low_contrast", 0.9)
    assert false_alarms(key, (*issues, alarm, dark)) == (alarm,)


def test_the_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    doodle = draw_doodle("house", 7, seed=3)
    draw_doodle("cat", 1, seed=3)
    assert draw_doodle("house", 7, seed=3) == doodle
    assert draw_doodle("house", 7, seed=4).data != doodle.data
    generate_doodles(tmp_path / "a", classes=12, per_class=10, seed=3)
    generate_doodles(tmp_path / "b", classes=12, per_class=10, seed=3)
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    assert (tmp_path / "a" / "drawings" / doodle.image_id).read_bytes() == doodle.data


def test_files_are_mixed(audited: Audited) -> None:
    out, key, _, _ = audited
    bad = {fault.image_id for fault in key.faults}
    kinds, sides = set(), []
    for path in (out / "drawings").glob("*/[!.]*"):
        if path.relative_to(out / "drawings").as_posix() not in bad:
            with Image.open(path) as image:
                kinds.add((image.format, image.mode))
                sides += image.size
    assert {("PNG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "L"), ("JPEG", "RGB")} <= kinds
    assert any(kind == "WEBP" for kind, _ in kinds)
    assert min(sides) >= 200
    assert max(sides) <= 800
    assert max(sides) > 2 * min(sides)


@pytest.mark.parametrize(("classes", "per_class"), [(3, 30), (17, 30), (12, 5)])
def test_impossible_sets_are_refused(tmp_path: Path, classes: int, per_class: int) -> None:
    with pytest.raises(DessinError, match="12 to 16 classes"):
        generate_doodles(tmp_path / "out", classes=classes, per_class=per_class)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        generate_doodles(tmp_path)


def test_a_file_that_is_no_answer_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answer_key.json").write_text(json.dumps({"seed": 0, "fault": []}))
    with pytest.raises(DessinError, match="answer_key"):
        read_answer_key(tmp_path / "answer_key.json")

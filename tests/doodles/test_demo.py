"""The demo runs the real audit and split (training is left out here) and fails loudly on a missed fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dessin.collection.checks.base import Context, Issue
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import run_checks
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split
from dessin.collection.split.plan import plan_split
from dessin.doodles import verb as demo_module
from dessin.doodles.verb import demo
from dessin.errors import DessinError
from dessin.page.blocks import Page

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Audited:
    issues: tuple[Issue, ...]


@dataclass(frozen=True)
class WithoutTraining:
    """The parts of `auto`'s result that the demo holds against the answer key."""

    audit: Audited
    split: Split
    report: Path

    @property
    def folder(self) -> Path:
        return self.report.parent

    def as_page(self) -> Page:
        raise AssertionError("no page is asked for here")


def audit_and_split(data: Path, *, out: Path, seed: int, **rest: Any) -> WithoutTraining:
    manifest = build_manifest(read_collection(data))
    scan = scan_images(manifest)
    pairs = find_duplicates(manifest, scan)
    split = plan_split(manifest, scan, pairs, folds=3, holdout=0.2, seed=seed)
    return WithoutTraining(Audited(run_checks(Context(manifest, scan, pairs))), split, out / "index.html")


# The latter are those of `make demo`.
@pytest.mark.parametrize(("classes", "per_class"), [(12, 10), (16, 30)])
def test_the_demo_finds_everything(
    classes: int, per_class: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "auto", audit_and_split)
    result = demo(out=tmp_path / "out", classes=classes, per_class=per_class)
    assert len(result.findings) == 40
    assert all(finding.found for finding in result.findings)
    assert (tmp_path / "out" / "answer_key.json").is_file()


def test_the_demo_fails_when_the_audit_is_blind_to_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(data: Path, **options: Any) -> WithoutTraining:
        result = audit_and_split(data, **options)
        seeing = tuple(issue for issue in result.audit.issues if "hflip" not in issue.detail)
        return replace(result, audit=Audited(seeing))

    monkeypatch.setattr(demo_module, "auto", blind)
    with pytest.raises(DessinError, match=r"2 of 40 planted faults.*boat/boat_011") as error:
        demo(out=tmp_path / "out", classes=12, per_class=10)
    assert "boat/boat_012" in str(error.value)


def test_the_demo_does_not_write_over_another(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        demo(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

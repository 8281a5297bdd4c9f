"""What is found in a folder, and what is not let out of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from studio_kit import make_drawings

from dessin.auto.state import Asked, AutoState, Measured, places_of
from dessin.collection.curation import Change, Curation, write_curation
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.studio.drawings import read_drawings
from dessin.studio.workspace import DEPTH, Workspace, scan_workspace


def test_each_kind_of_thing_is_found_by_its_file(tmp_path: Path) -> None:
    make_drawings(tmp_path / "school" / "drawings")
    write_curation(Curation((Change("a/b.png", "drop", "", "x"),)), tmp_path / "school" / "set aside.csv")
    (tmp_path / "school" / "split.csv").write_text(
        '# dessin split 1 {"seed": 0}\nimage_id,label,group,fold\n'
    )
    marks = {
        "audit": "issues.csv",
        "run": "record.json",
        "team": "committee.json",
        "net": "bundle.json",
        "rates": "study.json",
        "rates/runs/a": "record.json",
        "wrong": "mistakes.json",
    }
    for folder, file in marks.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text("{}")
    found = scan_workspace(tmp_path)
    assert found.collections == ("school/drawings",)
    assert found.curations == ("school/set aside.csv",)
    assert found.splits == ("school/split.csv",)
    assert (found.audits, found.committees, found.bundles) == (("audit",), ("team",), ("net",))
    assert (found.studies, found.atlases) == (("rates",), ("wrong",))
    assert found.runs == ("rates/runs/a", "run")
    assert found.models == ("team", "net")
    assert found.notes == ()


def test_labels_in_a_csv_are_a_collection_and_its_folders_are_not(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "drawings")
    (data / "labels.csv").write_text("image_path,label\nbars/00.png,stripes\n")
    assert scan_workspace(tmp_path).collections == ("drawings",)
    (data / "other.csv").write_text("image_path,label\nbars/00.png,lines\n")
    assert scan_workspace(tmp_path).collections == ("drawings/labels.csv", "drawings/other.csv")


def test_a_folder_of_loose_pictures_is_no_collection(tmp_path: Path) -> None:
    (tmp_path / "screenshots").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "screenshots" / "one.png")
    assert scan_workspace(tmp_path).collections == ()


def test_links_and_hidden_folders_are_not_followed(tmp_path: Path) -> None:
    outside = make_drawings(tmp_path / "outside")
    root = tmp_path / "workspace"
    (root / ".hidden").mkdir(parents=True)
    (root / ".hidden" / "study.json").write_text("{}")
    (root / "linked").symlink_to(outside)
    found = scan_workspace(root)
    assert (found.collections, found.studies) == ((), ())
    assert any("out of the workspace" in note for note in found.notes)


def test_what_lies_too_deep_is_left_out_and_said(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*("deeper",) * (DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "study.json").write_text("{}")
    near = tmp_path.joinpath(*("deeper",) * (DEPTH - 1))
    (near / "study.json").write_text("{}")
    found = scan_workspace(tmp_path)
    assert found.studies == ("/".join(("deeper",) * (DEPTH - 1)),)
    (near / "study.json").unlink()
    found = scan_workspace(tmp_path)
    assert found.studies == ()
    assert any(f"{DEPTH} deep" in note for note in found.notes)


@pytest.mark.parametrize("name", ["..", "../secret", "/etc/passwd", "a/../../b", "in/out", "a\0b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "workspace"
    (root / "in").mkdir(parents=True)
    (root / "in" / "out").symlink_to(tmp_path)
    with pytest.raises(DessinError, match="does not lie inside"):
        Workspace(root).path(name)


def test_a_name_inside_is_its_path(tmp_path: Path) -> None:
    assert Workspace(tmp_path).path("a/b") == tmp_path / "a" / "b"
    assert Workspace(tmp_path).path(".") == tmp_path


def make_result(folder: Path, drawings: Path) -> Path:
    """The record of an auto on these drawings, and an empty best model."""
    (folder / "best").mkdir(parents=True)
    digest = build_manifest(read_collection(drawings)).digest
    AutoState(
        data="drawings",
        asked=Asked(manifest=digest, group=None, models=(), seed=0, budget_seconds=60.0),
        candidates=(),
        images=28,
        measured=Measured(decoding=1.0, speeds=(), flops=1.0),
        **places_of(drawings, folder),
    ).write(folder)
    return folder


def found_by(result: Path) -> tuple[Path, ...]:
    """Where a studio that is opened on a result finds the drawings, which it must be able to read."""
    workspace = scan_workspace(result)
    for name in workspace.collections:
        assert read_drawings(workspace, name).labels
    return tuple(map(workspace.path, workspace.collections))


def test_a_result_finds_its_drawings_where_both_or_one_of_them_has_moved(tmp_path: Path) -> None:
    home = tmp_path / "home"
    drawings = make_drawings(home / "drawings")
    result = make_result(home / "result", drawings)
    assert found_by(result) == (drawings,)
    home.rename(tmp_path / "stick")
    assert found_by(tmp_path / "stick" / "result") == (tmp_path / "stick" / "drawings",)
    (tmp_path / "stick" / "drawings").rename(tmp_path / "drawings")
    assert found_by(tmp_path / "stick" / "result") == (tmp_path / "drawings",), "as older files say it"
    home.mkdir()
    (tmp_path / "drawings").rename(drawings)
    assert found_by(tmp_path / "stick" / "result") == (drawings,), "by the absolute path"


def test_other_drawings_that_lie_where_they_would_have_moved_to_are_not_taken(tmp_path: Path) -> None:
    drawings = make_drawings(tmp_path / "home" / "drawings")
    result = make_result(tmp_path / "home" / "result", drawings)
    moved = tmp_path / "stick" / "result"
    moved.parent.mkdir()
    result.rename(moved)
    make_drawings(tmp_path / "stick" / "drawings", paper=240)
    assert found_by(moved) == (drawings,)


def test_drawings_that_changed_since_are_not_shown_as_those_of_a_result(tmp_path: Path) -> None:
    drawings = make_drawings(tmp_path / "drawings")
    result = make_result(tmp_path / "result", drawings)
    (drawings / "bars" / "05.png").unlink()
    with pytest.raises(DessinError, match="have changed since"):
        found_by(result)
    shutil.rmtree(drawings)
    assert found_by(result) == ()

"""What is found in a folder, and what is not let out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from studio_kit import make_drawings

from dessin.collection.curation import Change, Curation, write_curation
from dessin.errors import DessinError
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

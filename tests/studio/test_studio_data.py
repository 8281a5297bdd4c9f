"""The page Data: counts, sheets, issues, and ticks that are in the curation file at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from studio_kit import (
    A_CLASS,
    COPY,
    ORIGINAL,
    SCRIPT,
    STARS,
    alert,
    checked,
    make_drawings,
    open_page,
    raw,
    words,
)

from dessin.audit.verb import audit
from dessin.collection.checks.base import Issue
from dessin.collection.curation import Change, Curation, curate, read_curation, write_curation
from dessin.collection.issues import read_issues, write_issues
from dessin.studio.drawings import matching, read_drawings
from dessin.studio.texts import texts_in
from dessin.studio.workspace import scan_workspace

pytestmark = pytest.mark.slow

KOREAN = texts_in("ko")


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "workspace"))


def test_the_collection_is_counted_and_a_class_is_shown(made: Path) -> None:
    page = open_page(made, "data")
    assert f"<dd>{3 * A_CLASS + 1}</dd>" in raw(page)
    assert f"<dd>{A_CLASS}–{A_CLASS + 1}</dd>" in raw(page)
    assert raw(page).count("<img ") == A_CLASS
    checked(page.selectbox(key="data.class").select("bars").run())
    assert raw(page).count("<img ") == A_CLASS + 1


def test_awkward_names_are_shown_as_they_are(made: Path) -> None:
    page = open_page(made, "data")
    classes = page.selectbox(key="data.class")
    assert [option.rpartition(" (")[0] for option in classes.options] == sorted([SCRIPT, STARS, "bars"])
    checked(classes.select(SCRIPT).run())
    page.button_group(key="data.section").set_value("duplicates").run()
    checked(page)
    assert "<script" not in raw(page)
    assert [part for part in page.markdown if STARS in part.value or SCRIPT in part.value] == []


def test_a_class_called_like_a_script_is_text(workspace: Path) -> None:
    issue = Issue(
        f"{SCRIPT}/00.png", "label_conflict", 1.0, f"{STARS}/00.png", f"{SCRIPT} here, {STARS} there"
    )
    write_issues([issue], workspace / "audit" / "issues.csv")
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("conflicts").run()
    checked(page)
    assert f"{SCRIPT} here, {STARS} there" in words(page)
    assert "<script" not in raw(page)


def test_a_tick_changes_the_file_and_unticking_restores_it(workspace: Path) -> None:
    file = workspace / "curation.csv"
    write_curation(Curation((Change(f"{STARS}/03.png", "drop", "", "by hand"),)), file)
    before = file.read_bytes()
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    tick = page.checkbox(key=f"data.tick:{file}:{COPY}")
    assert not tick.value
    checked(tick.check().run())
    made = [change for change in read_curation(file).changes if change.image_id == COPY]
    assert [(change.action, change.label) for change in made] == [("drop", "")]
    assert ORIGINAL in made[0].reason
    assert page.checkbox(key=f"data.tick:{file}:{COPY}").value
    checked(page.checkbox(key=f"data.tick:{file}:{COPY}").uncheck().run())
    assert file.read_bytes() == before


def test_a_first_tick_begins_the_file_and_the_page_stays_with_it(workspace: Path) -> None:
    file = workspace / "curation.csv"
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    assert not file.exists()
    checked(page.checkbox(key=f"data.tick:{file}:{COPY}").check().run())
    assert [change.image_id for change in read_curation(file).changes] == [COPY]
    assert str(file) in words(page)


def test_what_others_set_aside_can_be_unticked_and_says_why_it_was(workspace: Path) -> None:
    file = workspace / "curation.csv"
    write_curation(Curation((Change(COPY, "drop", "", "exact_duplicate: by curate"),)), file)
    before = file.read_bytes()
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    tick = page.checkbox(key=f"data.tick:{file}:{COPY}")
    assert tick.value
    assert "by curate" in words(page)
    checked(tick.uncheck().run())
    assert [change.action for change in read_curation(file).changes] == ["keep"]
    checked(page.checkbox(key=f"data.tick:{file}:{COPY}").check().run())
    assert file.read_bytes() == before


def test_a_change_behind_the_pages_back_is_said_and_not_undone(workspace: Path) -> None:
    file = workspace / "curation.csv"
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    write_curation(Curation((Change(COPY, "keep", "", "by hand"),)), file)
    meanwhile = file.read_bytes()
    checked(page.checkbox(key=f"data.tick:{file}:{COPY}").check().run())
    assert file.read_bytes() == meanwhile
    assert 'role="alert"' in raw(page)
    assert not page.checkbox(key=f"data.tick:{file}:{COPY}").value


def test_a_box_is_set_only_where_the_file_says_something_else(workspace: Path) -> None:
    """A box that is set loses what is pressed on it while the page is drawn."""
    file = workspace / "curation.csv"
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    key = f"data.tick:{file}:{COPY}"

    def set_boxes() -> list[str | None]:
        boxes = [box for box in page.checkbox if (box.key or "").startswith("data.tick:")]
        assert len(boxes) > 1
        return [box.key for box in boxes if box.proto.set_value]

    assert set_boxes() == []
    checked(page.checkbox(key=key).check().run())
    assert set_boxes() == []
    file.unlink()
    checked(page.run())
    assert (set_boxes(), page.checkbox(key=key).value) == ([key], False)


def test_a_suspect_label_has_an_example_beside_it_and_one_tick(workspace: Path) -> None:
    suspect = Issue("bars/01.png", "suspect_label", 0.9, f"{STARS}/00.png", "looks like a frame")
    file = workspace / "audit" / "issues.csv"
    write_issues([*read_issues(file), suspect], file)
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("suspects").run()
    checked(page)
    assert len([box for box in page.checkbox if (box.key or "").startswith("data.tick:")]) == 1
    assert raw(page).count("<img ") == 2


def test_an_audit_of_other_drawings_is_not_taken(workspace: Path) -> None:
    (workspace / "drawings" / "bars" / "new.png").write_bytes(
        (workspace / "drawings" / "bars" / "05.png").read_bytes()
    )
    page = open_page(workspace, "data")
    assert page.button_group(key="data.section").options == ["Classes"]
    assert texts_in("en")("data.make_audit") in [button.label for button in page.button]


def test_the_audit_can_be_made_from_the_page(workspace: Path) -> None:
    shutil.rmtree(workspace / "audit")
    page = open_page(workspace, "data")
    page.button[0].click().run(timeout=120)
    checked(page)
    assert (workspace / "audit" / "index.html").is_file()
    issues = read_issues(workspace / "audit" / "issues.csv")
    assert COPY in {issue.image_id for issue in issues} | {issue.other_id for issue in issues}


def test_an_unreadable_drawing_is_no_picture_and_one_outside_no_page(workspace: Path, tmp_path: Path) -> None:
    (workspace / "drawings" / "bars" / "00.png").write_bytes(b"no picture")
    outside = Path(shutil.copy(workspace / "drawings" / "bars" / "01.png", tmp_path / "outside.png"))
    page = open_page(workspace, "data")
    checked(page.selectbox(key="data.class").select("bars").run())
    assert raw(page).count('class="none"') == 1
    assert raw(page).count("<img ") == A_CLASS
    (workspace / "drawings" / "bars" / "02.png").unlink()
    (workspace / "drawings" / "bars" / "02.png").symlink_to(outside)
    checked(page.run())
    assert "02.png" in alert(page)


def test_a_curation_of_other_drawings_is_not_offered(workspace: Path) -> None:
    write_curation(Curation((Change("elsewhere/1.png", "drop", "", "x"),)), workspace / "other.csv")
    page = open_page(workspace, "data")
    assert "other.csv" not in words(page)
    assert str(workspace / "curation.csv") in words(page)


def test_a_damaged_curation_or_audit_is_said_and_never_written_to(workspace: Path) -> None:
    file = workspace / "curation.csv"
    file.write_text("image_id,action,label,reason\nbars/00.png,destroy,,\n")
    (workspace / "audit" / "issues.csv").write_text("image_id\n")
    before = file.read_bytes()
    page = open_page(workspace, "data")
    assert "destroy" in words(page)
    assert "issues.csv has no column" in words(page)
    assert str(workspace / "curation-2.csv") in words(page)
    assert file.read_bytes() == before


def test_korean_is_shown(made: Path) -> None:
    page = open_page(made, "data", "ko")
    assert KOREAN("data.drawings") in raw(page)
    assert page.selectbox(key="data.class").label == KOREAN("data.class")


def test_an_empty_workspace_says_what_is_needed(tmp_path: Path) -> None:
    page = open_page(tmp_path, "data")
    assert "No collection was found" in words(page)


def test_audits_and_curations_are_of_the_collection_that_they_were_made_for(workspace: Path) -> None:
    """Two collections of the same names: only digests tell which is meant."""
    other = make_drawings(workspace / "other", paper=240)
    audit(other, out=workspace / "audit of other")
    for data, found, out in (("drawings", "audit", "first.csv"), ("other", "audit of other", "second.csv")):
        curate(workspace / data, issues=workspace / found / "issues.csv", out=workspace / out)
    write_curation(Curation((Change(COPY, "drop", "", "by hand"),)), workspace / "by hand.csv")
    seen = scan_workspace(workspace)
    for name, found, own in (("drawings", "audit", "first.csv"), ("other", "audit of other", "second.csv")):
        held = matching(seen, name)
        assert list(held.audits) == [found]
        assert held.curations == (own, f"curation of {name}.csv")
        (problem,) = held.problems
        assert problem.startswith("by hand.csv may be about")


def test_what_a_curation_was_made_for_stays_in_it(workspace: Path) -> None:
    file = workspace / "curation.csv"
    curate(workspace / "drawings", issues=workspace / "audit" / "issues.csv", out=file)
    before = file.read_bytes()
    page = open_page(workspace, "data")
    page.button_group(key="data.section").set_value("duplicates").run()
    box = page.checkbox(key=f"data.tick:{file}:{COPY}")
    checked(box.uncheck().run())
    assert read_curation(file).drawings == read_drawings(scan_workspace(workspace), "drawings").digest
    checked(page.checkbox(key=f"data.tick:{file}:{COPY}").check().run())
    assert file.read_bytes() == before

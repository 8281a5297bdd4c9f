"""Where a path leads is said before any work, and the trial leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.places import Kind, check_readable, check_writable

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices of POSIX")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with one of each kind of thing in it."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("circle").symlink_to("circle")
    Path("dangling").symlink_to("gone")
    os.mkfifo("pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        (".", "folder", "names no new folder"),
        ("..", "file", "names no new file"),
        ("/", "folder", "names no new folder"),
        ("folder/..", "folder", "names no new folder"),
        (" ", "folder", "is blank"),
        ("a\nb", "file", r"a\\nb"),
        ("a\0b", "file", r"a\\x00b"),
        ("\udcff", "folder", r"\\udcff"),
        ("~/result", "folder", "The shell did not"),
        ("a" * 230, "folder", "230 bytes"),
        ("그" * 80 + "/b", "file", "240 bytes"),
        ("a/" * 2500 + "b", "file", "too long"),
        ("file", "folder", "is a file, and a folder is needed"),
        ("folder", "file", "is a folder, and a file is needed"),
        ("file/below", "file", "a part of the path is a file"),
        ("circle", "file", "in a circle"),
        ("circle/below", "folder", "in a circle"),
        ("dangling", "file", "a link to gone"),
        ("dangling/below", "folder", "a link to gone"),
        ("pipe", "file", "is a pipe"),
        ("/dev/null", "file", "is a device"),
        ("/proc/new", "folder", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(path: str, kind: Kind, why: str, here: Path) -> None:
    before = sorted(os.listdir(here))
    with pytest.raises(DessinError, match=why) as refused:
        check_writable(Path(path), kind)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600
    assert sorted(os.listdir(here)) == before


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("new", "folder"),
        ("new/deep/down.csv", "file"),
        ("folder", "folder"),
        ("file", "file"),
        ("folder", "file or folder"),
        ("file", "file or folder"),
        ('그림 🎨/a\'b "c" $x *.csv', "file"),
        ("שלום", "folder"),
        ("a ", "folder"),
        ("%s{}", "folder"),
    ],
)
def test_a_place_that_can_be_written_is_left_as_it_was(path: str, kind: Kind, here: Path) -> None:
    before = sorted(os.listdir(here))
    check_writable(Path(path), kind)
    assert sorted(os.listdir(here)) == before
    assert list((here / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere", "There is no file or folder"),
        ("a\0b", "There is no file or folder"),
        ("file/below", "a part of the path is a file"),
        ("circle", "in a circle"),
        ("dangling", "a link to gone"),
        ("pipe", "is a pipe"),
        ("/dev/zero", "is a device"),
        ("a" * 300, "too long"),
    ],
)
def test_a_path_that_leads_to_nothing_readable_is_refused(path: str, why: str, here: Path) -> None:
    with pytest.raises(DessinError, match=why):
        check_readable(Path(path))


def test_a_name_that_is_not_text_is_refused(here: Path) -> None:
    path = here / os.fsdecode(b"\xff.png")
    path.touch()
    with pytest.raises(DessinError, match=r"\\udcff.png is not UTF-8"):
        check_readable(path)


def test_files_and_folders_are_read(here: Path) -> None:
    check_readable(here / "file")
    check_readable(here / "folder")

"""Where an audit would set too much aside, `auto` stops once and asks; the same command then goes on."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from scribbles import encode, scribble, write_drawings
from tiny_auto import TINY, small_portfolio

from dessin.auto import verb as module
from dessin.auto.state import ASKED_ABOUT, AutoState
from dessin.auto.verb import auto
from dessin.cli import app
from dessin.collection.curation import Curation
from dessin.errors import DessinError

pytestmark = pytest.mark.slow


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Twelve drawings, five of which are in both classes, mirrored; and one file that is no picture."""
    drawn = {n: scribble(n) for n in range(12)}
    files = {f"cat/{n:02d}.png": encode(drawn[n]) for n in drawn}
    files |= {f"dog/{n:02d}.png": encode(np.fliplr(drawn[n] if n < 5 else scribble(50 + n))) for n in drawn}
    return write_drawings(tmp_path / "my drawings", files | {"cat/broken.png": b"no picture"})


class Reached(Exception):  # noqa: N818 (no error: how far it came)
    """The curation that the split would be made by."""


def reached(drawings: Path, out: Path) -> set[str]:
    """The images that are set aside when `auto` comes to the split."""

    def split(_audited: object, curation: Curation, *_given: object) -> None:
        raise Reached(curation)

    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for each in small_portfolio():
            stack.enter_context(each)
        patch.setattr(module, "split_once", split)
        with pytest.raises(Reached) as found:
            auto(drawings, out=out, models=TINY, budget="10h")
    return {change.image_id for change in found.value.args[0].changes if change.action == "drop"}


def test_it_stops_once_and_the_same_command_goes_on_with_all_or_without_what_a_person_set_aside(
    drawings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    out = tmp_path / "out"
    with pytest.raises(DessinError) as asked:
        reached(drawings, out)
    assert "Label conflicts: 10 of 25 images (40%), more than a fifth" in asked.value.seen
    assert "5 pairs of them: cat/00.png and dog/00.png" in asked.value.seen
    assert f"{out / 'audit' / 'index.html'}#too_many" in asked.value.allowed
    assert not (out / "curation.csv").exists()
    assert {each.value for each in AutoState.read(out).decisions if each.name == ASKED_ABOUT} == {
        "label_conflict"
    }
    # The file that is no picture is set aside all the same.
    assert reached(drawings, out) == {"cat/broken.png"}
    assert "nobody set them aside, so all are used" in capsys.readouterr().err
    (out / "curation.csv").unlink()
    command = asked.value.do[asked.value.do.index("dessin curate ") :].partition(" . ")[0]
    app(shlex.split(command)[1:], standalone_mode=False)
    both = {f"{label}/0{n}.png" for label in ("cat", "dog") for n in range(5)}
    assert reached(drawings, out) == both | {"cat/broken.png"}

"""A tracker of another package: a run is sent to it and its record names it, and neither needs it later."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from plugin_kit import install
from tiny_run import make_drawings, make_tiny_split, tiny_recipe

from dessin import plugins
from dessin.errors import DessinError
from dessin.recipe import make_recipe
from dessin.runs import stages
from dessin.runs.machine import package_versions
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.testing import check_tracker
from dessin.trackers import TRACKERS

pytestmark = pytest.mark.slow

SPEC = """
from dessin.trackers import Setting, TrackerSpec

LINES = TrackerSpec("lines", "lines_adapter:Lines", (Setting("fault", "", ("", "point", "end", "nameless")),))
"""
ADAPTER = """
import json

from dessin.runs.tracking.messages import Begun


class Lines:
    def __init__(self, folder, settings):
        self._file, self._fault = folder / "lines.jsonl", settings["fault"]

    def begin(self, message, identity, points):
        self._write(message)
        name = "" if self._fault == "nameless" else message.name
        return Begun(name, "tracking/lines.jsonl", bool(identity))

    def point(self, message):
        print("this goes to the log")
        if self._fault == "point":
            raise RuntimeError("the pen is dry")
        self._write(message)

    end = _write = lambda self, message: self._file.open("a").write(message.model_dump_json() + "\\n")

    def interrupted(self):
        if self._fault == "end":
            raise RuntimeError("the cap is lost")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of this process and of those that it starts, with the package in it."""
    site = tmp_path / "site"
    files = {"lines_spec.py": SPEC, "lines_adapter.py": ADAPTER}
    install(site, "dessin-lines", {"tracker.lines": "lines_spec:LINES"}, files)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    plugins._found.cache_clear()
    yield site
    uninstall()


def uninstall() -> None:
    """Forget what was found; where it is still on the path, it is found again."""
    plugins._found.cache_clear()
    TRACKERS._loaded.clear()
    sys.modules.pop("lines_spec", None)


def written(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "tracking" / "lines.jsonl").read_text().splitlines()]


def test_a_run_is_sent_to_it_and_goes_on_without_it(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    data = make_drawings(tmp_path / "data")
    split = make_tiny_split(data, tmp_path / "split.csv")
    run = train(tiny_recipe(), data=data, split=split, out=tmp_path / "run", track=["lines"])
    record = read_record(run)
    assert [line["kind"] for line in written(run)] == ["begin", "point", "point", "point", "end"]
    assert record.versions["dessin-lines"] == "1.0"
    assert record.decided("tracking", str) == "lines"
    assert "lines_adapter" not in sys.modules
    assert "this goes to the log" in (run / "tracking" / "lines.log").read_text()

    def fails(*_: object) -> None:
        raise DessinError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(stages, "save_bundle", fails)
        with pytest.raises(DessinError, match="disk is full"):
            train(tiny_recipe(), data=data, split=split, out=tmp_path / "again", track=["lines"])
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(site)])
    uninstall()
    assert package_versions() == {k: v for k, v in record.versions.items() if k != "dessin-lines"}
    assert read_record(run).recipe.track == ("lines",)
    with pytest.raises(DessinError, match='Unknown tracker: "lines"'):
        make_recipe({"track": ["lines"]})
    resumed = read_record(train(resume=tmp_path / "again"))
    assert (resumed.status, resumed.decided("tracking", str)) == ("finished", "lines failed")
    assert resumed.digests.model == record.digests.model


def test_a_tracker_that_holds_is_told_each_epoch_once(site: Path, tmp_path: Path) -> None:
    told = check_tracker("lines", tmp_path / "run")
    kept = written(tmp_path / "run")
    assert [line for line in kept if line["kind"] != "begin"] == [m.model_dump() for m in told[1:]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("point", "RuntimeError: the pen is dry; what it printed is in"),
        ("end", "it could not be ended"),
        ("nameless", "it has no name for the run"),
    ],
)
def test_a_faulty_tracker_is_found(site: Path, tmp_path: Path, fault: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_tracker(f"lines({fault})", tmp_path / "run")

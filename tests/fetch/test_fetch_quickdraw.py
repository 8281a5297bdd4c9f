"""Quick, Draw!: from bad lines and a bad network to class folders that can be read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from fetch_kit import (
    FakeClock,
    Request,
    Server,
    drawing,
    drawings,
    dropping,
    failing,
    new_client,
    quickdraw_at,
    run_fetch,
    running_server,
    serve,
    tree,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.fetch.quickdraw import LONGEST_LINE, draw, read_pool
from dessin.fetch.sources import quickdraw_classes
from dessin.fetch.verb import fetch
from dessin.images.decode import decode

pytestmark = pytest.mark.slow

CLASSES = ("axe", "The Eiffel Tower", "t-shirt")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.files = {f"/{name}.ndjson": drawings(name, 40) for name in CLASSES}
    running.plans, running.asked, running.etag = {}, [], '"one"'
    return running


def stamps(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_class_folders_that_read_collection_reads(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out"
    record = run_fetch(quickdraw_at(server), out, CLASSES)
    collection = read_collection(out)
    assert collection.classes == tuple(sorted(CLASSES))
    assert len(collection.items) == 15
    assert {path.name for path in out.iterdir()} == {*CLASSES, "LICENCE.txt", "fetch.json"}
    assert json.loads((out / "fetch.json").read_text()) == record.model_dump()
    entry = record.classes["axe"]
    assert (entry.images, entry.pool, entry.origin.etag) == (5, 40, '"one"')
    for item in collection.items:
        decoded = decode(collection.path(item.image_id).read_bytes())
        assert decoded.pixels.shape == (256, 256, 3)
        assert decoded.pixels[0].min() == 255
        assert decoded.pixels.min() < 64


def test_the_record_has_the_digest_of_what_was_read(server: Server, tmp_path: Path) -> None:
    from dessin.files import sha256_bytes

    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",))
    data = server.files["/axe.ndjson"]
    origin = record.classes["axe"].origin
    assert (origin.sha256, origin.size, origin.length) == (sha256_bytes(data), len(data), len(data))


def test_a_second_run_touches_nothing_and_asks_nothing(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run_fetch(quickdraw_at(server), out, CLASSES)
    before = stamps(out)
    server.asked.clear()
    assert run_fetch(quickdraw_at(server), out, CLASSES) == first
    assert stamps(out) == before
    assert server.asked == []


def test_seeds_give_other_samples_and_equal_seeds_the_same(server: Server, tmp_path: Path) -> None:
    trees = [
        tree(tmp_path / str(i))
        for i, seed in enumerate((0, 0, 1))
        if run_fetch(quickdraw_at(server), tmp_path / str(i), ("axe",), seed=seed)
    ]
    assert trees[0] == trees[1]
    assert trees[0].keys() != trees[2].keys()


def test_more_drawings_hold_those_of_fewer_and_order_does_not_matter(server: Server, tmp_path: Path) -> None:
    run_fetch(quickdraw_at(server), tmp_path / "few", ("axe",), per_class=5)
    lines = server.files["/axe.ndjson"].splitlines(keepends=True)
    server.files["/axe.ndjson"] = b"".join(reversed(lines))
    run_fetch(quickdraw_at(server), tmp_path / "more", ("axe",), per_class=20)
    assert tree(tmp_path / "few").items() < tree(tmp_path / "more").items()


def test_drops_on_the_way_change_nothing(server: Server, tmp_path: Path) -> None:
    run_fetch(quickdraw_at(server), tmp_path / "whole", CLASSES)
    server.plans["/t-shirt.ndjson"] = [dropping(999), failing(503), dropping(1500)]
    run_fetch(quickdraw_at(server), tmp_path / "broken", CLASSES)
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def test_only_the_beginning_of_a_large_file_is_read(server: Server, tmp_path: Path) -> None:
    server.files["/axe.ndjson"] = drawings("axe", 3000) + b"x" * 3 * 2**20
    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",))
    assert record.classes["axe"].origin.size == 2**19
    assert [headers["Range"] for _, headers in server.asked] == [f"bytes=0-{2**19 - 1}"]


def test_a_beginning_with_too_few_drawings_is_extended(server: Server, tmp_path: Path) -> None:
    poor = b"".join(drawing("axe", 10**6 + n, recognised=False) for n in range(4000))
    server.files["/axe.ndjson"] = poor + drawings("axe", 9) + b"\n" * 2**21
    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",))
    entry = record.classes["axe"]
    assert (entry.images, entry.left_out) == (5, {"not recognised": 4000})
    assert len(server.asked) > 1


GARBAGE = [
    b"not json",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b'{"word":"axe"}',
    b"[" * 5000,
    b"9" * 6000,
    drawing("axe", 1).replace(b'"drawing": [', b'"drawing": [[[1,2],[1]],').strip(),
    drawing("axe", 1).replace(b'"drawing": [', b'"drawing": [[[NaN],[1]],').strip(),
    drawing("axe", 1).replace(b'"drawing": [', b'"drawing": [[[1e99],[1]],').strip(),
    drawing("axe", 1).replace(b"100000", b"../../../").strip(),
    json.dumps({"word": "axe", "key_id": "7", "recognized": True, "drawing": []}).encode(),
    json.dumps({"word": "axe", "key_id": "7", "recognized": True, "drawing": [[[], []]]}).encode(),
    json.dumps({"word": "axe", "key_id": 7, "recognized": True, "drawing": [[[1], [1]]]}).encode(),
]


@pytest.mark.parametrize("line", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_lines_are_left_out_and_counted(server: Server, tmp_path: Path, line: bytes) -> None:
    plain = run_fetch(quickdraw_at(server), tmp_path / "plain", ("axe",))
    server.files["/axe.ndjson"] = line + b"\n" + server.files["/axe.ndjson"]
    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",))
    assert record.classes["axe"].left_out == {"not a drawing": 1}
    assert record.classes["axe"].digest == plain.classes["axe"].digest


def test_other_classes_and_repeated_drawings_are_left_out(server: Server, tmp_path: Path) -> None:
    server.files["/axe.ndjson"] += drawing("saw", 99) + drawing("axe", 0)
    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",))
    assert record.classes["axe"].left_out == {"of another class": 1, "twice": 1}
    assert record.classes["axe"].pool == 40


def test_an_endless_line_ends_at_the_cap_with_little_read(server: Server, tmp_path: Path) -> None:
    server.files["/axe.ndjson"] = b"[" * (100 * 2**20)
    client = new_client(interval_s=0.0)
    with pytest.raises(DessinError, match="no usable drawing of axe"):
        run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",), client=client)
    assert not (tmp_path / "out" / "axe").exists()
    last = server.asked[-1][1]["Range"]
    assert last.endswith(f"-{2**25 - 1}")


def test_after_a_long_line_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"[" * (LONGEST_LINE * 3) + b"\n" + drawings("axe", 3))
    pool = read_pool(path, "axe", whole=True)
    assert (len(pool.lines), dict(pool.left_out)) == (3, {"not a drawing": 1})


def test_a_cut_last_line_counts_only_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(drawings("axe", 3).rstrip(b"\n"))
    assert len(read_pool(path, "axe", whole=True).lines) == 3
    assert len(read_pool(path, "axe", whole=False).lines) == 2


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=400))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("nd") / "a"
    path.write_bytes(data + b"\n" + drawing("axe", 1))
    assert len(read_pool(path, "axe", whole=True).lines) == 1


def test_strokes_land_where_they_were_drawn() -> None:
    line = json.dumps(
        {
            "word": "axe",
            "key_id": "1",
            "recognized": True,
            "drawing": [[[0, 255], [0, 255]], [[0, 0], [0, 255]]],
        }
    ).encode()
    pixels = cv2.imdecode(np.frombuffer(draw(line), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels.shape == (256, 256)
    xs = np.nonzero(pixels < 128)[1]
    assert 10 < xs.min() == pytest.approx(255 - xs.max(), abs=3)
    assert pixels[128, 128] < 64
    assert pixels[128, 14] < 64
    assert pixels[60, 180] == 255
    assert len(np.unique(pixels)) > 4  # anti-aliased


def test_a_dot_is_seen_and_a_small_drawing_stays_small() -> None:
    one = {"word": "axe", "key_id": "1", "recognized": True, "drawing": [[[3], [200]]]}
    pixels = cv2.imdecode(np.frombuffer(draw(json.dumps(one).encode()), np.uint8), cv2.IMREAD_GRAYSCALE)
    ys, xs = np.nonzero(pixels < 128)
    assert 1 <= len(xs) < 30
    assert abs(xs.mean() - 127.5) < 2 > abs(ys.mean() - 127.5)


def test_the_345_names_are_there_and_mistyped_ones_get_the_nearest(tmp_path: Path) -> None:
    assert len(set(quickdraw_classes())) == 345
    with pytest.raises(DessinError, match=r'no class "airplan" among its 345.*airplane'):
        fetch("quickdraw", out=tmp_path / "out", classes=("airplan",))
    assert not (tmp_path / "out").exists()


def test_names_may_be_typed_in_any_case(server: Server, tmp_path: Path) -> None:
    run_fetch(quickdraw_at(server), tmp_path / "out", ("the eiffel tower", "AXE", "axe"))
    assert read_collection(tmp_path / "out").classes == ("The Eiffel Tower", "axe")


def test_a_known_class_without_a_file_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"no file for zebra.*404.*--classes"):
        run_fetch(quickdraw_at(server), tmp_path / "out", ("axe", "zebra"))
    assert (tmp_path / "out" / "axe").is_dir()
    assert list((tmp_path / "out" / ".part").iterdir()) == []


def test_fewer_than_asked_are_taken_and_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr(import_module("dessin.fetch.record"), "warn", said.append)
    record = run_fetch(quickdraw_at(server), tmp_path / "out", ("axe",), per_class=100)
    assert record.classes["axe"].images == 40
    assert said == ["axe: 40 drawings instead of 100, for there are no more."]


@pytest.mark.parametrize("change", [{"seed": 1}, {"per_class": 6}])
def test_another_fetch_does_not_go_into_the_same_folder(
    server: Server, tmp_path: Path, change: dict[str, int]
) -> None:
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    with pytest.raises(DessinError, match="was begun with"):
        run_fetch(quickdraw_at(server), tmp_path, ("axe",), **change)


def test_a_folder_with_other_things_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_killed_before_the_record_is_written_no_class_is_left_behind(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(import_module("dessin.fetch.record").Ledger, "finish", kill)
        with pytest.raises(Killed):
            run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    assert not (tmp_path / "axe").exists()
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    assert len(tree(tmp_path)) == 5


def test_killed_at_its_very_beginning_it_can_be_started_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".fetch.json.1-aa.tmp").write_text("{")
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    (tmp_path / "LICENCE.txt").unlink()
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    assert {path.name for path in tmp_path.iterdir()} == {"axe", "LICENCE.txt", "fetch.json"}


def test_a_folder_that_no_fetch_made_is_not_overwritten(server: Server, tmp_path: Path) -> None:
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    (tmp_path / "t-shirt").mkdir()
    (tmp_path / "t-shirt" / "mine.png").write_bytes(b"mine")
    with pytest.raises(DessinError, match="no fetch made it"):
        run_fetch(quickdraw_at(server), tmp_path, ("t-shirt",))
    assert (tmp_path / "t-shirt" / "mine.png").read_bytes() == b"mine"


def test_classes_can_be_added_and_a_changed_image_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr(import_module("dessin.fetch.record"), "warn", said.append)
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    next((tmp_path / "axe").iterdir()).write_bytes(b"touched")
    record = run_fetch(quickdraw_at(server), tmp_path, CLASSES)
    assert set(record.classes) == set(CLASSES)
    assert len(said) == 1
    assert "no longer those that were fetched" in said[0]


def test_a_source_that_changed_since_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr(import_module("dessin.fetch.record"), "warn", said.append)
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    for path in (tmp_path / "axe").iterdir():
        path.unlink()
    (tmp_path / "axe").rmdir()
    server.files["/axe.ndjson"] = drawings("axe", 50)[5000:]
    run_fetch(quickdraw_at(server), tmp_path, ("axe",))
    assert len(said) == 1
    assert "has changed since 2026-01-01" in said[0]


def test_politeness_holds_over_the_whole_fetch(server: Server, tmp_path: Path) -> None:
    clock = FakeClock()
    run_fetch(quickdraw_at(server), tmp_path, CLASSES, client=new_client(clock, interval_s=2.0))
    assert clock.slept == [2.0, 2.0]


CHILD = """
import sys
from pathlib import Path
from fetch_kit import new_client, run_fetch
from dessin.fetch.sources import Source
address, out, *classes = sys.argv[1:]
source = Source("quickdraw", "Quick, Draw!", address + "/{name}.ndjson", "CC BY 4.0", 2**30)
run_fetch(source, Path(out), tuple(classes), client=new_client())
"""


def test_killed_in_the_middle_and_started_again_the_bytes_are_the_same(
    server: Server, tmp_path: Path
) -> None:
    run_fetch(quickdraw_at(server), tmp_path / "whole", CLASSES)
    started, children = threading.Event(), list[int]()

    def kill(request: Request, data: bytes) -> None:
        serve(request, data, len(data) // 2)
        started.wait(60)
        os.kill(children[0], signal.SIGKILL)

    # The clients fetch in the order of names: the first class is done, the second is under way.
    server.plans["/axe.ndjson"] = [kill]
    out, here = tmp_path / "killed", Path(__file__).parents[1] / "kits"
    command = [sys.executable, "-c", CHILD, server.address, str(out), *CLASSES]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *sys.path])}
    ) as child:
        children.append(child.pid)
        started.set()
        assert child.wait(60) == -signal.SIGKILL
    assert sorted(path.name for path in out.iterdir()) == [
        ".lock",
        ".part",
        "LICENCE.txt",
        "The Eiffel Tower",
        "fetch.json",
    ]
    (out / ".axe.1-aa.tmp").mkdir()  # as if it had been killed while it wrote
    before = len(server.asked)
    run_fetch(quickdraw_at(server), out, CLASSES)
    assert tree(out) == tree(tmp_path / "whole")
    assert [path for path, _ in server.asked[before:]] == ["/axe.ndjson", "/t-shirt.ndjson"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*CLASSES, "LICENCE.txt", "fetch.json"])

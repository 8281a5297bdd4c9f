"""ImageNet-Sketch: one archive over a bad network, and nothing unpacked that was not looked for."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fetch_kit import (
    Server,
    dropping,
    failing,
    ignoring_range,
    new_client,
    picture,
    run_fetch,
    running_server,
    sketch_at,
    sketch_zip,
    tree,
)

from dessin.collection.names import class_names, imagenet_wnids
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.fetch.record import Ledger
from dessin.fetch.sketch import LARGEST_IMAGE
from dessin.fetch.sources import SOURCES, known_source
from dessin.files import sha256_bytes

TENCH, GOLDFISH, SHARK = "n01440764", "n01443537", "n01484850"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.files = {"/sketch.zip": sketch_zip((TENCH, GOLDFISH, SHARK), 8)}
    running.plans, running.asked, running.etag = {}, [], '"one"'
    return running


def with_members(server: Server, *members: tuple[str, bytes]) -> None:
    buffer = io.BytesIO(server.files["/sketch.zip"])
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    server.files["/sketch.zip"] = buffer.getvalue()


def test_wanted_classes_by_id_or_name(server: Server, tmp_path: Path) -> None:
    record = run_fetch(sketch_at(server), tmp_path, (TENCH, "Goldfish"))
    collection = read_collection(tmp_path)
    assert collection.classes == (TENCH, GOLDFISH)
    assert collection.names[GOLDFISH] == "goldfish"
    assert len(collection.items) == 10
    assert {path.name for path in tmp_path.iterdir()} == {TENCH, GOLDFISH, "LICENCE.txt", "fetch.json"}
    origin = record.classes[TENCH].origin
    assert origin.sha256 == sha256_bytes(server.files["/sketch.zip"])
    with zipfile.ZipFile(io.BytesIO(server.files["/sketch.zip"])) as archive:
        for path, data in tree(tmp_path).items():
            assert archive.read(f"sketch/{path}") == data


def test_drops_wrong_lengths_and_ignored_ranges_change_nothing(server: Server, tmp_path: Path) -> None:
    run_fetch(sketch_at(server), tmp_path / "whole", (TENCH,))
    size = len(server.files["/sketch.zip"])
    server.plans["/sketch.zip"] = [dropping(size // 3), failing(503), ignoring_range(size // 2), dropping(9)]
    run_fetch(sketch_at(server), tmp_path / "broken", (TENCH,))
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def test_it_goes_on_after_giving_up(server: Server, tmp_path: Path) -> None:
    server.plans["/sketch.zip"] = [dropping(500)] * 2
    with pytest.raises(DessinError, match="goes on where it stopped"):
        run_fetch(sketch_at(server), tmp_path, (TENCH,), client=new_client(tries=2))
    assert (tmp_path / ".part" / "archive.zip").stat().st_size == 1000
    run_fetch(sketch_at(server), tmp_path, (TENCH,))
    assert server.asked[-1][1]["Range"] == "bytes=1000-"
    assert len(tree(tmp_path)) == 5


def test_a_second_run_asks_nothing(server: Server, tmp_path: Path) -> None:
    run_fetch(sketch_at(server), tmp_path, (TENCH,))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    server.asked.clear()
    run_fetch(sketch_at(server), tmp_path, (TENCH,))
    assert server.asked == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_killed_while_unpacking_the_archive_is_not_fetched_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    real, calls = Ledger.write_class, list[str]()

    def write_two(self: Ledger, label: str, *args: Any, **kwargs: Any) -> None:
        if len(calls) == 1:
            raise Killed
        calls.append(label)
        real(self, label, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "write_class", write_two)
        with pytest.raises(Killed):
            run_fetch(sketch_at(server), tmp_path, (TENCH, GOLDFISH))
    server.asked.clear()
    run_fetch(sketch_at(server), tmp_path, (TENCH, GOLDFISH))
    assert server.asked == []
    assert read_collection(tmp_path).classes == (TENCH, GOLDFISH)


def test_seeds_give_other_samples(server: Server, tmp_path: Path) -> None:
    for seed in (0, 1):
        run_fetch(sketch_at(server), tmp_path / str(seed), (TENCH, GOLDFISH), seed=seed)
    assert tree(tmp_path / "0").keys() != tree(tmp_path / "1").keys()


HOSTILE = [
    (f"../{TENCH}/a.JPEG", "not an image of a class"),
    (f"sketch/../../{TENCH}/a.JPEG", "not an image of a class"),
    (f"/{TENCH}/a.JPEG", "not an image of a class"),
    (f"sketch\\{TENCH}\\a.JPEG", "not an image of a class"),
    (f"sketch/{TENCH}/../a.JPEG", "not an image of a class"),
    (f"sketch/{TENCH}/._sketch_0.JPEG", "not an image of a class"),
    (f"sketch/{TENCH}/a.py", "not an image of a class"),
    (f"sketch/{TENCH}/a.JPEG\n", "not an image of a class"),
    ("a/b/c/d/" + TENCH + "/a.JPEG", "not an image of a class"),
    (f"other/{TENCH}/sketch_0.JPEG", "of the same name as another"),
]


@pytest.mark.parametrize(("name", "reason"), HOSTILE)
def test_hostile_names_are_left_out_and_counted(
    server: Server, tmp_path: Path, name: str, reason: str
) -> None:
    with_members(server, (name, picture(1)))
    out = tmp_path / "a" / "b" / "out"
    record = run_fetch(sketch_at(server), out, (TENCH,), per_class=99)
    assert record.left_out == {reason: 1}
    assert record.classes[TENCH].images == 8
    assert [path for path in tmp_path.rglob("*") if path.is_file() and out not in path.parents] == []


def test_a_bomb_is_not_unpacked(server: Server, tmp_path: Path) -> None:
    with_members(server, (f"sketch/{TENCH}/bomb.JPEG", bytes(30 * 2**20)))
    assert len(server.files["/sketch.zip"]) < 2**20
    record = run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert record.left_out == {"too large, or packed too tightly for an image": 1}
    assert sum(map(len, tree(tmp_path).values())) < 2**20


def test_what_is_too_large_for_a_drawing_is_left_out(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO(server.files["/sketch.zip"])
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"sketch/{TENCH}/large.JPEG", bytes(LARGEST_IMAGE + 1))
        archive.writestr(f"sketch/{TENCH}/void.JPEG", b"")
    server.files["/sketch.zip"] = buffer.getvalue()
    record = run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert record.left_out == {"too large, or packed too tightly for an image": 1, "empty": 1}


def test_a_bomb_that_lies_about_its_size_is_damage(server: Server, tmp_path: Path) -> None:
    name = f"sketch/{TENCH}/bomb.JPEG"
    with_members(server, (name, bytes(5 * 2**20)))
    data = bytearray(server.files["/sketch.zip"])
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 1000)  # the size that the directory claims
    server.files["/sketch.zip"] = bytes(data)
    with pytest.raises(DessinError, match=r"damaged.*bomb"):
        run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert tree(tmp_path) == {}


def test_links_are_not_followed(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO(server.files["/sketch.zip"])
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo(f"sketch/{TENCH}/link.JPEG")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    server.files["/sketch.zip"] = buffer.getvalue()
    record = run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert record.left_out == {"a link": 1}


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    middle = data.index(b"sketch_3.JPEG") + 60
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "harm", [_cut, _flip, lambda data: b"<html>sign in</html>"], ids=["cut", "flip", "page"]
)
def test_a_damaged_archive_is_said_and_fetched_again_next_time(
    server: Server, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    good = server.files["/sketch.zip"]
    server.files["/sketch.zip"] = harm(good)
    with pytest.raises(DessinError, match="is damaged"):
        run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert tree(tmp_path) == {}
    server.files["/sketch.zip"] = good
    run_fetch(sketch_at(server), tmp_path, (TENCH,), per_class=99)
    assert len(tree(tmp_path)) == 8


def test_a_class_that_the_archive_lacks_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="no images of 1 classes, such as n01491361"):
        run_fetch(sketch_at(server), tmp_path, (TENCH, "tiger shark"))


def test_names_are_checked_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"among its 1,000.*goldfish"):
        run_fetch(sketch_at(server), tmp_path / "out", ("goldfisch",))
    with pytest.raises(DessinError, match="no class"):
        run_fetch(sketch_at(server), tmp_path / "out", ("n99999999",))
    assert server.asked == []
    assert not (tmp_path / "out").exists()


def test_two_classes_of_one_name_have_their_ids(server: Server, tmp_path: Path) -> None:
    names = class_names(imagenet_wnids())
    assert len(set(names.values())) == 1000
    assert names["n02012849"] == "crane (n02012849)"


def test_an_unknown_collection_names_the_known_ones() -> None:
    with pytest.raises(DessinError, match="quickdraw and imagenet-sketch"):
        known_source("mnist")
    assert all(source.address.startswith("https://") for source in SOURCES.values())

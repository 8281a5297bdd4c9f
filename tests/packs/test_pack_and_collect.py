"""Packs: equal bytes for equal runs, no path of a machine, nothing lost, and no more than a pack holds."""

from __future__ import annotations

import json
import lzma
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pytest
from ensemble_kit import LABELS, cast_run, cast_split, guesses, knows
from made_runs import answers, made_run, made_split

from dessin.committees.ensemble.verb import COMMITTEE, ensemble
from dessin.errors import DessinError
from dessin.models.card import WEIGHTS_FILE, change_card
from dessin.packs import archive
from dessin.packs.addresses import shown
from dessin.packs.archive import read_pack, write_pack
from dessin.packs.collect import collect
from dessin.packs.pack import pack
from dessin.packs.parcel import Parcel, without_paths
from dessin.reports.compare.verb import compare
from dessin.reports.verb import report
from dessin.runs.listing.verb import runs
from dessin.runs.origin import Origin, weights_left_out
from dessin.runs.record import FILE, read_record, write_record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines with a run each of one name, of one split."""
    home, split = tmp_path_factory.mktemp("home"), made_split()
    for number, who in enumerate(("anna", "ben")):
        recipe = {"optimizer": {"lr": 1e-3 * (number + 1)}}
        made_run(home / who / "lite0-1", split, answers(split, 0.7, number), recipe=recipe)
    return home


@pytest.fixture(scope="module")
def packs(home: Path) -> dict[str, Path]:
    return {
        who: pack(home / who / "lite0-1", out=home / f"{who}.dsn", who=who, machine=f"{who}s-server")
        for who in ("anna", "ben")
    }


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_origin(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.endswith(Origin.FILE)}


def test_equal_runs_give_equal_bytes_wherever_they_lie(
    home: Path, packs: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(home / "anna" / "lite0-1", tmp_path / "elsewhere" / "lite0-1")
    again = pack(
        tmp_path / "elsewhere" / "lite0-1", out=tmp_path / "again.dsn", who="anna", machine="annas-server"
    )
    assert again.read_bytes() == packs["anna"].read_bytes()


@pytest.mark.parametrize(("said", "packed"), [("cleo", "cleo"), ("", "unknown")])
def test_who_packed_is_as_records_say_it(
    said: str, packed: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESSIN_WHO", said)
    pack(home / "anna" / "lite0-1", out=tmp_path / "a.dsn")
    (taken,) = collect(tmp_path / "a.dsn", into=tmp_path / "team").taken
    assert taken.who == (packed,)


def test_what_comes_out_is_what_went_in(home: Path, packs: dict[str, Path], tmp_path: Path) -> None:
    collected = collect(packs["anna"], into=tmp_path / "team")
    (taken,) = collected.taken
    assert (taken.folder, taken.state) == (tmp_path / "team" / "runs" / "lite0-1", "new")
    there = tree(taken.folder)
    assert without_origin(there) == tree(home / "anna" / "lite0-1")
    assert Origin.read(taken.folder) == Origin(who="anna", machine="annas-server")
    (row,) = runs(tmp_path / "team", where=["who=anna"])
    assert row.values["origin.machine"] == "annas-server"


def test_no_path_of_a_machine_travels(tmp_path: Path) -> None:
    split, run = made_split(), tmp_path / "secret home" / "lite0-1"
    made_run(run, split, answers(split, 0.7, 0))
    record = read_record(run)
    data = {"path": str(tmp_path / "drawings"), "split": str(tmp_path / "split.csv")}
    recipe = record.recipe.model_copy(update={"data": record.recipe.data.model_copy(update=data)})
    reason = f"There is no file {tmp_path}/drawings/x.png, nor C:\\Users\\anna\\x.png."
    write_record(run, record.changed(recipe=recipe, reason=reason))
    with ZipFile(pack(run, out=tmp_path / "a.dsn")) as packed:
        files = packed.read("index.json"), lzma.decompress(packed.read("files.xz"))
    text = b"".join(files).decode("utf-8", "replace")
    assert str(tmp_path) not in text
    assert "Users" not in text
    travelled = json.loads(text[text.index('{\n  "attempts"') :].partition("\n}\n")[0] + "\n}")
    assert travelled["recipe"]["data"]["path"] == "drawings"
    assert travelled["reason"] == "There is no file x.png, nor x.png."


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no /home/anna/a.csv is there", "no a.csv is there"),
        ("(/tmp/x)", "(x)"),
        ("~/drawings", "drawings"),
        ("D:/drawings/split.csv", "split.csv"),
        (r"\\server\share\runs", "runs"),
        ("file:///srv/a.dsn", "a.dsn"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("mean 0.485/0.456/0.406", "mean 0.485/0.456/0.406"),
        ("12 images/s, 3 / 4", "12 images/s, 3 / 4"),
        ("<b>owl</b>", "<b>owl</b>"),
        ("../lite0.yaml and recipes/mixup.yaml", "../lite0.yaml and recipes/mixup.yaml"),
    ],
)
def test_of_a_path_the_last_name_is_left(text: str, clean: str) -> None:
    assert without_paths(text) == clean
    assert without_paths(clean) == clean


def test_the_same_again_changes_nothing_and_another_of_its_name_is_kept(
    packs: dict[str, Path], home: Path, tmp_path: Path
) -> None:
    team = tmp_path / "team"
    states = [each.state for each in collect(packs["anna"], packs["ben"], into=team).taken]
    assert states == ["new", "beside another of its name"]
    before = tree(team)
    again = collect(packs["ben"], packs["anna"], home, into=team)
    assert {each.state for each in again.taken} == {"there already"}
    assert tree(team) == before
    assert sorted(path.name for path in (team / "runs").iterdir()) == ["lite0-1", "lite0-1-ben"]
    # A folder may be renamed: a run is told by its bytes.
    (team / "runs" / "lite0-1").rename(team / "runs" / "anna's best")
    assert collect(packs["anna"], into=team).taken[0].state == "there already"


def test_a_run_that_went_on_takes_the_place_of_what_it_was(
    home: Path, packs: dict[str, Path], tmp_path: Path
) -> None:
    team, run = tmp_path / "team", tmp_path / "lite0-1"
    shutil.copytree(home / "anna" / "lite0-1", run)
    write_record(run, read_record(run).changed(holdout_opened=("2026-12-01T00:00:00+00:00",)))
    later = pack(run, out=tmp_path / "later.dsn", who="anna", machine="annas-server")
    for sources, states in (
        (packs["anna"], ["new"]),
        (later, ["more of it"]),
        (packs["anna"], ["there already"]),
    ):
        assert [each.state for each in collect(sources, into=team).taken] == states
    assert len(read_record(team / "runs" / "lite0-1").holdout_opened) == 1


def test_other_splits_and_versions_are_said(packs: dict[str, Path], tmp_path: Path) -> None:
    other = made_split(seed=1)
    run = made_run(tmp_path / "cleo" / "other", other, answers(other, 0.7, 5))
    write_record(run, read_record(run).changed(versions={"dessin": "0.0.9", "torch": "1.0"}))
    made = pack(run, out=tmp_path / "cleo.dsn", who="cleo")
    notes = collect(packs["anna"], made, into=tmp_path / "team").notes
    assert [
        any(word in note for note in notes) for word in ("2 splits", "dessin 0.0.9", "torch (1.0 and 2.13.0)")
    ]
    assert "cleo" in notes[0]
    assert not collect(packs["anna"], packs["ben"], into=tmp_path / "alike").notes


def test_figures_without_weights_are_those_with_them(tmp_path: Path) -> None:
    split = cast_split()
    members = {"one": knows(split, LABELS[:2]), "two": knows(split, LABELS[2:]), "three": guesses(split, 0)}
    folders = [
        cast_run(tmp_path / "runs" / name, split, said, seed=seed)
        for seed, (name, said) in enumerate(members.items())
    ]
    # A temperature that was fitted since is part of what a model says.
    change_card(folders[0] / "bundle", {"temperature": 2.0})
    made = pack(tmp_path / "runs", out=tmp_path / "a.dsn", who="anna")
    assert made.stat().st_size < 1e6 * len(folders)
    team = tmp_path / "team"
    collect(made, into=team)
    there = sorted(path.parent for path in (team / "runs").rglob(FILE))
    assert all(map(weights_left_out, there))
    ours, theirs = ensemble(folders, out=tmp_path / "ours"), ensemble(there, out=team / "best")
    same = {"rules": True, "pairs": True, "images": True, "split": True}
    assert ours.model_dump(include=same) == theirs.model_dump(include=same)
    assert [row.accuracy for row in ours.members] == [row.accuracy for row in theirs.members]
    assert theirs.without
    assert not (team / "best" / COMMITTEE).exists()
    assert "no committee to use" in (team / "best" / "index.html").read_text(encoding="utf-8")
    report(team, out=team / "index.html")
    report(team / "best", out=team / "wrap-up.html")
    with pytest.raises(DessinError, match="collected without its weights"):
        ensemble(there, out=team / "views", views="hflip")
    # The weights come later.
    whole = pack(tmp_path / "runs", out=tmp_path / "whole.dsn", bundles=True, who="anna")
    assert {each.state for each in collect(whole, into=team).taken} == {"more of it"}
    assert not any(map(weights_left_out, there))
    assert sorted(path.read_bytes() for path in (team / "runs").rglob(WEIGHTS_FILE)) == sorted(
        path.read_bytes() for path in (tmp_path / "runs").rglob(WEIGHTS_FILE)
    )
    ensemble(there, out=team / "whole")
    assert (team / "whole" / COMMITTEE).is_dir()


def test_collected_runs_are_compared(packs: dict[str, Path], tmp_path: Path) -> None:
    team = tmp_path / "team"
    collect(packs["anna"], packs["ben"], into=team)
    compare([team / "runs" / "lite0-1", team / "runs" / "lite0-1-ben"])
    report(team / "runs" / "lite0-1", out=tmp_path / "report.html")


def test_what_is_not_finished_is_refused(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "lite0-1"
    shutil.copytree(home / "anna" / "lite0-1", run)
    write_record(run, read_record(run).changed(status="running"))
    with pytest.raises(DessinError, match="is not finished"):
        pack(run, out=tmp_path / "a.dsn")
    with pytest.raises(DessinError, match="No run to pack"):
        pack(out=tmp_path / "a.dsn")
    with pytest.raises(DessinError, match=r"does not end in \.dsn"):
        pack(run, out=tmp_path / "a.zip")
    assert not (tmp_path / "a.dsn").exists()


def test_answers_that_are_not_those_of_the_record_are_refused(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "lite0-1"
    shutil.copytree(home / "anna" / "lite0-1", run)
    shutil.copytree(home / "ben" / "lite0-1" / "validation", run / "validation", dirs_exist_ok=True)
    with pytest.raises(DessinError, match="the record says"):
        pack(run, out=tmp_path / "a.dsn")


def test_a_link_does_not_travel(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "lite0-1"
    shutil.copytree(home / "anna" / "lite0-1", run)
    secret = tmp_path / "secret"
    secret.write_text("of this machine")
    (run / "curve.csv").symlink_to(secret)
    with pytest.raises(DessinError, match="is a link, and only files travel"):
        pack(run, out=tmp_path / "a.dsn")
    (run / "curve.csv").unlink()
    (run / "validation").rename(tmp_path / "validation")
    (run / "validation").symlink_to(tmp_path / "validation")
    with pytest.raises(DessinError, match="is a link, and only files travel"):
        collect(run, into=tmp_path / "team")


# A pack from a stranger

Change = Callable[[dict[str, bytes], dict[str, ZipInfo]], None]


def as_format_1(source: Path, target: Path) -> Path:
    """A pack as it was written before small files were one stream: each is a member of its own."""
    with ZipFile(source) as packed:
        index = json.loads(packed.read("index.json")) | {"format": 1}
    with ZipFile(target, "w", ZIP_DEFLATED) as made:
        made.writestr(ZipInfo("index.json"), json.dumps(index))
        for parcel in read_pack(source):
            for name, data in sorted(parcel.files.items()):
                made.writestr(ZipInfo(f"{parcel.name}/{name}"), data)
            for name, weights in parcel.weights.items():
                with weights.opened() as opened:
                    made.writestr(ZipInfo(f"{parcel.name}/{name}"), opened.read())
    return target


def changed(source: Path, target: Path, change: Change) -> Path:
    """A copy of a pack whose members, name → bytes, were changed by hand."""
    with ZipFile(source) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
        infos = {name: packed.getinfo(name) for name in files}
    change(files, infos)
    with ZipFile(target, "w", ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(infos.get(name, name), data)
    return target


def renamed(new: str) -> Change:
    """A file of the pack under another name, in the index too."""

    def change(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
        index = json.loads(files["index.json"])
        (item,) = index["items"]
        item["files"][new] = item["files"].pop("curve.csv", item["files"]["split.csv"])
        files["index.json"] = json.dumps(index).encode()
        files[f"lite0-1/{new}"] = files["lite0-1/split.csv"]

    return change


def item_named(new: str) -> Change:
    def change(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
        index = json.loads(files["index.json"])
        index["items"][0]["name"] = new
        files["index.json"] = json.dumps(index).encode()
        for name in [name for name in files if name != "index.json"]:
            files[name.replace("lite0-1", new)] = files.pop(name)

    return change


def as_link(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    infos["lite0-1/split.csv"].external_attr = (stat.S_IFLNK | 0o777) << 16


def one_bit(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    data = bytearray(files["lite0-1/validation/probabilities.npy"])
    data[-1] ^= 1
    files["lite0-1/validation/probabilities.npy"] = bytes(data)


def one_more(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    files["lite0-1/more.csv"] = b"a"


def one_less(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    del files["lite0-1/split.csv"]


def newer(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    files["index.json"] = files["index.json"].replace(b'"format": 1', b'"format": 3')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (renamed("../evil.csv"), "path out of it"),
        (renamed("/evil.csv"), "path out of it"),
        (renamed("..\\evil.csv"), "path out of it"),
        (renamed("evil.sh"), "which no run has"),
        (renamed("SPLIT.csv"), "there twice"),
        (item_named(".ssh"), "is wrong|pattern"),
        (item_named("a/b"), "pattern"),
        (item_named("C:"), "pattern|path out of it"),
        (as_link, "is a link"),
        (one_bit, "sha256 differs"),
        (one_more, "does not fit its files"),
        (one_less, "does not fit its files"),
        (newer, "written by a newer dessin"),
    ],
)
def test_a_pack_that_was_tampered_with_leaves_nothing(
    packs: dict[str, Path], tmp_path: Path, change: Change, said: str
) -> None:
    before = as_format_1(packs["anna"], tmp_path / "before.dsn")
    bad = changed(before, tmp_path / "bad.dsn", change)
    with pytest.raises(DessinError, match=said):
        collect(packs["ben"], bad, into=tmp_path / "team")
    assert {path.name for path in tmp_path.iterdir()} == {"before.dsn", "bad.dsn"}


def streamed(change: Callable[[bytes], bytes], **options: Any) -> Change:
    """The small files changed as the one stream that they are, and packed again."""

    def changed(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
        files["files.xz"] = lzma.compress(change(lzma.decompress(files["files.xz"])), **options)

    return changed


def other_size(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    index = json.loads(files["index.json"])
    index["items"][0]["files"]["split.csv"]["bytes"] = 2**40
    files["index.json"] = json.dumps(index).encode()


def cut_stream(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    files["files.xz"] = files["files.xz"][:-100]


def no_stream(files: dict[str, bytes], infos: dict[str, ZipInfo]) -> None:
    del files["files.xz"]


GREEDY = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**30}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (streamed(lambda data: data[:-1] + b"!"), "sha256 differs"),
        (streamed(lambda data: data + b"!"), "more than its index says"),
        (streamed(lambda data: data[:-1]), "not as large as its index says"),
        (streamed(bytes, filters=GREEDY), "[Mm]emory"),
        (other_size, "holds more than a pack may"),
        (cut_stream, "is damaged"),
        (no_stream, "does not fit its files"),
        (one_more, "does not fit its files"),
    ],
)
def test_a_pack_whose_stream_was_tampered_with_leaves_nothing(
    packs: dict[str, Path], tmp_path: Path, change: Change, said: str
) -> None:
    bad = changed(packs["anna"], tmp_path / "bad.dsn", change)
    with pytest.raises(DessinError, match=said):
        collect(packs["ben"], bad, into=tmp_path / "team")
    assert {path.name for path in tmp_path.iterdir()} == {"bad.dsn"}


def test_a_pack_of_format_1_is_the_same_results(packs: dict[str, Path], tmp_path: Path) -> None:
    before = as_format_1(packs["anna"], tmp_path / "before.dsn")
    old, new = read_pack(before), read_pack(packs["anna"])
    assert [(parcel.name, parcel.identity, parcel.files) for parcel in old] == [
        (parcel.name, parcel.identity, parcel.files) for parcel in new
    ]
    collect(before, packs["anna"], into=tmp_path / "team")
    assert len(runs(tmp_path / "team")) == 1


def test_what_a_group_repeats_of_its_folds_is_packed_once(tmp_path: Path) -> None:
    """Answers hardly shrink, and a group has each twice: out of fold, and as its fold's own."""
    table = np.random.default_rng(0).random((200, 50), dtype=np.float32)
    files = {f"fold-{fold}/validation/probabilities.npy": table[fold::4].tobytes() for fold in range(4)}
    files |= {"validation/probabilities.npy": table.tobytes(), "folds.json": b"{}"}
    write_pack(tmp_path / "a.dsn", [Parcel("probe", "folds", files, {})])
    assert read_pack(tmp_path / "a.dsn")[0].files == files
    assert (tmp_path / "a.dsn").stat().st_size < 1.2 * table.nbytes


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_pack_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.dsn").write_bytes(data)
    with pytest.raises(DessinError, match="is no pack"):
        collect(tmp_path / "a.dsn", into=tmp_path / "team")


def test_a_pack_cut_short_is_refused(packs: dict[str, Path], tmp_path: Path) -> None:
    whole = packs["anna"].read_bytes()
    (tmp_path / "a.dsn").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DessinError, match="is no pack, or a damaged one"):
        collect(tmp_path / "a.dsn", into=tmp_path / "team")


def test_a_pack_within_bounds_only(
    packs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1000)
    with pytest.raises(DessinError, match="holds more than a pack may"):
        read_pack(packs["anna"])


def test_a_pack_is_a_zip_with_its_index_first(packs: dict[str, Path], tmp_path: Path) -> None:
    with ZipFile(packs["anna"]) as packed:
        assert packed.namelist()[0] == "index.json"
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    write_pack(tmp_path / "again.dsn", read_pack(packs["anna"]))
    assert (tmp_path / "again.dsn").read_bytes() == packs["anna"].read_bytes()


# Addresses


@pytest.fixture
def server(home: Path, packs: dict[str, Path]) -> Iterator[str]:
    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(home))) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_packs_on_a_file_server_are_collected(server: str, packs: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    one = collect(f"{server}/anna.dsn", into=tmp_path / "one")
    assert [each.state for each in one.taken] == ["new"]
    both = collect(f"{server}/", into=tmp_path / "both")
    assert [each.who for each in both.taken] == [("anna",), ("ben",)]
    assert tree(one.taken[0].folder) == tree(both.taken[0].folder)
    with pytest.raises(DessinError, match="cannot be read"):
        collect(f"{server}/nobody.dsn", into=tmp_path / "none")
    with pytest.raises(DessinError, match="There is no pack"):
        collect(f"{server}/anna/", into=tmp_path / "none")


def test_packs_in_a_repository_are_collected(packs: dict[str, Path], tmp_path: Path) -> None:
    work, bare = tmp_path / "work", tmp_path / "team.git"
    git = partial(subprocess.run, check=True, capture_output=True)
    git(["git", "init", "-q", str(work)])
    (work / "packs").mkdir()
    shutil.copy(packs["anna"], work / "packs" / "anna.dsn")
    (work / "packs" / "link.dsn").symlink_to(packs["ben"])
    own = ["-c", "user.name=anna", "-c", "user.email=anna@example.org"]
    git(["git", "-C", str(work), "add", "."])
    git(["git", "-C", str(work), *own, "commit", "-qm", "A pack"])
    git(["git", "clone", "-q", "--bare", str(work), str(bare)])
    (work / "packs" / "link.dsn").unlink()
    git(["git", "-C", str(work), *own, "commit", "-qam", "No link"])
    # The link comes as a text, which is no pack.
    with pytest.raises(DessinError, match="is no pack"):
        collect(str(bare), into=tmp_path / "team")
    git(["git", "-C", str(work), "push", "-q", str(bare), "HEAD"])
    for address in (str(bare), f"git+{bare.as_uri()}"):
        assert [each.who for each in collect(address, into=tmp_path / "team").taken] == [("anna",)]
    with pytest.raises(DessinError, match="cannot be cloned"):
        collect(f"git+{(tmp_path / 'none.git').as_uri()}", into=tmp_path / "team")


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c evil", "simplecache::http://127.0.0.1/a.dsn", "reference://a", "zip://a.dsn", "ftp://a/b"],
)
def test_an_address_that_could_do_more_than_be_read_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(DessinError, match=r"kind of address|no file or folder"):
        collect(address, into=tmp_path / "team")
    with pytest.raises(DessinError, match="no address of a git repository"):
        collect("git+ext::sh -c evil", into=tmp_path / "team")
    assert not list(tmp_path.iterdir())


def test_a_password_is_not_shown() -> None:
    assert shown("ssh://anna:secret@server/runs") == "ssh://anna@server/runs"
    assert shown("s3://team/runs") == "s3://team/runs"

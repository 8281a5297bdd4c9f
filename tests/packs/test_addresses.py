"""Packs behind ssh and in an object store, each with a real client and a server on loopback."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from made_runs import answers, made_run, made_split

from dessin.errors import DessinError
from dessin.packs.collect import collect
from dessin.packs.pack import pack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packs of two machines, and what is none."""
    home, split = tmp_path_factory.mktemp("home"), made_split()
    for number, who in enumerate(("anna", "ben")):
        made_run(home / who / "lite0-1", split, answers(split, 0.7, number))
        pack(home / who / "lite0-1", out=home / "inbox" / f"{who}.dsn", who=who, machine=f"{who}s-server")
    (home / "inbox" / "notes.txt").write_text("no pack")
    return home


def check_address(address: str, into: Path, home: Path) -> None:
    """A folder of packs, one of them, and what is not there."""
    both = collect(f"{address}/inbox", into=into / "both")
    assert [each.who for each in both.taken] == [("anna",), ("ben",)]
    one = collect(f"{address}/inbox/ben.dsn", into=into / "one")
    assert [(each.who, each.state) for each in one.taken] == [(("ben",), "new")]
    path = Path("validation", "probabilities.npy")
    assert (one.taken[0].folder / path).read_bytes() == (home / "ben" / "lite0-1" / path).read_bytes()
    with pytest.raises(DessinError, match="cannot be read"):
        collect(f"{address}/inbox/nobody.dsn", into=into / "none")
    assert not (into / "none").exists()


def needed(module: str, extra: str) -> Any:
    """The client of a kind of address; without it the test is skipped loudly, and in CI it fails."""
    try:
        return import_module(module)
    except ImportError:
        message = f"{module} is missing, so {extra} addresses were NOT tried (pip install 'dessin[{extra}]')."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


# ssh


@contextmanager
def sftp_server(root: Path, password: str) -> Iterator[tuple[int, Any]]:
    """An ssh server that shows a folder to whoever knows the password; yields its port and its key."""
    paramiko = needed("paramiko", "ssh")

    class Login(paramiko.ServerInterface):  # type: ignore[misc,name-defined]
        def check_auth_password(self, username: str, given: str) -> int:
            right = (username, given) == ("anna", password)
            return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

        def check_channel_request(self, kind: str, number: int) -> int:
            return int(paramiko.OPEN_SUCCEEDED)

    class Folder(paramiko.SFTPServerInterface):  # type: ignore[misc,name-defined]
        def _at(self, path: str) -> Path:
            return root / path.lstrip("/")

        def list_folder(self, path: str) -> Any:
            found = sorted(self._at(path).iterdir())
            return [paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in found]

        def stat(self, path: str) -> Any:
            try:
                return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)

        lstat = stat

        def open(self, path: str, flags: int, attributes: Any) -> Any:
            try:
                file = self._at(path).open("rb")
            except OSError as error:
                return paramiko.SFTPServer.convert_errno(error.errno)
            handle = paramiko.SFTPHandle(os.O_RDONLY)
            handle.readfile = file
            return handle

    key, listening, transports = paramiko.RSAKey.generate(2048), socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Folder)
            transport.start_server(server=Login(), event=threading.Event())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], key
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for transport in transports:
            transport.close()


def test_packs_behind_ssh_are_collected(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # whose known hosts and keys are nobody's
    with sftp_server(home, "word") as (port, key):
        know(tmp_path, port, key)
        check_address(f"ssh://anna:word@127.0.0.1:{port}", tmp_path, home)
        with pytest.raises(DessinError, match="cannot be read") as refused:
            collect(f"sftp://anna:secret@127.0.0.1:{port}/inbox", into=tmp_path / "none")
    assert "secret" not in str(refused.value)


def know(home: Path, port: int, key: Any) -> None:
    """As ssh does after a first visit."""
    (home / ".ssh").mkdir(exist_ok=True)
    line = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
    (home / ".ssh" / "known_hosts").write_text(line)


def test_a_server_that_ssh_does_not_know_is_told_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with sftp_server(home, "word") as (port, key):
        address = f"ssh://anna:word@127.0.0.1:{port}/inbox"
        with pytest.raises(DessinError, match=r"shows a key that ssh does not know.*Connect once with ssh"):
            collect(address, into=tmp_path / "unknown")
        know(tmp_path, port, type(key).generate(2048))
        with pytest.raises(DessinError, match="shows another key than ssh knows"):
            collect(address, into=tmp_path / "changed")
    assert [path.name for path in tmp_path.iterdir()] == [".ssh"]


# s3


class Store(BaseHTTPRequestHandler):
    """What a reader asks of an object store, of the folder `root`: list, head and get."""

    root: Path

    def log_message(self, *words: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        bucket, _, key = asked.path.lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if bucket != "team":
            return self._answer(404, _xml("Error", "<Code>NoSuchBucket</Code>"))
        if "list-type" in query:
            return self._answer(200, self._listing(query.get("prefix", "")))
        file = self.root / key
        if not file.is_file():
            return self._answer(404, _xml("Error", "<Code>NoSuchKey</Code>"))
        data, status = file.read_bytes(), 200
        if span := self.headers.get("Range"):
            first, _, last = span.removeprefix("bytes=").partition("-")
            data, status = data[int(first) : int(last or len(data)) + 1], 206
        return self._answer(status, data)

    def _listing(self, prefix: str) -> bytes:
        keys = sorted(path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        rows = "".join(
            f"<Contents><Key>{key.as_posix()}</Key><Size>{(self.root / key).stat().st_size}</Size>"
            '<LastModified>2026-12-01T00:00:00.000Z</LastModified><ETag>"0"</ETag></Contents>'
            for key in keys
            if key.as_posix().startswith(prefix)
        )
        return _xml("ListBucketResult", f"<Name>team</Name><IsTruncated>false</IsTruncated>{rows}")

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Length", str(len(data))),
            ("ETag", '"0"'),
            ("Last-Modified", "Tue, 01 Dec 2026 00:00:00 GMT"),
            ("Content-Type", "application/xml" if data[:5] == b"<?xml" else "application/octet-stream"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _xml(kind: str, inside: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{kind}>{inside}</{kind}>'.encode()


def test_packs_in_an_object_store_are_collected(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed("s3fs", "s3")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "anna",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Store,), {"root": home})) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server_port}")
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            check_address("s3://team", tmp_path, home)
        finally:
            made.shutdown()
            thread.join()

"""Small servers on loopback that a tracker talks to in the tests; each keeps what it was sent."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WandbServer(ThreadingHTTPServer):
    """As much of the Weights & Biases protocol as a run needs; runs are kept by id.

    A run is `{"config": .., "history": [..], "summary": .., "exit_code": ..}`; `said` is every byte received.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WandbRequest)
        self.runs: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def query(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        if name == "Viewer":
            return {"viewer": {"id": "v", "entity": "team", "username": "person", "flags": "{}"}}
        if name == "UpsertBucket":
            return {"upsertBucket": self._upsert(variables)}
        if name == "RunResumeStatus":
            return {"model": self._resume_status(variables["name"])}
        if name == "CreateRunFiles":
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": []}}
        return {}

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """A part of a run's files: lines from an offset on, which replace what was there."""
        kept = self.runs[run]
        for name, part in body.get("files", {}).items():
            values = [json.loads(line) for line in part["content"]]
            if name == "wandb-history.jsonl":
                kept["history"][part["offset"] :] = values
            elif name == "wandb-summary.json":
                kept["summary"] = values[-1]
        if body.get("complete"):
            kept["exit_code"] = body["exitcode"]

    def _upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["name"]
        inserted = name not in self.runs
        kept = self.runs.setdefault(name, {"history": [], "summary": {}, "config": {}, "name": ""})
        kept["name"] = variables["displayName"] or kept["name"]
        if variables["config"]:
            kept["config"] = {key: entry["value"] for key, entry in json.loads(variables["config"]).items()}
        project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": "team"}}
        bucket = {"id": name, "name": name, "displayName": kept["name"], "description": "", "config": "{}"}
        more = {"sweepName": None, "historyLineCount": len(kept["history"]), "project": project}
        return {"bucket": bucket | more, "inserted": inserted}

    def _resume_status(self, name: str) -> dict[str, Any] | None:
        if name not in self.runs:
            return None
        kept = self.runs[name]
        tail = [json.dumps(line) for line in kept["history"][-1:]]
        bucket = {
            "id": name,
            "name": name,
            "displayName": kept["name"],
            "summaryMetrics": json.dumps(kept["summary"]),
            "logLineCount": 0,
            "historyLineCount": len(kept["history"]),
            "eventsLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": json.dumps({key: {"value": value} for key, value in kept["config"].items()}),
            "tags": [],
            "notes": None,
            "wandbConfig": '{"t": {}}',
        }
        return {"id": "p", "name": "dessin", "entity": {"id": "e", "name": "team"}, "bucket": bucket}


class _WandbRequest(BaseHTTPRequestHandler):
    server: WandbServer

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.said.append(text)
        body, answer = json.loads(text), {}
        if self.path == "/graphql":
            found = re.search(r"(?:query|mutation) (\w+)", body["query"])
            assert found is not None
            answer = {"data": self.server.query(found[1], body["variables"])}
        elif self.path.endswith("/file_stream"):
            self.server.stream(self.path.split("/")[-2], body)
        self._answer(json.dumps(answer).encode())

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


class WatchingProxy(ThreadingHTTPServer):
    """A proxy that notes who was asked for, and lets nothing through."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyRequest)
        self.asked: list[str] = []


class _ProxyRequest(BaseHTTPRequestHandler):
    server: WatchingProxy

    def _refuse(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(403)

    do_CONNECT = do_GET = do_POST = do_PUT = _refuse  # noqa: N815 (names of the base class)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes every connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""A small hub on loopback: random weights in the right shapes, and what people did to get them; repositories
that a model can be pushed to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import torch
from loopback_servers import serving
from safetensors.torch import save

from dessin.models.hub import hub_file
from dessin.models.torchvision_ops import import_timm

COMMIT = "c" * 40
# Whose token is which.
PEOPLE = {"hf_ann": "ann", "hf_bob": "bob"}
_LARGE = ".safetensors", ".onnx"


@dataclass
class Repository:
    """Its commits, the oldest first: id → path → bytes."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def newest(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.newest]

    def commit(self, files: dict[str, bytes]) -> str:
        """A commit with just these files."""
        name = hashlib.sha1(repr((list(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[name] = files
        return name


class Hub(ThreadingHTTPServer):
    """Files by the path of their address. `asked` are the requests, `cut` sends half of each file.

    `gated` and `refused` answer 403, for those who did not consent to a licence, and without a reason;
    `other` sends as many bytes, and not those whose digest was promised.

    `repositories` are by OWNER/NAME; what is private is shown to its owner alone. `drops` is how many uploads
    of large files are to break off in the middle; `large` are those that arrived whole.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubRequest)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.gated = self.cut = self.refused = self.other = False
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.drops = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, backbone: str, seed: int = 0) -> str:
        """Random weights of a timm model; the sha256 of the file."""
        torch.manual_seed(seed)
        return self.put(backbone, save(import_timm().create_model(backbone).state_dict()))

    def put(self, backbone: str, content: bytes) -> str:
        """Any bytes as the weights of a timm model; their sha256."""
        repository, file = hub_file(backbone)
        self.files[f"/{repository}/resolve/main/{file}"] = content
        return hashlib.sha256(content).hexdigest()


class _HubRequest(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            self._told(*self._asked_of(urlsplit(self.path).path))
            return
        content = self._answer()
        if self.server.other and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.wfile.write(content[: len(content) // 2] if self.server.cut else content)

    def _answer(self) -> bytes:
        self.server.asked.append(f"{self.command} {self.path}")
        content = self.server.files.get(self.path)
        if content is None:
            content = self._resolved()
        if content is None or self.server.gated or self.server.refused:
            self.send_response(403 if self.server.gated or self.server.refused else 404)
            if not self.server.refused:
                self.send_header("X-Error-Code", "GatedRepo" if self.server.gated else "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        self.send_response(200)
        self.send_header("X-Repo-Commit", self._commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    _commit = COMMIT

    @property
    def _user(self) -> str:
        return PEOPLE.get((self.headers["Authorization"] or "").removeprefix("Bearer "), "")

    def _shown(self, name: str) -> Repository | None:
        """The repository, where whoever asks may see it."""
        found = self.server.repositories.get(name)
        return found if found and (not found.private or name.startswith(f"{self._user}/")) else None

    def _resolved(self) -> bytes | None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", unquote(self.path))
        repository = self._shown(found[1]) if found else None
        if found is None or repository is None:
            return None
        self._commit = repository.newest if found[2] == "main" else found[2]
        return repository.commits.get(self._commit, {}).get(found[3])

    def _asked_of(self, path: str) -> tuple[int, dict[str, Any], str]:
        """Status, body and code of an error of a GET below /api/."""
        self.server.asked.append(f"{self.command} {path}")
        if path == "/api/whoami-v2":
            return (200, {"name": self._user, "type": "user"}, "") if self._user else (401, {}, "")
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", unquote(path))
        repository = self._shown(found[1]) if found else None
        if found is None or repository is None:
            return 404, {}, "RepoNotFound"
        commit = repository.newest if found[2] in (None, "main") else found[2]
        if commit not in repository.commits:
            return 404, {}, "RevisionNotFound"
        files = [_listed(name, data) for name, data in repository.commits[commit].items()]
        return 200, {"id": found[1], "sha": commit, "private": repository.private, "siblings": files}, ""

    def do_POST(self) -> None:
        self.server.asked.append(f"POST {self.path}")
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        if path == "/api/validate-yaml":
            self._told(200, {"warnings": [], "errors": []})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path.endswith("/info/lfs/objects/batch"):
            self._told(200, {"objects": [self._place(each) for each in json.loads(body)["objects"]]})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path):
            name, what = found.groups()
            if not name.startswith(f"{self._user}/"):
                self._told(403, {})
            elif what == "preupload":
                self._modes(json.loads(body)["files"])
            else:
                self._committed(name, [json.loads(line) for line in body.splitlines()])
        else:
            self._told(404, {})

    def do_PUT(self) -> None:
        if self.server.drops:
            self.server.drops -= 1
            self.rfile.read(1000)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.server.large[self.path.rpartition("/")[2]] = self._body()
        self._told(200, {})

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization'] or self._user}/{asked['name']}"
        if not name.startswith(f"{self._user}/"):
            self._told(403, {})
        elif name in self.server.repositories:
            self._told(409, {})
        else:
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            made = self.server.repositories[name] = Repository(private)
            made.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
            self._told(200, {"url": f"{self.server.address}/{name}", "name": name})

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Where a large file is to be sent; nowhere if it is here."""
        if asked["oid"] in self.server.large:
            return asked
        return asked | {"actions": {"upload": {"href": f"{self.server.address}/large/{asked['oid']}"}}}

    def _modes(self, files: list[dict[str, Any]]) -> None:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in files
        ]
        self._told(200, {"files": modes})

    def _committed(self, name: str, lines: list[dict[str, Any]]) -> None:
        repository = self.server.repositories[name]
        if lines[0]["value"].get("parentCommit") not in (None, repository.newest):
            self._told(412, {})
            return
        files = dict(repository.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            else:
                files[value["path"]] = base64.b64decode(value["content"])
        made = repository.commit(files)
        address = f"{self.server.address}/{name}/commit/{made}"
        self._told(200, {"commitUrl": address, "commitOid": made, "success": True})

    def _told(self, status: int, body: dict[str, Any], code: str = "") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


def _listed(name: str, data: bytes) -> dict[str, Any]:
    """A file as the hub lists it."""
    blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
    large = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
    return {"rfilename": name, "size": len(data), "blobId": blob} | (
        {"lfs": large} if name.endswith(_LARGE) else {}
    )


@contextmanager
def hub_at(address: str, cache: Path) -> Iterator[None]:
    """The hub's client asks this address and keeps what it fetches in this folder."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        # The store of chunks beside the hub, which it can do without, is not rebuilt here.
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        patch.setattr(constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        yield


@contextmanager
def silent_hub(cache: Path) -> Iterator[None]:
    """One that takes connections and never says a word."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        hub_at(f"http://127.0.0.1:{server.getsockname()[1]}", cache),
    ):
        yield


@contextmanager
def small_hub(cache: Path) -> Iterator[Hub]:
    hub = Hub()
    with serving(hub), hub_at(hub.address, cache), pytest.MonkeyPatch.context() as patch:
        # It does answer, and a busy machine may need longer than a person is made to wait.
        patch.setattr("dessin.models.hub._CONNECT_S", 60.0)
        yield hub

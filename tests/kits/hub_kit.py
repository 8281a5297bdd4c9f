"""A small hub on loopback: random weights in the right shapes, and what people did to get them."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from loopback_servers import serving
from safetensors.torch import save

from dessin.models.hub import hub_file
from dessin.models.torchvision_ops import import_timm

COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Files by the path of their address. `asked` are the requests, `cut` sends half of each file.

    `gated` and `refused` answer 403, for those who did not consent to a licence, and without a reason;
    `other` sends as many bytes, and not those whose digest was promised.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubRequest)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.gated = self.cut = self.refused = self.other = False

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
        content = self._answer()
        if self.server.other and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.wfile.write(content[: len(content) // 2] if self.server.cut else content)

    def _answer(self) -> bytes:
        self.server.asked.append(f"{self.command} {self.path}")
        content = self.server.files.get(self.path)
        if content is None or self.server.gated or self.server.refused:
            self.send_response(403 if self.server.gated or self.server.refused else 404)
            if not self.server.refused:
                self.send_header("X-Error-Code", "GatedRepo" if self.server.gated else "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@contextmanager
def hub_at(address: str, cache: Path) -> Iterator[None]:
    """The hub's client asks this address and keeps what it fetches in this folder."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
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
    with serving(hub), hub_at(hub.address, cache):
        yield hub

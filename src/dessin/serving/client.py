"""A client of `dessin serve` for other programs: it needs neither torch nor the model, only the address.

from dessin.serving.client import Client
with Client("http://127.0.0.1:8000") as client:
    answer = client.predict("cat.png")
    print(answer.label, answer.probability, answer.unsure)
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote

import httpx

from dessin.errors import DessinError, quoted
from dessin.serving.named import Candidate, Named

TIMEOUT_S: Final = 30.0
# The server says when to come back; one that says nothing, or hours, is not waited for.
_TRIES, _LONGEST_WAIT_S = 5, 30.0
_BUSY: Final = (429, 503)
ImageBytes = str | PathLike[str] | bytes


@dataclass(frozen=True)
class Reply(Named):
    """What the model says of an image.

    `top` are the likeliest classes. `unsure` is true where it names none; `reason` says why. `page` is
    `found` or `not found` of a model that looks for the sheet in a photograph, else empty. An image of
    several that was refused has no class.
    """

    top: tuple[Candidate, ...]
    unsure: bool
    reason: str
    page: str = ""


@dataclass(frozen=True)
class Map:
    """Where the model looked: a PNG of the drawing under what speaks for the class `label`."""

    label: str
    method: str
    png: bytes


class Client:
    """Asks one server. Connections are kept open until `close`, or the end of a `with`.

    Every method raises a `DessinError`: what the server refused, in its words, or that nothing answers.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str = "",
        timeout: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`token` is what the server was started with, `timeout` in seconds."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            # Without what the environment says of proxies: the address is what was meant.
            self._http = httpx.Client(
                base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=False
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise DessinError(
                f"{quoted(url)} is no address: {error}.", allowed="Such as http://127.0.0.1:8000."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def predict(self, image: ImageBytes, *, top: int = 5) -> Reply:
        """The class of one image: a path, or the bytes of a file."""
        answer = self._ask("POST", "/v1/predict", params={"top": top}, content=_bytes_of(image)).json()
        return _reply(answer)

    def predict_many(self, images: Sequence[ImageBytes], *, top: int = 5) -> tuple[Reply, ...]:
        """The classes of several images, in their order, at most as many as the server takes at once."""
        files = [("images", (f"{place}", _bytes_of(image))) for place, image in enumerate(images)]
        batch = self._ask("POST", "/v1/predict/batch", params={"top": top}, files=files).json()
        return tuple(
            _reply(entry["answer"]) if entry["answer"] else Reply((), True, _said(entry["error"]))
            for entry in batch["images"]
        )

    def explain(self, image: ImageBytes, label: str = "") -> Map:
        """Where the model looked for a class; by default the likeliest."""
        params = {"label": label} if label else {}
        answer = self._ask("POST", "/v1/explain", params=params, content=_bytes_of(image))
        return Map(unquote(answer.headers["Dessin-Label"]), answer.headers["Dessin-Method"], answer.content)

    def model(self) -> dict[str, Any]:
        """The model's card: classes, preprocessing, thresholds, provenance, licence."""
        card: dict[str, Any] = self._ask("GET", "/v1/model").json()
        return card

    def ready(self) -> bool:
        """Whether it can answer now."""
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, path, **parts)
            except httpx.HTTPError as error:
                raise DessinError(
                    f"{self._http.base_url} does not answer: {error or type(error).__name__}.",
                    do="Is dessin serve running there, and reachable from here?",
                ) from None
            if answer.is_success:
                return answer
            wait = _wait(answer)
            if not left or wait is None:
                raise _refused(answer)
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _wait(answer: httpx.Response) -> float | None:
    """The seconds after which to try again; None where that is of no use."""
    try:
        asked = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return asked if answer.status_code in _BUSY and asked <= _LONGEST_WAIT_S else None


def _refused(answer: httpx.Response) -> DessinError:
    try:
        error = answer.json()["error"]
        return DessinError(error["seen"], allowed=error["allowed"], do=error["do"])
    except (ValueError, KeyError, TypeError):
        seen = f"{answer.url} answered with status {answer.status_code}, not as dessin does."
        return DessinError(seen, do="Check the address, and what stands before the server.")


def _said(error: Mapping[str, str]) -> str:
    return " ".join(part for part in (error["seen"], error["allowed"], error["do"]) if part)


def _reply(answer: Mapping[str, Any]) -> Reply:
    top = tuple(Candidate(**candidate) for candidate in answer["candidates"])
    return Reply(top, not answer["answered"], answer["reason"], answer.get("page") or "")


def _bytes_of(image: ImageBytes) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise DessinError(
            f"{image} cannot be read: {error.strerror or error}.", do="Check the path."
        ) from None

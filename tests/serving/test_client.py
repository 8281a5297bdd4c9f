"""The client against a real server, and against ones that are busy, of another kind, or not there."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from api_kit import Serving, serving
from loopback_servers import free_port
from PIL import Image

import dessin
from dessin.errors import DessinError
from dessin.serving.client import Client

pytestmark = pytest.mark.slow

BUSY = {"error": {"seen": "64 images are waiting.", "allowed": "", "do": "Try again."}}
ANSWER = {
    "answered": False,
    "silence": "unsure",
    "reason": "below the threshold 0.900",
    "candidates": [{"label": "cat", "name": "tabby cat", "probability": 0.5}],
    "page": "found",
}


@pytest.fixture(scope="module")
def server(bundle: Path) -> Serving:
    with serving(bundle, token="sesame") as running:
        yield running


@pytest.fixture
def client(server: Serving) -> Client:
    with Client(f"http://127.0.0.1:{server.port}", token="sesame") as client:
        yield client


def test_it_says_what_the_model_at_hand_says(
    client: Client, bundle: Path, drawings: dict[str, list[bytes]], tmp_path: Path
) -> None:
    data = drawings["cat"][0]
    (tmp_path / "cat.png").write_bytes(data)
    here = dessin.load(bundle).predict(data, top=3)
    for image in (data, tmp_path / "cat.png", str(tmp_path / "cat.png")):
        there = client.predict(image, top=3)
        assert (there.label, there.name, there.unsure) == (here.label, here.name, here.unsure)
        assert there.probability == pytest.approx(here.probability, abs=1e-6)
        assert [each.label for each in there.top] == [each.label for each in here.top]


def test_several_images_are_answered_in_their_order(client: Client, drawings: dict[str, list[bytes]]) -> None:
    images = [drawings["cat"][0], b"no picture", drawings["star"][0]]
    found = client.predict_many(images)
    assert [each.label for each in found] == ["cat", "", "star"]
    assert found[1].unsure
    assert "image" in found[1].reason
    assert found[1].probability == 0.0


def test_a_map_is_a_png_of_the_class_that_was_asked_for(
    client: Client, drawings: dict[str, list[bytes]]
) -> None:
    found = client.explain(drawings["cat"][0], "star")
    assert found.label == "star"
    assert Image.open(io.BytesIO(found.png)).format == "PNG"


def test_it_knows_the_model_s_card_and_whether_the_server_is_ready(client: Client) -> None:
    assert client.ready()
    assert [each["label"] for each in client.model()["classes"]] == ["cat", "house", "star"]


def test_what_the_server_refuses_is_raised_in_its_words(client: Client, server: Serving) -> None:
    with pytest.raises(DessinError, match="The bytes are not those of an image") as error:
        client.predict(b"no picture")
    assert error.value.allowed
    with (
        Client(f"http://127.0.0.1:{server.port}") as stranger,
        pytest.raises(DessinError, match="no valid token"),
    ):
        stranger.model()


def test_nobody_there_and_no_file_are_said(tmp_path: Path) -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client:
        assert not client.ready()
        with pytest.raises(DessinError, match="does not answer"):
            client.predict(b"x")
        with pytest.raises(DessinError, match=r"none\.png cannot be read"):
            client.predict(tmp_path / "none.png")
    with pytest.raises(DessinError, match="no address"):
        Client("http://host:port")


def scripted(*answers: httpx.Response) -> Client:
    left = list(answers)
    return Client(transport=httpx.MockTransport(lambda _: left.pop(0)))


def test_a_busy_server_is_asked_again_when_it_says_so() -> None:
    busy = httpx.Response(429, headers={"Retry-After": "0"}, json=BUSY)
    answer = scripted(
        busy, httpx.Response(503, headers={"Retry-After": "0"}, json=BUSY), httpx.Response(200, json=ANSWER)
    )
    found = answer.predict(b"x")
    assert (found.label, found.unsure, found.reason, found.page) == ("cat", True, ANSWER["reason"], "found")
    with pytest.raises(DessinError, match="64 images are waiting"):
        scripted(*[busy] * 5).predict(b"x")
    # Hours are not waited for.
    with pytest.raises(DessinError, match="64 images are waiting"):
        scripted(httpx.Response(503, headers={"Retry-After": "7200"}, json=BUSY)).predict(b"x")


def test_another_kind_of_server_is_told_from_dessin() -> None:
    with pytest.raises(DessinError, match="not as dessin does"):
        scripted(httpx.Response(502, text="<html>Bad gateway</html>")).predict(b"x")

"""The API says what the model says, and describes it without a word about the machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from api_kit import Serving, serving
from PIL import Image, features
from tiny_bundle import make_bundle

from dessin.reading import read_csv
from dessin.serving.predict import predict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Serving]:
    with serving(bundle) as running:
        yield running


def test_it_answers_what_predict_answers(
    server: Serving, bundle: Path, drawings: dict[str, list[bytes]], tmp_path: Path
) -> None:
    files = [data for images in drawings.values() for data in images]
    for number, data in enumerate(files):
        (tmp_path / f"{number:02d}.png").write_bytes(data)
    predictions = predict(bundle, [tmp_path], out=tmp_path / "out.csv", top=3)
    rows = read_csv(tmp_path / "out.csv", ["predicted"])[1]
    for number, data in enumerate(files):
        reply = server.predict(data, top=3).json()
        place = predictions.image_ids.index(f"{number:02d}.png")
        expected = np.sort(predictions.probabilities[place])[::-1]
        found = [candidate["probability"] for candidate in reply["candidates"]]
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert reply["candidates"][0]["label"] == rows[place]["predicted"]
        assert reply["answered"]


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF"])
def test_what_scanners_and_phones_write_is_answered_as_its_pixels_are(
    kind: str, server: Serving, drawings: dict[str, list[bytes]]
) -> None:
    if kind == "HEIF":
        reason = "pillow-heif is missing, so HEIC was NOT tried (pip install pillow-heif)"
        pytest.importorskip("pillow_heif", reason=reason).register_heif_opener()
    elif kind == "AVIF" and not features.check("avif"):
        pytest.skip("This Pillow has no AVIF, so AVIF was NOT tried.")
    drawing, written = Image.open(io.BytesIO(drawings["cat"][0])).convert("RGB"), io.BytesIO()
    drawing.save(written, kind, **({} if kind == "TIFF" else {"quality": 100}))
    stated = {"HEIF": "image/heic"}.get(kind, f"image/{kind.lower()}")
    found = server.predict(written.getvalue(), stated)
    assert found.status_code == 200, found.text
    expected = server.predict(drawings["cat"][0]).json()["candidates"][0]["probability"]
    within = 1e-4 if kind == "TIFF" else 0.1
    assert found.json()["candidates"][0]["probability"] == pytest.approx(expected, abs=within)


def test_a_batch_answers_or_refuses_each_image_as_if_it_were_alone(
    server: Serving, drawings: dict[str, list[bytes]]
) -> None:
    sent = [drawings["cat"][0], b"no image", drawings["star"][0], drawings["house"][0][:300]]
    form = [("images", ("x", data, "application/octet-stream")) for data in sent]
    entries = server.client.post("/v1/predict/batch", files=form, params={"top": 2}).json()["images"]
    assert [entry["index"] for entry in entries] == [0, 1, 2, 3]
    for entry, data in zip(entries, sent, strict=True):
        alone = server.predict(data, top=2)
        assert entry["status"] == alone.status_code
        if alone.status_code == 200:
            expected = {key: value for key, value in alone.json().items() if key != "model"}
            assert entry["answer"]["candidates"][0]["label"] == expected["candidates"][0]["label"]
            assert entry["answer"]["candidates"][0]["probability"] == pytest.approx(
                expected["candidates"][0]["probability"], abs=1e-4
            )
        else:
            assert entry["error"] == alone.json()["error"]


def test_a_map_is_a_picture_of_the_class_that_was_asked_for(
    server: Serving, drawings: dict[str, list[bytes]]
) -> None:
    for label in ("cat", "star"):
        reply = server.client.post("/v1/explain", content=drawings["cat"][0], params={"label": label})
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["dessin-label"] == label
        assert Image.open(io.BytesIO(reply.content)).size == (32, 32)
    unknown = server.client.post("/v1/explain", content=drawings["cat"][0], params={"label": "dog"})
    assert unknown.status_code == 422
    assert "dog" in unknown.json()["error"]["seen"]


def test_the_card_names_the_classes_and_no_path(server: Serving, bundle: Path) -> None:
    card = server.client.get("/v1/model").json()
    assert [one["label"] for one in card["classes"]] == ["cat", "house", "star"]
    assert card["classes"][0]["name"] == "tabby cat"
    assert card["images"][0]["size"] == 32
    text = server.client.get("/v1/model").text + server.client.get("/openapi.json").text
    assert str(bundle.parent) not in text


def test_what_is_asked_is_counted(server: Serving, drawings: dict[str, list[bytes]]) -> None:
    def count() -> float:
        lines = server.client.get("/metrics").text.splitlines()
        start = 'dessin_requests_total{route="/v1/predict",status="415"} '
        return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))

    before = count()
    server.predict(b"no image")
    server.predict(drawings["cat"][0])
    assert count() == before + 1
    assert "dessin_batch_images_count" in server.client.get("/metrics").text


def test_the_server_says_neither_its_name_nor_lets_pages_elsewhere_ask(server: Serving) -> None:
    reply = server.client.get("/healthz", headers={"origin": "http://elsewhere.example"})
    assert "server" not in reply.headers
    assert "access-control-allow-origin" not in reply.headers


def test_an_unsure_model_says_so(tmp_path: Path, drawings: dict[str, list[bytes]]) -> None:
    with serving(make_bundle(tmp_path / "bundle", drawings, threshold=1.0)) as unsure:
        reply = unsure.predict(drawings["cat"][1]).json()
    assert (reply["answered"], reply["silence"]) == (False, "unsure")
    assert "threshold" in reply["reason"]
    assert reply["candidates"]


def test_a_token_is_asked_for_and_other_origins_only_where_they_are_named(
    bundle: Path, drawings: dict[str, list[bytes]]
) -> None:
    with serving(bundle, token="sesame", cors=["http://school.example"]) as server:
        data = drawings["cat"][0]

        def ask(**headers: str) -> httpx.Response:
            return server.client.post("/v1/predict", content=data, headers=headers)

        assert ask().status_code == 401
        assert ask().headers["www-authenticate"] == "Bearer"
        assert ask(authorization="Bearer sesam").status_code == 401
        assert ask(authorization="Basic sesame").status_code == 401
        assert ask(authorization="Bearer sesame").status_code == 200
        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/metrics").status_code == 401
        allowed = ask(authorization="Bearer sesame", origin="http://school.example")
        assert allowed.headers["access-control-allow-origin"] == "http://school.example"

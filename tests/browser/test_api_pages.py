"""`/` and `/docs` of the API in a real Chromium: whole, and nothing is asked for elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_kit import serving
from playwright.sync_api import Browser
from tiny_bundle import make_bundle

from dessin.doodles.drawing import draw_doodle

pytestmark = pytest.mark.browser


def test_the_api_is_browsed_without_asking_anybody_else(
    browser: Browser, tmp_path: Path, output: Path
) -> None:
    drawn = {label: [draw_doodle(label, n, seed=0).data for n in range(3)] for label in ("cat", "star")}
    asked: list[str] = []
    said: list[str] = []
    with serving(make_bundle(tmp_path / "bundle", drawn), token="sesame") as server:
        home = f"http://127.0.0.1:{server.port}"
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{home}/")
        assert "/v1/predict" in page.inner_text("main")
        page.screenshot(path=output / "api-home.png")
        page.click("a[href=docs]")
        page.wait_for_selector("#operations-default-predict_v1_predict_post")
        assert page.locator(".opblock").count() == len(server.client.get("/openapi.json").json()["paths"])
        page.click("#operations-default-model_v1_model_get")
        page.wait_for_selector(".opblock-body .response")
        page.screenshot(path=output / "api-docs.png", full_page=True)
        # A token is asked for where there is one, and is taken.
        page.click(".btn.authorize")
        page.fill(".auth-container input", "sesame")
        page.click(".auth-btn-wrapper .authorize")
        page.click(".btn-done")
        page.click(".try-out__btn")
        page.click(".btn.execute")
        page.wait_for_selector(".live-responses-table .response-col_status >> text=200")
        page.close()
    assert asked
    assert all(url.startswith((f"{home}/", "data:", "blob:")) for url in asked)
    assert said == []

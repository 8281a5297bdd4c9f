"""A model as a page: what is in the file, what is refused, and where the runtime comes from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile
from html import unescape
from pathlib import Path

import pytest
from linear_models import CLASSES, write_linear

from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.serving.export import verb
from dessin.serving.export.verb import export
from dessin.serving.export.web import build, runtime
from dessin.serving.export.web.runtime import WebRuntime, web_runtime

NONE = WebRuntime(b"export {}", b"\0asm")
MODULE = 'type="module"'
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_linear(tmp_path / "model")


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "web_runtime", lambda _: NONE)


def scripts(page: Path) -> dict[str, str]:
    """The scripts of a page by their id."""
    found = re.findall(r"<script ([^>]*)>(.*?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    return {(re.search('id="(.*?)"', head) or [head, head])[1]: body for head, body in found}


@pytest.mark.usefixtures("no_runtime")
def test_the_page_holds_the_model_the_runtime_and_nothing_that_asks(model: Path, tmp_path: Path) -> None:
    outcome = export(model, page=tmp_path / "page")
    assert outcome.precision == "float32"
    page = tmp_path / "page" / "index.html"
    assert {path.name for path in page.parent.iterdir()} == {"index.html", "sw.js", "licences.txt"}
    found = scripts(page)
    held = {"runtime": NONE.script, "wasm": NONE.wasm, "model bundle": (model / "model.onnx").read_bytes()}
    assert {name: gzip.decompress(base64.b64decode(found[name])) for name in held} == held
    assert set(found) == {*held, "page", MODULE}
    text = page.read_text(encoding="utf-8")
    policy = unescape((re.search('Content-Security-Policy" content="(.*?)"', text) or ["", ""])[1])
    style = text.split("<style>")[1].split("</style>")[0]
    for kind, body in (("script", found[MODULE]), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "://" not in text
    assert sha256_bytes(text.encode())[:16] in (page.parent / "sw.js").read_text()
    assert "Microsoft" in (page.parent / "licences.txt").read_text()


@pytest.mark.usefixtures("no_runtime")
def test_the_name_of_a_class_ends_no_script(model: Path, tmp_path: Path) -> None:
    export(model, page=tmp_path / "page")
    page = tmp_path / "page" / "index.html"
    card = json.loads(scripts(page)["page"])["card"]
    assert card["classes"] == list(CLASSES)
    assert card["names"] == ["a cat", "<i>tag</i>", "constructor", "나무"]
    assert "<i>" not in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_runtime")
def test_the_same_model_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("first", "second")]
    for folder in pages:
        export(model, page=folder)
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in pages)
    assert first == second


@pytest.mark.usefixtures("no_runtime")
def test_what_a_page_cannot_do_is_refused_and_nothing_is_left(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page"
    with pytest.raises(DessinError, match="Neither --out nor --page"):
        export(model)
    with pytest.raises(DessinError, match=r"was exported to model\.onnx"):
        export(model, page=page, int8=True)
    monkeypatch.setattr(build, "LARGEST_MODELS", 100)
    with pytest.raises(DessinError, match="Distill"):
        export(model, page=page)
    with pytest.raises(DessinError, match="CLAHE"):
        export(write_linear(tmp_path / "clahe", clahe=True), page=page)
    assert not page.exists()


def archive(script: bytes = NONE.script) -> bytes:
    """What npm would fetch."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in zip(FILES, (script, NONE.wasm), strict=True):
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """An archive that is taken for the one that was published; npm is what the test puts on the path."""
    data = archive()
    digests = dict(zip(FILES, map(sha256_bytes, (NONE.script, NONE.wasm)), strict=True))
    monkeypatch.setattr(runtime, "_DIGESTS", digests)
    monkeypatch.setattr(runtime, "_INTEGRITY", base64.b64encode(hashlib.sha512(data).digest()).decode())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return data


def put_npm(folder: Path, code: str) -> None:
    """A program `npm` that runs Python code in which `place` is where it is to pack."""
    npm = folder / "bin" / "npm"
    begin = f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nplace = Path(sys.argv[-1])\n"
    npm.write_text(f"{begin}{code}\n")
    npm.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="npm is a script with a first line here")
def test_npm_fetches_it_once(published: bytes, tmp_path: Path) -> None:
    asked = "assert sys.argv[1:3] == ['pack', 'onnxruntime-web@1.30.0']"
    put_npm(tmp_path, f"{asked}\n(place / {runtime.ARCHIVE!r}).write_bytes({published!r})")
    assert web_runtime() == NONE
    put_npm(tmp_path, "sys.exit('a second time')")
    assert web_runtime() == NONE


@pytest.mark.skipif(os.name == "nt", reason="npm is a script with a first line here")
def test_what_npm_fetched_is_taken_only_if_it_was_published_so(published: bytes, tmp_path: Path) -> None:
    put_npm(tmp_path, f"(place / {runtime.ARCHIVE!r}).write_bytes({archive(b'other')!r})")
    with pytest.raises(DessinError, match="digest differs"):
        web_runtime()
    put_npm(tmp_path, "sys.exit('npm error network is unreachable')")
    with pytest.raises(DessinError, match=r"network is unreachable.*--runtime"):
        web_runtime()


def test_without_npm_it_says_what_to_carry_here(published: bytes) -> None:
    with pytest.raises(DessinError, match=r"no npm here.*npm pack onnxruntime-web@1\.30\.0.*--runtime"):
        web_runtime()


@pytest.mark.parametrize("place", ["", "dist", "node_modules/onnxruntime-web/dist", "archive"])
def test_it_is_taken_from_a_folder(
    published: bytes, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "carried" / ("" if place == "archive" else place)
    home.mkdir(parents=True)
    if place == "archive":
        (home / runtime.ARCHIVE).write_bytes(published)
    else:
        (home / FILES[0]).write_bytes(NONE.script)
        (home / FILES[1]).write_bytes(NONE.wasm)
    assert web_runtime(tmp_path / "carried") == NONE
    monkeypatch.setenv("DESSIN_RUNTIME", str(tmp_path / "carried"))
    assert web_runtime() == NONE


def test_another_version_and_an_empty_folder_are_refused(published: bytes, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="holds neither"):
        web_runtime(tmp_path)
    (tmp_path / FILES[0]).write_bytes(b"other")
    (tmp_path / FILES[1]).write_bytes(NONE.wasm)
    with pytest.raises(DessinError, match="No other version"):
        web_runtime(tmp_path)

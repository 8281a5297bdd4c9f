"""The code in the documentation is run as it stands; the ways to ask a model all say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from api_kit import serving
from exportable import World, make_world
from PIL import Image
from playwright._impl._driver import compute_driver_executable

import dessin
from dessin.files import sha256_file
from dessin.models.card import change_card
from dessin.models.network import describe
from dessin.recipe import make_recipe
from dessin.serving.export.verb import export
from dessin.studies.definition import read_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def pieces(page: str) -> list[tuple[str, str]]:
    """The language and the code of each block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


BLOCKS = pieces("docs/embed.md")
ADDRESS = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Desk:
    """A folder as the page has it: `result`, `model` and `drawing.png`; the server's address; the answer."""

    folder: Path
    address: str
    label: str
    probability: float


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("embed"))


@pytest.fixture(scope="module")
def exported(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model"
    export(world.bundle, out=out, data=world.data, split=world.split)
    return out


@pytest.fixture(scope="module")
def desk(world: World, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(exported, folder / "model")
    shutil.copytree(exported, folder / "result")
    shutil.copytree(world.data, folder / "drawings")
    drawing = Image.open(world.data / "house" / "03.png")
    # Neither square nor of the model's size.
    drawing.convert("RGB").resize((150, 90)).save(folder / "drawing.png")
    answer = dessin.load(folder / "result").predict(folder / "drawing.png")
    with serving(folder / "result") as server:
        yield Desk(folder, f"http://127.0.0.1:{server.port}", answer.label, answer.probability)
    torch.set_num_threads(threads)


def run(kind: str, code: str, desk: Desk) -> str:
    """What a piece prints."""
    done = subprocess.run(
        runner(kind, code.replace(ADDRESS, desk.address)),
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def runner(kind: str, code: str) -> list[str]:
    """How a piece is started; JavaScript by the Node that playwright brings along."""
    if kind == "js":
        return [str(compute_driver_executable()[0]), "--input-type=module", "-e", code]
    return ["bash", "-eu", "-c", code] if kind == "sh" else [sys.executable, "-W", "ignore", "-c", code]


@pytest.mark.parametrize(
    ("kind", "code"), BLOCKS, ids=[f"{number}-{kind}" for number, (kind, _) in enumerate(BLOCKS)]
)
def test_a_piece_of_the_page_says_what_the_model_says(kind: str, code: str, desk: Desk) -> None:
    if kind == "sh" and shutil.which("curl") is None:
        pytest.skip("no curl here")
    said = run(kind, code, desk)
    assert desk.label in said
    assert any(abs(float(found) - desk.probability) < 2e-3 for found in re.findall(r"0\.\d+|1\.0+", said))


def test_the_page_on_notebooks_and_the_readme_run(desk: Desk) -> None:
    """As one session each, as a reader would type them."""
    code = "".join(code for _, code in pieces("docs/notebooks.md"))
    run("python", f"{code}\nassert answer.label == {desk.label!r}", desk)
    for page in ("README.md", "README.ko.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        shown = [
            line.strip() for line in re.findall(r"^ {4}((?:import dessin|model).*)$", text, re.MULTILINE)
        ]
        assert len(shown) == 3
        run("python", "\n".join(shown), desk)


def test_the_recipe_and_the_study_of_the_documentation_are_read(tmp_path: Path) -> None:
    ((_, keys),) = pieces("docs/recipe.md")
    assert make_recipe(yaml.safe_load(keys)) == make_recipe({})
    dessin.recipes(copy=tmp_path / "mine")
    ((_, text),) = pieces("docs/studies.md")
    (tmp_path / "mine" / "studies" / "shown.yaml").write_text(text, encoding="utf-8")
    found = read_study(tmp_path / "mine" / "studies" / "shown.yaml", ())
    assert [level.name for level in found.levels] == ["none", "mixup", "cutmix"]


def test_no_piece_of_code_is_left_out() -> None:
    """`extend.md` and `hub.md` have tests of their own; that of the deployment parses command lines."""
    papers = [path for folder in (ROOT, ROOT / "docs", ROOT / "examples") for path in folder.glob("*.md")]
    having = {path.stem for path in papers if pieces(str(path.relative_to(ROOT)))}
    assert having == {"embed", "extend", "hub", "notebooks", "recipe", "studies"}


def test_every_way_of_the_page_was_tried() -> None:
    assert sorted({kind for kind, _ in BLOCKS}) == ["js", "python", "sh"]
    assert len(BLOCKS) == 5
    address = [code for kind, code in BLOCKS if "127.0.0.1" in code]
    assert all(ADDRESS in code for code in address)


@pytest.mark.parametrize("fit", ["letterbox", "squash", "crop"])
@pytest.mark.parametrize("size", [(150, 90), (33, 200), (32, 32), (7, 5)])
def test_the_page_without_dessin_gives_its_probabilities(
    fit: str, size: tuple[int, int], world: World, exported: Path, tmp_path: Path
) -> None:
    """The code of the page with a card that fits otherwise, which is in the file's own description too."""
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    card = dessin.load(folder).runtime.loaded.bundles["bundle"].card
    changed = change_card(folder, {"image": card.image.model_copy(update={"fit": fit}), "temperature": 1.7})
    model = onnx.load(folder / "model.onnx")
    for entry in model.metadata_props:
        if entry.key == "dessin.image":
            entry.value = describe(changed)["dessin.image"]
    onnx.save(model, folder / "model.onnx")
    change_card(folder, {"digests": {**card.digests, "weights": sha256_file(folder / "model.onnx")}})
    drawing = tmp_path / "drawing.png"
    Image.open(world.files[5]).convert("RGB").resize(size).save(drawing)
    code = next(code for kind, code in BLOCKS if "onnxruntime" in code)
    told: dict[str, object] = {}
    exec(code.replace('Path("model")', f"Path({str(folder)!r})").replace("drawing.png", str(drawing)), told)
    model_here = dessin.load(folder)
    answer = model_here.predict(drawing, top=3)
    classes = dict(zip(model_here.classes, np.asarray(told["found"]), strict=True))
    for candidate in answer.top:
        assert classes[candidate.label] == pytest.approx(candidate.probability, abs=1e-5)

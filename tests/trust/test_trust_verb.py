"""`dessin trust`: the whole card in one go, a budget that is kept, and the same command that goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.errors import DessinError
from dessin.page.html import PAGE_FILE
from dessin.progress import quiet
from dessin.runs.train import train
from dessin.trust.card.result import TrustCard
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.robustness.result import RobustnessResult
from dessin.trust.whole.verb import trust

pytestmark = pytest.mark.slow

PARTS = ("confidence", "mistakes", "labels", "robustness", "maps")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with apart(tmp_path_factory.mktemp("trust")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        for name, seed in (("run", 0), ("other", 1)):
            train(tiny_recipe("full", seed=seed), data=data, split=split, out=folder / name, threads=1)
        yield folder


@pytest.fixture(scope="module")
def whole(made: Path) -> Path:
    with quiet():
        trust(shutil.copytree(made / "run", made / "whole-run"), out=made / "whole", budget="10h")
    return made / "whole"


def files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_part_has_its_page_and_the_card_links_to_it_and_has_its_figures(whole: Path) -> None:
    page = (whole / PAGE_FILE).read_text()
    for name in PARTS:
        assert (whole / name / PAGE_FILE).is_file()
        assert f'href="{name}/{PAGE_FILE}"' in page
    card = TrustCard.read(whole)
    confidence = ConfidenceResult.read(whole / "confidence")
    assert card.numbers["calibration"] == confidence.calibration.ece.after
    assert card.numbers["robust"] == RobustnessResult.read(whole / "robustness").robust
    assert "holdout" not in card.numbers


def test_the_same_command_does_nothing_twice(made: Path, whole: Path) -> None:
    before = files(whole)
    trust(made / "whole-run", out=whole)
    assert files(whole) == before


def test_what_does_not_fit_is_named_with_its_command_and_made_when_there_is_time(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = shutil.copytree(made / "run", tmp_path / "run"), tmp_path / "out"
    said: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.whole.verb"), "say", said.append)
    card = trust(run, out=out, budget=0.01)
    assert not any((out / name).exists() for name in PARTS)
    assert "calibration" not in card.numbers
    page = (out / PAGE_FILE).read_text()
    for command in ("calibrate", "mistakes", "explain"):
        assert f"dessin {command} {run}" in page
        assert any(f"dessin {command} {run}" in line for line in said)
    assert f"dessin evaluate {run} --robustness" in page
    trust(run, out=out, budget="10h")
    assert all((out / name / PAGE_FILE).is_file() for name in PARTS)


def test_after_a_kill_it_goes_on_and_leaves_what_is_there(
    made: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = shutil.copytree(made / "whole-run", tmp_path / "run"), tmp_path / "out"
    shutil.copytree(whole, out)
    for gone in ("card.json", PAGE_FILE):
        (out / gone).unlink()
    shutil.rmtree(out / "labels")
    before = files(out)
    parts = import_module("dessin.trust.whole.parts")
    for verb in ("calibrate", "mistakes", "evaluate", "explain"):
        monkeypatch.setattr(parts, verb, None)
    trust(run, out=out, budget="10h")
    assert before.items() <= files(out).items()
    assert (out / "labels" / PAGE_FILE).is_file()


def test_a_part_that_is_not_possible_is_said_and_the_others_are_made(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise DessinError("Maps need a picture.")

    monkeypatch.setattr(import_module("dessin.trust.whole.parts"), "explain", refuse)
    run, out = shutil.copytree(made / "run", tmp_path / "run"), tmp_path / "out"
    trust(run, out=out, budget="10h")
    page = (out / PAGE_FILE).read_text()
    assert "Maps need a picture." in page
    assert 'href="maps/' not in page
    assert 'href="mistakes/' in page


def test_another_model_a_folder_in_use_and_no_budget_are_refused(
    made: Path, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(DessinError, match="another model"):
        trust(made / "other", out=whole)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        trust(made / "other", out=tmp_path / "used")
    with pytest.raises(DessinError, match="budget"):
        trust(made / "other", out=tmp_path / "new", budget="soon")
    assert not (tmp_path / "new").exists()

"""What comes with dessin to train by: listed with its figures, copied whole, and found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dessin import DessinError
from dessin.progress import quiet
from dessin.recipe import read_recipe
from dessin.recipes.verb import FOLDER, recipe_file, recipes
from dessin.studies.definition import read_study


def test_every_file_is_listed_with_a_sentence_and_a_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dessin.progress._quiet", False)
    found = recipes()
    assert {each.path for each in found} == set(FOLDER.rglob("*.yaml"))
    assert len({each.name for each in found}) == len(found)
    assert all(each.sentence[-1] in ".?" and each.expect for each in found)
    shown = " ".join(capsys.readouterr().out.split())
    for each in found:
        assert f" {each.name} {each.sentence} {each.expect}" in shown
    (first,) = (each for each in found if each.name == "lite0-128")
    assert first.kind == "recipe"
    assert "validation 47.2% [39.9, 54.9], n = 498" in first.expect


def test_a_head_comment_names_its_own_file() -> None:
    for each in recipes():
        text = each.path.read_text(encoding="utf-8")
        verb = "train" if each.kind == "recipe" else "study"
        assert each.name == "base-128" or f"#   dessin {verb} {each.name} --data" in text


def test_a_copy_is_whole_and_can_be_trained_by(tmp_path: Path) -> None:
    with quiet():
        recipes(copy=tmp_path / "mine")
        with pytest.raises(DessinError, match="not empty"):
            recipes(copy=tmp_path / "mine")
    for path in FOLDER.rglob("*.yaml"):
        assert (tmp_path / "mine" / path.relative_to(FOLDER)).read_bytes() == path.read_bytes()
    copied = read_study(tmp_path / "mine" / "studies" / "mixup.yaml")
    assert copied.recipes == read_study("mixup").recipes


def test_a_name_is_enough_and_a_file_of_ones_own_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_recipe(Path("probe-128")) == read_recipe(FOLDER / "probe-128.yaml")
    assert read_study("smoke").name == "smoke"
    own = tmp_path / "probe-128.yaml"
    own.write_text("seed: 7\n")
    assert recipe_file("probe-128.yaml") == Path("probe-128.yaml")
    assert recipe_file("probe-128") == FOLDER / "probe-128.yaml"


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("lite0-182", "recipe", 'Did you mean "lite0-128"'),
        ("mixupp", "study", 'Did you mean "mixup"'),
        ("mixup", "recipe", "Use dessin study"),
        ("lite0-128", "study", "Use dessin train"),
        ("recipes/lite0-128.yaml", "recipe", "Its name alone will do: lite0-128"),
    ],
)
def test_what_is_no_name_is_answered(given: str, kind: str, message: str) -> None:
    with pytest.raises(DessinError, match=message):
        recipe_file(given, kind)  # type: ignore[arg-type]


def test_a_path_of_ones_own_that_is_not_there_is_named() -> None:
    with pytest.raises(DessinError, match=r"There is no file mine\.yaml"):
        read_recipe(Path("mine.yaml"))

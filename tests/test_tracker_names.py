"""How trackers are named in a recipe."""

from __future__ import annotations

import pytest

from dessin.errors import DessinError
from dessin.recipe import make_recipe
from dessin.trackers import check_trackers, joined, read_tracker


def settings(text: str) -> dict[str, str]:
    return dict(read_tracker(text).settings)


def test_defaults_stay_on_the_machine() -> None:
    assert settings("tensorboard") == {}
    assert settings("wandb")["mode"] == "offline"
    assert settings("mlflow") == {"address": "", "experiment": "dessin"}


def test_settings_are_given_by_place_or_by_name() -> None:
    assert settings("wandb(online, sketches)") == settings('wandb(mode="online", project=sketches)')
    assert settings('mlflow("http://127.0.0.1:5000")')["address"] == "http://127.0.0.1:5000"
    assert settings('mlflow("sqlite:///all runs.db", experiment=x)')["experiment"] == "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tensorbord", 'Did you mean "tensorboard"'),
        ("tensorboard(1)", "It takes no settings"),
        ("tensorboard(folder=x)", 'Unknown setting of tensorboard: "folder"'),
        ("wandb(ofline)", 'Did you mean "offline"'),
        ("wandb(offline, mode=online)", "gives mode twice"),
        ("wandb(offline, projet=x)", 'Did you mean "project"'),
        ("mlflow(5000)", "The address of mlflow is 5000"),
        ('mlflow("")', "It is a text"),
        ('mlflow("127.0.0.1:5000")', "is no address for MLflow"),
        ('mlflow("http://")', "is no address for MLflow"),
        ('mlflow("http://[")', "is no address for MLflow"),
        ('mlflow("file:///runs")', "is no address for MLflow"),
        ('mlflow("sqlite:///")', "is no address for MLflow"),
        ("__import__('os')", "Unknown tracker"),
    ],
)
def test_what_cannot_be_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(DessinError) as error:
        read_tracker(text)
    assert words in str(error.value)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(DessinError) as error:
        read_tracker('mlflow("https://me:geheim@host")')
    assert "MLFLOW_TRACKING_PASSWORD" in str(error.value)
    assert "geheim" not in str(error.value)


def test_a_tracker_is_named_once() -> None:
    with pytest.raises(DessinError, match="wandb is named twice"):
        check_trackers(["wandb", "tensorboard", "wandb(online)"])


def test_the_command_line_replaces_the_recipe() -> None:
    assert joined(["wandb(offline)", "tensorboard"], ["wandb(online)"]) == ("wandb(online)", "tensorboard")
    assert joined(["tensorboard"], []) == ("tensorboard",)


def test_a_recipe_keeps_an_address_as_it_is() -> None:
    recipe = make_recipe({"track": ['mlflow("http://127.0.0.1:5000", experiment=drawings)']})
    assert settings(recipe.track[0]) == {"address": "http://127.0.0.1:5000", "experiment": "drawings"}


def test_a_recipe_says_where_a_tracker_is_wrong() -> None:
    with pytest.raises(DessinError, match=r'mine\.yaml, key track: Unknown tracker: "tensorbord"') as error:
        make_recipe({"track": ["tensorbord"]}, where="mine.yaml")
    assert 'Did you mean "tensorboard"' in str(error.value)
    with pytest.raises(DessinError, match='Did you mean "offline"'):
        make_recipe({"track": ["wandb(ofline)"]})

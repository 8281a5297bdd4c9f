"""The study file: what is refused, by name, and what levels become."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from study_kit import TINY, study_file

from dessin.errors import DessinError
from dessin.studies.definition import read_study
from dessin.studies.levels import apply_changes, merged, slug, touched
from dessin.studies.plan import questions

GRID = {
    "depth": {"all": {}, "head": {"finetune": {"mode": "probe"}}},
    "lr": {"usual": {}, "small": {"optimizer": {"lr": 1e-3}}},
}


def test_levels_merge_sections_and_append_to_lists(tmp_path: Path) -> None:
    levels = {
        "none": {},
        "more": {"augment+": ["rotate(15)"], "train": {"epochs": 2}},
        "other": {"augment": ["vflip"]},
    }
    study = read_study(study_file(tmp_path / "s.yaml", levels=levels))
    assert study.base == "none"
    assert study.recipes["none"] == study.recipe
    assert study.recipes["more"].augment == ("hflip", "rotate(15)")
    assert study.recipes["more"].train.epochs == 2
    assert study.recipes["more"].train.batch_size == 8
    assert study.recipes["other"].augment == ("vflip",)
    assert study.text == (tmp_path / "s.yaml").read_text()


def test_the_recipe_may_be_a_file_beside_it_and_overrides_come_before_levels(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(TINY | {"data": {"path": "x", "split": "y"}}))
    path = study_file(tmp_path / "studies" / "s.yaml", recipe="../base.yaml")
    study = read_study(path, ["train.epochs=7", "optimizer.lr=0.5"])
    assert {recipe.train.epochs for recipe in study.recipes.values()} == {7}
    assert [study.recipes[name].optimizer.lr for name in ("usual", "small")] == [0.5, 1e-3]
    assert study.recipe.data.path is None
    inline = read_study(study_file(tmp_path / "t.yaml"), ["train.epochs=7", "optimizer.lr=0.5"])
    assert inline.recipes == study.recipes


def test_a_grid_has_every_pair_and_its_main_effects(tmp_path: Path) -> None:
    study = read_study(study_file(tmp_path / "s.yaml", factor=None, levels=None, grid=GRID))
    names = [level.name for level in study.levels]
    assert names == [
        "depth=all, lr=usual",
        "depth=all, lr=small",
        "depth=head, lr=usual",
        "depth=head, lr=small",
    ]
    assert study.base == names[0]
    assert study.factors == ("depth", "lr")
    last = study.recipes[names[3]]
    assert (last.finetune.mode, last.optimizer.lr) == ("probe", 1e-3)
    simple, effects = questions(study.levels, study.factors, study.base)
    assert [question.name for question in simple] == names[1:]
    assert [question.name for question in effects] == ["depth=head", "lr=small"]
    assert effects[0].weights == {names[2]: 0.5, names[3]: 0.5, names[0]: -0.5, names[1]: -0.5}


TWO = {"usual": {}, "small": {"optimizer": {"lr": 1e-3}}}
REFUSED = [
    ({"hypotesis": "x"}, 'Did you mean "hypothesis"'),
    ({"hypothesis": "  "}, "hypothesis: "),
    ({"hypothesis": None}, "hypothesis"),
    ({"topic": "philosophy"}, "topic"),
    ({"levels": {"only": {}}}, "rate has 1 level"),
    ({"levels": None}, "a factor with levels, or a grid"),
    ({"levels": {"usual": {}, "same": {}}}, 'level "same" changes nothing'),
    ({"levels": {"usual": {}, "same": {"optimizer": {"lr": 2e-3}}}}, 'level "same" changes nothing'),
    (
        {"levels": {**TWO, "tiny": {"optimizer": {"lr": 0.001}}}},
        'the levels "small" and "tiny" collide',
    ),
    ({"levels": {**TWO, "x": {"optimzer": {"lr": 1.0}}}}, 'level "x": "optimzer". It must be one of'),
    ({"levels": {**TWO, "x": {"optimizer": {"lr": "fast"}}}}, 'level "x", key optimizer.lr'),
    (
        {"levels": {**TWO, "x": {"model": {"backbone": "tf_efficientnet_lit0"}}}},
        'level "x": Unknown backbone',
    ),
    ({"levels": {**TWO, "x": {"augment+": "hflip"}}}, 'the value of "augment+" is no list'),
    ({"levels": {**TWO, "x": {"loss+": ["focal"]}}}, 'the recipe\'s "loss" is no list'),
    ({"levels": {**TWO, "x": {"augment": [], "augment+": ["vflip"]}}}, 'both "augment" and "augment+"'),
    *(
        ({"levels": {**TWO, "x": changes}}, "belongs to the study")
        for changes in (
            {"seed": 3},
            {"track": ["tensorboard"]},
            {"track+": ["tensorboard"]},
            {"data": {"fold": 1}},
            {"data": {"path": "elsewhere"}},
            {"data": {"split": "other.csv"}},
            {"data": None},
        )
    ),
    ({"levels": {**TWO, True: {"train": {"epochs": 3}}}}, "in quotes"),
    (
        {"levels": {"usual": {}, "a b": {"train": {"epochs": 2}}, "a-b": {"train": {"epochs": 3}}}},
        '"a b" and "a-b" would share the folder "a-b"',
    ),
    ({"levels": {"usual": {}, "!!": {"train": {"epochs": 2}}}}, '"!!" cannot name a folder'),
    ({"base": "unusual"}, 'Did you mean "usual"'),
    ({"seeds": [0, 1, 0]}, "seeds: Value error, 0 is there twice"),
    ({"seeds": []}, "at least one"),
    ({"seeds": [-1]}, "seeds"),
    ({"folds": [1, 1]}, "1 is there twice"),
    ({"folds": "some"}, "folds"),
    ({"matters": 0}, "matters"),
    ({"grid": GRID}, "not both"),
    ({"factor": None, "levels": None, "grid": {"depth": GRID["depth"]}}, "a grid has two factors"),
    (
        {"factor": None, "levels": None, "grid": {"lr": GRID["lr"], "rate": TWO}},
        "both lr and rate change optimizer.lr",
    ),
    ({"recipe": {"train": {"epochs": 0}}}, "recipe, key train.epochs"),
    ({"recipe": "nowhere.yaml"}, "There is no file"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_refused_is_named(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(DessinError) as caught:
        read_study(study_file(tmp_path / "s.yaml", **changes))
    assert said in str(caught.value)
    if "nowhere" not in said and "file" not in said:
        assert "s.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("levels: {a: {}, b: {loss: focal}, a: {}}", '"a" is there twice'),
        ("a: [", "not valid YAML"),
        ("- 1", "holds list"),
        ("", "holds nothing"),
        ("recipe: !!python/object/apply:os.getcwd []", "reads no tags"),
    ],
)
def test_yaml_that_would_lose_a_level_or_run_code_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(DessinError, match=said):
        read_study(tmp_path / "s.yaml")


def test_a_rate_written_out_is_the_usual_one(tmp_path: Path) -> None:
    """What the defaults would choose, written down, is no change."""
    recipe = {key: value for key, value in TINY.items() if key != "optimizer"}
    levels = {"open": {}, "written": {"optimizer": {"weight_decay": 0.05}}}
    with pytest.raises(DessinError, match='"written" changes nothing'):
        read_study(study_file(tmp_path / "s.yaml", recipe=recipe, levels=levels))


LEAVES = st.one_of(st.integers(), st.lists(st.integers(), max_size=2))
TREES = st.dictionaries(
    st.sampled_from("abc"), st.one_of(LEAVES, st.dictionaries(st.sampled_from("xyz"), LEAVES)), max_size=3
)


@given(TREES, TREES)
def test_changes_take_hold_and_leave_the_rest(values: dict[str, object], changes: dict[str, object]) -> None:
    result = apply_changes(values, changes, "here")
    assert apply_changes(result, changes, "here") == result
    assert apply_changes(values, {}, "here") == values
    assert result.keys() == values.keys() | changes.keys()
    for key in values.keys() - changes.keys():
        assert result[key] == values[key]


@given(TREES, TREES)
def test_merged_changes_act_like_one_after_the_other(
    first: dict[str, object], second: dict[str, object]
) -> None:
    clash = {a for a in touched(first) for b in touched(second) if a.startswith(b) or b.startswith(a)}
    if not clash:
        base: dict[str, object] = {key: {} for key in "abc"}
        one_by_one = apply_changes(apply_changes(base, first, "here"), second, "here")
        assert apply_changes(base, merged(first, second), "here") == one_by_one


def test_slugs_are_plain_folder_names() -> None:
    assert slug("depth=Stage 4, lr=0.01") == "depth=stage-4-lr=0.01"
    assert slug("../../etc") == "etc"
    assert slug("détail/ö") == "détail-ö"

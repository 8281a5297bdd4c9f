"""What a study's levels change in its recipe; and which of a team's usual questions they touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from dessin.language import tr
from dessin.ops import parse_op
from dessin.recipe import UNSAID
from dessin.runs.record import RunRecord
from dessin.studies.levels import apply_changes
from dessin.studies.result import Level, StudyRecord

_MIXING = frozenset({"mixup", "cutmix", "mixup_or_cutmix"})
_POLICIES = frozenset({"autoaugment", "randaugment", "trivialaugment", "augmix"})
# A recipe as dotted keys; lists are values.
Recipe = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One key of a level's recipe that is not the base's; of lists, what was added and what left out."""

    key: str
    text: str


def level_recipe(study: StudyRecord, level: Level) -> Recipe:
    """The recipe of a level as dotted keys; lists are values."""
    return UNSAID | _flat(apply_changes(study.recipe, level.changes, f'{study.name}, level "{level.name}"'))


def base_level(study: StudyRecord) -> Level:
    return next(level for level in study.levels if level.name == study.base)


def changes(study: StudyRecord, level: Level) -> tuple[Change, ...]:
    """What differs between a level's recipe and the base's, in the base's order of keys."""
    before, after = level_recipe(study, base_level(study)), level_recipe(study, level)
    return tuple(
        Change(key, _difference(before.get(key), after.get(key))) for key in differing_keys(before, after)
    )


def varied(study: StudyRecord) -> tuple[Change, ...]:
    """The keys that any level changes, with the base's value of each."""
    base = level_recipe(study, base_level(study))
    keys = {change.key: None for level in study.levels for change in changes(study, level)}
    return tuple(Change(key, in_words(base.get(key))) for key in keys)


def recipe_values(record: RunRecord) -> Recipe:
    """What can change a result in a run's recipe; not where the files lay, the fold, the seed or trackers."""
    flat = _flat(record.recipe.model_dump(mode="json", exclude={"seed", "track", "data"}))
    return UNSAID | flat | {"data.training_curation": record.recipe.data.training_curation}


def differing_keys(before: Recipe, after: Recipe) -> list[str]:
    return [key for key in (before | after) if before.get(key) != after.get(key)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Recipe:
    flat: Recipe = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = list(value) if isinstance(value, (list, tuple)) else value
    return flat


def _difference(before: Any, after: Any) -> str:
    if not (isinstance(before, list) and isinstance(after, list)):
        return in_words(after)
    changed = added_and_gone(before, after, in_words)
    whole = not after or not changed or len(changed) > max(len(after), 2)
    return in_words(after) if whole else ", ".join(changed)


def in_words(value: Any) -> str:
    """A recipe's value as it would be written in YAML; nothing at all is `none`."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list):
        return ", ".join(in_words(entry) for entry in value)
    if isinstance(value, (bool, Mapping)):
        return yaml.safe_dump(value, default_flow_style=True, sort_keys=False).removesuffix("\n...\n").strip()
    return str(value)


def _key(*keys: str) -> Callable[[Recipe], str]:
    def value(recipe: Recipe) -> str:
        found = [in_words(recipe.get(key)) for key in keys]
        return found[0] if len(set(found)) == 1 else ", ".join(found)

    return value


def _ops(wanted: Callable[[str], bool]) -> Callable[[Recipe], str]:
    def value(recipe: Recipe) -> str:
        return ", ".join(op for op in _all_ops(recipe) if wanted(parse_op(op).name)) or "none"

    return value


def _all_ops(recipe: Recipe) -> list[str]:
    """Every op that the recipe names: those of every epoch, of copies, and of later stages."""
    ops = [*(recipe.get("augment") or []), *(op for copy in recipe.get("copies") or [] for op in copy)]
    return ops + [op for key, late in recipe.items() if key.startswith("stages.") for op in late]


def _clahe(recipe: Recipe) -> str:
    always = "on every image" if recipe.get("image.clahe") else ""
    at_random = _ops(lambda name: name == "clahe")(recipe)
    return always or ("none" if at_random == "none" else f"at random, {at_random}")


def _backbone(recipe: Recipe) -> str:
    return " + ".join(map(in_words, (recipe.get("model.backbone"), *(recipe.get("model.beside") or []))))


def _depth(recipe: Recipe) -> str:
    keys = ("finetune.mode", "finetune.stages", "finetune.last_blocks", "finetune.lora_rank")
    return " ".join(in_words(recipe[key]) for key in keys if recipe.get(key) is not None)


def _dropped(recipe: Recipe) -> str:
    rates = {name: recipe.get(f"model.{name}") for name in ("drop_rate", "drop_path", "drop_block")}
    return ", ".join(f"{name} {rate}" for name, rate in rates.items() if rate) or "none"


QUESTIONS: dict[str, Callable[[Recipe], str]] = {
    "cleaning": _key("data.curation", "data.training_curation"),
    "colour": _key("image.colour"),
    "image size": _key("image.size"),
    "fit into the square": _key("image.fit"),
    "page of a photograph": _key("image.page"),
    "CLAHE": _clahe,
    "augmentation": _ops(lambda name: name not in _MIXING | _POLICIES | {"clahe"}),
    "mixing (MixUp, CutMix)": _ops(_MIXING.__contains__),
    "AutoAugment and other policies": _ops(_POLICIES.__contains__),
    "backbone": _backbone,
    "fine-tuning depth": _depth,
    "loss": _key("loss"),
    "optimiser": _key("optimizer.name"),
    "learning rate": _key("optimizer.lr"),
    "batch size": _key("train.batch_size"),
    "dropout, drop path and drop block": _dropped,
}


def question_name(question: str) -> str:
    """A usual question as it is called for people."""
    return {
        "cleaning": tr("cleaning"),
        "colour": tr("colour"),
        "image size": tr("image size"),
        "fit into the square": tr("fit into the square"),
        "page of a photograph": tr("page of a photograph"),
        "CLAHE": tr("CLAHE"),
        "augmentation": tr("augmentation"),
        "mixing (MixUp, CutMix)": tr("mixing (MixUp, CutMix)"),
        "AutoAugment and other policies": tr("AutoAugment and other policies"),
        "backbone": tr("backbone"),
        "fine-tuning depth": tr("fine-tuning depth"),
        "loss": tr("loss"),
        "optimiser": tr("optimiser"),
        "learning rate": tr("learning rate"),
        "batch size": tr("batch size"),
        "dropout, drop path and drop block": tr("dropout, drop path and drop block"),
        "ensemble": tr("ensemble"),
    }[question]


def answers(study: StudyRecord) -> dict[str, tuple[str, ...]]:
    """Each usual question → the values that the study's levels have, the base's first; one: held fixed."""
    levels = sorted(study.levels, key=lambda level: level.name != study.base)
    recipes = [level_recipe(study, level) for level in levels]
    return {name: tuple(dict.fromkeys(map(value, recipes))) for name, value in QUESTIONS.items()}


def added_and_gone(before: Sequence[Any], after: Sequence[Any], written: Callable[[Any], str]) -> list[str]:
    """What a list adds to another and what it lacks of it: `+ cutmix(1.0)`, `− hflip`."""
    added = [f"+ {written(entry)}" for entry in after if entry not in before]
    return added + [f"− {written(entry)}" for entry in before if entry not in after]

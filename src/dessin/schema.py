"""The base of every typed settings section: frozen, and unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dessin.errors import DessinError, quoted, unknown


class Section(BaseModel):
    """A frozen group of settings; every key is typed and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Model = TypeVar("Model", bound=Section)
_MANY = 1000  # wrong values


def validated(model: type[Model], values: Mapping[str, object], where: str) -> Model:
    """Validate `values`; the first problem becomes a `DessinError` that names the key and its file."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explained(model, error, where) from None


def changed(section: Model, values: Mapping[str, object], where: str) -> Model:
    """A copy of a section with some values replaced, validated again."""
    own = {name: getattr(section, name) for name in type(section).model_fields}
    return validated(type(section), own | dict(values), where)


def flattened(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Mappings within mappings as one, under dotted names."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flattened(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


class NewerFormat(DessinError):  # noqa: N818 (a state of a file, not a fault of it)
    """A file of a newer dessin, which this one leaves as it is."""


def versioned(model: type[Model], values: object, where: str, newest: int, *, what: str) -> Model:
    """Validate the content of a JSON file, `what` it is in words, with a format number of at most `newest`.

    Raises:
        DessinError: no object, a newer format or none, or what `validated` refuses.
    """
    version = values.get("format") if isinstance(values, dict) else None
    if not isinstance(values, dict) or not isinstance(version, int) or isinstance(version, bool):
        raise DessinError(
            f"{where} has no format number, so it is not {what}, or a damaged one.", do="Make it anew."
        )
    if version > newest:
        raise NewerFormat(
            f"{where} has format {version}, written by a newer dessin.",
            allowed=f"This version of dessin reads up to format {newest}.",
            do="Update dessin.",
        )
    return validated(model, values, where)


def check_key(model: type[Section], path: Sequence[str], value: object, where: str) -> None:
    """Refuse a key that is none, or a value that it cannot have whatever the other keys hold.

    Raises:
        DessinError: it names `where` the key was given, not the file that the rest comes from.
    """
    values: object = value
    for part in reversed(path):
        values = {part: values}
    try:
        model.model_validate(values)
    except DessinError:
        # Perhaps right beside other values than the defaults; if not, the whole is refused in these words.
        return
    except ValidationError as error:
        for each in error.errors(include_url=False):
            at = [str(part) for part in each["loc"]]
            # The same holds for what the validator of a whole section refuses.
            if at[: len(path)] == list(path) or (
                list(path[: len(at)]) == at and each["type"] not in ("value_error", "assertion_error")
            ):
                raise _refused(model, each, where, ".".join(path)) from None


def _explained(model: type[Section], error: ValidationError, where: str) -> DessinError:
    if error.error_count() > _MANY:
        # To tell them apart takes ten times as long as to find them.
        return DessinError(f"{where}: {error.error_count():,} values are wrong.", do="Make it anew.")
    return _refused(model, error.errors(include_url=False)[0], where)


def _refused(model: type[Section], first: ErrorDetails, where: str, given: str = "") -> DessinError:
    """Why; `given` is the key that `where` shows already."""
    path = [quoted(part, 60) for part in first["loc"]]
    key = quoted(".".join(path))
    if first["type"] == "extra_forbidden":
        return unknown(f"key in {where}", key, _siblings(model, path[:-1]), meant=_elsewhere(model, path[-1]))
    place = where if key == given else f"{where}, key {key or '(top)'}"
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, DessinError):
        return DessinError(f"{place}: {inner.seen}", allowed=inner.allowed, do=inner.do)
    value = quoted(first["input"])
    value = f'"{value}"' if isinstance(first["input"], str) else value
    if first["type"] in ("model_type", "model_attributes_type"):
        keys = quoted(", ".join(_siblings(model, path)), 400)
        seen = f"{place}: it is a section of keys; the value was {value}."
        return DessinError(seen, allowed=f"Its keys: {keys}." if keys else "", do="Correct it and run again.")
    seen = f"{place}: {quoted(first['msg'], 300)}; the value was {value}."
    return DessinError(seen, do="Correct the value and run again.")


def _elsewhere(model: type[Section], name: str) -> tuple[str, ...]:
    """Keys of inner sections with that last name, under their dotted names."""
    return tuple(
        dotted
        for part, field in model.model_fields.items()
        if isinstance(kind := field.annotation, type) and issubclass(kind, Section)
        for dotted in _siblings(model, [part])
        if dotted.rpartition(".")[2] == name
    )


def _siblings(model: type[Section], path: list[str]) -> list[str]:
    """The keys of the section at a path, under their dotted names; none inside a list or another mapping."""
    current: type[Section] = model
    for part in path:
        field = current.model_fields.get(part)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, Section)):
            return []
        current = kind
    prefix = ".".join(path)
    names = (field.alias or name for name, field in current.model_fields.items())
    return [f"{prefix}.{name}" if prefix else name for name in names]

"""The base of every typed settings section: frozen, and unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dessin.errors import DessinError, quoted, unknown


class Section(BaseModel):
    """A frozen group of settings; every key is typed and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Model = TypeVar("Model", bound=Section)


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


def _explained(model: type[Section], error: ValidationError, where: str) -> DessinError:
    first = error.errors(include_url=False)[0]
    path = [quoted(part, 60) for part in first["loc"]]
    key = quoted(".".join(path))
    if first["type"] == "extra_forbidden":
        return unknown(f"key in {where}", key, _siblings(model, path[:-1]))
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, DessinError):
        return DessinError(f"{where}, key {key}: {inner.seen}", allowed=inner.allowed, do=inner.do)
    value = quoted(first["input"])
    value = f'"{value}"' if isinstance(first["input"], str) else value
    seen = f"{where}, key {key or '(top)'}: {quoted(first['msg'], 300)}; the value was {value}."
    return DessinError(seen, do="Correct the value and run again.")


def _siblings(model: type[Section], path: list[str]) -> list[str]:
    current: type[Section] = model
    for part in path:
        field = current.model_fields.get(part)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, Section)):
            break
        current = kind
    prefix = ".".join(path)
    names = (field.alias or name for name, field in current.model_fields.items())
    return [f"{prefix}.{name}" if prefix else name for name in names]

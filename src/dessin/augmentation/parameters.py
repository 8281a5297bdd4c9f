"""Parameters of augmentation ops: numbers with a range or words from a list, bound to what a recipe says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dessin.errors import DessinError, unknown
from dessin.ops import Op, Value

# single: numbers for the element of the same name; several: actions; blend: chains; mixing: a mixing plan.
Kind = Literal["single", "several", "blend", "mixing"]


@dataclass(frozen=True)
class Parameter:
    """A number between `low` and `high` (both allowed), or one of `words`; without a default it is needed.

    At `neutral` it does nothing. A `whole` one takes no fractions.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    default: float | None = None
    neutral: float | None = None
    whole: bool = False
    words: tuple[str, ...] = ()

    def describe(self) -> str:
        if self.words:
            return f"{self.name} one of {', '.join(self.words)}"
        default = "" if self.default is None else f" (default {self.default:g})"
        return f"{self.name} from {self.low:g} to {self.high:g}{default}"


@dataclass(frozen=True)
class OpSpec:
    """An op: what it does, its parameters, and how its draws (n, columns) in [0, 1) become what is done.

    `sample(draws, *values)` gives what `kind` says. `seeded` ops also get a seed an image, for draws a pixel.
    A last parameter `p` is how likely an image is to get the op at all; it is not among the values.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    columns: int
    sample: Callable[..., Any]
    kind: Kind = "single"
    seeded: bool = False

    def signature(self) -> str:
        return f"{self.name}({', '.join(parameter.name for parameter in self.parameters)})"


@dataclass(frozen=True)
class BoundOp:
    """An op of the table with a value for every parameter in the order of the signature, but for `p`."""

    spec: OpSpec
    values: tuple[float | str, ...]
    p: float = 1.0


def bind(op: Op, spec: OpSpec) -> BoundOp:
    """Give every parameter of an op its value.

    Raises:
        DessinError: a value is missing, unknown, out of its range, or the op would do nothing.
    """
    names = [parameter.name for parameter in spec.parameters]
    if len(op.args) > len(names):
        raise _refused(op, spec, f"{len(op.args)} values were given")
    given = dict(zip(names, op.args, strict=False))
    for key, value in op.kwargs:
        if key not in names:
            raise _refused(op, spec, f"it has no parameter {key}")
        if key in given:
            raise _refused(op, spec, f"{key} was given twice")
        given[key] = value
    values = {
        parameter.name: _value(op, spec, parameter, given.get(parameter.name))
        for parameter in spec.parameters
    }
    if "low" in values and values["low"] > values["high"]:  # type: ignore[operator]
        raise _refused(op, spec, f"low is {values['low']:g} and high is {values['high']:g}")
    if _does_nothing(spec, values):
        raise _refused(op, spec, "with these values it does nothing")
    p = values.pop("p", 1.0)
    return BoundOp(spec, tuple(values.values()), float(p))


def _does_nothing(spec: OpSpec, values: dict[str, float | str]) -> bool:
    strengths = [parameter for parameter in spec.parameters if parameter.neutral is not None]
    return values.get("p") == 0 or (
        bool(strengths) and all(values[parameter.name] == parameter.neutral for parameter in strengths)
    )


def _value(op: Op, spec: OpSpec, parameter: Parameter, value: Value | None) -> float | str:
    value = parameter.default if value is None else value
    if value is None:
        raise _refused(op, spec, f"{parameter.name} is missing")
    if parameter.words:
        return _word(spec, parameter, value)
    if isinstance(value, (bool, str)):
        raise _refused(op, spec, f"{parameter.name} is {value!r}, and a number is needed")
    if parameter.whole and value % 1 != 0:
        raise _refused(op, spec, f"{parameter.name} is {value:g}, and a whole number is needed")
    # Written so that NaN is refused as well.
    if not parameter.low <= value <= parameter.high:
        raise _refused(op, spec, f"{parameter.name} is {value:g}")
    return float(value)


def _word(spec: OpSpec, parameter: Parameter, value: Value) -> str:
    if value in parameter.words:
        return str(value)
    raise unknown(f"{parameter.name} of {spec.name}", value, parameter.words)


def _refused(op: Op, spec: OpSpec, reason: str) -> DessinError:
    ranges = "; ".join(parameter.describe() for parameter in spec.parameters)
    return DessinError(
        f'The augmentation "{op}" cannot be used: {reason}.',
        allowed=f"It is written {spec.signature()}: {ranges}.",
        do="Correct it in the recipe.",
    )

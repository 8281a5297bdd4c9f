"""The table of augmentation ops: names, parameters with their ranges, and what each op computes.

A new op is one small function and one line in `OPS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dessin.augment import geometry
from dessin.augment.geometry import Matrices
from dessin.errors import DessinError, unknown
from dessin.ops import Op, Value, parse_op


@dataclass(frozen=True)
class Parameter:
    """A number between `low` and `high` (both allowed); without a default it must be given."""

    name: str
    low: float
    high: float
    default: float | None = None

    def describe(self) -> str:
        default = "" if self.default is None else f" (default {self.default:g})"
        return f"{self.name} from {self.low:g} to {self.high:g}{default}"


@dataclass(frozen=True)
class OpSpec:
    """An op: what it does, its parameters, and `matrices(draws (N, columns), *values) -> (N, 3, 3)`."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    columns: int
    matrices: Callable[..., Matrices]

    def signature(self) -> str:
        return f"{self.name}({', '.join(parameter.name for parameter in self.parameters)})"


@dataclass(frozen=True)
class BoundOp:
    """An op of the table with a value for every parameter, in the order of the signature."""

    spec: OpSpec
    values: tuple[float, ...]


_TABLE = (
    OpSpec("hflip", "mirror left and right", (Parameter("p", 0, 1, 0.5),), 1, geometry.hflip),
    OpSpec("rotate", "turn by up to ±degrees", (Parameter("degrees", 0, 180),), 1, geometry.rotate),
    OpSpec(
        "translate",
        "shift by up to ±fraction of the side",
        (Parameter("fraction", 0, 1),),
        2,
        geometry.translate,
    ),
    OpSpec(
        "scale",
        "resize by low to high",
        (Parameter("low", 0.1, 1), Parameter("high", 1, 10)),
        1,
        geometry.scale,
    ),
)
OPS: dict[str, OpSpec] = {spec.name: spec for spec in _TABLE}


def check_ops(ops: tuple[str, ...]) -> tuple[str, ...]:
    """The ops in their canonical spelling.

    Raises:
        DessinError: an unknown op (the nearest is named), or a value outside its parameter's range.
    """
    return tuple(str(_checked(text)[0]) for text in ops)


def bind_op(text: str) -> BoundOp:
    """Read one op of a recipe and give every parameter its value; raises like `check_ops`."""
    return _checked(text)[1]


def _checked(text: str) -> tuple[Op, BoundOp]:
    op = parse_op(text)
    if op.name not in OPS:
        raise unknown("augmentation", op.name, OPS)
    spec = OPS[op.name]
    return op, BoundOp(spec, _bind(op, spec))


def _bind(op: Op, spec: OpSpec) -> tuple[float, ...]:
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
    return tuple(_value(op, spec, parameter, given.get(parameter.name)) for parameter in spec.parameters)


def _value(op: Op, spec: OpSpec, parameter: Parameter, value: Value | None) -> float:
    value = parameter.default if value is None else value
    if value is None:
        raise _refused(op, spec, f"{parameter.name} is missing")
    if isinstance(value, (bool, str)):
        raise _refused(op, spec, f"{parameter.name} is {value!r}, and a number is needed")
    # Written so that NaN is refused as well.
    if not parameter.low <= value <= parameter.high:
        raise _refused(op, spec, f"{parameter.name} is {value:g}")
    return float(value)


def _refused(op: Op, spec: OpSpec, reason: str) -> DessinError:
    ranges = "; ".join(parameter.describe() for parameter in spec.parameters)
    return DessinError(
        f'The augmentation "{op}" cannot be used: {reason}.',
        allowed=f"It is written {spec.signature()}: {ranges}.",
        do="Correct it in the recipe.",
    )

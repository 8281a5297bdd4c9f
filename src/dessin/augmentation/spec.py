"""What an augmentation op is: parameters with their ranges, how it is drawn, and what it then does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, quoted, unknown
from dessin.ops import Op, Value

Rows = NDArray[np.int64]
Seeds = NDArray[np.int64]
Numbers = NDArray[np.float64]
Matrices = NDArray[np.float64]


@dataclass(frozen=True)
class Act:
    """What is done to an image with its numbers, by exactly one of three.

    Attributes:
        caption: a format over the numbers for people; `most` is the largest of them.
        matrices: geometry, numbers (n, k) → (n, 3, 3).
        points: geometry by a displacement field, the side of its grid of control points.
        pixels: `module:function` of a pixel function (see `photometric`), imported when it first acts.
    """

    caption: str
    matrices: Callable[[Numbers], Matrices] | None = None
    points: int = 0
    pixels: str = ""

    @property
    def moves(self) -> bool:
        """Whether it moves points, so that the image must be resampled."""
        return not self.pixels


@dataclass(frozen=True, eq=False)
class Action:
    """One act, by its name, on some images of a batch.

    `rows` (n,) int64, ascending; `numbers` (n, k) float64, one line an image; `seeds` (n,) int64 for acts
    that draw for every pixel.
    """

    act: str
    rows: Rows
    numbers: Numbers
    seeds: Seeds = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def at(self, rows: Rows) -> Action:
        """The same action where image i of its batch is image `rows[i]` of a larger one."""
        return replace(self, rows=rows[self.rows])


# What a compound op draws: actions; chains of them with their weights; or a mixing plan.
Compound = Literal["several", "blend", "mixing"]


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


def unchanged(draws: Numbers) -> Numbers:
    """No draws, no numbers, (n, 0)."""
    return draws


@dataclass(frozen=True)
class OpSpec:
    """An op: what it does in words, its parameters, how it is drawn, and its act.

    Attributes:
        parameters: a last one `p` is how likely an image is to get the op at all; it is not among the values.
        act: what is done with the numbers that are drawn, or of a compound op what it draws instead.
        columns: how many draws an image takes.
        draw: `draw(draws, *values)`, with draws (n, columns) in [0, 1), gives the numbers (n, k) of the act;
            of compound ops a list of actions, chains with their weights, or (with the size after the draws)
            a mixing plan.
        seeded: whether the act also needs a seed an image, for draws a pixel.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    act: Act | Compound
    columns: int = 0
    draw: Callable[..., Any] = unchanged
    seeded: bool = False

    @property
    def kind(self) -> Literal["single", "several", "blend", "mixing"]:
        """Whether it is one act, or what else."""
        return "single" if isinstance(self.act, Act) else self.act

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
            raise _refused(op, spec, f"it has no parameter {quoted(key)}")
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
        if value not in parameter.words:
            raise unknown(f"{parameter.name} of {spec.name}", value, parameter.words)
        return str(value)
    if isinstance(value, (bool, str)):
        raise _refused(op, spec, f"{parameter.name} is {quoted(value)!r}, and a number is needed")
    if parameter.whole and value % 1 != 0:
        raise _refused(op, spec, f"{parameter.name} is {value:g}, and a whole number is needed")
    # Written so that NaN is refused as well.
    if not parameter.low <= value <= parameter.high:
        raise _refused(op, spec, f"the value of {parameter.name} is {value:g}")
    return float(value)


def _refused(op: Op, spec: OpSpec, reason: str) -> DessinError:
    ranges = "; ".join(parameter.describe() for parameter in spec.parameters)
    return DessinError(
        f'The augmentation "{quoted(str(op))}" cannot be used: {reason}.',
        allowed=f"It is written {spec.signature()}: {ranges}.",
        do="Correct it in the recipe.",
    )

"""The table of augmentation ops: names, parameters with their ranges, and how each is drawn.

A new op is one line here, one in `elements`, and a function for each.
"""

from __future__ import annotations

from dessin.augmentation import mix_plan, policies, sampling
from dessin.augmentation.geometry import ELASTIC_POINTS, WOBBLE_POINTS, control_points, field_columns
from dessin.augmentation.parameters import BoundOp, OpSpec, Parameter, bind
from dessin.augmentation.policies import POLICIES
from dessin.errors import unknown
from dessin.ops import Op, parse_op


def _strength(name: str, high: float, *, default: float | None = None) -> Parameter:
    return Parameter(name, 0.0, high, default, neutral=0.0)


def _factors(low: float, high: float) -> tuple[Parameter, Parameter]:
    return Parameter("low", low, 1.0, neutral=1.0), Parameter("high", 1.0, high, neutral=1.0)


_ALWAYS = Parameter("p", 0.0, 1.0, 1.0)
_HALF = Parameter("p", 0.0, 1.0, 0.5)
_DEGREES, _SHEAR, _SHIFT = _strength("degrees", 180), _strength("degrees", 60), _strength("fraction", 1)
_CROP = (Parameter("low", 0.1, 1.0, neutral=1.0), Parameter("high", 0.1, 1.0, 1.0, neutral=1.0))
_AFFINE = (_DEGREES, _strength("translate", 1), *_factors(0.1, 10), _strength("shear", 60, default=0.0))
_JITTER = (
    _strength("brightness", 1),
    _strength("contrast", 1, default=0.0),
    _strength("saturation", 1, default=0.0),
    _strength("hue", 0.5, default=0.0),
)
_ALPHA = Parameter("alpha", 0.05, 10.0)
_EITHER = (Parameter("alpha_mixup", 0.05, 10.0), Parameter("alpha_cutmix", 0.05, 10.0))
_TABLE = (
    OpSpec("hflip", "mirror left and right", (_HALF,), 0, sampling.nothing),
    OpSpec("vflip", "mirror top and bottom", (_HALF,), 0, sampling.nothing),
    OpSpec("rotate", "turn by up to ±degrees", (_DEGREES,), 1, sampling.amount),
    OpSpec("translate", "shift by up to ±fraction of the side", (_SHIFT,), 2, sampling.both_axes),
    OpSpec("scale", "resize by low to high", _factors(0.1, 10), 1, sampling.factor),
    OpSpec("shear", "slant by up to ±degrees", (_SHEAR,), 2, sampling.both_axes),
    OpSpec("affine", "scale, shear, rotate and shift", _AFFINE, 6, sampling.affine, "several"),
    OpSpec("random_crop", "enlarge a square part", _CROP, 3, sampling.random_crop, "several"),
    OpSpec(
        "centre_crop",
        "enlarge the middle",
        (Parameter("share", 0.1, 1.0, neutral=1.0),),
        0,
        sampling.centre_crop,
        "several",
    ),
    OpSpec(
        "perspective", "look from aside", (_strength("distortion", 0.9), _ALWAYS), 8, sampling.perspective
    ),
    OpSpec(
        "elastic",
        "bend the whole drawing by up to a share of the side",
        (_strength("amount", 0.12), _ALWAYS),
        field_columns(ELASTIC_POINTS),
        control_points,
    ),
    OpSpec(
        "line_wobble",
        "an unsteady hand, by up to a share of the side",
        (_strength("amount", 0.03), _ALWAYS),
        field_columns(WOBBLE_POINTS),
        control_points,
    ),
    OpSpec("jitter", "brightness, contrast, saturation and hue", (*_JITTER, _ALWAYS), 4, sampling.jitter),
    OpSpec(
        "brightness", "lighter or darker", (_strength("amount", 1), _ALWAYS), 1, sampling.factor_about_one
    ),
    OpSpec(
        "contrast", "more or less contrast", (_strength("amount", 1), _ALWAYS), 1, sampling.factor_about_one
    ),
    OpSpec(
        "blur",
        "blur by a standard deviation in pixels, from low to high",
        (_strength("high", 20), Parameter("low", 0.0, 20.0, 0.0), _ALWAYS),
        1,
        sampling.blur,
    ),
    OpSpec(
        "noise",
        "grain of up to a share of the range",
        (_strength("amount", 0.5), _ALWAYS),
        1,
        sampling.noise,
        seeded=True,
    ),
    OpSpec(
        "erase", "cut out a square of the area's share", (_strength("share", 1), _ALWAYS), 3, sampling.erase
    ),
    OpSpec("invert", "light on dark", (_HALF,), 0, sampling.nothing),
    OpSpec("clahe", "equalise the contrast locally", (_HALF,), 0, sampling.clahe),
    OpSpec("thickness", "thin or thicken the pen", (*_factors(0.5, 2), _ALWAYS), 1, sampling.factor),
    OpSpec(
        "stroke_dropout",
        "lose strokes in up to a share of the area",
        (_strength("share", 0.9), _ALWAYS),
        1,
        sampling.stroke_dropout,
        seeded=True,
    ),
    OpSpec(
        "ink_fade",
        "fade the ink by up to a share",
        (_strength("amount", 0.95), _ALWAYS),
        2,
        sampling.ink_fade,
        seeded=True,
    ),
    OpSpec(
        "paper_tone",
        "another paper, by up to a share of the range",
        (_strength("amount", 0.5), _ALWAYS),
        6,
        sampling.paper_tone,
    ),
    OpSpec(
        "autoaugment",
        "a learned policy",
        (Parameter("policy", words=tuple(POLICIES)),),
        policies.AUTOAUGMENT_COLUMNS,
        policies.autoaugment,
        "several",
    ),
    OpSpec(
        "randaugment",
        "n ops of 14, at one magnitude",
        (Parameter("n", 1, policies.RANDAUGMENT_MOST, whole=True), Parameter("magnitude", 0, 30)),
        2 * policies.RANDAUGMENT_MOST,
        policies.randaugment,
        "several",
    ),
    OpSpec("trivialaugment", "one op of 14, at any magnitude", (), 3, policies.trivialaugment, "several"),
    OpSpec(
        "augmix",
        "the image blended with three chains of ops",
        (Parameter("severity", 1, 10, 3),),
        policies.AUGMIX_COLUMNS,
        policies.augmix,
        "blend",
    ),
    OpSpec("mixup", "blend with another image", (_ALPHA,), 1, mix_plan.mixup, "mixing"),
    OpSpec("cutmix", "a box of another image", (_ALPHA,), 3, mix_plan.cutmix, "mixing"),
    OpSpec("mixup_or_cutmix", "one or the other", _EITHER, 4, mix_plan.mixup_or_cutmix, "mixing"),
)
OPS: dict[str, OpSpec] = {spec.name: spec for spec in _TABLE}


def check_ops(ops: tuple[str, ...]) -> tuple[str, ...]:
    """The ops in their canonical spelling.

    Raises:
        DessinError: an unknown op (the nearest is named), a value outside its parameter's range, or values
            with which the op would do nothing.
    """
    return tuple(str(_checked(text)[0]) for text in ops)


def bind_op(text: str) -> BoundOp:
    """Read one op of a recipe and give every parameter its value; raises like `check_ops`."""
    return _checked(text)[1]


def _checked(text: str) -> tuple[Op, BoundOp]:
    op = parse_op(text)
    if op.name not in OPS:
        raise unknown("augmentation", op.name, OPS)
    return op, bind(op, OPS[op.name])

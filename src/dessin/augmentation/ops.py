"""The table of augmentation ops. A new op is one entry, and where it recolours a function.

Reading the table imports no torch. Pixel functions are in `photometric`, `strokes` and `sheet`; ops of other
packages join by `dessin.plugins`.
"""

from __future__ import annotations

from dessin.augmentation import draws, geometry, mix_plan, policies
from dessin.augmentation.draws import factor, factor_about_one, symmetric, up_to
from dessin.augmentation.spec import Act, BoundOp, OpSpec, Parameter, bind
from dessin.errors import unknown
from dessin.ops import Op, parse_op
from dessin.plugins import Table


def strength(name: str, high: float, default: float | None = None) -> Parameter:
    """A strength from 0, where the op does nothing, to `high`."""
    return Parameter(name, 0.0, high, default, neutral=0.0)


def factors(low: float, high: float) -> tuple[Parameter, Parameter]:
    """The ends of a range of factors about 1, where the op does nothing."""
    return Parameter("low", low, 1.0, neutral=1.0), Parameter("high", 1.0, high, neutral=1.0)


ALWAYS = Parameter("p", 0.0, 1.0, 1.0)
HALF = Parameter("p", 0.0, 1.0, 0.5)
_ALPHA = Parameter("alpha", 0.05, 10.0)
_CROP = (Parameter("low", 0.1, 1.0, neutral=1.0), Parameter("high", 0.1, 1.0, 1.0, neutral=1.0))
_SHEAR = strength("shear", 60, default=0.0)
_AFFINE = (strength("degrees", 180), strength("translate", 1), *factors(0.1, 10), _SHEAR)
_COLOURS = (strength("contrast", 1, 0.0), strength("saturation", 1, 0.0), strength("hue", 0.5, 0.0))
_JITTER = (strength("brightness", 1), *_COLOURS, ALWAYS)

# One entry an op: name and words; parameters; act (of compound ops their kind); draws an image, and how.
# fmt: off
_OWN = (
    OpSpec("hflip", "mirror left and right", (HALF,), Act("hflip", geometry.hflip)),
    OpSpec("vflip", "mirror top and bottom", (HALF,), Act("vflip", geometry.vflip)),
    OpSpec("rotate", "turn by up to ±degrees", (strength("degrees", 180),),
           Act("rotate {0:+.1f}°", geometry.rotate), 1, symmetric),
    OpSpec("translate", "shift by up to ±fraction of the side", (strength("fraction", 1),),
           Act("shift {0:+.1%} {1:+.1%}", geometry.translate), 2, symmetric),
    OpSpec("scale", "resize by low to high", factors(0.1, 10),
           Act("scale ×{0:.2f}", geometry.scale), 1, factor),
    OpSpec("shear", "slant by up to ±degrees", (strength("degrees", 60),),
           Act("shear {0:+.1f}° {1:+.1f}°", geometry.shear), 2, symmetric),
    OpSpec("affine", "scale, shear, rotate and shift", _AFFINE, "several", 6, draws.affine),
    OpSpec("random_crop", "enlarge a square part", _CROP, "several", 3, draws.random_crop),
    OpSpec("centre_crop", "enlarge the middle", (Parameter("share", 0.1, 1.0, neutral=1.0),),
           "several", 0, draws.centre_crop),
    OpSpec("perspective", "look from aside", (strength("distortion", 0.9), ALWAYS),
           Act("perspective, corners up to {most:.1%}", geometry.perspective), 8, draws.perspective),
    OpSpec("elastic", "bend the whole drawing by up to a share of the side",
           (strength("amount", 0.12), ALWAYS),
           Act("elastic, up to {most:.1%}", points=7), 2 * 7 * 7, symmetric),
    OpSpec("line_wobble", "an unsteady hand, by up to a share of the side",
           (strength("amount", 0.03), ALWAYS),
           Act("wobble, up to {most:.1%}", points=19), 2 * 19 * 19, symmetric),
    OpSpec("jitter", "brightness, contrast, saturation and hue", _JITTER,
           Act("brightness ×{0:.2f}, contrast ×{1:.2f}, saturation ×{2:.2f}, hue {3:+.3f}",
               pixels=".photometric:jitter"), 4, draws.jitter),
    OpSpec("brightness", "lighter or darker", (strength("amount", 1), ALWAYS),
           Act("brightness ×{0:.2f}", pixels=".photometric:brightness"), 1, factor_about_one),
    OpSpec("contrast", "more or less contrast", (strength("amount", 1), ALWAYS),
           Act("contrast ×{0:.2f}", pixels=".photometric:contrast"), 1, factor_about_one),
    OpSpec("blur", "blur by a standard deviation in pixels, from low to high",
           (strength("high", 20), Parameter("low", 0.0, 20.0, 0.0), ALWAYS),
           Act("blur {0:.2f} px", pixels=".photometric:blur"), 1, draws.blur),
    OpSpec("noise", "grain of up to a share of the range", (strength("amount", 0.5), ALWAYS),
           Act("noise ±{0:.1f}", pixels=".photometric:noise"), 1, draws.noise, seeded=True),
    OpSpec("erase", "cut out a square of the area's share", (strength("share", 1), ALWAYS),
           Act("erase {2:.0%} of the side", pixels=".photometric:erase"), 3, draws.erase),
    OpSpec("invert", "light on dark", (HALF,), Act("invert", pixels=".photometric:invert")),
    OpSpec("clahe", "equalise the contrast locally", (HALF,),
           Act("clahe", pixels=".photometric:clahe"), 0, draws.clahe),
    OpSpec("thickness", "thin or thicken the pen", (*factors(0.5, 2), ALWAYS),
           Act("thickness ×{0:.2f}", pixels=".strokes:thickness"), 1, factor),
    OpSpec("stroke_dropout", "lose strokes in up to a share of the area", (strength("share", 0.9), ALWAYS),
           Act("stroke dropout {0:.0%}", pixels=".strokes:stroke_dropout"), 1, up_to, seeded=True),
    OpSpec("ink_fade", "fade the ink by up to a share", (strength("amount", 0.95), ALWAYS),
           Act("ink ×{0:.2f}", pixels=".strokes:ink_fade"), 2, draws.ink_fade, seeded=True),
    OpSpec("paper_tone", "another paper, by up to a share of the range", (strength("amount", 0.5), ALWAYS),
           Act("paper {0:+.0f} {1:+.0f} {2:+.0f}", pixels=".strokes:paper_tone"), 6, draws.paper_tone),
    OpSpec("paper", "darker, tinted and rougher paper, by up to a share of the light",
           (strength("amount", 0.8), ALWAYS),
           Act("paper -{0:.0%} -{1:.0%} -{2:.0%}", pixels=".sheet:paper"), 5, draws.paper, seeded=True),
    OpSpec("ruling", "ruled or squared lines, as dark as up to a share", (strength("amount", 1), ALWAYS),
           Act("lines every {3:.1%}", pixels=".sheet:ruling"), 9, draws.ruling),
    OpSpec("shadow", "a soft shadow that takes up to a share of the light", (strength("amount", 0.9), ALWAYS),
           Act("shadow -{4:.0%}", pixels=".sheet:shadow"), 5, draws.shadow, seeded=True),
    OpSpec("autoaugment", "a learned policy", (Parameter("policy", words=tuple(policies.POLICIES)),),
           "several", policies.AUTOAUGMENT_COLUMNS, policies.autoaugment),
    OpSpec("randaugment", "n ops of 14, at one magnitude",
           (Parameter("n", 1, policies.RANDAUGMENT_MOST, whole=True), Parameter("magnitude", 0, 30)),
           "several", 2 * policies.RANDAUGMENT_MOST, policies.randaugment),
    OpSpec("trivialaugment", "one op of 14, at any magnitude", (), "several", 3, policies.trivialaugment),
    OpSpec("augmix", "the image blended with three chains of ops", (Parameter("severity", 1, 10, 3),),
           "blend", policies.AUGMIX_COLUMNS, policies.augmix),
    OpSpec("mixup", "blend with another image", (_ALPHA,), "mixing", 1, mix_plan.mixup),
    OpSpec("cutmix", "a box of another image", (_ALPHA,), "mixing", 3, mix_plan.cutmix),
    OpSpec("mixup_or_cutmix", "one or the other",
           (Parameter("alpha_mixup", 0.05, 10.0), Parameter("alpha_cutmix", 0.05, 10.0)),
           "mixing", 4, mix_plan.mixup_or_cutmix),
)
# fmt: on
OPS = Table("op", OpSpec, _OWN)

# What only compound ops and policies do.
PARTS = {
    "crop": Act("crop {0:.0%} at {1:+.2f} {2:+.2f}", geometry.crop),
    "color": Act("saturation ×{0:.2f}", pixels=".photometric:color"),
    "sharpness": Act("sharpness ×{0:.2f}", pixels=".photometric:sharpness"),
    "posterize": Act("posterize to {0:.0f} bits", pixels=".photometric:posterize"),
    "solarize": Act("solarize from {0:.0f}", pixels=".photometric:solarize"),
    "equalize": Act("equalize", pixels=".photometric:equalize"),
    "autocontrast": Act("autocontrast", pixels=".photometric:autocontrast"),
}


def act_of(name: str) -> Act:
    """The act that an action names: an op's own, or a part of compound ops; KeyError for any other."""
    act = PARTS.get(name) or OPS[name].act
    if not isinstance(act, Act):
        raise KeyError(name)
    return act


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

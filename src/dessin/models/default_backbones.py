"""The table of default backbones by machine: what is trained, tried and shown where nobody names one."""

from __future__ import annotations

# What a recipe that names none trains; a recipe means the same on every machine.
RECIPE = "tf_efficientnet_lite0"
# What `dessin demo` compares, anywhere in minutes.
DEMO = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
# What `dessin auto` chooses from, by device; their weights come as packages, so no internet is needed.
_AUTO = {
    "cpu": ("tf_efficientnet_lite0", "tf_efficientnet_lite2"),
    "cuda": ("tf_efficientnet_lite0", "tf_efficientnet_lite2"),
    "mps": ("tf_efficientnet_lite0", "tf_efficientnet_lite2"),
}


def auto_candidates(device: str) -> tuple[str, ...]:
    """The backbones that `dessin auto` chooses from on a device, as `choose_device` names it."""
    return _AUTO[device]

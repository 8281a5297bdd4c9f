"""Which trackers a recipe names, with their settings: read from the op language and checked before a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dessin.errors import DessinError, unknown
from dessin.ops import Op, parse_op

# In the order in which settings are given by place.
_DEFAULTS: dict[str, dict[str, str]] = {
    "tensorboard": {},
    "wandb": {"mode": "offline", "project": "dessin", "entity": ""},
    "mlflow": {"address": "", "experiment": "dessin"},
}
_MODES = ("offline", "online")


@dataclass(frozen=True)
class Tracker:
    """One tracker and all of its settings; an MLflow `address` of "" is the database beside the run."""

    name: str
    settings: dict[str, str]


def read_trackers(texts: Iterable[str]) -> tuple[Tracker, ...]:
    """The trackers of a recipe, such as `("tensorboard", "wandb(offline)", 'mlflow("http://host:5000")')`.

    Raises:
        DessinError: an unknown tracker or setting, a value it cannot have, or one tracker named twice.
    """
    trackers = tuple(_read(text) for text in texts)
    names = [tracker.name for tracker in trackers]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DessinError(
            f"The tracker {twice[0]} is named twice.",
            allowed="A run is sent to each tracker at most once.",
            do="Remove one of the two.",
        )
    return trackers


def joined(texts: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """`texts` and those `added`, which take the place of the same tracker with other settings."""
    return tuple({parse_op(text).name: text for text in (*texts, *added)}.values())


def _read(text: str) -> Tracker:
    op = parse_op(text)
    if op.name not in _DEFAULTS:
        raise unknown("tracker", op.name, _DEFAULTS)
    settings = _DEFAULTS[op.name] | _given(op)
    if op.name == "wandb" and settings["mode"] not in _MODES:
        raise unknown("mode of wandb", settings["mode"], _MODES)
    if settings.get("address"):
        _check_address(settings["address"])
    return Tracker(op.name, settings)


def _given(op: Op) -> dict[str, str]:
    names = tuple(_DEFAULTS[op.name])
    if len(op.args) > len(names):
        what = f"at most {len(names)} settings: {', '.join(names)}" if names else "no settings"
        raise DessinError(f"The tracker {op} has {len(op.args)} settings.", allowed=f"It takes {what}.")
    given: dict[str, Any] = dict(zip(names, op.args, strict=False))
    for name, value in op.kwargs:
        if name not in names:
            raise unknown(f"setting of {op.name}", name, names or ("(none)",))
        if name in given:
            raise DessinError(f"The tracker {op} gives {name} twice.", do="Remove one of the two.")
        given[name] = value
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise DessinError(f"The {name} of {op.name} is {value!r}.", allowed="It is a text.")
    return given


def _check_address(address: str) -> None:
    """A server or an SQLite file, without a password: recipes and records are read by many."""
    is_file = address.startswith("sqlite:///") and len(address) > len("sqlite:///")
    try:
        parts = urlsplit(address)
        with_password = parts.username is not None or parts.password is not None
        place = parts.hostname
    except ValueError:
        raise _bad_address(address) from None
    if with_password:
        raise DessinError(
            "The address of the MLflow server has a user or a password in it, for every record to show.",
            do="Leave them out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
        )
    if not (is_file or (parts.scheme in ("http", "https") and place)):
        raise _bad_address(address)


def _bad_address(address: str) -> DessinError:
    return DessinError(
        f'"{address}" is no address for MLflow.',
        allowed='It is a server, such as "http://127.0.0.1:5000", or a file, such as "sqlite:///runs/mlflow.db".',
        do='Write it in quotation marks, as in mlflow("http://127.0.0.1:5000").',
    )

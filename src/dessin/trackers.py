"""The table of trackers that `track` names, with their settings; reading a name imports no tracker.

What works with them is `runs/tracking`; trackers of other packages join by `dessin.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dessin.errors import DessinError, unknown
from dessin.ops import Op, Value, parse_op
from dessin.plugins import Table


@dataclass(frozen=True)
class Setting:
    """A setting of a tracker, which is a text: one of `allowed` where there are any, and what `check` passes.

    `check` raises DessinError.
    """

    name: str
    default: str
    allowed: tuple[str, ...] = ()
    check: Callable[[str], None] | None = None


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker of the table.

    Attributes:
        adapter: `module:Class` of a `runs.tracking.messages.Adapter`, imported in a process of its own.
        settings: in the order in which they are given by place.
        install: what pip installs where the library is missing; empty where its package needs it anyway.
    """

    name: str
    adapter: str
    settings: tuple[Setting, ...] = ()
    install: str = ""


@dataclass(frozen=True)
class Tracker:
    """One tracker as a recipe names it, and all of its settings."""

    name: str
    settings: Mapping[str, str]


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


_WANDB = (
    Setting("mode", "offline", ("offline", "online")),
    Setting("project", "dessin"),
    Setting("entity", ""),
)
# Without an address it is the database beside the run folders.
_MLFLOW = (Setting("address", "", check=_check_address), Setting("experiment", "dessin"))
_ADAPTERS, _EXTRA = "dessin.runs.tracking", "dessin[track]"

TRACKERS = Table(
    "tracker",
    TrackerSpec,
    (
        TrackerSpec("tensorboard", f"{_ADAPTERS}.to_tensorboard:TensorBoard", install=_EXTRA),
        TrackerSpec("wandb", f"{_ADAPTERS}.to_wandb:WeightsAndBiases", _WANDB, _EXTRA),
        TrackerSpec("mlflow", f"{_ADAPTERS}.to_mlflow:MlFlow", _MLFLOW, _EXTRA),
    ),
)


def read_tracker(text: str) -> Tracker:
    """A tracker such as `tensorboard`, `wandb(offline)` or `mlflow("http://host:5000")`.

    Raises:
        DessinError: an unknown tracker or setting, or a value that it cannot have.
    """
    op = parse_op(text)
    if op.name not in TRACKERS:
        raise unknown("tracker", op.name, TRACKERS)
    settings = {setting.name: setting for setting in TRACKERS[op.name].settings}
    given = _given(op, tuple(settings))
    for name, value in given.items():
        allowed, check = settings[name].allowed, settings[name].check
        if allowed and value not in allowed:
            raise unknown(f"{name} of {op.name}", value, allowed)
        if check:
            check(value)
    return Tracker(op.name, {name: given.get(name, setting.default) for name, setting in settings.items()})


def check_tracker(text: str) -> str:
    """The tracker in its canonical spelling; raises like `read_tracker`."""
    read_tracker(text)
    return str(parse_op(text))


def check_trackers(texts: Iterable[str]) -> None:
    """Raises like `read_tracker`, and where one is named twice."""
    names = [read_tracker(text).name for text in texts]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DessinError(
            f"The tracker {twice[0]} is named twice.",
            allowed="A run is sent to each tracker at most once.",
            do="Remove one of the two.",
        )


def joined(texts: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """`texts` and those `added`, which take the place of the same tracker with other settings."""
    return tuple({parse_op(text).name: text for text in (*texts, *added)}.values())


def _given(op: Op, names: tuple[str, ...]) -> dict[str, str]:
    """The settings that a text gives, by place or by name."""
    if len(op.args) > len(names):
        what = f"at most {len(names)} settings: {', '.join(names)}" if names else "no settings"
        raise DessinError(f"The tracker {op} has {len(op.args)} settings.", allowed=f"It takes {what}.")
    values: dict[str, Value] = dict(zip(names, op.args, strict=False))
    for name, value in op.kwargs:
        if name not in names:
            raise unknown(f"setting of {op.name}", name, names or ("(none)",))
        if name in values:
            raise DessinError(f"The tracker {op} gives {name} twice.", do="Remove one of the two.")
        values[name] = value
    given = {name: value for name, value in values.items() if isinstance(value, str) and value}
    for name in values.keys() - given.keys():
        raise DessinError(f"The {name} of {op.name} is {values[name]!r}.", allowed="It is a text.")
    return given

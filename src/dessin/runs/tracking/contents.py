"""What of a run is sent: its recipe, digests, curve and results; no picture, and no path of the machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath

from dessin.runs.record import RunRecord
from dessin.runs.tracking.messages import Begin, End, Point, Scalar
from dessin.schema import flattened
from dessin.training.curve import CurveRow

_PATHS = ("data.path", "data.split", "data.curation", "data.training_curation", "model.weights")
_CURVE = ("train_loss", "validation_loss", "validation_accuracy", "lr")


def beginning(record: RunRecord) -> Begin:
    """The recipe as `section.key`, and seed, digests, commit, versions and hardware as tags."""
    parameters = _flat(record.recipe.model_dump(mode="json", exclude={"track"}))
    for key in _PATHS:
        parameters[key] = _without_folders(parameters[key])
    tags = {
        "seed": record.seed,
        "git_commit": record.git_commit,
        **_flat(record.digests.model_dump(), "digest."),
        **_flat(record.counts.model_dump(), "count."),
        **_flat(record.versions, "version."),
        **_flat(record.hardware.model_dump(), "hardware."),
    }
    return Begin(name=record.name, parameters=parameters, tags=_texts(tags))


def point(attempt: int, row: CurveRow) -> Point:
    """A row of the curve; those of a second attempt, and averaged weights, have names of their own."""
    prefix = f"attempt{attempt}/" if attempt > 1 else ""
    prefix += "averaged/" if row.averaged else ""
    values = {name: getattr(row, name) for name in _CURVE}
    return Point(
        key=f"{prefix}{row.epoch}",
        step=row.epoch,
        values={f"{prefix}{name}": value for name, value in values.items() if value is not None},
    )


def ending(record: RunRecord) -> End:
    """Every result with its interval and n, and the seconds of each stage.

    The reason of a failure stays in the record: it may name files of the machine.
    """
    values: dict[str, float] = {f"seconds/{stage}": spent for stage, spent in record.timings.items()}
    for name, results in record.results.items():
        for metric, result in results.items():
            key = f"results/{name}/{metric.name}"
            values |= {
                key: result.value,
                f"{key}/low": result.low,
                f"{key}/high": result.high,
                f"{key}/n": result.n,
            }
    tags = {
        "status": record.status,
        "attempts": len(record.attempts),
        **_flat(record.digests.model_dump(), "digest."),
    }
    return End(status=record.status, values=values, tags=_texts(tags))


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, Scalar]:
    """Nested values under dotted names; a list is its JSON."""
    plain = (bool, int, float, str, type(None))
    flat = flattened(value, prefix)
    return {key: inner if isinstance(inner, plain) else json.dumps(inner) for key, inner in flat.items()}


def _without_folders(value: Scalar) -> Scalar:
    """An absolute path tells about the machine: its last name is enough."""
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def _texts(values: dict[str, Scalar]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value not in (None, "")}

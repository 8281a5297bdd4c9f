"""A job as text, to be sent to another process."""

from __future__ import annotations

import json
from pathlib import Path

from dessin.experiments.executors.base import JobSpec
from dessin.experiments.study.records import Job
from dessin.recipe import make_recipe


def to_text(spec: JobSpec) -> str:
    """One line of JSON."""
    return json.dumps(
        {
            "job": spec.job.model_dump(mode="json"),
            "recipe": make_recipe(spec.recipe).model_dump(mode="json"),
            "data": str(spec.data),
            "split": str(spec.split),
            "study": str(spec.study),
            "threads": spec.threads,
            "track": list(spec.track),
        }
    )


def from_text(text: str) -> JobSpec:
    """The job that `to_text` wrote."""
    values = json.loads(text)
    return JobSpec(
        job=Job.model_validate(values["job"]),
        recipe=values["recipe"],
        data=Path(values["data"]),
        split=Path(values["split"]),
        study=Path(values["study"]),
        threads=int(values["threads"]),
        track=tuple(values["track"]),
    )

"""Studies for the tests of the wrap-up: real ones that train in seconds, and planted ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from study_kit import Inline
from tiny_run import make_drawings, make_tiny_split, tiny_recipe

from dessin.files import write_text
from dessin.runs.executors.record import JobRecord
from dessin.runs.record import Digests
from dessin.runs.train import train
from dessin.statistics.comparison import Comparison, Verdict
from dessin.statistics.intervals import Estimate
from dessin.studies import verb as carry_out
from dessin.studies.result import Job, Level, LevelResult, StudyRecord, StudyResults
from dessin.studies.source import StudyJob, StudySource

KOREAN = "오리 그림"
SCRIPT = "<script>alert(1)</script>"
LONG = "a-level-with-a-name-that-goes-on-" + "and-on-" * 8


@dataclass(frozen=True)
class Story:
    """A tiny collection, a plain study, a grid, and a final run."""

    data: Path
    split: Path
    plain: Path
    grid: Path
    run: Path


def make_story(folder: Path) -> Story:
    """Two studies and a run, really trained; level names are what a page must bear."""
    data = make_drawings(folder / "data")
    (data / "bars").rename(data / "오리")
    split = make_tiny_split(data, folder / "split.csv")
    recipe = tiny_recipe("full").model_dump(mode="json")
    plain = {
        "hypothesis": "Mirrored & turned drawings <b>help</b>.",
        "topic": "augmentation",
        "recipe": recipe,
        "factor": "augmentation",
        "levels": {
            "mirrored": {},
            SCRIPT: {"augment": ["hflip", "rotate(15)"]},
            KOREAN: {"augment": ["rotate(10)"]},
            LONG: {"augment+": ["noise(0.1)"]},
        },
        "seeds": [0, 1],
        "folds": [0],
    }
    grid = {
        "hypothesis": "The loss matters more than the rate.",
        "recipe": recipe,
        "grid": {
            "loss": {"plain": {}, "smooth": {"loss": "label_smoothing(0.1)"}},
            "rate": {"low": {}, "high": {"optimizer": {"lr": 0.01}}},
        },
        "seeds": [0],
        "folds": [1],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carry_out, "LocalExecutor", Inline)
        for name, values in (("mirrors", plain), ("losses", grid)):
            write_text(folder / f"{name}.yaml", json.dumps(values))  # JSON is YAML
            carry_out.study(folder / f"{name}.yaml", data=data, split=split, out=folder / "studies" / name)
    run = train(tiny_recipe("full"), data=data, split=split, out=folder / "final")
    return Story(data, split, folder / "studies" / "mirrors", folder / "studies" / "losses", run)


def result(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=100)


def comparison(name: str, verdict: Verdict, value: float = 0.0, **changes: Any) -> Comparison:
    """A difference of `value` with a verdict, planted."""
    values: dict[str, Any] = {
        "name": name,
        "against": "base",
        "cells": 2,
        "images": 100,
        "difference": result(value),
        "by_image": result(value),
        "seed_differences": (value, value),
        "sign_flip_p": 0.5,
        "p": 0.01,
        "p_holm": 0.02,
        "detectable": 0.03,
        "scope": "recipes",
        "verdict": verdict,
        "verdict_text": verdict,
    }
    return Comparison(**(values | changes))


def planted(
    verdicts: dict[str, Verdict], *, changes: dict[str, Any] | None = None, **fields: Any
) -> StudySource:
    """A study of `base` and the levels of `verdicts`, ended and analysed; nothing of it is on the disk."""
    names = ("base", *verdicts)
    made = changes or {name: {"train": {"epochs": 3 + i}} for i, name in enumerate(verdicts)}
    jobs = tuple(Job(name=f"{name}-0", level=name, seed=0, fold=0) for name in names)
    values: dict[str, Any] = {
        "name": "planted",
        "hypothesis": "It helps.",
        "factors": ("factor",),
        "base": "base",
        "levels": tuple(Level(name=name, parts=(name,), changes=made.get(name, {})) for name in names),
        "seeds": (0, 1),
        "folds": (0,),
        "matters": 0.02,
        "recipe": tiny_recipe().model_dump(mode="json"),
        "data": "drawings",
        "split": "split.csv",
        "threads": 1,
        "digests": Digests(manifest="m", split="s", weights=""),
        "jobs": jobs,
        "detectable_before": 0.03,
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {},
    }
    levels = tuple(
        LevelResult(
            level=name,
            jobs=1,
            finished=1,
            collapsed=0,
            failed=0,
            accuracy=result(0.5),
            loss=result(1.0),
            seconds=60.0,
        )
        for name in names
    )
    results = StudyResults(
        name="planted",
        levels=levels,
        comparisons=tuple(comparison(name, verdict) for name, verdict in verdicts.items()),
        summary="",
        finished="2026-01-01T01:00:00+00:00",
    )
    ended = [JobRecord(job=job.name, status="finished", seconds=60.0, accuracy=result(0.5)) for job in jobs]
    return StudySource(
        path=Path("planted"),
        record=StudyRecord(**(values | fields)),
        results=results,
        jobs=tuple(StudyJob(job, end, None, ()) for job, end in zip(jobs, ended, strict=True)),
        split=None,
        definition="",
    )

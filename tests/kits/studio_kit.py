"""A small workspace with everything that the studio shows, and its pages run without a browser."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from dessin.audit.verb import audit
from dessin.collection.split.verb import split
from dessin.doodles.photograph import photograph
from dessin.files import write_json
from dessin.images.ground import Pixels
from dessin.recipe import make_recipe
from dessin.runs.executors.record import JobRecord
from dessin.runs.record import Digests
from dessin.runs.train import train
from dessin.statistics.comparison import Comparison, Verdict
from dessin.statistics.intervals import Estimate
from dessin.studies.result import Job, Level, LevelResult, StudyRecord, StudyResults

SCRIPT, STARS = "<script>alert(1)", "a*b* $x$ :red[y]"
CLASSES = ("bars", SCRIPT, STARS)
A_CLASS = 9
COPY, ORIGINAL = "bars/copy.png", "bars/00.png"


def make_drawings(folder: Path, *, paper: int = 255) -> Path:
    """Stripes, spots and frames in classes of awkward names; one file of the stripes is there twice."""
    for c, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for i in range(A_CLASS):
            random = np.random.default_rng([c, i])
            page = np.full((40, 40), paper, np.uint8)
            if c == 0:
                page[:, 3 + i % 5 :: 7 + i % 3] = 0
            elif c == 1:
                for y, x in random.integers(4, 34, (14, 2)):
                    page[y : y + 3, x : x + 3] = 0
            else:
                page[3:37, 3:37] = 0
                page[6:34, 6:34] = paper
                for y, x in random.integers(8, 28, (3, 2)):
                    page[y : y + 6, x : x + 4] = 0
            noisy = page - random.integers(0, 30, page.shape).astype(np.uint8) * (page > 128)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / label / f"{i:02d}.png")
    (folder / COPY).write_bytes((folder / ORIGINAL).read_bytes())
    return folder


def page_of_paper(seed: int = 0) -> Pixels:
    """A photograph (H, W, 3) uint8 of a cross on a sheet of paper."""
    page = np.full((300, 300, 3), 255, np.uint8)
    page[60:240, 140:160] = 0
    page[140:160, 60:240] = 0
    return photograph(page, seed=seed, name="cross").pixels


def make_workspace(root: Path) -> Path:
    """`root` with drawings, their audit, a split, and two runs that differ in their learning rate."""
    data = make_drawings(root / "drawings")
    audit(data, out=root / "audit")
    split(data, out=root / "split.csv", folds=3, holdout=0.0)
    for name, rate in (("fast", 2e-3), ("slow", 1e-4)):
        recipe = make_recipe(
            {
                "image": {"size": 32},
                "model": {"backbone": "test_efficientnet", "weights": "none"},
                "finetune": {"mode": "full"},
                "optimizer": {"lr": rate},
                "train": {"epochs": 2, "batch_size": 8},
            }
        )
        train(recipe, data=data, split=root / "split.csv", out=root / "runs" / name)
    return root


def make_study(folder: Path, *, small: float, low: float, high: float, verdict: Verdict) -> Comparison:
    """A study of two levels that was carried out; `small` minus the base is known."""
    jobs = tuple(Job(name=f"{level}-0", level=level, seed=0, fold=0) for level in ("usual", "small"))
    record = StudyRecord(
        name="rates",
        hypothesis="Smaller *steps* are <b>surer</b>.",
        factors=("rate",),
        base="usual",
        levels=(
            Level(name="usual", parts=("usual",)),
            Level(name="small", parts=("small",), changes={"optimizer": {"lr": 1e-4}}),
        ),
        seeds=(0,),
        folds=(0,),
        matters=0.02,
        recipe=make_recipe({"model": {"backbone": "test_efficientnet", "weights": "none"}}).model_dump(
            mode="json"
        ),
        data="drawings",
        split="split.csv",
        threads=1,
        digests=Digests(manifest="m", split="s", weights=""),
        jobs=jobs,
        detectable_before=0.051,
        created="2026-01-01T00:00:00+00:00",
        versions={},
    )
    difference = Estimate(value=small, low=low, high=high, n=300, method="planted")
    compared = Comparison(
        name="small",
        against="usual",
        cells=1,
        images=300,
        difference=difference,
        by_image=difference,
        seed_differences=(small,),
        p=0.01,
        p_holm=0.01,
        detectable=0.047,
        scope="these runs",
        verdict=verdict,
        verdict_text=f"{verdict}: as it was planted",
    )
    results = StudyResults(
        name="rates",
        levels=tuple(
            LevelResult(
                level=level,
                jobs=1,
                finished=1,
                collapsed=0,
                failed=0,
                accuracy=Estimate(value=value, low=value - 0.03, high=value + 0.03, n=300, method="planted"),
                loss=None,
                seconds=1.0,
            )
            for level, value in (("usual", 0.5), ("small", 0.5 + small))
        ),
        comparisons=(compared,),
        detectable_after=0.047,
        summary="",
        finished="2026-01-01T00:00:00+00:00",
    )
    write_json(folder / "study.json", record.model_dump(mode="json"))
    write_json(folder / "results.json", results.model_dump(mode="json"))
    for job in jobs:
        done = JobRecord(job=job.name, status="finished", seconds=1.0)
        write_json(folder / "jobs" / f"{job.name}.json", done.model_dump(mode="json"))
    return compared


def open_page(root: Path, name: str, language: str = "en") -> AppTest:
    """A page of the studio on a workspace, run once; nothing may have been raised."""
    script = f"""
from pathlib import Path
from dessin.studio.plain import show_guarded
from dessin.studio.workspace import scan_workspace
from dessin.studio.texts import texts_in
from dessin.studio.views.{name} import show_{name}
show_guarded(show_{name}, scan_workspace(Path({str(root)!r})), texts_in({language!r}))
"""
    page = AppTest.from_string(script, default_timeout=60)
    return checked(page.run())


def checked(page: AppTest) -> AppTest:
    assert [error.message for error in page.exception] == []
    return page


def words(page: AppTest) -> str:
    """All HTML of a page, as the browser would show its text."""
    return html.unescape(raw(page))


def alert(page: AppTest) -> str:
    """The error that a page ended with."""
    (found,) = [part.proto.body for part in page.get("html") if 'role="alert"' in part.proto.body]
    return html.unescape(found)


def raw(page: AppTest) -> str:
    """All HTML of a page, as it is sent."""
    return "\n".join(part.proto.body for part in page.get("html"))

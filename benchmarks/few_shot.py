"""The few-shot drawing benchmark: accuracy after so many seconds on two cores, for dessin, fastai and timm.

A task is k drawings of each class to train on and others to be asked for afterwards; a budget is the time of
a whole process from its start to the end of training. Sides run one after the other, each in a process of
its own on the same cores, with the same packaged weights; nothing is chosen on the test part. See
docs/benchmarks.md. What is finished is kept, so it can be stopped and gone on with. From the repository root:

    python benchmarks/few_shot.py --sketchy DIR --quickdraw DIR --python FASTAI_ENV/bin/python --out OUT \\
        [--tasks sketchy20,quickdraw10] [--budgets 60,120,300,900] [--sides dessin,before,fastai,timm] \\
        [--before CHECKOUT] [--write-docs]

A side may also be a recipe, by name or path, which takes its own time. `--task FOLDER [--group REGEX]
[--per-class 10,20]` is your own collection. Without anything to run, OUT's table is printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import dessin
import few_shot_table as tables
from dessin.errors import DessinError
from dessin.page.numbers import counted
from dessin.progress import duration
from dessin.recipes.verb import recipe_file
from few_shot_machine import busy_seconds, keep_to, own_seconds, processor
from few_shot_tasks import PHOTO, SEED, TITLES, TRAINING_TABLE, Source, make_task, read_key, read_task

RIVALS = Path(__file__).with_name("few_shot_rivals.py")
BUDGETS, CORES = (60, 120, 300, 900), 2
PER_CLASS = {"sketchy": (5, 10, 20), "quickdraw": (10, 20), "doodles": (10, 20)}
# The packaged backbones as they are, so that `auto` may not take weights that have seen drawings.
UNDRAWN_MODELS = "tf_efficientnet_lite0,tf_efficientnet_lite2"
LOUD = 0.1


@dataclass(frozen=True)
class Place:
    """A cell while it is measured: the task, the cell's folder under another name, and the child's world."""

    task: Path
    part: Path
    environment: dict[str, str]
    cores: int


class FailedError(Exception):
    """A side did not get to its end; the message names its log."""


def main() -> None:
    options = _options()
    failed, missing = [], _missing(options)
    if missing:
        most = duration(sum(budget for _, budget, _ in missing))
        print(
            f"{counted(len(missing), 'cell is', 'cells are')} missing: {most}, timing and predicting beside."
        )
    for task, budget, side in missing:
        try:
            measure(task, budget, side, options)
        except FailedError as error:
            failed.append(str(error))
            print(f"  not finished: {error}", flush=True)
    rows = tables.rows_of(options.out)
    tables.write_rows(options.out / "few_shot.csv", rows)
    print(f"\n{tables.full_tables(rows)}\n{tables.short_table(rows)}")
    if options.write_docs:
        tables.write_docs(rows)
    if failed:
        raise SystemExit("\n".join(["Not finished:", *failed]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="results, and where to go on")
    parser.add_argument("--sketchy", type=Path, help="class folders of Sketchy")
    parser.add_argument("--quickdraw", type=Path, help=".ndjson files, or class folders by dessin fetch")
    parser.add_argument("--task", type=Path, help="a collection of your own")
    parser.add_argument("--group", help="of --task: a regular expression or a column, as of dessin split")
    parser.add_argument("--per-class", type=_numbers, default=(), help="of --task: how many; default all")
    parser.add_argument("--split", type=Path, help="of --sketchy or --task: a split.csv to use as it is")
    parser.add_argument("--tasks", help="such as sketchy20,doodles10; sketchy alone has all its drawings")
    parser.add_argument("--budgets", type=_numbers, default=BUDGETS, help="seconds")
    parser.add_argument("--sides", help=f"of {', '.join(tables.TITLES)}, or recipes")
    parser.add_argument("--python", type=Path, help="the interpreter that has fastai")
    parser.add_argument("--before", type=Path, help="an older checkout, for the side `before`")
    parser.add_argument("--cores", type=int, default=CORES)
    parser.add_argument("--write-docs", action="store_true", help="the tables of the papers, from OUT's")
    options = parser.parse_args()
    options.out = options.out.resolve()
    return options


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _wanted(options: argparse.Namespace) -> list[tuple[Source, int | None]]:
    """The tasks that were asked for, or else all whose data were named."""
    sources = {
        "sketchy": Source("sketchy", "sketchy", options.sketchy, PHOTO, options.split),
        "quickdraw": Source("quickdraw", "quickdraw", options.quickdraw),
        "doodles": Source("doodles", "doodles"),
    }
    if options.task:
        name = re.sub(r"[^a-z0-9]+", "-", options.task.resolve().name.lower()).strip("-0123456789") or "own"
        own = Source(name, "folder", options.task, options.group, options.split)
        counts: Sequence[int | None] = options.per_class or (None,)
        return [(own, k) for k in counts]
    if options.tasks is None:
        named = {"sketchy": options.sketchy, "quickdraw": options.quickdraw}
        return [(sources[name], k) for name in TITLES if named.get(name) for k in PER_CLASS[name]]
    return [task_named(name, sources) for name in options.tasks.split(",") if name]


def task_named(name: str, sources: dict[str, Source]) -> tuple[Source, int | None]:
    """`sketchy20` → its source and 20; `sketchy` → all that there are."""
    match = re.fullmatch(r"([a-z]+)([1-9]\d*)?", name)
    if not match or match[1] not in sources or (not match[2] and match[1] != "sketchy"):
        raise SystemExit(
            f"There is no task {name}. A task is a collection ({', '.join(sources)}) and how many drawings "
            "of a class are trained on, such as sketchy20; sketchy alone trains on all that are not held out."
        )
    return sources[match[1]], int(match[2]) if match[2] else None


def _sides(options: argparse.Namespace, *, seen: bool) -> list[str]:
    """In the order in which they run; where the drawn weights have seen the drawings, also without them."""
    usual = [
        "dessin",
        *(["before"] if options.before else []),
        *(["fastai"] if options.python else []),
        "timm",
    ]
    sides = options.sides.split(",") if options.sides else usual
    for side in sides:
        if side not in tables.TITLES:
            try:
                recipe_file(side)
            except DessinError as error:
                raise SystemExit(f"Sides are {', '.join(tables.TITLES)}, and recipes. {error}") from None
        if (side == "fastai" and not options.python) or (side == "before" and not options.before):
            raise SystemExit("fastai needs --python FASTAI_ENV/bin/python, before needs --before CHECKOUT.")
    if seen and "dessin" in sides and tables.UNDRAWN not in sides:
        sides.insert(sides.index("dessin") + 1, tables.UNDRAWN)
    return sides


def _missing(options: argparse.Namespace) -> list[tuple[Path, int, str]]:
    """Task, budget and side of what was asked for and is not there; a recipe's budget is 0, its own time."""
    cells = []
    for source, k in _wanted(options):
        task = make_task(source, k, options.out)
        for budget in options.budgets:
            for side in _sides(options, seen=read_task(task).seen):
                cells.append((task, budget if side in tables.TITLES else 0, side))
    return [
        (task, budget, side)
        for task, budget, side in dict.fromkeys(cells)
        if not tables.folder_of(options.out, task.name, budget, side).is_dir()
    ]


def measure(task: Path, budget: int, side: str, options: argparse.Namespace) -> None:
    """One cell.

    Raises:
        FailedError: the side did not get to its end; the next time it is tried again.
    """
    facts = read_task(task)
    cell = tables.folder_of(options.out, facts.name, budget, side)
    print(f"{facts.name}, {duration(budget) if budget else 'its own time'}, {side}", flush=True)
    part = cell.with_name(f"{cell.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(options.cores)
    )
    # No side may take weights from elsewhere, and none finds what another has cached.
    world = {**os.environ, **threads, "DESSIN_CACHE": str(part / "cache"), "HF_HUB_OFFLINE": "1"}
    place = Place(task, part, world, options.cores)
    before = (time.monotonic(), busy_seconds(), own_seconds())
    if side in ("fastai", "timm"):
        python = options.python if side == "fastai" else Path(sys.executable)
        seconds, how, versions, predicted = run_rival(place, side, python, budget)
    else:
        seconds, how, versions, predicted = run_dessin(place, side, budget, options.before)
    after = (time.monotonic(), busy_seconds(), own_seconds())
    wall, busy, own = (now - then for now, then in zip(after, before, strict=True))
    share = max(0.0, (busy - own) / wall) if before[1] else -1.0
    if share > LOUD:
        print(f"  Other programs had {share:.2f} processors meanwhile: not a quiet machine.", flush=True)
    found = tables.Cell(
        task=facts.name,
        title=facts.title,
        classes=facts.classes,
        trained=facts.trained,
        seen=facts.seen,
        budget=budget,
        side=side,
        seconds=round(seconds, 1),
        others=round(share, 3),
        how=how,
        versions=versions,
        machine=f"{counted(options.cores, 'core')} of {processor()}",
        date=date.today().isoformat(),
    )
    _keep(part, cell, found, predicted)


def _keep(part: Path, cell: Path, found: tables.Cell, predicted: dict[str, str]) -> None:
    """The cell's two files and the log; what was trained is not kept."""
    key = read_key(part.parents[3] / "tasks" / found.task, "test")
    with (part / "predictions.csv").open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(tables.PREDICTED)
        rows.writerows(
            [row["file"], row["label"], row["group"], predicted.get(row["file"], "")] for row in key
        )
    (part / "result.json").write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    for entry in part.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
    part.rename(cell)
    right = sum(predicted.get(row["file"]) == row["label"] for row in key)
    print(f"  {right / len(key):.1%} of {len(key):,} in {found.seconds:.0f} s: {found.how}", flush=True)


def run_dessin(
    place: Place, side: str, budget: int, before: Path | None
) -> tuple[float, str, str, dict[str, str]]:
    """`dessin auto`, or `dessin train` of a recipe on every drawing; then predictions, outside the clock."""
    source = Path(dessin.__file__).parents[1]
    if side == "before":
        source = (before or Path()).resolve() / "src"
        place.environment["PYTHONPATH"] = str(source)
    command = [sys.executable, "-m", "dessin"]
    _check_source(place, source)
    data, made = place.task / "train" / TRAINING_TABLE, place.part / "work"
    group = ["--group", "group"] if read_task(place.task).grouped else []
    if side in tables.TITLES:
        asked = ["auto", str(data), "--out", str(made), "--budget", f"{budget}s", "--seed", str(SEED), *group]
        # What is tested lies elsewhere, and nobody else sets any of the training drawings aside.
        asked += ["--holdout", "0"] if side != "before" else []
        asked += ["--models", UNDRAWN_MODELS] if side == tables.UNDRAWN else []
    else:
        split = place.part / "split.csv"
        dealt = ["--folds", "5", "--holdout", "0", "--seed", str(SEED), *group]
        _run(place, [*command, "split", str(data), "--out", str(split), *dealt])
        asked = [
            "train",
            str(recipe_file(side).resolve()),
            "--data",
            str(data),
            "--split",
            str(split),
            "--set",
            "data.fold=none",
        ]
        asked += ["--out", str(made)]
    started = time.monotonic()
    _run(place, [*command, *asked])
    seconds = time.monotonic() - started
    answers = place.part / "answers.csv"
    _run(place, [*command, "predict", str(model_of(made)), str(place.task / "test"), "--out", str(answers)])
    with answers.open(encoding="utf-8", newline="") as lines:
        predicted = {row["image_id"]: named(row) for row in csv.DictReader(lines)}
    what = f"auto{_best(made)}" if side in tables.TITLES else side
    return seconds, f"{what}, on {_commit(source)}", "", predicted


def _best(made: Path) -> str:
    """Which of its models an auto ended with, where its record says so."""
    record = made / "auto.json"
    best = json.loads(record.read_text(encoding="utf-8")).get("best") if record.is_file() else None
    return f": {best}" if best else ""


def model_of(made: Path) -> Path:
    """The model to use in what `auto` or `train` made, whichever version it was."""
    for name in ("best", "run/bundle", "run", "bundle"):
        if (made / name).is_dir():
            return made / name
    return made


def named(row: dict[str, str]) -> str:
    """The most probable class, also where a model would rather not say it."""
    reason, _, best = row["reason"].partition(": ")
    return row["predicted"] or (best if reason in ("unsure", "no_class") else "")


def run_rival(place: Place, side: str, python: Path, budget: int) -> tuple[float, str, str, dict[str, str]]:
    from safetensors.torch import save_file

    from dessin.models.weights import load_state, resolve_weights
    from few_shot_rivals import BACKBONE

    weights = place.part / "weights.safetensors"
    state = load_state(resolve_weights(BACKBONE))
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)
    answers, result, file = (place.part / name for name in ("answers.csv", "rival.json", "job.json"))
    job = {
        "train": str(place.task / "train"),
        "test": str(place.task / "test"),
        "labels": {row["file"]: row["label"] for row in read_key(place.task, "train")},
        "files": [row["file"] for row in read_key(place.task, "test")],
        "weights": str(weights),
        "budget": budget,
        "threads": place.cores,
        "predictions": str(answers),
        "result": str(result),
        "started": time.time(),
    }
    file.write_text(json.dumps(job), encoding="utf-8")
    place.environment.pop("PYTHONPATH", None)
    _run(place, [str(python), str(RIVALS), side, str(file)])
    with answers.open(encoding="utf-8", newline="") as lines:
        predicted = dict(csv.reader(lines))
    found = json.loads(result.read_text(encoding="utf-8"))
    for done in (weights, file):
        done.unlink()
    return found["seconds"], found["how"], ", ".join(map(" ".join, found["versions"].items())), predicted


def _check_source(place: Place, source: Path) -> None:
    """Another installed dessin must not answer in the place of a checkout."""
    ask = [sys.executable, "-c", "import dessin; print(dessin.__file__)"]
    found = subprocess.run(ask, env=place.environment, cwd=place.part, capture_output=True, text=True)
    if source not in Path(found.stdout.strip()).parents:
        raise SystemExit(f"dessin of {source} was asked for, and {found.stdout.strip() or 'none'} answers.")


def _run(place: Place, command: Sequence[str]) -> None:
    with (place.part / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(
            command,
            env=place.environment,
            cwd=place.part,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: keep_to(place.cores),
        )
    if done.returncode:
        file = place.part / "log.txt"
        last = file.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        raise FailedError(f"{file} ends with: {last}")


def _commit(source: Path) -> str:
    ask = ["git", "-C", str(source), "rev-parse", "--short", "HEAD"]
    return subprocess.run(ask, capture_output=True, text=True).stdout.strip() or dessin.__version__


if __name__ == "__main__":
    try:
        main()
    except DessinError as refused:
        raise SystemExit(str(refused)) from None

"""The same work by two versions of dessin, compared byte by byte: weights, tables, keys and figures.

    python benchmarks/same_bytes.py OLD NEW --work DIR

`OLD` and `NEW` are checkouts. Each makes the demo, three runs of packaged recipes and the smoke study with
the same interpreter and one thread; what is in DIR already is not made again. Sums depend on the number of
threads, and the time that a machine takes is no figure, so the demo gets a budget that never binds. Left out
of the comparison: times, dates, versions, the machine, the commit and paths. A true minus and a hyphen, and a
comma and a thin space between thousands, count as the same in sentences, and so do "+0.0" and
"0.0", "1 threads" and "1 thread".
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DEMO = """
import dessin
demo = getattr(dessin, "demo", None)
if not callable(demo):
    from dessin.demo.demo import demo
demo(out="demo", budget="10h", classes=12, per_class=12)
"""
RECIPES = ("lite0-128", "quick-128", "strong-128")
STUDY = "smoke"
# Of a record: what is measured by a clock, or says where and with what it was made.
APART = re.compile(
    r"seconds|timings|started|finished|created|commit|versions|hardware|host|images_per_second|throughput|speed|decoding|training"
    r"|opened|executor|cpu|platform"
)
PLACES = re.compile(r"(/[\w.+-]+)+/?")


def make(checkout: Path, work: Path) -> None:
    """All of it by one version, below `work`."""
    work.mkdir(parents=True, exist_ok=True)
    recipes = next(p for p in (checkout / "src/dessin/recipes", checkout / "recipes") if p.is_dir())
    data, split = "demo/drawings", "split.csv"
    steps = [
        ("demo/result/index.html", ["-c", DEMO]),
        (split, ["-m", "dessin", "split", data, "--out", split, "--folds", "5", "--holdout", "0.2"]),
    ]
    options = ["--data", data, "--split", split]
    for name in RECIPES:
        out = f"runs/{name}"
        steps.append(
            (f"{out}/bundle", ["-m", "dessin", "train", f"{recipes / name}.yaml", *options, "--out", out])
        )
    study = ["-m", "dessin", "study", f"{recipes}/studies/{STUDY}.yaml", *options, "--out", STUDY]
    steps.append((f"{STUDY}/results.json", study))
    environment = os.environ | {
        "PYTHONPATH": str(checkout / "src"),
        "OMP_NUM_THREADS": "1",
        "DESSIN_CACHE": str(work / "cache"),
    }
    for made, command in steps:
        if not (work / made).exists():
            print(f"{checkout.name}: {made}", flush=True)
            subprocess.run([sys.executable, *command], cwd=work, env=environment, check=True)


def flat(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{key}[{number}]")
    else:
        yield key, value


def text_of(value: object) -> object:
    """A sentence without paths, and with one minus and one mark between thousands."""
    if not isinstance(value, str):
        return value
    plain = value.replace("\u2212", "-").replace("\u202f", ",").replace("\u00a0", " ")
    plain = re.sub(r"[\d.]+ GiB of free memory", "MEMORY", plain).replace("+0.0 ", "0.0 ")
    plain = re.sub(r"\b1 ([a-z]+)s\b", r"1 \1", plain)
    return PLACES.sub("PLACE", plain)


def content(path: Path) -> object:
    """What of a file is compared."""
    if path.suffix == ".json":
        found = dict(flat(json.loads(path.read_text(encoding="utf-8"))))
        return {key: "APART" if APART.search(key) else text_of(value) for key, value in found.items()}
    if path.suffix == ".csv":
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        return [
            {name: "APART" if name and APART.search(name) else text_of(cell) for name, cell in row.items()}
            for row in rows
        ]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compared(old: Path, new: Path) -> list[tuple[str, str]]:
    """Each file that is compared, with what was found."""
    kinds = {".json", ".csv", ".safetensors", ".npy", ".png", ".jpg", ".gif", ".bmp", ".webp"}
    names = sorted(
        {
            str(path.relative_to(side))
            for side in (old, new)
            for path in side.rglob("*")
            if path.is_file() and path.suffix in kinds and "cache" not in path.relative_to(side).parts
        }
    )
    rows = []
    for name in names:
        if not ((old / name).is_file() and (new / name).is_file()):
            rows.append((name, "only in " + ("old" if (old / name).is_file() else "new")))
            continue
        before, after = content(old / name), content(new / name)
        rows.append((name, "same" if before == after else f"DIFFERS: {first_difference(before, after)}"))
    return rows


def first_difference(before: object, after: object) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *after]:
            if before.get(key, "nothing") != after.get(key, "nothing"):
                return f"{key}: {before.get(key, 'nothing')!r} -> {after.get(key, 'nothing')!r}"
        return "order of keys" if list(before) != list(after) else ""
    if isinstance(before, list) and isinstance(after, list):
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            if one != other:
                return f"row {number}: {first_difference(one, other)}"
        return f"{len(before)} -> {len(after)} rows"
    return "other bytes"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", choices=("old", "new"))
    given = parser.parse_args()
    sides = {"old": given.old.resolve(), "new": given.new.resolve()}
    for name in [given.only] if given.only else list(sides):
        make(sides[name], given.work.resolve() / name)
    if given.only:
        return
    rows = compared(given.work / "old", given.work / "new")
    counts: dict[tuple[str, str], int] = {}
    for name, found in rows:
        kind = Path(name).suffix if "model.safetensors" not in name else "weights"
        key = (kind, "same" if found == "same" else "different")
        counts[key] = counts.get(key, 0) + 1
        if found != "same":
            print(f"{name}: {found}")
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind:<14}{verdict:<12}{count:>5}")
    sys.exit(any(found != "same" for _, found in rows))


if __name__ == "__main__":
    main()

"""What a GPU makes of dessin: the loop beside a resident batch, the recipes for GPUs, and what needs CUDA.

    PYTHONPATH=src python benchmarks/gpu.py [--backbones resnet50 resnet152] [--parts] [--compile]

The loop (`gpu_loop.py`); with `--parts` also with none and some of the augmentation: whose is the time?

    PYTHONPATH=src python benchmarks/gpu.py --plan [--drawings 15021] [--out plan.csv]

Minutes and GiB of the packaged recipes for GPUs (`gpu_plan.py`), planned; where a GPU is, measured on it too.

    PYTHONPATH=src python benchmarks/gpu.py --all OUT

All of it in less than ten minutes, each part with its own limit: the loop with its parts, the plan, the tests
that need CUDA, and `dessin auto` on doodles. What is printed lies in OUT too.

It needs a CUDA machine (but for the plan) with torch 2.11 or newer, timm and this repository on the path, no
other data, no weights and no network.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from dessin.doodles.doodles import generate_doodles
from dessin.training.device import choose_device, choose_precision
from gpu_loop import compare
from gpu_plan import DRAWINGS, RECIPES, Line, header, measured, planned, write_lines

ROOT = Path(__file__).parent.parent
# Seconds of each part of `--all`; together with what lies between them less than ten minutes.
LIMITS = {"loop": 150, "plan": 270, "tests": 60, "auto": 90}


def main() -> None:
    options = _options()
    device = choose_device().value
    precision = choose_precision(device).value
    if options.all:
        everything(Path(options.all))
    elif options.plan:
        plan(device, precision, options)
    elif device != "cuda" and not options.any_device:
        raise SystemExit("The loop is for a CUDA machine. To try it elsewhere: --any-device.")
    else:
        compare(device, precision, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbones", nargs="+", default=["resnet50", "resnet152"])
    parser.add_argument("--images", type=int, default=4096, help="images a measurement of the loop")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=min(16, os.cpu_count() or 1), help="of timm's loader")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--parts", action="store_true", help="the loop with parts of the augmentation, too")
    parser.add_argument("--no-timm", action="store_true", help="without timm's loader")
    parser.add_argument("--any-device", action="store_true")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--drawings", type=int, default=DRAWINGS)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no backbone later than this")
    parser.add_argument("--out", type=Path, help="the table of the plan as CSV")
    parser.add_argument("--all", metavar="OUT", help="all of it, into this folder")
    return parser.parse_args()


def plan(device: str, precision: str, options: argparse.Namespace) -> list[Line]:
    """Print the plan for the three sizes of GPUs, and for this GPU what was measured beside it."""
    lines = planned(options.drawings)
    for name in RECIPES:
        print(f"{name}, {options.drawings:,} drawings, on 24, 48 and 80 GB, planned:")
        print(*header(name, lines), sep="\n")
    if device == "cuda":
        print("Measured with random weights: minutes (planned) and GiB (planned)")
        stop_at = time.monotonic() + options.seconds
        for line in measured(torch.device(device), precision, drawings=options.drawings, stop_at=stop_at):
            minutes = f"{line.measured_minutes:.1f} ({line.planned_minutes:.1f}) min"
            gib = f"{line.measured_gib:.1f} ({line.planned_gib:.1f}) GiB"
            print(f"{line.recipe} {line.backbone}: {minutes}, {gib}", flush=True)
            lines.append(line)
    else:
        print("No GPU is here, so none of this was measured.")
    if options.out:
        write_lines(options.out, lines)
    return lines


def everything(out: Path) -> None:
    """Each part in a process of its own, whose end by its limit takes nothing from the others."""
    # The parts run at the root of the repository.
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    generate_doodles(out / "doodles", classes=16, per_class=30)
    me, limit = [sys.executable, __file__], LIMITS["plan"]
    loop = [*me, "--parts", "--no-timm", "--rounds", "2", "--images", "2048"]
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "cuda",
        "tests/augmentation",
    ]
    drawings = out / "doodles" / "drawings"
    auto = [sys.executable, "-m", "dessin", "auto", drawings, "--out", out / "auto", "--budget", "60s"]
    _run("loop", loop, out)
    _run("plan", [*me, "--plan", "--out", out / "plan.csv", "--seconds", str(limit - 40)], out)
    _run("tests", tests, out)
    _run("auto", auto, out)


def _run(name: str, command: Sequence[str | Path], out: Path) -> None:
    print(f"== {name}", flush=True)
    started = time.monotonic()
    with (out / f"{name}.txt").open("w", encoding="utf-8") as file:
        try:
            code = subprocess.run(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, timeout=LIMITS[name], check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    print((out / f"{name}.txt").read_text(encoding="utf-8")[-6000:])
    ended = "ran out of time" if code == -1 else f"ended with {code}"
    print(f"{name} {ended} after {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

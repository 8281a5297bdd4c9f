"""Does a model's page answer as the runtime does, and how fast?

Exports MODEL as a page, opens it from a file in Chromium and asks both for drawings of FOLDER (a seeded draw
from all images below it): the files as they are, as JPEG (quality 85), and as JPEG that a camera has turned.
Differences are the largest of any probability. Times are of the page's own clock: preparation and computation
of one picture on one thread, without decoding.

    python benchmarks/static_page.py MODEL FOLDER [--n 200] [--runtime FOLDER] [--chromium PROGRAM]
"""

from __future__ import annotations

import argparse
import base64
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from dessin.images.decode import decode
from dessin.images.fit import prepare_for
from dessin.serving.export.verb import export
from dessin.serving.runtime import Runtime

ASK = "async (bytes) => dessin.answer(new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]))"
ENDINGS = {".png", ".jpg", ".jpeg", ".webp"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--runtime", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in ENDINGS)
    files = random.Random(0).sample(files, min(options.n, len(files)))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        page = Path(place) / "page"
        export(options.model, page=page, runtime=options.runtime)
        for path in sorted(page.iterdir()):
            print(f"{path.name}: {path.stat().st_size / 2**20:.1f} MiB")
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.set_default_timeout(600_000)
        start = time.perf_counter()
        opened.goto((page / "index.html").as_uri())
        opened.evaluate("dessin.ready")
        print(f"ready after {time.perf_counter() - start:.1f} s")
        runtime = Runtime.load(options.model, threads=1)
        for name, written in (("as it is", Path.read_bytes), ("JPEG", as_jpeg), ("JPEG, turned", as_turned)):
            compare(name, [written(path) for path in files], runtime, lambda data: opened.evaluate(ASK, data))
        browser.close()


def compare(name: str, files: list[bytes], runtime: Runtime, ask: Callable[[str], dict[str, object]]) -> None:
    differences, times, same = [], [], 0
    for data in files:
        ours = runtime.answer([prepare_for(decode(data).pixels, runtime.fittings)]).probabilities[0]
        found = ask(base64.b64encode(data).decode())
        theirs = np.array(found["probabilities"])
        differences.append(np.abs(ours - theirs).max())
        times.append(found["milliseconds"])
        same += int(ours.argmax() == theirs.argmax())
    print(
        f"{name}: n = {len(files)}, largest difference {max(differences):.1e} (median "
        f"{np.median(differences):.1e}), same answer {same}, median {np.median(times):.0f} ms "
        f"(quickest {min(times):.0f}, slowest in twenty {np.quantile(times, 0.95):.0f})",
        flush=True,
    )


def as_jpeg(path: Path, **options: object) -> bytes:
    buffer = BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=85, **options)
    return buffer.getvalue()


def as_turned(path: Path) -> bytes:
    turned = Image.Exif()
    turned[0x112] = 6
    return as_jpeg(path, exif=turned)


if __name__ == "__main__":
    main()

"""Ask a running endpoint from your own program, with the standard library alone.

    python examples/ask_an_endpoint.py --out result [--url http://127.0.0.1:8000] [IMAGE ..]

Without --url, doodles are drawn, a probe is trained on them, and `dessin serve` is started on this machine
while this script runs. What a client should know: a refused image is a sentence in `error`, a busy server
says when to come back, and a model may say that it is unsure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import dessin
from dessin.doodles.doodles import generate_doodles
from dessin.recipe import make_recipe

PORT = 8765
RECIPE = {
    "image": {"size": 64},
    "model": {"backbone": "tf_efficientnet_lite0"},
    "finetune": {"mode": "probe"},
}


def ask(url: str, image: bytes, *, tries: int = 5) -> dict[str, Any]:
    """What the endpoint says of an image; an error is raised as the sentence that it sent."""
    request = Request(
        f"{url}/v1/predict?top=3", data=image, headers={"Content-Type": "application/octet-stream"}
    )
    for attempt in range(tries):
        try:
            with urlopen(request, timeout=30) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except HTTPError as refused:
            if refused.code not in (429, 503) or attempt == tries - 1:
                error = json.load(refused)["error"]
                raise RuntimeError(f"{error['seen']} {error['do']}") from None
            time.sleep(float(refused.headers.get("Retry-After", 1)))
    raise AssertionError("the last try returns or raises")


def told(answer: dict[str, Any]) -> str:
    best = answer["candidates"][0]
    if not answer["answered"]:
        return f"unsure ({answer['reason']}); it might be {best['name']}"
    return f"{best['name']}, {best['probability']:.0%}"


@contextmanager
def served(model: Path, port: int) -> Iterator[str]:
    """An endpoint on this machine, ready; stopped at the end."""
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "dessin", "serve", str(model), "--port", str(port)])
    try:
        for _ in range(120):
            if process.poll() is not None:
                raise RuntimeError("dessin serve did not start; its message is above.")
            try:
                with urlopen(f"{url}/readyz", timeout=5):
                    break
            except OSError:  # nobody listens yet, or nobody answers in time
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


def main(out: Path, images: Sequence[Path] = (), url: str | None = None, port: int = PORT) -> list[str]:
    if url is not None:
        return [told(ask(url, image.read_bytes())) for image in images]
    generate_doodles(out / "doodles", classes=12, per_class=10, seed=0)
    drawings = out / "doodles" / "drawings"
    dessin.split(drawings, folds=3, out=out / "split.csv")
    run = dessin.train(make_recipe(RECIPE), data=drawings, split=out / "split.csv", out=out / "run")
    images = images or sorted(drawings.glob("*/[!.]*_00[12].png"))[:3]
    with served(run, port) as here:
        answers = [told(ask(here, image.read_bytes())) for image in images]
        try:
            ask(here, b"no picture")
        except RuntimeError as error:
            answers.append(f"refused: {error}")
    for name, answer in zip([*map(str, images), "no picture"], answers, strict=True):
        print(f"{name}: {answer}")
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--url")
    parser.add_argument("--port", type=int, default=PORT)
    arguments = parser.parse_args()
    for line in main(arguments.out, arguments.images, arguments.url, arguments.port):
        if arguments.url:
            print(line)

"""The HTTP API under load, with hostile requests among the good ones, beside the runtime alone.

A real server in a process of its own; clients that keep their connections ask it for the classes of real
drawings, as fast as they are answered. A share of all requests is hostile: images that claim or have too many
pixels, truncated ones, another format, too many bytes, and senders that drip. Every good answer is compared
with what the runtime alone says of the same file (label, and probabilities to 1e-4). The runtime alone is
timed on the same files before and after, from files to answers, in the best of several sizes of batches.
With `--harm 5` one of the processes that decode is stopped or killed every 5 s, in turn, and no good image
may be refused for it.

    python benchmarks/serve.py MODEL DATA [--seconds 60] [--clients 32] [--hostile 0.05] [--harm 5]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import signal
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from dessin.collection.readers.walk import walk_images
from dessin.progress import quiet
from dessin.serving import runtime as runtime_module
from dessin.serving.runtime import Answered, ImageFile, Runtime, read_answers

GOAL = 0.85
TOLERANCE = 1e-4
TOP = 5
BATCHES = (8, 16, 32, 64)
SLOW_SECONDS = 20.0


@dataclass
class Tally:
    """What came back."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: int = 0
    busy: int = 0
    hostile: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    harmed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Good:
    """A request for one drawing, and the answer that it must get: (label, probability) from the likeliest."""

    request: bytes
    answer: tuple[tuple[str, float], ...]


def main() -> None:
    options = _options()
    threads = options.threads or os.cpu_count() or 1
    files = _files(options.data, options.files)
    with quiet():
        runtime = Runtime.load(options.model, threads=threads)
        goods = _goods(runtime, files)
        # In turn: a machine that slows down as it works would favour whichever size comes first.
        moment = options.alone / 5
        tries = [{size: _alone(runtime, files, moment, size) for size in BATCHES} for _ in range(3)]
        rates = {size: statistics.median(one[size] for one in tries) for size in BATCHES}
        best = max(rates, key=lambda size: rates[size])
        before = _alone(runtime, files, options.alone, best)
        server, port = _start(options, threads)
        try:
            tally = asyncio.run(_load(options, port, goods, psutil.Process(server.pid)))
        finally:
            server.terminate()
            code = server.wait(60)
        after = _alone(runtime, files, options.alone, best)
    print(
        "runtime alone by size of batch: " + ", ".join(f"{size}: {rate:.1f}" for size, rate in rates.items())
    )
    _report(options, tally, before, after, code)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--hostile", type=float, default=0.05)
    parser.add_argument("--harm", type=float, help="stop or kill a decoding process every so many seconds")
    parser.add_argument("--files", type=int, default=512)
    parser.add_argument("--alone", type=float, default=10.0, help="seconds of the runtime alone, twice")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def _files(data: Path, most: int) -> list[ImageFile]:
    found = [data / name for name in walk_images(data).images]
    found = [path for path in found if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")]
    chosen = np.random.default_rng(0).permutation(len(found))[:most]
    return [ImageFile(str(number), found[place]) for number, place in enumerate(chosen)]


def _goods(runtime: Runtime, files: list[ImageFile]) -> list[Good]:
    predictions = runtime.predict_files(files)
    answered = Answered(predictions.probabilities, predictions.scores)
    answers = dict(zip(predictions.image_ids, read_answers(runtime.committee, answered, TOP), strict=True))
    return [
        Good(
            _post(file.path.read_bytes()),
            tuple((one.label, one.probability) for one in answers[file.image_id].candidates),
        )
        for file in files
        if file.image_id in answers
    ]


def _alone(runtime: Runtime, files: list[ImageFile], seconds: float, batch: int) -> float:
    """Images a second of the runtime alone, in batches of such a size."""
    runtime_module.BATCH = batch
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        done += len(runtime.predict_files(files[:256]).image_ids)
    return done / (time.perf_counter() - started)


def _start(options: argparse.Namespace, threads: int) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "dessin", "serve", str(options.model), "--port", "0"]
    server = subprocess.Popen(
        [*command, "--threads", str(threads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            # Its log has a line a request, which somebody must read.
            subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL)
            return server, int(found[1])
    raise SystemExit("The server did not start.")


async def _load(options: argparse.Namespace, port: int, goods: list[Good], server: psutil.Process) -> Tally:
    tally = Tally()
    await _until_ready(port)
    end = time.perf_counter() + options.seconds
    attacks = _attacks()
    slow: set[asyncio.Task[None]] = set()
    clients = [
        _client(number, options, port, goods, attacks, slow, tally, end) for number in range(options.clients)
    ]
    beside = [asyncio.create_task(_watch(server, tally))]
    if options.harm:
        beside.append(asyncio.create_task(_harm(server, options.harm, tally)))
    await asyncio.gather(*clients)
    for task in beside:
        task.cancel()
    if slow:
        await asyncio.wait(slow)
    return tally


async def _until_ready(port: int) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, _ = await _read(reader)
        writer.close()
        if status == 200:
            return


async def _watch(server: psutil.Process, tally: Tally) -> None:
    """The memory of the server and its workers, MiB, twice a second."""
    while True:
        total = 0
        for process in (server, *server.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        tally.memory.append(total / 2**20)
        await asyncio.sleep(0.5)


async def _harm(server: psutil.Process, every: float, tally: Tally) -> None:
    """Stop a decoding process, then kill one, and so on; any of them, whatever it does."""
    random = np.random.default_rng(0)
    while True:
        await asyncio.sleep(every)
        decoders = [
            one for one in server.children() if any("decode_worker" in part for part in one.cmdline())
        ]
        if decoders:
            number = (signal.SIGSTOP, signal.SIGKILL)[tally.harmed.total() % 2]
            decoders[int(random.integers(len(decoders)))].send_signal(number)
            tally.harmed[number.name] += 1


async def _client(
    number: int,
    options: argparse.Namespace,
    port: int,
    goods: list[Good],
    attacks: dict[str, bytes],
    slow: set[asyncio.Task[None]],
    tally: Tally,
    end: float,
) -> None:
    random = np.random.default_rng(number)
    names = [*attacks, "slow sender"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        if random.random() < options.hostile:
            name = names[int(random.integers(len(names)))]
            if name == "slow sender":
                # On the side: a client that waited for it would ask nothing for as long.
                task = asyncio.create_task(_drip(port, goods[0].request, tally))
                slow.add(task)
            else:
                await _attack(port, name, attacks[name], tally)
            continue
        good = goods[int(random.integers(len(goods)))]
        started = time.perf_counter()
        try:
            writer.write(good.request)
            status, body = await _read(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            tally.lost += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        if status == 200:
            tally.seconds.append(time.perf_counter() - started)
            tally.wrong += not _same(good, body)
        elif status == 429:
            tally.busy += 1
            await asyncio.sleep(1.0)
        else:
            tally.refused[status] += 1
    writer.close()


def _same(good: Good, body: bytes) -> bool:
    found = json.loads(body)["candidates"]
    if len(found) != len(good.answer):
        return False
    close = all(
        abs(one["probability"] - probability) <= TOLERANCE
        for one, (_, probability) in zip(found, good.answer, strict=True)
    )
    # Two classes that are as likely as each other may change places.
    label, probability = good.answer[0]
    tie = len(good.answer) > 1 and probability - good.answer[1][1] <= TOLERANCE
    return close and (tie or found[0]["label"] == label)


async def _attack(port: int, name: str, request: bytes, tally: Tally) -> None:
    """A hostile request on a connection of its own."""
    await _outcome(name, tally, lambda: _ask(port, request))


async def _drip(port: int, request: bytes, tally: Tally) -> None:
    await _outcome("slow sender", tally, lambda: _dripped(port, request))


async def _outcome(name: str, tally: Tally, ask: Callable[[], Awaitable[int]]) -> None:
    try:
        async with asyncio.timeout(SLOW_SECONDS):
            tally.hostile[f"{name}: {await ask()}"] += 1
    except (ConnectionError, asyncio.IncompleteReadError):
        tally.hostile[f"{name}: closed"] += 1
    except TimeoutError:
        tally.hostile[f"{name}: NO ANSWER"] += 1


async def _ask(port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        status, _ = await _read(reader)
    finally:
        writer.close()
    return status


async def _dripped(port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(_read(reader))
    try:
        head = request.index(b"\r\n\r\n") + 4
        writer.write(request[:head])
        for byte in request[head:]:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.5)
        status, _ = await answer
    finally:
        answer.cancel()
        writer.close()
    return status


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length[1])) if length else b""
    return int(head[9:12]), body


def _post(data: bytes, kind: str = "application/octet-stream") -> bytes:
    head = f"POST /v1/predict?top={TOP} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def _attacks() -> dict[str, bytes]:
    whole = _png(Image.new("1", (600, 600), 1))
    size = struct.pack(">II", 30_000, 30_000) + whole[24:29]
    claims = whole[:16] + size + struct.pack(">I", zlib.crc32(b"IHDR" + size)) + whole[33:]
    gif = io.BytesIO()
    Image.new("L", (64, 64)).save(gif, "GIF")
    return {
        "claims 900 million pixels": _post(claims),
        "has 64 million pixels": _post(_png(Image.new("1", (8000, 8000), 1))),
        "truncated": _post(_png(Image.effect_noise((200, 200), 50))[:9000]),
        "gif": _post(gif.getvalue()),
        "says jpeg, is png": _post(whole, "image/jpeg"),
        "9 MiB": _post(whole + bytes(9 * 2**20)),
    }


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _report(options: argparse.Namespace, tally: Tally, before: float, after: float, code: int) -> None:
    seconds = sorted(tally.seconds)
    rate, alone = len(seconds) / options.seconds, statistics.mean((before, after))
    p50, p95, p99 = (1000 * seconds[int(share * (len(seconds) - 1))] for share in (0.5, 0.95, 0.99))
    print(
        f"{len(seconds):,} good answers by {options.clients} clients in {options.seconds:g} s: "
        f"{rate:.1f} a second"
    )
    print(
        f"wrong {tally.wrong}, lost {tally.lost}, told to come again {tally.busy}, "
        f"refused {tally.refused.total()} {dict(tally.refused) or ''}"
    )
    if options.harm:
        print(f"decoding processes harmed every {options.harm:g} s: {dict(tally.harmed)}")
    print(f"latency p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, most {1000 * seconds[-1]:.0f} ms")
    total = sum(tally.hostile.values())
    print(f"{total:,} hostile requests ({total / (total + len(seconds)):.1%}):")
    for outcome, count in sorted(tally.hostile.items()):
        print(f"  {outcome:40} {count:,}")
    quarter = len(tally.memory) // 4
    early, late = (statistics.mean(tally.memory[k * quarter : (k + 1) * quarter]) for k in (1, 3))
    print(
        f"memory of server and workers: second quarter {early:.0f} MiB, last {late:.0f} "
        f"({late / early - 1:+.1%})"
    )
    print(f"the server ended with code {code}")
    print(f"runtime alone: {before:.1f} images a second before, {after:.1f} after")
    share = rate / alone
    print(
        f"{share:.3f} of the runtime alone; the goal of {GOAL} is {'reached' if share >= GOAL else 'MISSED'}"
    )


if __name__ == "__main__":
    main()

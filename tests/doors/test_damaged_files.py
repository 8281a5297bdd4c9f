"""Whatever is wrong with a file that dessin reads: it is read, or refused in one short sentence, soon."""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest
from damaged import formats
from fuzz_kit import cases, rng

from dessin.errors import DessinError
from dessin.runs.record import read_record

pytestmark = pytest.mark.slow

_SENTENCE = 1000
_SECONDS = 2.0
_MEMORY = 500 * 2**20


def _peak() -> int:
    """The most bytes that this process has held at once, where the system tells."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_every_format_is_read_as_it_was_written(tmp_path: Path) -> None:
    for each in formats(tmp_path):
        # A cache that is not whole is none.
        assert each.read(tmp_path) is not None or each.name in ("op", "parts"), each.name


def test_a_large_record_of_wrong_values_is_refused_soon(tmp_path: Path) -> None:
    """Of each wrong value its checker makes an object, and to name one names all."""
    before = _peak()
    many = b"0," * 500_000
    for text in (
        b'{"format": 1, "started": [%s0]}' % many,
        b'{"format": 1, "started": [%s0]}' % (b"0,          " * 500_000),
        b'{"format": 1, "versions": {%s}}' % b",".join(b'"%d": 0' % n for n in range(200_000)),
        b'{"format": 1, %s}' % b",".join(b'"%d": 0' % n for n in range(200_000)),
        b" " * 16 * 2**20 + b"1",
    ):
        (tmp_path / "record.json").write_bytes(text)
        begun = time.process_time()
        with pytest.raises(DessinError) as caught:
            read_record(tmp_path)
        assert len(str(caught.value)) < _SENTENCE
        assert time.process_time() - begun < _SECONDS
    assert _peak() - before < _MEMORY


def test_a_damaged_file_is_read_or_refused_in_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = _peak()
    kinds, random = formats(tmp_path), rng("damaged files")
    counts: Counter[tuple[str, str]] = Counter()
    faults: dict[str, str] = {}
    for number in range(cases(1500)):
        each = kinds[number % len(kinds)]
        path = tmp_path / each.file
        whole = path.read_bytes()
        path.write_bytes(data := random.choice(each.ways)(random, whole))
        begun = time.process_time()
        try:
            each.read(tmp_path)
            counts[each.name, "read"] += 1
        except DessinError as error:
            counts[each.name, "refused"] += 1
            if len(str(error)) > _SENTENCE:
                faults.setdefault(
                    f"{each.name}: {len(str(error))} characters: {str(error)[:80]}", repr(data[:2000])
                )
        except Exception as error:
            counts[each.name, "traceback"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = (
                f"{each.name}: {type(error).__name__} in {where.filename.rpartition('/')[2]}:{where.lineno}"
            )
            faults.setdefault(kind, f"{str(error)[:300]!r} for {data[:1500]!r}")
        if (spent := time.process_time() - begun) > _SECONDS:
            faults.setdefault(f"{each.name}: {spent:.1f} s", repr(data[:2000]))
        path.write_bytes(whole)
    capfd.readouterr()
    with capfd.disabled():
        if number > 10_000:
            for name in dict.fromkeys(name for name, _ in counts):
                ends = {end: counts[name, end] for end in ("read", "refused", "traceback")}
                print(name, ends)  # noqa: T201
    assert _peak() - before < _MEMORY
    assert not faults, "\n".join(f"{kind}\n    {seen}" for kind, seen in faults.items())
    # Of caches, and of folders that are looked through, what is damaged is made anew, or a line of the list.
    quiet = ("listing", "features", "scan", "scan array", "checkpoint", "parts")
    assert all(counts[each.name, "refused"] for each in kinds if each.name not in quiet)

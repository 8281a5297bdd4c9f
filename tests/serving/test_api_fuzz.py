"""Mutated image files and made-up requests: never a crash, never a wrong status.

`DESSIN_FUZZ_FILES=10000` tries as many files as that; the default is enough for every day.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import schemathesis
from api_kit import Serving, serving
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("DESSIN_FUZZ_FILES", "300"))
KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Serving]:
    with serving(bundle, workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def files(drawings: dict[str, list[bytes]]) -> list[bytes]:
    """Real doodles in each of the three formats, gray, coloured and transparent."""
    made = []
    for number, data in enumerate(data for images in drawings.values() for data in images[:2]):
        image = Image.open(io.BytesIO(data)).convert(("RGB", "L", "RGBA")[number % 3]).resize((96, 80))
        for kind in KINDS:
            buffer = io.BytesIO()
            (image.convert("RGB") if kind == "JPEG" else image).save(buffer, kind)
            made.append(buffer.getvalue())
    return made


@st.composite
def mutations(draw: st.DrawFn) -> tuple[int, list[tuple[str, float, int, bytes]]]:
    """Which file, and what is done to it in turn: where (a share of its length), how much, which bytes."""
    step = st.tuples(
        st.sampled_from(["flip", "cut", "end", "insert", "repeat", "splice", "head"]),
        st.floats(0, 1),
        st.integers(1, 64),
        st.binary(min_size=1, max_size=16),
    )
    return draw(st.integers(0, 17)), draw(st.lists(step, min_size=1, max_size=4))


def mutated(files: list[bytes], number: int, steps: list[tuple[str, float, int, bytes]]) -> bytes:
    data = files[number]
    for kind, where, count, other in steps:
        at = int(where * len(data))
        match kind:
            case "flip":
                data = (
                    data[:at]
                    + bytes(byte ^ count for byte in data[at : at + len(other)])
                    + data[at + len(other) :]
                )
            case "cut":
                data = data[:at] + data[at + count :]
            case "end":
                data = data[:at]
            case "insert":
                data = data[:at] + other + data[at:]
            case "repeat":
                data = data[:at] + data[max(0, at - count) : at] * 8 + data[at:]
            case "splice":
                data = data[:at] + files[(number + count) % len(files)][at:]
            case _:
                # Sizes, flags and chunk lengths stand near the beginning of a file.
                data = data[: min(at, 40)] + other[:4] + data[min(at, 40) + 4 :]
    return data


def test_no_mutated_file_gets_a_wrong_status(
    server: Serving, files: list[bytes], record_property: Callable[[str, object], None]
) -> None:
    expected = [server.predict(data, top=3).json() for data in files]
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=FILES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations())
    def fuzz(drawn: tuple[int, list[tuple[str, float, int, bytes]]]) -> None:
        reply = server.predict(mutated(files, *drawn))
        statuses[reply.status_code] += 1
        assert reply.status_code in (200, 413, 415, 422), reply.text
        assert ("candidates" if reply.status_code == 200 else "error") in reply.json()

    fuzz()
    # For --junit-xml, where somebody wants to see them.
    record_property("statuses", dict(sorted(statuses.items())))
    assert statuses.total() >= FILES * 0.9
    assert statuses[200] > 0
    assert statuses[422] > 0
    assert [server.predict(data, top=3).json() for data in files] == expected


# No schema can say that most bytes are no image, and in a form a number is an array of one as well.
UNSAYABLE = [positive_data_acceptance, negative_data_rejection]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: str(mode.value))
def test_the_api_is_what_its_description_says(server: Serving, mode: schemathesis.GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    asked: Counter[str] = Counter()

    def check(operation: schemathesis.APIOperation) -> None:
        @settings(
            max_examples=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            reply = case.call()
            asked[operation.label] += 1
            assert reply.status_code < 500, reply.text
            case.validate_response(reply, excluded_checks=UNSAYABLE)

        ask()

    for found in schema.get_all_operations():
        operation = found.ok()
        # What takes nothing cannot be asked for wrongly.
        if mode is schemathesis.GenerationMode.POSITIVE or operation.label.startswith("POST"):
            check(operation)
    assert {"POST /v1/predict", "POST /v1/predict/batch", "POST /v1/explain"} <= set(asked)

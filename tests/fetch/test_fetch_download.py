"""One file over a bad network: the bytes at the end are those of the source, or it is said why not."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import numpy as np
import pytest
from fetch_kit import (
    Behave,
    FakeClock,
    Request,
    Server,
    dropping,
    failing,
    ignoring_range,
    new_client,
    redirecting,
    running_server,
    serve,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dessin.errors import DessinError
from dessin.fetch.client import NotThereError, may_follow
from dessin.fetch.download import Origin, PartialFile, download

pytestmark = pytest.mark.slow

DATA = np.random.default_rng(0).bytes(200_000)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.files, running.plans, running.asked, running.etag = {"/f": DATA}, {}, [], '"one"'
    return running


def bring(server: Server, folder: Path, *plan: Behave, want: int | None = None) -> tuple[Origin, bytes]:
    server.plans["/f"] = list(plan)
    part = PartialFile(folder / "part")
    fetched = download(new_client(), f"{server.address}/f", part, want=want)
    return fetched, part.path.read_bytes()


def ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.asked]


def test_a_dropped_connection_goes_on_from_where_it_ended(server: Server, tmp_path: Path) -> None:
    fetched, data = bring(server, tmp_path, dropping(50_000), dropping(70_000))
    assert data == DATA
    assert fetched.whole
    assert ranges(server) == [None, "bytes=50000-", "bytes=120000-"]
    assert server.asked[1][1]["If-Range"] == '"one"'


def test_the_client_names_itself(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path)
    headers = server.asked[0][1]
    assert headers["User-Agent"].startswith("dessin/")
    assert headers["Accept-Encoding"] == "identity"


def test_a_beginning_asks_for_no_more_and_can_be_extended(server: Server, tmp_path: Path) -> None:
    part = PartialFile(tmp_path / "part")
    first = download(new_client(), f"{server.address}/f", part, want=1000)
    assert (first.size, first.whole, part.path.read_bytes()) == (1000, False, DATA[:1000])
    second = download(new_client(), f"{server.address}/f", part, want=3000)
    assert (second.size, part.path.read_bytes()) == (3000, DATA[:3000])
    assert ranges(server) == ["bytes=0-999", "bytes=1000-2999"]


@pytest.mark.parametrize("want", [None, 120_000])
def test_a_server_without_ranges_starts_again_with_the_same_result(
    server: Server, tmp_path: Path, want: int | None
) -> None:
    fetched, data = bring(server, tmp_path, ignoring_range(50_000), ignoring_range(), want=want)
    assert data == DATA[:want]
    assert fetched.whole == (want is None)


def test_a_file_that_changes_on_the_way_is_fetched_anew_and_it_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, said = DATA[::-1] + b"more", list[str]()
    monkeypatch.setattr(import_module("dessin.fetch.download"), "warn", said.append)

    def cut_and_change(request: Request, data: bytes) -> None:
        serve(request, data, 50_000)
        request.server.files["/f"], request.server.etag = other, '"two"'

    fetched, data = bring(server, tmp_path, cut_and_change)
    assert data == other
    assert fetched.etag == '"two"'
    assert len(said) == 1
    assert "has changed at the source" in said[0]


def test_the_rest_of_another_version_is_never_joined(server: Server, tmp_path: Path) -> None:
    def rest_of_another(request: Request, data: bytes) -> None:
        place = f"bytes 50000-{len(data) - 1}/{len(data)}"
        request.answer(206, bytes(len(data) - 50_000), ETag='"two"', Content_Range=place)

    _, data = bring(server, tmp_path, dropping(50_000), rest_of_another)
    assert data == DATA


def test_without_a_validator_nothing_is_joined(server: Server, tmp_path: Path) -> None:
    def anonymous(request: Request, data: bytes) -> None:
        request.answer(200, data[:50_000], Content_Length=str(len(data)))

    _, data = bring(server, tmp_path, anonymous)
    assert data == DATA
    assert ranges(server) == [None, None]


def test_a_weak_validator_joins_nothing(server: Server, tmp_path: Path) -> None:
    server.etag = 'W/"one"'
    _, data = bring(server, tmp_path, dropping(50_000))
    assert data == DATA
    assert ranges(server) == [None, None]


def test_a_wrong_place_is_refused_and_the_file_begun_anew(server: Server, tmp_path: Path) -> None:
    def misplaced(request: Request, data: bytes) -> None:
        # As many bytes as are missing, of another place.
        request.answer(206, data[10:150_010], ETag='"one"', Content_Range=f"bytes 10-150009/{len(data)}")

    def nonsense(request: Request, data: bytes) -> None:
        request.answer(206, data, ETag='"one"', Content_Range="bytes whatever")

    _, data = bring(server, tmp_path, dropping(50_000), misplaced, dropping(40_000), nonsense)
    assert data == DATA


def test_a_wrong_total_is_refused(server: Server, tmp_path: Path) -> None:
    def longer(request: Request, data: bytes) -> None:
        place = f"bytes 50000-{len(data) + 8}/{len(data) + 9}"
        request.answer(206, data[50_000:] + b"123456789", ETag='"one"', Content_Range=place)

    _, data = bring(server, tmp_path, dropping(50_000), longer)
    assert data == DATA


def test_more_than_the_total_is_refused(server: Server, tmp_path: Path) -> None:
    def too_much(request: Request, data: bytes) -> None:
        place = f"bytes 0-{len(data) - 1}/{len(data)}"
        request.answer(206, data + b"123456789", ETag='"one"', Content_Range=place)

    fetched, data = bring(server, tmp_path, too_much, want=len(DATA) + 5)
    assert data == DATA
    assert fetched.whole


def test_a_length_that_is_no_number_does_not_hide_a_cut(server: Server, tmp_path: Path) -> None:
    def chunked_and_cut(request: Request, data: bytes) -> None:
        request.answer(200, b"100\r\n" + data[:200], ETag='"one"', Transfer_Encoding="chunked")

    _, data = bring(server, tmp_path, chunked_and_cut)
    assert data == DATA


def test_always_short_ends_in_an_error_and_keeps_what_came(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"in 6 tries.*goes on where it stopped"):
        bring(server, tmp_path, *[dropping(100)] * 6)
    assert PartialFile(tmp_path / "part").size() == 600
    _, data = bring(server, tmp_path)
    assert data == DATA


def test_a_server_that_never_gets_further_does_not_go_on_for_ever(server: Server, tmp_path: Path) -> None:
    server.files["/f"] = bytes(3 * 2**20)
    with pytest.raises(DessinError, match="tries"):
        bring(server, tmp_path, *[ignoring_range(2 * 2**20)] * 50)
    assert len(server.asked) == 6


def test_a_connection_that_gets_further_each_time_may_break_often(server: Server, tmp_path: Path) -> None:
    server.files["/f"] = bytes(12 * 2**20)
    fetched, _ = bring(server, tmp_path, *[dropping(2**20)] * 11)
    assert fetched.whole
    assert len(server.asked) == 12


def test_a_part_beyond_the_end_is_thrown_away(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path, dropping(50_000), want=60_000)
    server.files["/f"] = DATA[:40_000]
    _, data = bring(server, tmp_path)
    assert data == DATA[:40_000]


def test_a_full_part_asks_nothing(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path)
    server.asked.clear()
    _, data = bring(server, tmp_path)
    assert (data, server.asked) == (DATA, [])


def test_retry_after_is_honoured_in_seconds_and_as_a_date(server: Server, tmp_path: Path) -> None:
    server.plans["/f"] = [
        failing(429, Retry_After="37"),
        failing(503, Retry_After="Thu, 01 Jan 2026 00:02:00 GMT"),
    ]
    clock = FakeClock()
    download(new_client(clock, interval_s=0.0), f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert clock.slept == [37.0, pytest.approx(120.0 - 37.0)]


def test_pauses_double_and_end(server: Server, tmp_path: Path) -> None:
    server.plans["/f"] = [failing(503)] * 9
    clock = FakeClock()
    with pytest.raises(DessinError, match="it answered 503"):
        download(new_client(clock, interval_s=0.0), f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_pause_of_hours_is_left_to_the_user(server: Server, tmp_path: Path) -> None:
    server.plans["/f"] = [failing(429, Retry_After="7200")]
    clock = FakeClock()
    with pytest.raises(DessinError, match="wait for 2 h 0 min"):
        download(new_client(clock), f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert clock.slept == []


def test_requests_keep_their_distance(server: Server, tmp_path: Path) -> None:
    clock = FakeClock()
    client = new_client(clock, interval_s=0.5)
    for number in range(4):
        download(client, f"{server.address}/f", PartialFile(tmp_path / str(number)), want=10)
    assert clock.slept == [0.5, 0.5, 0.5]


def test_a_trickle_counts_as_a_broken_connection(server: Server, tmp_path: Path) -> None:
    client = new_client(FakeClock(tick_s=40.0), slowest=10_000.0, tries=2)
    with pytest.raises(DessinError, match=r"bytes in [0-9]+ s"):
        download(client, f"{server.address}/f", PartialFile(tmp_path / "part"))


def test_a_silent_server_times_out(server: Server, tmp_path: Path) -> None:
    hold: list[Request] = []

    def silent(request: Request, data: bytes) -> None:
        request.connection.settimeout(5)
        hold.append(request)
        request.rfile.read(1)  # until the client gives up

    server.plans["/f"] = [silent, silent]
    with pytest.raises(DessinError, match="timed out"):
        download(new_client(timeout_s=0.05, tries=2), f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert len(hold) == 2


def test_the_budget_ends_it(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="More than 100,000 bytes"):
        download(new_client(budget=100_000), f"{server.address}/f", PartialFile(tmp_path / "part"))


@pytest.mark.parametrize("status", [401, 403, 400, 501])
def test_a_refusal_is_not_repeated(server: Server, tmp_path: Path, status: int) -> None:
    with pytest.raises(DessinError, match=str(status)):
        bring(server, tmp_path, failing(status))
    assert len(server.asked) == 1


def test_what_is_not_there_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="no file"):
        download(new_client(), f"{server.address}/other", PartialFile(tmp_path / "part"))


def test_an_empty_file_is_said(server: Server, tmp_path: Path) -> None:
    server.files["/f"] = b""
    with pytest.raises(DessinError, match="is empty"):
        bring(server, tmp_path, want=100)


def test_a_packed_reply_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="packed as gzip"):
        bring(server, tmp_path, failing(200, Content_Encoding="gzip"))


def test_nobody_listens(tmp_path: Path) -> None:
    with running_server() as gone:
        address = gone.address
    with pytest.raises(DessinError, match=r"connection failed.*refused"):
        download(new_client(), f"{address}/f", PartialFile(tmp_path / "part"))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://example.org/f", "ftp://example.org/f", "data:,x", "gopher://h/"]
)
def test_redirects_elsewhere_are_not_followed(server: Server, tmp_path: Path, target: str) -> None:
    with pytest.raises(DessinError, match=r"redirects to .*not followed"):
        bring(server, tmp_path, redirecting(target))
    assert len(server.asked) == 1
    assert not (tmp_path / "part").exists()


def test_a_redirect_on_this_machine_is_followed_with_its_range(server: Server, tmp_path: Path) -> None:
    server.files["/g"] = DATA
    _, data = bring(server, tmp_path, redirecting("/g"), want=500)
    assert data == DATA[:500]
    assert server.asked[1][1]["Range"] == "bytes=0-499"


def test_a_circle_of_redirects_ends(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="not followed"):
        bring(server, tmp_path, *[redirecting("/f")] * 40)
    assert len(server.asked) <= 7


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "file:///etc/passwd", "https:///x", "http://127.0.0.1@example.org/", "x", ""],
)
def test_addresses_that_are_not_asked(url: str) -> None:
    with pytest.raises(DessinError, match="Only https"), new_client().open(url, {}):
        pass


def test_a_certificate_that_is_not_good_is_not_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: expired")

    monkeypatch.setattr(httpx.Client, "send", refuse)
    clock = FakeClock()
    with pytest.raises(DessinError, match=r"certificate of .* could not be verified.*expired"):
        download(new_client(clock), f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert clock.slept == []


def test_https_never_leads_to_http() -> None:
    assert may_follow("https://a.org/", "https://b.org/")
    assert may_follow("http://localhost/", "http://[::1]:80/")
    assert not may_follow("https://a.org/", "http://127.0.0.1/")


BEHAVIOURS = st.one_of(
    st.integers(0, 300).map(dropping),
    st.one_of(st.none(), st.integers(0, 300)).map(ignoring_range),
    st.sampled_from([429, 500, 502, 503, 504]).map(failing),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    plan=st.lists(BEHAVIOURS, max_size=5),
    size=st.integers(1, 600),
    want=st.one_of(st.none(), st.integers(1, 700)),
)
def test_whatever_happens_in_between_the_bytes_are_those_of_the_source(
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
    plan: list[Behave],
    size: int,
    want: int | None,
) -> None:
    server.files["/f"] = DATA[:size]
    fetched, data = bring(server, tmp_path_factory.mktemp("part"), *plan, want=want)
    assert data == DATA[: size if want is None else min(want, size)]
    assert fetched.whole == (len(data) == size)


@pytest.mark.parametrize("failure", [httpx.ConnectError("no route"), httpx.ConnectTimeout("timed out")])
def test_without_a_network_it_gives_up_soon(
    failure: httpx.TransportError, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    clock = FakeClock()
    client = new_client(clock)
    with monkeypatch.context() as patch:
        patch.setattr(httpx.Client, "send", refuse)
        with pytest.raises(DessinError, match=r"127\.0\.0\.1 cannot be reached: .*Check the network"):
            download(client, f"{server.address}/f", PartialFile(tmp_path / "part"))
    assert sum(clock.slept) < 3
    # A server that was there before is waited for.
    server.files["/f"] = DATA
    download(client, f"{server.address}/f", PartialFile(tmp_path / "part"))
    monkeypatch.setattr(httpx.Client, "send", refuse)
    with pytest.raises(DessinError, match="in 6 tries"):
        download(client, f"{server.address}/f", PartialFile(tmp_path / "other"))

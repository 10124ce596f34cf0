# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call is bounded as a whole, in time and in size, against servers that answer byte by byte, without
an end, or with more than it seemed.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import socketserver
import threading
import time
import typing as t
import zlib

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale import api, connections
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.limits import (
    Allowance,
    BoundedResponse,
    LimitError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

SECONDS = 0.4
SIZE = 256 * 1024
# Of a server that would go on for ever, were it not for the end of the test.
LONGEST_ANSWER = 4.0
DRIP = 0.02
OK = b"HTTP/1.1 200 OK\r\n"
CLOUD = {"id": "cld_x", "version": 1}
BODY = json.dumps({"result": CLOUD, "results": []}).encode()
CREATE = "POST /api/v2/compute_templates/ HTTP/1.1"

Answers = t.Callable[[], t.Iterable[bytes]]


def whole(body: bytes, *headers: bytes, status: bytes = OK) -> bytes:
    lines = [b"Content-Length: %d" % len(body), *headers, b"", body]
    return status + b"\r\n".join(lines)


def drops(data: bytes) -> t.Iterator[bytes]:
    """A byte at a time, each after a pause that no time-out of a socket would notice."""
    for number in range(len(data)):
        time.sleep(DRIP)
        yield data[number : number + 1]


def for_ever(start: bytes, part: bytes, *, pause: float = DRIP) -> t.Iterator[bytes]:
    yield start
    for _part in itertools.count():
        time.sleep(pause)
        yield part


class Handler(socketserver.BaseRequestHandler):
    """Answers each request of a connection, until it is closed, with what the server is set to."""

    def handle(self) -> None:
        server = t.cast("Server", self.server)
        server.connections += 1
        with contextlib.suppress(OSError):
            while request := self._request():
                server.seen.append(request)
                ends_at = time.monotonic() + LONGEST_ANSWER
                for part in server.answers():
                    self.request.sendall(part)
                    if time.monotonic() > ends_at:
                        return

    def _request(self) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            received = self.request.recv(65536)
            if not received:
                return ""
            data += received
        head, _end, body = data.partition(b"\r\n\r\n")
        missing = 0
        for line in head.lower().splitlines():
            if line.startswith(b"content-length:"):
                missing = int(line.partition(b":")[2]) - len(body)
        while missing > 0:
            missing -= len(self.request.recv(missing))
        return head.splitlines()[0].decode()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.connections = 0
        self.answers: Answers = lambda: [whole(BODY)]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    connections._pool.cache_clear()
    monkeypatch.setattr(api, "_TOTAL_SECONDS", SECONDS)
    monkeypatch.setattr(api, "_ANSWER_SIZE", SIZE)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client_of(address: str) -> AnyscaleClient:
    return AnyscaleClient(address, "aph0_test", jitter=lambda: 0.0)


SLOW: dict[str, Answers] = {
    "a status, byte by byte": lambda: drops(OK * 100),
    "headers without an end": lambda: for_ever(OK, b"X-Header: y\r\n"),
    "interim answers without an end": lambda: for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body, byte by byte": lambda: for_ever(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "a body, until the connection ends": lambda: for_ever(OK + b"\r\n", b" "),
    "chunks": lambda: for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a chunk's size": lambda: for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "an error": lambda: for_ever(b"HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\n", b" "),
    "trailers": lambda: for_ever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: y\r\n"
    ),
}


def large(body: bytes, *headers: bytes) -> Answers:
    return lambda: [whole(body, *headers)]


LARGE: dict[str, Answers] = {
    "a long body": large(b" " * (SIZE + 1)),
    "headers without an end": lambda: for_ever(OK, b"X-Header: y\r\n" * 8, pause=0.0),
    "a header without an end": lambda: for_ever(OK + b"X-Header: ", b"y" * 4096, pause=0.0),
    "a body, until the connection ends": lambda: for_ever(OK + b"\r\n", b" " * 4096, pause=0.0),
    "chunks": lambda: for_ever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n%4096s\r\n" % b"", pause=0.0
    ),
    "a chunk's size": lambda: for_ever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 4096, pause=0.0
    ),
    "a body that grows when decompressed": large(
        gzip.compress(b" " * (SIZE + 1)), b"Content-Encoding: gzip"
    ),
    "the same, deflated": large(zlib.compress(b" " * (SIZE + 1)), b"Content-Encoding: deflate"),
    "interim answers without an end": lambda: for_ever(
        b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, pause=0.0
    ),
    "trailers without an end": lambda: for_ever(
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: y\r\n" * 100, pause=0.0
    ),
}


@pytest.mark.parametrize("answers", SLOW.values(), ids=SLOW)
def test_a_slow_answer_ends_with_the_call(server: Server, answers: Answers) -> None:
    """Once, not once for each attempt."""
    server.answers = answers
    client = client_of(server.address)
    begun = time.monotonic()
    with pytest.raises(AnyscaleError, match=r"not complete after 0\.4 s\.$") as error:
        client.cloud("x")
    assert time.monotonic() - begun < 4 * SECONDS
    assert "anyscale_host" in error.value.remedy
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", LARGE)
def test_a_large_answer_is_not_read_to_its_end(server: Server, name: str) -> None:
    """Once, but for what the standard library refuses by itself, as it would a broken answer."""
    server.answers = LARGE[name]
    begun = time.monotonic()
    with pytest.raises(AnyscaleError, match=r"larger than 0\.25 MiB|header|chunk size") as error:
        client_of(server.address).cloud("x")
    assert time.monotonic() - begun < 4 * SECONDS
    assert "anyscale_host" in error.value.remedy
    if "larger" in error.value.message:
        assert len(server.seen) == 1
    if "bod" in name:
        assert (error.value.status, len(server.seen)) == (200, 1)


@pytest.mark.parametrize("encoding", [b"gzip, gzip", b"br", b"zstd", b"identity, gzip"])
def test_an_encoding_that_could_stand_for_any_size(server: Server, encoding: bytes) -> None:
    """A few bytes of it."""
    server.answers = large(gzip.compress(gzip.compress(BODY)), b"Content-Encoding: " + encoding)
    with pytest.raises(AnyscaleError, match=f"encoded as '{encoding.decode()}'"):
        client_of(server.address).cloud("x")
    assert len(server.seen) == 1


def test_a_create_that_was_refused_at_length_is_known_to_be(server: Server) -> None:
    server.answers = lambda: [whole(b" " * (SIZE + 1), status=b"HTTP/1.1 403 Forbidden\r\n")]
    with pytest.raises(AnyscaleError, match=r"HTTP 403\): the answer is larger") as error:
        client_of(server.address).publish_compute_config(
            "team-a", {"cloud_id": "cld_x"}, previous_version=0
        )
    assert "may have been" not in error.value.remedy
    assert server.seen == [CREATE]


@pytest.mark.parametrize("answers", [*SLOW.values(), *LARGE.values()], ids=[*SLOW, *LARGE])
def test_a_create_that_was_cut_off_is_not_sent_again(server: Server, answers: Answers) -> None:
    """Its outcome is as unknown as without an answer, so that the version is searched for."""
    first = [answers]
    server.answers = lambda: first.pop()() if first else [whole(BODY)]
    clock = [0.0]
    client = AnyscaleClient(server.address, "aph0_test", jitter=lambda: 0.0)
    client._sleep = lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    client._clock = lambda: clock[0]
    with pytest.raises(AnyscaleError, match="compute_templates/ failed") as error:
        client.publish_compute_config("team-a", {"cloud_id": "cld_x"}, previous_version=0)
    assert "may have been published all the same" in error.value.remedy
    assert server.seen.count(CREATE) == 1
    assert len(server.seen) > 1, "nothing was searched for"


def test_what_is_left_of_a_cut_answer_is_not_taken_for_the_next(server: Server) -> None:
    server.answers = LARGE["a long body"]
    client = client_of(server.address)
    with pytest.raises(AnyscaleError, match="larger"):
        client.cloud("x")
    server.answers = lambda: [whole(BODY)]
    assert client.cloud("x") == CLOUD


def test_a_proxy_that_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is a connection to the control plane at all."""
    monkeypatch.setenv("https_proxy", server.address)
    server.answers = lambda: for_ever(OK, b"X-Header: y\r\n")
    begun = time.monotonic()
    with pytest.raises(AnyscaleError, match="not complete after"):
        client_of("https://anyscale.invalid").cloud("x")
    assert time.monotonic() - begun < 4 * SECONDS


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(whole(BODY), id="plain"),
        pytest.param(whole(gzip.compress(BODY), b"Content-Encoding: gzip"), id="compressed"),
        pytest.param(whole(zlib.compress(BODY), b"Content-Encoding: Deflate"), id="deflated"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
            id="in chunks",
        ),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(BODY), id="after an interim answer"),
    ],
)
def test_answers_within_the_limits(server: Server, answer: bytes) -> None:
    """Over one connection, so that each is read to its end."""
    server.answers = lambda: [answer]
    client = client_of(server.address)
    assert [client.cloud("x") for _call in range(3)] == [CLOUD] * 3
    assert server.connections == 1


def test_an_answer_without_a_body(server: Server) -> None:
    """Its connection is used again too."""
    server.answers = lambda: [b"HTTP/1.1 204 No Content\r\n\r\n"]
    for _call in range(3):
        client_of(server.address).archive_compute_config("cpt_x")
    assert (len(server.seen), server.connections) == (3, 1)


def test_as_much_as_is_allowed(server: Server) -> None:
    headers = 100
    server.answers = large(BODY + b" " * (SIZE - len(BODY) - headers))
    assert client_of(server.address).cloud("x") == CLOUD


def test_a_listing_is_bounded_as_a_whole(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short and small each of its pages is."""
    numbers = itertools.count()

    def next_page() -> list[bytes]:
        time.sleep(DRIP)
        page = {"results": [], "metadata": {"next_paging_token": str(next(numbers))}}
        return [whole(json.dumps(page).encode())]

    server.answers = next_page
    monkeypatch.setattr(api, "_LISTING_SECONDS", SECONDS)
    with pytest.raises(AnyscaleError, match="not complete after"):
        list(client_of(server.address).clouds())
    monkeypatch.setattr(api, "_LISTING_SECONDS", 60.0)
    monkeypatch.setattr(api, "_LISTING_SIZE", 2000)
    with pytest.raises(AnyscaleError, match="larger than"):
        list(client_of(server.address).clouds())
    assert len(server.seen) < 80


def test_a_response_that_is_closed_leaves_no_socket_open() -> None:
    """Though its connection was closed before, which leaves the socket to the response."""
    ours, theirs = socket.socketpair()
    with theirs, Allowance(10.0, 100, 4.0).applied():
        response = BoundedResponse(ours)
        still_held = response.fp  # or its end would close the socket too
        ours.close()
        response.close()
        assert still_held.closed
        theirs.settimeout(2.0)
        assert theirs.recv(1) == b""


class TestAllowance:
    def allowance(self, now: list[float]) -> Allowance:
        return Allowance(10.0, 100, 4.0, lambda: now[0])

    def test_a_wait_is_as_long_as_a_silence_may_be_or_as_what_is_left(self) -> None:
        now = [0.0]
        allowance = self.allowance(now)
        assert allowance.wait() == 4.0
        now[0] = 7.0
        assert (allowance.wait(), allowance.seconds_left()) == (3.0, 3.0)
        now[0] = 10.0
        with pytest.raises(LimitError, match="not complete after 10 s"):
            allowance.wait()

    def test_the_size_itself_is_allowed(self) -> None:
        allowance = self.allowance([0.0])
        allowance.check_size(100)
        with pytest.raises(LimitError, match="larger than"):
            allowance.check_size(101)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in server makes of bytes that come in pieces, and which bytes it answers with."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.benchmarks._http import Answer, Connection, Request

POST = b"POST /x?y=1 HTTP/1.1\r\nHost: here\r\nX-One:  1 \r\nContent-Length: 5\r\n\r\nhello"


class Transport:
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        """Remember."""
        self.written += data


def received(*pieces: bytes) -> tuple[list[Request], bytes]:
    """The requests that were understood, and what was answered."""
    requests: list[Request] = []
    transport = Transport()

    def answer(request: Request) -> Answer:
        requests.append(request)
        return Answer(body=b"fine")

    connection = Connection(answer)
    connection.connection_made(transport)  # type: ignore[arg-type]
    for piece in pieces:
        connection.data_received(piece)
    return requests, transport.written


@pytest.mark.parametrize(
    "size",
    [1, 7, len(POST) - 5, len(POST)],
    ids=["byte by byte", "in pieces", "head, then body", "at once"],
)
def test_a_request_is_answered_when_it_is_whole(size: int) -> None:
    requests, written = received(
        *(POST[start : start + size] for start in range(0, len(POST), size))
    )
    headers = {"host": "here", "x-one": "1", "content-length": "5"}
    assert requests == [Request("POST", "/x?y=1", headers, b"hello")]
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.endswith(b"\r\n\r\nfine")


def test_a_request_that_is_not_whole_is_not_answered() -> None:
    assert received(POST[:-1]) == ([], b"")


def test_a_connection_takes_one_request_after_the_other() -> None:
    requests, written = received(POST, POST)
    assert len(requests) == written.count(b"HTTP/1.1 200 OK") == 2


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    head, body = POST[:-5].replace(b"Host", b"Expect: 100-continue\r\nHost"), POST[-5:]
    assert received(head) == ([], b"HTTP/1.1 100 Continue\r\n\r\n")
    assert len(received(head, body)[0]) == 1


@pytest.mark.parametrize(("method", "ending"), [("GET", b"\r\n\r\nbody"), ("HEAD", b"\r\n\r\n")])
def test_only_a_head_request_is_answered_without_the_body(method: str, ending: bytes) -> None:
    encoded = Answer(404, b"body", "text/plain").encoded(method)
    assert encoded.startswith(
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"
    )
    assert encoded.endswith(ending)

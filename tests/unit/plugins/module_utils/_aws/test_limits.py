# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls in flight in an account: how many at the most, and how many after AWS throttled."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.limits import AccountLimits


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="limits")
def _limits(clock: Clock) -> AccountLimits:
    return AccountLimits(clock=clock)


def most_in_flight(limits: AccountLimits, is_iam_write: bool = False) -> int:
    """How many calls are in flight where more threads than that want to make one: those that got
    through while none of them ends.
    """
    at_once = 0
    with contextlib.ExitStack() as stack:
        while limits._has_room(is_iam_write):
            stack.enter_context(limits.in_flight(is_iam_write))
            at_once += 1
    return at_once


@pytest.mark.parametrize(("is_iam_write", "most"), [(False, 8), (True, 4)])
def test_threads_never_have_more_calls_in_flight(
    limits: AccountLimits, is_iam_write: bool, most: int
) -> None:
    """Thirty of them, each with ten calls: as many as allowed, and all of them end."""
    running, seen, lock = 0, [], threading.Lock()
    full = threading.Barrier(most)

    def call(number: int) -> None:
        nonlocal running
        with limits.in_flight(is_iam_write):
            with lock:
                running += 1
                seen.append(running)
            if number < most:  # the first ones wait for one another, so that the limit is reached
                full.wait(timeout=10)
            with lock:
                running -= 1

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        list(pool.map(call, range(300)))
    assert (max(seen), len(seen)) == (most, 300)


@pytest.mark.parametrize("is_iam_write", [False, True])
def test_a_call_waits_for_room(limits: AccountLimits, is_iam_write: bool) -> None:
    """Until one in flight ends, and no longer."""
    begun = threading.Event()

    def call() -> None:
        with limits.in_flight(is_iam_write):
            begun.set()

    in_flight = contextlib.ExitStack()
    while limits._has_room(is_iam_write):
        in_flight.enter_context(limits.in_flight(is_iam_write))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call)
        try:
            assert not begun.wait(0.2)
        finally:
            in_flight.close()
        waiting.result(timeout=10)


def test_reads_go_on_while_writes_wait(limits: AccountLimits) -> None:
    """Four IAM writes leave room for four other calls."""
    with contextlib.ExitStack() as stack:
        for _write in range(4):
            stack.enter_context(limits.in_flight(True))
        assert not limits._has_room(True)
        assert most_in_flight(limits) == 4


def test_an_urgent_call_comes_first(limits: AccountLimits) -> None:
    """Before those that have waited for longer; then it is theirs."""
    order: list[str] = []

    def call(name: str) -> None:
        with limits.in_flight(False, name == "urgent"):
            order.append(name)

    with concurrent.futures.ThreadPoolExecutor(6) as pool, contextlib.ExitStack() as stack:
        while limits._has_room(False):
            stack.enter_context(limits.in_flight(False))
        calls = [pool.submit(call, name) for name in ["read"] * 5]
        calls.append(pool.submit(call, "urgent"))
        while len(limits._finished._waiters) < 6:  # type: ignore[attr-defined]
            time.sleep(0.01)
        stack.close()
        for one in calls:
            one.result(timeout=10)
    assert order == ["urgent", *["read"] * 5]


def test_a_call_that_fails_makes_room(limits: AccountLimits) -> None:
    """Also where what ends it is no error of AWS."""
    for _call in range(20):
        with pytest.raises(KeyboardInterrupt), limits.in_flight(True):
            raise KeyboardInterrupt
    assert most_in_flight(limits) == 8


def test_throttling_halves_and_time_restores(limits: AccountLimits, clock: Clock) -> None:
    """To one call at the least; back to all within a minute, and never to more."""
    sizes = []
    for _time in range(5):
        limits.slow_down()
        sizes.append((most_in_flight(limits), most_in_flight(limits, True)))
        clock.now += 1
    assert sizes == [(4, 2), (2, 1), (1, 1), (1, 1), (1, 1)]
    sizes = []
    for _time in range(6):
        clock.now += 10
        sizes.append((most_in_flight(limits), most_in_flight(limits, True)))
    assert sizes == [(2, 1), (3, 1), (5, 2), (6, 3), (7, 3), (8, 4)]
    clock.now += 1000
    assert most_in_flight(limits) == 8


def test_calls_that_are_throttled_together_halve_once(limits: AccountLimits, clock: Clock) -> None:
    """Eight in flight are one reason to slow down, not eight."""
    for _call in range(8):
        limits.slow_down()
        clock.now += 0.1
    assert most_in_flight(limits) == 4


def test_calls_in_flight_are_not_ended_by_a_lower_limit(limits: AccountLimits) -> None:
    """The next ones wait until there are fewer."""
    first, rest = contextlib.ExitStack(), contextlib.ExitStack()
    for _call in range(4):
        first.enter_context(limits.in_flight(False))
        rest.enter_context(limits.in_flight(False))
    limits.slow_down()
    first.close()
    assert not limits._has_room(False)
    rest.close()
    assert most_in_flight(limits) == 4


def answer(status: int, code: str | None) -> dict[str, t.Any]:
    """The arguments of botocore's event for an answer."""
    error = {"Error": {"Code": code}} if code else {}
    return {"parsed_response": {**error, "ResponseMetadata": {"HTTPStatusCode": status}}}


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        (answer(400, "Throttling"), 4),
        (answer(400, "RequestLimitExceeded"), 4),
        (answer(503, "SlowDown"), 4),
        (answer(429, "429"), 4),
        (answer(200, None), 8),
        (answer(403, "AccessDenied"), 8),
        (answer(500, "ServiceFailure"), 8),
        (answer(400, "RequestTimeout"), 8),
        ({"parsed_response": None, "exception": OSError()}, 8),
    ],
    ids=str,
)
def test_only_throttling_slows_down(
    limits: AccountLimits, event: dict[str, t.Any], calls: int
) -> None:
    """IAM's, S3's and STS's codes for it, and no other failure."""
    limits.notice_answer(**event)
    assert most_in_flight(limits) == calls

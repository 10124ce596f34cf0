# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attempts come after growing, random pauses, for a bounded time, and there are at least two."""

from __future__ import annotations

import itertools
import random
import time
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock, backoff

SHORTEST = 0.01


class Time(Clock):
    """A clock that only sleeping moves, or the work between two attempts."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


def run(
    seconds: float, first: float = 0.1, longest: float = 3.0, work: float = 0.0
) -> tuple[list[int], Time]:
    """The numbers of all attempts, each of which takes its time to work."""
    time = Time()
    numbers = []
    for number in backoff(seconds, first, longest, time):
        numbers.append(number)
        time.seconds += work
        if number > 100_000:
            break
    return numbers, time


@given(st.floats(0, 60), st.floats(0.01, 1), st.floats(1, 10), st.floats(0.001, 5))
def test_attempts_are_numbered_and_pauses_are_bounded(
    seconds: float, first: float, longest: float, work: float
) -> None:
    numbers, time = run(seconds, first, longest, work)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 2
    assert len(time.pauses) == len(numbers) - 1
    for index, pause in enumerate(time.pauses):
        assert min(SHORTEST, first) <= pause <= min(longest, first * 2**index) * (1 + 1e-9)


@given(st.floats(1, 60), st.floats(0.001, 5))
def test_the_time_is_used_but_not_exceeded_by_more_than_one_attempt(
    seconds: float, work: float
) -> None:
    _numbers, time = run(seconds, work=work)
    assert seconds - 3.0 <= time.seconds - 1000 + work
    assert time.seconds - 1000 <= seconds + 3.0 + 2 * work


@pytest.mark.parametrize(
    "work", [0.0, 100.0], ids=["quick attempts", "attempts longer than the time given"]
)
def test_there_are_two_attempts_even_without_time(work: float) -> None:
    assert run(0.0, work=work)[0] == [0, 1]


def test_the_first_attempt_comes_at_once() -> None:
    time = Time()
    assert next(backoff(10, clock=time)) == 0
    assert time.pauses == []


def test_those_who_were_refused_together_do_not_come_back_together() -> None:
    firsts = {run(5)[1].pauses[0] for _process in range(20)}
    assert len(firsts) == 20


def test_pauses_grow_to_the_longest() -> None:
    pauses = list(itertools.chain.from_iterable(run(60)[1].pauses[8:-1] for _process in range(20)))
    assert max(pauses) > 2.7
    assert min(pauses) < 0.3


@pytest.mark.parametrize("number", range(6))
def test_the_jitter_is_full(number: int) -> None:
    """Each pause is spread evenly from next to nothing to its bound: a part of the bound that all
    wait for keeps them together.
    """
    bound = min(3.0, 0.1 * 2**number)
    shares = sorted(run(60)[1].pauses[number] / bound for _process in range(1000))
    assert shares[0] < SHORTEST / bound + 0.02
    assert shares[-1] > 0.98
    for tenth in range(1, 10):
        assert abs(shares[100 * tenth] - tenth / 10) < 0.15


def test_no_retry_comes_without_a_pause() -> None:
    """However small the share that chance gives."""
    with mock.patch.object(random, "uniform", lambda low, high: low):
        assert set(run(1.0)[1].pauses) == {SHORTEST}


@pytest.mark.parametrize(("boot", "seconds"), [(7, 5000.0), (None, 1000.0)])
def test_the_time_goes_on_while_the_machine_is_suspended(
    monkeypatch: pytest.MonkeyPatch, boot: int | None, seconds: float
) -> None:
    """Where the system has a clock that does."""
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", boot, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda which: 5000.0 if which == boot else 1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert Clock().now() == seconds

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of faults that each operation can meet, and clients that do not wait long for them."""

from __future__ import annotations

import collections
import contextlib
import time
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import _TIMEOUTS
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import writes
from ansible_collections.rayfleet.anyscale.tests.support.accounts import Json
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime
from ansible_collections.rayfleet.anyscale.tests.support.soak_figures import record

FOR_EVER = 1000
LONGEST_SECONDS = 600.0
MOST_CALLS = 80
PATIENCE = 0.5
# The time-outs of AWS's and of Anyscale's client as they are, which the tests cut short.
PATIENCE_OF = (
    _TIMEOUTS["read_timeout"],
    t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__["timeout"],
)

_ANYWHERE: dict[str, Json] = {
    "500": {"status": 500, "code": "InternalError"},
    "502": {"status": 502, "code": "BadGateway"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "599": {"status": 599},
    "connections refused": {"leave": True},
    "reset before it acts": {"drop": True},
    "no answer in time": {"hang": True},
    "half an answer": {"cut": True},
}
_IN_ANYSCALE: dict[str, Json] = {
    **_ANYWHERE,
    "throttled": {"status": 429},
    "throttled until later": {"status": 429, "retry_after": 17},
    "another change under way": {"status": 409},
}
_IN_IAM: dict[str, Json] = {
    **_ANYWHERE,
    "throttled": {"status": 400, "code": "Throttling"},
    "429": {"status": 429, "code": "TooManyRequests"},
    "another change under way": {"status": 409, "code": "ConcurrentModification"},
}
_IN_S3: dict[str, Json] = {
    **_ANYWHERE,
    "throttled": {"status": 503, "code": "SlowDown"},
    "429": {"status": 429, "code": "TooManyRequests"},
    "another change under way": {"status": 409, "code": "OperationAborted"},
}
_OF_WRITES: dict[str, Json] = {
    "reset after it acts": {"drop": True, "after": True},
    "no answer in time after it acts": {"hang": True, "after": True},
    "500 after it acts": {"status": 500, "code": "InternalError", "after": True},
}


def kinds(operation: str) -> dict[str, Json]:
    """The ways in which an operation can fail."""
    service = _IN_ANYSCALE if "/" in operation else _IN_S3 if "Bucket" in operation else _IN_IAM
    return {**service, **(_OF_WRITES if is_write(operation) else {})}


def is_write(operation: str) -> bool:
    """Whether an operation changes something."""
    return writes("anyscale" if "/" in operation else "aws", operation)


class Failure:
    """Faults that one operation meets, in time that passes at once: the calls from ``number`` on,
    so many of them.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        clock: QuickTime,
        operation: str,
        kind: str,
        number: int = 1,
        times: int = 1,
    ) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._operation = operation
        self._kind = kind
        self._number = number
        self._times = times

    @contextlib.contextmanager
    def under_way(self) -> t.Iterator[None]:
        """Until the end of the block. The call is made, and the client neither waits longer nor
        calls more often than its limits.
        """
        self._clock.slept = 0.0
        self._clock.on_pause = self._back_after(2 if self._times == 1 else FOR_EVER)
        fault = kinds(self._operation)[self._kind]
        self._sandbox.fault(self._operation, times=self._times, skip=self._number - 1, **fault)
        began = time.monotonic()
        with impatient(self._kind):
            yield
        waited = time.monotonic() - began
        self._clock.on_pause = lambda: None
        self._sandbox.come_back()
        assert self._times > 1 or self._sandbox.faults() == [], "the call was not made"
        calls = len(
            [call for call in self._sandbox.calls() if call["operation"] == self._operation]
        )
        assert calls <= MOST_CALLS
        patience = PATIENCE_OF["/" in self._operation]
        assert self._times > 1 or waited < patience, "its time-out is not cut short"
        in_vain = calls * patience if self._kind.startswith("no answer") else 0.0
        assert self._clock.slept + in_vain <= LONGEST_SECONDS

    def _back_after(self, pauses: int) -> t.Callable[[], None]:
        """Let a stopped server come back, after so many pauses of its client since it stopped."""
        counted = collections.Counter[str]()

        def pause() -> None:
            if self._times == 1 and self._sandbox.faults():  # it has not met the fault yet
                return
            counted["pauses"] += 1
            if counted["pauses"] == pauses:
                self._sandbox.come_back()

        return pause


class Tally:
    """The result of a long run: the number of cases by outcome, with their operations and kinds."""

    def __init__(self) -> None:
        self._ends = collections.Counter[bool]()
        self._operations: set[str] = set()
        self._kinds: set[str] = set()

    def add(self, operation: str, kind: str, *, reported: bool) -> None:
        """Count a case. reported: it failed, and said so."""
        self._ends[reported] += 1
        self._operations.add(operation)
        self._kinds.add(kind)

    def figures(self) -> dict[str, int]:
        """The figures, of cases none of which failed its test."""
        return {
            "cases": self._ends.total(),
            "operations": len(self._operations),
            "kinds of faults": len(self._kinds),
            "came to the same end": self._ends[False],
            "failed and said what was done": self._ends[True],
            "did not converge in the next run": 0,
        }


def tallied(request: pytest.FixtureRequest, name: str, title: str) -> t.Iterator[Tally]:
    """A tally for all tests of a module, recorded where all of them run and not only the bounded
    version.
    """
    tally = Tally()
    yield tally
    if request.config.option.markexpr != "not soak" and not request.session.testsfailed:
        record(name, title, tally.figures())


@contextlib.contextmanager
def impatient(kind: str) -> t.Iterator[None]:
    """Time-outs that are short, where an answer is not to come in time."""
    with pytest.MonkeyPatch.context() as patch:
        if kind.startswith("no answer"):
            patch.setitem(_TIMEOUTS, "read_timeout", PATIENCE)
            patch.setitem(
                t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__, "timeout", PATIENCE
            )
        yield

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When calls leave, and until when those may that overwrite a document. A call may wait for long
before it does: for its turn among the calls of the account, and for the rate that botocore keeps to.

This module util is private to the collection. It makes no call.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import OutdatedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock


@dataclasses.dataclass(frozen=True)
class _Deadline:
    seconds: float
    clock: Clock


_deadline: contextvars.ContextVar[_Deadline | None] = contextvars.ContextVar(
    "deadline", default=None
)
_noted: contextvars.ContextVar[tuple[Clock, list[float]] | None] = contextvars.ContextVar(
    "noted", default=None
)


@contextlib.contextmanager
def noted_sendings(clock: Clock) -> t.Iterator[list[float]]:
    """The times at which calls leave meanwhile, each of their attempts."""
    times: list[float] = []
    token = _noted.set((clock, times))
    try:
        yield times
    finally:
        _noted.reset(token)


def note_sending() -> None:
    """Note that a call leaves, if that is asked for."""
    noted = _noted.get()
    if noted is not None:
        clock, times = noted
        times.append(clock.now())


@contextlib.contextmanager
def sent_by(seconds: float, clock: Clock) -> t.Iterator[None]:
    """Send calls that overwrite a document only until this time of a clock."""
    token = _deadline.set(_Deadline(seconds, clock))
    try:
        yield
    finally:
        _deadline.reset(token)


def has_deadline() -> bool:
    """Whether there is such a time."""
    return _deadline.get() is not None


def refuse_late(operation: str) -> None:
    """Raise if it is too late to send a call that overwrites a document."""
    deadline = _deadline.get()
    if deadline is None or deadline.clock.now() <= deadline.seconds:
        return
    raise OutdatedError(
        f"{operation} was not sent, because it had to wait until another writer could have changed "
        "what it replaces.",
        "Run again when fewer runs and other tools call AWS in this account: AWS throttles their "
        "calls together.",
        operation=operation,
    )

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Note what was written, for the message if a later step fails. A write that failed may have taken
effect nevertheless: it is noted as possible, and never forgotten.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock, backoff

_BUSY_SECONDS = 60.0


@contextlib.contextmanager
def noted(resource: str, written: list[str]) -> t.Iterator[None]:
    """Note a resource that the block writes by one call."""
    with noted_if_unknown(resource, written):
        yield
    written.append(resource)


@contextlib.contextmanager
def noted_if_unknown(resource: str, written: list[str]) -> t.Iterator[None]:
    """Note a resource that the block may have written although its call failed."""
    try:
        yield
    except TaskError as error:
        if error.outcome_unknown:
            written.append(possibly(resource))
        raise


def write_repeatedly(
    write: t.Callable[[], None],
    resource: str,
    written: list[str],
    clock: Clock,
) -> None:
    """Make a call of IAM that is harmless when it is repeated, until it succeeds or cannot."""
    refusals: list[AwsError] = []
    for _attempt in backoff(_BUSY_SECONDS, clock=clock):
        try:
            write()
            written.append(resource)
            return
        except AwsError as error:
            refusals.append(error)
            if not error.is_transient and error.code != "ConcurrentModification":
                break
    if may_be_written(refusals):
        written.append(possibly(resource))
    raise refusals[-1]


def may_be_written(refusals: t.Iterable[TaskError]) -> bool:
    """Whether one of the attempts that failed may have taken effect."""
    return any(error.outcome_unknown for error in refusals)


def possibly(resource: str) -> str:
    """A resource that may have been written."""
    return f"{resource} (possibly)"

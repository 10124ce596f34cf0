# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that end a task: each says what is wrong, what was asked for, and what to do next.

This module util is private to the collection. Utilities raise these; only the top level (a module's
``main()`` or an action plugin) turns them into a failed result.
"""

from __future__ import annotations

import typing as t

_LONGEST_MESSAGE = 1200

# What AWS answers to calls of which it did nothing, and takes a little later: all that botocore
# itself would repeat.
_NOT_YET = (
    *(
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "EC2ThrottledException",
        "RequestThrottled",
        "SlowDown",
    ),
    *(
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "BandwidthLimitExceeded",
        "TooManyRequestsException",
    ),
    *(
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "PriorRequestNotComplete",
    ),
    *("RequestTimeout", "RequestTimeoutException"),
)
_TOO_MANY_REQUESTS = 429
# What botocore raises where no answer comes or none that can be read.
_UNANSWERED = (
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "EndpointConnectionError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseParserError",
)


class TaskError(Exception):
    """The base of all errors that a user is meant to read.

    ``message`` is one sentence that names the input; ``remedy`` is one that says what to do;
    ``details`` are JSON-safe facts for the ``error`` key of the failed result (an AWS error code, a
    request id, a statement, ...).
    """

    def __init__(self, message: str, remedy: str = "", **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = {key: value for key, value in details.items() if value is not None}

    def failure(self) -> dict[str, t.Any]:
        """The keys of the failed result: ``msg``, on one line, and, where there are facts to branch
        on, ``error``.
        """
        message, remedy = _shortened(_on_one_line(self.message)), _on_one_line(self.remedy)
        failure: dict[str, t.Any] = {"msg": f"{_ended(message)} {remedy}" if remedy else message}
        if self.details:
            failure["error"] = self.details
        return failure


class InputError(TaskError):
    """An option has a value that can never work."""


class PolicyError(TaskError):
    """A policy document is not what AWS would have accepted, or cannot be brought to the wanted
    state.
    """


class RefusedError(TaskError):
    """The live state forbids the change: another account, another owner, a Deny, a limit."""


class AwsError(TaskError):
    """AWS refused or failed a call. ``details`` hold ``operation``, ``code``, ``status`` and
    ``request_id``.
    """

    @property
    def code(self) -> str:
        """The AWS error code, such as ``NoSuchEntity``; empty when there was no answer at all."""
        return str(self.details.get("code", ""))

    @property
    def outcome_unknown(self) -> bool:
        """Whether it cannot be told if the call was carried out: AWS did not answer, or had a
        failure of its own.
        """
        return self.code in _UNANSWERED or (self._status >= 500 and self.code not in _NOT_YET)

    @property
    def is_transient(self) -> bool:
        """Whether the same call may do better a little later."""
        return self.outcome_unknown or self.code in _NOT_YET or self._status == _TOO_MANY_REQUESTS

    @property
    def _status(self) -> int:
        return int(self.details.get("status", 0))


class AnyscaleError(TaskError):
    """The Anyscale API refused or failed a call. ``details`` hold ``method``, ``path``, ``status``
    and ``trace_id``.
    """

    @property
    def status(self) -> int:
        """The HTTP status; 0 when there was no answer at all."""
        return int(self.details.get("status", 0))


class UnsettledError(TaskError):
    """What was written could not be read back in time, or others keep overwriting it."""


def _on_one_line(text: str) -> str:
    """A text without line breaks and control characters: servers answer with whole pages, inputs
    have anything in them.
    """
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _shortened(line: str) -> str:
    """A line of a length that is still read: its start, which says what this is about, and its end."""
    if len(line) <= _LONGEST_MESSAGE:
        return line
    return f"{line[: _LONGEST_MESSAGE // 2]} ... {line[-_LONGEST_MESSAGE // 2 :]}"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."

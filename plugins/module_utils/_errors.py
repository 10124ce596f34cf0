# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that end a task. Each says what failed, on which resource, and how to fix it.

This module util is private to the collection. Utilities raise these; only the top level (a module's
``main()`` or an action plugin) turns them into a failed result.
"""

from __future__ import annotations

import contextlib
import re
import types
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

_MAX_MESSAGE_LENGTH = 1200

# Error codes of calls that AWS rejected because there were too many of them.
_THROTTLING = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "EC2ThrottledException",
    "RequestThrottled",
    "SlowDown",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "BandwidthLimitExceeded",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
)
# Error codes of calls that AWS rejected without doing anything, and accepts later: all those that
# botocore itself retries.
_RETRYABLE = (
    *_THROTTLING,
    "TransactionInProgressException",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "RequestTimeoutException",
)
_TOO_MANY_REQUESTS = 429
# The status with which Anyscale refuses a call to a cloud that it has to start first.
HIBERNATED = 599
# What option() returns.
_OPTION = re.compile(r"\b(?P<option>\w+) \((?P<variable>\w+) in playbooks\)")
# The variables of playbooks that set options of modules which are the subjects of messages.
_VARIABLE_OF = {
    "account_id": "cloud_iam_account_id",
    "anyscale_host": "cloud_iam_anyscale_host",
    "assume_role_arn": "cloud_iam_assume_role_arn",
    "assume_role_external_id": "cloud_iam_assume_role_external_id",
    "assume_role_session_name": "cloud_iam_assume_role_session_name",
    "bucket": "cloud_iam_bucket",
    "cloud_id": "cloud_iam_cloud_id",
    "control_plane_role": "cloud_iam_control_plane_role",
    "dest": "cloud_iam_dest",
    "instance_profile": "cloud_iam_instance_profile",
    "instance_profiles": "cloud_iam_instance_profile",
    "policy_arn": "cloud_iam_bucket_policy_arn",
    "policy_name": "cloud_iam_bucket_policy_name",
    "quota_chars": "cloud_iam_quota_chars",
    "role": "cloud_iam_role",
    "roles": "cloud_iam_role",
}
# One of them in a message of a module in a process of its own: the names that are words only at its
# beginning.
_SUBJECT = re.compile(
    rf"(?:^|(?<![\w.])(?=\w+_))({'|'.join(sorted(_VARIABLE_OF, key=len, reverse=True))})(?= is )"
)
_reader = types.SimpleNamespace(sets_variables=False, in_awx=False)
# What botocore raises if there is no response, or one that it cannot read. Also where there was no
# connection: it may have been the last of several attempts of botocore, of which another was sent.
_NO_RESPONSE = (
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "EndpointConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseParserError",
    "ResponseStreamingError",
    "SSLError",
)


class TaskError(Exception):
    """The base of all errors that are reported to the user.

    ``message`` says what failed and on which resource; ``remedy`` says how to fix it; ``details``
    are JSON-safe facts for the ``error`` key of the failed result (an AWS error code, a request id,
    a statement, ...).
    """

    def __init__(self, message: str, remedy: str = "", **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = {key: value for key, value in details.items() if value is not None}

    @property
    def outcome_unknown(self) -> bool:
        """Whether it is unknown if the call that failed took effect."""
        return False

    def failure(self) -> dict[str, t.Any]:
        """The keys of the failed result: ``msg``, on one line, and ``error`` if there are details
        that a playbook can branch on.
        """
        message = for_reader(_shorten(_single_line(self.message)))
        remedy = for_reader(_single_line(self.remedy))
        failure: dict[str, t.Any] = {
            "msg": f"{_with_full_stop(message)} {remedy}" if remedy else message
        }
        if self.details:
            failure["error"] = self.details
        return failure


class InputError(TaskError):
    """An option has an invalid value."""


class PolicyError(TaskError):
    """A policy document is invalid, or cannot be brought to the desired state."""


class RefusedError(TaskError):
    """The live state does not permit the change: another account, another owner, a Deny, a quota."""


class AwsError(TaskError):
    """An AWS call failed. ``details`` hold ``operation``, ``code``, ``status`` and ``request_id``."""

    @property
    def code(self) -> str:
        """The AWS error code, such as ``NoSuchEntity``; empty if there was no response."""
        return str(self.details.get("code", ""))

    @property
    def outcome_unknown(self) -> bool:
        """Whether it is unknown if the call took effect: AWS did not respond, or failed internally."""
        return self._is_unanswered

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later."""
        return (
            self._is_unanswered or self.code in _RETRYABLE or is_throttling(self.code, self._status)
        )

    @property
    def _is_unanswered(self) -> bool:
        return self.code in _NO_RESPONSE or (self._status >= 500 and self.code not in _RETRYABLE)

    @property
    def _status(self) -> int:
        return int(self.details.get("status", 0))


class OutdatedError(AwsError):
    """A write was not sent, because what it replaces was read too long ago."""

    @property
    def is_transient(self) -> bool:
        """It may be sent after another read."""
        return True


class CertificateError(AwsError):
    """The certificate of the other end is not trusted, so that the call was not sent."""

    @property
    def outcome_unknown(self) -> bool:
        """What was not sent took no effect."""
        return False

    @property
    def is_transient(self) -> bool:
        """The certificate stays what it is."""
        return False


class CredentialsError(AwsError):
    """There are no credentials to make a call with, so that it was not made."""

    @property
    def outcome_unknown(self) -> bool:
        """What was not called took no effect."""
        return False


class AnyscaleError(TaskError):
    """A call to the Anyscale API failed. ``details`` hold ``method``, ``path``, ``status`` and
    ``trace_id``. ``follows_unknown``: whether an earlier attempt of the same call may have taken
    effect.
    """

    follows_unknown = False

    @property
    def status(self) -> int:
        """The HTTP status; 0 if there was no response."""
        return int(self.details.get("status", 0))

    @property
    def outcome_unknown(self) -> bool:
        """Whether it is unknown if the call took effect: there was no response, an unreadable one, or
        an internal error.
        """
        return self.follows_unknown or self.status < 300 or 500 <= self.status < HIBERNATED


class UnsettledError(TaskError):
    """A write did not become visible in time, or another writer keeps overwriting it."""


class ConflictError(TaskError):
    """Another writer decided otherwise at the same time. ``details`` hold the document that was
    ``expected`` and the one that was ``found``.
    """


def as_task_error(error: Exception) -> TaskError:
    """An error as it is reported to the user: what nothing raises on purpose is a bug."""
    if isinstance(error, TaskError):
        return error
    return TaskError(f"{type(error).__name__}: {error}", "Report this as a bug.")


def is_throttling(code: str, status: int) -> bool:
    """Whether an error code, or the HTTP status that came with it, says that there are too many
    calls.
    """
    return code in _THROTTLING or status == _TOO_MANY_REQUESTS


def _single_line(text: str) -> str:
    """Replace line breaks, and escape control characters: servers may respond with whole pages, and
    inputs may contain anything.
    """
    return escape_control_chars(" ".join(text.split()))


def _shorten(line: str) -> str:
    """Shorten a long line to its start, which names the subject, and its end."""
    if len(line) <= _MAX_MESSAGE_LENGTH:
        return line
    return f"{line[: _MAX_MESSAGE_LENGTH // 2]} ... {line[-_MAX_MESSAGE_LENGTH // 2 :]}"


def _with_full_stop(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def option(name: str, variable: str = "") -> str:
    """An option for a message that users of the module and of the playbooks read: by its name, and
    by the variable that sets it in playbooks.
    """
    return f"{name} ({variable or f'cloud_iam_{name}'} in playbooks)"


def setting(name: str) -> str:
    """An option as the subject of a message: by the variable that sets it, where the reader sets
    variables alone. Other subjects are what they are.
    """
    return _VARIABLE_OF.get(name, name) if sets_variables() else name


@contextlib.contextmanager
def naming_variables(in_awx: bool = False) -> t.Iterator[None]:
    """Name only the variables in messages, in this process: what is at work is part of a playbook.

    in_awx: whether it is a job of AWX, whose reader has no command line.
    """
    before = dict(vars(_reader))
    vars(_reader).update(sets_variables=True, in_awx=in_awx)
    try:
        yield
    finally:
        vars(_reader).update(before)


def sets_variables() -> bool:
    """Whether the reader of messages sets variables of a playbook, and not options of a module."""
    return bool(_reader.sets_variables)


def reads_in_awx() -> bool:
    """Whether the reader of messages reads them in AWX."""
    return bool(_reader.in_awx)


def for_reader(text: str) -> str:
    """A message with what its reader sets: options and variables, or variables alone."""
    if not sets_variables():
        return text
    named = _OPTION.sub(r"\g<variable>", text)
    return _SUBJECT.sub(lambda found: _VARIABLE_OF[found[1]], named)


def for_options(text: str) -> str:
    """A message for who sets options alone, such as those of an inventory plugin."""
    return _OPTION.sub(r"\g<option>", text)

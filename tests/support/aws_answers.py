# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers in the place of AWS for the clients of a session, behind botocore's own retries: no
request leaves the process.
"""

from __future__ import annotations

import threading
import typing as t

from botocore.awsrequest import AWSResponse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession

KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "none"}
ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/operator"

_NAMESPACE = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


class Answers:
    """Answers of a service, by operation: each an HTTP status with an error code, or ``None`` for
    success. The last one of an operation is repeated. ``requests`` are the operations that were
    sent, in order.
    """

    def __init__(self, **of_operations: t.Sequence[tuple[int, str] | None]) -> None:
        self.requests: list[str] = []
        self._left = {name: list(answers) for name, answers in of_operations.items()}
        self._lock = threading.Lock()

    def attach(self, session: AwsSession, *services: str) -> None:
        """Answer what the session sends to services."""
        for service in services:
            events = session._client(service).meta.events
            events.register_first(f"before-send.{service}", self._answer_for(service))

    def _answer_for(self, service: str) -> t.Callable[..., AWSResponse]:
        def answer(request: t.Any, event_name: str, **_event: t.Any) -> AWSResponse:
            operation = event_name.rpartition(".")[2]
            with self._lock:
                self.requests.append(operation)
                left = self._left.get(operation, [None])
                failure = left.pop(0) if len(left) > 1 else left[0]
                number = len(self.requests)
            request_id = f"<RequestId>request-{number}</RequestId>"
            if failure is None:
                body = _success(service, operation, request_id)
                return AWSResponse(request.url, 200, {}, _Raw(body))
            body = _error(failure[1], request_id)
            return AWSResponse(request.url, failure[0], {}, _Raw(body))

        return answer


class _Raw:
    """The body of a response, as urllib3 has it."""

    def __init__(self, body: str) -> None:
        self._body = body.encode()

    def stream(self, **_options: t.Any) -> t.Iterator[bytes]:
        yield self._body


def _success(service: str, operation: str, request_id: str) -> str:
    result = (
        f"<Arn>{USER}</Arn><Account>{ACCOUNT}</Account>" if operation == "GetCallerIdentity" else ""
    )
    if service == "s3":
        return ""
    return (
        f'<{operation}Response xmlns="{_NAMESPACE[service]}"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata>{request_id}</ResponseMetadata></{operation}Response>"
    )


def _error(code: str, request_id: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code></Error>{request_id}</ErrorResponse>"

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One answer of the control plane: its text, whether another attempt is harmless, and how long to
wait before it.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    HIBERNATED,
    InputError,
)

_LONGEST_RETRY_AFTER = 120.0
_LONGEST_BACKOFF = 20.0
_LONGEST_TEXT = 1000
# What reads a document may go down in it, and each level takes several calls of Python's.
_DEEPEST_LEVEL = 64
# An escape that makes half a character, unless the other half follows.
_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
NO_ANSWER = 0
_TOO_MANY_REQUESTS = 429
_GATEWAY_TIMEOUT = 504
_TRANSIENT = frozenset({NO_ANSWER, 502, 503, _GATEWAY_TIMEOUT})
_SERVER_FAILED = (
    "Anyscale itself failed: run again a little later, and give the trace id to Anyscale's support "
    "if it keeps failing."
)
REMEDIES = {
    NO_ANSWER: "Check anyscale_host, the proxy and the network, then run again.",
    401: (
        "Check the token (anyscale_token, ANYSCALE_CLI_TOKEN or the credentials file): it is "
        "wrong or has expired."
    ),
    403: (
        "Use the token of a user who has the permission: a collaborator of the cloud, or an owner "
        "of the organization."
    ),
    404: "Check the id or name, and that the token belongs to the organization that has it.",
    409: "Where another change holds a lock, run again when it is done.",
    _TOO_MANY_REQUESTS: "Lower forks or throttle, then run again.",
    **dict.fromkeys((500, 502, 503, _GATEWAY_TIMEOUT), _SERVER_FAILED),
    HIBERNATED: "The cloud was hibernated and is being started: run again in ten minutes.",
}


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a request got no answer.

    is_unsent: it is certain that the request did not leave, so that nothing was done.
    is_final: another attempt would fail in the same way.
    """

    text: str
    is_unsent: bool = False
    is_final: bool = False


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back for one attempt; the status is 0 where no complete answer did.

    A status and a failure: the answer began, and then exceeded a limit.
    """

    status: int
    body: bytes = b""
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    failure: Failure | None = None

    def text_without(self, secret: str) -> str:
        """The server's own text, else why there is none. The secret is taken out before the text is
        shortened: half of one would not be found.
        """
        if self.failure is not None:
            return self.failure.text.replace(secret, "***")
        return _server_text(self.body.decode("utf-8", "replace").replace(secret, "***"))

    @property
    def is_success(self) -> bool:
        """Whether the call was done, and its answer is complete."""
        return self.failure is None and 200 <= self.status < 300

    @property
    def is_unsent(self) -> bool:
        """Whether it is certain that the request did not leave."""
        return self.failure is not None and self.failure.is_unsent

    def is_transient(self, repeatable: bool) -> bool:
        """Whether another attempt is harmless and may succeed. Nothing was done for a request that
        was refused as one too many.
        """
        if self.failure is not None and self.failure.is_final:
            return False
        return (
            self.status == _TOO_MANY_REQUESTS
            or self.is_unsent
            or (repeatable and self.status in _TRANSIENT)
        )

    def pause(self, attempt: int, fraction: float) -> float:
        """Seconds to wait before the next attempt: what the server asks for, and a random share of
        a growing limit.
        """
        backoff = fraction * min(_LONGEST_BACKOFF, 2.0**attempt)
        return min(_retry_after(self.headers.get("Retry-After")), _LONGEST_RETRY_AFTER) + backoff


def _retry_after(value: str | None) -> float:
    """A Retry-After header in seconds: it holds a number of them, or a date."""
    if not value:
        return 0.0
    try:
        if value.strip().isdigit():
            return float(value)
        moment = email.utils.parsedate_to_datetime(value)
        return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _server_text(body: str) -> str:
    """The readable part of an error body: ``error.detail``, ``error.message``, ``detail``, else the
    body itself.
    """
    document = load_json(body.encode())
    outer = document if isinstance(document, dict) else {}
    error = outer.get("error")
    inner = error if isinstance(error, dict) else {}
    for text in (inner.get("detail"), inner.get("message"), outer.get("detail")):
        if isinstance(text, str) and text:
            return text
    return body.strip()[:_LONGEST_TEXT] or "no text"


def load_json(text: bytes) -> t.Any:
    """The document of a JSON text; ``None`` where the text is no JSON, nested too deeply to work
    with, or holds what is no Unicode and could be neither sent nor shown.
    """
    try:
        decoded = text.decode("utf-8-sig")
        document = _json.loads(decoded)
        if _HALF_A_CHARACTER.search(decoded):
            _json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, InputError):
        return None
    brackets = decoded.count("{") + decoded.count("[")
    return None if brackets > _DEEPEST_LEVEL and _is_deep(document) else document


def _is_deep(document: t.Any) -> bool:
    """Whether a document has more levels than allowed."""
    level = [document]
    for _number in range(_DEEPEST_LEVEL):
        level = [
            part
            for value in level
            if isinstance(value, (dict, list))
            for part in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, (dict, list)) for value in level)

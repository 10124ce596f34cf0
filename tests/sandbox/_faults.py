# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on request: which operation fails next, how, and how often."""

from __future__ import annotations

import dataclasses
import fnmatch
import threading
import time
import typing as t

from werkzeug.wrappers import Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._http import DroppedConnection

_DEFAULT_CODES = {
    400: "Throttling",
    403: "AccessDenied",
    409: "OperationAborted",
    500: "InternalError",
    503: "SlowDown",
}


@dataclasses.dataclass
class Fault:
    """What happens to the next ``times`` calls of ``operation`` (a shell pattern; ``resource`` and
    ``account_id`` too).

    status, code, message, retry_after: the error to answer with; no error where the status is
    ``None``.
    drop: close the connection without an answer. hang: do so only once the caller has given up.
    leave: do so, and refuse every connection from then on, until ``Sandbox.come_back``.
    after: carry the call out before any of these.
    cut: of the answer, send the first half alone. delay: seconds to wait before all else.
    skip: how many of the calls that it would hit are spared first.
    """

    operation: str
    status: int | None = None
    code: str = ""
    message: str = ""
    times: int = 1
    skip: int = 0
    after: bool = False
    delay: float = 0.0
    retry_after: float | None = None
    drop: bool = False
    hang: bool = False
    leave: bool = False
    cut: bool = False
    resource: str = "*"
    account_id: str = "*"

    def __post_init__(self) -> None:
        if self.status is not None and not self.code:
            self.code = _DEFAULT_CODES.get(self.status, "ServiceFailure")
        self.message = self.message or "An error that was asked for."

    def hits(self, operation: str, resource: str, account_id: str) -> bool:
        """Whether this fault is for that call."""
        patterns = (
            (operation, self.operation),
            (resource, self.resource),
            (account_id, self.account_id),
        )
        return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in patterns)

    def around(
        self, execute: t.Callable[[], Response], error: t.Callable[[Fault], Response]
    ) -> Response:
        """The answer to a call that this fault hit."""
        time.sleep(self.delay)
        drops = self.drop or self.hang or self.leave
        if not drops and self.status is None:
            answer = execute()
            return _half(answer) if self.cut else answer
        if self.after:
            execute()
        if drops:
            raise DroppedConnection(hang=self.hang, leave=self.leave)
        return error(self)


def _half(answer: Response) -> Response:
    """An answer that breaks off in its middle, where only its text shows that more was to come."""
    text = answer.get_data()
    answer.set_data(text[: len(text) // 2])
    return answer


class Faults:
    """The faults still to come; the one asked for first comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, **fault: t.Any) -> None:
        """Ask for a fault; the keywords are the fields of ``Fault``."""
        with self._lock:
            self._faults.append(Fault(**fault))

    def take(self, operation: str, resource: str, account_id: str) -> Fault | None:
        """The fault that hits this call, if there is one; it is used up by one."""
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and fault.hits(operation, resource, account_id):
                    if not fault.skip:
                        fault.times -= 1
                        return fault
                    fault.skip -= 1
        return None

    def pending(self) -> list[dict[str, t.Any]]:
        """The faults that are not used up."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._faults if fault.times > 0]

    def need_sockets(self) -> bool:
        """Whether there are, or were since the last ``clear``, faults of the connection itself, or
        ones that a caller may not wait for.
        """
        with self._lock:
            return any(
                fault.drop or fault.hang or fault.leave or fault.delay for fault in self._faults
            )

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of the calls that the sandbox answered."""

from __future__ import annotations

import threading
import typing as t

_AWS_READS = (
    "Get",
    "List",
    "Head",
    "Describe",
    "Receive",
    "Simulate",
    "Select",
    "AssumeRole",
    "DecodeAuthorizationMessage",
)
_ANYSCALE_READS = ("/search", "/find_by_name", "/find_cloud_resource_by_name", "/cli_usage/")


def writes(service: str, operation: str) -> bool:
    """Whether an operation is one that changes something, judged by its name alone."""
    if service != "anyscale":
        return not operation.startswith(_AWS_READS)
    method, path = operation.split(" ", 1)
    return method not in ("GET", "HEAD", "OPTIONS") and not path.endswith(_ANYSCALE_READS)


class Journal:
    """Calls in the order in which they were answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, t.Any]] = []

    def record(
        self, service: str, operation: str, account_id: str, resource: str, status: int
    ) -> None:
        """Note one answered call; status 0 is a connection closed without an answer."""
        call = {
            "service": service,
            "operation": operation,
            "account_id": account_id,
            "resource": resource,
            "status": status,
            "write": writes(service, operation),
        }
        with self._lock:
            self._calls.append(call)

    def calls(self) -> list[dict[str, t.Any]]:
        """All calls since the last ``clear``."""
        with self._lock:
            return [dict(call) for call in self._calls]

    def writes(self) -> list[dict[str, t.Any]]:
        """The calls among them that write, whether they succeeded or not."""
        return [call for call in self.calls() if call["write"]]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

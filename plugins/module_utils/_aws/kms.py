# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The KMS calls that the collection makes, each as a method with plain values in and out.

This module util is private to the collection. I/O, and never a call that writes.
https://docs.aws.amazon.com/kms/latest/APIReference/
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import (
    error_of_incomplete_answer,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession


class Key:
    """A key, by its ID, its ARN, its alias, or the ARN of its alias, in the session's region."""

    def __init__(self, session: AwsSession, name: str) -> None:
        self._session = session
        self._name = name

    def metadata(self) -> dict[str, t.Any]:
        """``DescribeKey``: its ARN, its state, and whether AWS or the customer manages it."""
        return dict(self._call("describe_key", "KeyMetadata")["KeyMetadata"])

    def policy(self) -> str:
        """``GetKeyPolicy``: the key's policy, as text. A key has one, always of this name."""
        return str(self._call("get_key_policy", "Policy", PolicyName="default")["Policy"])

    def grants(self) -> list[dict[str, t.Any]]:
        """``ListGrants``: who may use the key beside its policy."""
        marker: dict[str, str] = {}
        found: list[dict[str, t.Any]] = []
        while True:
            answer = self._call("list_grants", "Grants", **marker)
            found += answer["Grants"]
            if not answer.get("Truncated"):
                return found
            marker = {"Marker": answer["NextMarker"]}

    def _call(self, method: str, field: str, **arguments: t.Any) -> dict[str, t.Any]:
        """The answer of a call, which has a field."""
        answer = self._session.call("kms", method, KeyId=self._name, **arguments)
        if field not in answer:
            operation = method.title().replace("_", "")
            raise error_of_incomplete_answer(operation, f"key {self._name}")
        return answer

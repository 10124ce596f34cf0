# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record which changes of a plan file were made, beside the backups, so that each is made once.

This plugin util is private to the collection. A run that is interrupted goes on with the rest of its
plan. What was rolled back since, or changed by another writer, needs another plan: nobody has reviewed
that it is to be done again.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import signed_lines

_NAME = "applied_plans"

DocumentAndCloud = tuple[str, str]


class PlanRecord:
    """The record of one plan, by its salt, in the directory of the backups."""

    def __init__(self, directory: str, salt: str, key: bytes, run_id: str) -> None:
        self._directory, self._salt, self._key = directory, salt, key
        self._run_id = run_id
        self.unrecorded: list[str] = []

    def made(self) -> dict[DocumentAndCloud, str]:
        """The changes that runs have made, each with the run and the time as a message names them."""
        salt = self._salt.encode()
        found: dict[DocumentAndCloud, str] = {}
        for line in signed_lines.read(self._directory, _NAME, self._key, lambda line: salt in line):
            if line.get("plan") == self._salt:
                when = f"at {line['made_at']} by run {line['run_id']}"
                found |= {(line["document"], cloud): when for cloud in line["clouds"]}
        return found

    def add(self, document: str, clouds: t.Sequence[str]) -> None:
        """Record a change right after it was made. That it cannot be recorded is no error of the
        change, but kept in ``unrecorded``; whether it could be is found out before the run.
        """
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        content = {"plan": self._salt, "document": document, "clouds": list(clouds)}
        line = {**content, "made_at": now, "run_id": self._run_id}
        try:
            signed_lines.append(self._directory, _NAME, [line], self._key)
        except (OSError, ValueError, TaskError):
            self.unrecorded.append(document)

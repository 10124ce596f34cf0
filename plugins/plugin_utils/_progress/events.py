# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events of a task that works for all clouds of a play in one process, as lines of JSON.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

# The stage in which a failure of a cloud only means that the cloud was not audited.
AUDIT = "Audit"
# "pending": a later stage or the cloud's own tasks follow. "deferred": it is left to another run.
# "not_permitted": it was only audited, since the operator does not permit it.
RESULTS = (
    "in_sync",
    "changed",
    "would_change",
    "failed",
    "unknown",
    "drifted",
    "pending",
    "deferred",
    "not_permitted",
)


@dataclasses.dataclass(frozen=True)
class StageBegan:
    """A stage begins, such as ``Plan``, for so many clouds."""

    name: str
    clouds: int


@dataclasses.dataclass(frozen=True)
class CloudDone:
    """A cloud is through with the stage.

    result: one of ``RESULTS``. reasons: for the change, or the checks with drift. message: of a failure.
    """

    cloud: str
    account: str
    result: str
    reasons: tuple[str, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        if self.result not in RESULTS:
            raise ValueError(f"{self.result!r} is not one of {', '.join(RESULTS)}")


Event = t.Union[StageBegan, CloudDone]


def encode(event: Event) -> str:
    """The line of an event, without a line break."""
    if isinstance(event, StageBegan):
        return json.dumps({"event": "stage", "name": event.name, "clouds": event.clouds})
    fields = dataclasses.asdict(event)
    return json.dumps({"event": "done", "outcome": fields.pop("result"), **fields})


def decode(line: str) -> Event:
    """The event of a line that ``encode`` returned."""
    fields = json.loads(line)
    if fields.pop("event") == "stage":
        return StageBegan(**fields)
    return CloudDone(result=fields.pop("outcome"), reasons=tuple(fields.pop("reasons")), **fields)

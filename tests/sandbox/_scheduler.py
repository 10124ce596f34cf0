# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scheduler config and the machine pools of an organization.

Sources: the models of Anyscale's client 0.26.112 (``SchedulerConfigResponse``, ``MachinePool``); the
record on the scheduler of terraform-provider-anyscale (404 without an active config, 403 where it is
not enabled, an empty section is absent, each apply is a version); for what a machine pool's spec has,
https://docs.anyscale.com/machine-pools/config-ref. That any member may read both is a guess.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError
from ansible_collections.rayfleet.anyscale.tests.sandbox._clock import Clock

Json = dict[str, t.Any]


class Scheduler:
    """The active scheduler config, which is one for the whole organization."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: Json | None = None
        self.is_enabled = True

    def apply(self, config: Json, creator: Json) -> int:
        """Make a config the active one; returns its version."""
        version = 1 + (self._active["version"] if self._active else 0)
        self._active = {
            "version": version,
            "is_active": True,
            "created_at": self._clock.now(),
            "creator_id": creator["id"],
            "creator_email": creator["email"],
            "creator_name": creator["name"],
            "config": {key: copy.deepcopy(value) for key, value in config.items() if value != []},
        }
        return version

    def active(self) -> Json:
        """The active version, or the error."""
        if not self.is_enabled:
            raise ApiError(403, "GRS is not enabled for this organization.")
        if self._active is None:
            raise ApiError(404, "No active scheduler config found.")
        return copy.deepcopy(self._active)


def machine_pool(
    name: str,
    pool_id: str,
    organization_id: str,
    launch_templates: list[Json],
    cloud_ids: list[str],
) -> Json:
    """A machine pool of one type of machines, as the API lists it."""
    partition = {"name": "default", "size": 1, "rules": [{"selector": "", "priority": 0}]}
    machines = {
        "machine_type": "8CPU-32GB",
        "launch_templates": launch_templates,
        "partitions": [partition],
    }
    return {
        "machine_pool_name": name,
        "machine_pool_id": pool_id,
        "organization_id": organization_id,
        "cloud_ids": cloud_ids,
        "cloud_resource_ids": {cloud_id: [] for cloud_id in cloud_ids},
        "spec": {"kind": "ANYSCALE_MANAGED", "machine_types": [machines]},
    }

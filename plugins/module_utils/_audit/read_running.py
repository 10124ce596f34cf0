# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what runs on a cloud: its launches, the compute configs that they name, and its instances.

This module util is private to the collection. I/O only, and never a call that writes.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launches import (
    read_compute_config,
    read_launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_cloud_id,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Json, Running
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    fact,
    not_applicable,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_aws import CloudReader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.ec2 import running_instances
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import (
    Instance,
    is_region_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    other_kind,
)

# Of each kind of launch, and of compute configs: what an audit reads of one cloud at most.
DEFAULT_LIMIT = 200

_NOT_ASKED_FOR: Fact[t.Any] = Fact(obstacle=not_applicable("This was not asked for."))


class RunningReader:
    """Reads what runs on the cloud of a reader, with its client. Instances are read in the regions
    of the cloud's resources.
    """

    def __init__(
        self,
        cloud: CloudReader,
        session: AwsSession,
        anyscale: AnyscaleClient | None,
        connect: Connect,
    ) -> None:
        self._cloud = cloud
        self._session = session
        self._anyscale = anyscale
        self._connect = connect

    def running(
        self, limit: int = DEFAULT_LIMIT, active_only: bool = True, instances: bool = True
    ) -> Running:
        """What runs. Without ``instances``, EC2 is not asked."""
        launches = fact(functools.partial(self._launches, limit, active_only))
        return Running(
            launches,
            self._configs(launches.value or Launches(), limit),
            fact(self._instances, "ec2") if instances else _NOT_ASKED_FOR,
        )

    def _launches(self, limit: int, active_only: bool) -> Launches:
        if self._anyscale is None:
            raise unknown(
                "Anyscale was not queried.",
                "Set cloud_iam_publish (the module's option anyscale) to true.",
            )
        self._expect_virtual_machines()
        return read_launches(self._anyscale, self._cloud_id(), limit, active_only)

    def _configs(self, launches: Launches, limit: int) -> dict[str, Fact[Json | None]]:
        """The compute configs that launches name: up to so many are read."""
        ids = dict.fromkeys(
            launch.compute_config_id for launch in launches.found if launch.compute_config_id
        )
        unread: Fact[Json | None] = Fact(
            obstacle=unknown(
                f"More than {limit} compute configs are in use, and the others were not read.",
                "Read more with the module cloud_launches_info and its option limit.",
            )
        )
        client = self._anyscale
        return {
            config_id: fact(functools.partial(read_compute_config, client, config_id))
            if client is not None and number < limit
            else unread
            for number, config_id in enumerate(ids)
        }

    def _instances(self) -> list[Instance]:
        self._expect_virtual_machines()
        cloud_id = self._cloud_id()
        return [
            instance
            for region in self._regions()
            for instance in running_instances(self._session_in(region), region, cloud_id)
        ]

    def _regions(self) -> list[str]:
        """The regions of the cloud's resources on AWS virtual machines; the one of the connection
        where Anyscale is not asked.
        """
        region = self._cloud.params.get("region")
        if self._anyscale is None and region:
            return [str(region)]
        resources = self._cloud.resources.get()
        found = [resource.get("region") for resource in resources if not other_kind(resource)]
        partition = partition_of(self._session.caller_arn())
        for region in found:
            if not region or not is_region_of(region, partition):
                raise unknown(
                    f"A resource of the cloud is registered in {region!r}, which is not a region of "
                    f"partition {partition}, the credentials' own.",
                    "Run 'anyscale cloud get', and register the resource with its region.",
                )
        return sorted({str(region) for region in found})

    def _expect_virtual_machines(self) -> None:
        if self._cloud.elsewhere:
            raise not_applicable(
                f"The cloud does not run on AWS virtual machines: {self._cloud.elsewhere}."
            )

    def _session_in(self, region: str) -> AwsSession:
        if self._cloud.params.get("region") == region:
            return self._session
        return self._connect({**self._cloud.params, "region": region})

    def _cloud_id(self) -> str:
        if self._cloud.cloud_id is None:
            raise unknown(
                "The cloud's ID is not known.",
                "Set cloud_iam_cloud_id (the module's option cloud_id).",
            )
        return parse_cloud_id(self._cloud.cloud_id)

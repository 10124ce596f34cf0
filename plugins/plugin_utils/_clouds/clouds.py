# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds of a run, from the variables of their hosts.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
    connection_rules,
    parse_settings,
    refuse_unknown_variables,
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import run_id
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds import authority
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.host_variables import (
    HostVariables,
    Variables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    BUCKET_REGION,
    region_notice,
    unused_notice,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_buckets import (
    VARIABLE as REGISTERED_BUCKET,
    RegisteredBuckets,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    cloud_roles_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import NOT_READ
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.rollout import unknown_rings
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_onboard
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_RING, _REGISTERED_ROLE = "anyscale_ring", "anyscale_default_role_arn"
_REGISTERED_PROFILE = "anyscale_instance_profile_arn"
_REGISTERED_CLOUD = "anyscale_cloud_id"
_CONTROL_PLANE_ROLE = "anyscale_control_plane_role_arn"
# Why a playbook without tasks of its own for clouds refused one.
NEEDS_TASKS = "needs_tasks"
_NAMES = (
    *variable_rules(),
    _RING,
    _REGISTERED_ROLE,
    _REGISTERED_PROFILE,
    _REGISTERED_CLOUD,
    REGISTERED_BUCKET,
    BUCKET_REGION,
    authority.VARIABLE,
    NOT_READ,
)


@dataclasses.dataclass
class Clouds:
    """The clouds of a run: those of the engine, those that it leaves to tasks of their own, and the ring
    of each.

    obstacles: why the engine leaves a cloud. assumed_roles: the ARNs of the roles that are assumed for
    those without an error. control_planes: those of the control-plane roles of the clouds of the inventory
    that the operator vouches for, as far as their hosts name them.
    """

    for_engine: dict[str, Cloud] = dataclasses.field(default_factory=dict)
    for_tasks: dict[str, Cloud] = dataclasses.field(default_factory=dict)
    obstacles: dict[str, str] = dataclasses.field(default_factory=dict)
    rings: dict[str, str | None] = dataclasses.field(default_factory=dict)
    assumed_roles: set[str] = dataclasses.field(default_factory=set)
    control_planes: frozenset[str] = frozenset()

    @property
    def of_all(self) -> dict[str, Cloud]:
        """Both kinds."""
        return {**self.for_engine, **self.for_tasks}

    def refuse_tasks(self, invocation: Invocation) -> None:
        """Refuse the clouds that need tasks of their own, for a playbook that has none."""
        for name, why in self.obstacles.items():
            cloud = self.for_tasks[name]
            cloud.error = RefusedError(
                f"This cloud needs tasks of its own, because {why}, and this playbook has none.",
                f"To converge it: {how_to_onboard([name], invocation)}",
                reason=NEEDS_TASKS,
            )
            self.for_engine[name] = cloud
        self.for_tasks, self.obstacles = {}, {}


class CloudVariables:
    """Reads the variables of clouds as the tasks of a play see them."""

    def __init__(
        self, action: ActionBase, connection: str | None, *, reads_only: bool = False
    ) -> None:
        """connection: that of the play. reads_only: whether nothing is written for the clouds, so
        that what may be read counts and not what may be written.
        """
        self._hosts = HostVariables(action)
        self._buckets = RegisteredBuckets(self._hosts.of_whole_inventory)
        self._connection = connection
        self._reads_only = reads_only

    def read(
        self, names: t.Iterable[str], uses_engine: bool, refused: t.Mapping[str, str]
    ) -> Clouds:
        """The clouds of these hosts. refused: those that are not converged, each with the reason."""
        clouds = Clouds(control_planes=self._control_planes)
        for name in names:
            variables = self._hosts.of(name)
            cloud, ring = self._cloud(name, variables)
            clouds.rings[name] = ring
            assumed = cloud.settings.connection.get("assume_role_arn")
            if assumed and not cloud.error:
                clouds.assumed_roles.add(assumed)
            obstacle = "fleet_engine is false"
            if name in refused:
                cloud.error, obstacle = cloud.error or RefusedError(refused[name]), ""
            elif cloud.error or (self._reads_only and cloud.is_uncovered):
                obstacle = ""  # tasks of its own would not tell why
            elif uses_engine:
                try:
                    obstacle = self._hosts.obstacle(variables, self._connection)
                except TaskError as error:
                    cloud.error, obstacle = cloud.error or error, ""
            if obstacle:
                clouds.for_tasks[name], clouds.obstacles[name] = cloud, obstacle
            else:
                clouds.for_engine[name] = cloud
        return clouds

    @functools.cached_property
    def _control_planes(self) -> frozenset[str]:
        """Those of clouds that are written by hand, or that the operator vouches for: any other one
        could be registered with the role of a cluster for its control plane, to have that cluster's
        cloud refused.
        """
        arns = (
            variables.get(_CONTROL_PLANE_ROLE)
            for variables in self._hosts.of_whole_inventory().values()
            if not variables.get(_REGISTERED_CLOUD)
            or authority.is_vouched_for(variables.get(authority.VARIABLE))
        )
        return frozenset(arn for arn in arns if isinstance(arn, str) and parse_arn(arn))

    def check_rings(self, rings: t.Sequence[str], clouds: Clouds) -> list[str]:
        """Raise for a listed ring that no host of the inventory has: its clouds would come last.
        Returns warnings: a job of AWX may have a slice of the inventory, and nothing says so.
        """
        if not unknown_rings(rings, clouds.rings.values()):
            return []
        known = sorted(self._rings())
        unknown = unknown_rings(rings, known)
        if not unknown:
            return []
        error = InputError(
            f"onboard_rings (option rings) has {', '.join(map(repr, unknown))}, but no host of the "
            "inventory has such an anyscale_ring.",
            f"The rings of its hosts are: {summarize_names(known)}."
            if known
            else "None of its hosts has a ring. Set ring in the fleet file, or anyscale_ring.",
        )
        if self._hosts.is_awx_job:
            return [f"{error.message} {error.remedy}"]
        raise error

    def _rings(self) -> set[str]:
        """The rings of all hosts of the inventory, whatever the limit of the run. One that cannot be
        templated is none.
        """
        found = set()
        for name in self._hosts.of_whole_inventory():
            with contextlib.suppress(TaskError):
                ring = self._hosts.templated(self._hosts.of(name), [_RING]).get(_RING)
                found |= {str(ring)} if ring else set()
        return found

    def of_task(self, name: str, variables: Variables) -> Cloud:
        """The cloud of a host whose task has these variables, not templated."""
        return self._cloud(name, variables)[0]

    def _cloud(self, name: str, variables: Variables) -> tuple[Cloud, str | None]:
        """A cloud, and its ring. A cloud with invalid variables has an error."""
        values: Variables = {}
        try:
            values = self._hosts.templated(variables, _NAMES)
            self._hosts.refuse_merged(name)
            if values.get(NOT_READ):
                raise RefusedError(str(values[NOT_READ]))
            refuse_unknown_variables(variables, name)
            allowed = authority.readable if self._reads_only else authority.permitted
            settings = parse_settings(allowed(values))
            read = _read_of_anyscale(settings, values)
            role, profile = read.get(_REGISTERED_ROLE), read.get(_REGISTERED_PROFILE)
            found = (
                self._buckets.notice(settings, read.get(REGISTERED_BUCKET)),
                region_notice(settings, read),
                unused_notice(settings),
            )
            cloud = Cloud(name, settings, role, profile, notices=tuple(filter(None, found)))
        except TaskError as error:
            values = values or self._hosts.with_values(variables, _NAMES)
            cloud = Cloud(name, _known_settings(values), error=error)
        if cloud.settings.run_id is None:
            cloud.settings = dataclasses.replace(cloud.settings, run_id=run_id(variables))
        cloud.authority = values.get(authority.VARIABLE)
        return cloud, values.get(_RING)


def _known_settings(values: Variables) -> CloudSettings:
    """What is known of a cloud with an error: with its roles, which are not to be taken away with
    another cloud, and with the secrets, since the error may quote one of them, in another variable.
    """
    roles = cloud_roles_of(values)
    return CloudSettings(
        roles.account_id,
        role=roles.role or None,
        # However the variables assign them.
        node_group_roles={role: role for role in roles.further},
        backup_key=values.get(f"{PREFIX}backup_key"),
        connection={option: values.get(PREFIX + option) for option in connection_rules()},
    )


def _read_of_anyscale(settings: CloudSettings, values: Variables) -> Variables:
    """What the inventory has read of Anyscale, unless it is about another cloud than the one that the
    variables name.
    """
    read = values.get(_REGISTERED_CLOUD)
    return {} if read and settings.cloud_id and read != settings.cloud_id else values

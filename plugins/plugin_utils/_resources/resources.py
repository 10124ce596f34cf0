# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of a fleet, each with the clouds that want something of it.

This plugin util is private to the collection. A bucket or a role that several clouds share is one
resource: it is read, planned and written once for all of them.
"""

from __future__ import annotations

import abc
import contextlib
import copy
import dataclasses
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import default_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    TO_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CLOUD_ROLE,
    COMPUTE_CONFIG,
    IAM_MAPPING,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    as_task_error,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    TRUST,
    bucket_stages_of,
)

# Of these kinds, a cloud has a resource for each of its roles.
_OF_EACH_ROLE = (TRUST, *OF_BUCKET, PROFILE, PASS_ROLE)

Key = tuple[str | None, ...]


@dataclasses.dataclass(eq=False)
class Cloud:
    """A cloud of the run: a host, and what is known of it so far.

    registered_role, registered_profile: the ARNs of the role and of the instance profile that the
    inventory has read of Anyscale, if it has. error: why it is not converged, or not any further.
    authority: what the inventory plugin says of the operator's permission, if the inventory is read
    from Anyscale. notices: what the operator is told of its variables. resources: what it wants
    something of, the own role's before those of further roles. plans: its own plan of each resource,
    in the order in which threads have made them. arns: the ARNs of its further roles, by how its
    variables name them, once they are known.
    """

    name: str
    settings: CloudSettings
    registered_role: str | None = None
    registered_profile: str | None = None
    error: TaskError | None = None
    authority: t.Mapping[str, t.Any] | None = None
    notices: tuple[str, ...] = ()
    resources: list[Resource] = dataclasses.field(default_factory=list)
    plans: dict[Resource, Plan] = dataclasses.field(default_factory=dict)
    arns: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_uncovered(self) -> bool:
        """Whether the operator does not permit what it is registered with."""
        return self.authority is not None and self.authority.get("covered") is not True

    @property
    def is_pending(self) -> bool:
        """Whether it needs a change, as planned."""
        return self.error is None and any(plan.changed for plan in self.plans.values())

    def manages(self, stage: str, state: str) -> bool:
        """Whether its variables want something of the kind of resource."""
        settings = self.settings
        # A compute config is of the cloud, a mapping of the resource that the host is.
        by_mapping = settings.assign == IAM_MAPPING and settings.manage_iam_mapping
        by_config = settings.assign == COMPUTE_CONFIG and settings.manage_compute_config
        by_profile = settings.assign == CLOUD_ROLE or by_mapping
        if stage in OF_BUCKET:
            return settings.manage_bucket_access and stage in bucket_stages_of(settings, state)
        return {
            TRUST: settings.manage_trust,
            # With state absent it is only read, for the ARN in the compute config.
            PROFILE: by_config or (by_profile and state == "present"),
            PASS_ROLE: settings.manage_pass_role,
            CONFIG: by_config,
            MAPPING: by_mapping,
        }[stage]

    def wants(self, stage: str, state: str) -> list[CloudSettings]:
        """What its variables want of a kind of resource: for each of its roles, if each has its own."""
        settings = self.settings
        if stage not in _OF_EACH_ROLE:
            return [settings]
        own = [settings] if state == "present" or settings.offboards_own_role else []
        further = [
            settings.for_further_role(self.arns.get(role, role)) for role in settings.further_roles
        ]
        return [*own, *further]

    @property
    def revoked_roles(self) -> list[str]:
        """The roles that are offboarded with it, by name or ARN. Of a cloud that names none, and of
        which Anyscale has not been asked, the one that it most likely is.
        """
        roles = [wanted.role or self._default_role for wanted in self.wants(TRUST, "absent")]
        return [role for role in roles if role]

    @property
    def _default_role(self) -> str | None:
        if self.registered_role or not self.settings.cloud_id:
            return self.registered_role
        with contextlib.suppress(InputError):
            return default_role_name(self.settings.cloud_id)
        return None

    def know_role(self, settings: CloudSettings, arn: str) -> None:
        """Note the ARN of one of its roles: the steps after it need not ask IAM for it again."""
        if settings.role == self.settings.role:
            self.settings = dataclasses.replace(self.settings, role=arn)
        elif settings.role is not None:
            self.arns[settings.role] = arn

    def planned(self, stage: str) -> list[tuple[Resource, Plan]]:
        """Its resources of a stage, with its own plan of each, in the order of its roles."""
        return [
            (found, self.plans[found])
            for found in self.resources
            if found.stage == stage and found in self.plans
        ]

    def plan(self, stage: str) -> Plan | None:
        """Its own plan of its resource of a stage, if there is one. Of a kind of which each role has
        its own, the one of the cloud's own role.
        """
        return next((plan for _resource, plan in self.planned(stage)), None)


class Resource(abc.ABC):
    """A resource, and the clouds that want something of it. ``live``: once it is loaded."""

    stage: t.ClassVar[str]

    def __init__(self, services: Services, state: str) -> None:
        self.services = services
        self.state = state
        self.live: Live | None = None
        self._wants: dict[Cloud, list[CloudSettings]] = {}

    @property
    def clouds(self) -> list[Cloud]:
        """The clouds that want something of it."""
        return list(self._wants)

    def add(self, cloud: Cloud, settings: CloudSettings) -> None:
        """Note what a cloud wants of it."""
        if cloud not in self._wants:
            cloud.resources.append(self)
        self._wants.setdefault(cloud, []).append(settings)

    def leave_out_failed(self) -> None:
        """No longer want anything for clouds that have failed."""
        self._wants = {cloud: found for cloud, found in self._wants.items() if not cloud.error}

    def wants_of(self, clouds: t.Iterable[Cloud]) -> list[CloudSettings]:
        """What these clouds want of it."""
        return [settings for cloud in clouds for settings in self._wants[cloud]]

    @abc.abstractmethod
    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """What the resource is identified by that a cloud wants something of. Raises for invalid
        variables.
        """

    @abc.abstractmethod
    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """What these clouds want together. fresh: whether nothing is answered from bulk reads."""

    def contradictions(self) -> dict[Cloud, TaskError]:
        """The clouds whose wants exclude each other. Of most kinds of resources there are none."""
        return {}

    def joined(self, others: t.Sequence[Resource]) -> Resource:
        """This resource with what the clouds of others want, which are the same document."""
        joint = copy.copy(self)
        joint._wants = {  # pylint: disable=protected-access
            cloud: wants for one in (*others, self) for cloud, wants in one._wants.items()
        }
        return joint

    def wanting(self, clouds: t.Collection[Cloud]) -> list[Cloud]:
        """Those of the clouds that want something of it, and have not failed."""
        return [cloud for cloud in self.clouds if cloud in clouds and not cloud.error]

    def pending(self, clouds: t.Collection[Cloud]) -> list[Cloud]:
        """Those of the clouds that need a change of it, and have not failed."""
        return [
            cloud
            for cloud in self.wanting(clouds)
            if (plan := cloud.plans.get(self)) and plan.changed
        ]

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants, and check that a change is permitted."""
        return self.reconciler([cloud]).checked(t.cast(Live, self.live))


def resources_of(
    kind: type[Resource], clouds: t.Iterable[Cloud], services: Services, state: str
) -> list[Resource]:
    """The resources of a kind that clouds want. A cloud with invalid variables is refused."""
    found: dict[Key, Resource] = {}
    for cloud in clouds:
        with refusing([cloud]):
            for settings in cloud.wants(kind.stage, state):
                new = kind(services, state)
                found.setdefault(new.key(cloud, settings), new).add(cloud, settings)
    for resource in found.values():
        if len(resource.clouds) > 1:
            with refusing(resource.clouds):
                for cloud, error in resource.contradictions().items():
                    cloud.error = error
        resource.leave_out_failed()
    return [resource for resource in found.values() if resource.clouds]


def resources_in(stages: t.Iterable[str], clouds: t.Iterable[Cloud]) -> list[Resource]:
    """The resources of planned clouds, each once, stage by stage."""
    found = dict.fromkeys(resource for cloud in clouds for resource in cloud.plans)
    return [resource for stage in stages for resource in found if resource.stage == stage]


@contextlib.contextmanager
def refusing(clouds: t.Sequence[Cloud]) -> t.Iterator[None]:
    """An error is one of these clouds, and of no other."""
    try:
        yield
    except Exception as error:  # a bug must not end the run of the other clouds
        failure = as_task_error(error)
        for cloud in clouds:
            cloud.error = cloud.error or failure


def connection_of(settings: CloudSettings) -> Key:
    """The account, and how the cloud connects: each way has its own guards."""
    options = {name: settings.connection.get(name) for name in TO_ACCOUNT}
    return settings.account_id, json.dumps(options)


def ids_of(clouds: t.Iterable[Cloud]) -> list[str]:
    """The IDs of those clouds that have one, by which backups are found."""
    return [cloud.settings.cloud_id for cloud in clouds if cloud.settings.cloud_id]

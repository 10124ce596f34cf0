# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of a fleet, each with the clouds that want something of it.

This plugin util is private to the collection. A bucket or a role that several clouds share is one
resource: it is read, planned and written once for all of them.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import RoleReference
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPolicyModule,
    merged_planners,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.services import Services

TRUST, BUCKET, PROFILE, CONFIG = "trust", "bucket", "instance_profile", "compute_config"
# The order in which they are written for state present.
STAGES = (TRUST, BUCKET, PROFILE, CONFIG)
_WORDS = {PROFILE: "instance profile", CONFIG: "compute config"}

Key = tuple[str | None, ...]


@dataclasses.dataclass(eq=False)
class Cloud:
    """A cloud of the run: a host, and what is known of it so far.

    registered_role: the ARN of the role that the inventory has read of Anyscale, if it has. error:
    why it is not converged, or not any further. plans: its own plan of each resource, by stage.
    """

    name: str
    settings: CloudSettings
    registered_role: str | None = None
    error: TaskError | None = None
    plans: dict[str, tuple[Resource, Plan]] = dataclasses.field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        """Whether it needs a change, as planned."""
        return self.error is None and any(plan.changed for _found, plan in self.plans.values())

    def manages(self, stage: str) -> bool:
        """Whether its variables want something of the kind of resource."""
        settings = self.settings
        return {
            TRUST: settings.manage_trust,
            BUCKET: settings.manage_bucket_access,
            PROFILE: settings.manage_compute_config,
            CONFIG: settings.manage_compute_config,
        }[stage]

    def plan(self, stage: str) -> Plan | None:
        """Its own plan of its resource of a stage, if there is one."""
        return self.plans[stage][1] if stage in self.plans else None


class Resource(abc.ABC):
    """A resource, and the clouds that want something of it. ``live``: once it is loaded."""

    stage: t.ClassVar[str]

    def __init__(self, services: Services, state: str) -> None:
        self.services = services
        self.state = state
        self.clouds: list[Cloud] = []
        self.live: Live | None = None

    @abc.abstractmethod
    def key(self, cloud: Cloud) -> Key:
        """What the cloud's resource of this kind is identified by. Raises for invalid variables."""

    @abc.abstractmethod
    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """What these clouds want together. fresh: whether nothing is answered from bulk reads."""

    def refuse_contradiction(self, cloud: Cloud) -> None:  # noqa: B027 - for most there is none
        """Raise if another cloud wants something that excludes what this cloud wants."""

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants, and check that a change is permitted."""
        return self.reconciler([cloud]).checked(t.cast(Live, self.live))


class TrustPolicy(Resource):
    """The trust policy of a role."""

    stage = TRUST

    def key(self, cloud: Cloud) -> Key:
        """The role, in the account."""
        return cloud.settings.account_id, self._module(cloud).role.name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The trust policy, planned for each different want."""
        modules = [self._module(cloud, fresh) for cloud in clouds]
        store = modules[0].store()
        planners = list(dict.fromkeys(module.planner(store) for module in modules))
        return PolicyReconciler(store, planners, _cloud_ids(clouds))

    def _module(self, cloud: Cloud, fresh: bool = False) -> TrustPolicyModule:
        options = cloud.settings.trust_options(self.state)
        return TrustPolicyModule(options, self.services.connect(fresh))


class BucketPolicy(Resource):
    """The policy of a bucket."""

    stage = BUCKET

    def __init__(self, services: Services, state: str) -> None:
        super().__init__(services, state)
        self._existing: set[RoleReference] = set()

    def key(self, cloud: Cloud) -> Key:
        """The bucket, in the account."""
        _require(cloud.settings, "bucket", switch="manage_bucket_access")
        return cloud.settings.account_id, self._module(cloud).bucket

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The bucket's policy, planned for the roles of all these clouds."""
        modules = [self._module(cloud, fresh) for cloud in clouds]
        roles = list(dict.fromkeys(role for module in modules for role in module.roles))
        store = modules[0].store(roles, self._existing)
        planners = merged_planners([module.planner(store) for module in modules])
        return PolicyReconciler(store, planners, _cloud_ids(clouds))

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants. If that is a change, its role was found to exist."""
        plan = super().plan_own(cloud)
        if plan.changed:
            self._existing.update(self._module(cloud).roles)
        return plan

    def _module(self, cloud: Cloud, fresh: bool = False) -> BucketPolicyModule:
        options = cloud.settings.bucket_options(self.state)
        return BucketPolicyModule(options, self.services.connect(fresh))


class _OfComputeConfig(Resource):
    """A resource of the module compute_config_profile. Clouds that share it must want the same."""

    def refuse_contradiction(self, cloud: Cloud) -> None:
        """Raise if another cloud does not want the same."""
        want = self._want(cloud)
        for other in self.clouds:
            if other is not cloud and self._want(other) != want:
                raise InputError(
                    f"{cloud.name} and {other.name} have the same {_WORDS[self.stage]}, and want "
                    f"different things of it: {want}, and {self._want(other)}.",
                    "Give each of these clouds its own, or the same variables.",
                )

    @abc.abstractmethod
    def _want(self, cloud: Cloud) -> t.Any:
        """What the cloud wants."""

    def _module(self, cloud: Cloud, fresh: bool = False) -> ComputeConfigModule:
        _require(cloud.settings, "cloud_id", "compute_config", switch="manage_compute_config")
        options = cloud.settings.compute_config_options(self.state)
        return ComputeConfigModule(options, self.services.connect(fresh))


class InstanceProfile(_OfComputeConfig):
    """The instance profile of a role."""

    stage = PROFILE

    def key(self, cloud: Cloud) -> Key:
        """The profile, in the account."""
        return cloud.settings.account_id, self._module(cloud).profile_name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The profile with the role of these clouds."""
        return self._module(clouds[0], fresh).profile_reconciler()

    def _want(self, cloud: Cloud) -> str:
        return f"role {self._module(cloud).role.name}"


class ComputeConfig(_OfComputeConfig):
    """A compute config, and the file with it. It is planned with the ARN of the instance profile."""

    stage = CONFIG

    def key(self, cloud: Cloud) -> Key:
        """The name of the compute config, in the cloud."""
        return cloud.settings.cloud_id, self._module(cloud).params["name"]

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The compute config with the ARN."""
        module = self._module(clouds[0], fresh)
        store = self.services.config_store(module, fresh) if module.anyscale else None
        return module.config_reconciler(self._arn(module, clouds[0]), store)

    def _want(self, cloud: Cloud) -> t.Any:
        module = self._module(cloud)
        return module.config_reconciler(self._arn(module, cloud)).want

    @staticmethod
    def _arn(module: ComputeConfigModule, cloud: Cloud) -> str:
        return module.arn_to_write(cloud.plan(PROFILE) or Plan(None, None))


# In the order in which they are planned. Bucket policies are last: unlike the others they cannot be
# read in bulk, so that their progress is that of the whole plan.
KINDS: tuple[type[Resource], ...] = (TrustPolicy, InstanceProfile, ComputeConfig, BucketPolicy)


def resources_of(
    kind: type[Resource], clouds: t.Iterable[Cloud], services: Services, state: str
) -> list[Resource]:
    """The resources of a kind that clouds want. A cloud with invalid variables is refused."""
    found: dict[Key, Resource] = {}
    for cloud in clouds:
        try:
            new = kind(services, state)
            resource = found.setdefault(new.key(cloud), new)
            resource.clouds.append(cloud)
        except TaskError as error:
            cloud.error = error
    for resource in found.values():
        _refuse_contradictions(resource)
    return list(found.values())


def _refuse_contradictions(resource: Resource) -> None:
    """Refuse the clouds that want contradicting things of a resource, and no other cloud."""
    if len(resource.clouds) < 2:
        return
    for cloud in resource.clouds:
        try:
            resource.refuse_contradiction(cloud)
        except TaskError as error:
            cloud.error = error
    resource.clouds = [cloud for cloud in resource.clouds if cloud.error is None]


def _require(settings: CloudSettings, *names: str, switch: str) -> None:
    """Raise if one of these variables is not set, which a switch makes necessary."""
    for name in names:
        if getattr(settings, name) is None:
            raise InputError(
                f"{PREFIX}{name} is not set.", f"Set it, or set {PREFIX}{switch} to false."
            )


def _cloud_ids(clouds: t.Iterable[Cloud]) -> list[str]:
    return [cloud.settings.cloud_id for cloud in clouds if cloud.settings.cloud_id]

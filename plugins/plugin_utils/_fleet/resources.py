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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    folded_role_name,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    TO_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    BucketAccessModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    LiveBucketPolicy,
    merged_planners,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigReconciler,
    ComputeConfigStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping import (
    IamMappingModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileModule,
    InstanceProfileReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    COMPUTE_CONFIG,
    IAM_MAPPING,
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    LiveTrust,
    TrustPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

TRUST, BUCKET, PROFILE = "trust", "bucket", "instance_profile"
CONFIG, MAPPING = "compute_config", "iam_mapping"
# The order in which they are written for state present.
STAGES = (TRUST, BUCKET, PROFILE, CONFIG, MAPPING)
# Of these kinds, a cloud has a resource for each of its roles.
_OF_EACH_ROLE = (TRUST, BUCKET, PROFILE)
# Of these kinds, clouds that share a resource may want different things of it.
SHARED = (BUCKET,)
_WORDS = {PROFILE: "instance profile", CONFIG: "compute config", MAPPING: "Cloud IAM mapping"}

Key = tuple[str | None, ...]


@dataclasses.dataclass(eq=False)
class Cloud:
    """A cloud of the run: a host, and what is known of it so far.

    registered_role, registered_profile: the ARNs of the role and of the instance profile that the
    inventory has read of Anyscale, if it has. error: why it is not converged, or not any further.
    authority: what the inventory plugin says of the operator's permission, if the inventory is read
    from Anyscale. plans: its own plan of each resource. arns: the ARNs of its further roles, by how
    its variables name them, once they are known.
    """

    name: str
    settings: CloudSettings
    registered_role: str | None = None
    registered_profile: str | None = None
    error: TaskError | None = None
    authority: t.Mapping[str, t.Any] | None = None
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
        is_mapped = settings.assign == IAM_MAPPING
        return {
            TRUST: settings.manage_trust,
            BUCKET: settings.manage_bucket_access,
            # With state absent it is only read, for the ARN in the compute config.
            PROFILE: settings.manage_compute_config and not (is_mapped and state == "absent"),
            CONFIG: settings.manage_compute_config and not is_mapped,
            MAPPING: settings.manage_compute_config and is_mapped,
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
        """The roles that are offboarded with it, as far as they are known, by name or ARN."""
        return [settings.role for settings in self.wants(TRUST, "absent") if settings.role]

    def know_role(self, settings: CloudSettings, arn: str) -> None:
        """Note the ARN of one of its roles: the steps after it need not ask IAM for it again."""
        if settings.role == self.settings.role:
            self.settings = dataclasses.replace(self.settings, role=arn)
        elif settings.role is not None:
            self.arns[settings.role] = arn

    def planned(self, stage: str) -> list[tuple[Resource, Plan]]:
        """Its resources of a stage, with its own plan of each."""
        return [(found, plan) for found, plan in self.plans.items() if found.stage == stage]

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


class TrustPolicy(Resource):
    """The trust policy of a role."""

    stage = TRUST

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The role, in the account, and how the cloud connects."""
        return *_connection(settings), self._module(settings).role.name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The trust policy, planned for each different want."""
        modules = [self._module(settings, fresh) for settings in self.wants_of(clouds)]
        store = modules[0].store()
        planners = list(dict.fromkeys(module.planner(store) for module in modules))
        return PolicyReconciler(store, planners, _cloud_ids(clouds))

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants. Its variables may name the role by another ARN than those of
        the cloud that the role was read for.
        """
        for settings in self.wants_of([cloud]):
            refuse_other_role(self._module(settings).role, t.cast(LiveTrust, self.live).role_arn)
        plan = super().plan_own(cloud)
        for settings in self.wants_of([cloud]):
            cloud.know_role(settings, plan.result["role_arn"])
        return plan

    def _module(self, settings: CloudSettings, fresh: bool = False) -> TrustPolicyModule:
        options = settings.trust_options(self.state)
        return TrustPolicyModule(options, self.services.connect(fresh), self.services.known)


class BucketPolicy(Resource):
    """The policy of a bucket."""

    stage = BUCKET

    def __init__(self, services: Services, state: str) -> None:
        super().__init__(services, state)
        self._existing: set[RoleReference] = set()

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The bucket, in the account, and how the cloud connects."""
        _require(settings, "bucket", switch="manage_bucket_access")
        return *_connection(settings), self._module(settings).bucket

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The bucket's policy, planned for the roles of all these clouds."""
        modules = [self._module(settings, fresh) for settings in self.wants_of(clouds)]
        roles = list(dict.fromkeys(role for module in modules for role in module.roles))
        store = modules[0].store(roles, self._existing)
        planners = merged_planners([module.planner(store) for module in modules])
        return PolicyReconciler(store, planners, _cloud_ids(clouds))

    def joined(self, others: t.Sequence[Resource]) -> Resource:
        """With the roles that were read by the connection of each."""
        joint = super().joined(others)
        lives = [t.cast(LiveBucketPolicy, one.live) for one in (*others, self)]
        roles = {reference: role for live in lives for reference, role in live.roles.items()}
        identities = {one: found for live in lives for one, found in live.identities.items()}
        joint.live = dataclasses.replace(lives[-1], roles=roles, identities=identities)
        return joint

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants. If that is a change, its roles were found to exist."""
        plan = super().plan_own(cloud)
        if plan.changed:
            for settings in self.wants_of([cloud]):
                self._existing.update(self._module(settings).roles)
        return plan

    def _module(self, settings: CloudSettings, fresh: bool = False) -> BucketAccessModule:
        options = settings.bucket_options(self.state)
        return BucketAccessModule(options, self.services.connect(fresh), self.services.known)


class _SameForAll(Resource):
    """A resource of which clouds that share it must want the same."""

    def contradictions(self) -> dict[Cloud, TaskError]:
        """All the clouds, if they do not want the same."""
        wants = {cloud: self._want(cloud) for cloud in self.clouds}
        first, *others = wants.values()
        differing = [key for key in first if any(want[key] != first[key] for want in others)]
        if not differing:
            return {}
        names = summarize_names([cloud.name for cloud in self.clouds])
        error = InputError(
            f"{names} have the same {_WORDS[self.stage]}, and want different things of it: they "
            f"differ in {', '.join(differing)}.",
            "Give each of these clouds its own, or the same variables.",
        )
        return dict.fromkeys(wants, error)

    @abc.abstractmethod
    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        """What the cloud wants, by the names of what says so. The values may be secrets."""

    def _first(self, clouds: t.Sequence[Cloud]) -> CloudSettings:
        """What each of the clouds wants, which is the same."""
        return self.wants_of(clouds)[0]

    def _config_module(self, settings: CloudSettings, fresh: bool = False) -> ComputeConfigModule:
        _require(settings, "cloud_id", "compute_config", switch="manage_compute_config")
        options = settings.compute_config_options(self.state)
        return ComputeConfigModule(options, self.services.connect(fresh), self.services.known)


class InstanceProfile(_SameForAll):
    """The instance profile of a role."""

    stage = PROFILE

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The profile, in the account, and how the cloud connects. Without a name of its own, a cloud
        uses its registered profile, if that contains the role.
        """
        is_own = settings.role == cloud.settings.role and not settings.instance_profile
        is_in_config = settings.assign == COMPUTE_CONFIG
        registered = cloud.registered_profile if is_own and is_in_config else None
        return *_connection(settings), self._reconciler(cloud, settings).name, registered

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The profile with the role of these clouds."""
        return self._reconciler(clouds[0], self._first(clouds), fresh)

    def _reconciler(
        self, cloud: Cloud, settings: CloudSettings, fresh: bool = False
    ) -> InstanceProfileReconciler:
        """As the module does it that the cloud's assignment of the role leads to."""
        if settings.assign == IAM_MAPPING:
            options = settings.instance_profile_options()
            connect, known = self.services.connect(fresh), self.services.known
            return InstanceProfileModule(options, connect, known).profile_reconciler()
        module = self._config_module(cloud.settings, fresh)
        if settings.role == cloud.settings.role:
            return module.profile_reconciler()
        return module.group_profile_reconciler(folded_role_name(str(settings.role)))

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        return {"cloud_iam_role": self._reconciler(cloud, self._first([cloud])).role.name}


class ComputeConfig(_SameForAll):
    """A compute config, and the file with it. It is planned with the ARN of the instance profile."""

    stage = CONFIG

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The name of the compute config, in the cloud."""
        return settings.cloud_id, self._config_module(settings).params["name"]

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The compute config with the ARN."""
        module = self._config_module(self._first(clouds), fresh)
        store = self.services.config_store(module, fresh) if module.anyscale else None
        return self._config(module, clouds[0], store)

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        module = self._config_module(self._first([cloud]))
        want = self._config(module, cloud).want
        return {
            "cloud_iam_instance_profile": want.arn,
            "cloud_iam_compute_config_spec": want.config,
            "cloud_iam_dest": want.dest,
            "cloud_iam_node_groups": want.node_groups,
            "cloud_iam_node_group_roles": dict(want.group_arns),
        }

    @staticmethod
    def _config(
        module: ComputeConfigModule, cloud: Cloud, store: ComputeConfigStore | None = None
    ) -> ComputeConfigReconciler:
        """The config with the instance profiles that are planned for the roles of a cloud."""
        profiles = cloud.planned(PROFILE)
        own = profiles[0][1] if profiles else Plan(None, None)
        further = {
            folded_role_name(str(found.wants_of([cloud])[0].role)): plan
            for found, plan in profiles[1:]
        }
        return module.config_reconciler(own, store, further)


class IamMapping(_SameForAll):
    """The Cloud IAM mapping of a cloud resource."""

    stage = MAPPING

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The cloud, and its resource if it is not the primary one."""
        _require(settings, "cloud_id", switch="manage_compute_config")
        return settings.cloud_id, settings.mapping_resource

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The mapping with the rules, whose instance profiles may be about to be created."""
        module = self._module(self._first(clouds), fresh)
        pending = [
            str(found.wants_of([cloud])[0].role)
            for cloud in clouds
            for found, plan in cloud.planned(PROFILE)
            if plan.changed
        ]
        store = module.store(self.services.client(module))
        return module.reconciler(store, list(map(role_name_of, pending)))

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        options = self._first([cloud]).mapping_options(self.state)
        names = ("rules", "fallback_rule", "position", "state")
        return {f"cloud_iam_mapping_{name}": options[name] for name in names}

    def _module(self, settings: CloudSettings, fresh: bool = False) -> IamMappingModule:
        options = settings.mapping_options(self.state)
        return IamMappingModule(options, self.services.connect(fresh), self.services.known)


# In the order in which they are planned. Bucket policies are last: unlike the others they cannot be
# read in bulk, so that their progress is that of the whole plan.
KINDS: tuple[type[Resource], ...] = (
    TrustPolicy,
    InstanceProfile,
    ComputeConfig,
    IamMapping,
    BucketPolicy,
)


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
    except TaskError as error:
        failure = error
    except Exception as error:
        # A bug must not end the run of the other clouds.
        failure = TaskError(f"{type(error).__name__}: {error}", "Report this as a bug.")
    else:
        return
    for cloud in clouds:
        cloud.error = cloud.error or failure


def _connection(settings: CloudSettings) -> Key:
    """The account, and how the cloud connects: each way has its own guards."""
    options = {name: settings.connection.get(name) for name in TO_ACCOUNT}
    return settings.account_id, json.dumps(options)


def _require(settings: CloudSettings, *names: str, switch: str) -> None:
    """Raise if one of these variables is not set, which a switch makes necessary."""
    for name in names:
        if getattr(settings, name) is None:
            raise InputError(
                f"{PREFIX}{name} is not set.", f"Set it, or set {PREFIX}{switch} to false."
            )


def _cloud_ids(clouds: t.Iterable[Cloud]) -> list[str]:
    return [cloud.settings.cloud_id for cloud in clouds if cloud.settings.cloud_id]

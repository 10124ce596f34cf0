# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of resources of a fleet: which modules they are of, and what identifies them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import abc
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import pass_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    BucketAccessModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    LiveBucketPolicy,
    merged_planners,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    EITHER,
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
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    LiveTrust,
    TrustPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
    Resource,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import (
    TO_ANYSCALE,
    Services,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    ATTACHMENT,
    BUCKET,
    CONFIG,
    FORMER_ATTACHMENT,
    FORMER_POLICY,
    MAPPING,
    PASS_ROLE,
    PROFILE,
    ROLE_POLICY,
    TRUST,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_WORDS = {PROFILE: "instance profile", CONFIG: "compute config", MAPPING: "Cloud IAM mapping"}


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
        return *_connection(settings), _bucket_module(self, settings).bucket

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The bucket's policy, planned for the roles of all these clouds."""
        modules = [_bucket_module(self, settings, fresh) for settings in self.wants_of(clouds)]
        roles = list(dict.fromkeys(role for module in modules for role in module.roles))
        store = modules[0].store(roles, self._existing)
        planners = merged_planners([module.planner(store) for module in modules])
        return PolicyReconciler(store, planners, _cloud_ids(clouds))

    def contradictions(self) -> dict[Cloud, TaskError]:
        """The clouds that give one role this bucket in different ways: each would take away what the
        other one grants.
        """
        ways: dict[str, dict[tuple[str, str | None], list[Cloud]]] = {}
        for cloud in self.clouds:
            for settings in self.wants_of([cloud]):
                way = settings.bucket_grant, settings.bucket_policy_arn
                if self.state == "present" and settings.bucket_grant != EITHER:
                    role = folded_role_name(str(settings.role))
                    ways.setdefault(role, {}).setdefault(way, []).append(cloud)
        found: dict[Cloud, TaskError] = {}
        for role, by_way in ways.items():
            clouds = [cloud for sharing in by_way.values() for cloud in sharing]
            if len(by_way) > 1:
                names = summarize_names([cloud.name for cloud in clouds])
                error = InputError(
                    f"{names} give role {role} the same bucket in different ways: they differ in "
                    "cloud_iam_bucket_grant or cloud_iam_bucket_policy_arn.",
                    "Set both to the same for these clouds.",
                )
                found |= dict.fromkeys(clouds, error)
        return found

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
                self._existing.update(_bucket_module(self, settings).roles)
        return plan


class RolePolicy(Resource):
    """An inline policy of a role that is to grant it the bucket."""

    stage = ROLE_POLICY

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The role, in the account, the policy, and how the cloud connects."""
        module = _bucket_module(self, settings)
        return *_connection(settings), _folded(module.roles[0]), module.policy_name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The policy with what each of these clouds wants for its bucket."""
        modules = [_bucket_module(self, settings, fresh) for settings in self.wants_of(clouds)]
        store = modules[0].role_policy_store(modules[0].roles[0])
        planners = dict.fromkeys(filter(None, (one.role_policy_planner() for one in modules)))
        return PolicyReconciler(store, list(planners), _cloud_ids(clouds))


class FormerRolePolicy(RolePolicy):
    """The same of a role that is no longer to have the bucket by it."""

    stage = FORMER_POLICY


class RoleAttachment(Resource):
    """A managed policy of a role that is to grant it the bucket."""

    stage = ATTACHMENT

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The role, in the account, the policy, and how the cloud connects."""
        module = _bucket_module(self, settings)
        return *_connection(settings), _folded(module.roles[0]), module.policy_arn

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The policy, attached or not, as each of these clouds wants it. Raises if some want it attached
        for their bucket, and others detached for theirs.
        """
        modules = [_bucket_module(self, settings, fresh) for settings in self.wants_of(clouds)]
        first = modules[0]
        if len({module.attaches_policy for module in modules}) > 1:
            raise InputError(
                f"{summarize_names([cloud.name for cloud in clouds])} want policy {first.policy_arn} "
                f"both attached to and detached from role {first.roles[0].name}: they differ in "
                f"{PREFIX}bucket_grant.",
                f"Set it to the same for these clouds, or {PREFIX}bucket_policy_arn for none that is "
                "not to have its bucket by it.",
            )
        return t.cast("Reconciler[t.Any]", first.attachment_reconciler(first.roles[0]))


class FormerRoleAttachment(RoleAttachment):
    """The same of a role that is no longer to have the bucket by it."""

    stage = FORMER_ATTACHMENT


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


class InstanceProfile(_SameForAll):
    """The instance profile of a role."""

    stage = PROFILE

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The profile, in the account, and how the cloud connects. Without a name of its own, a cloud
        uses its registered profile, if that contains the role.
        """
        module = self._module(settings)
        may_be_registered = module.params["accept_registered"] and not settings.instance_profile
        registered = cloud.registered_profile if may_be_registered else None
        return *_connection(settings), module.profile_name, registered

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The profile with the role of these clouds."""
        reconciler = self._module(self._first(clouds), fresh).reconciler()
        reconciler.clouds = tuple(_cloud_ids(clouds))
        return reconciler

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        return {"cloud_iam_role": self._module(self._first([cloud])).role.name}

    def _module(self, settings: CloudSettings, fresh: bool = False) -> InstanceProfileModule:
        options = settings.instance_profile_options(self.state)
        return InstanceProfileModule(options, self.services.connect(fresh), self.services.known)


class ComputeConfig(_SameForAll):
    """A compute config, and the file with it. It is planned with the ARN of the instance profile."""

    stage = CONFIG

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The name of the compute config, in the cloud."""
        return settings.cloud_id, self._module(settings).params["name"]

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The compute config with the ARN."""
        module = self._module(self._first(clouds), fresh)
        store = self.services.config_store(module, fresh) if module.anyscale else None
        return self._config(module, clouds[0], store)

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        module = self._module(self._first([cloud]))
        want = self._config(module, cloud).want
        return {
            **_to_anyscale(cloud.settings),
            "cloud_iam_instance_profile": want.arn,
            "cloud_iam_compute_config_spec": want.config,
            "cloud_iam_dest": want.dest,
            "cloud_iam_node_groups": want.node_groups,
            "cloud_iam_node_group_roles": dict(want.group_arns),
        }

    def _module(self, settings: CloudSettings, fresh: bool = False) -> ComputeConfigModule:
        options = settings.compute_config_options(self.state)
        return ComputeConfigModule(options, self.services.connect(fresh), self.services.known)

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
        wants = {f"{PREFIX}mapping_{name}": options[name] for name in names}
        return {**_to_anyscale(cloud.settings), **wants}

    def _module(self, settings: CloudSettings, fresh: bool = False) -> IamMappingModule:
        options = settings.mapping_options(self.state)
        return IamMappingModule(options, self.services.connect(fresh), self.services.known)


class PassRole(Resource):
    """The inline policy by which a control-plane role may launch clusters with roles."""

    stage = PASS_ROLE

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The control-plane role, in the account, and how the cloud connects."""
        module = self._module(settings)
        return *_connection(settings), _folded(module.control_plane), module.policy_name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The policy, planned for the roles of all these clouds."""
        modules = [self._module(settings, fresh) for settings in self.wants_of(clouds)]
        roles = dict.fromkeys(role for module in modules for role in module.roles)
        profiles = dict.fromkeys(name for module in modules for name in module.profiles)
        store = modules[0].store(list(roles), list(profiles))
        planners = pass_role.merged_planners(module.planner(store) for module in modules)
        return PolicyReconciler(t.cast(t.Any, store), planners, _cloud_ids(clouds))

    def _module(self, settings: CloudSettings, fresh: bool = False) -> pass_role.PassRoleModule:
        options = settings.pass_role_options(self.state)
        return pass_role.PassRoleModule(options, self.services.connect(fresh), self.services.known)


# In the order in which they are planned. Bucket policies are last: unlike the others they cannot be
# read in bulk, so that their progress is that of the whole plan.
KINDS: tuple[type[Resource], ...] = (
    TrustPolicy,
    InstanceProfile,
    PassRole,
    ComputeConfig,
    IamMapping,
    RolePolicy,
    RoleAttachment,
    FormerRolePolicy,
    FormerRoleAttachment,
    BucketPolicy,
)


def _bucket_module(
    resource: Resource, settings: CloudSettings, fresh: bool = False
) -> BucketAccessModule:
    options = settings.bucket_options(resource.state)
    return BucketAccessModule(options, resource.services.connect(fresh), resource.services.known)


def _folded(role: RoleReference) -> str:
    return folded_role_name(role.name)


def _connection(settings: CloudSettings) -> Key:
    """The account, and how the cloud connects: each way has its own guards."""
    options = {name: settings.connection.get(name) for name in TO_ACCOUNT}
    return settings.account_id, json.dumps(options)


def _to_anyscale(settings: CloudSettings) -> dict[str, t.Any]:
    """How a cloud connects to Anyscale. What several hosts want of one cloud is written once, and
    must not be written with the token of one of them for all.
    """
    return {f"{PREFIX}{name}": settings.connection.get(name) for name in TO_ANYSCALE}


def _cloud_ids(clouds: t.Iterable[Cloud]) -> list[str]:
    return [cloud.settings.cloud_id for cloud in clouds if cloud.settings.cloud_id]

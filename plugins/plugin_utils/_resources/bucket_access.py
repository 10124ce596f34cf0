# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gives roles access to buckets, as resources of a fleet: policies of buckets and of roles.

This plugin util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    folded_role_name,
)
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
    Resource,
    connection_of,
    ids_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    ATTACHMENT,
    BUCKET,
    FORMER_ATTACHMENT,
    FORMER_POLICY,
    ROLE_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names


class BucketPolicy(Resource):
    """The policy of a bucket."""

    stage = BUCKET

    def __init__(self, services: Services, state: str) -> None:
        super().__init__(services, state)
        self._existing: set[RoleReference] = set()

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The bucket, in the account, and how the cloud connects."""
        return *connection_of(settings), _bucket_module(self, settings).bucket

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The bucket's policy, planned for the roles of all these clouds."""
        modules = [_bucket_module(self, settings, fresh) for settings in self.wants_of(clouds)]
        roles = list(dict.fromkeys(role for module in modules for role in module.roles))
        store = modules[0].store(roles, self._existing)
        planners = [module.planner(store) for module in modules]
        guards = [one.guard(planner) for one, planner in zip(modules, planners, strict=True)]
        return PolicyReconciler(store, merged_planners(planners), guards, ids_of(clouds))

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
        return *connection_of(settings), folded_role_name(module.roles[0].name), module.policy_name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The policy with what each of these clouds wants for its bucket."""
        modules = [_bucket_module(self, settings, fresh) for settings in self.wants_of(clouds)]
        store = modules[0].role_policy_store(modules[0].roles[0])
        planners = dict.fromkeys(filter(None, (one.role_policy_planner() for one in modules)))
        guards = [module.role_policy_guard for module in modules]
        return PolicyReconciler(store, list(planners), guards, ids_of(clouds))


class FormerRolePolicy(RolePolicy):
    """The same of a role that is no longer to have the bucket by it."""

    stage = FORMER_POLICY


class RoleAttachment(Resource):
    """A managed policy of a role that is to grant it the bucket."""

    stage = ATTACHMENT

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The role, in the account, the policy, and how the cloud connects."""
        module = _bucket_module(self, settings)
        return *connection_of(settings), folded_role_name(module.roles[0].name), module.policy_arn

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
        reconciler = t.cast("Reconciler[t.Any]", first.attachment_reconciler(first.roles[0]))
        reconciler.clouds = tuple(ids_of(clouds))
        return reconciler


class FormerRoleAttachment(RoleAttachment):
    """The same of a role that is no longer to have the bucket by it."""

    stage = FORMER_ATTACHMENT


def _bucket_module(
    resource: Resource, settings: CloudSettings, fresh: bool = False
) -> BucketAccessModule:
    options = settings.bucket_options(resource.state)
    return BucketAccessModule(options, resource.services.connect(fresh), resource.services.known)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give a role access to a bucket by its own policies: by a statement of ours in an inline policy, or
by a managed policy that is attached.

This module util is private to the collection. Access that the role's own policies give already is
left as it is.
"""

from __future__ import annotations

import dataclasses
import time

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import partition_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyPlanner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    LiveRolePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    Grant,
    grant_all,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    Access,
    by_identity,
    is_complete_by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Action,
    Identity,
    NamedPolicy,
    judge,
)


@dataclasses.dataclass(frozen=True)
class BucketWant:
    """The access to a bucket that a role is to have, on the objects with a prefix."""

    bucket: str
    actions: tuple[str, ...] = ACTIONS
    prefix: str = ""

    def of(self, role: Role) -> Wanted:
        """The same for a role, in its partition."""
        return Wanted(
            self.bucket,
            (role,),
            partition=partition_of(role.arn),
            actions=self.actions,
            prefix=self.prefix,
            now=time.time(),
        )

    def judge(self, identity: Identity, role: Role) -> Access:
        """What a role's own policies allow of it. The bucket is in the role's account."""
        wanted = self.of(role)
        return by_identity(identity, role, wanted.pairs(), wanted.now)

    def is_complete(self, identity: Identity, role: Role) -> bool:
        """Whether a role's own policies allow it all, and Anyscale's verification finds that."""
        found = self.judge(identity, role)
        return is_complete_by_identity(found, identity, self.bucket, self.actions)

    def missing_in(self, policy: NamedPolicy, role: Role) -> list[str]:
        """The actions that a policy by itself does not allow."""
        found = self.judge(Identity((policy,)), role)
        return [action for action, _resource in found.missing]

    def check_denied(self, identity: Identity, role: Role) -> tuple[str, ...]:
        """Raise if a role's own policies deny what they allow elsewhere, or its boundary does not
        allow it; warn if that depends on the request.
        """
        wanted, warnings = self.of(role), []
        for action, resource in wanted.pairs():
            context = role.context(wanted.now, action)
            verdict = judge(identity, Action(action, resource, context))
            if verdict.denying:
                raise RefusedError(
                    f"{verdict.denying[0]} denies {role.arn} access to bucket {self.bucket}, which "
                    "overrides every Allow.",
                    "Except the bucket from that statement, and run again.",
                    statement=verdict.denying[0].raw,
                )
            if verdict.by_boundary and identity.boundary:
                raise RefusedError(
                    f"The permissions boundary {identity.boundary.name} of {role.arn} does not "
                    f"certainly allow {action} on {resource}, so that its policies cannot.",
                    "Allow it in the boundary, and run again.",
                )
            warnings += [
                f"{match} may deny {role.arn} access, depending on the request. Check the access on "
                "a running cluster."
                for match in verdict.statements
                if match.effect == "Deny"
            ]
        return tuple(dict.fromkeys(warnings))


@dataclasses.dataclass(frozen=True)
class BucketGrantPlanner(PolicyPlanner[LiveRolePolicy]):
    """A statement of ours in the inline policy grants the role the bucket, unless its own policies
    do so already.
    """

    want: BucketWant

    def plan(self, live: LiveRolePolicy) -> Plan:
        """Plan the policy."""
        role, own = live.principal, live.identity_with(live.document)
        wanted = self.want.of(role)
        grants = (
            ()
            if self.want.is_complete(own, role)
            else (Grant(wanted.usual_sid, self.want.actions, wanted.resources),)
        )
        plan = grant_all(live.document, grants, live.target)
        after = live.identity_with(plan.after)
        granted_by = {role.arn: list(self.want.judge(after, role).sources)}
        return dataclasses.replace(
            plan,
            warnings=(*plan.warnings, *self.want.check_denied(after, role)),
            result={**plan.result, "granted_by": granted_by},
        )

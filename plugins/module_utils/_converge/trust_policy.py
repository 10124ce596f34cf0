# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a role's trust policy, for the module ``iam_trust_ec2``.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iac_owner import owner_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyGuard,
    PolicyPlanner,
    PolicyReconciler,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.protected_roles import (
    refuse_reserved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, setting
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    TRUST_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
    refuse_dangling,
)


@dataclasses.dataclass(frozen=True)
class LiveTrust(LivePolicy):
    """A live trust policy, with the role as ``GetRole`` returns it."""

    role: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def role_arn(self) -> str:
        """The role's ARN."""
        return str(self.role["Arn"])


class TrustPolicyStore(PolicyStore[LiveTrust]):
    """The trust policy of an existing role."""

    def __init__(self, iam: Iam, role: RoleReference, account_id: str | None) -> None:
        """``account_id``: the account that the role must be in, if an option names it."""
        self._iam = iam
        self._role = role
        self._account_id = account_id

    def load(self) -> LiveTrust:
        """The live trust policy."""
        role = live_role(self._iam, self._role, self._account_id)
        resource = f"trust policy of {role['Arn']}"
        document = _document_of(role)
        ids = document_unique_ids(document)
        # Listed again if one of them is unknown, since the policy was read after the list.
        arns = self._iam.principals(ids) if ids else {}
        return LiveTrust(resource, document, arns=arns, role=role)

    def read_document(self, live: LiveTrust) -> Document:
        """The live trust policy."""
        return _document_of(live_role(self._iam, self._role, self._account_id))

    def write(self, live: LiveTrust, document: Document) -> None:
        """Replace the trust policy."""
        self._iam.put_trust_policy(live.role["RoleName"], document)

    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        """The principals of the role's account."""
        return self._iam.principals() if any(map(document_unique_ids, documents)) else {}

    def owner_of(self, live: LiveTrust) -> str:
        """The account of the role."""
        return account_of(live.role_arn)

    def backup(self, live: LiveTrust, before: Document, after: Document) -> Backup:
        """The trust policy."""
        arn = live.role_arn
        return Backup(TRUST_POLICY, {"role_arn": arn}, account_of(arn), before, after)

    def guard(self, live: LiveTrust, plan: Plan) -> None:
        """Neither a role of AWS nor a policy that names deleted principals can be changed."""
        refuse_reserved(live.role_arn)
        refuse_dangling(plan.after, live.resource, self._iam.principals)


@dataclasses.dataclass(frozen=True)
class TrustPlanner(PolicyPlanner[LiveTrust]):
    """EC2 may (or may no longer) assume the role."""

    state: str = "present"
    quota_chars: int = trust_policy_plan.DEFAULT_QUOTA_CHARS

    def plan(self, live: LiveTrust) -> Plan:
        """Plan the trust policy."""
        wanted = trust_policy_plan.Wanted(
            self.state, partition_of(live.role_arn), self.quota_chars, time.time()
        )
        plan = trust_policy_plan.decide(live.document, wanted)
        role = {
            "role_arn": live.role_arn,
            "role_name": live.role["RoleName"],
            "role_id": live.role["RoleId"],
        }
        owner = owner_of(live.role.get("Tags")) if plan.changed else None
        warnings = (*plan.warnings, *([_owner_warning(owner)] if owner else []))
        return dataclasses.replace(plan, warnings=warnings, result={**plan.result, **role})


@dataclasses.dataclass(frozen=True)
class TrustGuard:
    """The guard of a cloud that wants something of its role's trust policy."""

    store: TrustPolicyStore
    role_guard: RoleGuard
    state: str

    def check(self, live: LiveTrust, plan: Plan) -> None:
        """What any change of the role's trust policy needs, and what clusters with the role do."""
        self.store.guard(live, plan)
        self.role_guard.check_change(live.role_arn)
        if self.state == "present":
            self.role_guard.check_for_clusters(live.role_arn)


class TrustPolicyModule(ConvergingModule):
    """The module iam_trust_ec2."""

    options: t.ClassVar[Options] = {
        "role": {"type": "str", "aliases": ["role_name"]},
        "cloud_id": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "quota_chars": {"type": "int", "default": trust_policy_plan.DEFAULT_QUOTA_CHARS},
        "allow_privileged": {"type": "bool", "default": False},
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["role", "cloud_id"]],
    }

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        known: Known | None = None,
    ) -> None:
        super().__init__(params, connect, known)
        if params["quota_chars"] < 1:
            raise InputError(
                f"{setting('quota_chars')} is {params['quota_chars']}.",
                "Set it to the account's quota, a positive number of characters.",
            )
        self.role = wanted_role(params, lambda: self.registration)

    def reconciler(self) -> PolicyReconciler[LiveTrust]:
        """The trust policy of the role."""
        store = self.store()
        return PolicyReconciler(store, [self.planner()], [self.guard(store)], self.clouds)

    def store(self) -> TrustPolicyStore:
        """Where the trust policy is kept."""
        return TrustPolicyStore(Iam(self.session), self.role, self.params.get("account_id"))

    def planner(self) -> TrustPlanner:
        """What the parameters want."""
        return TrustPlanner(self.params["state"], self.params["quota_chars"])

    def guard(self, store: TrustPolicyStore) -> PolicyGuard[LiveTrust]:
        """Who may want it."""
        return TrustGuard(store, self.role_guard, self.params["state"]).check


def _document_of(role: t.Mapping[str, t.Any]) -> Document:
    return parse_policy(
        role["AssumeRolePolicyDocument"], f"trust policy of role {role['RoleName']}"
    )


def _owner_warning(owner: str) -> str:
    return (
        f"The role is managed by {owner}, which will overwrite the trust policy the next time it "
        "is applied. Add EC2 to the trust policy there as well."
    )

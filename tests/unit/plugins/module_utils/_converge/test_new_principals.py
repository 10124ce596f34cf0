# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A principal that is created while a task waits for its lock is not taken for a deleted one, though
AWS shows both as unique ids.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPlanner,
    BucketPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    SID,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPlanner,
    TrustPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET,
    BUCKET_ARN,
    FORMER_ID,
    OBJECTS_ARN,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    Raw,
    allow,
    policy,
)


class Account:
    """An account with a role, and with the policy of a bucket and of the role. ``lists``: how often
    its roles were listed.
    """

    def __init__(self, raw: Raw) -> None:
        self.roles = {ROLE_ID: ROLE}
        self.raw = raw
        self.lists = 0

    def account_id(self) -> str:
        return ACCOUNT

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return t.cast(dict[str, t.Any], getattr(self, method)())

    def get_bucket_policy(self) -> dict[str, t.Any]:
        return {"Policy": json.dumps(policy(self.raw))}

    def get_role(self) -> dict[str, t.Any]:
        role = {"Arn": ROLE, "RoleName": "ray-team-a", "RoleId": ROLE_ID}
        return {"Role": {**role, "AssumeRolePolicyDocument": policy(self.raw)}}

    def list_roles(self) -> dict[str, t.Any]:
        self.lists += 1
        return {"Roles": [{"RoleId": key, "Arn": arn} for key, arn in self.roles.items()]}

    def list_users(self) -> dict[str, t.Any]:
        return {"Users": []}


def ours(*principals: str) -> Raw:
    """Our statement for these principals."""
    principal, resources = {"AWS": list(principals)}, [BUCKET_ARN, OBJECTS_ARN]
    return allow(Sid=SID, Principal=principal, Action=list(ACTIONS), Resource=resources)


def bucket_of(account: Account) -> PolicyReconciler[t.Any]:
    """The policy of the bucket, for the role."""
    role = parse_role(ROLE)
    store = BucketPolicyStore(t.cast(t.Any, account), BUCKET, [role], ACCOUNT)
    return PolicyReconciler(store, [BucketPlanner(store, (role,))], [])


def test_a_new_role_stays_in_our_statement() -> None:
    """The deleted one leaves it."""
    account = Account(ours(FORMER_ID))
    reconciler = bucket_of(account)
    reconciler.load()
    account.roles[ROLE_B_ID] = ROLE_B
    account.raw = ours(FORMER_ID, ROLE_B_ID)
    plan = reconciler.plan(reconciler.load())
    (raw,) = plan.after["Statement"]
    assert raw["Principal"] == {"AWS": [ROLE, ROLE_B]}
    assert account.lists == 2


def test_roles_are_not_listed_again_where_all_are_known() -> None:
    account = Account(ours(ROLE_ID))
    reconciler = bucket_of(account)
    for _read in range(3):
        reconciler.load()
    assert account.lists == 1


def test_a_new_role_blocks_no_trust_policy() -> None:
    """A deleted one does."""
    account = Account(allow(Principal={"AWS": [FORMER_ID]}, Action=ASSUME))
    store = TrustPolicyStore(Iam(t.cast(t.Any, account)), parse_role(ROLE), ACCOUNT)
    reconciler = PolicyReconciler(store, [TrustPlanner()], [store.guard])
    with pytest.raises(RefusedError, match=FORMER_ID):
        reconciler.checked(reconciler.load())
    account.roles[ROLE_B_ID] = ROLE_B
    account.raw = allow(Principal={"AWS": [ROLE_B_ID]}, Action=ASSUME)
    assert reconciler.checked(reconciler.load()).changed

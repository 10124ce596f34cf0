# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access to the bucket that the role should have, and the policy that would give it.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import partition_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import bucket_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    by_identity,
    is_complete_by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import Document
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
)


def wanted_access(facts: Facts) -> Wanted:
    """The access that the role should have, with what is known of the principals that the bucket's
    policy contains by unique ID.
    """
    role, unique_ids = facts.principal(), document_unique_ids(facts.bucket_policy.get())
    arns = {**(facts.principals.value or {}), role.unique_id: role.arn}
    dangling = frozenset(unique_ids - set(arns)) if facts.principals.is_known else frozenset()
    wanted = Wanted(
        facts.bucket.get(),
        (role,),
        partition=partition_of(role.arn),
        actions=facts.bucket_actions,
        prefix=facts.bucket_prefix,
        arns=arns,
        dangling=dangling,
        now=facts.now,
    )
    return dataclasses.replace(wanted, own_grants=_own_grants(facts, wanted))


def _own_grants(facts: Facts, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """The statements of the role's own policies, where these grant all: the bucket's policy is then
    left as it is.
    """
    if not facts.identity.is_known:
        return {}
    (role,), own = wanted.roles, facts.identity.get()
    found = by_identity(own, role, wanted.pairs(), facts.now, facts.account_id)
    is_enough = is_complete_by_identity(found, own, wanted.bucket, wanted.actions)
    return {role.arn: found.sources} if is_enough else {}


def wanted_policy(document: Document, wanted: Wanted) -> Document:
    """The bucket's policy as the collection would write it, or as it is where the collection
    refuses to write.
    """
    try:
        return bucket_policy_plan.decide(document, wanted).after
    except TaskError:
        return document

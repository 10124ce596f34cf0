# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on whether the clusters' role and the role that Anyscale assumes may use the key that
the bucket is encrypted with: without it, S3 refuses them what the bucket grants.

This module util is private to the collection. Pure: the facts in, the outcome out. A key's policy
allows a role by itself, or leaves it to the policies of the account's roles; grants allow it too.
https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
    Json,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    Outcome,
    failed,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    Pair,
    allows,
    by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import (
    Role,
    denies,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Action,
    Identity,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    RequestContext,
    control_plane_context,
)

# Of these, S3 needs the second to write, and both to upload in parts.
ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_ENABLED = "Enabled"


@dataclasses.dataclass(frozen=True)
class _KeyUser(Role):
    """A role for which S3 uses a key. S3 passes its request on to KMS, so that keys about the way
    to AWS are not known.
    """

    bucket_arn: str = ""
    region: str = ""
    is_control_plane: bool = False

    def context(self, now: float, action: str, resource_account: str = "") -> RequestContext:
        """What is known of the requests that S3 makes to KMS for the role."""
        own = (
            control_plane_context(self.arn, self.account_id, "kms", now)
            if self.is_control_plane
            else super().context(now, action, resource_account)
        )
        domain = "amazonaws.com.cn" if partition_of(self.arn) == "aws-cn" else "amazonaws.com"
        return own.with_values(
            {
                "kms:viaservice": (f"s3.{self.region}.{domain}",) if self.region else (),
                "kms:calleraccount": (self.account_id,),
                # Of the bucket with a bucket key, else of the object.
                "kms:encryptioncontext:aws:s3:arn": (f"{self.bucket_arn}*",),
                "aws:viaawsservice": (),
                "aws:calledvia": (),
                "aws:calledviafirst": (),
                "aws:calledvialast": (),
            }
        )


_Verdicts = t.Mapping[tuple[_KeyUser, str], "bool | None"]


def bucket_key(facts: Facts) -> Outcome:
    """Whether both roles may use the bucket's key."""
    bucket, key = facts.bucket.get(), facts.bucket_key.get()
    if key is None:
        return passed(f"Bucket {bucket} is not encrypted with a KMS key of a customer.")
    arn, state = str(key["Arn"]), key.get("KeyState", _ENABLED)
    if state != _ENABLED:
        return failed(
            f"Key {arn} of bucket {bucket} has the state {state}: S3 can read and write nothing "
            "with it.",
            "Enable the key, or cancel its deletion.",
            key=arn,
        )
    verdicts = {
        (user, action): _may_use(facts, user, identity, (action, arn))
        for user, identity in _users(facts)
        for action in ACTIONS
    }
    if all(verdicts.values()):
        return passed(f"Key {arn} of bucket {bucket} can be used by both roles.", key=arn)
    return _not_allowed(verdicts, arn, bucket)


def _not_allowed(verdicts: _Verdicts, arn: str, bucket: str) -> Outcome:
    """Which roles the key refuses for certain; if there is none, those for which it depends."""
    is_certain = False in verdicts.values()
    worst = False if is_certain else None
    lacking = [pair for pair, verdict in verdicts.items() if verdict is worst]
    users = sorted({user.arn for user, _action in lacking})
    actions = [action for action in ACTIONS if action in {action for _user, action in lacking}]
    statement = {
        "Sid": "AnyscaleBucketKey",
        "Effect": "Allow",
        "Principal": {"AWS": users},
        "Action": list(ACTIONS),
        "Resource": "*",
    }
    what = f"{' and '.join(users)} {', '.join(actions)} on key {arn} of bucket {bucket}"
    outcome, reason = (
        (failed, f"Neither the key's policy, nor a grant, nor own policies allow {what}")
        if is_certain
        else (warned, f"It depends on a condition whether {what} is allowed")
    )
    return outcome(
        f"{reason}: S3 refuses what the bucket grants. Add the statement in the remedy to the key's "
        "policy, unless a statement there denies it.",
        _json.dumps(statement, indent=2),
        key=arn,
        statement_to_add=statement,
    )


def _users(facts: Facts) -> list[tuple[_KeyUser, Fact[Identity]]]:
    """The roles, each with its own policies. One that does not exist is for other checks."""
    role, found = facts.principal(), facts.control_plane_role.get()
    bucket_arn = f"arn:{partition_of(role.arn)}:s3:::{facts.bucket.get()}"
    region = facts.bucket_region.value or ""
    user = _KeyUser(role.arn, role.account_id, role.unique_id, bucket_arn, region)
    users = [(user, facts.identity)]
    if found is not None:
        arn, own = found["Arn"], t.cast("Fact[Identity]", facts.control_plane)
        user = _KeyUser(arn, account_of(arn), found["RoleId"], bucket_arn, region, True)
        users.append((user, own))
    return users


def _may_use(facts: Facts, user: _KeyUser, own: Fact[Identity], pair: Pair) -> bool | None:
    """Whether a role may do something with the key. The grants are only looked at where the
    policies do not decide it.
    """
    document, identity, (action, arn) = facts.key_policy.get(), own.get(), pair
    context = user.context(facts.now, action)
    refused = [
        *(denies(raw, user, [pair], facts.now) for raw in statements_of(document)),
        *(
            place.applies
            for place in judge(identity, Action(action, arn, context)).statements
            if place.effect == "Deny"
        ),
    ]
    if any_of(refused):
        return False
    allowed = any_of(
        [
            *(allows(canonical(raw), user, *pair, facts.now) for raw in statements_of(document)),
            all_of(
                [
                    _is_left_to_the_account(document, user, pair, facts.now),
                    by_identity(identity, user, [pair], facts.now).verdict,
                ]
            ),
        ]
    )
    if not allowed:
        allowed = any_of([allowed, *(_grants(one, user, action) for one in facts.key_grants.get())])
    return all_of([allowed, None if None in refused else True])


def _is_left_to_the_account(
    document: Document, user: _KeyUser, pair: Pair, now: float
) -> bool | None:
    """Whether the key's policy lets the account's own policies decide."""

    def leaves(raw: RawStatement) -> bool | None:
        statement, (action, arn) = canonical(raw), pair
        if (
            statement.effect != "Allow"
            or ("AWS", user.account_id) not in (statement.principals or ())
            or not statement.includes_action(action)
            or not statement.includes_resource(arn)
        ):
            return False
        return are_met(statement, user.context(now, action))

    return any_of(leaves(raw) for raw in statements_of(document))


def _grants(grant: Json, user: _KeyUser, action: str) -> bool | None:
    """Whether a grant allows a role an operation; with constraints, for some requests only."""
    operation = action.partition(":")[2]
    if grant.get("GranteePrincipal") != user.arn or operation not in grant.get("Operations", ()):
        return False
    return None if grant.get("Constraints") else True

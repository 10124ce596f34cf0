# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what a bucket's policy must become so that cluster roles have (or no longer have) a cloud's bucket.

This module util is private to the collection. Pure: a document in, a Plan out.
https://docs.anyscale.com/iam/manage-iam-roles and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _policy as policy
from ansible_collections.rayfleet.anyscale.plugins.module_utils._deny import Role, hits
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._plan import Plan

SID = "AnyscaleClusterAccess"
BYTES_LIMIT = 20 * 1024
BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation")
OBJECT_ACTIONS = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
)
ACTIONS = BUCKET_ACTIONS + OBJECT_ACTIONS
# The actions on objects whose names do not say so.
_ON_OBJECTS_TOO = ("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload", "s3:BypassGovernanceRetention")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a user asks of a bucket's policy.

    roles: who gets (or loses) access; actions: what each gets; arns: ARNs by unique id of the principals that exist;
    dangling: unique ids in the policy that no principal has any more; prune: take those out of others' statements too.
    """

    bucket: str
    roles: tuple[Role, ...]
    state: str = "present"
    partition: str = "aws"
    actions: tuple[str, ...] = ACTIONS
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    dangling: frozenset[str] = frozenset()
    prune: bool = False

    @property
    def sid(self) -> str:
        """One statement for all roles that get the same actions, so that a policy of 20 KB serves many clouds."""
        if set(self.actions) == set(ACTIONS):
            return SID
        return SID + hashlib.sha256(" ".join(sorted(self.actions)).encode()).hexdigest()[:8]

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket; its objects are this and ``/*``."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def pairs(self) -> list[tuple[str, str]]:
        """Each action with the resource that it is on."""
        return [(action, self.bucket_arn + ("/*" if _is_on_objects(action) else "")) for action in self.actions]


def decide(document: policy.Document, wanted: Wanted) -> Plan:
    """The bucket policy as it must be, and why it differs. An ``after`` without statements: the policy is to go."""
    return _absent(document, wanted) if wanted.state == "absent" else _present(document, wanted)


def grants(raw: policy.Raw, role: Role, action: str, resource: str, arns: t.Mapping[str, str]) -> bool:
    """Whether a statement gives a role an action by name: without a wildcard in it, without a Condition."""
    statement = policy.canonical(raw, arns)
    return (
        statement.effect == "Allow"
        and not statement.conditions
        and statement.principals is not None
        and ("AWS", role.arn) in statement.principals
        and action in policy.as_list(raw.get("Action"))
        and statement.covers_resource(resource)
    )


def granted_by(document: policy.Document, wanted: Wanted) -> dict[str, list[str]]:
    """For each role, the names of the statements that give it at least one of the actions."""
    named = [(policy.name_of(raw, index), raw) for index, raw in enumerate(policy.statements(document))]
    return {
        role.arn: [name for name, raw in named if any(grants(raw, role, *pair, wanted.arns) for pair in wanted.pairs())]
        for role in wanted.roles
    }


def blocking_ids(document: policy.Document, wanted: Wanted) -> list[str]:
    """The statements of others that name a deleted principal: S3 refuses any new policy that still holds them."""
    return [
        policy.describe(raw, index)
        for index, raw in enumerate(policy.statements(document))
        if not _is_ours(raw, wanted) and wanted.dangling.intersection(policy.unique_ids(raw))
    ]


def _present(document: policy.Document, wanted: Wanted) -> Plan:
    raws = policy.statements(document)
    warnings = _judge_denies(raws, wanted)
    missing = [role for role in wanted.roles if not _has_access(raws, role, wanted)]
    ours = [raw for raw in raws if _is_ours(raw, wanted)]
    statement = _statement(ours, missing, wanted, policy.free_sid(document, wanted.sid) if not ours else wanted.sid)
    after = policy.with_statements(document, _replaced(raws, statement, bool(ours or missing), wanted))
    return _plan(document, after, wanted, _reasons_present(ours, missing, statement, wanted), warnings)


def _absent(document: policy.Document, wanted: Wanted) -> Plan:
    raws = policy.statements(document)
    losing = [raw for raw in raws if _without_roles(raw, wanted) != raw]
    kept = [left for raw in raws if (left := _without_roles(raw, wanted)) is not None]
    after = policy.with_statements(document, _without_dangling(kept, wanted))
    reasons = ["access_present"] * bool(losing)
    if any(not _is_ours(raw, wanted) for raw in losing):
        reasons.append("access_in_other_statement")
    return _plan(document, after, wanted, reasons, ())


def _plan(
    document: policy.Document, after: policy.Document, wanted: Wanted, reasons: list[str], warnings: tuple[str, ...]
) -> Plan:
    if wanted.prune and blocking_ids(document, wanted):
        reasons.append("dangling_principal_in_other_statement")
    if not reasons:
        after = document
    used = len(policy.compact(after).encode()) if policy.statements(after) else 0
    if reasons and used > BYTES_LIMIT:
        raise RefusedError(
            f"The policy of bucket {wanted.bucket} would have {used} bytes; S3 takes {BYTES_LIMIT}.",
            "Take out statements that are no longer needed, or give these clouds a bucket of their own.",
            bytes_used=used,
            bytes_limit=BYTES_LIMIT,
        )
    return Plan(
        before=document,
        after=after,
        reasons=tuple(dict.fromkeys(reasons)),
        warnings=warnings,
        result={
            "bucket": wanted.bucket,
            "policy": after if policy.statements(after) else None,
            "sid": wanted.sid,
            "granted_by": granted_by(after, wanted),
            "bytes_used": used,
            "bytes_limit": BYTES_LIMIT,
        },
    )


def _reasons_present(ours: list[policy.Raw], missing: list[Role], statement: policy.Raw, wanted: Wanted) -> list[str]:
    reasons = ["access_missing"] * bool(missing)
    if any(wanted.dangling.intersection(policy.unique_ids(raw)) for raw in ours):
        reasons.append("dangling_principal")
    if len(ours) > 1:
        reasons.append("statement_repeated")
    if ours and _shape(ours[0]) != _shape(statement):
        reasons.append("statement_differs")
    return reasons


def _shape(raw: policy.Raw) -> policy.Statement:
    """A statement's meaning apart from whom it names, except for everybody: that is never ours."""
    statement = policy.canonical(raw)
    everybody = (statement.principals or frozenset()) & {("AWS", "*")}
    return dataclasses.replace(statement, principals=everybody)


def _statement(ours: list[policy.Raw], missing: list[Role], wanted: Wanted, sid: str) -> policy.Raw:
    """Our statement with all that it names already, less the deleted ones, and the roles that miss something."""
    principal: dict[str, t.Any] = {}
    for raw in ours:
        element = raw.get("Principal")
        for kind, values in (element if isinstance(element, dict) else {}).items():
            principal.setdefault(kind, []).extend(policy.as_list(values))
    named = {wanted.arns.get(name, name) for name in principal.get("AWS", [])} - wanted.dangling - {"*"}
    principal["AWS"] = sorted(named.union(role.arn for role in missing))
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": list(wanted.actions),
        "Resource": [wanted.bucket_arn, f"{wanted.bucket_arn}/*"],
    }


def _replaced(raws: list[policy.Raw], statement: policy.Raw, needed: bool, wanted: Wanted) -> list[policy.Raw]:
    """The statements with ours in the place of its first occurrence, else at the end; pruned where asked for."""
    first = next((index for index, raw in enumerate(raws) if _is_ours(raw, wanted)), len(raws))
    before = raws[:first]
    after = [raw for raw in raws[first:] if not _is_ours(raw, wanted)]
    own = [statement] if needed and statement["Principal"]["AWS"] else []
    return _without_dangling(before, wanted) + own + _without_dangling(after, wanted)


def _without_dangling(raws: list[policy.Raw], wanted: Wanted) -> list[policy.Raw]:
    """The statements without deleted principals: ours always, those of others where that was asked for."""
    left = (
        policy.without_principals(raw, "AWS", wanted.dangling.__contains__) if wanted.prune or _is_ours(raw, wanted) else raw
        for raw in raws
    )
    return [raw for raw in left if raw is not None]


def _without_roles(raw: policy.Raw, wanted: Wanted) -> policy.Raw | None:
    if raw["Effect"] != "Allow":
        return raw
    gone = {role.arn for role in wanted.roles} | {role.unique_id for role in wanted.roles if role.unique_id}
    return policy.without_principals(raw, "AWS", gone.__contains__)


def _has_access(raws: list[policy.Raw], role: Role, wanted: Wanted) -> bool:
    return all(any(grants(raw, role, *pair, wanted.arns) for raw in raws) for pair in wanted.pairs())


def _judge_denies(raws: list[policy.Raw], wanted: Wanted) -> tuple[str, ...]:
    """Refuse where a Deny surely takes a role's access; warn where it may."""
    warnings = []
    for index, raw in enumerate(raws):
        for role in wanted.roles:
            verdict = hits(raw, role, wanted.pairs())
            where = policy.describe(raw, index)
            if verdict:
                raise RefusedError(
                    f"{where} of the policy of bucket {wanted.bucket} denies {role.arn} access, whatever else allows it.",
                    "Take the role out of that statement's reach and run again.",
                    statement=raw,
                )
            if verdict is None:
                warnings.append(f"{where} may deny {role.arn} access: that depends on each request. Check it on a running cluster.")
    return tuple(warnings)


def _is_ours(raw: policy.Raw, wanted: Wanted) -> bool:
    return raw.get("Sid") == wanted.sid and raw["Effect"] == "Allow"


def _is_on_objects(action: str) -> bool:
    return action in _ON_OBJECTS_TOO or ("Object" in action and "Bucket" not in action)

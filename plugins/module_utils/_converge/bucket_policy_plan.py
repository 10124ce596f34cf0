# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what a bucket's policy must become so that cluster roles have (or no longer have) a
cloud's bucket.

This module util is private to the collection. Pure: a document in, a Plan out.
https://docs.anyscale.com/iam/manage-iam-roles and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import is_unique_id, parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role, denies
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    compact_json,
    describe_statement,
    free_sid,
    statement_name,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    aws_principals,
    statement_unique_ids,
    without_principals,
)

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
_ON_OBJECTS_TOO = (
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a user asks of a bucket's policy.

    roles: who gets (or loses) access; actions: what each gets; arns: ARNs by unique id of the
    principals that exist;
    dangling: unique ids in the policy that no principal has any more; prune: take those out of
    others' statements too.
    sid: of our statement in the policy at hand; ``decide`` finds it out.
    """

    bucket: str
    roles: tuple[Role, ...]
    state: str = "present"
    partition: str = "aws"
    actions: tuple[str, ...] = ACTIONS
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    dangling: frozenset[str] = frozenset()
    prune: bool = False
    sid: str = ""

    @property
    def usual_sid(self) -> str:
        """One statement for all roles that get the same actions, so that a policy of 20 KB serves
        many clouds.
        """
        if set(self.actions) == set(ACTIONS):
            return SID
        return SID + hashlib.sha256(" ".join(sorted(self.actions)).encode()).hexdigest()[:8]

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket; its objects are this and ``/*``."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def pairs(self) -> list[tuple[str, str]]:
        """Each action with the resource that it is on."""
        return [
            (action, self.bucket_arn + ("/*" if _is_on_objects(action) else ""))
            for action in self.actions
        ]


def decide(document: Document, wanted: Wanted) -> Plan:
    """The bucket policy as it must be, and why it differs. An ``after`` without statements: the
    policy is to go.
    """
    wanted = _with_sid(document, wanted)
    if wanted.prune:
        _refuse_last_exceptions(document, wanted)
    return _absent(document, wanted) if wanted.state == "absent" else _present(document, wanted)


def grants(
    raw: RawStatement, role: Role, action: str, resource: str, arns: t.Mapping[str, str]
) -> bool:
    """Whether a statement gives a role an action by name: without a wildcard in it, without a
    Condition.
    """
    statement = canonical(raw, arns)
    return (
        statement.effect == "Allow"
        and not statement.conditions
        and statement.principals is not None
        and ("AWS", role.arn) in statement.principals
        and action in as_list(raw.get("Action"))
        and statement.includes_resource(resource)
    )


def granted_by(document: Document, wanted: Wanted) -> dict[str, list[str]]:
    """For each role, the names of the statements that give it at least one of the actions."""
    named = [(statement_name(raw, index), raw) for index, raw in enumerate(statements_of(document))]
    return {
        role.arn: [
            name
            for name, raw in named
            if any(grants(raw, role, *pair, wanted.arns) for pair in wanted.pairs())
        ]
        for role in wanted.roles
    }


def blocking_ids(document: Document, wanted: Wanted) -> dict[str, frozenset[str]]:
    """The deleted principals, by the statements of others that name them: S3 refuses any new policy
    that still holds them.
    """
    wanted = _with_sid(document, wanted)
    of_others = [
        (index, raw)
        for index, raw in enumerate(statements_of(document))
        if not _is_ours(raw, wanted)
    ]
    gone = {
        describe_statement(raw, index): wanted.dangling.intersection(statement_unique_ids(raw))
        for index, raw in of_others
    }
    return {statement: ids for statement, ids in gone.items() if ids}


def _present(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    warnings = _judge_denies(raws, wanted)
    missing = [role for role in wanted.roles if not _has_access(raws, role, wanted)]
    ours = [raw for raw in raws if _is_ours(raw, wanted)]
    statement = _statement(ours, missing, wanted)
    after = with_statements(document, _replaced(raws, statement, bool(ours or missing), wanted))
    warnings += _conditions_removed(raws, wanted)
    return _plan(
        document, after, wanted, _reasons_present(ours, missing, statement, wanted), warnings
    )


def _absent(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    revoked_roles = [raw for raw in raws if _without_roles(raw, wanted) != raw]
    kept = [left for raw in raws if (left := _without_roles(raw, wanted)) is not None]
    after = with_statements(document, _without_dangling(kept, wanted))
    reasons = ["access_present"] * bool(revoked_roles)
    if any(not _is_ours(raw, wanted) for raw in revoked_roles):
        reasons.append("access_in_other_statement")
    if _has_dangling([raw for raw in raws if _is_ours(raw, wanted)], wanted):
        reasons.append("dangling_principal")
    return _plan(document, after, wanted, reasons, ())


def _plan(
    document: Document,
    after: Document,
    wanted: Wanted,
    reasons: list[str],
    warnings: tuple[str, ...],
) -> Plan:
    if wanted.prune and blocking_ids(document, wanted):
        reasons.append("dangling_principal_in_other_statement")
    if not reasons:
        after = document
    used = len(compact_json(after).encode()) if statements_of(after) else 0
    if reasons and used > BYTES_LIMIT:
        raise RefusedError(
            f"The policy of bucket {wanted.bucket} would have {used} bytes; S3 takes "
            f"{BYTES_LIMIT}.",
            "Take out statements that are no longer needed, or give these clouds a bucket of "
            "their own.",
            bytes_used=used,
            bytes_limit=BYTES_LIMIT,
        )
    return Plan(
        before=document,
        after=after,
        reasons=tuple(dict.fromkeys(reasons)),
        warnings=(*warnings, *_shown_by_id_alone(statements_of(after), wanted)),
        result={
            "bucket": wanted.bucket,
            "policy": after if statements_of(after) else None,
            "sid": wanted.sid,
            "granted_by": granted_by(after, wanted),
            "bytes_used": used,
            "bytes_limit": BYTES_LIMIT,
        },
    )


def _reasons_present(
    ours: list[RawStatement], missing: list[Role], statement: RawStatement, wanted: Wanted
) -> list[str]:
    reasons = ["access_missing"] * bool(missing)
    if _has_dangling(ours, wanted):
        reasons.append("dangling_principal")
    if len(ours) > 1:
        reasons.append("duplicate_statement")
    if ours and _shape(ours[0]) != _shape(statement):
        reasons.append("statement_differs")
    return reasons


def _conditions_removed(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    return tuple(
        f"{describe_statement(raw, index)} was put under a Condition, which does not hold for "
        f"every cluster: the Condition is removed. Condition: {compact_json(raw['Condition'])}"
        for index, raw in enumerate(raws)
        if _is_ours(raw, wanted) and raw.get("Condition")
    )


def _has_dangling(ours: list[RawStatement], wanted: Wanted) -> bool:
    return any(wanted.dangling.intersection(statement_unique_ids(raw)) for raw in ours)


def _shape(raw: RawStatement) -> Statement:
    """A statement's meaning apart from whom it names, except for everybody: that is never ours."""
    statement = canonical(raw)
    everybody = (statement.principals or frozenset()) & {("AWS", "*")}
    return dataclasses.replace(statement, principals=everybody)


def _statement(ours: list[RawStatement], missing: list[Role], wanted: Wanted) -> RawStatement:
    """Our statement with all that it names already, less the deleted ones, and the roles that miss
    something.
    """
    named = {
        wanted.arns.get(name, name) for raw in ours for name in aws_principals(raw.get("Principal"))
    }
    return {
        "Sid": wanted.sid,
        "Effect": "Allow",
        "Principal": {
            "AWS": sorted((named - wanted.dangling - {"*"}).union(role.arn for role in missing))
        },
        "Action": list(wanted.actions),
        "Resource": [wanted.bucket_arn, f"{wanted.bucket_arn}/*"],
    }


def _replaced(
    raws: list[RawStatement], statement: RawStatement, needed: bool, wanted: Wanted
) -> list[RawStatement]:
    """The statements with ours in the place of its first occurrence, else at the end; pruned where
    asked for.
    """
    first = next((index for index, raw in enumerate(raws) if _is_ours(raw, wanted)), len(raws))
    before = raws[:first]
    after = [raw for raw in raws[first:] if not _is_ours(raw, wanted)]
    own = [statement] if needed and statement["Principal"]["AWS"] else []
    return _without_dangling(before, wanted) + own + _without_dangling(after, wanted)


def _without_dangling(raws: list[RawStatement], wanted: Wanted) -> list[RawStatement]:
    """The statements without deleted principals: ours always, those of others where that was asked
    for.
    """
    left = (_pruned(raw, wanted) if wanted.prune or _is_ours(raw, wanted) else raw for raw in raws)
    return [raw for raw in left if raw is not None]


def _pruned(raw: RawStatement, wanted: Wanted) -> RawStatement | None:
    element = "NotPrincipal" if "NotPrincipal" in raw else "Principal"
    return without_principals(raw, "AWS", wanted.dangling.__contains__, element)


def _refuse_last_exceptions(document: Document, wanted: Wanted) -> None:
    """Without its last exception a statement would hit everybody, and without the statement nobody:
    neither was asked for.
    """
    for index, raw in enumerate(statements_of(document)):
        if "NotPrincipal" in raw and _pruned(raw, wanted) is None:
            raise RefusedError(
                f"{describe_statement(raw, index)} of the policy of bucket {wanted.bucket} is for "
                "all but a deleted principal, so pruning cannot tell whom it is meant for.",
                "Take that statement out, or name in it whom it must except, and run again.",
                statement=raw,
            )


def _without_roles(raw: RawStatement, wanted: Wanted) -> RawStatement | None:
    if raw["Effect"] != "Allow":
        return raw
    gone = {role.arn for role in wanted.roles} | {
        role.unique_id for role in wanted.roles if role.unique_id
    }
    return without_principals(raw, "AWS", gone.__contains__)


def _has_access(raws: list[RawStatement], role: Role, wanted: Wanted) -> bool:
    return all(
        any(grants(raw, role, *pair, wanted.arns) for raw in raws) for pair in wanted.pairs()
    )


def _judge_denies(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Refuse where a Deny surely takes a role's access; warn where it may."""
    warnings = []
    for index, raw in enumerate(raws):
        for role in wanted.roles:
            verdict = denies(raw, role, wanted.pairs())
            where = describe_statement(raw, index)
            if verdict:
                raise RefusedError(
                    f"{where} of the policy of bucket {wanted.bucket} denies {role.arn} access, "
                    "whatever else allows it.",
                    "Take the role out of that statement's reach and run again.",
                    statement=raw,
                )
            if verdict is None:
                warnings.append(
                    f"{where} may deny {role.arn} access: that depends on each request. Check it "
                    "on a running cluster."
                )
    return tuple(warnings)


def _shown_by_id_alone(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """AWS shows an existing principal by its unique id for a while; that is enough for access, not
    for the vendor's check.
    """
    if not wanted.arns:
        return ()
    as_shown = dataclasses.replace(wanted, arns={})
    return tuple(
        f"The policy of bucket {wanted.bucket} gives {role.arn} access by its unique id "
        f"{role.unique_id}; 'anyscale cloud verify' looks for the ARN and will not find it."
        for role in wanted.roles
        if _has_access(raws, role, wanted) and not _has_access(raws, role, as_shown)
    )


def _with_sid(document: Document, wanted: Wanted) -> Wanted:
    """Our Sid is the usual one, or the first numbered one where only a statement of others has it."""
    raws = statements_of(document)
    own = {raw.get("Sid") for raw in raws if _is_for_roles_alone(raw, wanted)}
    others = [raw for raw in raws if raw.get("Sid") not in own]
    return dataclasses.replace(
        wanted, sid=free_sid(with_statements(document, others), wanted.usual_sid)
    )


def _is_ours(raw: RawStatement, wanted: Wanted) -> bool:
    return raw.get("Sid") == wanted.sid and _is_for_roles_alone(raw, wanted)


def _is_for_roles_alone(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement can be ours by whom it names. Everybody under a Condition is somebody
    whom others mean.
    """
    statement = canonical(raw, wanted.arns)
    if statement.effect != "Allow" or statement.principals is None:
        return False
    if ("AWS", "*") in statement.principals and statement.conditions:
        return False
    return all(
        kind == "AWS" and _may_be_a_role(name, wanted) for kind, name in statement.principals
    )


def _may_be_a_role(name: str, wanted: Wanted) -> bool:
    arn = parse_arn(name)
    if arn is None:
        return name == "*" or is_unique_id(name)
    accounts = {role.account_id for role in wanted.roles}
    return arn.service == "iam" and arn.resource.startswith("role/") and arn.account_id in accounts


def _is_on_objects(action: str) -> bool:
    return action in _ON_OBJECTS_TOO or ("Object" in action and "Bucket" not in action)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a bucket's policy so that cluster roles have (or no longer have) access to a cloud's bucket.

This module util is private to the collection. Pure: a document in, a Plan out.
https://docs.anyscale.com/iam/manage-iam-roles and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import is_unique_id, parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_only_grant import (
    only_granted_by,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_still_granted import (
    what_still_grants,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    OUR_SID,
    SID_DIGITS,
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError, option
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy import condition_lists
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    grants,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role, denies
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
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

BYTES_LIMIT = 20 * 1024
# By our count of a policy, from which on S3 may not accept it: it measures a form of its own.
_BYTES_NEAR_LIMIT = BYTES_LIMIT * 95 // 100


def decide(document: Document, wanted: Wanted) -> Plan:
    """Plan the bucket policy. An ``after`` without statements means that the policy is to be
    deleted.
    """
    wanted = _with_sid(document, wanted)
    if wanted.prune:
        _refuse_last_exceptions(document, wanted)
    plan_state = {"present": _present, "absent": _absent, "released": _released}[wanted.state]
    return plan_state(document, wanted)


def granted_by(document: Document, wanted: Wanted) -> dict[str, list[str]]:
    """For each role, the names of the statements that grant it at least one of the actions."""
    named = [
        (statement_name(raw, index), raw, canonical(raw, wanted.arns))
        for index, raw in enumerate(statements_of(document))
    ]
    return {
        role.arn: [
            *(
                name
                for name, raw, statement in named
                if any(grants(raw, statement, role, *pair) for pair in wanted.pairs())
            ),
            *wanted.own_grants.get(role.arn, ()),
        ]
        for role in wanted.roles
    }


def blocking_ids(document: Document, wanted: Wanted) -> dict[str, frozenset[str]]:
    """The deleted principals in unmanaged statements, by statement: S3 rejects a new policy that
    contains them.
    """
    unmanaged = [
        (index, raw)
        for index, raw in enumerate(statements_of(document))
        if not _is_managed(raw, wanted)
    ]
    deleted = {
        describe_statement(raw, index): wanted.dangling.intersection(statement_unique_ids(raw))
        for index, raw in unmanaged
    }
    return {statement: ids for statement, ids in deleted.items() if ids}


def _present(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    warnings = (
        *_check_denies(raws, wanted),
        *_warn_of_changes(raws, wanted),
        *_warn_of_unread(raws, wanted),
        *_warn_of_own(wanted),
    )
    missing = [
        role
        for role in wanted.roles
        if role.arn not in wanted.own_grants and not has_access(raws, role, wanted)
    ]
    parts = [_part(raw, wanted) for raw in raws]
    after = with_statements(document, _merged(parts, missing, wanted))
    return _plan(document, after, wanted, _reasons_present(raws, missing, wanted), warnings)


def _absent(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    revoked_roles = [raw for raw in raws if _without_roles(raw, wanted) != raw]
    kept = [rest for raw in raws if (rest := _without_roles(raw, wanted)) is not None]
    after = with_statements(document, _without_dangling(kept, wanted))
    reasons = ["access_present"] * bool(revoked_roles)
    if any(not _is_managed(raw, wanted) for raw in revoked_roles):
        reasons.append("access_in_other_statement")
    if _has_dangling(raws, wanted):
        reasons.append("dangling_principal")
    return _plan(document, after, wanted, reasons, what_still_grants(after, wanted))


def _released(document: Document, wanted: Wanted) -> Plan:
    """The roles have access by their own policies, and leave our statements here, but those that allow
    them more: they may be for other clouds with the same roles.
    """
    raws = statements_of(document)
    warnings = (*_check_denies(raws, wanted), *_warn_of_staying(raws, wanted))
    left = [rest for raw in raws if (rest := _without_leaving(raw, wanted)) is not None]
    after = with_statements(document, _without_dangling(left, wanted))
    reasons = ["access_in_bucket_policy"] * (left != raws)
    return _plan(document, after, wanted, reasons, warnings)


def staying(raws: t.Iterable[RawStatement], wanted: Wanted) -> list[Role]:
    """The roles that do not leave all our statements."""
    return list(dict.fromkeys(role for raw in raws for role in _staying(raw, wanted)))


def _staying(raw: RawStatement, wanted: Wanted) -> dict[Role, tuple[str, ...]]:
    """The roles that do not leave a statement of ours, each with what it would lose."""
    if not _is_managed(raw, wanted) or _is_within_ours(raw, wanted):
        return {}
    named = [role for role in wanted.roles if _without_roles(raw, wanted, [role]) != raw]
    found = {role: only_granted_by(raw, role, wanted) for role in named}
    return {role: actions for role, actions in found.items() if actions}


def _without_leaving(raw: RawStatement, wanted: Wanted) -> RawStatement | None:
    """A statement without the roles that leave it, if it is ours."""
    if not _is_managed(raw, wanted):
        return raw
    kept = _staying(raw, wanted)
    return _without_roles(raw, wanted, [role for role in wanted.roles if role not in kept])


def _warn_of_staying(raws: list[RawStatement], wanted: Wanted) -> t.Iterator[str]:
    for index, raw in enumerate(raws):
        for role, actions in _staying(raw, wanted).items():
            yield (
                f"{describe_statement(raw, index)} allows {role.arn} {', '.join(actions)}, and the "
                "role's own policies do not certainly allow the same. The role leaves that statement "
                f"only if they do. Set {option('preset', 'cloud_iam_bucket_actions')} and "
                f"{option('prefix', 'cloud_iam_bucket_prefix')} to what all clusters with the role "
                "need, or take the role out of that statement."
            )


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
    if reasons and used > _BYTES_NEAR_LIMIT:
        warnings = (*warnings, _near_limit(used))
    return Plan(
        before=document,
        after=after,
        reasons=tuple(dict.fromkeys(reasons)),
        warnings=(*warnings, *_warn_of_unique_ids(statements_of(after), wanted)),
        result={
            "bucket": wanted.bucket,
            "policy": after if statements_of(after) else None,
            "sid": wanted.sid,
            "granted_by": granted_by(after, wanted),
            "bytes_used": used,
            "bytes_limit": BYTES_LIMIT,
        },
    )


def _near_limit(used: int) -> str:
    return (
        f"The policy is {used} bytes long; S3 accepts at most {BYTES_LIMIT} bytes of a form of its "
        "own, which may be longer or shorter. Remove statements that are no longer needed."
    )


def _reasons_present(raws: list[RawStatement], missing: list[Role], wanted: Wanted) -> list[str]:
    ours = [raw for raw in raws if _is_ours(raw, wanted)]
    parts = [_part(raw, wanted) for raw in ours]
    reasons = ["access_missing"] * bool(missing)
    if _has_dangling(raws, wanted):
        reasons.append("dangling_principal")
    if len([part for part in parts if part.is_replaced]) > 1:
        reasons.append("duplicate_statement")
    if any(_differs(raw, part, wanted) for raw, part in zip(ours, parts, strict=True)):
        reasons.append("statement_differs")
    return reasons


def _differs(raw: RawStatement, part: _Part, wanted: Wanted) -> bool:
    """Whether a statement with our Sid needs a change other than its roles."""
    return _is_public(raw) if _is_complete(raw, wanted) else bool(part.carried)


def _warn_of_changes(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Name what a change of our statements takes away: a Condition on the roles, and the access of
    everybody.
    """
    warnings = []
    for index, raw in enumerate(raws):
        if not _is_ours(raw, wanted):
            continue
        where = describe_statement(raw, index)
        if _is_complete(raw, wanted):
            if _is_public(raw):
                warnings.append(
                    f"{where} gives every principal (*) access to the bucket: * is removed from "
                    "it, and the access that a principal has by it alone is lost."
                )
        elif raw.get("Condition") and (carried := _part(raw, wanted).carried):
            warnings.append(
                f"{where} has a Condition, which not every cluster meets: the Condition is removed "
                f"for {', '.join(carried)}. Condition: {compact_json(raw['Condition'])}"
            )
    return tuple(warnings)


def _warn_of_unread(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Warn where it is not known whether a role has access by its own policies already."""
    return tuple(
        f"The own policies of {role.arn} could not be read, so that it gets access by the bucket's "
        f"policy, whatever they allow: {wanted.unread[role.arn]}"
        for role in wanted.roles
        if role.arn in wanted.unread and not has_access(raws, role, wanted)
    )


def _warn_of_own(wanted: Wanted) -> t.Iterator[str]:
    """Warn where a role's own policies or its boundary keep it from what the bucket's policy grants."""
    for arn, names in wanted.own_denies.items():
        yield (
            f"{', '.join(names)} denies {arn} access, which overrides every Allow. Exclude the bucket "
            "from it."
        )
    for arn, limit in wanted.limits.items():
        yield (
            f"The permissions boundary {limit.boundary} of {arn} does not certainly allow "
            f"{', '.join(limit.actions)} on bucket {wanted.bucket}, so that the bucket's policy cannot "
            "grant it. Allow it in the boundary."
        )


def _has_dangling(raws: list[RawStatement], wanted: Wanted) -> bool:
    """Whether a statement of ours, for whatever actions, names a deleted principal."""
    return any(
        wanted.dangling.intersection(statement_unique_ids(raw)) and _is_managed(raw, wanted)
        for raw in raws
    )


class _Part(t.NamedTuple):
    """What becomes of a statement, which may be ours: the principals that go to our new statement,
    and the statement without them; ``None`` if nothing is left of it.
    """

    is_ours: bool
    carried: tuple[str, ...]
    rest: RawStatement | None

    @property
    def is_replaced(self) -> bool:
        """Whether our new statement replaces it."""
        return self.is_ours and self.rest is None


def _part(raw: RawStatement, wanted: Wanted) -> _Part:
    """Other principals than the wanted roles are carried along only from a statement that grants
    them all that ours does and no more, so that their access never changes. The wanted roles are not
    taken out of a statement that grants them more: they would lose the rest.
    """
    if not _is_ours(raw, wanted):
        return _Part(False, (), _without_deleted(raw, wanted))
    names = {name: wanted.arns.get(name, name) for name in aws_principals(raw.get("Principal"))}
    if _is_complete(raw, wanted):
        carried = {arn for name, arn in names.items() if name not in wanted.dangling | {"*"}}
        return _Part(True, tuple(sorted(carried)), None)
    asked = {name for role in wanted.roles for name in (role.arn, role.unique_id) if name}
    is_within = _is_within_ours(raw, wanted)
    moved = {name for name, arn in names.items() if is_within and asked & {name, arn}}
    rest = without_principals(raw, "AWS", (moved | wanted.dangling).__contains__)
    return _Part(True, tuple(sorted({names[name] for name in moved})), rest)


def _is_complete(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement grants its principals exactly what ours does."""
    return _without_names(raw) == _without_names(_our_statement((), wanted))


def _is_within_ours(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement grants nothing that ours does not grant."""
    statement, ours = canonical(raw), canonical(_our_statement((), wanted))
    return (
        statement.actions is not None
        and statement.actions <= (ours.actions or frozenset())
        and statement.resources is not None
        and all(map(ours.includes_resource, statement.resources))
    )


def _without_names(raw: RawStatement) -> Statement:
    return dataclasses.replace(canonical(raw), sid="", principals=None)


def _is_public(raw: RawStatement) -> bool:
    return "*" in aws_principals(raw.get("Principal"))


def _our_statement(principals: t.Iterable[str], wanted: Wanted) -> RawStatement:
    return {
        "Sid": wanted.sid,
        "Effect": "Allow",
        "Principal": {"AWS": sorted(principals)},
        "Action": list(wanted.actions),
        "Resource": list(wanted.resources),
    }


def _merged(parts: list[_Part], missing: list[Role], wanted: Wanted) -> list[RawStatement]:
    """The statements with ours in the place of the first that it replaces, else at the end."""
    principals = {name for part in parts for name in part.carried} | {role.arn for role in missing}
    own = [_our_statement(principals, wanted)] if principals else []
    place = next((index for index, part in enumerate(parts) if part.is_replaced), len(parts))
    before, after = parts[:place], parts[place:]
    return [*_left(before), *own, *_left(after)]


def _left(parts: list[_Part]) -> list[RawStatement]:
    return [part.rest for part in parts if part.rest is not None]


def _without_dangling(raws: list[RawStatement], wanted: Wanted) -> list[RawStatement]:
    """The statements without deleted principals; unmanaged statements are pruned only if requested."""
    pruned = (_without_deleted(raw, wanted) for raw in raws)
    return [raw for raw in pruned if raw is not None]


def _without_deleted(raw: RawStatement, wanted: Wanted) -> RawStatement | None:
    is_pruned = wanted.prune or _is_managed(raw, wanted)
    return _pruned(raw, wanted) if is_pruned else raw


def _pruned(raw: RawStatement, wanted: Wanted) -> RawStatement | None:
    element = "NotPrincipal" if "NotPrincipal" in raw else "Principal"
    return without_principals(raw, "AWS", wanted.dangling.__contains__, element)


def _refuse_last_exceptions(document: Document, wanted: Wanted) -> None:
    """Raise if a statement has only deleted principals in NotPrincipal: without them it would apply
    to every principal, and deleting it would change access too.
    """
    for index, raw in enumerate(statements_of(document)):
        if "NotPrincipal" in raw and _pruned(raw, wanted) is None:
            raise RefusedError(
                f"{describe_statement(raw, index)} of the policy of bucket {wanted.bucket} has "
                "only deleted principals in NotPrincipal, so that pruning cannot decide to which "
                "principals it should apply.",
                "Delete that statement, or add the principals that it must except, and run again.",
                statement=raw,
            )


def _without_roles(
    raw: RawStatement, wanted: Wanted, roles: t.Sequence[Role] | None = None
) -> RawStatement | None:
    """A statement without the roles, or without these, where it allows them something by name."""
    if raw["Effect"] != "Allow":
        return raw
    roles = wanted.roles if roles is None else roles
    left: RawStatement | None = raw
    for role in roles:
        left = left and without_principals(left, "AWS", role.is_named_by)
        left = left and condition_lists.without_role(left, role)
    return left


def has_access(raws: t.Iterable[RawStatement], role: Role, wanted: Wanted) -> bool:
    """Whether statements of the bucket's policy together grant a role all that is wanted."""
    statements = [(raw, canonical(raw, wanted.arns)) for raw in raws]
    return all(
        any(grants(raw, statement, role, *pair) for raw, statement in statements)
        for pair in wanted.pairs()
    )


def _check_denies(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Raise if a Deny statement denies a role access; warn if it may do so."""
    warnings = []
    for index, raw in enumerate(raws):
        for role in wanted.roles:
            verdict = denies(raw, role, wanted.pairs(), wanted.now)
            where = describe_statement(raw, index)
            if verdict:
                raise RefusedError(
                    f"{where} of the policy of bucket {wanted.bucket} denies {role.arn} access, "
                    "which overrides every Allow.",
                    "Exclude the role from that statement and run again.",
                    statement=raw,
                )
            if verdict is None:
                warnings.append(
                    f"{where} may deny {role.arn} access, depending on the request. Check the "
                    "access on a running cluster."
                )
    return tuple(warnings)


def _warn_of_unique_ids(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Warn if AWS still shows an existing principal as its unique id: that is enough for access,
    but not for Anyscale's verification.
    """
    if not any(found in wanted.arns for raw in raws for found in statement_unique_ids(raw)):
        return ()
    without_arns = dataclasses.replace(wanted, arns={})
    return tuple(
        f"The policy of bucket {wanted.bucket} gives {role.arn} access by its unique id "
        f"{role.unique_id}; 'anyscale cloud verify' expects the ARN and will not find it."
        for role in wanted.roles
        if has_access(raws, role, wanted) and not has_access(raws, role, without_arns)
    )


def _with_sid(document: Document, wanted: Wanted) -> Wanted:
    """Our statement keeps the Sid of the first that it replaces. Else its Sid is the usual one, or
    a numbered one if another statement has the usual one.
    """
    replaced = [raw for raw in statements_of(document) if _part(raw, wanted).is_replaced]
    sid = replaced[0]["Sid"] if replaced else free_sid(document, wanted.usual_sid)
    return dataclasses.replace(wanted, sid=sid)


def _is_managed(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement has a Sid of ours, for whatever actions, and only roles as principals."""
    is_named = OUR_SID.fullmatch(str(raw.get("Sid") or ""))
    return bool(is_named) and _has_only_role_principals(raw, wanted)


def _is_ours(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement has our Sid, perhaps with a number, and only roles as principals."""
    sid = str(raw.get("Sid") or "")
    number = sid.removeprefix(wanted.usual_sid)
    is_numbered = not number or (number.isdecimal() and len(number) <= SID_DIGITS)
    return (
        sid.startswith(wanted.usual_sid) and is_numbered and _has_only_role_principals(raw, wanted)
    )


def _has_only_role_principals(raw: RawStatement, wanted: Wanted) -> bool:
    """Whether a statement can be ours by its principals. A ``*`` with a Condition is a deliberate
    grant of another writer.
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

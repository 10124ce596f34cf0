# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a role's trust policy so that EC2 can (or can no longer) assume the role.

This module util is private to the collection. Pure: a document in, a Plan out.
https://docs.anyscale.com/iam/manage-iam-roles and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    ec2_service,
    ec2_services,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    PolicyError,
    RefusedError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    compact_json,
    describe_statement,
    free_sid,
    length_of,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    without_principals,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    ec2_context,
)

SID = "AnyscaleEC2Trust"
ACTION = "sts:AssumeRole"
DEFAULT_QUOTA_CHARS = 2048


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What one task wants of a role's trust policy.

    partition: of the role's ARN, which determines EC2's service principal.
    quota_chars: the account's quota 'Role trust policy length', in characters without white space.
    now: from when on the trust counts, in seconds since 1970, by which dates in conditions are
    judged.
    """

    state: str = "present"
    partition: str = "aws"
    quota_chars: int = DEFAULT_QUOTA_CHARS
    now: float = 0.0

    @property
    def service(self) -> str:
        """EC2's service principal."""
        return ec2_service(self.partition)


def decide(document: Document, wanted: Wanted) -> Plan:
    """Plan the trust policy."""
    return _absent(document, wanted) if wanted.state == "absent" else _present(document, wanted)


def holds(raw: RawStatement, service: str) -> bool:
    """Whether a statement lets EC2 assume the role, in the form that ``anyscale cloud verify``
    accepts.
    """
    return allows(raw, service) and raw.get("Action") == ACTION and not raw.get("Condition")


def allows(raw: RawStatement, service: str) -> bool:
    """Whether a statement lets EC2 assume the role according to AWS, possibly only under its
    Condition.
    """
    return (
        raw["Effect"] == "Allow"
        and _names_ec2(raw, service)
        and canonical(raw).includes_action(ACTION)
    )


def condition_is_met(raw: RawStatement, partition: str, now: float) -> bool | None:
    """Whether EC2's request for a role meets the Condition of a statement, from ``now`` on; ``None``
    if that depends on the request.
    """
    return are_met(canonical(raw), ec2_context(partition, now))


def denies(raw: RawStatement, partition: str, now: float) -> bool | None:
    """Whether a statement denies EC2 the role, from ``now`` on; ``None`` if that depends on the
    request.
    """
    statement = canonical(raw)
    if statement.effect != "Deny" or not statement.includes_action(ACTION):
        return False
    return _applies_to_ec2(statement, partition, now)


def _applies_to_ec2(statement: Statement, partition: str, now: float) -> bool | None:
    """Whether a statement with the action applies to EC2's request for the role."""
    named = statement.principals if statement.not_principals is None else statement.not_principals
    matches = any_of(_is_ec2(principal, partition) for principal in named or ())
    if statement.not_principals is not None and matches is not None:
        matches = not matches
    if matches is False:
        return False
    return all_of([matches, are_met(statement, ec2_context(partition, now))])


def _is_ec2(principal: tuple[str, str], partition: str) -> bool | None:
    """Whether a principal, by its kind and name, stands for EC2; ``None`` for the name that EC2 may
    have in the partition beside its usual one.
    """
    if principal in (("AWS", "*"), ("Service", "*"), ("Service", ec2_service(partition))):
        return True
    kind, name = principal
    return None if kind == "Service" and name in ec2_services(partition) else False


def breaks_anyscale_verify(raw: RawStatement) -> bool:
    """Whether ``anyscale cloud verify`` fails with a traceback on a statement that is valid for
    AWS.
    """
    return (
        raw["Effect"] == "Allow"
        and raw.get("Action") == ACTION
        and not isinstance(raw.get("Principal"), dict)
    )


def _present(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    warnings = (*_check_denies(raws, wanted), *_verify_warnings(raws))
    holder = _first(raws, lambda raw: holds(raw, wanted.service))
    if holder is not None:
        return Plan(
            document, document, warnings=warnings, result=_result(document, raws[holder].get("Sid"))
        )

    fixable = _first(raws, lambda raw: _is_ours(raw, wanted.service))
    if fixable is None:
        fixable = _first(raws, lambda raw: _has_action_in_list(raw, wanted.service))
    if fixable is None:
        statement = _statement(free_sid(document, SID), wanted.service)
        raws_after = [*raws, statement]
    else:
        statement = _normalized(raws[fixable], wanted.service)
        raws_after = [*raws[:fixable], statement, *raws[fixable + 1 :]]
    after = with_statements(document, raws_after)
    _refuse_length(document, after, wanted.quota_chars)
    return Plan(
        before=document,
        after=after,
        reasons=_reasons(raws, fixable, wanted.service),
        warnings=(*_condition_warnings(raws, fixable, wanted.service), *warnings),
        result=_result(after, statement.get("Sid")),
    )


def _absent(document: Document, wanted: Wanted) -> Plan:
    raws = statements_of(document)
    rests = [_without_ec2(raw, ec2_services(wanted.partition)) for raw in raws]
    kept = [rest for rest in rests if rest is not None]
    warnings = (
        *_unmanaged_warnings(raws, rests, wanted.service),
        *_wide_statement_warnings(kept, wanted),
    )
    if kept == raws:
        return Plan(document, document, warnings=warnings, result=_result(document, None))
    if not kept:
        raise PolicyError(
            "Only EC2 may assume the role, and a trust policy cannot be empty.",
            "Allow another principal to assume the role first, delete the role, or leave its trust "
            "policy as it is (cloud_iam_manage_trust=false in playbooks).",
        )
    after = with_statements(document, kept)
    return Plan(
        document,
        after,
        reasons=("ec2_trust_present",),
        warnings=warnings,
        result=_result(after, None),
    )


def _result(document: Document, sid: str | None) -> dict[str, t.Any]:
    return {"trust_policy": document, "sid": sid or ""}


def _statement(sid: str, service: str) -> RawStatement:
    return {"Sid": sid, "Effect": "Allow", "Principal": {"Service": service}, "Action": ACTION}


def _normalized(raw: RawStatement, service: str) -> RawStatement:
    """Our statement in its original form; an unmanaged one with only its Action changed to a
    string.
    """
    return _statement(SID, service) if raw.get("Sid") == SID else {**raw, "Action": ACTION}


def _names_ec2(raw: RawStatement, service: str) -> bool:
    principal = raw.get("Principal")
    return isinstance(principal, dict) and service in as_list(principal.get("Service"))


def _has_only_ec2_principal(raw: RawStatement, service: str) -> bool:
    return canonical(raw).principals == frozenset([("Service", service)])


def _is_ours(raw: RawStatement, service: str) -> bool:
    """A statement with our Sid is not ours if another writer has added a principal or an action,
    which must be kept.
    """
    return (
        raw.get("Sid") == SID
        and raw["Effect"] == "Allow"
        and _has_only_ec2_principal(raw, service)
        and (canonical(raw).actions or frozenset()) <= {ACTION.lower()}
        and "NotAction" not in raw
    )


def _has_action_in_list(raw: RawStatement, service: str) -> bool:
    return (
        raw["Effect"] == "Allow"
        and not raw.get("Condition")
        and _has_only_ec2_principal(raw, service)
        and isinstance(raw.get("Action"), list)
        and canonical(raw).actions == frozenset([ACTION.lower()])
    )


def _without_ec2(raw: RawStatement, services: frozenset[str]) -> RawStatement | None:
    allows = raw["Effect"] == "Allow" and canonical(raw).includes_action(ACTION)
    return without_principals(raw, "Service", services.__contains__) if allows else raw


def _reasons(raws: list[RawStatement], fixable: int | None, service: str) -> tuple[str, ...]:
    if fixable is not None:
        return (
            ("statement_differs",) if raws[fixable].get("Sid") == SID else ("action_not_a_string",)
        )
    allowing = [raw for raw in raws if allows(raw, service)]
    reasons = []
    if any(raw.get("Condition") for raw in allowing):
        reasons.append("ec2_trust_conditional")
    if any(not raw.get("Condition") for raw in allowing):
        reasons.append("action_not_a_string")
    return tuple(reasons) or ("ec2_trust_missing",)


def _check_denies(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Raise if a Deny statement denies EC2 the role; warn if it may do so."""
    warnings = []
    for index, raw in enumerate(raws):
        verdict = denies(raw, wanted.partition, wanted.now)
        where = describe_statement(raw, index)
        if verdict:
            raise RefusedError(
                f"{where} of the trust policy denies EC2 the role, which overrides every Allow.",
                "Remove that statement, or add a Condition that excludes EC2, and run again.",
                statement=raw,
            )
        if verdict is None:
            warnings.append(f"{where} may deny EC2 the role, depending on {_what_decides(raw)}")
    return tuple(warnings)


def _what_decides(raw: RawStatement) -> str:
    if raw.get("Condition"):
        return f"its Condition. Condition: {compact_json(raw['Condition'])}"
    return "the name by which EC2 asks for it. Exclude EC2 from that statement by all its names."


def _refuse_length(before: Document, after: Document, quota_chars: int) -> None:
    """Raise if the policy would be too long: known before the write. A live one that is as long shows
    that the account's quota is higher.
    """
    length = length_of(after)
    if length > quota_chars and length > length_of(before):
        raise RefusedError(
            f"The trust policy would have {length} characters without white space; the quota is "
            f"{quota_chars}.",
            "Remove statements that are no longer needed, or request an increase of the quota "
            f"'Role trust policy length' in Service Quotas and set {option('quota_chars')} to it.",
            length=length,
            quota_chars=quota_chars,
        )


def _condition_warnings(
    raws: list[RawStatement], fixable: int | None, service: str
) -> tuple[str, ...]:
    """Warn of each Condition on EC2's trust: the one in our statement is removed, those in
    unmanaged statements stay.
    """
    unmanaged = "a statement without one is added, by which EC2 may assume the role in any case"
    return tuple(
        f"{describe_statement(raw, index)} allows EC2 only under a Condition, and Anyscale asks for "
        f"EC2's trust without one: {'the Condition is removed' if index == fixable else unmanaged}. "
        "To keep EC2's trust conditional, leave the trust policy as it is "
        f"(cloud_iam_manage_trust=false in playbooks). Condition: {compact_json(raw['Condition'])}"
        for index, raw in enumerate(raws)
        if raw.get("Condition") and (index == fixable or allows(raw, service))
    )


def _unmanaged_warnings(
    raws: list[RawStatement], rests: list[RawStatement | None], service: str
) -> tuple[str, ...]:
    """Warn of each unmanaged statement that loses EC2: its owner does not expect it."""
    return tuple(
        f"{describe_statement(raw, index)} is not one that this collection adds. It lets EC2 assume "
        "the role, so EC2 is removed from it too."
        for index, (raw, rest) in enumerate(zip(raws, rests, strict=True))
        if rest != raw and not _is_ours(raw, service)
    )


def _wide_statement_warnings(raws: list[RawStatement], wanted: Wanted) -> tuple[str, ...]:
    """Warn of statements that may allow EC2 the role without naming it: there it cannot be removed."""
    named = [(describe_statement(raw, index), canonical(raw)) for index, raw in enumerate(raws)]
    return tuple(
        f"{where} may still allow EC2 to assume the role, since its Principal names more than "
        "single services. Narrow that statement if EC2 must not."
        for where, statement in named
        if statement.effect == "Allow"
        and statement.includes_action(ACTION)
        and _applies_to_ec2(statement, wanted.partition, wanted.now) is not False
    )


def _verify_warnings(raws: list[RawStatement]) -> tuple[str, ...]:
    """Warn of statements that are valid for AWS but make ``anyscale cloud verify`` fail with a
    traceback.
    """
    return tuple(
        f"{describe_statement(raw, index)} is valid, but 'anyscale cloud verify' of release 0.26 "
        "fails on it with a traceback, because it expects a Principal that is a JSON object."
        for index, raw in enumerate(raws)
        if breaks_anyscale_verify(raw)
    )


def _first(raws: list[RawStatement], wanted: t.Callable[[RawStatement], bool]) -> int | None:
    return next((index for index, raw in enumerate(raws) if wanted(raw)), None)

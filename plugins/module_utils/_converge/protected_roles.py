# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles that no cluster may run with, since every user of the cluster would have their
permissions.

This module util is private to the collection. Pure. Any member of an Anyscale organization can
register any role for a cloud, so that a role is judged by what it is, not by who names it.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    parse_arn,
    partition_of,
    role_identity,
    role_name_of,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError, option
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import are_met
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
)

_SET_ROLE = f"Set {option('role')} to a role that is for clusters alone."
# By the path that AWS gives them, and by the beginning of their names, for roles given by name.
_RESERVED_PATHS = {
    "/aws-service-role/": "a service-linked role: only its AWS service may use and change it",
    "/aws-reserved/": "a role that is reserved for AWS, such as one of IAM Identity Center",
}
_RESERVED_NAMES = {
    "awsservicerolefor": _RESERVED_PATHS["/aws-service-role/"],
    "awsreservedsso_": _RESERVED_PATHS["/aws-reserved/"],
}
# Each of these, on any resource of its kind, is enough to get every permission in the account.
# The kinds are those of ARNs: https://docs.aws.amazon.com/service-authorization/latest/reference/
_ADMINISTRATOR_ACTIONS = {
    "iam:AttachRolePolicy": "role",
    "iam:PutRolePolicy": "role",
    "iam:UpdateAssumeRolePolicy": "role",
    "iam:AttachUserPolicy": "user",
    "iam:PutUserPolicy": "user",
    "iam:CreateAccessKey": "user",
    "iam:CreateLoginProfile": "user",
    "iam:UpdateLoginProfile": "user",
    "iam:AddUserToGroup": "group",
    "iam:AttachGroupPolicy": "group",
    "iam:PutGroupPolicy": "group",
    "iam:CreatePolicyVersion": "policy",
    "iam:SetDefaultPolicyVersion": "policy",
}
# Each of these is enough on the role itself, or on a policy that is attached to it.
_ITSELF = ("iam:AttachRolePolicy", "iam:PutRolePolicy")
_ITS_POLICY = ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")
_ASSUME = "sts:AssumeRole"
# Names that have nothing in common: a pattern that matches both matches any.
_ANY_NAMES = ("q7Zx0", "W-k_3m.e4")
_ACCOUNT_DIGITS = 12
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def refuse_reserved(role_arn: str) -> None:
    """Raise if the role belongs to AWS, which lets nobody change it. A role's name is enough."""
    path, name = role_path_of(role_arn), role_name_of(role_arn).lower()
    kinds = [kind for prefix, kind in _RESERVED_PATHS.items() if path.startswith(prefix)]
    kinds += [kind for prefix, kind in _RESERVED_NAMES.items() if name.startswith(prefix)]
    if kinds:
        raise RefusedError(f"{role_arn} is {kinds[0]}.", _SET_ROLE)


def refuse_own(role_arn: str, own_arns: t.Iterable[str]) -> None:
    """Raise if it is a role that a run uses itself, to converge or to assume a role.

    own_arns: of roles, and of callers, which may be sessions of roles.
    """
    for own_arn in own_arns:
        own_role = _role_arn_of(own_arn)
        if own_role and _identity(own_role) == _identity(role_arn):
            raise RefusedError(
                f"{role_arn} is the role of this run itself ({own_arn}), which it never changes: each "
                "cluster with it could change every account that the run can change.",
                _SET_ROLE,
            )


def refuse_control_plane(role_arn: str, control_plane_arns: t.Iterable[str]) -> None:
    """Raise if Anyscale assumes the role to launch clusters."""
    if _identity(role_arn) in map(_identity, control_plane_arns):
        raise RefusedError(
            f"{role_arn} is a control-plane role: Anyscale assumes it to launch clusters. Each "
            "cluster with it could launch and stop those of every cloud of the role.",
            _SET_ROLE,
        )


def refuse_administrator(role_arn: str, why: str) -> None:
    """Raise if there is a reason why the role has permissions like an administrator's."""
    if why:
        raise RefusedError(
            f"{role_arn} has permissions like an administrator's: {why}. Every user of a cluster "
            "with it would have them too.",
            f"{_SET_ROLE} If clusters are meant to have these permissions, set "
            f"{option('allow_privileged')} to true.",
        )


@dataclasses.dataclass(frozen=True)
class Judged:
    """A role whose policies are judged. policies: the ARNs of the account's policies that are
    attached to it. own_arns: of the roles and the callers of the run. now: from when on clusters run
    with it, in seconds since 1970, by which dates in conditions are judged.
    """

    role_arn: str
    policies: tuple[str, ...] = ()
    own_arns: tuple[str, ...] = ()
    now: float = 0.0

    def escalations(self, raw: RawStatement) -> t.Iterator[tuple[str, list[str], str]]:
        """What could give the role every permission by a statement: an action, the ARNs that the
        statement must include all of, and what they are.
        """
        partition, account_id = partition_of(self.role_arn), account_of(self.role_arn)
        for account in (account_id, *_accounts_in(raw)):
            yield _ASSUME, _any_of("role", partition, account), "any role of an account"
        for action, kind in _ADMINISTRATOR_ACTIONS.items():
            yield action, _any_of(kind, partition, account_id), f"any {kind}"
        for action in _ITSELF:
            yield action, [self.role_arn], "the role itself"
        for action in _ITS_POLICY:
            for arn in self.policies:
                yield action, [arn], f"policy {role_name_of(arn)}, which is attached to it"
        for arn in self.own_arns:
            if role := _role_arn_of(arn):
                yield _ASSUME, [role], f"the role of this run ({role})"

    def certainly_meets(self, raw: RawStatement, action: str, arn: str) -> bool:
        """Whether each request of a cluster for an action on a resource meets the Condition of a
        statement, as it does if the statement has none.
        """
        role = Role(self.role_arn, account_of(self.role_arn))
        context = role.context(self.now, action, account_of(arn))
        return are_met(canonical(raw), context) is True


def administrator_statement(judged: Judged, name: str, document: Document) -> str:
    """Why a role with this policy is like an administrator; empty if it is not: no statement allows
    one of the actions on what is enough, whatever the request.

    A Deny and a permissions boundary are not taken into account: what they leave over is not
    judged here.
    """
    for index, raw in enumerate(statements_of(document)):
        if raw.get("Effect") != "Allow":
            continue
        for action, arns, what in judged.escalations(raw):
            if (
                _includes_action(raw, action.lower())
                and _includes_all(raw, arns)
                and judged.certainly_meets(raw, action, arns[0])
            ):
                where = describe_statement(raw, index)
                return f"{where} of policy {name} allows {action} on {what}"
    return ""


def _includes_action(raw: RawStatement, action: str) -> bool:
    """Whether a statement is about an action, which is in lower case."""
    if "NotAction" in raw:
        return not _matches_one((str(name).lower() for name in as_list(raw["NotAction"])), action)
    return _matches_one((str(name).lower() for name in as_list(raw.get("Action"))), action)


def _includes_all(raw: RawStatement, arns: t.Sequence[str]) -> bool:
    """Whether a statement is about all of these resources. Of two that stand for any, it may except
    one: a few exceptions change nothing.
    """
    if "NotResource" in raw:
        return not all(_matches_one(as_list(raw["NotResource"]), arn) for arn in arns)
    patterns = [_without_variables(str(pattern)) for pattern in as_list(raw.get("Resource"))]
    return all(_matches_one(patterns, arn) for arn in arns)


def _matches_one(patterns: t.Iterable[t.Any], text: str) -> bool:
    return any(matches_pattern(str(pattern), text) for pattern in patterns)


def _accounts_in(raw: RawStatement) -> t.Iterator[str]:
    """An account for each of the patterns of a statement that matches some accounts, and one that no
    pattern names.
    """
    yield "0" * _ACCOUNT_DIGITS
    for pattern in as_list(raw.get("Resource")):
        fields = str(pattern).split(":")
        start, star, end = (fields[4] if len(fields) > 4 else "").replace("?", "0").partition("*")
        end = end.replace("*", "")
        missing = _ACCOUNT_DIGITS - len(start) - len(end)
        yield f"{start}{'0' * missing if star else ''}{end}"


def _any_of(kind: str, partition: str, account_id: str) -> list[str]:
    """ARNs of resources of a kind in an account that have no more in common than that."""
    return [f"arn:{partition}:iam::{account_id}:{kind}/{name}" for name in _ANY_NAMES]


def _without_variables(pattern: str) -> str:
    """A pattern with a star for each policy variable, which may have any value."""
    return _VARIABLE.sub("*", pattern)


def _identity(role_arn: str) -> tuple[str, str]:
    return role_identity(account_of(role_arn), role_arn)


def _role_arn_of(own_arn: str) -> str:
    """The ARN of a role, or of the role whose session a caller is, without its path, which the ARN of
    a session does not have; empty for a user.
    """
    arn = parse_arn(own_arn)
    kind, _slash, name = arn.resource.partition("/") if arn else ("", "", "")
    if arn is None or kind not in ("role", "assumed-role") or not name:
        return ""
    if kind == "role":
        return own_arn
    return f"arn:{arn.partition}:iam::{arn.account_id}:role/{name.partition('/')[0]}"

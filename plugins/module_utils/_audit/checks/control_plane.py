# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on the role that Anyscale assumes to launch clusters: it must be able to pass the
cluster role to EC2.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    ec2_service,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    profiles_with_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    BY_WEIGHT,
    Outcome,
    failed,
    not_applicable,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    ALLOWED,
    CONDITIONAL,
    Action,
    Identity,
    Verdict,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    Values,
    control_plane_context,
)

_PASS_ROLE = "iam:PassRole"
_GET_PROFILE = "iam:GetInstanceProfile"
# Condition keys that say nothing about which role is passed.
_NOT_ABOUT_THE_ROLE = frozenset(
    ("iam:passedtoservice", "aws:requestedregion", "aws:securetransport")
)


def control_plane_pass_role(facts: Facts) -> Outcome:
    """Whether Anyscale can pass the role to EC2; without that, no cluster with the role starts."""
    role_arn = facts.live_role()["Arn"]
    service = ec2_service(partition_of(role_arn))
    return _permission(facts, _pass_role_statement([role_arn]), {"iam:passedtoservice": (service,)})


def control_plane_get_instance_profile(facts: Facts) -> Outcome:
    """Whether Anyscale can read the instance profiles that clusters use, as it does before it
    launches instances with them.
    """
    arns = [profile["Arn"] for profile in profiles_with_role(facts)] or [facts.profile_arn()]
    statement = {
        "Sid": "AnyscaleGetClusterInstanceProfile",
        "Effect": "Allow",
        "Action": _GET_PROFILE,
    }
    outcomes = [_permission(facts, {**statement, "Resource": arn}, {}) for arn in arns]
    return min(outcomes, key=lambda outcome: BY_WEIGHT.index(outcome.status))


def control_plane_pass_role_width(facts: Facts) -> Outcome:
    """Whether a statement lets Anyscale pass every role of the account: each user of the cloud can
    then run as any role that EC2 may assume, by naming it in a compute config.
    """
    arn, identity = facts.control_plane_arn.get(), facts.control_plane.get()
    if identity is None:
        raise not_applicable(f"Role {arn} does not exist.")
    every_role = f"arn:{partition_of(arn)}:iam::{account_of(arn)}:role/*"
    wide = [
        (f"{describe_statement(raw, index)} of policy {policy.name}", raw)
        for policy in identity.policies
        for index, raw in enumerate(statements_of(policy.document))
        if _passes(raw, "Allow", every_role)
    ]
    if not wide or _is_narrowed(identity, every_role):
        return passed(f"{arn} can pass the roles that its policies name, and no others.")
    where, raw = wide[0]
    roles = sorted({facts.live_role()["Arn"], *_default_role_arn(facts)})
    statement = _pass_role_statement(roles)
    return warned(
        f"{where} lets {arn} pass every role of the account: any user of the cloud can run as any "
        "role that EC2 may assume. Use the statement in the remedy instead, with the role of each "
        "cloud that this role launches clusters for.",
        _json.dumps(statement, indent=2),
        statement=raw,
        statement_to_use=statement,
    )


def _passes(raw: RawStatement, effect: str, every_role: str) -> bool:
    """Whether a statement is about passing every role, whatever the service: its other conditions,
    such as one on a role's tags, narrow it.
    """
    statement = canonical(raw)
    return (
        statement.effect == effect
        and statement.includes_action(_PASS_ROLE)
        and statement.includes_resource(every_role)
        and all(key in _NOT_ABOUT_THE_ROLE for _operator, key, _values in statement.conditions)
    )


def _is_narrowed(identity: Identity, every_role: str) -> bool:
    """Whether a Deny names the roles that are excepted from it, or the boundary names those that
    may be passed.
    """
    denies = (raw for policy in identity.policies for raw in statements_of(policy.document))
    boundary = statements_of(identity.boundary.document) if identity.boundary else None
    return any(
        raw["Effect"] == "Deny"
        and canonical(raw).includes_action(_PASS_ROLE)
        and (_passes(raw, "Deny", every_role) or "NotResource" in raw)
        for raw in denies
    ) or (boundary is not None and not any(_passes(raw, "Allow", every_role) for raw in boundary))


def _default_role_arn(facts: Facts) -> tuple[str, ...]:
    return (facts.default_role.get().arn,) if facts.default_role.is_known else ()


def _pass_role_statement(role_arns: list[str]) -> RawStatement:
    service = ec2_service(partition_of(role_arns[0]))
    return {
        "Sid": "AnyscalePassClusterRole",
        "Effect": "Allow",
        "Action": _PASS_ROLE,
        "Resource": role_arns[0] if len(role_arns) == 1 else role_arns,
        "Condition": {"StringEquals": {"iam:PassedToService": service}},
    }


def _permission(facts: Facts, statement: RawStatement, known: t.Mapping[str, Values]) -> Outcome:
    """Whether the control-plane role has the permission of a statement; where it has not, the
    statement is the remedy.
    """
    arn, identity = facts.control_plane_arn.get(), facts.control_plane.get()
    if identity is None:
        return failed(
            f"Role {arn}, which is registered as the cloud's control-plane role, does not exist.",
            "Create it, or register the cloud with another one.",
        )
    resource = statement["Resource"]
    context = control_plane_context(arn, account_of(resource), "iam", facts.now)
    action = Action(statement["Action"], resource, context.with_values(known))
    verdict = judge(identity, action)
    evidence: dict[str, t.Any] = {
        "control_plane_role": arn,
        "action": action.name,
        "resource": action.resource,
        "answer": verdict.answer,
        "statements": [
            {"policy": place.policy_name, "statement": place.raw} for place in verdict.statements
        ],
    }
    what = f"{action.name} on {action.resource}"
    if verdict.answer == ALLOWED:
        return passed(f"{arn} is allowed {what}.", **evidence)
    if verdict.answer == CONDITIONAL:
        uncertain = next(place for place in verdict.statements if place.applies is None)
        return warned(
            f"Whether {arn} is allowed {what} depends on a condition or a variable: {uncertain}.",
            **evidence,
        )
    return _denied(arn, what, verdict, statement, evidence)


def _denied(
    arn: str, what: str, verdict: Verdict, statement: RawStatement, evidence: dict[str, t.Any]
) -> Outcome:
    """A statement that denies must be changed. Else one that allows must be added: to the boundary,
    where that is what does not allow it.
    """
    if verdict.denying:
        place = verdict.denying[0]
        return failed(
            f"{place} denies {arn} {what}, which overrides every Allow.",
            "Exclude the role, or the resource, from that statement.",
            **evidence,
        )
    where = "its permissions boundary" if verdict.by_boundary else "a policy of the role"
    return failed(
        f"{arn} is not allowed {what}: clusters do not start. Add the statement in the remedy to "
        f"{where}.",
        _json.dumps(statement, indent=2),
        **evidence,
        statement_to_add=statement,
        add_to="permissions_boundary" if verdict.by_boundary else "policy",
    )

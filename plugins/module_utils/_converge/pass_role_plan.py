# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan an inline policy of a control-plane role so that Anyscale may (or no longer may) pass roles to
EC2 and read their instance profiles.

This module util is private to the collection. Pure: a document in, a Plan out.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    ec2_service,
    ec2_services,
    parse_arn,
    partition_of,
    role_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    Grant,
    Target,
    grant_all,
    without_resources,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import Document
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    ALLOWED,
    Action,
    Identity,
    Verdict,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    control_plane_context,
)

POLICY_NAME = "AnyscalePassRole"
PASS_SID, PROFILE_SID = "AnyscalePassRole", "AnyscaleGetInstanceProfile"
_MISSING, _PRESENT = "pass_role_missing", "pass_role_present"
PASS_ROLE, GET_PROFILE = "iam:PassRole", "iam:GetInstanceProfile"

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a control-plane role is to be allowed: roles and profiles, by their ARNs."""

    roles: tuple[str, ...]
    profiles: tuple[str, ...]
    now: float = 0.0

    def actions(self, role_arn: str) -> list[Action]:
        """The requests of the control-plane role."""
        context = control_plane_context(role_arn, account_of(role_arn), "iam", self.now)
        to_ec2 = context.with_values(
            {"iam:passedtoservice": (ec2_service(partition_of(role_arn)),)}
        )
        return [
            *(Action(PASS_ROLE, arn, to_ec2) for arn in self.roles),
            *(Action(GET_PROFILE, arn, context) for arn in self.profiles),
        ]


def allow(
    document: Document,
    wanted: Wanted,
    own: t.Callable[[Document], Identity],
    target: Target,
) -> Plan:
    """Plan the policy so that the role is allowed it all. What its other policies allow needs no
    statement.

    own: all policies of the role, with this one as given.
    """
    before = own(document)
    actions = wanted.actions(target.role_arn)
    missing = [action for action in actions if judge(before, action).answer != ALLOWED]
    plan = grant_all(document, _grants(missing, target.role_arn), target)
    after = own(plan.after)
    verdicts = {action.resource: judge(after, action) for action in actions}
    warnings = [
        warning
        for action in actions
        for warning in _check_denied(action, verdicts[action.resource], target.role_arn)
    ]
    granted_by = {
        resource: [str(found) for found in verdict.statements if found.effect == "Allow"]
        for resource, verdict in verdicts.items()
    }
    return dataclasses.replace(
        plan,
        warnings=(*plan.warnings, *dict.fromkeys(warnings)),
        result={**plan.result, "granted_by": granted_by},
    )


def withdraw(document: Document, wanted: Wanted, target: Target) -> Plan:
    """Plan the policy without these roles and profiles in our statements."""
    after = document
    for sid, arns in ((PASS_SID, wanted.roles), (PROFILE_SID, wanted.profiles)):
        after = without_resources(after, sid, _names_one_of(arns))
    plan = grant_all(after, (), target)
    reasons = (_PRESENT,) if after != document else ()
    return dataclasses.replace(
        plan, before=document, reasons=reasons, result={**plan.result, "granted_by": {}}
    )


def _names_one_of(arns: t.Iterable[str]) -> t.Callable[[str], bool]:
    """Whether a resource is one of these, whatever its path is: no two roles, and no two profiles, of
    an account have the same name.
    """
    wanted = {_identity(arn) for arn in arns}
    return lambda resource: parse_arn(resource) is not None and _identity(resource) in wanted


def _identity(arn: str) -> tuple[str, tuple[str, str]]:
    kind = arn.split(":", 5)[-1].partition("/")[0]
    return kind, role_identity(account_of(arn), arn)


def _grants(missing: t.Sequence[Action], role_arn: str) -> list[Grant]:
    """Our statements for what is missing."""
    services = sorted(ec2_services(partition_of(role_arn)))
    to_ec2 = {
        "StringEquals": {
            "iam:PassedToService": services[0] if len(services) == 1 else services,
        }
    }
    roles, profiles = (
        tuple(action.resource for action in missing if action.name == name)
        for name in (PASS_ROLE, GET_PROFILE)
    )
    grants = [
        Grant(PASS_SID, (PASS_ROLE,), roles, to_ec2, reason=_MISSING),
        Grant(PROFILE_SID, (GET_PROFILE,), profiles, reason=_MISSING),
    ]
    return [grant for grant in grants if grant.resources]


def _check_denied(action: Action, verdict: Verdict, role_arn: str) -> t.Iterator[str]:
    """Raise if something denies the role an action that its policies allow; warn if it may do so."""
    what = f"{action.name} on {action.resource}"
    if verdict.denying:
        raise RefusedError(
            f"{verdict.denying[0]} denies {role_arn} {what}, which overrides every Allow.",
            "Exclude the resource from that statement, and run again.",
            statement=verdict.denying[0].raw,
        )
    if verdict.by_boundary:
        raise RefusedError(
            f"The permissions boundary of {role_arn} does not certainly allow {what}.",
            "Allow it in the boundary, and run again.",
        )
    for found in verdict.statements:
        if found.effect == "Deny":
            yield f"{found} may deny {role_arn} {what}, depending on the request."

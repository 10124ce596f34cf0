# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS lets a caller do: operations that a test denies, a caller's policy, and roles that trust
the caller or do not.
"""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import AwsCall
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_callers import Caller
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_permissions import (
    PASS_ROLE,
    permissions_of,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._identity_policies import (
    ALLOW,
    DENY,
    effect,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import Document, as_list

_ASSUME_ROLE = "sts:assumerole"
_EXTERNAL_ID = "sts:ExternalId"
# How AWS's messages call what an operation is about, by the parameter that names it.
_KINDS = {
    "InstanceProfileName": "instance profile",
    "RoleName": "role",
    "UserName": "user",
    "PolicyArn": "policy",
}


def denied(call: AwsCall, caller: Caller) -> Refusal:
    """The refusal of a call that no policy of the caller allows."""
    needed = [permission.action for permission in permissions_of(call)]
    action = needed[0] if needed else f"{call.service}:{call.operation}"
    return _not_allowed(caller, action, _resource(call))


def check_policy(call: AwsCall, caller: Caller, policy: Document) -> None:
    """Refuse a call that takes more than the caller's only policy allows. Policies of buckets and
    keys are not evaluated.
    """
    for permission in permissions_of(call):
        found = effect(policy, permission)
        resource = permission.resource if permission.action == PASS_ROLE else _resource(call)
        if found == DENY:
            raise _not_authorized(
                caller,
                permission.action,
                f"{resource} with an explicit deny in an identity-based policy",
            )
        if found != ALLOW:
            raise _not_allowed(caller, permission.action, resource)


def not_trusted(call: AwsCall, caller: Caller) -> Refusal:
    """The refusal of AssumeRole by a role that does not trust the caller, or does not exist."""
    return _not_authorized(caller, "sts:AssumeRole", call.parameters.get("RoleArn", ""))


def _not_allowed(caller: Caller, action: str, resource: str) -> Refusal:
    return _not_authorized(
        caller, action, f"{resource} because no identity-based policy allows the {action} action"
    )


def _not_authorized(caller: Caller, action: str, resource: str) -> Refusal:
    return Refusal(
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
        "UnauthorizedOperation" if action.startswith("ec2:") else "AccessDenied",
        403,
        f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}",
    )


def _resource(call: AwsCall) -> str:
    if call.service == "s3":
        return f'"arn:aws:s3:::{call.resource or "*"}"'
    for parameter, kind in _KINDS.items():
        if parameter in call.parameters:
            return f"{kind} {call.parameters[parameter]}"
    return call.resource or "*"


def is_trusted(trust: Document | None, caller: Caller, external_id: str | None) -> bool:
    """Whether a bound trust policy lets a caller assume the role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    Of the conditions, only the external id is evaluated; all others count as met.
    """
    statements = as_list((trust or {}).get("Statement", []))
    effects = {
        statement["Effect"] for statement in statements if _applies(statement, caller, external_id)
    }
    return effects == {"Allow"}


def _applies(statement: Document, caller: Caller, external_id: str | None) -> bool:
    demanded = [
        keys[_EXTERNAL_ID]
        for keys in statement.get("Condition", {}).values()
        if _EXTERNAL_ID in keys
    ]
    is_met = all(external_id in as_list(values) for values in demanded)
    return is_met and _includes_assume_role(statement) and _names(statement, caller)


def _includes_assume_role(statement: Document) -> bool:
    actions = as_list(statement.get("Action", statement.get("NotAction")))
    is_listed = any(fnmatch.fnmatchcase(_ASSUME_ROLE, str(action).lower()) for action in actions)
    return is_listed == ("Action" in statement)


def _names(statement: Document, caller: Caller) -> bool:
    principal: t.Any = statement.get("Principal", statement.get("NotPrincipal"))
    values = (
        [value for kind in ("AWS", "Service") for value in as_list(principal.get(kind, []))]
        if isinstance(principal, dict)
        else [principal]
    )
    is_listed = any(value == "*" or value in caller.names for value in values)
    return is_listed == ("Principal" in statement)

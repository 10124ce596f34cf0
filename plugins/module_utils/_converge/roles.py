# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role that a task is about: as the parameters name it, and as IAM has it.

This module util is private to the collection. Roles are never made here: this is about roles that
exist.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    SERVICE_LINKED_ROLE_PATH,
    RoleReference,
    account_of,
    default_role_name,
    parse_role,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)


def wanted_role(params: t.Mapping[str, t.Any], option: str = "role") -> RoleReference:
    """The role that the parameters name, else the default role of the cloud that they name."""
    if params.get(option) is None:
        return RoleReference(default_role_name(params["cloud_id"]))
    role = parse_role(params[option], option)
    refuse_other_account(role, params.get("account_id"), option)
    return role


def refuse_other_account(role: RoleReference, account_id: str | None, option: str) -> None:
    """Raise where a role's ARN is of another account than the cloud's."""
    if account_id and role.account_id and role.account_id != account_id:
        raise InputError(
            f"{option} is {role}, of account {role.account_id}; account_id is {account_id}.",
            "A cluster's role must be in the AWS account of its cloud.",
        )


def live_role(iam: Iam, wanted: RoleReference, account_id: str | None) -> dict[str, t.Any]:
    """The role as ``GetRole`` shows it, which must be the very one that was asked for, in the
    cloud's account.
    """
    role = iam.role(wanted.name)
    where = account_id or wanted.account_id
    if role is None:
        if where:
            refuse_caller(iam.account_id(), where, f"role {wanted.name}")
        raise RefusedError(
            f"Role {wanted.name} does not exist in "
            f"{'account ' + where if where else 'the account of the caller'}.",
            "Make it first, or name the role that the cloud's clusters are to run with.",
        )
    arn = role["Arn"]
    if where:
        refuse_caller(account_of(arn), where, f"role {wanted.name}")
    if wanted.arn is not None and str(wanted.arn) != arn:
        raise RefusedError(
            f"There is no role {wanted}; the role of that name is {arn}.",
            "Check the path in the ARN.",
        )
    return role


def refuse_caller(caller: str, account_id: str, what: str, **details: t.Any) -> None:
    """Raise where the caller's account is another one than that of the cloud and of what its task
    is about.
    """
    if caller != account_id:
        raise RefusedError(
            f"The caller is in account {caller}; {what} and the cloud are in account {account_id}.",
            "Connect to the cloud's account, with assume_role_arn or profile for example.",
            **details,
        )


def refuse_service_linked(role_arn: str) -> None:
    """Raise for a role that only an AWS service may change."""
    if role_path_of(role_arn).startswith(SERVICE_LINKED_ROLE_PATH):
        raise RefusedError(
            f"{role_arn} is a service-linked role: only its AWS service may use and change it.",
            "Name a role of your own.",
        )

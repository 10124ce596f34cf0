# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role of a task: as the parameters name it, and as it exists in IAM.

This module util is private to the collection. Roles are never created.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    default_role_name,
    parse_cloud_id,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    option,
    setting,
)


def wanted_role(
    params: t.Mapping[str, t.Any], registration: t.Callable[[], Registration]
) -> RoleReference:
    """The role that the parameters name, else the default role of their cloud, for which Anyscale
    is asked what is registered.
    """
    if params.get("role") is None:
        cloud_id = parse_cloud_id(params["cloud_id"])
        registered = registration()
        if params.get("account_id"):
            refuse_other_cloud(params["account_id"], cloud_id, registered)
        role = default_role(cloud_id, registered)
        refuse_other_account(role, params.get("account_id"), f"The role of cloud {cloud_id}")
        return role
    role = parse_role(params["role"])
    refuse_other_account(role, params.get("account_id"), "role")
    return role


def default_role(cloud_id: str, registration: Registration) -> RoleReference:
    """The role of a cloud's clusters if a compute config names none: the registered one, else the
    one that Anyscale created.
    """
    if registration.role_arn:
        return parse_role(registration.role_arn, "The cluster_iam_role_id of the cloud at Anyscale")
    if registration.resources and registration.primary is None:
        raise RefusedError(
            f"Cloud {cloud_id} has {len(registration.primaries)} primary resources at Anyscale, so "
            "that its role is not known; there must be exactly one.",
            f"Set {option('role')}, or make one of its resources the default ('anyscale cloud get' "
            "lists them).",
        )
    return RoleReference(default_role_name(cloud_id))


def refuse_other_cloud(account_id: str, cloud_id: str, registration: Registration) -> None:
    """Raise if a cloud is registered in another account than the one that is to be changed for it."""
    if registration.accounts and account_id not in registration.accounts:
        accounts = ", ".join(sorted(registration.accounts))
        raise InputError(
            f"The account of this cloud is {account_id}, but cloud {cloud_id} is registered at "
            f"Anyscale in account {accounts}.",
            f"Fix {option('account_id')} or {option('cloud_id')}: one of them is that of another "
            "cloud.",
        )


def refuse_other_account(role: RoleReference, account_id: str | None, name: str) -> None:
    """Raise if a role's ARN is of another account than the cloud's."""
    if account_id and role.account_id and role.account_id != account_id:
        raise InputError(
            f"{setting(name)} is {role}, which is in account {role.account_id}, but "
            f"{setting('account_id')} is {account_id}.",
            "A cluster's role must be in the AWS account of its cloud.",
        )


def live_role(iam: Iam, wanted: RoleReference, account_id: str | None) -> dict[str, t.Any]:
    """The role as ``GetRole`` returns it. Raises if it is not in the cloud's account, or has
    another path than the wanted ARN.
    """
    role = iam.role(wanted.name)
    where = account_id or wanted.account_id
    named_by = None if account_id else wanted
    if role is None:
        if where:
            refuse_caller(iam.account_id(), where, named_by)
        raise RefusedError(
            f"Role {wanted.name} does not exist in "
            f"{'account ' + where if where else 'the account of the credentials'}.",
            "Create it first, or set the role that the cloud's clusters run with.",
        )
    arn = role["Arn"]
    if where:
        refuse_caller(account_of(arn), where, named_by)
    refuse_other_role(wanted, arn)
    return role


def refuse_other_role(wanted: RoleReference, arn: str) -> None:
    """Raise if the role of that name has another ARN than the wanted one."""
    if wanted.arn is not None and not wanted.is_role(arn):
        raise RefusedError(
            f"There is no role {wanted}; the role of that name is {arn}.",
            "Check the path in the ARN.",
        )


def refuse_other_arn(wanted: RoleReference, arn: str) -> None:
    """Raise if a document that is to name the wanted ARN would not name the role of that name: AWS
    takes no other spelling of its ARN.
    """
    if wanted.arn is not None and arn != str(wanted):
        raise RefusedError(
            f"There is no role {wanted}; the role of that name is {arn}.",
            "Check the path and the case in the ARN.",
        )


def refuse_caller(
    caller: str, account_id: str, named_by: RoleReference | None = None, **details: t.Any
) -> None:
    """Raise if the credentials are for another account than the cloud's.

    named_by: the role whose account that is; ``None`` if the option account_id names it.
    """
    if caller == account_id:
        return
    if named_by is None:
        raise RefusedError(
            f"The credentials are for account {caller}, but {setting('account_id')} of this cloud is "
            f"{account_id}.",
            f"Fix {option('account_id')}, or set {option('assume_role_arn')} to a role in "
            f"{account_id}.",
            **details,
        )
    raise RefusedError(
        f"The credentials are for account {caller}, but role {named_by} is in account "
        f"{account_id}.",
        f"Check the role, or set {option('assume_role_arn')} to a role in {account_id}.",
        **details,
    )

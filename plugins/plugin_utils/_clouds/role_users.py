# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the clouds of a fleet whose clusters may run with a role, and refuse to take a role away from
them.

This plugin util is private to the collection. Pure. A cloud's clusters run with the role that its
variables name, or with its default role where a compute config names none. Roles are compared by
account and name, as IAM compares names; where an account is unknown, by name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    default_role_name,
    folded_role_name,
    parse_arn,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    IAM_MAPPING,
    named_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_set
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_NAMES = (
    "cloud_iam_account_id",
    "cloud_iam_cloud_id",
    "cloud_iam_role",
    "anyscale_default_role_arn",
)
_FURTHER = ("cloud_iam_assign", "cloud_iam_mapping_rules", "cloud_iam_node_group_roles")
VARIABLES = (*_NAMES, *_FURTHER)
_PLAIN = Invocation()


@dataclasses.dataclass(frozen=True)
class CloudRoles:
    """What a host's variables say about the roles of its cloud. Text that is unknown is empty.

    account_id: from the variable, else from the ARN of one of the roles. role: the name of the role
    that clusters are to run with, which is the registered one if the variables name none; further:
    the names of those of single node groups, or of the rules of its Cloud IAM mapping.
    default_roles: the folded names of the roles that clusters may run with if a compute config names
    none: the one that is registered at Anyscale, and the one that Anyscale creates, since what is
    registered may not be known.
    """

    account_id: str = ""
    cloud_id: str = ""
    role: str = ""
    further: tuple[str, ...] = ()
    default_roles: frozenset[str] = frozenset()

    @property
    def roles(self) -> frozenset[str]:
        """The folded names of all roles that its clusters may run with."""
        return self.default_roles | self.revoked

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the roles that lose their access if it is offboarded."""
        return (self.role, *self.further) if self.role else self.further

    @property
    def revoked(self) -> frozenset[str]:
        """The same, to compare them with others."""
        return frozenset(map(folded_role_name, self.named))

    def may_be_in(self, account_id: str) -> bool:
        """Whether it may be in an account. An unknown account may be any."""
        return not self.account_id or account_id in ("", self.account_id)

    def may_run_with(self, account_id: str, role: str) -> bool:
        """Whether its clusters may run with the role of this name in this account."""
        return folded_role_name(role) in self.roles and self.may_be_in(account_id)


def cloud_roles_of(variables: t.Mapping[str, t.Any]) -> CloudRoles:
    """What the variables of a host say. Values that are not valid name no default role."""
    account_id, cloud_id, role, registered = (str(variables.get(name) or "") for name in _NAMES)
    further = named_roles(*map(variables.get, _FURTHER))
    # Where rules name the roles, the cloud's own is not among those that are offboarded.
    is_mapped = variables.get("cloud_iam_assign") == IAM_MAPPING and further
    defaults = [role_name_of(registered)] if registered else []
    with contextlib.suppress(InputError):
        defaults.append(default_role_name(cloud_id))
    arns = filter(None, map(parse_arn, (role, registered)))
    return CloudRoles(
        account_id or next((arn.account_id for arn in arns), ""),
        cloud_id,
        "" if is_mapped else role_name_of(role) if role else next(iter(defaults), ""),
        tuple(map(role_name_of, further)),
        frozenset(map(folded_role_name, defaults)),
    )


def refusals(
    fleet: t.Mapping[str, CloudRoles],
    selected: t.Collection[str],
    *,
    default_role: t.Collection[str],
    shared_role: t.Collection[str],
    invocation: Invocation = _PLAIN,
) -> dict[str, str]:
    """The selected hosts that must not be offboarded, each with a message for the operator of the
    playbook offboard.

    fleet: all clouds that are known, among them the selected ones. default_role, shared_role:
    the hosts for which the operator gives up also the cloud's default role, and a role that other
    clouds need, so that no cloud that somebody registers can keep a role for ever.
    """
    needs = _needs_after(fleet, selected, default_role)

    @functools.cache  # a role that a whole fleet shares is looked up once, not once for each cloud
    def users(account_id: str, role: str) -> list[str]:
        return [user for user in needs.get(role, ()) if fleet[user].may_be_in(account_id)]

    messages = {}
    for name in selected:
        cloud = fleet[name]
        refusal = "" if name in default_role else _default_role_refusal(cloud, invocation)
        if not refusal and name not in shared_role:
            # The cloud itself is not among the users: it would need the role as its default role.
            refusal = next(
                (
                    _shared_role_refusal(role, found, invocation)
                    for role in cloud.named
                    if (found := users(cloud.account_id, folded_role_name(role)))
                ),
                "",
            )
        if refusal:
            messages[name] = refusal
    return messages


def _needs_after(
    fleet: t.Mapping[str, CloudRoles], selected: t.Collection[str], default_role: t.Collection[str]
) -> dict[str, list[str]]:
    """The hosts that need the role of a name once the selected ones are offboarded.

    A selected cloud loses the roles that its variables name. It needs its default roles all the
    same: one of these is lost only on request.
    """
    chosen = frozenset(selected)
    needs: dict[str, list[str]] = {}
    for name, cloud in fleet.items():
        roles = cloud.roles
        if name in chosen:
            roles = cloud.default_roles - (cloud.revoked if name in default_role else frozenset())
        for role in roles:
            needs.setdefault(role, []).append(name)
    return needs


def _default_role_refusal(cloud: CloudRoles, invocation: Invocation) -> str:
    """Why a role must not be taken from the cloud itself, else nothing."""
    allow = how_to_set("offboard_default_role", invocation)
    if cloud.named and not cloud.default_roles:
        return (
            f"Whether {summarize_names(cloud.named)} is the default role of this cloud is unknown, "
            f"because cloud_iam_cloud_id is not set to a cloud's ID. Set it, or {allow}."
        )
    default = [role for role in cloud.named if folded_role_name(role) in cloud.default_roles]
    if not default:
        return ""
    which = f"cloud {cloud.cloud_id}" if cloud.cloud_id else "this cloud"
    return (
        f"{default[0]} is the default role of {which}: without it, none of the cloud's clusters "
        f"would start. Set cloud_iam_role to another role, or {allow}."
    )


def _shared_role_refusal(role: str, users: t.Sequence[str], invocation: Invocation) -> str:
    """Why a role must not be taken from other clouds."""
    return (
        f"{role} is also a role of {summarize_names(users)}, according to the inventory. "
        "Clusters of these clouds would lose their access. To offboard these clouds as well, "
        "select them too. If they are in another account, set their cloud_iam_account_id. To "
        f"offboard the role all the same, {how_to_set('offboard_shared_role', invocation)}."
    )

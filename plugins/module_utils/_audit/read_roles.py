# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the further roles that clusters of a cloud may run with: those that the operator's variables
name, and those of the live rules of the Cloud IAM mapping.

This module util is private to the collection. I/O only, and never a call that writes. What a live
rule names is text that any owner of the organization may have written: it is read by its name in
the cloud's account, and permits nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
    parse_instance_profile,
    parse_role,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import FurtherRole
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    fact,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_aws import CloudReader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    roles_of_groups,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile_plan import (
    held_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

# The facts on the role to check.
ROLE_FACTS = (
    "role_wanted",
    "role",
    "trust",
    "identity",
    "boundary",
    "profile_name",
    "profile",
    "role_profiles",
)
# How many roles of live rules are read: whoever writes rules decides how many there are.
_MOST_LIVE_ROLES = 50


@dataclasses.dataclass
class _Named:
    """A role by its name or ARN, what names it, and the instance profile that clusters use."""

    role: str
    profile_name: str
    named_by: list[str]
    is_wanted: bool


class _RoleReader(CloudReader):
    """Reads a further role, and has all else as the cloud's reader has read it."""

    def __init__(self, cloud: CloudReader, named: _Named) -> None:  # pylint: disable=super-init-not-called
        vars(self).update(
            {name: value for name, value in vars(cloud).items() if name not in ROLE_FACTS}
        )
        self.params = {
            **cloud.params,
            "role": named.role,
            "instance_profile": named.profile_name,
        }


def read_further_roles(
    cloud: CloudReader, names: t.Collection[str] = ROLE_FACTS, live: bool = True
) -> tuple[FurtherRole, ...]:
    """The further roles with what was read of them: the facts of these names. Without ``live``, only
    those that the operator's variables name.
    """
    if cloud.elsewhere:
        return ()
    own = cloud.role_wanted.value
    found: dict[str, _Named] = {}
    for named in (*_wanted(cloud.params), *(_live(cloud) if live else ())):
        key = folded_role_name(named.role)
        if own is not None and key == folded_role_name(own.name):
            continue
        known = found.setdefault(key, named)
        if known is not named:
            known.named_by += named.named_by
    by_rules = [key for key, named in found.items() if not named.is_wanted]
    unread = set(by_rules[_MOST_LIVE_ROLES:])
    return tuple(
        _further_role(cloud, named, names, is_read=key not in unread)
        for key, named in found.items()
    )


def _wanted(params: t.Mapping[str, t.Any]) -> t.Iterator[_Named]:
    """The roles that the operator's variables name."""
    of_groups = roles_of_groups(params)
    for group, role in of_groups.items():
        yield _Named(str(role), role.name, [f"node group {group}"], is_wanted=True)
    for text in params.get("further_roles") or []:
        role = parse_role(text, "further_roles")
        if role not in of_groups.values():
            yield _Named(
                str(role), role.name, ["further_roles or cloud_iam_mapping_rules"], is_wanted=True
            )


def _live(cloud: CloudReader) -> t.Iterator[_Named]:
    """The roles that rules of the Cloud IAM mapping lead to: a rule names an instance profile, which
    usually has the name of its role. A value that is no name leads to none.
    """
    seen: dict[str, str] = {}
    for mapping in cloud.mappings.value or []:
        for number, rule in enumerate(mapping["rules"], 1):
            value = rule.get("value")
            try:
                name = parse_instance_profile(value if isinstance(value, str) else "")
            except InputError:
                continue
            if name not in seen:
                is_read = len(seen) < _MOST_LIVE_ROLES
                seen[name] = _role_in(cloud, name) if is_read else name
            named_by = f"rule {number} of the Cloud IAM mapping of {mapping.get('resource')}"
            yield _Named(seen[name], name, [named_by], is_wanted=False)


def _role_in(cloud: CloudReader, profile_name: str) -> str:
    """The role in a profile of the cloud's account; where there is none, or it could not be read,
    the role of the same name.
    """
    if cloud.cloud_account.value not in (None, cloud.account_id):
        return profile_name
    held = held_role(fact(lambda: cloud.instance_profile(profile_name)).value)
    return role_name_of(held) if held else profile_name


def _further_role(
    cloud: CloudReader, named: _Named, names: t.Collection[str], is_read: bool
) -> FurtherRole:
    reader = _RoleReader(cloud, named)
    obstacle = unknown(
        f"Cloud IAM mapping names more than {_MOST_LIVE_ROLES} other roles, and only those of its "
        "first rules are read.",
        "Check these roles with cloud_iam_info, each as the role of the cloud.",
    )
    facts = {
        name: getattr(reader, name) if is_read else Fact[t.Any](obstacle=obstacle) for name in names
    }
    return FurtherRole(role_name_of(named.role), tuple(named.named_by), named.is_wanted, facts)

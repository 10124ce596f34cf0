# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds that are offboarded with the same role: as long as one of them needs it, it keeps what it has.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
    parse_account_id,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names


def refuse_with_others_of_role(
    clouds: t.Collection[Cloud], refused: t.Container[Cloud] | None = None
) -> list[Cloud]:
    """Refuse to revoke the access of a role that is also that of a refused cloud: the clusters of
    that cloud, which is to be left as it is, would lose it too. Returns all that are refused then.

    refused: those that count as refused; else those that have failed.
    """
    found = dict.fromkeys(
        cloud for cloud in clouds if (cloud.error if refused is None else cloud in refused)
    )
    left = _shared_roles(clouds)
    while hit := [one for one in left if any(cloud in found for cloud in one[1])]:
        for name, sharing in hit:
            names = summarize_names([cloud.name for cloud in sharing if cloud in found])
            message = f"Role {name} is also that of {names}, which cannot be offboarded."
            remedy = (
                f"Correct that first. To offboard the role all the same, leave {names} out of the run, "
                "and set offboard_shared_role=true for this cloud."
            )
            _refuse(sharing, RefusedError(message, remedy))
            found |= dict.fromkeys(sharing)
        left = [one for one in left if one not in hit]  # a cloud may have several roles
    return list(found)


def refuse_left_to_tasks(clouds: t.Collection[Cloud], obstacles: t.Mapping[str, str]) -> None:
    """Refuse the clouds that share a role with one that is left to tasks of its own: these come after
    the engine's clouds, each for itself, so that nothing keeps the role if one of them fails.

    obstacles: why clouds are left to tasks.
    """
    for name, sharing in _shared_roles(clouds):
        left = [cloud.name for cloud in sharing if cloud.name in obstacles]
        if left:
            names = summarize_names([cloud.name for cloud in sharing])
            message = (
                f"Role {name} is that of {names}. They can be offboarded only together, and the "
                f"engine leaves {summarize_names(left)} to tasks, because {obstacles[left[0]]}."
            )
            remedy = (
                "Correct that, or offboard them one after the other: each in a run of its own, with "
                "offboard_shared_role=true."
            )
            _refuse(sharing, RefusedError(message, remedy))


def groups_by_role(clouds: t.Collection[Cloud]) -> list[list[Cloud]]:
    """The clouds that share a role, also by way of others that have several."""
    group_of: dict[Cloud, list[Cloud]] = {}
    for _name, sharing in _shared_roles(clouds):
        joined = list(
            dict.fromkeys(one for cloud in sharing for one in group_of.get(cloud, [cloud]))
        )
        group_of |= dict.fromkeys(joined, joined)
    return list({id(group): group for group in group_of.values()}.values())


def _refuse(clouds: t.Iterable[Cloud], error: RefusedError) -> None:
    for cloud in clouds:
        cloud.error = cloud.error or error


def _shared_roles(clouds: t.Iterable[Cloud]) -> list[tuple[str, list[Cloud]]]:
    """The roles that several clouds are to lose, by name, each with these clouds. Where the account of
    a cloud is not known, it may be any.
    """
    by_name: dict[str, dict[str, dict[Cloud, None]]] = {}
    for cloud in clouds:
        for role in cloud.revoked_roles:
            accounts = by_name.setdefault(folded_role_name(role), {})
            accounts.setdefault(_account_of(cloud), {})[cloud] = None
    found = []
    for name, accounts in by_name.items():
        anywhere = accounts.pop("", {})
        found += [(name, [*sharing, *anywhere]) for sharing in accounts.values() or [{}]]
    return [(name, sharing) for name, sharing in found if len(sharing) > 1]


def _account_of(cloud: Cloud) -> str:
    """The account of a cloud; empty for one whose variables name none that is valid."""
    with contextlib.suppress(InputError):
        return parse_account_id(cloud.settings.account_id)
    return ""

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollback keeps of the runs that it rolls back: instance profiles, and their roles.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    instance_profile_name_of,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    INSTANCE_PROFILE,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names


def kept_profiles(
    backups: t.Iterable[Backup], clouds: t.Collection[str] | None = None
) -> list[dict[str, t.Any]]:
    """The instance profiles that runs created, and the roles that they put into existing ones, by
    account and name, each with the IDs of the clouds that the records name.

    clouds: the IDs of the only clouds that are rolled back; a record without clouds may be of any.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    for one in backups:
        if one.kind == INSTANCE_PROFILE and (
            clouds is None or not one.clouds or set(one.clouds) & set(clouds)
        ):
            found.setdefault((one.account_id, _text(one)), {}).update(dict.fromkeys(one.clouds))
    return [{"resource": key[1], "clouds": list(of)} for key, of in sorted(found.items())]


def kept_of(
    kept: t.Iterable[t.Mapping[str, t.Any]], not_rolled_back: t.Collection[str]
) -> list[str]:
    """What is kept, without that of clouds that were not rolled back, by their IDs: nothing was done
    to these.
    """
    return [
        one["resource"]
        for one in kept
        if not one["clouds"] or not set(one["clouds"]) <= set(not_rolled_back)
    ]


def kept_line(kept: t.Sequence[str]) -> str:
    """What the operator reads at the end of the rollback; empty if nothing is kept."""
    return f"Kept, as instances may be using it: {summarize_names(kept)}." if kept else ""


def _text(record: Backup) -> str:
    profile = instance_profile_name_of(record.target["instance_profile_arn"])
    role = parse_role(record.after["role_arn"]).name
    if record.before is None:
        return f"instance profile {profile} with role {role} in account {record.account_id}"
    return f"role {role} in instance profile {profile} in account {record.account_id}"

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
) -> list[str]:
    """The instance profiles that runs created, and the roles that they put into existing ones, by
    account and name.

    clouds: the IDs of the only clouds that are rolled back; a record without clouds may be of any.
    """
    records = (one for one in backups if one.kind == INSTANCE_PROFILE)
    found = [
        (one.account_id, _text(one))
        for one in records
        if clouds is None or not one.clouds or set(one.clouds) & set(clouds)
    ]
    return list(dict.fromkeys(text for _account, text in sorted(found)))


def kept_line(kept: t.Sequence[str]) -> str:
    """What the operator reads at the end of the rollback; empty if nothing is kept."""
    return f"Kept, as instances may be using it: {summarize_names(kept)}." if kept else ""


def _text(record: Backup) -> str:
    profile = instance_profile_name_of(record.target["instance_profile_arn"])
    role = parse_role(record.after["role_arn"]).name
    if record.before is None:
        return f"instance profile {profile} with role {role} in account {record.account_id}"
    return f"role {role} in instance profile {profile} in account {record.account_id}"

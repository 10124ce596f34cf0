# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a change is one that a run of this collection made.

This plugin util is private to the collection. Pure. A user agent and the name of a session are the
caller's choice, and tell nothing.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    Change,
    identity_of,
)


def is_own(change: Change, recorded: t.Mapping[str, str], allowed: t.Collection[str]) -> bool:
    """Whether the request is in the record of the runs, made by the caller that the event names, and
    that caller is one that runs act as.

    recorded: by the ID of the request, the ARN of the caller, from the signed record. allowed: the
    ARNs of the roles or users that runs act as; with none, the record alone tells.
    """
    caller = recorded.get(change.request_id) if change.request_id else None
    if not caller or not change.principal:
        return False
    identity = identity_of(change.principal)
    return identity == identity_of(caller) and (
        not allowed or identity in {identity_of(arn) for arn in allowed}
    )

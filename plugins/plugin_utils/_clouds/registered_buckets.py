# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the bucket that a cloud's variables name is the one that is registered for it at Anyscale.

This plugin util is private to the collection. Pure. Another bucket is no error: a role may be given
access to a bucket of the operator's own. Nor is the bucket of another cloud: else any member of an
organization could have a cloud refused, by registering its bucket for another one.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

VARIABLE = "anyscale_bucket"


class RegisteredBuckets:
    """The buckets that are registered for the hosts of an inventory, as far as it was read from
    Anyscale.
    """

    def __init__(self, read_hosts: t.Callable[[], t.Mapping[str, t.Mapping[str, t.Any]]]) -> None:
        """read_hosts: returns the variables of each. Few runs need those of all."""
        self._read_hosts = read_hosts

    @functools.cached_property
    def _users(self) -> dict[str, list[str]]:
        """The hosts that each bucket is registered for."""
        users: dict[str, list[str]] = {}
        for name, variables in self._read_hosts().items():
            bucket = variables.get(VARIABLE)
            if isinstance(bucket, str):
                users.setdefault(bucket, []).append(name)
        return users

    def notice(self, settings: CloudSettings, registered: t.Any) -> str:
        """What the operator is told of the bucket that a cloud's variables name; empty where it is
        the registered one, or where that is not known.
        """
        named = name_of(settings.bucket) if settings.manage_bucket_access else None
        if not isinstance(registered, str) or named in (None, registered):
            return ""
        others = sorted(self._users.get(str(named), ()))
        whose = f", the bucket registered for {summarize_names(others)}" if others else ""
        return (
            f"cloud_iam_bucket is {named}{whose}; the bucket registered for this cloud at Anyscale "
            f"is {registered}. Correct cloud_iam_bucket, unless the role is meant to use {named}."
        )


def name_of(bucket: str | None) -> str | None:
    """The name of a bucket; none where it has none, which is another error."""
    try:
        return parse_bucket(bucket) if bucket else None
    except InputError:
        return None

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clouds of an inventory a change touches.

This plugin util is private to the collection. Pure. A role, an instance profile or a bucket is that
of a cloud only by its account and its name: a name alone is anybody's.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    BUCKET,
    POLICY,
    PROFILE,
    ROLE,
    Change,
)

Key = tuple[str, str, str]
_UNNAMED = ""


@dataclasses.dataclass(frozen=True)
class Watched:
    """What a cloud depends on: names in its account."""

    cloud: str
    account_id: str
    roles: frozenset[str] = frozenset()
    instance_profiles: frozenset[str] = frozenset()
    buckets: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()


class Watch:
    """The clouds of an inventory, found by what they depend on."""

    def __init__(self, clouds: t.Iterable[Watched]) -> None:
        self._clouds: dict[Key, list[str]] = collections.defaultdict(list)
        self._accounts = set()
        for one in clouds:
            self._accounts.add(one.account_id)
            for kind, names in (
                (ROLE, one.roles),
                (PROFILE, one.instance_profiles),
                (BUCKET, one.buckets),
                (POLICY, one.policies),
            ):
                # Which policies the roles of a cloud have is not known.
                unnamed = {_UNNAMED} if names or kind == POLICY else set()
                for key in {_key(kind, one.account_id, name) for name in names | unnamed}:
                    self._clouds[key].append(one.cloud)

    def documents_of(
        self, change: Change, roles_with: t.Mapping[str, t.Collection[str]] | None = None
    ) -> dict[str, str]:
        """The clouds that a change touches, each with the document of its own that has changed: what
        else the change names may be made up, each time anew. One that CloudTrail does not name may be
        any of its account.

        roles_with: by the ARN of a managed policy, the names of the roles of the change's account
        that have it.
        """
        found: dict[str, str] = {}
        for kind, name in change.targets.items():
            roles = (roles_with or {}).get(name, ()) if kind == POLICY else ()
            for key in ((kind, name), *((ROLE, role) for role in roles)):
                for cloud in self._clouds.get(_key(key[0], change.account_id, key[1]), ()):
                    found.setdefault(cloud, _document(kind, change.account_id, name))
        return found

    def has_account(self, account_id: str) -> bool:
        """Whether a cloud is in an account."""
        return account_id in self._accounts


def _document(kind: str, account_id: str, name: str) -> str:
    """As text that no other document has, however a caller spells the name."""
    what = kind.removesuffix("_arn").replace("_", " ")
    if name == _UNNAMED:
        return f"unnamed {what} in {account_id}"
    return f"{what} {_key(kind, account_id, name)[2]} in {account_id}"


def _key(kind: str, account_id: str, name: str) -> Key:
    """IAM does not let two names of an account differ by case alone. Buckets are named exactly, and
    so are policies, by their ARNs.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    return kind, account_id, name.casefold() if kind in (ROLE, PROFILE) else name

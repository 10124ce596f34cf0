# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator permits of that which the Anyscale API says: the section ``allow`` of a fleet
file.

This plugin util is private to the collection. Pure. Any member of an organization can register any
role and any bucket, so what is registered is only a description. A value is allowed where its
account is listed and one of the operator's patterns matches it; nothing is allowed by default.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_account_id
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory import values
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    Known,
    UnknownPlaceholder,
    filled_in,
)

ROLES, BUCKETS = "roles", "buckets"

_KINDS = (ROLES, BUCKETS)
_KEYS = ("accounts", *_KINDS, "shared", "unlisted")
_SKIP, _INCLUDE = "skip", "include"
# No name has these, so that a pattern with one of them would match nothing.
_NOT_IN_NAMES = {ROLES: re.compile(r"[:\s]"), BUCKETS: re.compile(r"[:/\s]")}


class Patterns:
    """Shell patterns of the names of buckets, or of roles with their paths (``ray/speech``).

    A pattern without a slash matches the name of a role whatever its path. A pattern whose
    placeholder has no value for a cloud matches nothing. Thousands of names cost no more than one.
    """

    def __init__(self, patterns: t.Iterable[str] = ()) -> None:
        given = list(patterns)
        self._of_cloud = [pattern for pattern in given if "{" in pattern]
        fixed = [pattern for pattern in given if "{" not in pattern]
        self._names = frozenset(pattern for pattern in fixed if not set(pattern) & set("*?["))
        wild = [pattern for pattern in fixed if pattern not in self._names]
        self._wild = _compiled([pattern for pattern in wild if "/" not in pattern])
        self._wild_with_path = _compiled([pattern for pattern in wild if "/" in pattern])

    def match(self, name: str, known: Known) -> bool:
        """Whether one of them matches. known: the values of placeholders for the cloud."""
        last = name.rpartition("/")[2]
        return (
            last in self._names
            or name in self._names
            or bool(self._wild.match(last))
            or bool(self._wild_with_path.match(name))
            or any(self._matches(pattern, name, known) for pattern in self._of_cloud)
        )

    @staticmethod
    def _matches(pattern: str, name: str, known: Known) -> bool:
        # What is inserted is matched literally: members of an organization choose the names of
        # clouds.
        literal = {key: value and glob.escape(value) for key, value in known.items()}
        try:
            filled = filled_in(pattern, literal)
        except UnknownPlaceholder:
            return False
        return fnmatch.fnmatchcase(name if "/" in pattern else name.rpartition("/")[2], filled)


def _compiled(patterns: t.Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)")


@dataclasses.dataclass(frozen=True)
class Allow:
    """Patterns by kind (``roles``, ``buckets``): those of each account, those for all of these
    accounts, and those of resources that several clouds may share.

    includes_unlisted: whether clouds that the fleet file does not name are permitted as well.
    """

    accounts: t.Mapping[str, t.Mapping[str, Patterns]] = dataclasses.field(default_factory=dict)
    everywhere: t.Mapping[str, Patterns] = dataclasses.field(default_factory=dict)
    shared: t.Mapping[str, Patterns] = dataclasses.field(default_factory=dict)
    includes_unlisted: bool = False

    def has_account(self, account_id: str | None) -> bool:
        """Whether an account may be written to."""
        return account_id in self.accounts

    def permits(self, kind: str, account_id: str, name: str, known: Known) -> bool:
        """Whether a role or a bucket may be written to."""
        if not self.has_account(account_id):
            return False
        of_account = self.accounts[account_id].get(kind, _NONE)
        return of_account.match(name, known) or self.everywhere.get(kind, _NONE).match(name, known)

    def may_share(self, kind: str, name: str, known: Known) -> bool:
        """Whether several clouds may use this role or bucket."""
        return self.shared.get(kind, _NONE).match(name, known)


_NONE = Patterns()


def parse_allow(value: t.Any) -> Allow:
    """The checked section. An error names the invalid key."""
    section = values.mapping(values.or_empty(value), "allow")
    values.refuse_unknown(section, _KEYS, "in allow")
    unlisted = section.get("unlisted", _SKIP)
    if unlisted not in (_SKIP, _INCLUDE):
        raise InputError(
            f"allow.unlisted is {values.describe(unlisted)}.", f"Set it to {_SKIP} or {_INCLUDE}."
        )
    return Allow(
        _accounts(section.get("accounts")),
        _by_kind({kind: section.get(kind) for kind in _KINDS}, "allow"),
        _by_kind(values.or_empty(section.get("shared")), "allow.shared"),
        unlisted == _INCLUDE,
    )


def _accounts(value: t.Any) -> dict[str, dict[str, Patterns]]:
    where = "allow.accounts"
    if isinstance(value, list):
        for account in value:
            values.text(account, where)
        value = dict.fromkeys(value)
    given = values.mapping(values.or_empty(value), where)
    return {
        str(parse_account_id(account, where)): _by_kind(
            values.or_empty(patterns), f"{where}.{account}"
        )
        for account, patterns in given.items()
    }


def _by_kind(value: t.Any, where: str) -> dict[str, Patterns]:
    given = values.mapping(value, where)
    values.refuse_unknown(given, _KINDS, f"in {where}")
    return {kind: _patterns(kind, found, f"{where}.{kind}") for kind, found in given.items()}


def _patterns(kind: str, value: t.Any, where: str) -> Patterns:
    if value is None:
        return _NONE
    if not isinstance(value, list):
        raise InputError(
            f"{where} is {values.describe(value)}, which is not a list.",
            "Write one '- pattern' per line.",
        )
    for pattern in value:
        if _NOT_IN_NAMES[kind].search(values.text(pattern, where)):
            raise InputError(
                f"{where} has {pattern!r}, which matches no name.",
                "Give names or shell patterns, such as ray-*, not ARNs. A role may have its path "
                "in front: ray/speech-*."
                if kind == ROLES
                else "Give names or shell patterns, such as ray-*, not ARNs or URIs.",
            )
    return Patterns(map(str, value))

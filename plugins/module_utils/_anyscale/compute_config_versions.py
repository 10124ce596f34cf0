# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search for versions of compute configs: what is asked, what of the answer can be used, and which of
several versions is the newest.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

JsonObject = dict[str, t.Any]

SEARCH = "/api/v2/compute_templates/search"
PAGE = {"count": 100}
NEWEST = -1
ALL = -2
# What callers rely on in a version.
_REQUIRED_KEYS: dict[str, t.Callable[[t.Any], bool]] = {
    "version": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "id": lambda value: isinstance(value, str) and bool(value),
    "config": lambda value: isinstance(value, dict),
}


def versions_of(name: str, cloud_id: str, version: int) -> JsonObject:
    """A search for versions of one compute config, newest first. Names are unique within a cloud
    only, so the search is for both.
    """
    return {
        **_search(version),
        "name": {"equals": name},
        "cloud_id": cloud_id,
        "include_anonymous": True,
    }


def named_in(cloud_id: str) -> JsonObject:
    """A search for the newest version of each compute config of a cloud that has a name, without
    those in the archive.
    """
    unarchived = {**_search(NEWEST), "archive_status": "NOT_ARCHIVED"}
    return {**unarchived, "cloud_id": cloud_id, "include_anonymous": False}


def newest_of_all() -> JsonObject:
    """A search for the newest version of each compute config that has a name, in all clouds."""
    return {**_search(NEWEST), "include_anonymous": False}


def _search(version: int) -> JsonObject:
    return {
        "version": version,
        "archive_status": "ALL",
        "sort_by_clauses": [{"sort_field": "CREATED_AT", "sort_order": "DESC"}],
    }


def missing_key(
    template: t.Mapping[str, t.Any], required: t.Iterable[str] = tuple(_REQUIRED_KEYS)
) -> str | None:
    """The first required key that a version lacks or has no usable value for."""
    return next((key for key in required if not _REQUIRED_KEYS[key](template.get(key))), None)


def rank(template: t.Mapping[str, t.Any]) -> tuple[bool, int]:
    """What the newest of several versions has the most of: rather one that is not archived."""
    return not template.get("archived_at"), template["version"]

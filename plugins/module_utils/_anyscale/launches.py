# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what was launched in a cloud, and the compute config that each launch names: clusters,
services, jobs, schedules and workspaces.

This module util is private to the collection. I/O, read-only.
"""

from __future__ import annotations

import functools
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_versions import (
    missing_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    KINDS,
    Kind,
    Launch,
    Launches,
    Row,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

JsonObject = dict[str, t.Any]

_TEMPLATES = "/api/v2/compute_templates/"
_NOT_FOUND = 404
# Of one kind of launch: the token may not list it, or this control plane does not have it.
_NOT_LISTED = (403, _NOT_FOUND, 405)


def read_launches(
    client: AnyscaleClient, cloud_id: str, limit: int, active_only: bool = True
) -> Launches:
    """The launches of a cloud, of each kind at most the first ``limit`` rows."""
    found: list[Launch] = []
    truncated: list[str] = []
    unread: dict[str, str] = {}
    for name, kind in KINDS.items():
        try:
            launches, has_more = _of_kind(client, kind, cloud_id, limit, active_only)
        except AnyscaleError as error:
            if error.status not in _NOT_LISTED:
                raise
            unread[name] = error.message
            continue
        found += launches
        truncated += [name] if has_more else []
    return Launches(tuple(found), tuple(truncated), unread)


def _of_kind(
    client: AnyscaleClient, kind: Kind, cloud_id: str, limit: int, active_only: bool
) -> tuple[list[Launch], bool]:
    """The launches of one kind, and whether there are more. Rows of other clouds count: the limit
    is one of calls, whatever the server filters.
    """
    query: JsonObject = {"cloud_id": cloud_id, "count": min(kind.page_size, limit)}
    if active_only and kind.active_states:
        query["state_filter"] = list(kind.active_states)
    launches: list[Launch] = []
    read = 0
    for page in client.api.pages("GET", kind.path, query):
        for row in page.rows[: limit - read]:
            checked = Row(row, functools.partial(client.api.malformed, "GET", kind.path))
            if checked.text_or_none("cloud_id") in (None, cloud_id):
                launches += kind.launches(checked)
        read += len(page.rows)
        if read >= limit:
            has_more = read > limit or page.next_token is not None
            return _wanted(launches, active_only), has_more
    return _wanted(launches, active_only), False


def _wanted(launches: list[Launch], active_only: bool) -> list[Launch]:
    return [launch for launch in launches if launch.is_active or not active_only]


def read_compute_config(client: AnyscaleClient, config_id: str) -> JsonObject | None:
    """One version of a compute config, archived or not; ``None`` where there is none that the token
    may see.
    """
    path = f"{_TEMPLATES}{urllib.parse.quote(config_id, safe='').replace('.', '%2E')}"
    try:
        template = client.api.result("GET", path)
    except AnyscaleError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    missing = missing_key(template) or (None if isinstance(template.get("name"), str) else "name")
    if missing is not None:
        raise client.api.malformed("GET", path, f"a compute config without its {missing}")
    return template

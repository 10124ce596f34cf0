# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read an organization's clouds with their resources from the Anyscale API, many clouds at a time.

This plugin util is private to the collection. The API lists clouds without their resources, so each
cloud costs a call. The rows are plain data in the API's own form, thinned to what an inventory
needs, and so fit for a cache.
"""

from __future__ import annotations

import concurrent.futures
import fnmatch
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    JsonObject,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

_CLOUD_KEYS = ("id", "name", "provider", "compute_stack", "is_aioa")
_RESOURCE_KEYS = ("cloud_resource_id", "name", "provider", "compute_stack", "region", "is_default")
_STORAGE_KEYS = ("bucket_name", "region")
_AWS_KEYS = ("anyscale_iam_role_id", "cluster_iam_role_id", "cluster_instance_profile_id")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_GONE_STATES = ("DELETING", "DELETED")
_UNAUTHORIZED = 401
# Failures that are seldom one cloud's own, and how many clouds must meet one before the rest is not
# tried any more.
_OUTAGE_STATUSES = frozenset({0, 429, 502, 503, 504})
_OUTAGE_CLOUDS = 5


class Choice:
    """The clouds to read: those whose name or id is among the patterns; all where there are none."""

    def __init__(self, patterns: t.Sequence[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self._exact = frozenset(patterns)
        wild = [fnmatch.translate(pattern) for pattern in patterns if set(pattern) & set("*?[")]
        self._wild = re.compile("|".join(wild)) if wild else None

    def takes(self, cloud: JsonObject) -> bool:
        """Whether a cloud is among them."""
        return not self.patterns or any(
            name in self._exact or (self._wild and self._wild.match(name)) for name in _names(cloud)
        )

    def unmet(self, clouds: t.Iterable[JsonObject]) -> list[str]:
        """The patterns that no cloud meets."""
        names = {name for cloud in clouds for name in _names(cloud)}
        return [
            pattern
            for pattern in self.patterns
            if pattern not in names and not fnmatch.filter(names, pattern)
        ]


def read_rows(client: AnyscaleClient, choice: Choice, threads: int) -> list[JsonObject]:
    """One row for each cloud that is not being deleted: ``cloud``, ``chosen``, ``resources`` and
    ``failure``.

    ``resources`` is ``None`` where they were not asked for (the cloud was not chosen, or it is not
    one on AWS), and where they could not be read; then ``failure`` says why. Raises where it is not
    about a cloud but about the API.
    """
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    try:
        rows: dict[str, JsonObject] = {}
        reads = {}
        for cloud in client.clouds():
            cloud_id = str(cloud.get("id"))
            if cloud_id in rows or cloud.get("state") in _GONE_STATES:
                continue
            chosen = choice.takes(cloud)
            rows[cloud_id] = {
                "cloud": _thinned(cloud, _CLOUD_KEYS),
                "chosen": chosen,
                "resources": None,
                "failure": None,
            }
            if not is_id(cloud.get("id")):
                rows[cloud_id]["failure"] = "The API shows no usable id for it."
            elif chosen and may_be_on_aws(cloud):
                reads[pool.submit(client.cloud_resources, cloud_id)] = rows[cloud_id]
        _collect(reads)
        return list(rows.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def may_be_on_aws(cloud: JsonObject) -> bool:
    """Whether a cloud can have a resource in an AWS account of the customer's."""
    return cloud.get("provider") == "AWS" and not cloud.get("is_aioa")


def is_id(value: t.Any) -> bool:
    """Whether a value is an id such as the API gives; nothing else may become part of a path or of
    a host's name.
    """
    return isinstance(value, str) and bool(_ID.match(value))


def _collect(reads: dict[concurrent.futures.Future[list[JsonObject]], JsonObject]) -> None:
    """Put what was read into the rows, in the order in which it comes in, so that an outage ends
    the wait early.
    """
    outages = 0
    for read in concurrent.futures.as_completed(reads):
        row = reads[read]
        try:
            row["resources"] = [_thinned_resource(resource) for resource in read.result()]
        except AnyscaleError as error:
            outages += error.status in _OUTAGE_STATUSES
            if error.status == _UNAUTHORIZED or outages == _OUTAGE_CLOUDS:
                raise
            row["failure"] = error.failure()["msg"]


def _thinned_resource(resource: JsonObject) -> JsonObject:
    storage = _thinned(resource.get("object_storage"), _STORAGE_KEYS)
    return {
        **_thinned(resource, _RESOURCE_KEYS),
        "object_storage": storage,
        "aws_config": _thinned(resource.get("aws_config"), _AWS_KEYS),
    }


def _thinned(row: t.Any, keys: t.Iterable[str]) -> JsonObject:
    return {key: row.get(key) for key in keys} if isinstance(row, dict) else {}


def _names(cloud: JsonObject) -> list[str]:
    return [name for name in (cloud.get("name"), cloud.get("id")) if isinstance(name, str)]

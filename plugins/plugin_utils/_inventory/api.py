# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read an organization's clouds with their resources from the Anyscale API, with threads.

This plugin util is private to the collection. The API lists clouds without their resources, so each
cloud costs a call. The rows are plain data in the form of the API, reduced to the keys that the
inventory needs, so that they can be cached.
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

_CLOUD_KEYS = ("id", "name", "provider", "compute_stack", "is_aioa", "created_at")
_RESOURCE_KEYS = (
    "cloud_resource_id",
    "name",
    "provider",
    "compute_stack",
    "region",
    "is_default",
    "created_at",
)
_STORAGE_KEYS = ("bucket_name", "region")
_AWS_KEYS = ("anyscale_iam_role_id", "cluster_iam_role_id", "cluster_instance_profile_id")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_ID_SHAPE = re.compile(r"cld(rsrc)?_", re.IGNORECASE)
_GONE_STATES = ("DELETING", "DELETED")
_UNAUTHORIZED = 401
# Statuses that rarely concern a single cloud, and for how many clouds they must occur before the
# other clouds are no longer tried.
_OUTAGE_STATUSES = frozenset({0, 429, 502, 503, 504})
_OUTAGE_CLOUDS = 5


class Choice:
    """The clouds to read: those whose name or ID matches a pattern, or all without patterns. What
    is shaped like an ID matches IDs alone, since members of the organization choose the names.
    """

    def __init__(self, patterns: t.Sequence[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self._ids = _matcher([pattern for pattern in patterns if is_shaped_like_id(pattern)])
        self._names = _matcher([pattern for pattern in patterns if not is_shaped_like_id(pattern)])

    def takes(self, cloud: JsonObject) -> bool:
        """Whether a cloud is selected."""
        cloud_id, name = str(cloud.get("id")), cloud.get("name")
        return not self.patterns or bool(
            self._ids(cloud_id)
            or self._names(cloud_id)
            or (isinstance(name, str) and self._names(name))
        )

    def unmet(self, clouds: t.Iterable[JsonObject]) -> list[str]:
        """The patterns that match no cloud."""
        clouds = list(clouds)
        ids = {str(cloud.get("id")) for cloud in clouds}
        names = ids | {name for cloud in clouds if isinstance(name := cloud.get("name"), str)}

        def is_met(pattern: str) -> bool:
            texts = ids if is_shaped_like_id(pattern) else names
            return pattern in texts or (_is_wild(pattern) and any(map(_matcher([pattern]), texts)))

        return [pattern for pattern in dict.fromkeys(self.patterns) if not is_met(pattern)]


def _matcher(patterns: t.Sequence[str]) -> t.Callable[[str], bool]:
    """Whether a text is one of the patterns, or matches one."""
    exact = frozenset(patterns)
    wild = [fnmatch.translate(pattern) for pattern in patterns if _is_wild(pattern)]
    compiled = re.compile("|".join(wild)) if wild else None
    return lambda text: text in exact or bool(compiled and compiled.match(text))


def _is_wild(pattern: str) -> bool:
    return not set(pattern).isdisjoint("*?[")


def read_rows(client: AnyscaleClient, choice: Choice, threads: int) -> list[JsonObject]:
    """One row for each cloud that is not being deleted: ``cloud``, ``chosen``, ``resources`` and
    ``failure``.

    ``resources`` is ``None`` if they were not requested (the cloud is not chosen or not on AWS),
    and if they could not be read; then ``failure`` has the reason. Raises if the failure concerns
    the API instead of a single cloud.
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
                "cloud": _reduced(cloud, _CLOUD_KEYS),
                "chosen": chosen,
                "resources": None,
                "failure": None,
            }
            if not is_id(cloud.get("id")):
                rows[cloud_id]["failure"] = "The API returned no valid ID for it."
            elif chosen and may_be_on_aws(cloud):
                reads[pool.submit(client.cloud_resources, cloud_id)] = rows[cloud_id]
        _collect(reads)
        return list(rows.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def may_be_on_aws(cloud: JsonObject) -> bool:
    """Whether a cloud can have a resource in an AWS account of the customer."""
    return cloud.get("provider") == "AWS" and not cloud.get("is_aioa")


def is_id(value: t.Any) -> bool:
    """Whether a value has the form of an Anyscale ID. Nothing else may become part of a path or a
    host name.
    """
    return isinstance(value, str) and bool(_ID.match(value))


def is_shaped_like_id(text: str) -> bool:
    """Whether a text looks like the ID of a cloud or of a resource, also one with more behind it."""
    return bool(_ID_SHAPE.match(text))


def _collect(reads: dict[concurrent.futures.Future[list[JsonObject]], JsonObject]) -> None:
    """Add the resources to the rows, in the order in which the reads complete, so that an outage is
    detected early.
    """
    outages = 0
    for read in concurrent.futures.as_completed(reads):
        row = reads[read]
        try:
            row["resources"] = [_reduced_resource(resource) for resource in read.result()]
        except AnyscaleError as error:
            outages += error.status in _OUTAGE_STATUSES
            if error.status == _UNAUTHORIZED or outages == _OUTAGE_CLOUDS:
                raise
            row["failure"] = error.failure()["msg"]


def _reduced_resource(resource: JsonObject) -> JsonObject:
    storage = _reduced(resource.get("object_storage"), _STORAGE_KEYS)
    return {
        **_reduced(resource, _RESOURCE_KEYS),
        "object_storage": storage,
        "aws_config": _reduced(resource.get("aws_config"), _AWS_KEYS),
    }


def _reduced(row: t.Any, keys: t.Iterable[str]) -> JsonObject:
    return {key: row.get(key) for key in keys} if isinstance(row, dict) else {}

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cloud resource as the Anyscale API returns it: its facts, and its possible names.

This plugin util is private to the collection. Pure. The types and values in the API's responses are
not trusted.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_arn,
    parse_bucket,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    is_id,
    is_shaped_like_id,
    may_be_on_aws,
)

JsonObject = dict[str, t.Any]

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_UNKNOWN_MOMENT = "~"
# In the place of the ID of a cloud that is listed by its name and that the API does not return.
_NO_ID = "missing"
_REGION = re.compile(
    r"[a-z]{2}(-gov|-iso[a-z]?)?-(central|(north|south)?(east|west)|north|south)-[0-9]{1,2}\Z"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True, eq=False)
class CloudResource:
    """One cloud resource as the API returns it, or only the cloud (``row`` is empty) if its
    resources were not read.

    not_read: why not, and what to do; empty if nobody has asked for them.
    """

    cloud: JsonObject
    row: JsonObject
    is_primary: bool = True
    is_listed: bool = True
    not_read: str = ""

    @functools.cached_property
    def cloud_id(self) -> str:
        """The cloud's ID."""
        return str(self.cloud.get("id"))

    @functools.cached_property
    def cloud_name(self) -> str:
        """The cloud's name, or its ID where it has none."""
        return _text(self.cloud, "name") or self.cloud_id

    @property
    def label(self) -> str:
        """The cloud, for a message."""
        return f"{self.cloud_name} ({self.cloud_id})"

    @property
    def resource_id(self) -> str | None:
        """The ID of the resource."""
        return _text(self.row, "cloud_resource_id")

    @functools.cached_property
    def name(self) -> str | None:
        """The name of the resource, or its ID where it has none."""
        return _text(self.row, "name") or self.resource_id

    @property
    def provider(self) -> str | None:
        """The cloud provider, such as ``AWS``."""
        return _text(self.row, "provider") or _text(self.cloud, "provider")

    @property
    def compute_stack(self) -> str:
        """What clusters run on: ``VM``, ``K8S``, ... ``VM`` where the API does not say."""
        return _text(self.row, "compute_stack") or _text(self.cloud, "compute_stack") or "VM"

    @property
    def is_applicable(self) -> bool:
        """Whether its clusters run with an IAM role that the collection can converge."""
        return (
            bool(self.row)
            and may_be_on_aws(self.cloud)
            and self.provider == "AWS"
            and self.compute_stack == "VM"
        )

    @property
    def cloud_created_at(self) -> str:
        """When the cloud was registered, for comparing; later than anything where that is unknown."""
        return _text(self.cloud, "created_at") or _UNKNOWN_MOMENT

    @property
    def created_at(self) -> str:
        """When the resource was registered, likewise."""
        return _text(self.row, "created_at") or _UNKNOWN_MOMENT

    @property
    def region(self) -> str | None:
        """The region of the resource; ``None`` where there is none, or none with a valid name,
        which would become a part of the names of hosts that are called.
        """
        return _region(self.row)

    @property
    def bucket_region(self) -> str | None:
        """The region of the bucket. The API omits it if it is the region of the resource."""
        return _region(self.row.get("object_storage")) or self.region

    @functools.cached_property
    def bucket(self) -> str | None:
        """The name of the S3 bucket; ``None`` where there is none, or none with a valid name."""
        try:
            return parse_bucket(_text(self.row.get("object_storage"), "bucket_name") or "")
        except InputError:
            return None

    def arn(self, key: str) -> str | None:
        """An ARN of the resource's AWS configuration."""
        value = self.registered(key)
        return value if value and parse_arn(value) else None

    def role_arn(self, key: str) -> str | None:
        """The ARN of an IAM role; ``None`` for what is none, such as that of a user."""
        value = self.arn(key)
        try:
            return value if value and parse_role(value).arn else None
        except InputError:
            return None

    def registered(self, key: str) -> str | None:
        """A text of the resource's AWS configuration, whatever it says."""
        return _text(self.row.get("aws_config"), key)

    @functools.cached_property
    def account_id(self) -> str | None:
        """The account of the clusters' role, else of Anyscale's control-plane role."""
        arns = filter(None, map(self.role_arn, ("cluster_iam_role_id", "anyscale_iam_role_id")))
        return next(
            (found.account_id for found in map(parse_arn, arns) if found and found.account_id), None
        )

    def facts(self) -> JsonObject:
        """The host's facts, for groups and conditions; ``None`` if the API returns no value."""
        return {
            "anyscale_cloud_id": self.cloud_id,
            "anyscale_cloud_name": self.cloud_name,
            "anyscale_resource_id": self.resource_id,
            "anyscale_resource_name": self.name,
            "anyscale_is_default_resource": self.is_primary,
            "anyscale_account_id": self.account_id,
            "anyscale_region": self.region,
            "anyscale_bucket": self.bucket,
            "anyscale_bucket_region": self.bucket_region,
            "anyscale_default_role_arn": self.role_arn("cluster_iam_role_id"),
            "anyscale_instance_profile_arn": self.arn("cluster_instance_profile_id"),
            "anyscale_control_plane_role_arn": self.role_arn("anyscale_iam_role_id"),
            "anyscale_compute_stack": self.compute_stack,
            "anyscale_provider": self.provider,
            "anyscale_applicable": self.is_applicable,
            "anyscale_ring": None,
            "anyscale_tags": {},
        }

    def unread_facts(self) -> JsonObject:
        """Those of a cloud of which nothing was read: all unknown but what it is called."""
        known_id = None if self.cloud_id == _NO_ID else self.cloud_id
        return {
            **dict.fromkeys(self.facts()),
            "anyscale_cloud_id": known_id,
            "anyscale_cloud_name": self.cloud_name,
        }

    def ids(self) -> tuple[str, ...]:
        """The names in a fleet file that nobody else can take, the most specific last."""
        return (self.cloud_id, f"{self.cloud_id}.{self.name}") if self.name else (self.cloud_id,)

    def names(self) -> tuple[str, ...]:
        """All names that the fleet file may use for it, the most specific last. A name that is
        shaped like an ID is none, since it may be the ID of another cloud.
        """
        by_name = [] if is_shaped_like_id(self.cloud_name) else [self.cloud_name]
        whole = [*by_name, self.cloud_id]
        parts = [f"{cloud}.{self.name}" for cloud in whole] if self.name else []
        return (*whole, *parts)

    @functools.cached_property
    def cloud_host_name(self) -> str:
        """The cloud's name as a host name, with which the names of all its hosts begin. It is known
        also where the resources were not read.
        """
        return _safe(self.cloud_name) or self.cloud_id

    def host_names(self) -> tuple[str, ...]:
        """Names for its host, from the shortest to the most specific. The last one is unique."""
        resource = _safe(self.name or "") or self.resource_id
        safe = self.cloud_host_name if self.is_primary else f"{self.cloud_host_name}.{resource}"
        return safe, f"{safe}-{self.cloud_id}", f"{self.cloud_id}.{self.resource_id}"


def missing_cloud(name: str, why: str) -> CloudResource:
    """A cloud or a resource that only the fleet file knows, by its name or its ID, and the reason."""
    is_known = is_id(name) and is_shaped_like_id(name)
    return CloudResource({"id": name if is_known else _NO_ID, "name": name}, {}, not_read=why)


def _safe(name: str) -> str:
    """A part of a host name; empty where nothing of the name can be one."""
    return _UNSAFE.sub("_", name).strip("-._")


def _region(mapping: t.Any) -> str | None:
    value = _text(mapping, "region")
    return value if value and _REGION.match(value) else None


def _text(mapping: t.Any, key: str) -> str | None:
    """A non-empty string in a response of the API; ``None`` if the value is anything else."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) and value else None

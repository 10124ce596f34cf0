# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs: immutable versions in a lineage for each cloud and name."""

from __future__ import annotations

import copy
import hashlib
import json
import time
import typing as t
import uuid

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError, not_found
from ansible_collections.rayfleet.anyscale.tests.sandbox._clock import Clock

Json = dict[str, t.Any]

LATEST = -1
ALL_VERSIONS = -2

_CONFIG_DEFAULTS: Json = {
    "allowed_azs": ["any"],
    "idle_termination_minutes": 120,
    "maximum_uptime_minutes": None,
    "max_workers": None,
    "region": None,
    "worker_node_types": None,
    "auto_select_worker_config": False,
    "flags": None,
    "advanced_configurations_json": None,
    "aws_advanced_configurations_json": None,
    "gcp_advanced_configurations_json": None,
    "deployment_configs": None,
}
_DEPLOYMENT_DEFAULTS: Json = {
    "cloud_deployment": None,
    "cloud_resource_id": None,
    "allowed_azs": ["any"],
    "worker_node_types": None,
    "advanced_configurations_json": None,
    "auto_select_worker_config": False,
    "flags": None,
}
_NODE_DEFAULTS: Json = dict.fromkeys(
    (
        "instance_type",
        "resources",
        "physical_resources",
        "required_resources",
        "labels",
        "required_labels",
        "advanced_configurations_json",
        "aws_advanced_configurations_json",
        "gcp_advanced_configurations_json",
        "flags",
    )
)
_WORKER_DEFAULTS: Json = {
    **_NODE_DEFAULTS,
    "min_workers": None,
    "max_workers": None,
    "use_spot": False,
    "fallback_to_ondemand": False,
}


class ComputeTemplates:
    """All versions of all compute configs. Not thread-safe: the caller holds a lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._templates: dict[str, Json] = {}
        self._published: dict[str, float] = {}

    def create(
        self, body: Json, creator_id: str, organization_id: str, settled: bool = True
    ) -> Json:
        """Store a checked request as the next version of its lineage; ``settled`` makes every later
        search find it.
        """
        template = self.unsaved(body, creator_id, organization_id)
        name = template["name"]
        lineage = self._lineage(name, template["config"]["cloud_id"])
        if any(version["archived_at"] for version in lineage):
            raise ApiError(
                409, f"Compute config {name} is archived, so its name can no longer be used."
            )
        if lineage and not body.get("new_version"):
            raise ApiError(409, f"A compute config with the name {name} already exists.")
        template["version"] = max((version["version"] for version in lineage), default=0) + 1
        self._templates[template["id"]] = template
        if not settled:
            self._published[template["id"]] = time.monotonic()
        return copy.deepcopy(template)

    def unsaved(self, body: Json, creator_id: str, organization_id: str) -> Json:
        """What a request would be stored as, if it were the first of its lineage."""
        config = _with_defaults(body["config"])
        now = self._clock.now()
        return {
            "id": f"cpt_{uuid.uuid4().hex[:24]}",
            "name": body.get("name") or _anonymous_name(config),
            "version": 1,
            "anonymous": bool(body.get("anonymous")),
            "creator_id": creator_id,
            "organization_id": organization_id,
            "project_id": body.get("project_id"),
            "created_at": now,
            "last_modified_at": now,
            "deleted_at": None,
            "archived_at": None,
            "config": config,
        }

    def get(self, template_id: str) -> Json:
        """One version, archived or not."""
        if template_id not in self._templates:
            raise not_found(template_id)
        return copy.deepcopy(self._templates[template_id])

    def set_archived(self, template_id: str, archived: bool) -> None:
        """Archive the whole lineage of a version, or take it out of the archive; a repetition is no
        error.
        """
        template = self.get(template_id)
        now = self._clock.now()
        for version in self._lineage(template["name"], template["config"]["cloud_id"]):
            version["archived_at"] = (version["archived_at"] or now) if archived else None
            version["last_modified_at"] = now

    def delete(self, template_id: str) -> None:
        """Remove one version for good."""
        self.get(template_id)
        del self._templates[template_id]

    def search(self, query: Json, lag: float = 0.0) -> list[Json]:
        """The versions that match, sorted as asked for, as a search finds them that lags so many
        seconds behind.
        """
        horizon = time.monotonic() - lag
        shown = [
            template
            for template in self._templates.values()
            if self._published.get(template["id"], horizon) <= horizon
        ]
        found = [template for template in shown if _matches(template, query)]
        version = query.get("version", LATEST)
        if version in (LATEST, None):
            newest = {
                (template["name"], template["config"]["cloud_id"]): template["id"]
                for template in shown
            }  # the oldest comes first
            found = [template for template in found if template["id"] in set(newest.values())]
        elif version != ALL_VERSIONS:
            found = [template for template in found if template["version"] == version]
        return copy.deepcopy(_sorted(found, query.get("sort_by_clauses") or []))

    def _lineage(self, name: str, cloud_id: str) -> list[Json]:
        return [
            template
            for template in self._templates.values()
            if template["name"] == name and template["config"]["cloud_id"] == cloud_id
        ]


def _with_defaults(sent: Json) -> Json:
    config = {**_CONFIG_DEFAULTS, **_cluster(sent)}
    if config["allowed_azs"] is None:
        config["allowed_azs"] = ["any"]
    if config["idle_termination_minutes"] is None:
        config["idle_termination_minutes"] = _CONFIG_DEFAULTS["idle_termination_minutes"]
    if config["deployment_configs"]:
        config["deployment_configs"] = [
            {**_DEPLOYMENT_DEFAULTS, **_cluster(deployment)}
            for deployment in config["deployment_configs"]
        ]
    return config


def _cluster(sent: Json) -> Json:
    cluster = copy.deepcopy(sent)
    cluster["head_node_type"] = _node(cluster["head_node_type"], _NODE_DEFAULTS)
    if cluster.get("worker_node_types") is not None:
        cluster["worker_node_types"] = [
            _node(worker, _WORKER_DEFAULTS) for worker in cluster["worker_node_types"]
        ]
    return cluster


def _node(sent: Json, defaults: Json) -> Json:
    node = {**defaults, **sent}
    node["name"] = node.get("name") or node["instance_type"]
    custom = (node["resources"] or {}).get("custom_resources")
    if custom:
        node["resources"]["custom_resources"] = {key: int(amount) for key, amount in custom.items()}
    return node


def _anonymous_name(config: Json) -> str:
    return (
        f"anonymous-{hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]}"
    )


def _matches(template: Json, query: Json) -> bool:
    name = query.get("name") or {}
    status = query.get("archive_status") or "NOT_ARCHIVED"
    return (
        name.get("equals") in (None, template["name"])
        and name.get("not_equal") != template["name"]
        and (name.get("contains") or "") in template["name"]
        and query.get("cloud_id") in (None, template["config"]["cloud_id"])
        and query.get("creator_id") in (None, template["creator_id"])
        and query.get("project_id") in (None, template["project_id"])
        and (bool(query.get("include_anonymous")) or not template["anonymous"])
        and (status == "ALL" or (status == "ARCHIVED") == bool(template["archived_at"]))
    )


def _sorted(templates: list[Json], clauses: list[Json]) -> list[Json]:
    default = [("created_at", True), ("name", False), ("id", False)]
    asked = [
        (clause["sort_field"].lower(), clause.get("sort_order") == "DESC") for clause in clauses
    ]
    for field, descending in reversed(asked or default):
        templates = sorted(templates, key=lambda template: str(template[field]), reverse=descending)
    return templates

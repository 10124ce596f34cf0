# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each route of the Anyscale API does."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _iam_mapping, _launches
from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError, not_found
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import (
    MEMBER,
    ORGANIZATION_ID,
    OWNER,
    Organization,
)

Json = dict[str, t.Any]
Answer = tuple[int, t.Any]

_PAGE_SIZE = 10
_LARGEST_PAGE = 1000
_MINI_CLOUD = (
    "id",
    "name",
    "provider",
    "is_k8s",
    "is_aioa",
    "cluster_management_stack_version",
    "is_private_cloud",
)
_MINI_USER = ("id", "name", "username", "email", "lastname")


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One authenticated request: who asks, for what. Searches lag so many seconds behind."""

    organization: Organization
    user: Json
    query: t.Any
    body: t.Any
    arguments: t.Mapping[str, str]
    lag: float = 0.0

    @property
    def cloud_id(self) -> str:
        """The cloud in the path."""
        return self.arguments["cloud_id"]

    def form(self) -> Json:
        """The body, which must be an object where there is one."""
        if self.body is not None and not isinstance(self.body, dict):
            raise ApiError(
                422,
                [{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}],
            )
        return self.body or {}

    def needs_owner(self) -> None:
        """Refuse members of the organization that are not its owners."""
        if self.user["id"] != OWNER["id"]:
            raise ApiError(403, "Permission denied")


def _userinfo(exchange: Exchange) -> Answer:
    clouds = exchange.organization.clouds.values()
    organization = {
        "id": ORGANIZATION_ID,
        "name": "sandbox",
        "public_identifier": "sandbox",
        "is_general_platform_enabled": True,
        "is_private_endpoints_enabled": False,
        "is_usage_blocked": False,
        "default_cloud_id": next((cloud["id"] for cloud in clouds if cloud["is_default"]), None),
    }
    user = {
        **exchange.user,
        "verified": True,
        "organization_permission_level": "owner"
        if exchange.user["id"] == OWNER["id"]
        else "collaborator",
        "organization_ids": [ORGANIZATION_ID],
        "organizations": [organization],
        "ld_hash": "sandbox",
        "ld_hash_fields": ["id"],
        "pylon_hash": "sandbox",
        "has_setup_cloud": bool(clouds),
        "is_support_user": False,
    }
    return 200, {"result": user}


def _cli_usage(exchange: Exchange) -> Answer:
    return 204, None


def _list_clouds(exchange: Exchange) -> Answer:
    clouds = _found_clouds(exchange.organization, exchange.query)
    status, page = _page(clouds, exchange.query.get("count"), exchange.query.get("paging_token"))
    page["results"] = [{**cloud, "creator": OWNER} for cloud in page["results"]]
    return status, page


def _found_clouds(organization: Organization, query: t.Any) -> list[Json]:
    """The clouds that a query asks for. Each page is a new query, so what is not asked for must
    cost nothing.
    """
    clouds = list(organization.clouds.values())
    name, creator_id, states = (
        query.get("name"),
        query.get("creator_id"),
        query.getlist("state_filter"),
    )
    if name or creator_id is not None or states:
        clouds = [
            cloud
            for cloud in clouds
            if (name or "") in cloud["name"]
            and creator_id in (None, cloud["creator_id"])
            and (not states or cloud["state"] in states)
        ]
    field, descending = (
        query.get("sort_field", "CREATED_AT").lower(),
        query.get("sort_order") == "DESC",
    )
    if field != "created_at":
        clouds.sort(key=lambda cloud: str(cloud.get(field)), reverse=descending)
    elif descending:  # they are kept in the order of their creation
        clouds.reverse()
    return clouds


def _get_cloud(exchange: Exchange) -> Answer:
    return 200, {"result": exchange.organization.cloud(exchange.cloud_id)}


def _default_cloud(exchange: Exchange) -> Answer:
    default = [cloud for cloud in exchange.organization.clouds.values() if cloud["is_default"]]
    if not default:
        raise ApiError(404, "The organization has no default cloud.")
    return 200, {"result": default[0]}


def _update_default_cloud(exchange: Exchange) -> Answer:
    exchange.needs_owner()
    chosen = exchange.organization.cloud(exchange.query.get("cloud_id", ""))
    for cloud in exchange.organization.clouds.values():
        cloud["is_default"] = cloud is chosen
    return 204, None


def _find_cloud(exchange: Exchange) -> Answer:
    name = exchange.form().get("name")
    named = [cloud for cloud in exchange.organization.clouds.values() if cloud["name"] == name]
    if not named:
        raise ApiError(404, f"Cloud with name {name} not found")
    return 200, {"result": max(named, key=lambda cloud: cloud["created_at"])}


def _list_resources(exchange: Exchange) -> Answer:
    exchange.organization.cloud(exchange.cloud_id)
    resources = exchange.organization.resources[exchange.cloud_id]
    return 200, {
        "results": resources,
        "metadata": {"total": len(resources), "next_paging_token": None},
    }


def _find_resource(exchange: Exchange) -> Answer:
    exchange.organization.cloud(exchange.cloud_id)
    name = exchange.query.get("cloud_resource_name")
    for resource in exchange.organization.resources[exchange.cloud_id]:
        if resource["name"] == name:
            return 200, {"result": resource}
    raise ApiError(404, f"Cloud resource with name {name} not found")


def _get_mapping(exchange: Exchange) -> Answer:
    return 200, {
        "result": {
            "spec": exchange.organization.mapping(
                exchange.cloud_id, exchange.arguments["resource_id"]
            )
        }
    }


def _put_mapping(exchange: Exchange) -> Answer:
    exchange.needs_owner()
    current = exchange.organization.mapping(exchange.cloud_id, exchange.arguments["resource_id"])
    spec = exchange.form().get("spec") or {}
    if not isinstance(spec, dict):
        raise ApiError(
            422,
            [
                {
                    "loc": ["body", "spec"],
                    "msg": "value is not a valid dict",
                    "type": "type_error.dict",
                }
            ],
        )
    merged = _iam_mapping.merged_spec(current, spec)
    exchange.organization.mappings[merged["cloud_deployment_id"]] = merged
    return 200, {"result": {"spec": merged}}


def _get_scheduler(exchange: Exchange) -> Answer:
    return 200, {"result": exchange.organization.scheduler.active()}


def _list_machine_pools(exchange: Exchange) -> Answer:
    return 200, {"result": {"machine_pools": exchange.organization.machine_pools}}


def _create_template(exchange: Exchange) -> Answer:
    return 201, {
        "result": exchange.organization.create_template(
            exchange.body, exchange.user["id"], settled=False
        )
    }


def _get_template(exchange: Exchange) -> Answer:
    template = exchange.organization.templates.get(exchange.arguments["template_id"])
    return 200, {"result": _decorated(exchange.organization, template)}


def _get_plain_template(exchange: Exchange) -> Answer:
    return 200, {"result": exchange.organization.templates.get(exchange.arguments["template_id"])}


def _delete_template(exchange: Exchange) -> Answer:
    exchange.organization.templates.delete(exchange.arguments["template_id"])
    return 204, None


def _archive_template(exchange: Exchange) -> Answer:
    exchange.organization.templates.set_archived(exchange.arguments["template_id"], True)
    return 204, None


def _unarchive_template(exchange: Exchange) -> Answer:
    exchange.organization.templates.set_archived(exchange.arguments["template_id"], False)
    return 204, None


def _search_templates(exchange: Exchange) -> Answer:
    found = exchange.organization.templates.search(exchange.form(), exchange.lag)
    decorated = [_decorated(exchange.organization, template) for template in found]
    return _page(decorated, exchange.query.get("count"), exchange.query.get("paging_token"))


def _search_plain_templates(exchange: Exchange) -> Answer:
    form = exchange.form()
    paging = form.get("paging") or {}
    found = exchange.organization.templates.search({**form, "archive_status": "ALL"}, exchange.lag)
    return _page(found, paging.get("count"), paging.get("paging_token"))


def _default_config(exchange: Exchange) -> Answer:
    return 200, {"result": _default_template(exchange.organization, exchange.cloud_id)["config"]}


def _default_plain_template(exchange: Exchange) -> Answer:
    default = [
        cloud["id"] for cloud in exchange.organization.clouds.values() if cloud["is_default"]
    ]
    cloud_id = exchange.query.get("cloud_id") or (default[0] if default else "")
    return 200, {"result": _default_template(exchange.organization, cloud_id)}


def _default_template(organization: Organization, cloud_id: str) -> Json:
    if organization.primary_resource(cloud_id)["compute_stack"] != "VM":
        missing = "No CPU instance types found for this cloud. Add some instance types to the cloud"
        raise ApiError(400, f"{missing}, or specify a custom compute configuration.")
    config = {
        "cloud_id": cloud_id,
        "head_node_type": {"name": "head-node", "instance_type": "m5.2xlarge"},
        "worker_node_types": [],
        "auto_select_worker_config": True,
        "flags": {"allow-cross-zone-autoscaling": False},
    }
    return organization.templates.unsaved(
        {"name": "default", "anonymous": True, "config": config}, OWNER["id"], ORGANIZATION_ID
    )


def _decorated(organization: Organization, template: Json) -> Json:
    cloud = organization.clouds.get(template["config"]["cloud_id"])
    if cloud is None:
        raise not_found(template["config"]["cloud_id"])
    creator = MEMBER if template["creator_id"] == MEMBER["id"] else OWNER
    template["config"]["cloud"] = {key: cloud[key] for key in _MINI_CLOUD}
    template["creator"] = {**{key: creator[key] for key in _MINI_USER}, "deleted_at": None}
    return template


def _list_launches(path: str, exchange: Exchange) -> Answer:
    found = exchange.organization.launches.find(path, exchange.query)
    largest = _launches.PATHS[path][1]
    return _page(found, exchange.query.get("count"), exchange.query.get("paging_token"), largest)


def _page(items: list[Json], count: t.Any, token: t.Any, largest: int = _LARGEST_PAGE) -> Answer:
    """One page of a list; the token of the next one is opaque to the client."""
    try:
        size = _PAGE_SIZE if count is None else int(count)
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except (ValueError, binascii.Error):
        raise ApiError(
            422, [{"loc": ["query", "count"], "msg": "value is not valid", "type": "type_error"}]
        ) from None
    if not 0 <= size <= largest:
        message = f"ensure this value is between 0 and {largest}"
        raise ApiError(422, [{"loc": ["query", "count"], "msg": message, "type": "value_error"}])
    end = start + size
    following = (
        base64.urlsafe_b64encode(str(end).encode()).decode() if size and end < len(items) else None
    )
    return 200, {
        "results": items[start:end],
        "metadata": {"total": len(items), "next_paging_token": following},
    }


ROUTES: dict[tuple[str, str], t.Callable[[Exchange], Answer]] = {
    ("GET", "/api/v2/userinfo/"): _userinfo,
    ("POST", "/api/v2/cli_usage/"): _cli_usage,
    ("GET", "/api/v2/clouds/"): _list_clouds,
    ("POST", "/api/v2/clouds/find_by_name"): _find_cloud,
    ("GET", "/api/v2/clouds/<cloud_id>"): _get_cloud,
    ("GET", "/api/v2/clouds/<cloud_id>/resources"): _list_resources,
    ("GET", "/api/v2/clouds/<cloud_id>/deployments"): _list_resources,
    ("POST", "/api/v2/clouds/<cloud_id>/find_cloud_resource_by_name"): _find_resource,
    ("GET", "/api/v2/clouds/<cloud_id>/deployment/<resource_id>/config"): _get_mapping,
    ("PUT", "/api/v2/clouds/<cloud_id>/deployment/<resource_id>/config"): _put_mapping,
    ("GET", "/api/v2/scheduler/config"): _get_scheduler,
    ("GET", "/api/v2/machine_pools/"): _list_machine_pools,
    ("POST", "/api/v2/organizations/update_default_cloud"): _update_default_cloud,
    ("GET", "/ext/v0/clouds/default"): _default_cloud,
    ("GET", "/ext/v0/clouds/<cloud_id>"): _get_cloud,
    ("POST", "/api/v2/compute_templates/"): _create_template,
    ("POST", "/api/v2/compute_templates/search"): _search_templates,
    ("GET", "/api/v2/compute_templates/default/<cloud_id>"): _default_config,
    ("GET", "/api/v2/compute_templates/<template_id>"): _get_template,
    ("POST", "/api/v2/compute_templates/<template_id>/archive"): _archive_template,
    ("POST", "/api/v2/compute_templates/<template_id>/unarchive"): _unarchive_template,
    ("POST", "/ext/v0/cluster_computes/"): _create_template,
    ("POST", "/ext/v0/cluster_computes/search"): _search_plain_templates,
    ("GET", "/ext/v0/cluster_computes/default"): _default_plain_template,
    ("GET", "/ext/v0/cluster_computes/<template_id>"): _get_plain_template,
    ("DELETE", "/ext/v0/cluster_computes/<template_id>"): _delete_template,
    **{("GET", path): functools.partial(_list_launches, path) for path in _launches.PATHS},
}

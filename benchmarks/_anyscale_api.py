# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of the Anyscale API that onboarding and the inventory make, for the stand-in server."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qsl

from ansible_collections.rayfleet.anyscale.benchmarks._http import Answer, Request
from ansible_collections.rayfleet.anyscale.benchmarks._state import State
from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError, not_found
from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_routes import ROUTES, Exchange
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_schema import check_shape
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER, OWNER_TOKEN

_CLOUDS = "/api/v2/clouds/"
_TEMPLATES = "/api/v2/compute_templates/"
_ALL_VERSIONS = -2
_PAGE = 10
# By the path after a cloud's id, without the id of a resource.
_OF_A_CLOUD = {
    "": "GetCloud",
    "resources": "ListCloudResources",
    "deployment/config": "GetIamMapping",
}

# The organization has no scheduler config, which is an answer of its own.
_WHOLE = {_CLOUDS: "ListClouds", "/api/v2/scheduler/config": "GetSchedulerConfig"}

Handler = t.Callable[[State, str, dict[str, str], t.Any], tuple[int, bytes]]


def operation(request: Request) -> str:
    """A name for what a request asks for, in the manner of AWS's operations."""
    path = request.target.partition("?")[0]
    if request.method == "POST":
        return {
            f"{_TEMPLATES}search": "SearchComputeConfigs",
            _TEMPLATES: "CreateComputeConfig",
        }.get(path, "Unknown")
    if request.method != "GET":
        return "Unknown"
    if path in _WHOLE:
        return _WHOLE[path]
    if path.startswith(_CLOUDS):
        parts = path.removeprefix(_CLOUDS).split("/")
        return _OF_A_CLOUD.get("/".join(parts[1:2] + parts[3:]), "Unknown")
    return "GetDefaultComputeConfig" if path.startswith(f"{_TEMPLATES}default/") else "Unknown"


def answer(state: State, request: Request) -> Answer:
    """The answer to a request with the token of the organization's owner."""
    path, _mark, query = request.target.partition("?")
    try:
        if request.headers.get("authorization") != f"Bearer {OWNER_TOKEN}":
            raise ApiError(401, "Invalid or expired credentials.")
        handler = _HANDLERS.get(operation(request), _unknown)
        status, body = handler(
            state, path, dict(parse_qsl(query)), json.loads(request.body or "null")
        )
    except ApiError as error:
        status, body = error.status, json.dumps(error.body()).encode()
    return Answer(status, body, "application/json")


def _unknown(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    raise ApiError(404, "Not Found")


def _list_clouds(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    wanted = query.get("name", "")
    rows = [row for name, row in state.fleet.cloud_rows.items() if wanted in name]
    return _page(rows, query)


def _list_resources(
    state: State, path: str, query: dict[str, str], body: t.Any
) -> tuple[int, bytes]:
    cloud_id = path.removeprefix(_CLOUDS).removesuffix("/resources")
    state.fleet.organization.cloud(cloud_id)
    return _page(state.fleet.resource_rows[cloud_id], query)


def _get_cloud(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    cloud = state.fleet.organization.cloud(path.removeprefix(_CLOUDS))
    return 200, json.dumps({"result": cloud}).encode()


def _get_mapping(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    cloud_id, _deployment, resource_id, _config = path.removeprefix(_CLOUDS).split("/")
    if (cloud_id, resource_id) not in state.fleet.mappings:
        raise not_found(resource_id)
    return 200, state.fleet.mappings[cloud_id, resource_id]


def _search(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    """The newest version of each compute config that matches, or all versions, newest first."""
    name, cloud_id = (body.get("name") or {}).get("equals"), body.get("cloud_id")
    if name and cloud_id:
        lineages = [state.compute_configs.get((cloud_id, name), [])]
    elif not name and not cloud_id:
        lineages = list(state.compute_configs.values())[::-1]
    else:
        lineages = [
            versions
            for (found_in, found), versions in state.compute_configs.items()
            if cloud_id in (None, found_in) and name in (None, found)
        ]
    if body.get("version") == _ALL_VERSIONS:
        return _page([row for versions in lineages for row in reversed(versions)], query)
    return _page([versions[-1] for versions in lineages if versions], query)


def _create(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    check_shape(body)
    cloud_id = body["config"]["cloud_id"]
    state.fleet.organization.primary_resource(cloud_id)
    key = cloud_id, body["name"]
    versions = state.compute_configs.get(key, [])
    if versions and not body.get("new_version"):
        raise ApiError(409, f"A compute config with the name {body['name']} already exists.")
    template = state.fleet.template(body, len(versions) + 1)
    # The newest is the last one: searches show it first.
    state.compute_configs.pop(key, None)
    state.compute_configs[key] = [*versions, state.fleet.row(template)]
    return 201, json.dumps({"result": template}).encode()


def _default(state: State, path: str, query: dict[str, str], body: t.Any) -> tuple[int, bytes]:
    cloud_id = path.rpartition("/")[2]
    if cloud_id not in state.fleet.organization.clouds:
        raise not_found(cloud_id)
    exchange = Exchange(state.fleet.organization, OWNER, query, body, {"cloud_id": cloud_id})
    status, content = ROUTES["GET", f"{_TEMPLATES}default/<cloud_id>"](exchange)
    return status, json.dumps(content).encode()


_HANDLERS: dict[str, Handler] = {
    "ListClouds": _list_clouds,
    "ListCloudResources": _list_resources,
    "GetCloud": _get_cloud,
    "GetIamMapping": _get_mapping,
    "SearchComputeConfigs": _search,
    "CreateComputeConfig": _create,
    "GetDefaultComputeConfig": _default,
}


def _page(rows: list[bytes], query: dict[str, str]) -> tuple[int, bytes]:
    start = int(query.get("paging_token", 0))
    end = start + int(query.get("count", _PAGE))
    metadata = {"total": len(rows), "next_paging_token": str(end) if end < len(rows) else None}
    return 200, b'{"results": [' + b", ".join(rows[start:end]) + b'], "metadata": ' + json.dumps(
        metadata
    ).encode() + b"}"

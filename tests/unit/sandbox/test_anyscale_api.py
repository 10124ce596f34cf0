# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Anyscale API: credentials, envelopes, clouds and the Cloud IAM mapping."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

OWNER = "aph0_sandbox"
MEMBER = "aph0_sandboxmember"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {OWNER}"}, 200),
        ({"Cookie": f"cli_token={OWNER}"}, 200),
        ({"Authorization": f"Bearer {MEMBER}"}, 200),
        ({"Authorization": "Bearer aph0_unknown"}, 401),
        ({"Authorization": f"Basic {OWNER}"}, 401),
        ({"Accept": "application/json"}, 401),
    ],
    ids=["bearer", "cookie", "member", "unknown token", "basic", "none"],
)
def test_credentials(api: t.Any, headers: dict[str, str], status: int) -> None:
    answer = api("GET", "/api/v2/userinfo/", **headers)
    assert answer.status == status
    assert answer.headers["x-trace-id"]


def test_userinfo(sandbox: Sandbox, api: t.Any) -> None:
    cloud_id = sandbox.organization.add_cloud("demo")
    user = api("GET", "/api/v2/userinfo/").body["result"]
    assert user["organization_permission_level"] == "owner"
    assert [organization["default_cloud_id"] for organization in user["organizations"]] == [
        cloud_id
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/nothing", 404),
        ("GET", "/api/v2/compute_templates/", 405),
        ("GET", "/api/v2/clouds/cld_unknown", 404),
        ("GET", "/ext/v0/clouds/cld_unknown", 404),
        ("GET", "/api/v2/clouds/cld_unknown/resources", 404),
        ("GET", "/api/v2/compute_templates/cpt_unknown", 404),
        ("POST", "/api/v2/compute_templates/cpt_unknown/archive", 404),
        ("GET", "/ext/v0/clouds/default", 404),
        ("GET", "/api/v2/clouds/?count=1001", 422),
        ("GET", "/api/v2/clouds/?paging_token=nonsense", 422),
    ],
)
def test_refused(api: t.Any, method: str, path: str, status: int) -> None:
    answer = api(method, path)
    assert answer.status == status
    assert answer.body["error"]["detail"]


@pytest.mark.parametrize("path", ["/api/v2/clouds", "/api/v2/clouds/", "//api/v2/clouds/"])
def test_slashes_lead_to_the_route(api: t.Any, path: str) -> None:
    assert api("GET", path).body == {
        "results": [],
        "metadata": {"total": 0, "next_paging_token": None},
    }


def test_clouds_come_in_pages(sandbox: Sandbox, api: t.Any) -> None:
    made = [sandbox.organization.add_cloud(f"cloud-{number:02}") for number in range(23)]
    found: list[str] = []
    path, sizes = "/api/v2/clouds/", []
    while path:
        page = api("GET", path).body
        found += [cloud["id"] for cloud in page["results"]]
        sizes.append(len(page["results"]))
        token = page["metadata"]["next_paging_token"]
        path = f"/api/v2/clouds/?paging_token={token}" if token else ""
    assert (found, sizes) == (made, [10, 10, 3])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=speech", ["speech-prod", "speech-dev"]),
        ("sort_field=NAME", ["speech-dev", "speech-prod", "vision-prod"]),
        ("sort_field=NAME&sort_order=DESC", ["vision-prod", "speech-prod", "speech-dev"]),
        ("sort_order=DESC", ["vision-prod", "speech-dev", "speech-prod"]),
        ("count=1", ["speech-prod"]),
        ("state_filter=DELETED", []),
        ("state_filter=DELETED&state_filter=ACTIVE&name=vision", ["vision-prod"]),
    ],
)
def test_clouds_found(sandbox: Sandbox, api: t.Any, query: str, names: list[str]) -> None:
    for name in ("speech-prod", "speech-dev", "vision-prod"):
        sandbox.organization.add_cloud(name)
    assert [
        cloud["name"] for cloud in api("GET", f"/api/v2/clouds/?{query}").body["results"]
    ] == names


def test_cloud_by_name_is_exact_and_the_newest(sandbox: Sandbox, api: t.Any) -> None:
    for cloud_id in ("cld_old", "cld_new"):
        sandbox.organization.add_cloud("speech", cloud_id=cloud_id)
    assert (
        api("POST", "/api/v2/clouds/find_by_name", {"name": "speech"}).body["result"]["id"]
        == "cld_new"
    )
    assert api("POST", "/api/v2/clouds/find_by_name", {"name": "spee"}).status == 404


def test_default_cloud(sandbox: Sandbox, api: t.Any) -> None:
    first, second = (sandbox.organization.add_cloud(name) for name in ("first", "second"))
    path = f"/api/v2/organizations/update_default_cloud?cloud_id={second}"
    assert api("GET", "/ext/v0/clouds/default").body["result"]["id"] == first
    assert api("POST", path, Authorization=f"Bearer {MEMBER}").status == 403
    assert api("POST", path).status == 204
    assert api("GET", "/ext/v0/clouds/default").body["result"]["id"] == second


@pytest.mark.parametrize("path", ["resources", "deployments"])
def test_resources(sandbox: Sandbox, api: t.Any, path: str) -> None:
    cloud_id = sandbox.organization.add_cloud(
        "demo", bucket="data-1", aws_config={"cluster_iam_role_id": "arn"}
    )
    sandbox.organization.add_resource(cloud_id, "second")
    first, second = api("GET", f"/api/v2/clouds/{cloud_id}/{path}").body["results"]
    assert first["object_storage"]["bucket_name"] == "s3://data-1"
    assert first["aws_config"] == {"cluster_iam_role_id": "arn"}
    assert (first["is_default"], second["is_default"]) == (True, False)


def test_resource_by_name(sandbox: Sandbox, api: t.Any) -> None:
    cloud_id = sandbox.organization.add_cloud("demo")
    path = f"/api/v2/clouds/{cloud_id}/find_cloud_resource_by_name?cloud_resource_name="
    assert api("POST", f"{path}vm-aws-us-west-2").body["result"]["is_default"]
    assert api("POST", f"{path}other").status == 404


KIND = {"cloud_provider": "AWS", "compute_stack": "VM"}
RULES = [
    {"selector": "workload-type in (job, service),project=ml", "value": "ray"},
    {"selector": "user=a@b.c", "value": "x"},
]
MAPPING = {"rules": RULES, "fallback_rule": "CLOUD_DEFAULT"}


def mapping_path(sandbox: Sandbox) -> str:
    cloud_id = sandbox.organization.add_cloud("demo")
    resource_id = sandbox.organization.resources[cloud_id][0]["cloud_resource_id"]
    return f"/api/v2/clouds/{cloud_id}/deployment/{resource_id}/config"


def test_mapping_is_replaced_and_cleared(sandbox: Sandbox, api: t.Any) -> None:
    path = mapping_path(sandbox)
    assert api("GET", path).body["result"]["spec"]["dataplane_iam_mapping"] == {}
    sent = {**KIND, "dataplane_iam_mapping": MAPPING, "user_tag_annotation_prefix": "team/"}
    kept = {"mode": "CUSTOMER_MANAGED", **MAPPING}
    spec = api("PUT", path, {"spec": sent}).body["result"]["spec"]
    assert (spec["dataplane_iam_mapping"], spec["user_tag_annotation_prefix"]) == (kept, "team/")
    assert api("PUT", path, {"spec": {}}).body["result"]["spec"] == spec
    cleared = api("PUT", path, {"spec": KIND}).body["result"]["spec"]
    assert cleared["dataplane_iam_mapping"] == {}
    assert "user_tag_annotation_prefix" not in cleared


def test_what_the_service_derives_or_does_not_know_is_ignored(sandbox: Sandbox, api: t.Any) -> None:
    path = mapping_path(sandbox)
    sent = {**KIND, "dataplane_iam_mapping": {**MAPPING, "mode": "OTHER"}, "typo": 1}
    spec = api("PUT", path, {"spec": sent}).body["result"]["spec"]
    assert spec["dataplane_iam_mapping"] == {"mode": "CUSTOMER_MANAGED", **MAPPING}
    assert "typo" not in spec
    without_rules = {**KIND, "dataplane_iam_mapping": {"fallback_rule": "FAIL"}}
    cleared = api("PUT", path, {"spec": without_rules}).body["result"]["spec"]
    assert cleared["dataplane_iam_mapping"] == {}


def test_a_resource_is_written_by_way_of_any_cloud(sandbox: Sandbox, api: t.Any) -> None:
    path = mapping_path(sandbox)
    other = sandbox.organization.add_cloud("other")
    resource_id = path.split("/")[-2]
    by_way_of = f"/api/v2/clouds/{other}/deployment/{resource_id}/config"
    sent = {**KIND, "dataplane_iam_mapping": MAPPING}
    assert api("PUT", by_way_of, {"spec": sent}).status == 200
    assert api("GET", path).body["result"]["spec"]["dataplane_iam_mapping"]["rules"] == RULES


REFUSED_MAPPINGS = {
    "no provider": {"compute_stack": "VM", "dataplane_iam_mapping": MAPPING},
    "other stack": {**KIND, "compute_stack": "K8S", "dataplane_iam_mapping": MAPPING},
    "no fallback": {**KIND, "dataplane_iam_mapping": {"rules": RULES}},
    "default rule": {**KIND, "dataplane_iam_mapping": {**MAPPING, "default_rule": "x"}},
    "no value": {
        **KIND,
        "dataplane_iam_mapping": {**MAPPING, "rules": [{"selector": "project=ml"}]},
    },
    "unknown selector key": {
        **KIND,
        "dataplane_iam_mapping": {**MAPPING, "rules": [{"selector": "team=ml", "value": "x"}]},
    },
    "unknown workload type": {
        **KIND,
        "dataplane_iam_mapping": {
            **MAPPING,
            "rules": [{"selector": "workload-type=cluster", "value": "x"}],
        },
    },
    "no selector": {
        **KIND,
        "dataplane_iam_mapping": {**MAPPING, "rules": [{"selector": "project in (", "value": "x"}]},
    },
}


@pytest.mark.parametrize("spec", REFUSED_MAPPINGS.values(), ids=REFUSED_MAPPINGS)
def test_refused_mapping(sandbox: Sandbox, api: t.Any, spec: dict[str, t.Any]) -> None:
    assert api("PUT", mapping_path(sandbox), {"spec": spec}).status == 400


def test_a_spec_is_an_object(sandbox: Sandbox, api: t.Any) -> None:
    assert api("PUT", mapping_path(sandbox), {"spec": "text"}).status == 422


def test_mapping_is_the_owners_to_write(sandbox: Sandbox, api: t.Any) -> None:
    path, member = mapping_path(sandbox), {"Authorization": f"Bearer {MEMBER}"}
    assert api("GET", path, **member).status == 200
    assert api("PUT", path, {"spec": KIND}, **member).status == 403


def test_calls_are_recorded_by_route(sandbox: Sandbox, api: t.Any) -> None:
    cloud_id = sandbox.organization.add_cloud("demo")
    api("GET", f"/api/v2/clouds/{cloud_id}/resources")
    api("POST", "/api/v2/compute_templates/search", {})
    api("POST", "/api/v2/compute_templates/cpt_1/archive")
    seen = [
        (call["service"], call["operation"], call["resource"], call["status"], call["write"])
        for call in sandbox.calls()
    ]
    assert seen == [
        ("anyscale", "GET /api/v2/clouds/{id}/resources", cloud_id, 200, False),
        ("anyscale", "POST /api/v2/compute_templates/search", "", 200, False),
        ("anyscale", "POST /api/v2/compute_templates/{id}/archive", "cpt_1", 404, True),
    ]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs of the Anyscale API: validation, versions, search and the archive."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

CREATE = "/api/v2/compute_templates/"
SEARCH = "/api/v2/compute_templates/search"
HEAD = {"name": "head", "instance_type": "m5.large"}
WORKER = {"name": "cpu", "instance_type": "m5.large"}
PROFILE = {"IamInstanceProfile": {"Arn": "arn:aws:iam::222222222222:instance-profile/ray"}}


@pytest.fixture(autouse=True)
def scene(sandbox: Sandbox) -> None:
    """Two clouds."""
    for name in ("one", "two"):
        sandbox.organization.add_cloud(name, cloud_id=f"cld_{name}")


def request(name: str = "team-a", cloud_id: str = "cld_one", **config: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "anonymous": False,
        "new_version": True,
        "config": {"cloud_id": cloud_id, "head_node_type": HEAD, **config},
    }


def test_defaults_of_the_server(api: t.Any) -> None:
    answer = api("POST", CREATE, request(worker_node_types=[{"instance_type": "m5.large"}]))
    assert answer.status == 201
    template = answer.body["result"]
    config = template["config"]
    assert (template["version"], template["archived_at"], template["creator_id"]) == (
        1,
        None,
        "usr_owner",
    )
    assert (
        config["allowed_azs"],
        config["idle_termination_minutes"],
        config["maximum_uptime_minutes"],
    ) == (["any"], 120, None)
    assert (
        config["flags"],
        config["deployment_configs"],
        config["advanced_configurations_json"],
    ) == (None, None, None)
    assert (config["head_node_type"]["resources"], config["head_node_type"]["name"]) == (
        None,
        "head",
    )
    worker = config["worker_node_types"][0]
    assert (worker["name"], worker["min_workers"], worker["max_workers"]) == (
        "m5.large",
        None,
        None,
    )


def test_what_was_sent_is_kept(api: t.Any) -> None:
    cluster: dict[str, t.Any] = {
        "worker_node_types": [
            {**WORKER, "advanced_configurations_json": PROFILE, "labels": {"team": "a"}}
        ],
        "advanced_configurations_json": PROFILE,
        "flags": {"allow-cross-zone-autoscaling": False, "max_resources": {"CPU": 64.5}},
    }
    sent = request(
        **cluster,
        deployment_configs=[{"head_node_type": HEAD, **cluster}],
        idle_termination_minutes=0,
    )
    config = api("POST", CREATE, sent).body["result"]["config"]
    assert (config["flags"], config["advanced_configurations_json"]) == (cluster["flags"], PROFILE)
    assert config["worker_node_types"][0]["labels"] == {"team": "a"}
    assert config["idle_termination_minutes"] == 0
    deployment = config["deployment_configs"][0]
    assert (deployment["advanced_configurations_json"], deployment["cloud_deployment"]) == (
        PROFILE,
        None,
    )
    assert deployment["worker_node_types"][0]["advanced_configurations_json"] == PROFILE


def test_fractions_of_custom_resources_are_cut(api: t.Any) -> None:
    worker = {**WORKER, "resources": {"cpu": 4, "custom_resources": {"slot": 2.9}}}
    made = api("POST", CREATE, request(worker_node_types=[worker])).body["result"]["config"]
    assert made["worker_node_types"][0]["resources"]["custom_resources"] == {"slot": 2}


MISSHAPED: dict[str, tuple[t.Any, list[t.Any]]] = {
    "no body": (None, ["body"]),
    "not an object": ([], ["body"]),
    "no config": ({"name": "team-a"}, ["body", "config"]),
    "no cloud": ({"config": {"head_node_type": HEAD}}, ["body", "config", "cloud_id"]),
    "no head": ({"config": {"cloud_id": "cld_one"}}, ["body", "config", "head_node_type"]),
    "head without a name": (
        request(head_node_type={"instance_type": "x"}),
        ["body", "config", "head_node_type", "name"],
    ),
    "unknown field": ({**request(), "x": 1}, ["body", "x"]),
    "unknown field of the config": (request(zones=[]), ["body", "config", "zones"]),
    "unknown field of a node": (
        request(head_node_type={**HEAD, "cloud_deployment": {}}),
        ["body", "config", "head_node_type", "cloud_deployment"],
    ),
    "unknown field of a deployment": (
        request(deployment_configs=[{"head_node_type": HEAD, "x": 1}]),
        ["body", "config", "deployment_configs", 0, "x"],
    ),
    "memory as text": (
        request(head_node_type={**HEAD, "resources": {"memory": "4Gi"}}),
        ["body", "config", "head_node_type", "resources", "memory"],
    ),
    "number as name": (request(name=1), ["body", "name"]),  # type: ignore[arg-type]
    "truth as a number": (
        request(worker_node_types=[{**WORKER, "max_workers": True}]),
        ["body", "config", "worker_node_types", 0, "max_workers"],
    ),
    "any and a zone": (
        request(allowed_azs=["any", "us-west-2a"]),
        ["body", "config", "allowed_azs"],
    ),
    "no workers at most": (
        request(worker_node_types=[{**WORKER, "max_workers": 0}]),
        ["body", "config", "worker_node_types", 0, "max_workers"],
    ),
    "more workers at least than at most": (
        request(worker_node_types=[{**WORKER, "min_workers": 3, "max_workers": 2}]),
        ["body", "config", "worker_node_types", 0, "max_workers"],
    ),
    "unknown label": (
        request(head_node_type={**HEAD, "required_labels": {"team": "a"}}),
        ["body", "config", "head_node_type", "required_labels", "team"],
    ),
    "accelerator without a GPU": (
        request(head_node_type={**HEAD, "required_labels": {"ray.io/accelerator-type": "T4"}}),
        ["body", "config", "head_node_type", "required_labels"],
    ),
}


@pytest.mark.parametrize(("body", "place"), MISSHAPED.values(), ids=MISSHAPED)
def test_misshaped(api: t.Any, body: t.Any, place: list[t.Any]) -> None:
    answer = api("POST", CREATE, body)
    assert answer.status == 422
    assert answer.body["error"]["detail"][0]["loc"] == place
    assert answer.body["error"]["message"]


def test_accelerator_with_a_gpu(api: t.Any) -> None:
    head = {
        **HEAD,
        "required_labels": {"ray.io/accelerator-type": "T4"},
        "required_resources": {"gpu": 1},
    }
    assert api("POST", CREATE, request(head_node_type=head)).status == 201


MEANINGLESS = {
    "unknown flag": request(flags={"allow-everything": True}),
    "unknown flag of a node": request(head_node_type={**HEAD, "flags": {"max_resources": {}}}),
    "key that EC2 does not know": request(advanced_configurations_json={"InstanceProfile": {}}),
    "key of a profile that EC2 does not know": request(
        advanced_configurations_json={"IamInstanceProfile": {"arn": "x"}}
    ),
    "key of a worker that EC2 does not know": request(
        worker_node_types=[{**WORKER, "advanced_configurations_json": {"Disks": []}}]
    ),
    "legacy key that EC2 does not know": request(aws_advanced_configurations_json={"Disks": []}),
    "key of a deployment that EC2 does not know": request(
        deployment_configs=[{"head_node_type": HEAD, "advanced_configurations_json": {"Disks": []}}]
    ),
}


@pytest.mark.parametrize("body", MEANINGLESS.values(), ids=MEANINGLESS)
def test_meaningless(api: t.Any, body: dict[str, t.Any]) -> None:
    assert api("POST", CREATE, body).status == 400


def test_only_aws_machines_are_checked_against_ec2(sandbox: Sandbox, api: t.Any) -> None:
    sandbox.organization.add_cloud("k8s", cloud_id="cld_k8s", compute_stack="K8S")
    assert (
        api(
            "POST", CREATE, request(cloud_id="cld_k8s", advanced_configurations_json={"spec": {}})
        ).status
        == 201
    )
    assert api("GET", "/api/v2/compute_templates/default/cld_k8s").status == 400


def test_cloud_that_cannot_take_it(sandbox: Sandbox, api: t.Any) -> None:
    assert api("POST", CREATE, request(cloud_id="cld_unknown", flags={"x": 1})).status == 404
    sandbox.organization.hibernated.add("cld_one")
    assert api("POST", CREATE, request()).status == 599
    sandbox.organization.resources["cld_two"].clear()
    assert api("POST", CREATE, request(cloud_id="cld_two")).status == 500


def test_versions_count_for_each_cloud_and_name(api: t.Any) -> None:
    made = [
        ("team-a", "cld_one"),
        ("team-a", "cld_one"),
        ("team-a", "cld_two"),
        ("team-b", "cld_one"),
        ("team-a", "cld_one"),
    ]
    versions = [api("POST", CREATE, request(*which)).body["result"]["version"] for which in made]
    assert versions == [1, 2, 1, 1, 3]
    body = {**request(), "new_version": False}
    assert api("POST", CREATE, body).status == 409
    assert api("POST", CREATE, {**body, "name": "team-c"}).status == 201


def test_anonymous_config_gets_a_name_and_hides(api: t.Any) -> None:
    body = {key: value for key, value in request().items() if key != "name"}
    names = [
        api("POST", CREATE, {**body, "anonymous": True}).body["result"]["name"]
        for _attempt in range(2)
    ]
    assert names[0] == names[1]
    assert api("POST", SEARCH, {}).body["results"] == []
    assert len(api("POST", SEARCH, {"include_anonymous": True}).body["results"]) == 1


QUERIES: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "latest of each": ({}, ["team-b:1@one", "team-a:1@two", "team-a:2@one"]),
    "latest, asked for": ({"version": -1, "cloud_id": "cld_one"}, ["team-b:1@one", "team-a:2@one"]),
    "all versions": (
        {"version": -2, "cloud_id": "cld_one"},
        ["team-b:1@one", "team-a:2@one", "team-a:1@one"],
    ),
    "one version": ({"version": 1, "name": {"equals": "team-a"}}, ["team-a:1@two", "team-a:1@one"]),
    "by name": ({"name": {"equals": "team-b"}}, ["team-b:1@one"]),
    "by other name": ({"name": {"not_equal": "team-a"}}, ["team-b:1@one"]),
    "by part of a name": ({"name": {"contains": "-a"}}, ["team-a:1@two", "team-a:2@one"]),
    "by cloud": ({"cloud_id": "cld_two"}, ["team-a:1@two"]),
    "by creator": ({"creator_id": "usr_member"}, []),
    "archived": ({"archive_status": "ARCHIVED"}, ["old:1@one"]),
    "archived too": ({"archive_status": "ALL", "name": {"contains": "o"}}, ["old:1@one"]),
    "sorted": (
        {
            "sort_by_clauses": [
                {"sort_field": "NAME", "sort_order": "ASC"},
                {"sort_field": "CREATED_AT", "sort_order": "ASC"},
            ]
        },
        ["team-a:2@one", "team-a:1@two", "team-b:1@one"],
    ),
    "body without meaning": (
        {"orgwide": True, "paging": {"count": 1}, "cloud_id": "cld_two"},
        ["team-a:1@two"],
    ),
}


@pytest.mark.parametrize(("query", "found"), QUERIES.values(), ids=QUERIES)
def test_search(sandbox: Sandbox, api: t.Any, query: dict[str, t.Any], found: list[str]) -> None:
    create = sandbox.organization.create_template
    sandbox.organization.templates.set_archived(create(request("old"))["id"], True)
    for which in (("team-a",), ("team-a",), ("team-a", "cld_two"), ("team-b",)):
        create(request(*which))
    results = api("POST", SEARCH, query).body["results"]
    assert [
        f"{row['name']}:{row['version']}@{row['config']['cloud']['name']}" for row in results
    ] == found
    assert all(row["creator"]["email"] for row in results)


def test_search_comes_in_pages_by_query(sandbox: Sandbox, api: t.Any) -> None:
    for number in range(12):
        sandbox.organization.create_template(request(f"team-{number:02}"))
    first = api("POST", SEARCH, {"paging": {"count": 100}}).body
    assert (len(first["results"]), first["metadata"]["total"]) == (10, 12)
    second = api("POST", f"{SEARCH}?paging_token={first['metadata']['next_paging_token']}", {}).body
    assert [row["name"] for row in second["results"]] == ["team-01", "team-00"]
    assert second["metadata"]["next_paging_token"] is None
    assert len(api("POST", f"{SEARCH}?count=12", {}).body["results"]) == 12


def test_newest_versions_of_all_compute_configs_come_in_pages(api: t.Any) -> None:
    """Without a name or a cloud, one row for each name in each cloud: version -1 "will return only
    the latest version of each Compute Template", says ComputeTemplateQuery of Anyscale's client.
    Archived ones by request alone, and what has no name of its own neither way.
    """
    for number in range(6):
        for cloud in ("cld_one", "cld_two"):
            api("POST", CREATE, request(f"team-{number}", cloud))
    for _version in range(2):
        newest = api("POST", CREATE, request("team-3", "cld_two")).body["result"]
    api("POST", CREATE, {**request(), "name": None, "anonymous": True})
    api("POST", f"{CREATE}{newest['id']}/archive")

    def found(**search: t.Any) -> list[tuple[str, str, int]]:
        rows: list[tuple[str, str, int]] = []
        token = ""
        while token is not None:
            path = f"{SEARCH}?count=5{token and f'&paging_token={token}'}"
            page = api("POST", path, {"version": -1, **search}).body
            assert page["metadata"]["total"] == (12 if search else 11)
            rows += [
                (row["name"], row["config"]["cloud_id"], row["version"]) for row in page["results"]
            ]
            token = page["metadata"]["next_paging_token"]
        return rows

    each = {(f"team-{number}", cloud, 1) for number in range(6) for cloud in ("cld_one", "cld_two")}
    in_use = each - {("team-3", "cld_two", 1)}
    assert sorted(found()) == sorted(in_use)
    assert sorted(found(archive_status="ALL")) == sorted(in_use | {("team-3", "cld_two", 3)})


def test_archive_is_for_the_whole_lineage(api: t.Any) -> None:
    first, second, other = (
        api("POST", CREATE, request("team-a", cloud)).body["result"]["id"]
        for cloud in ["cld_one"] * 2 + ["cld_two"]
    )

    def archived() -> list[bool]:
        return [
            bool(api("GET", f"{CREATE}{one}").body["result"]["archived_at"])
            for one in (first, second, other)
        ]

    assert [api("POST", f"{CREATE}{first}/archive").status for _attempt in range(2)] == [204, 204]
    assert archived() == [True, True, False]
    assert api("POST", CREATE, request("team-a")).status == 409
    assert api("POST", f"{CREATE}{second}/unarchive").status == 204
    assert archived() == [False, False, False]
    assert api("POST", CREATE, request("team-a")).body["result"]["version"] == 3


def test_default_config(api: t.Any) -> None:
    config = api("GET", "/api/v2/compute_templates/default/cld_one").body["result"]
    template = api("GET", "/ext/v0/cluster_computes/default?cloud_id=cld_one").body["result"]
    assert template["config"] == config
    assert config["cloud_id"] == "cld_one"
    assert config["head_node_type"]["instance_type"]
    assert (
        api("GET", "/ext/v0/cluster_computes/default").body["result"]["config"]["cloud_id"]
        == "cld_one"
    )
    assert api("POST", SEARCH, {"include_anonymous": True}).body["results"] == []


def test_external_twin(api: t.Any) -> None:
    made = api("POST", "/ext/v0/cluster_computes/", request()).body["result"]
    assert api("GET", f"/ext/v0/cluster_computes/{made['id']}").body["result"] == made
    api("POST", f"{CREATE}{made['id']}/archive")
    page = api("POST", "/ext/v0/cluster_computes/search", {"paging": {"count": 1}}).body
    assert [row["id"] for row in page["results"]] == [made["id"]]
    assert "creator" not in page["results"][0]
    assert api("DELETE", f"/ext/v0/cluster_computes/{made['id']}").status == 204
    assert api("GET", f"/ext/v0/cluster_computes/{made['id']}").status == 404

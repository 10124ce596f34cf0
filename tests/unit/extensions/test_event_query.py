# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries by which Ansible Automation Platform counts what modules manage, run as AWX runs them:
awx/main/tasks/host_indirect.py. A query that fails there, or gives no object, loses the counts of the
whole job.
"""

from __future__ import annotations

import typing as t

import jq
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

COLLECTION = "rayfleet.anyscale."
QUERIES = yaml.safe_load((ROOT / "extensions/audit/event_query.yml").read_text())
# What a module returns that manages a resource of AWS, and names it.
NAMED_BY = {"role_arn", "bucket", "instance_profile_arn"}
NODES = {
    "iam_trust_ec2": ("ray-team-a", "arn:aws:iam::123456789012:role/ray-team-a", "IAM Role"),
    "iam_pass_role": (
        "anyscale-control-plane",
        "arn:aws:iam::123456789012:role/anyscale-control-plane",
        "IAM Role",
    ),
    "iam_instance_profile": (
        "ray-ml",
        "arn:aws:iam::123456789012:instance-profile/ray-ml",
        "IAM Instance Profile",
    ),
    "compute_config_profile": (
        "ray-team-a",
        "arn:aws:iam::123456789012:instance-profile/ray-team-a",
        "IAM Instance Profile",
    ),
    "s3_cloud_access": ("anyscale-production-data", "anyscale-production-data", "Bucket"),
}

Json = dict[str, t.Any]


def returned(module: str) -> Json:
    """What a module documents that it returns, with the samples."""
    source = (ROOT / f"plugins/modules/{module}.py").read_text()
    values = yaml.safe_load(source.partition('RETURN = r"""')[2].partition('"""')[0])
    return {name: value.get("sample") for name, value in values.items()}


def nodes(module: str, result: Json) -> list[Json]:
    return jq.compile(QUERIES[f"{COLLECTION}{module}"]["query"]).input(result).all()


@pytest.mark.parametrize("module", NODES)
def test_what_a_module_manages_is_one_node(module: str) -> None:
    """With a name, and one fact by which jobs tell it apart."""
    name, identifier, kind = NODES[module]
    [node] = nodes(module, returned(module))
    assert (node["name"], [*node["canonical_facts"].values()]) == (name, [identifier])
    assert node["facts"].keys() == {"infra_type", "infra_bucket", "device_type"}
    assert node["facts"]["device_type"] == kind


@pytest.mark.parametrize("module", NODES)
@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"failed": True, "msg": "No."}, id="failed"),
        pytest.param({"skipped": True, "changed": False}, id="skipped"),
        pytest.param(dict.fromkeys(NAMED_BY), id="without a resource"),
    ],
)
def test_a_task_that_managed_nothing_has_no_node(module: str, result: Json) -> None:
    assert nodes(module, result) == []


def test_every_module_that_names_a_resource_has_a_query() -> None:
    changing = [
        path.stem
        for path in (ROOT / "plugins/modules").glob("*.py")
        if not path.stem.endswith("_info") and path.stem not in ("fleet_audit", "audit_report")
    ]
    naming = {module for module in changing if NAMED_BY & returned(module).keys()}
    assert naming == set(NODES) == {name.removeprefix(COLLECTION) for name in QUERIES}

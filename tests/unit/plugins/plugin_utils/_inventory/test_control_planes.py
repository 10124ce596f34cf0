# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No clusters run with the control-plane role of a cloud, and no cloud is left out by what another
one has registered as its own.
"""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import build_fleet
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._inventory.api_rows import (
    ACCOUNT,
    ALLOW_ALL,
    OTHER_ACCOUNT,
    Json,
    resource,
    role_arn,
    row,
)


def cloud(number: int, role: str, control_plane: str | None, **changes: t.Any) -> Json:
    """A cloud whose clusters have this role, and for which Anyscale assumes that one."""
    made = resource(
        cloud_resource_id=f"cldrsrc_{number}",
        aws_config={
            "cluster_iam_role_id": role_arn(role, changes.pop("account", ACCOUNT)),
            "anyscale_iam_role_id": control_plane and role_arn(control_plane),
        },
        **changes,
    )
    return row(f"cloud-{number}", made, cloud_id=f"cld_{number}")


MINE = cloud(1, "nodes", "control")
CLAIMS_MY_CONTROL_PLANE = cloud(2, "control", "control-2")
CALLS_MY_NODES_ITS_CONTROL_PLANE = cloud(2, "nodes-2", "nodes")


def authorities(rows: list[Json], document: Json, **options: t.Any) -> dict[str, Json]:
    """What the plugin says of the clouds, by their IDs."""
    hosts, _problems = build_fleet(
        rows, parse_fleet_file({"allow": ALLOW_ALL, **document}), **options
    )
    return {
        host.variables["anyscale_cloud_id"]: host.variables["anyscale_authority"]
        for host in hosts
        if "anyscale_authority" in host.variables
    }


@pytest.mark.parametrize(
    ("rows", "document", "covered"),
    [
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE], {}, {"cld_1"}, id="of one that is not listed either"
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cloud-2": {}}},
            {"cld_1"},
            id="listed by its name",
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cld_1": {}}},
            {"cld_1"},
            id="of one that is listed",
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cld_2": {}}},
            {"cld_1", "cld_2"},
            id="of one that is not listed, while this one is",
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cld_1": {}, "cld_2": {}}},
            {"cld_1"},
            id="both are listed",
        ),
        pytest.param(
            [MINE, cloud(2, "team/Control", None)],
            {},
            {"cld_1"},
            id="in another case, with a path",
        ),
        pytest.param(
            [MINE, cloud(2, "control", None, account=OTHER_ACCOUNT)],
            {},
            {"cld_1", "cld_2"},
            id="of the same name in another account",
        ),
        pytest.param(
            [cloud(1, "nodes", "control", compute_stack="K8S"), CLAIMS_MY_CONTROL_PLANE],
            {},
            set(),
            id="of one on Kubernetes, which has no host",
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cld_1": {"skip": True}}},
            set(),
            id="of one that is skipped",
        ),
        pytest.param(
            [MINE, CLAIMS_MY_CONTROL_PLANE],
            {"clouds": {"cloud-2": {"role": "ray"}}},
            {"cld_1", "cld_2"},
            id="the operator gives it another role",
        ),
        pytest.param(
            [MINE, cloud(2, "nodes-2", None)],
            {"clouds": {"cloud-2": {"role": "control"}}},
            {"cld_1", "cld_2"},
            id="what the operator gives is not judged",
        ),
        pytest.param(
            [cloud(1, "control", "control")], {"clouds": {"cld_1": {}}}, set(), id="its own"
        ),
        pytest.param(
            [cloud(1, "nodes", "control")],
            {"clouds": {"cld_1": {"role": "control"}}},
            set(),
            id="its own, given by the operator",
        ),
    ],
)
def test_a_cloud_whose_role_is_a_control_plane_role(
    rows: list[Json], document: Json, covered: set[str]
) -> None:
    found = authorities(rows, document)
    assert {cloud_id for cloud_id, verdict in found.items() if verdict["covered"]} == covered


def test_it_says_whose_role_it_is_and_offers_no_pattern_for_it() -> None:
    verdict = authorities(
        [MINE, CLAIMS_MY_CONTROL_PLANE], {"allow": {**ALLOW_ALL, "roles": ["nodes"]}}
    )["cld_2"]
    assert verdict["reason"] == (
        "its role control is the control-plane role of cloud-1 (cld_1); if it is not, list this "
        "cloud by its ID under clouds"
    )
    assert (verdict["contested"], verdict["lines"]) == (True, "")


def test_what_it_claims_beside_that_is_not_contested() -> None:
    allow = {**ALLOW_ALL, "shared": {}}
    mine = cloud(1, "nodes", "control", object_storage={"bucket_name": "shared-name"})
    other = cloud(2, "control", None, object_storage={"bucket_name": "shared-name"})
    assert authorities([mine, other], {"allow": allow})["cld_1"]["covered"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["nodes", "control", "other"]),
            st.sampled_from(["nodes", "control", "other", None]),
            st.sampled_from(["VM", "K8S"]),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_no_cloud_that_is_not_listed_by_its_id_has_another_one_left_out(
    others: list[tuple[str, str | None, str]], mark: bool
) -> None:
    rows = [
        cloud(number, role, control_plane, compute_stack=stack)
        for number, (role, control_plane, stack) in enumerate(others, 2)
    ]
    names: Json = {f"cloud-{number}": {} for number in range(2, 6)}
    document = {"clouds": {"cld_1": {}, **names}}
    found = authorities([MINE, *rows], document, mark=mark)
    assert found["cld_1"] == {"covered": True, "listed": True, "listed_by_id": True}
    for number, (role, control_plane, stack) in enumerate(others, 2):
        if stack == "VM" and role in ("control", control_plane):
            assert not found[f"cld_{number}"]["covered"]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is managed of a cloud says which of its variables must be set."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.required_variables import (
    refuse_incomplete,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    MAPPING,
    PASS_ROLE,
    PROFILE,
    STAGES,
    TRUST,
)

pytestmark = pytest.mark.core

OWN = {"assign": "cloud_role", "registered_role": "arn:aws:iam::222222222222:role/x/Default"}
COMPLETE: dict[str, t.Any] = {
    "account_id": "222222222222",
    "cloud_id": "cld_a",
    "role": "a",
    "bucket": "a-bucket",
    "compute_config": "a",
}
RULES = [{"selector": "workload-type in (job)", "role": "b"}]


def refusal(stages: t.Collection[str] = STAGES, state: str = "present", **given: t.Any) -> str:
    """The first variable that a cloud lacks; empty if it is complete."""
    known = {key: given.pop(key) for key in ("registered_role", "authority") if key in given}
    cloud = Cloud("a", CloudSettings(**{**COMPLETE, **given}), **known)
    try:
        refuse_incomplete(cloud, stages, state)
    except InputError as error:
        return error.message
    return ""


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({}, "", id="complete"),
        pytest.param({"bucket": None}, "cloud_iam_bucket is not set.", id="no bucket"),
        pytest.param({"bucket": None, "manage_bucket_access": False}, "", id="nor is it managed"),
        pytest.param(
            {"compute_config": None}, "cloud_iam_compute_config is not set.", id="no config"
        ),
        pytest.param({"compute_config": None, "manage_compute_config": False}, "", id="unmanaged"),
        pytest.param({"cloud_id": None}, "cloud_iam_cloud_id is not set.", id="no cloud"),
        pytest.param(
            {"cloud_id": None, "assign": "iam_mapping"},
            "cloud_iam_cloud_id is not set.",
            id="no cloud for a mapping",
        ),
        pytest.param({"compute_config": None, "assign": "iam_mapping"}, "", id="needs no config"),
        pytest.param(
            {"compute_config": None, "assign": "cloud_role"}, "", id="nor does its own role"
        ),
        pytest.param({"role": None}, "", id="the role of the cloud"),
        pytest.param(
            {"role": None, "assign": "iam_mapping"},
            "Neither cloud_iam_mapping_rules nor cloud_iam_role is set.",
            id="no role for all clusters",
        ),
        pytest.param(
            {"role": None, "assign": "iam_mapping", "mapping_rules": RULES}, "", id="rules have one"
        ),
        pytest.param({"manage_pass_role": True}, "", id="the control plane of the cloud"),
    ],
)
def test_a_cloud_lacks(given: dict[str, t.Any], message: str, state: str) -> None:
    assert refusal(state=state, **given) == message


@pytest.mark.parametrize(
    ("given", "stages", "message"),
    [
        pytest.param(
            {"role": None, "cloud_id": None},
            [TRUST],
            "Neither cloud_iam_role nor cloud_iam_cloud_id is set.",
            id="no role",
        ),
        pytest.param(
            {"role": None, "cloud_id": None, "registered_role": "arn:aws:iam::222222222222:role/a"},
            [TRUST],
            "",
            id="one that the inventory has read",
        ),
        pytest.param(
            {"manage_pass_role": True, "cloud_id": None},
            [PASS_ROLE],
            "Neither cloud_iam_control_plane_role nor cloud_iam_cloud_id is set.",
            id="no control plane",
        ),
        pytest.param({"role": "Ray", **OWN}, [TRUST], "", id="not of the profile"),
        pytest.param({"role": "default", **OWN}, [PROFILE], "", id="the registered role"),
        pytest.param(
            {"role": "arn:aws:iam::222222222222:role/Ray", **OWN},
            [PROFILE],
            "cloud_iam_role is 'Ray', but with cloud_iam_assign=cloud_role clusters run with the role "
            "that the cloud is registered with, 'Default'.",
            id="no cluster runs with it",
        ),
        pytest.param({"bucket": None, "compute_config": None}, [TRUST], "", id="another part"),
        pytest.param({"role": None, "assign": "iam_mapping"}, [TRUST], "", id="not of the mapping"),
    ],
)
def test_a_part_lacks(given: dict[str, t.Any], stages: list[str], message: str) -> None:
    assert refusal(stages, **given) == message


def test_a_role_that_keeps_what_it_has_need_not_be_known() -> None:
    """Rules have roles of their own."""
    given = {"role": None, "assign": "iam_mapping", "mapping_rules": RULES, "cloud_id": None}
    assert refusal([TRUST], "absent", **given) == ""
    assert refusal([MAPPING], "absent", **given) == "cloud_iam_cloud_id is not set."


def test_no_registered_control_plane_role_is_written_to() -> None:
    """Any member of the organization can register one for a cloud of theirs. The operator names it."""
    given = {"manage_pass_role": True, "authority": {"covered": True}}
    assert refusal(**given).startswith(
        "cloud_iam_control_plane_role is not set, and the role that is"
    )
    assert refusal(**given, control_plane_role="named") == ""

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator is told of the variables of clouds, once for all clouds that it is true of."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    grouped,
    pass_role_notice,
    region_notice,
    unused_notice,
)

ARN = "arn:aws:iam::123456789012:role/{}"
NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.timezone.utc).timestamp()


def settings_of(**variables: t.Any) -> CloudSettings:
    """The settings of a cloud."""
    given = {"account_id": "123456789012", "cloud_id": "cld_1", **variables}
    return parse_settings({f"cloud_iam_{name}": value for name, value in given.items()})


def test_a_notice_of_many_clouds_is_one_line() -> None:
    """With the first names; the clouds of others are after it, in the order of the run."""
    many = {f"cloud-{index:03}": ("It is so.",) for index in range(300)}
    assert grouped({**many, "other": ("It is not.", "It is so."), "none": ()}) == [
        "cloud-000, cloud-001, cloud-002, cloud-003, cloud-004, cloud-005, cloud-006, cloud-007, "
        "cloud-008, cloud-009 and 291 more: It is so.",
        "other: It is not.",
    ]


# --- the role may be passed -----------------------------------------------------------------------

OWN = ARN.format("ray")
OTHER = ARN.format("teams/ds-nodes")
RULES = [{"selector": "workload-type in (job)", "role": "jobs"}]
ACCEPTED = {"check": "control_plane_pass_role", "reason": "It may.", "until": "2026-12-31"}
# The variables, and how the notice begins; empty if there is none.
PASSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "none, so that it is the registered one": ({}, ""),
    "the registered one, by its ARN": ({"role": OWN}, ""),
    "the registered one, by its name in another case": ({"role": "Ray"}, ""),
    "another one": ({"role": OTHER}, "cloud_iam_role names another role than"),
    "another one, with the permission to pass it": ({"role": OTHER, "manage_pass_role": True}, ""),
    "another one, as the finding of an audit that is accepted": (
        {"role": OTHER, "acknowledged": [ACCEPTED]},
        "",
    ),
    "another one, accepted until yesterday": (
        {"role": OTHER, "acknowledged": [{**ACCEPTED, "until": "2026-11-28"}]},
        "cloud_iam_role",
    ),
    "another one, with another finding accepted": (
        {"role": OTHER, "acknowledged": [{**ACCEPTED, "check": "ec2_trust"}]},
        "cloud_iam_role",
    ),
    "another one, with what is no acknowledgement": (
        {"role": OTHER, "acknowledged": [{**ACCEPTED, "until": "never"}]},
        "cloud_iam_role",
    ),
    "that of a rule": (
        {"assign": "iam_mapping", "mapping_rules": RULES},
        "cloud_iam_mapping_rules names another role than",
    ),
    "that of a rule, which is the registered one": (
        {"assign": "iam_mapping", "mapping_rules": [{**RULES[0], "role": "ray"}]},
        "",
    ),
    "that of a rule that is not used": ({"mapping_rules": RULES}, ""),
    "that of a node group, and another own one": (
        {"role": OTHER, "node_group_roles": {"gpu": "gpu-nodes"}},
        "cloud_iam_role and cloud_iam_node_group_roles name other roles than",
    ),
}


@pytest.mark.parametrize("case", PASSED)
def test_a_role_that_anyscale_may_not_pass_is_said(case: str) -> None:
    """It is not known that it may not: the policies of its control-plane role are not read."""
    variables, words = PASSED[case]
    notice = pass_role_notice(settings_of(**variables), OWN, NOW)
    assert (notice[: len(words)], bool(notice)) == (words, bool(words))
    if notice:
        assert notice.endswith("Set cloud_iam_manage_pass_role to true.")
        assert "Unless" in notice


def test_a_cloud_without_a_known_registration_gets_no_notice() -> None:
    assert pass_role_notice(settings_of(role=OTHER), None, NOW) == ""


def test_where_the_inventory_is_read_from_anyscale_the_control_plane_role_is_to_be_named() -> None:
    """Else the next run would be refused for that."""
    needs_role = pass_role_notice(settings_of(role=OTHER), OWN, NOW, names_control_plane=False)
    assert needs_role.endswith(
        "Set cloud_iam_manage_pass_role to true, and cloud_iam_control_plane_role to the role that "
        "Anyscale assumes."
    )


# --- the region -----------------------------------------------------------------------------------

REGISTERED = {
    "anyscale_bucket": "vision-data",
    "anyscale_region": "us-west-2",
    "anyscale_bucket_region": "us-west-2",
}
REGIONS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], bool]] = {
    "the registered one": (REGISTERED, {"region": "us-west-2"}, False),
    "none": (REGISTERED, {}, False),
    "another one": (REGISTERED, {"region": "us-east-1"}, True),
    "another one, for the registered bucket": (
        REGISTERED,
        {"region": "us-east-1", "bucket": "s3://vision-data/"},
        True,
    ),
    "another one, for another bucket": (
        REGISTERED,
        {"region": "us-east-1", "bucket": "data-sets"},
        False,
    ),
    "that of the bucket, which is not that of the cloud": (
        {**REGISTERED, "anyscale_bucket_region": "us-east-1"},
        {"region": "us-east-1"},
        False,
    ),
    "that of the cloud, which is not that of the bucket": (
        {**REGISTERED, "anyscale_bucket_region": "us-east-1"},
        {"region": "us-west-2"},
        True,
    ),
    "another one, of a cloud that was not read": ({}, {"region": "us-east-1"}, False),
}


@pytest.mark.parametrize("case", REGIONS)
def test_a_region_that_is_not_the_registered_one_is_said(case: str) -> None:
    """It is the region of the bucket; another bucket may be in any."""
    registered, variables, is_said = REGIONS[case]
    notice = region_notice(settings_of(**variables), registered)
    assert bool(notice) is is_said
    if is_said:
        assert notice == (
            f"cloud_iam_region, or else AWS_REGION, is {variables['region']}; the region registered "
            f"for this cloud's bucket at Anyscale is {registered['anyscale_bucket_region']}. Correct "
            "cloud_iam_region."
        )


# --- variables without effect ---------------------------------------------------------------------

UNUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "a compute config, by default": ({"compute_config": "ray"}, ""),
    "a compute config, with the cloud's own role": (
        {"assign": "cloud_role", "compute_config": "ray"},
        "cloud_iam_compute_config has no effect, because cloud_iam_assign is cloud_role. Omit it, or "
        "set cloud_iam_assign to compute_config.",
    ),
    "a compute config and its content, with a mapping": (
        {"assign": "iam_mapping", "compute_config": "ray", "compute_config_spec": {"a": 1}},
        "cloud_iam_compute_config and cloud_iam_compute_config_spec have no effect, because "
        "cloud_iam_assign is iam_mapping. Omit them, or set cloud_iam_assign to compute_config.",
    ),
    "rules, with a mapping": ({"assign": "iam_mapping", "mapping_rules": RULES}, ""),
    "rules, by default": (
        {"mapping_rules": RULES},
        "cloud_iam_mapping_rules has no effect, because cloud_iam_assign is compute_config. Omit it, "
        "or set cloud_iam_assign to iam_mapping.",
    ),
    "the resource of a mapping, which the inventory sets": ({"mapping_resource": "cldrsrc_1"}, ""),
    "of both other ways": (
        {"assign": "cloud_role", "mapping_rules": RULES, "node_group_roles": {"gpu": "gpu-nodes"}},
        "cloud_iam_node_group_roles and cloud_iam_mapping_rules have no effect, because "
        "cloud_iam_assign is cloud_role. Omit them, or set cloud_iam_assign to compute_config or "
        "iam_mapping.",
    ),
}


@pytest.mark.parametrize("case", UNUSED)
def test_variables_of_another_way_to_the_role_are_said(case: str) -> None:
    variables, words = UNUSED[case]
    assert unused_notice(settings_of(**variables)) == words

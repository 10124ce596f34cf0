# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is registered for a cloud is that of its primary resource, as it is registered."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
    registration_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

Json = dict[str, t.Any]

ROLE = "arn:aws:iam::222222222222:role/ray"
CONTROL_PLANE = "arn:aws:iam::333333333333:role/anyscale"
PROFILE = "arn:aws:iam::222222222222:instance-profile/ray-nodes"


def resource(aws: Json | None = None, **keys: t.Any) -> Json:
    return {
        "name": "vm",
        "provider": "AWS",
        "region": "us-west-2",
        "is_default": True,
        "object_storage": {"bucket_name": "s3://data", "region": None},
        "aws_config": {
            "cluster_iam_role_id": ROLE,
            "anyscale_iam_role_id": CONTROL_PLANE,
            "cluster_instance_profile_id": PROFILE,
            **(aws or {}),
        },
        **keys,
    }


def test_all_of_it() -> None:
    row = resource()
    assert registration_of([row]) == Registration(
        role_arn=ROLE,
        control_plane_arn=CONTROL_PLANE,
        account_id="333333333333",
        instance_profile=PROFILE,
        region="us-west-2",
        bucket="s3://data",
        resources=[row],
    )


def test_it_is_one_call() -> None:
    asked: list[str] = []
    client = types.SimpleNamespace(
        cloud_resources=lambda cloud_id: asked.append(cloud_id) or [resource()]
    )
    assert read_registration(t.cast(t.Any, client), "cld_x").role_arn == ROLE
    assert asked == ["cld_x"]


@pytest.mark.parametrize(
    ("aws", "account_id"),
    [
        ({}, "333333333333"),
        ({"anyscale_iam_role_id": None}, "222222222222"),
        ({"anyscale_iam_role_id": "anyscale"}, "222222222222"),
        ({"anyscale_iam_role_id": "", "cluster_iam_role_id": "ray"}, None),
        ({"anyscale_iam_role_id": None, "cluster_iam_role_id": None}, None),
    ],
)
def test_the_account(aws: Json, account_id: str | None) -> None:
    """The one that Anyscale launches clusters in, where that is known."""
    assert registration_of([resource(aws)]).account_id == account_id


def test_the_primary_of_several() -> None:
    other = resource({"cluster_iam_role_id": f"{ROLE}-other"}, is_default=False)
    assert registration_of([other, resource()]).role_arn == ROLE


def test_a_single_one_is_the_primary_without_a_mark() -> None:
    assert registration_of([resource(is_default=False)]).role_arn == ROLE


@pytest.mark.parametrize(
    ("resources", "primaries"),
    [
        pytest.param([], 0, id="no resource"),
        pytest.param([resource(is_default=False)] * 2, 0, id="no primary one"),
        pytest.param([resource()] * 2, 2, id="two"),
    ],
)
def test_without_a_primary_one_nothing_is_known(resources: list[Json], primaries: int) -> None:
    found = registration_of(resources)
    assert found == Registration(resources=resources)
    assert (found.primary, len(found.primaries)) == (None, primaries)


@pytest.mark.parametrize("value", [None, ""])
def test_what_is_empty_is_not_registered(value: str | None) -> None:
    keys = ("cluster_iam_role_id", "anyscale_iam_role_id", "cluster_instance_profile_id")
    row = resource(dict.fromkeys(keys, value), region=value, object_storage={"bucket_name": value})
    assert registration_of([row]) == Registration(resources=[row])


@pytest.mark.parametrize("value", [None, {}])
def test_a_resource_that_is_not_on_aws(value: Json | None) -> None:
    row = {**resource(region=None), "aws_config": value, "object_storage": value}
    assert registration_of([row]) == Registration(resources=[row])


@pytest.mark.parametrize("is_primary", [True, False])
@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"aws_config": "text"}, "aws_config"),
        ({"object_storage": ["s3://data"]}, "object_storage"),
        ({"aws_config": {"cluster_iam_role_id": 7}}, "cluster_iam_role_id"),
        ({"aws_config": {"cluster_iam_role_id": 0}}, "cluster_iam_role_id"),
        ({"aws_config": {"anyscale_iam_role_id": {}}}, "anyscale_iam_role_id"),
        ({"object_storage": {"bucket_name": ["data"]}}, "bucket_name"),
        ({"cloud_resource_id": 7}, "cloud_resource_id"),
        ({"region": False}, "region"),
    ],
)
def test_another_form_is_no_registration(row: Json, name: str, is_primary: bool) -> None:
    """Or the default role would be taken for that of a cloud which has registered another."""
    wrong = {**resource(is_default=is_primary), **row}
    with pytest.raises(AnyscaleError, match=f"whose {name} has another form") as error:
        registration_of([resource(is_default=not is_primary), wrong])
    assert "anyscale_host" in error.value.remedy


OTHER = "arn:aws:iam::444444444444:role/anyscale"
PLACES: dict[str, tuple[list[Json], set[str], set[str]]] = {
    "one resource": ([resource()], {"333333333333"}, {CONTROL_PLANE}),
    "without a control-plane role": (
        [resource({"anyscale_iam_role_id": None})],
        {"222222222222"},
        set(),
    ),
    "several, none of them the default": (
        [
            resource(is_default=False),
            resource({"anyscale_iam_role_id": OTHER}, is_default=False),
        ],
        {"333333333333", "444444444444"},
        {CONTROL_PLANE, OTHER},
    ),
    "names instead of ARNs": (
        [resource({"anyscale_iam_role_id": "anyscale", "cluster_iam_role_id": "ray"})],
        set(),
        set(),
    ),
    "no AWS": ([{"name": "gcp"}, {"aws_config": None}], set(), set()),
    "none": ([], set(), set()),
}


@pytest.mark.parametrize("case", PLACES)
def test_the_accounts_and_the_control_plane_roles_of_all_resources(case: str) -> None:
    resources, accounts, control_planes = PLACES[case]
    found = registration_of(resources)
    assert (found.accounts, found.control_plane_arns) == (accounts, control_planes)

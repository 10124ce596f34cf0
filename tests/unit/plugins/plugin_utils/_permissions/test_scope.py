# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and patterns of roles, instance profiles and buckets become ARNs, and what can name none of
them is refused.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import default_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)

ACCOUNT = "012345678901"
IAM = f"arn:aws:iam::{ACCOUNT}:"

ROLES: dict[str, tuple[str, str]] = {
    "a name": ("ray-team-a", "role/ray-team-a"),
    "every character that IAM takes": ("a_B9+=,.@-", "role/a_B9+=,.@-"),
    "a name under a path": ("/ray/lab/team-a", "role/ray/lab/team-a"),
    "a path without its first slash": ("ray/lab/team-a", "role/ray/lab/team-a"),
    "an ARN": (f"{IAM}role/ray-team-a", "role/ray-team-a"),
    "an ARN with a path": (f"{IAM}role/ray/lab/team-a", "role/ray/lab/team-a"),
    "a pattern": ("ray-*-team-?", "role/ray-*-team-?"),
    "an ARN with a pattern": (f"{IAM}role/ray/*", "role/ray/*"),
    "all roles": ("*", "role/*"),
}


@pytest.mark.parametrize(("given", "resource"), ROLES.values(), ids=ROLES)
def test_roles_are_named_by(given: str, resource: str) -> None:
    assert parse_scope(ACCOUNT, roles=[given]).role_arns() == [IAM + resource]
    assert parse_scope(ACCOUNT, roles=["x"], control_plane_roles=[given]).all_role_arns() == [
        f"{IAM}role/x",
        IAM + resource,
    ]


BUCKETS = {
    "a name": ("anyscale-data", "anyscale-data"),
    "an ARN": ("arn:aws:s3:::anyscale.data-1", "anyscale.data-1"),
    "an address": ("s3://anyscale-data", "anyscale-data"),
    "a pattern": ("anyscale-*-data?", "anyscale-*-data?"),
    "a name of before 2018": ("AcmeRay_Data", "AcmeRay_Data"),
    "a long name of before 2018": ("b" * 255, "b" * 255),
}


@pytest.mark.parametrize(("given", "name"), BUCKETS.values(), ids=BUCKETS)
def test_buckets_are_named_by(given: str, name: str) -> None:
    assert parse_scope(ACCOUNT, buckets=[given]).bucket_arns() == [f"arn:aws:s3:::{name}"]


PROFILES: dict[str, tuple[dict[str, t.Any], list[str], list[str]]] = {
    "like the role": ({"roles": ["ray"]}, ["ray"], ["ray"]),
    "under the role's path, read without it as well": (
        {"roles": ["/a/ray", "/b/ray"]},
        ["a/ray", "b/ray"],
        ["a/ray", "b/ray", "ray"],
    ),
    "by names of their own": (
        {"roles": ["ray"], "instance_profiles": ["/a/shared", "x"]},
        ["a/shared", "x"],
        ["a/shared", "x", "shared"],
    ),
    "by their ARNs": (
        {"instance_profiles": [f"{IAM}instance-profile/a/x*"]},
        ["a/x*"],
        ["a/x*", "x*"],
    ),
}


@pytest.mark.parametrize(("options", "written", "read"), PROFILES.values(), ids=PROFILES)
def test_instance_profiles_are_named(
    options: dict[str, t.Any], written: list[str], read: list[str]
) -> None:
    scope = parse_scope(ACCOUNT, **options)
    assert scope.instance_profile_arns() == [f"{IAM}instance-profile/{name}" for name in written]
    assert scope.instance_profile_arns_to_read() == [
        f"{IAM}instance-profile/{name}" for name in read
    ]


POLICIES = {
    "a name": ("bucket-access", f"{IAM}policy/bucket-access"),
    "a name under a path": ("/ray/bucket-access", f"{IAM}policy/ray/bucket-access"),
    "an ARN": (f"{IAM}policy/bucket-access", f"{IAM}policy/bucket-access"),
    "a pattern": ("*-bucket-access", f"{IAM}policy/*-bucket-access"),
    "a policy of AWS": (
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
    ),
}


@pytest.mark.parametrize(("given", "arn"), POLICIES.values(), ids=POLICIES)
def test_managed_policies_are_named_by(given: str, arn: str) -> None:
    assert parse_scope(ACCOUNT, bucket_policies=[given, given]).bucket_policies == (arn,)


def test_other_partitions() -> None:
    china = parse_scope(
        ACCOUNT, "aws-cn", [f"arn:aws-cn:iam::{ACCOUNT}:role/ray"], buckets=["arn:aws-cn:s3:::data"]
    )
    assert china.role_arns() == [f"arn:aws-cn:iam::{ACCOUNT}:role/ray"]
    assert china.bucket_arns() == ["arn:aws-cn:s3:::data"]
    assert china.managed_policy_arns() == [
        f"arn:aws-cn:iam::{ACCOUNT}:policy/*",
        "arn:aws-cn:iam::aws:policy/*",
    ]


def test_what_is_named_twice_is_there_once() -> None:
    scope = parse_scope(ACCOUNT, roles=["ray", f"{IAM}role/ray"], buckets=["data", "s3://data"])
    assert (scope.roles, scope.buckets) == (("ray",), ("data",))


# The names that Anyscale's command line and its module for Terraform give: what, and the name.
NAMED_BY_ANYSCALE = (
    ("roles", default_role_name("cld_4fxb3wsbdcq2n1p9")),
    ("roles", "vm-us-west-2-0a1b2c3d-cluster_node_role"),
    ("roles", "anyscale-cluster-node-20261101120000000000000001"),
    ("instance_profiles", "anyscale-cluster-node-20261101120000000000000001"),
    ("control_plane_roles", "anyscale-iam-role-1f2e3d4c"),
    ("control_plane_roles", "anyscale-iam-role-20261101120000000000000002"),
    ("buckets", "anyscale-production-data-cld-4fxb3wsbdcq2n1p9"),
    ("buckets", "anyscale-20261101120000000000000003"),
    ("buckets", f"anyscale-20261101-{ACCOUNT}-us-west-2-an"),
)


@pytest.mark.parametrize(("what", "name"), NAMED_BY_ANYSCALE)
def test_the_defaults_match_what_anyscale_s_tools_create(what: str, name: str) -> None:
    assert any(matches_pattern(pattern, name) for pattern in getattr(parse_scope(ACCOUNT), what))


@pytest.mark.parametrize("what", ["roles", "control_plane_roles", "instance_profiles"])
def test_the_defaults_match_no_role_of_another_team(what: str) -> None:
    patterns = getattr(parse_scope(ACCOUNT), what)
    assert not any(matches_pattern(pattern, "admin") for pattern in patterns)


MISTAKES: dict[str, tuple[dict[str, t.Any], str]] = {
    "an account id that is none": ({"account_id": "12345"}, "account_id is '12345'"),
    "an account id with a star": ({"account_id": "*"}, "account_id is '*'"),
    "a partition that is none": ({"partition": "aws:"}, "partition is 'aws:'"),
    "a role of another account": (
        {"roles": ["arn:aws:iam::999999999999:role/ray"]},
        f"is not the name or ARN of a role in account {ACCOUNT}",
    ),
    "a role of another partition": (
        {"roles": [f"arn:aws-cn:iam::{ACCOUNT}:role/ray"]},
        "roles has 'arn:aws-cn:",
    ),
    "a role of every account": (
        {"roles": ["arn:aws:iam::*:role/ray"]},
        "roles has 'arn:aws:iam::*:role/ray'",
    ),
    "the ARN of a user": ({"roles": [f"{IAM}user/ray"]}, "roles has"),
    "an empty role": ({"roles": [""]}, "roles has ''"),
    "a path without a name": ({"roles": ["/ray/"]}, "roles has '/ray/'"),
    "a line break": ({"roles": ["ray\n"]}, "roles has 'ray\\n'"),
    "a policy variable": ({"roles": ["${aws:username}"]}, "roles has '${aws:username}'"),
    "no roles": ({"roles": []}, "roles is an empty list"),
    "a control-plane role that is none": (
        {"control_plane_roles": ["a b"]},
        "control_plane_roles has 'a b'",
    ),
    "the ARN of a role for a profile": (
        {"instance_profiles": [f"{IAM}role/ray"]},
        "is not the name or ARN of an instance profile in account",
    ),
    "no profiles": ({"instance_profiles": []}, "instance_profiles is an empty list"),
    "a bucket with a key": ({"buckets": ["s3://data/key"]}, "buckets has 's3://data/key'"),
    "a bucket's objects": (
        {"buckets": ["arn:aws:s3:::data/*"]},
        "buckets has 'arn:aws:s3:::data/*'",
    ),
    "a bucket of another partition": (
        {"buckets": ["arn:aws-cn:s3:::data"]},
        "buckets has 'arn:aws-cn:s3:::data'",
    ),
    "a bucket with a space": ({"buckets": ["my data"]}, "buckets has 'my data'"),
    "no buckets": ({"buckets": []}, "buckets is an empty list"),
    "any managed policy": ({"bucket_policies": ["*"]}, f"bucket_policies has '{IAM}policy/*'"),
    "any managed policy, under any path": (
        {"bucket_policies": ["/*/?*"]},
        "which could be a policy like AdministratorAccess",
    ),
    "any policy of AWS that is called so": (
        {"bucket_policies": ["arn:aws:iam::aws:policy/A*Access"]},
        "which could be a policy like AdministratorAccess",
    ),
    "a policy of another account": (
        {"bucket_policies": ["arn:aws:iam::999999999999:policy/bucket-access"]},
        f"is not the name or ARN of a managed policy in account {ACCOUNT}",
    ),
    "a policy of every account": (
        {"bucket_policies": ["arn:aws:iam::*:policy/bucket-access"]},
        "bucket_policies has 'arn:aws:iam::*:policy/bucket-access'",
    ),
    "a boundary that is a pattern": (
        {"permissions_boundary": "boundary-*"},
        "permissions_boundary is 'boundary-*', which has a wildcard",
    ),
    "an empty boundary": ({"permissions_boundary": ""}, "permissions_boundary has ''"),
}


@pytest.mark.parametrize(("options", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_explained(options: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_scope(**{"account_id": ACCOUNT, **options})
    assert words in caught.value.message
    assert caught.value.remedy

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of roles, buckets, accounts and clouds are read as AWS and Anyscale write them, and all
else is refused.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _arns
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

ROLES = {
    "a name": ("ray-team-a", "ray-team-a", None),
    "every character that IAM takes": ("a_B9+=,.@-", "a_B9+=,.@-", None),
    "64 characters": ("r" * 64, "r" * 64, None),
    "an ARN": ("arn:aws:iam::123456789012:role/ray", "ray", "123456789012"),
    "an ARN with a path": ("arn:aws:iam::123456789012:role/teams/a/ray", "ray", "123456789012"),
    "an ARN in China": ("arn:aws-cn:iam::123456789012:role/ray", "ray", "123456789012"),
    "an ARN in GovCloud": ("arn:aws-us-gov:iam::012345678901:role/ray", "ray", "012345678901"),
}


@pytest.mark.parametrize(("value", "name", "account_id"), ROLES.values(), ids=list(ROLES))
def test_a_role_is_read_from(value: str, name: str, account_id: str | None) -> None:
    role = _arns.parse_role(value)
    assert (role.name, role.account_id) == (name, account_id)
    assert str(role) == value


NOT_ROLES = {
    "nothing": "",
    "65 characters": "r" * 65,
    "a space": "ray team",
    "a space before it": " ray",
    "a line break after it": "ray\n",
    "a letter that IAM does not take": "räy",
    "a slash": "teams/ray",
    "a user's ARN": "arn:aws:iam::123456789012:user/ray",
    "an instance profile's ARN": "arn:aws:iam::123456789012:instance-profile/ray",
    "a session's ARN": "arn:aws:sts::123456789012:assumed-role/ray/i-1",
    "a bucket's ARN": "arn:aws:s3:::ray",
    "a role's ARN of another service": "arn:aws:s3::123456789012:role/ray",
    "an ARN without an account": "arn:aws:iam:::role/ray",
    "an ARN with a short account": "arn:aws:iam::1234:role/ray",
    "an ARN without a name": "arn:aws:iam::123456789012:role/",
    "an ARN with nothing after its path": "arn:aws:iam::123456789012:role/teams/",
    "an ARN with a space in its path": "arn:aws:iam::123456789012:role/a b/ray",
    "a pattern": "ray-*",
    "an ARN with a pattern": "arn:aws:iam::123456789012:role/ray-?",
    "an ARN with a pattern in its path": "arn:aws:iam::123456789012:role/*/ray",
    "an ARN with a letter left open in its path": "arn:aws:iam::123456789012:role/a?/ray",
    "an ARN with a policy variable in its path": "arn:aws:iam::123456789012:role/${aws:x}/ray",
}


@pytest.mark.parametrize("value", NOT_ROLES.values(), ids=list(NOT_ROLES))
def test_a_role_is_not(value: str) -> None:
    with pytest.raises(InputError, match="team_role") as caught:
        _arns.parse_role(value, "team_role")
    assert caught.value.remedy


@pytest.mark.parametrize(
    "value",
    ["ray", "p" * 128, "a_B9+=,.@-"],
    ids=["a name", "128 characters", "every character that IAM takes"],
)
def test_an_instance_profile_is(value: str) -> None:
    assert _arns.parse_instance_profile(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "p" * 129, "a b", "a/b", "ray\n", "arn:aws:iam::123456789012:role/ray"],
    ids=["nothing", "129 characters", "a space", "a slash", "a line break", "a role's ARN"],
)
def test_an_instance_profile_is_not(value: str) -> None:
    with pytest.raises(InputError, match="instance_profile"):
        _arns.parse_instance_profile(value)


@pytest.mark.parametrize(
    "value",
    ["123456789012", "012345678901", "000000000000"],
    ids=["digits", "a leading zero", "zeros"],
)
def test_an_account_id_is(value: str) -> None:
    assert _arns.parse_account_id(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "12345678901",
        "1234567890123",
        "12345678901a",
        " 123456789012",
        "123456789012\n",
        "1234-5678-9012",
        "١٢٣٤٥٦٧٨٩٠١٢",
    ],
    ids=[
        "nothing",
        "11 digits",
        "13 digits",
        "a letter",
        "a space",
        "a line break",
        "dashes",
        "other digits",
    ],
)
def test_an_account_id_is_not(value: str) -> None:
    with pytest.raises(InputError, match="account_id"):
        _arns.parse_account_id(value)


BUCKETS = {
    "a name": ("fleet-data.1", "fleet-data.1"),
    "3 characters": ("abc", "abc"),
    "63 characters": ("b" * 63, "b" * 63),
    "capitals and an underscore, of before 2018": ("AcmeRay_Data", "AcmeRay_Data"),
    "its ARN": ("arn:aws:s3:::AcmeRay_Data", "AcmeRay_Data"),
    "255 characters, of before 2018": ("b" * 255, "b" * 255),
    "two dots in a row, of before 2018": ("fleet..data", "fleet..data"),
    "dashes at its ends, of before 2018": ("-fleet-", "-fleet-"),
    "an ARN": ("arn:aws:s3:::fleet-data", "fleet-data"),
    "an ARN in China": ("arn:aws-cn:s3:::fleet-data", "fleet-data"),
    "an ARN in GovCloud": ("arn:aws-us-gov:s3:::fleet-data", "fleet-data"),
    "an address": ("s3://fleet-data", "fleet-data"),
}


@pytest.mark.parametrize(("value", "name"), BUCKETS.values(), ids=list(BUCKETS))
def test_a_bucket_is_read_from(value: str, name: str) -> None:
    assert _arns.parse_bucket(value) == name


NOT_BUCKETS = {
    "nothing": "",
    "2 characters": "ab",
    "256 characters": "b" * 256,
    "a space": "fleet data",
    "a letter that is not ASCII": "flööt",
    "a pattern": "fleet-*",
    "a line break": "fleet\n",
    "an address without a name": "s3://",
    "an address with a prefix": "s3://fleet-data/logs",
    "another storage's address": "gs://fleet-data",
    "an object's ARN": "arn:aws:s3:::fleet-data/logs",
    "a role's ARN": "arn:aws:iam::123456789012:role/fleet",
    "another service's ARN": "arn:aws:sns:us-west-2:123456789012:fleet-data",
    "an access point's ARN": "arn:aws:s3:us-west-2:123456789012:accesspoint/fleet",
}


@pytest.mark.parametrize("value", NOT_BUCKETS.values(), ids=list(NOT_BUCKETS))
def test_a_bucket_is_not(value: str) -> None:
    with pytest.raises(InputError, match="bucket") as caught:
        _arns.parse_bucket(value)
    assert caught.value.remedy


def test_the_default_role_is_named_after_the_cloud() -> None:
    assert (
        _arns.default_role_name("cld_4fxb3wsbdcq2n1p9") == "cld_4fxb3wsbdcq2n1p9-cluster_node_role"
    )
    assert _arns.parse_cloud_id("cld_4fxb3wsbdcq2n1p9") == "cld_4fxb3wsbdcq2n1p9"


def test_a_cloud_id_is_too_long_where_the_role_named_after_it_has_65_characters() -> None:
    assert len(_arns.default_role_name("cld_" + "x" * 42)) == 64
    with pytest.raises(InputError, match="cloud_id") as caught:
        _arns.default_role_name("cld_" + "x" * 43)
    assert "64" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "value",
    ["", "4fxb3wsbdcq2n1p9", "cld_", "CLD_x", "cld_a b", "cld_x\n", "cld_../x", "my cloud"],
    ids=[
        "nothing",
        "no prefix",
        "the prefix alone",
        "capitals",
        "a space",
        "a line break",
        "a path",
        "a cloud's name",
    ],
)
def test_a_cloud_id_is_not(value: str) -> None:
    for reading in (_arns.parse_cloud_id, _arns.default_role_name):
        with pytest.raises(InputError, match="cloud_id"):
            reading(value)


ARNS = {
    "a role": (
        "arn:aws:iam::123456789012:role/teams/ray",
        ("aws", "iam", "", "123456789012", "role/teams/ray"),
    ),
    "a bucket": ("arn:aws-cn:s3:::fleet-data", ("aws-cn", "s3", "", "", "fleet-data")),
    "an object with colons": (
        "arn:aws:s3:::fleet-data/a:b",
        ("aws", "s3", "", "", "fleet-data/a:b"),
    ),
    "a function": (
        "arn:aws:lambda:us-west-2:123456789012:function:f",
        ("aws", "lambda", "us-west-2", "123456789012", "function:f"),
    ),
}


@pytest.mark.parametrize(("text", "parts"), ARNS.values(), ids=list(ARNS))
def test_an_arn_is_split_at_its_colons(text: str, parts: tuple[str, ...]) -> None:
    arn = _arns.parse_arn(text)
    assert arn is not None
    assert (arn.partition, arn.service, arn.region, arn.account_id, arn.resource) == parts
    assert str(arn) == text
    assert _arns.partition_of(text) == parts[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "ray",
        "arn:aws:iam",
        "arn:aws:s3:::",
        "AROAQ3EGSIJTZ5AAAAAAA",
        "123456789012",
        "x arn:aws:s3:::b",
    ],
)
def test_an_arn_is_not(text: str) -> None:
    assert _arns.parse_arn(text) is None


PROFILES = {
    "a name": ("arn:aws:iam::123456789012:instance-profile/ray", "ray"),
    "a name under a path": ("arn:aws:iam::123456789012:instance-profile/teams/a/ray", "ray"),
    "a role's ARN": ("arn:aws:iam::123456789012:role/ray", ""),
    "a pattern": ("arn:aws:iam::123456789012:instance-profile/*", ""),
    "a policy variable": ("arn:aws:iam::123456789012:instance-profile/${aws:username}", ""),
    "129 characters": (f"arn:aws:iam::123456789012:instance-profile/{'p' * 129}", ""),
    "no name": ("arn:aws:iam::123456789012:instance-profile/", ""),
    "no ARN": ("ray", ""),
}


@pytest.mark.parametrize(("arn", "name"), PROFILES.values(), ids=list(PROFILES))
def test_the_name_of_an_instance_profile(arn: str, name: str) -> None:
    """Anybody can register any text at Anyscale, and in a policy a star stands for all of them."""
    assert _arns.instance_profile_name_of(arn) == name


PATHS = {
    "no path": ("arn:aws:iam::123456789012:role/ray", "ray", "/"),
    "a path": ("arn:aws:iam::123456789012:role/teams/a/ray", "ray", "/teams/a/"),
    "that of a service-linked role": (
        "arn:aws:iam::123456789012:role/aws-service-role/ec2.amazonaws.com/AWSServiceRoleForEC2Spot",
        "AWSServiceRoleForEC2Spot",
        "/aws-service-role/ec2.amazonaws.com/",
    ),
}


@pytest.mark.parametrize(("arn", "name", "path"), PATHS.values(), ids=list(PATHS))
def test_a_roles_name_and_path(arn: str, name: str, path: str) -> None:
    assert (_arns.role_name_of(arn), _arns.role_path_of(arn)) == (name, path)


PRINCIPALS = {
    "an account id": ("123456789012", "123456789012"),
    "a root ARN": ("arn:aws:iam::123456789012:root", "123456789012"),
    "a root ARN in China": ("arn:aws-cn:iam::123456789012:root", "123456789012"),
    "a root ARN in GovCloud": ("arn:aws-us-gov:iam::123456789012:root", "123456789012"),
    "a role": ("arn:aws:iam::123456789012:role/root", None),
    "a role on a path that begins alike": ("arn:aws:iam::123456789012:root/x", None),
    "everybody": ("*", None),
    "a unique id": ("AROAQ3EGSIJTZ5AAAAAAA", None),
    "13 digits": ("1234567890123", None),
}


@pytest.mark.parametrize(("principal", "account_id"), PRINCIPALS.values(), ids=list(PRINCIPALS))
def test_a_principal_stands_for_an_account(principal: str, account_id: str | None) -> None:
    assert _arns.account_id_of(principal) == account_id


UNIQUE_IDS = {
    "a role's": ("AROAQ3EGSIJTZ5AAAAAAA", True),
    "a user's": ("AIDAQ3EGSIJTZ5AAAAAAA", True),
    "a role's ARN": ("arn:aws:iam::123456789012:role/AROAQ3EGSIJTZ5AAAAAAA", False),
    "an account id": ("123456789012", False),
    "everybody": ("*", False),
    "a service": ("ec2.amazonaws.com", False),
    "a word in capitals": ("AROMATICS", False),
    "small letters": ("aroaq3egsijtz5aaaaaaa", False),
}


@pytest.mark.parametrize(("principal", "verdict"), UNIQUE_IDS.values(), ids=list(UNIQUE_IDS))
def test_a_principal_is_a_unique_id(principal: str, verdict: bool) -> None:
    assert _arns.is_unique_id(principal) is verdict


SERVICES: dict[str, t.Any] = {
    "aws": "ec2.amazonaws.com",
    "aws-us-gov": "ec2.amazonaws.com",
    "aws-cn": "ec2.amazonaws.com.cn",
}


@pytest.mark.parametrize(("partition", "service"), SERVICES.items(), ids=list(SERVICES))
def test_ec2s_service_principal(partition: str, service: str) -> None:
    assert _arns.ec2_service(partition) == service
    assert _arns.ec2_services(partition) == {service, "ec2.amazonaws.com"}


_TEAM_ROLE = "arn:aws:iam::123456789012:role/teams/Ray"
SAME_ROLE = {
    "a name": ("Ray", _TEAM_ROLE, True),
    "a name in other letters": ("rAY", _TEAM_ROLE, True),
    "another name": ("Ray2", _TEAM_ROLE, False),
    "an ARN": (_TEAM_ROLE, _TEAM_ROLE, True),
    "an ARN with the name in other letters": (_TEAM_ROLE.replace("Ray", "ray"), _TEAM_ROLE, True),
    "an ARN with another path": (_TEAM_ROLE.replace("teams", "Teams"), _TEAM_ROLE, False),
    "an ARN without the path": (_TEAM_ROLE.replace("teams/", ""), _TEAM_ROLE, False),
    "an ARN in another account": (_TEAM_ROLE.replace("9012", "9013"), _TEAM_ROLE, False),
}


@pytest.mark.parametrize(("given", "arn", "same"), SAME_ROLE.values(), ids=list(SAME_ROLE))
def test_a_role_is_known_by_its_arn(given: str, arn: str, same: bool) -> None:
    """IAM has no two roles in an account whose names differ only by case."""
    assert _arns.parse_role(given).is_role(arn) is same


HINTS: dict[str, tuple[t.Callable[[str], object], str, str]] = {
    "a role with a blank": (_arns.parse_role, "ray ", "Remove the blanks around it."),
    "a role's ARN with a blank": (
        _arns.parse_role,
        "arn:aws:iam::123456789012:role/ray" + " ",
        "Remove the blanks around it.",
    ),
    "a bucket with a blank": (_arns.parse_bucket, " data", "Remove the blanks around it."),
    "a cloud with a blank": (_arns.parse_cloud_id, "cld_1\n", "Remove the blanks around it."),
    "an account with a blank": (
        _arns.parse_account_id,
        "123456789012 ",
        "Remove the blanks around it.",
    ),
    "a role with its path": (
        _arns.parse_role,
        "teams/ray",
        "Give the name without the path, or the ARN.",
    ),
    "a profile with its path": (
        _arns.parse_instance_profile,
        "teams/ray",
        "Give the name without the path.",
    ),
    "a profile by its ARN": (
        _arns.parse_instance_profile,
        "arn:aws:iam::123456789012:instance-profile/ray",
        "Give the name without the path.",
    ),
}


@pytest.mark.parametrize("case", HINTS)
def test_what_is_nearly_right_has_a_hint(case: str) -> None:
    parse, value, hint = HINTS[case]
    with pytest.raises(InputError) as caught:
        parse(value)
    assert caught.value.remedy.endswith(hint)

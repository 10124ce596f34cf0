# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role of a bucket's policy is the one that IAM has by that name, however a task spells its ARN."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    BucketAccessModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    SID,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET,
    BUCKET_ARN,
    OBJECTS_ARN,
    allow,
    policy,
)

OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
LIVE = f"arn:aws:iam::{ACCOUNT}:role/team/ray"
OTHER_PATH = f"arn:aws:iam::{ACCOUNT}:role/ray"
OTHER_CASE = f"arn:aws:iam::{ACCOUNT}:role/team/Ray"
MISSING = "NoSuchEntity"
DENIED = "AccessDenied"


class Session:
    """AWS with one role, and a bucket that it and another role have."""

    def __init__(self, role_error: str = "") -> None:
        self.role_error = role_error

    def account_id(self) -> str:
        return ACCOUNT

    def caller_arns(self) -> tuple[str, ...]:
        return (f"arn:aws:iam::{ACCOUNT}:user/ada",)

    def call(self, _service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        answers: dict[str, dict[str, t.Any]] = {
            "get_bucket_policy": {"Policy": json.dumps(policy(granted(LIVE, OTHER)))},
            "list_role_policies": {"PolicyNames": []},
            "list_attached_role_policies": {"AttachedPolicies": []},
        }
        if method == "get_role" and not self.role_error:
            assert arguments["RoleName"].lower() == "ray"
            role = {"Arn": LIVE, "RoleName": "ray", "RoleId": "AROAQ3EGSIJTZ5RAY0001"}
            return {"Role": {**role, "AssumeRolePolicyDocument": policy()}}
        if method in answers:
            return answers[method]
        code = self.role_error if method == "get_role" else MISSING
        raise AwsError("It failed.", code=code, status=403 if code == DENIED else 404)


def granted(*arns: str) -> dict[str, t.Any]:
    return allow(
        Sid=SID,
        Principal={"AWS": list(arns)},
        Action=list(ACTIONS),
        Resource=[BUCKET_ARN, OBJECTS_ARN],
    )


def result(role: str, state: str, role_error: str = "") -> dict[str, t.Any]:
    options = {"bucket": BUCKET, "roles": [role], "state": state, "account_id": ACCOUNT}
    params = {**options, "prune_dangling_principals": False, "backup": False}
    session = Session(role_error)
    module = BucketAccessModule(params, lambda _params: t.cast(t.Any, session))
    return module.result(check_mode=True)


@pytest.mark.parametrize(
    ("role", "role_error"),
    [
        ("ray", ""),
        (LIVE, ""),
        (OTHER_CASE, ""),
        (OTHER_CASE, DENIED),
        (OTHER_PATH, DENIED),
        (OTHER_PATH, MISSING),
    ],
)
def test_absent_takes_out_the_role_of_that_name(role: str, role_error: str) -> None:
    """Also where IAM does not say how its ARN is spelled."""
    found = result(role, "absent", role_error)
    assert found["reasons"] == ["access_present"]
    assert found["policy"]["Statement"] == [granted(OTHER)]


@pytest.mark.parametrize(
    ("role", "state"),
    [(OTHER_PATH, "absent"), (OTHER_PATH, "present"), (OTHER_CASE, "present")],
)
def test_another_arn_than_that_of_the_role_is_refused(role: str, state: str) -> None:
    with pytest.raises(RefusedError, match=rf"no role {role}; the role of that name is {LIVE}"):
        result(role, state)


@pytest.mark.parametrize("role", ["ray", LIVE])
def test_present_finds_the_role_that_has_the_bucket(role: str) -> None:
    assert not result(role, "present")["changed"]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance profile is one resource, however it is named."""

from __future__ import annotations

import typing as t
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileReconciler,
)

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ray"
Profile = dict[str, t.Any]


def profile(*roles: str) -> Profile:
    """A profile with these roles, as IAM returns it."""
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray"
    return {"InstanceProfileName": "ray", "Arn": arn, "Roles": [{"Arn": arn} for arn in roles]}


class Iam:
    """IAM with one role."""

    def __init__(self, found: Profile | None = None) -> None:
        self.found = found

    def account_id(self) -> str:
        return ACCOUNT

    def role(self, name: str) -> dict[str, t.Any]:
        return {"Arn": ROLE, "RoleName": name}

    def instance_profile(self, name: str) -> Profile | None:
        return self.found


def reconciler_of(
    iam: Iam, role: str = "ray", account_id: str | None = None, **options: t.Any
) -> InstanceProfileReconciler:
    """For the profile ``ray``."""
    return InstanceProfileReconciler(
        t.cast(t.Any, iam), "ray", parse_role(role), account_id, mock.Mock(), **options
    )


NAMES = [("ray", None), (ROLE, None), ("ray", ACCOUNT), (ROLE, ACCOUNT)]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("found", [None, profile(), profile(ROLE)], ids=["none", "empty", "full"])
def test_a_profile_has_one_lock(found: Profile | None, state: str) -> None:
    """However the role and its account are given."""
    resources = {
        reconciler_of(Iam(found), role, account_id, state=state).load().resource
        for role, account_id in NAMES
    }
    assert resources == {f"instance profile ray in account {ACCOUNT}"}

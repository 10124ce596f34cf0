# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance profile that is created, or gets its role, while IAM does not show that yet."""

from __future__ import annotations

import typing as t
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileReconciler,
    LiveProfile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ray"
USABLE_SECONDS = 60.0
ABSENT = AwsError("There is no such profile.", code="NoSuchEntity", status=404)
Profile = dict[str, t.Any]


class Time(Clock):
    """A clock that only sleeping moves."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def profile(*roles: str) -> Profile:
    """A profile with these roles, as IAM returns it."""
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray"
    return {"InstanceProfileName": "ray", "Arn": arn, "Roles": [{"Arn": arn} for arn in roles]}


class Iam:
    """IAM with one role, whose profile is known to writes only after some of them."""

    def __init__(self, found: Profile | None = None, failures: int = 0) -> None:
        self.found = found
        self.failures = failures
        self.attempts = 0

    def account_id(self) -> str:
        return ACCOUNT

    def role(self, name: str) -> dict[str, t.Any]:
        return {"Arn": ROLE, "RoleName": name}

    def instance_profile(self, name: str) -> Profile | None:
        return self.found

    def create_instance_profile(self, name: str, path: str) -> None:
        self.found = profile()

    def add_role_to_instance_profile(self, role_name: str, name: str) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ABSENT
        self.found = profile(ROLE)


def reconciler_of(
    iam: Iam, clock: Time, role: str = "ray", account_id: str | None = None, **options: t.Any
) -> InstanceProfileReconciler:
    """For the profile ``ray``."""
    return InstanceProfileReconciler(
        t.cast(t.Any, iam), "ray", parse_role(role), account_id, mock.Mock(), clock=clock, **options
    )


NAMES = [("ray", None), (ROLE, None), ("ray", ACCOUNT), (ROLE, ACCOUNT)]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("found", [None, profile(), profile(ROLE)], ids=["none", "empty", "full"])
def test_a_profile_has_one_lock(found: Profile | None, state: str) -> None:
    """However the role and its account are given."""
    resources = {
        reconciler_of(Iam(found), Time(), role, account_id, state=state).load().resource
        for role, account_id in NAMES
    }
    assert resources == {f"instance profile ray in account {ACCOUNT}"}


def save(iam: Iam, clock: Time) -> list[str]:
    """What is written of the profile."""
    reconciler, written = reconciler_of(iam, clock), list[str]()
    live: LiveProfile = reconciler.load()
    reconciler.save(live, reconciler.plan(live), written)
    return written


def test_a_new_profile_gets_its_role_when_iam_knows_it() -> None:
    iam, clock = Iam(failures=5), Time()
    assert save(iam, clock) == ["instance profile ray", "role ray in instance profile ray"]
    assert iam.attempts == 6
    assert 0 < clock.seconds < USABLE_SECONDS


def test_a_new_profile_that_never_gets_known_is_an_error() -> None:
    clock = Time()
    with pytest.raises(AwsError, match="no such profile"):
        save(Iam(failures=10_000), clock)
    assert USABLE_SECONDS <= clock.seconds <= USABLE_SECONDS + 1


def test_a_profile_that_was_there_before_and_is_gone_is_an_error() -> None:
    """At once: it was deleted."""
    clock = Time()
    with pytest.raises(AwsError, match="no such profile"):
        save(Iam(profile(), failures=1), clock)
    assert clock.seconds == 0

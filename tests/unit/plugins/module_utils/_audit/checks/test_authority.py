# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit says of a cloud that the operator has, or has not, permitted."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import run_checks
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    facts,
)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        pytest.param(None, "not_applicable", id="an inventory that is written by hand"),
        pytest.param({"covered": True, "listed": False}, "pass", id="covered"),
        pytest.param({"covered": False, "listed": True}, "fail", id="the operator asks for it"),
        pytest.param(
            {"covered": False, "listed": False, "contested": True},
            "fail",
            id="it claims what others have",
        ),
        pytest.param({"covered": False, "listed": False}, "warn", id="nobody asks for it"),
        pytest.param({}, "warn", id="a verdict that says nothing"),
    ],
)
def test_the_status_of_a_verdict(verdict: dict[str, t.Any] | None, status: str) -> None:
    [found] = [one for one in run_checks(facts(authority=verdict)) if one["id"] == "authority"]
    assert found["status"] == status


def test_the_remedy_is_what_the_fleet_file_needs() -> None:
    verdict = {"covered": False, "reason": "no pattern matches", "lines": "allow: {}\n"}
    [found] = [one for one in run_checks(facts(authority=verdict)) if one["id"] == "authority"]
    assert (found["reason"], found["remedy"]) == (
        "Nothing is written for this cloud: no pattern matches.",
        "allow: {}\n",
    )

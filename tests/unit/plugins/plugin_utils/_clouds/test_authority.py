# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is permitted for a host of the inventory plugin, with what the operator has set for it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.authority import (
    permitted,
    readable,
)

INPUTS = {"cloud_iam_cloud_id": "cld_1", "cloud_iam_role": "admin", "cloud_iam_bucket": "data"}


def uncovered(*variables: str, **changes: t.Any) -> dict[str, t.Any]:
    """What the plugin says of a cloud for which these variables are not covered."""
    verdict = {
        "covered": False,
        "reason": "no pattern matches",
        "lines": "allow: {}\n",
        "uncovered": list(variables),
        "inputs": INPUTS,
    }
    return {"anyscale_authority": {**verdict, **changes}}


@pytest.mark.parametrize(
    ("values", "role"),
    [
        pytest.param({"cloud_iam_role": "ray"}, "ray", id="an inventory of another kind"),
        pytest.param(
            {"cloud_iam_role": "ray", "anyscale_authority": {"covered": True}}, "ray", id="covered"
        ),
        pytest.param(uncovered("cloud_iam_role"), None, id="not covered"),
        pytest.param(
            {**uncovered("cloud_iam_role"), "cloud_iam_role": "ray"},
            "ray",
            id="the operator sets what is not covered",
        ),
        pytest.param(
            {**uncovered("cloud_iam_role", "cloud_iam_bucket"), "cloud_iam_role": "ray"},
            None,
            id="the operator sets a part of it",
        ),
        pytest.param(
            {**uncovered("cloud_iam_bucket"), "cloud_iam_role": "ray"},
            None,
            id="the operator sets something else",
        ),
        pytest.param(
            {**uncovered("cloud_iam_role"), "cloud_iam_role": None}, None, id="null sets nothing"
        ),
        pytest.param(uncovered(), None, id="nothing that could be set"),
        pytest.param(
            {**uncovered("ring"), "cloud_iam_role": "ray"}, None, id="no variable of the role"
        ),
    ],
)
def test_a_cloud_is_converged_with_what_the_operator_permits(
    values: dict[str, t.Any], role: str | None
) -> None:
    if role is None:
        with pytest.raises(RefusedError, match="does not permit this: no pattern matches") as error:
            permitted(values)
        assert error.value.details == {"lines_to_add": "allow: {}\n"}
    else:
        assert permitted(values)["cloud_iam_role"] == role


ADD = "Add the lines of the host variable anyscale_authority to the fleet file"
REMEDIES: dict[str, tuple[dict[str, t.Any], str]] = {
    "lines": (uncovered("contested"), f"{ADD}."),
    "lines and a variable": (
        uncovered("cloud_iam_bucket"),
        f"{ADD}, or set cloud_iam_bucket for this host.",
    ),
    "a variable and no lines": (
        uncovered("cloud_iam_bucket", lines=""),
        "Set cloud_iam_bucket for this host.",
    ),
    "neither": (uncovered("contested", lines=""), ""),
}


@pytest.mark.parametrize("case", REMEDIES)
def test_lines_that_there_are_not_are_not_to_be_added(case: str) -> None:
    """Where the reason says what to do, such as with a bucket that another cloud is registered with."""
    values, remedy = REMEDIES[case]
    with pytest.raises(RefusedError) as error:
        permitted(values)
    assert error.value.remedy == remedy


def test_what_is_covered_goes_with_what_the_operator_sets_and_nothing_else_does() -> None:
    values = {**uncovered("cloud_iam_role", "cloud_iam_bucket"), "cloud_iam_role": "ray"}
    values["cloud_iam_bucket"] = "mine"
    found = permitted(values)
    assert (found["cloud_iam_cloud_id"], found["cloud_iam_bucket"]) == ("cld_1", "mine")


def test_an_audit_reads_what_is_registered() -> None:
    assert readable(uncovered("cloud_iam_role"))["cloud_iam_role"] == "admin"


@pytest.mark.parametrize(
    ("own", "is_read"),
    [
        pytest.param({}, True, id="with the credentials of the run"),
        pytest.param({"cloud_iam_assume_role_arn": "arn"}, False, id="a role is assumed"),
        pytest.param(
            {"cloud_iam_assume_role_external_id": "x"}, False, id="an external ID is sent"
        ),
        pytest.param(
            {"cloud_iam_assume_role_arn": "arn", "cloud_iam_account_id": "1"},
            True,
            id="in an account that is the operator's word",
        ),
    ],
)
def test_an_audit_assumes_no_role_in_an_account_that_is_not_permitted(
    own: dict[str, t.Any], is_read: bool
) -> None:
    """Whoever says so, the fleet file or group_vars."""
    values = {**uncovered("cloud_iam_account_id"), **own}
    if is_read:
        assert readable(values)
    else:
        with pytest.raises(RefusedError, match="It was not read"):
            readable(values)


def test_an_audit_reads_nothing_where_that_is_not_permitted() -> None:
    with pytest.raises(RefusedError, match="It was not read"):
        readable(uncovered("cloud_iam_account_id", inputs={}))

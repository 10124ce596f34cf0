# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restoration is confirmed where another writer took nothing of it back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.restoration import is_kept


def policy(*sids: str) -> dict[str, t.Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Sid": sid, "Effect": "Allow", "Action": f"s3:{sid}"} for sid in sids],
    }


KEPT = {
    "what was restored": ("Given", True),
    "and a statement of another writer": ("Given New", True),
    "what was given is gone": ("New", False),
    "what was taken is back": ("Given Taken", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_restoration_to_which_another_writer_added_is_kept(case: str) -> None:
    sids, expected = KEPT[case]
    live = LivePolicy("policy", policy(*sids.split()))
    assert is_kept(Plan(policy("Taken"), policy("Given")), live) is expected


def shared(*roles: str) -> dict[str, t.Any]:
    """A statement with several principals, as that of a bucket has the roles of its clouds."""
    arns = [f"arn:aws:iam::222222222222:role/{role}" for role in roles]
    statement = {"Sid": "Ours", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Principal": {"AWS": arns}}]}


IN_ONE_STATEMENT = {
    "another role was added": (("a", "b"), ("a",), ("a", "new"), True),
    "the role that was taken is back": (("a", "b"), ("a",), ("a", "b", "new"), False),
    "a role that was given is gone": (("a",), ("a", "b"), ("a", "new"), False),
}


@pytest.mark.parametrize("case", IN_ONE_STATEMENT)
def test_a_restoration_is_kept_by_a_statement_with_more_principals(case: str) -> None:
    before, after, live, expected = IN_ONE_STATEMENT[case]
    found = LivePolicy("policy", shared(*live))
    assert is_kept(Plan(shared(*before), shared(*after)), found) is expected

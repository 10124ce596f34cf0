# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy that names deleted principals is refused before AWS refuses it, and the error names who
is gone and where.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    dangling_error,
    document_unique_ids,
    refuse_dangling,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ASSUME,
    EC2,
    FORMER_ID,
    ROLE,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    TRUST_LAMBDA,
    Document,
    allow,
    deny,
    policy,
)

LIVE = {ROLE_ID: ROLE}
BY_ID = allow(Sid="ById", Principal={"AWS": ROLE_ID}, Action=ASSUME)
STALE = allow(Sid="Stale", Principal={"AWS": [ROLE_ID, FORMER_ID], "Service": EC2}, Action=ASSUME)
EXCEPTED = deny(Sid="Excepted", NotPrincipal={"AWS": [ROOT, ROLE_B_ID]}, Action=ASSUME)

# document, all unique ids in it, the statement that is refused, who is gone in it
CASES: dict[str, tuple[Document, set[str], str, list[str]]] = {
    "no statement": (policy(), set(), "", []),
    "no unique id": (policy(TRUST_LAMBDA), set(), "", []),
    "a principal that exists": (policy(BY_ID), {ROLE_ID}, "", []),
    "a deleted one beside one that exists": (
        policy(BY_ID, STALE),
        {ROLE_ID, FORMER_ID},
        "Stale",
        [FORMER_ID],
    ),
    "a deleted one that is excepted": (policy(EXCEPTED), {ROLE_B_ID}, "Excepted", [ROLE_B_ID]),
    "two statements, of which the first is named": (
        policy(EXCEPTED, STALE),
        {ROLE_ID, ROLE_B_ID, FORMER_ID},
        "Excepted",
        [ROLE_B_ID],
    ),
    "a statement without a list": (
        {"Statement": STALE},
        {ROLE_ID, FORMER_ID},
        "Stale",
        [FORMER_ID],
    ),
}


@pytest.mark.parametrize(("document", "ids", "statement", "gone"), CASES.values(), ids=list(CASES))
def test_a_policy_is_refused_for_the_principals_that_are_gone(
    document: Document, ids: set[str], statement: str, gone: list[str]
) -> None:
    assert document_unique_ids(document) == ids
    if not gone:
        refuse_dangling(document, "trust policy of ray", lambda: LIVE)
        return
    with pytest.raises(RefusedError, match=statement) as caught:
        refuse_dangling(document, "trust policy of ray", lambda: LIVE)
    assert "trust policy of ray" in caught.value.message
    assert gone[0] in caught.value.message
    assert caught.value.details["principals"] == gone
    assert caught.value.remedy


def test_the_account_is_not_asked_where_nobody_is_shown_by_a_unique_id() -> None:
    def principals() -> t.Mapping[str, str]:
        raise AssertionError("The account was asked.")

    refuse_dangling(policy(TRUST_LAMBDA), "trust policy of ray", principals)


def test_the_error_lists_all_in_order_and_takes_another_remedy() -> None:
    error = dangling_error("Statement 1", "policy", {ROLE_B_ID, FORMER_ID}, "Prune them.")
    assert error.details["principals"] == sorted([FORMER_ID, ROLE_B_ID])
    assert error.remedy == "Prune them."

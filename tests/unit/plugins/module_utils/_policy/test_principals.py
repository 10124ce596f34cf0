# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals are taken out of statements, and a policy that names deleted ones is refused before
AWS refuses it, with who is gone and where.
"""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    dangling_error,
    document_unique_ids,
    refuse_dangling,
    statement_unique_ids,
    without_principals,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    EC2,
    FORMER_ID,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    TRUST_LAMBDA,
    Document,
    allow,
    base,
    deny,
    policy,
    without,
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
        refuse_dangling(document, "trust policy of ray", lambda _ids: LIVE)
        return
    with pytest.raises(RefusedError, match=statement) as caught:
        refuse_dangling(document, "trust policy of ray", lambda _ids: LIVE)
    assert "trust policy of ray" in caught.value.message
    assert gone[0] in caught.value.message
    assert caught.value.details["principals"] == gone
    assert caught.value.remedy


def test_the_account_is_not_read_where_no_principal_is_shown_by_a_unique_id() -> None:
    def principals(ids: t.Collection[str]) -> t.Mapping[str, str]:
        raise AssertionError("The account was asked.")

    refuse_dangling(policy(TRUST_LAMBDA), "trust policy of ray", principals)


def test_the_error_lists_all_in_order_and_takes_another_remedy() -> None:
    error = dangling_error("Statement 1", "policy", {ROLE_B_ID, FORMER_ID}, "Prune them.")
    assert error.details["principals"] == sorted([FORMER_ID, ROLE_B_ID])
    assert error.remedy == "Prune them."


WITHOUT_PRINCIPALS = {
    "one of several goes": ({"AWS": [ROLE, ROLE_B]}, "AWS", ROLE, {"AWS": [ROLE_B]}),
    "the last of its kind goes, other kinds stay": (
        {"AWS": ROLE, "Service": EC2},
        "AWS",
        ROLE,
        {"Service": EC2},
    ),
    "the last of all goes": ({"AWS": ROLE}, "AWS", ROLE, None),
    "the last of all goes, without its kind": (ROLE, "AWS", ROLE, None),
    "the last of a list goes": ({"AWS": [ROLE]}, "AWS", ROLE, None),
    "the same text as another kind stays": (
        {"Service": EC2, "Federated": EC2},
        "Service",
        EC2,
        {"Federated": EC2},
    ),
    "no principal is removed": ({"AWS": [ROLE_B, ROOT]}, "AWS", ROLE, {"AWS": [ROLE_B, ROOT]}),
    "another kind is ignored": ({"AWS": [ROLE]}, "Service", ROLE, {"AWS": [ROLE]}),
    "everybody stays": ("*", "AWS", ROLE, "*"),
}


@pytest.mark.parametrize(
    ("principal", "kind", "gone", "left"), WITHOUT_PRINCIPALS.values(), ids=list(WITHOUT_PRINCIPALS)
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_without_principals(
    principal: t.Any, kind: str, gone: str, left: t.Any, element: str
) -> None:
    raw = {**base(Principal=None), element: principal}
    kept = copy.deepcopy(raw)
    shorter = without_principals(raw, kind, lambda value: value == gone, element)
    assert raw == kept
    if left is None:
        assert shorter is None
    else:
        assert shorter is not None
        assert canonical(shorter) == canonical({**raw, element: left})
        assert without(shorter, element) == without(raw, element)


def test_principals_are_not_removed_from_those_excepted_unless_that_is_asked_for() -> None:
    raw = base(Principal=None, NotPrincipal={"AWS": [ROLE, ROLE_B]})
    assert without_principals(raw, "AWS", lambda value: value == ROLE) == raw


UNIQUE_IDS = {
    "of a role": ({"AWS": ROLE_ID}, [ROLE_ID]),
    "of a user, in a list": ({"AWS": [ROLE, "AIDAQ3EGSIJTZ5USERONE"]}, ["AIDAQ3EGSIJTZ5USERONE"]),
    "of two": ({"AWS": [ROLE_ID, ROLE_B_ID]}, [ROLE_ID, ROLE_B_ID]),
    "none in ARNs and account ids": ({"AWS": [ROLE, ROOT, ACCOUNT]}, []),
    "none in services": ({"Service": EC2}, []),
    "none in everybody": ("*", []),
    "none in a canonical user": ({"CanonicalUser": ROLE_ID}, []),
}


@pytest.mark.parametrize(("principal", "found"), UNIQUE_IDS.values(), ids=list(UNIQUE_IDS))
def test_unique_ids_among_the_principals(principal: t.Any, found: t.Any) -> None:
    condition = {"StringLike": {"aws:userid": "AROAQ3EGSIJTZ5INCOND1:*"}}
    assert sorted(statement_unique_ids(base(Principal=principal, Condition=condition))) == sorted(
        found
    )


def test_unique_ids_among_those_excepted_from_a_deny() -> None:
    assert statement_unique_ids(base(Principal=None, NotPrincipal={"AWS": [ROLE_ID, ROLE]})) == [
        ROLE_ID
    ]

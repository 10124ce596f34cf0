# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents with the same meaning have the same parts, and no others."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import parts_of

pytestmark = pytest.mark.core

Json = dict[str, t.Any]


def policy(*statements: Json, version: str = "2012-10-17") -> Json:
    return {"Version": version, "Statement": list(statements)}


def allow(*roles: str, **more: t.Any) -> Json:
    """A statement for roles of an account."""
    arns = [f"arn:aws:iam::123456789012:role/{role}" for role in roles]
    common = {
        "Sid": "Ours",
        "Effect": "Allow",
        "Principal": {"AWS": arns},
        "Action": "s3:GetObject",
    }
    return {**common, "Resource": ["arn:aws:s3:::data/*"], **more}


THEIRS = allow("theirs", Sid="Theirs")

SAME: dict[str, tuple[t.Any, t.Any]] = {
    "a list of one": (policy(allow("a", Action=["s3:GetObject"])), policy(allow("a"))),
    "the case of an action": (policy(allow("a", Action="S3:getobject")), policy(allow("a"))),
    "two statements that say what one says": (
        policy(allow("a"), allow("b")),
        policy(allow("a", "b")),
    ),
    "another order": (policy(THEIRS, allow("b", "a")), policy(allow("a", "b"), THEIRS)),
    "the version, without a variable": (
        policy(allow("a"), version="2008-10-17"),
        policy(allow("a")),
    ),
    "the order of keys in what is no policy": ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
}
DIFFERENT: dict[str, tuple[t.Any, t.Any]] = {
    "no document": (None, policy(allow("a"))),
    "another principal": (policy(allow("a")), policy(allow("b"))),
    "a statement twice": (policy(allow("a"), allow("a")), policy(allow("a"))),
    "a condition": (
        policy(allow("a")),
        policy(allow("a", Condition={"Bool": {"aws:SecureTransport": "true"}})),
    ),
    "Deny": (policy(allow("a")), policy(allow("a", Effect="Deny"))),
    "all actions but one": (
        policy(allow("a", NotAction=["s3:GetObject"], Action=None)),
        policy(allow("a")),
    ),
    "no action at all": (policy(allow("a", Action=[])), policy()),
    "a Sid": (policy(allow("a", Sid="Other")), policy(allow("a"))),
    "the version, with a variable": (
        policy(allow("a", Resource="arn:aws:s3:::${aws:username}"), version="2008-10-17"),
        policy(allow("a", Resource="arn:aws:s3:::${aws:username}")),
    ),
    "an unknown element": (policy({**allow("a"), "New": 1}), policy(allow("a"))),
    "a list that is text": ({"a": "[1]"}, {"a": [1]}),
}


@pytest.mark.parametrize("name", SAME)
def test_documents_with_the_same_meaning_have_the_same_parts(name: str) -> None:
    one, other = SAME[name]
    assert sorted(parts_of(one)) == sorted(parts_of(other))


@pytest.mark.parametrize("name", DIFFERENT)
def test_other_documents_have_other_parts(name: str) -> None:
    one, other = DIFFERENT[name]
    assert sorted(parts_of(one)) != sorted(parts_of(other))


def test_the_id_of_a_principal_is_its_arn() -> None:
    arn = "arn:aws:iam::123456789012:role/a"
    by_id = policy(allow("a", Principal={"AWS": "AROAEXAMPLE"}))
    assert parts_of(by_id, {"AROAEXAMPLE": arn}) == parts_of(policy(allow("a")))


_names = st.lists(st.sampled_from("abcd"), unique=True, min_size=1)


@given(_names, _names)
def test_parts_are_equal_where_the_same_roles_are_granted_the_same(
    one: list[str], other: list[str]
) -> None:
    equal = sorted(parts_of(policy(allow(*one)))) == sorted(parts_of(policy(allow(*other))))
    assert equal == (set(one) == set(other))

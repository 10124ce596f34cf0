# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of many clouds with the same cause are told once."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.causes import causes_of

pytestmark = pytest.mark.core

NO_ROLE = "Role {} does not exist in account {}. Create it first."
DENIED = "{} was denied for arn:aws:iam::{}:role/onboarding (request {})."
# The messages by cloud, and the causes with their clouds.
CASES: dict[str, tuple[dict[str, str], list[tuple[str, list[str]]]]] = {
    "none": ({}, []),
    "the same message": (
        {"b": "The token is invalid.", "a": "The token is invalid."},
        [("The token is invalid.", ["b", "a"])],
    ),
    "other names, in one account": (
        {name: NO_ROLE.format(f"{name}-ray", "222222222222") for name in ("a", "b")},
        [("Role <...> does not exist in account 222222222222. Create it first.", ["a", "b"])],
    ),
    "other names, numbers and requests": (
        {
            "a": DENIED.format("iam:GetRole", "111111111111", "0f-3a"),
            "b": DENIED.format("iam:GetRole", "222222222222", "0f-4b"),
        },
        [("iam:GetRole was denied for <...> (request <...>", ["a", "b"])],
    ),
    "the name of the cloud itself": (
        {"vision": "vision has no role.", "speech": "speech has no role."},
        [("<...> has no role.", ["vision", "speech"])],
    ),
    "of one cloud nothing is left out": (
        {"a": NO_ROLE.format("a-ray", "222222222222")},
        [(NO_ROLE.format("a-ray", "222222222222"), ["a"])],
    ),
    "other actions, which are other causes": (
        {
            "a": DENIED.format("iam:GetRole", "1", "0-1"),
            "b": DENIED.format("iam:PassRole", "1", "0-1"),
        },
        [
            (DENIED.format("iam:GetRole", "1", "0-1"), ["a"]),
            (DENIED.format("iam:PassRole", "1", "0-1"), ["b"]),
        ],
    ),
    "other variables, which are other causes": (
        {"a": "cloud_iam_bucket is not set.", "b": "cloud_iam_role is not set."},
        [("cloud_iam_bucket is not set.", ["a"]), ("cloud_iam_role is not set.", ["b"])],
    ),
    "the cause of most clouds first": (
        {"a": "It is so.", "b": "It is not so.", "c": "It is not so."},
        [("It is not so.", ["b", "c"]), ("It is so.", ["a"])],
    ),
    "lines are of no account": (
        {"a": "It is\nso.", "b": "It  is so."},
        [("It is so.", ["a", "b"])],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cause_is_told_once_with_its_clouds(case: str) -> None:
    """The words that differ are left out."""
    messages, expected = CASES[case]
    found = causes_of(messages.items())
    assert len(found) == len(expected)
    for (text, names), (words, clouds) in zip(found, expected, strict=True):
        assert (text[: len(words)], names) == (words, clouds)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=60), max_size=8))
def test_each_cloud_has_one_cause(messages: dict[str, str]) -> None:
    """And a cloud alone has its whole message."""
    found = causes_of(messages.items())
    assert sorted(name for _text, names in found for name in names) == sorted(messages)
    for text, names in found:
        if len(names) == 1:
            assert text == " ".join(messages[names[0]].split())

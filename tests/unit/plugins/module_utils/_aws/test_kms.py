# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a key: each call names it, and grants are read to the end."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.kms import Key
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Session:
    """Answers calls in the order in which they come, and keeps them."""

    def __init__(self, *answers: dict[str, t.Any]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[t.Any, ...]] = []

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        self.calls.append((service, method, arguments))
        return self.answers.pop(0)


def test_the_pages_of_grants() -> None:
    session = Session(
        {"Grants": [{"GrantId": "1"}], "Truncated": True, "NextMarker": "more"},
        {"Grants": [{"GrantId": "2"}], "Truncated": False},
    )
    grants = Key(t.cast(t.Any, session), KEY).grants()
    assert [grant["GrantId"] for grant in grants] == ["1", "2"]
    assert session.calls == [
        ("kms", "list_grants", {"KeyId": KEY}),
        ("kms", "list_grants", {"KeyId": KEY, "Marker": "more"}),
    ]


def test_the_policy_and_the_metadata() -> None:
    session = Session({"Policy": "{}"}, {"KeyMetadata": {"Arn": KEY}})
    key = Key(t.cast(t.Any, session), KEY)
    assert (key.policy(), key.metadata()) == ("{}", {"Arn": KEY})
    assert session.calls == [
        ("kms", "get_key_policy", {"KeyId": KEY, "PolicyName": "default"}),
        ("kms", "describe_key", {"KeyId": KEY}),
    ]


READS: dict[str, t.Callable[[Key], object]] = {
    "DescribeKey": Key.metadata,
    "GetKeyPolicy": Key.policy,
    "ListGrants": Key.grants,
}


@pytest.mark.parametrize("operation", READS)
def test_an_answer_without_what_was_asked_for_is_an_error(operation: str) -> None:
    """Such as half of one: botocore does not tell that it is no JSON."""
    session = Session({"message": '{"Gran'})
    with pytest.raises(AwsError, match=f"{operation} .* is not a valid AWS response"):
        READS[operation](Key(t.cast(t.Any, session), KEY))

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a plan file contains, and which changes it shows."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import (
    AFTER_DIFFERS,
    BEFORE_DIFFERS,
    NOT_IN_PLAN,
    Binding,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.content import (
    make,
    parse,
    signed,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import Step
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._plan_file.test_digests import (
    THEIRS,
    allow,
    policy,
)

pytestmark = pytest.mark.core

KEY = b"a key of the tests"
FACTS = {"salt": "salt", "made_at": "today", "summary_sha256": "0"}
DATA = "policy of bucket data"
Json = dict[str, t.Any]


# --- which changes a plan shows -------------------------------------------------------------------


def step(clouds: str, before: t.Any, after: t.Any, document: str = DATA) -> Step:
    return Step(document, tuple(clouds), before, after)


def plan(**states: str) -> Binding:
    """Clouds a and b get a bucket with a statement of others, in one batch; c has one of its own."""
    found = policy(THEIRS)
    own = [
        step("a", found, policy(THEIRS, allow("a"))),
        step("b", found, policy(THEIRS, allow("b"))),
        step("c", None, policy(allow("c")), "policy of bucket c"),
    ]
    joint = [step("ab", found, policy(THEIRS, allow("a", "b"))), own[2]]
    states = {**dict.fromkeys("abc", "would_change"), "d": "in_sync", **states}
    content = make(states, own, joint, KEY, FACTS)
    return parse(json.dumps(content), KEY)


SHOWN: dict[str, Step] = {
    "both clouds at once": step("ab", policy(THEIRS), policy(THEIRS, allow("a", "b"))),
    "one of them": step("a", policy(THEIRS), policy(THEIRS, allow("a"))),
    "the other one then": step("b", policy(THEIRS, allow("a")), policy(THEIRS, allow("a", "b"))),
    "in statements of their own": step(
        "ab", policy(THEIRS), policy(allow("a"), allow("b"), THEIRS)
    ),
    "a document that was not there": step("c", None, policy(allow("c")), "policy of bucket c"),
}
REFUSED: dict[str, tuple[Step, str]] = {
    "another statement before": (
        step("a", policy(THEIRS, allow("new")), policy(THEIRS, allow("new", "a"))),
        BEFORE_DIFFERS,
    ),
    "a statement of others less before": (step("a", policy(), policy(allow("a"))), BEFORE_DIFFERS),
    "a part of the change that another writer made": (
        step("ab", policy(THEIRS, allow("a")), policy(THEIRS, allow("a", "b"))),
        BEFORE_DIFFERS,
    ),
    "another role after": (step("a", policy(THEIRS), policy(THEIRS, allow("evil"))), AFTER_DIFFERS),
    "more than planned": (
        step("a", policy(THEIRS), policy(THEIRS, allow("a", "evil"))),
        AFTER_DIFFERS,
    ),
    "less than planned": (step("ab", policy(THEIRS), policy(THEIRS, allow("a"))), AFTER_DIFFERS),
    "nothing of it": (step("a", policy(THEIRS), policy(THEIRS)), AFTER_DIFFERS),
    "what is planned for another cloud": (
        step("a", policy(THEIRS), policy(THEIRS, allow("a", "b"))),
        AFTER_DIFFERS,
    ),
    "what is planned for another cloud undone": (
        step("a", policy(THEIRS, allow("b")), policy(THEIRS, allow("a"))),
        AFTER_DIFFERS,
    ),
    "a statement of others removed": (step("a", policy(THEIRS), policy(allow("a"))), AFTER_DIFFERS),
    "a statement of others twice": (
        step("a", policy(THEIRS), policy(THEIRS, THEIRS, allow("a"))),
        AFTER_DIFFERS,
    ),
    "more resources than planned": (
        step("a", policy(THEIRS), policy(THEIRS, allow("a", Resource="*"))),
        AFTER_DIFFERS,
    ),
    "no document any more": (step("c", None, None, "policy of bucket c"), AFTER_DIFFERS),
    "the change of one document made to another": (
        step("c", None, policy(allow("c")), "policy of bucket other"),
        NOT_IN_PLAN,
    ),
    "a cloud that the document is not planned for": (
        step("c", policy(THEIRS), policy(THEIRS, allow("c"))),
        NOT_IN_PLAN,
    ),
    "a cloud that was in sync": (
        step("d", policy(THEIRS), policy(THEIRS, allow("a"))),
        NOT_IN_PLAN,
    ),
    "a cloud that the plan does not have": (
        step("z", policy(THEIRS), policy(THEIRS, allow("a"))),
        NOT_IN_PLAN,
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_the_plan_shows(name: str) -> None:
    plan().check(SHOWN[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_plan_does_not_show(name: str) -> None:
    refused, why = REFUSED[name]
    with pytest.raises(RefusedError) as raised:
        plan().check(refused)
    assert raised.value.details == {"plan_file": why}
    assert refused.document in raised.value.message


def test_a_cloud_that_failed_is_bound_to_nothing() -> None:
    """What was shown for the others of its batch stays permitted."""
    binding = plan(a="failed")
    binding.check(step("b", policy(THEIRS), policy(THEIRS, allow("b"))))
    with pytest.raises(RefusedError, match="this cloud failed"):
        binding.check(SHOWN["one of them"])


def test_what_two_clouds_need_may_have_been_written_for_the_other() -> None:
    """Cloud b needs what cloud a needs, and more."""
    own = [
        step("a", policy(), policy(allow("x"))),
        step("b", policy(), policy(allow("x", "y"))),
    ]
    found = make(dict.fromkeys("ab", "would_change"), own, own, KEY, FACTS)
    binding = parse(json.dumps(found), KEY)
    binding.check(step("b", policy(allow("x")), policy(allow("x", "y"))))
    with pytest.raises(RefusedError):
        binding.check(step("b", policy(allow("y")), policy(allow("x", "y"))))


def test_wants_of_clouds_that_need_nothing_else_are_part_of_a_write() -> None:
    both = step("a", policy(THEIRS), policy(THEIRS, allow("a", "b")))
    plan().check(both, wanting="ab")


# --- the file -------------------------------------------------------------------------------------


def content() -> Json:
    found = policy(THEIRS)
    one = [step("a", found, policy(THEIRS, allow("a")))]
    return make({"a": "would_change"}, one, one, KEY, FACTS)


def test_the_file_holds_no_document() -> None:
    """Only names of clouds and documents, and digests that need the key, and the plan's salt."""
    text = json.dumps(content())
    assert "123456789012" not in text
    assert "GetObject" not in text
    other = make({}, [], [step("a", None, policy(allow("a")))], KEY, {**FACTS, "salt": "other"})
    again = make({}, [], [step("a", None, policy(allow("a")))], KEY, FACTS)
    assert other["documents"] != again["documents"]


UNUSABLE: dict[str, tuple[str, str]] = {
    "empty": ("", "is not JSON"),
    "truncated": (json.dumps(content())[:-9], "is not JSON"),
    "a list": ("[]", "is no plan file"),
    "another file": ('{"schema_version": 1}', "is no plan file"),
    "another version": (json.dumps(signed({**content(), "version": 2}, KEY)), "another version"),
    "no signature": (json.dumps({**content(), "signature": None}), "was edited"),
    "a signature that is no text": (json.dumps({**content(), "signature": 1}), "was edited"),
    "half a character in the signature": (
        json.dumps({**content(), "signature": "\ud800"}),
        "was edited",
    ),
    "another key": (json.dumps(signed(content(), b"another")), "was edited"),
    "one more cloud": (json.dumps({**content(), "clouds": {"z": "would_change"}}), "was edited"),
    "nested deeply": ("[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_was_not_made_with_the_key_is_an_error(name: str) -> None:
    text, why = UNUSABLE[name]
    with pytest.raises(InputError, match=why) as raised:
        parse(text, KEY)
    assert "onboard_plan_file" in raised.value.message

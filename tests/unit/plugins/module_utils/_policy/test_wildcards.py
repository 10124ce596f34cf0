# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions, resources and patterns match as AWS matches them, in bounded time."""

from __future__ import annotations

import fnmatch
import itertools
import time
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
    pattern_contains,
    patterns_intersect,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    BUCKET_ARN,
    OBJECTS_ARN,
    base,
)

ACTION_COVERED = {
    "itself": ("s3:GetObject", "s3:GetObject", True),
    "in another case": ("S3:getobject", "s3:GetObject", True),
    "a star at its end": ("s3:Get*", "s3:GetObject", True),
    "a star within": ("s3:*Object", "s3:GetObject", True),
    "a question mark": ("s3:GetObjec?", "s3:GetObject", True),
    "all of the service": ("s3:*", "s3:GetObject", True),
    "all": ("*", "s3:GetObject", True),
    "one of a list": (["s3:PutObject", "s3:GetObject"], "s3:GetObject", True),
    "another action": ("s3:PutObject", "s3:GetObject", False),
    "only its beginning": ("s3:Get", "s3:GetObject", False),
    "a longer name": ("s3:GetObjectAcl", "s3:GetObject", False),
    "another service": ("sts:*", "s3:GetObject", False),
    "a question mark too many": ("s3:GetObject?", "s3:GetObject", False),
    "nothing": ([], "s3:GetObject", False),
}


@pytest.mark.parametrize(
    ("actions", "action", "covered"), ACTION_COVERED.values(), ids=list(ACTION_COVERED)
)
def test_an_action_is_covered_by(actions: t.Any, action: str, covered: bool) -> None:
    assert canonical(base(Action=actions)).includes_action(action) is covered


@pytest.mark.parametrize(
    ("actions", "action", "covered"), ACTION_COVERED.values(), ids=list(ACTION_COVERED)
)
def test_an_action_is_left_out_by_not_action(actions: t.Any, action: str, covered: bool) -> None:
    assert canonical(base(Action=None, NotAction=actions)).includes_action(action) is not covered


# pattern, (covers the bucket, touches it), (covers all objects, touches some)
RESOURCES = {
    "the bucket": (BUCKET_ARN, (True, True), (False, False)),
    "its objects": (OBJECTS_ARN, (False, False), (True, True)),
    "both": ([BUCKET_ARN, OBJECTS_ARN], (True, True), (True, True)),
    "both by one star": (f"{BUCKET_ARN}*", (True, True), (True, True)),
    "all buckets": ("arn:aws:s3:::*", (True, True), (True, True)),
    "everything": ("*", (True, True), (True, True)),
    "a prefix": (f"{BUCKET_ARN}/logs/*", (False, False), (False, True)),
    "an object": (f"{BUCKET_ARN}/logs/x", (False, False), (False, True)),
    "a kind of objects": (f"{BUCKET_ARN}/*.csv", (False, False), (False, True)),
    "objects below any folder": (f"{BUCKET_ARN}/*/x", (False, False), (False, True)),
    "a kind of objects in any bucket": ("arn:aws:s3:::*/*.csv", (False, False), (False, True)),
    "objects of a bucket that a variable names": (
        "arn:aws:s3:::${aws:PrincipalTag/bucket}/*",
        (False, False),
        (False, True),
    ),
    "objects below a variable": (f"{BUCKET_ARN}/${{aws:username}}*", (False, False), (False, True)),
    "objects of one letter or more": (f"{BUCKET_ARN}/?*", (False, False), (False, True)),
    "objects of one letter": (f"{BUCKET_ARN}/?", (False, False), (False, True)),
    "a bucket whose name begins alike": (f"{BUCKET_ARN}-2", (False, False), (False, False)),
    "objects of a bucket whose name begins alike": (
        f"{BUCKET_ARN}-2/*",
        (False, False),
        (False, False),
    ),
    "a question mark in the bucket's name": (
        "arn:aws:s3:::fleet?data/*",
        (False, False),
        (True, True),
    ),
    "a dot is no wildcard": ("arn:aws:s3:::fleet.data/*", (False, False), (False, False)),
    "another bucket": ("arn:aws:s3:::other", (False, False), (False, False)),
    "another case": (OBJECTS_ARN.upper(), (False, False), (False, False)),
}


@pytest.mark.parametrize(
    ("resources", "bucket", "objects"), RESOURCES.values(), ids=list(RESOURCES)
)
def test_a_statement_is_about_a_bucket_or_its_objects(
    resources: t.Any, bucket: t.Any, objects: t.Any
) -> None:
    statement = canonical(base(Resource=resources))
    assert (
        statement.includes_resource(BUCKET_ARN),
        statement.overlaps_resource(BUCKET_ARN),
    ) == bucket
    assert (
        statement.includes_resource(OBJECTS_ARN),
        statement.overlaps_resource(OBJECTS_ARN),
    ) == objects


NOT_RESOURCES = {
    "all but the bucket": (BUCKET_ARN, (False, False), (True, True)),
    "all but its objects": (OBJECTS_ARN, (True, True), (False, False)),
    "all but a prefix": (f"{BUCKET_ARN}/logs/*", (True, True), (False, True)),
    "all but both": ([BUCKET_ARN, OBJECTS_ARN], (False, False), (False, False)),
    "all but another bucket": ("arn:aws:s3:::other*", (True, True), (True, True)),
    "all but everything": ("*", (False, False), (False, False)),
}


@pytest.mark.parametrize(
    ("resources", "bucket", "objects"), NOT_RESOURCES.values(), ids=list(NOT_RESOURCES)
)
def test_a_statement_with_not_resource_is_about(
    resources: t.Any, bucket: t.Any, objects: t.Any
) -> None:
    statement = canonical(base(Resource=None, NotResource=resources))
    assert (
        statement.includes_resource(BUCKET_ARN),
        statement.overlaps_resource(BUCKET_ARN),
    ) == bucket
    assert (
        statement.includes_resource(OBJECTS_ARN),
        statement.overlaps_resource(OBJECTS_ARN),
    ) == objects


MATCHES = {
    "itself": ("abc", "abc", True),
    "not a part": ("b", "abc", False),
    "not its beginning": ("ab", "abc", False),
    "a star for nothing": ("abc*", "abc", True),
    "a star for slashes and colons": ("arn:*:x", "arn:a/b:c:x", True),
    "two stars": ("a*c*e", "abcde", True),
    "a star that must give some back": ("*ab", "aab", True),
    "a star for a line break": ("a*", "a\nb", True),
    "no trailing line break": ("abc", "abc\n", False),
    "a question mark for one": ("a?c", "abc", True),
    "a question mark not for none": ("abc?", "abc", False),
    "brackets are brackets": ("[abc]", "a", False),
    "brackets match themselves": ("x[1].*", "x[1].y", True),
    "a dot is a dot": ("a.c", "abc", False),
    "case counts": ("abc", "ABC", False),
    "nothing matches nothing": ("", "", True),
}


@pytest.mark.parametrize(("pattern", "text", "verdict"), MATCHES.values(), ids=list(MATCHES))
def test_a_pattern_matches(pattern: str, text: str, verdict: bool) -> None:
    assert matches_pattern(pattern, text) is verdict


INTERSECT = {
    "one of them a text": ("a*c", "abc", True),
    "two texts": ("abc", "abd", False),
    "stars that cross": ("a*", "*b", True),
    "stars that cross around a text in both": ("*/protected/*", "b/*", True),
    "stars that stand for nothing": ("ab*", "*ab", True),
    "beginnings that differ": ("a*", "b*", False),
    "ends that differ": ("*a", "*b", False),
    "a question mark for a letter": ("a?c", "ab*", True),
    "question marks for a star": ("???", "a*c", True),
    "too few question marks": ("?", "a*c", False),
    "nothing and a star": ("", "*", True),
    "nothing and a question mark": ("", "?", False),
}


@pytest.mark.parametrize(("one", "other", "verdict"), INTERSECT.values(), ids=list(INTERSECT))
def test_two_patterns_intersect(one: str, other: str, verdict: bool) -> None:
    assert {patterns_intersect(*pair) for pair in ((one, other), (other, one))} == {verdict}


TEXTS = [
    "".join(letters) for length in range(7) for letters in itertools.product("ab", repeat=length)
]
PATTERNS = st.text("ab*?", max_size=4)


@given(PATTERNS, PATTERNS)
def test_two_patterns_intersect_where_a_text_matches_both(one: str, other: str) -> None:
    assert patterns_intersect(one, other) is any(
        matches_pattern(one, text) and matches_pattern(other, text) for text in TEXTS
    )


def test_a_pattern_that_contains_another_matches_all_that_it_matches() -> None:
    short = [text for text in TEXTS if len(text) <= 3]
    patterns = [
        "".join(letters)
        for length in range(4)
        for letters in itertools.product("ab*?", repeat=length)
    ]
    matched = {
        pattern: {text for text in short if matches_pattern(pattern, text)} for pattern in patterns
    }
    assert [
        pair
        for pair in itertools.product(patterns, repeat=2)
        if pattern_contains(*pair) and not matched[pair[1]] <= matched[pair[0]]
    ] == []


@given(PATTERNS, st.sampled_from(TEXTS))
def test_a_pattern_matches_as_the_shell_does(pattern: str, text: str) -> None:
    assert matches_pattern(pattern, text) is fnmatch.fnmatchcase(text, pattern)


ADVERSARIAL = {
    "stars between letters": "a*" * 512 + "b",
    "stars alone": "*" * 1024 + "b",
    "question marks between stars": "*?" * 512 + "b",
}


@pytest.mark.parametrize("pattern", ADVERSARIAL.values(), ids=list(ADVERSARIAL))
def test_a_pattern_made_to_take_forever_does_not(pattern: str) -> None:
    began = time.monotonic()
    assert not matches_pattern(pattern, "a" * 1024)
    assert not patterns_intersect(pattern, "*a" * 512)
    assert time.monotonic() - began < 10

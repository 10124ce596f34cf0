# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selectors of Cloud IAM mapping rules: which are valid, which mean the same, which select all that
another one selects.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.label_selector import (
    WORKLOAD_TYPES,
    Requirement,
    Selector,
    covers,
    meaning,
    parse_selector,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

SAME = {
    "white space": ("workload-type=job,project=ml", " workload-type = job ,\tproject = ml "),
    "order of the requirements": ("project=ml,user=a@b.c", "user=a@b.c,project=ml"),
    "order of the values": ("user in (a@b.c, d@e.f)", "user in (d@e.f,a@b.c)"),
    "a value twice": ("project in (ml,ml)", "project in (ml)"),
    "a requirement twice": ("project=ml,project=ml", "project=ml"),
    "both equals signs": ("project=ml", "project==ml"),
    "a set of one": ("project=ml", "project in (ml)"),
    "a set of one that is excluded": ("project!=ml", "project notin (ml)"),
    "no blank before the set": ("project in(ml)", "project in (ml)"),
    "no blank in a negation": ("!project", "! project"),
}
DIFFERENT = {
    "another value": ("project=ml", "project=nlp"),
    "case of a value": ("project=ml", "project=ML"),
    "another key": ("project=x", "user=x"),
    "one requirement more": ("project=ml", "project=ml,workload-type=job"),
    "one value more": ("workload-type in (job)", "workload-type in (job,service)"),
    "excluded": ("project=ml", "project!=ml"),
    "there at all": ("project", "project=ml"),
    "not there": ("project", "!project"),
    "greater and less": ("project>1", "project<1"),
    "what cannot be parsed": ("team=a", "team=b"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_these_mean_the_same(one: str, other: str) -> None:
    assert meaning(one) == meaning(other)
    assert covers(one, other)
    assert covers(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_these_differ(one: str, other: str) -> None:
    assert meaning(one) != meaning(other)
    assert not (covers(one, other) and covers(other, one))


REFUSED = {
    "nothing": ("", "is empty"),
    "blanks": ("  ", "is empty"),
    "a key that is none": ("team=ml", "'team'"),
    "case of a key": ("Project=ml", "'Project'"),
    "a label of Kubernetes": ("app.kubernetes.io/name=x", "'app.kubernetes.io/name'"),
    "another workload type": ("workload-type=cluster", "'cluster'"),
    "one of several workload types": ("workload-type in (job, jobs)", "'jobs'"),
    "two commas": ("project=ml,,user=a@b.c", "''"),
    "a comma at the end": ("project=ml,", "''"),
    "no value": ("project=", "'project='"),
    "an empty set": ("project in ()", "''"),
    "an empty value in a set": ("project in (a,)", "''"),
    "a set without parentheses": ("project in a", "'project in a'"),
    "parentheses that do not close": ("project in (a", "'project in (a'"),
    "parentheses that do not open": ("project in a)", "'project in a)'"),
    "parentheses in parentheses": ("project in ((a))", "'project in ((a))'"),
    "capital letters of an operator": ("project IN (a)", "'project IN (a)'"),
    "another operator": ("project ~ a", "'project ~ a'"),
    "and in words": ("project=a and user=b@c.d", "'project=a and user=b@c.d'"),
    "a name with a blank": ("project=my project", "'project=my project'"),
    "a project that no label can name": ("project=ml!", "'project=ml!'"),
    "a project that is too long": (f"project={'a' * 64}", "'aaa"),
    "a project with a dash at its end": ("project=ml-", "'ml-'"),
    "an address as a project": ("project=a@b.c", "'a@b.c'"),
    "a user with two at signs": ("user=a@b@c", "'a@b@c'"),
    "a size that is none": ("project>ml", "'ml'"),
    "the size of a workload type": ("workload-type>1", "'1'"),
    "a quoted value": ("project='ml'", "\"'ml'\""),
}


@pytest.mark.parametrize(("text", "named"), REFUSED.values(), ids=REFUSED)
def test_these_are_refused(text: str, named: str) -> None:
    with pytest.raises(InputError) as error:
        parse_selector(text, "The selector of rule 1")
    assert error.value.message.startswith("The selector of rule 1 ")
    assert named in error.value.message
    assert error.value.remedy


COVERING = {
    "fewer requirements": ("project=ml", "project=ml,workload-type=job", True),
    "more requirements": ("project=ml,workload-type=job", "project=ml", False),
    "a larger set": ("workload-type in (job,service)", "workload-type=job", True),
    "a smaller set": ("workload-type=job", "workload-type in (job,service)", False),
    "the key at all": ("project", "project=ml", True),
    "the key at all, and it is excluded": ("project", "project!=ml", False),
    "excluded, and another one": ("project!=ml", "project=nlp", True),
    "excluded, and more are": ("project!=ml", "project notin (ml,nlp)", True),
    "more are excluded": ("project notin (ml,nlp)", "project!=ml", False),
    "excluded, and it is not there": ("project!=ml", "!project", True),
    "a size, and the key at all": ("project", "project>5", True),
    "another key": ("user=a@b.c", "project=ml", False),
}


@pytest.mark.parametrize(("one", "other", "expected"), COVERING.values(), ids=COVERING)
def test_what_covers_what(one: str, other: str, expected: bool) -> None:
    assert covers(one, other) is expected


# --- laws -----------------------------------------------------------------------------------------

_VALUES = {"workload-type": list(WORKLOAD_TYPES), "project": ["a", "b"], "user": ["x@y.z", "u@v.w"]}
_PLACES = [
    dict(zip(_VALUES, labels, strict=True))
    for labels in itertools.product(*([*values, None] for values in _VALUES.values()))
]


@st.composite
def _parts(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(list(_VALUES)))
    values = draw(st.lists(st.sampled_from(_VALUES[key]), min_size=1, max_size=3))
    return draw(
        st.sampled_from(
            [
                key,
                f"!{key}",
                f"{key}={values[0]}",
                f"{key}!={values[0]}",
                f"{key} in ({','.join(values)})",
                f"{key} notin ({', '.join(values)})",
            ]
        )
    )


_SELECTORS = st.lists(_parts(), min_size=1, max_size=3).map(",".join)


def _selects(selector: Selector, labels: dict[str, str | None]) -> bool:
    """As Kubernetes does it."""
    return all(_meets(labels[one.key], one) for one in selector)


def _meets(label: str | None, one: Requirement) -> bool:
    return {
        "in": label in one.values,
        "notin": label is None or label not in one.values,
        "exists": label is not None,
        "!": label is None,
    }[one.operator]


@given(one=_SELECTORS, other=_SELECTORS)
def test_equal_selectors_and_covering_ones_select_as_they_say(one: str, other: str) -> None:
    chosen = [
        [_selects(parse_selector(text, ""), labels) for labels in _PLACES] for text in (one, other)
    ]
    if meaning(one) == meaning(other):
        assert chosen[0] == chosen[1]
    if covers(one, other):
        assert all(first for first, second in zip(*chosen, strict=True) if second)


@given(text=st.text(max_size=20) | _SELECTORS)
def test_any_text_has_a_meaning(text: str) -> None:
    assert hash(meaning(text)) == hash(meaning(text))
    assert covers(text, text)

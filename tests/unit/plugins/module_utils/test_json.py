# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON that others wrote goes back token by token as it came."""

from __future__ import annotations

import copy
import json
import pickle
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

DIGITS = st.text("0123456789", min_size=1, max_size=30)
WHOLE = DIGITS.map(lambda digits: digits.lstrip("0") or "0")
NUMBERS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "-"]),
        WHOLE,
        st.just("") | DIGITS.map(".{}".format),
        st.just("")
        | st.builds(
            "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), DIGITS
        ),
    ),
)
TOKENS = st.recursive(
    NUMBERS | st.sampled_from(["true", "false", "null"]) | st.text(max_size=8).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.dictionaries(st.text(max_size=5).map(json.dumps), inner, max_size=3).map(
            lambda parts: f"{{{','.join(f'{key}:{value}' for key, value in parts.items())}}}"
        )
    ),
)
ODD = {
    "larger than a float": ("1e999", "1e999"),
    "more digits than a float": ("12345678901234567890.123", "12345678901234567890.123"),
    "an exponent": ("1E2", 100.0),
    "a zero at the end": ("1.50", 1.5),
    "a negative zero": ("-0", 0.0),
    "smaller than a float": ("1e-999", "1e-999"),
    "an exponent without end": (f"1e{'9' * 40}", f"1e{'9' * 40}"),
    "an integer of 5,000 digits": ("7" * 5000, "7" * 5000),
}


@given(TOKENS)
def test_each_token_goes_back_as_it_came(text: str) -> None:
    assert _json.dumps(_json.loads(text), separators=(",", ":")) == text


@given(TOKENS)
def test_what_is_plain_is_json_that_every_reader_reads(text: str) -> None:
    written = json.dumps(_json.plain(_json.loads(text)), allow_nan=False)
    assert _json.plain(_json.loads(written)) == _json.plain(_json.loads(text))


@pytest.mark.parametrize(("literal", "ordinary"), ODD.values(), ids=ODD)
def test_an_odd_number(literal: str, ordinary: t.Any) -> None:
    document = _json.loads(f'{{"a": [{literal}]}}')
    for same in (document, copy.deepcopy(document), pickle.loads(pickle.dumps(document))):
        assert _json.dumps(same) == f'{{"a": [{literal}]}}'
    assert _json.plain(document) == {"a": [ordinary]}


def test_ordinary_documents_have_ordinary_numbers() -> None:
    document = _json.loads("[1, -2, 1.5, 0.1, 10000000000000000000000]")
    assert [type(number) for number in document] == [int, int, float, float, int]
    assert _json.plain(document) is document


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[-Infinity]", "[" * 100_000, "", "{'a': 1}"])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        _json.loads(text)


LOOP: list[t.Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), LOOP], ids=["inf", "nan", "loop"])
def test_what_json_cannot_express_is_not_written(value: t.Any) -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        _json.dumps({"a": value})


def test_a_number_that_is_not_finite_is_plain_text() -> None:
    assert _json.plain([float("inf"), {"a": float("-inf")}]) == ["inf", {"a": "-inf"}]

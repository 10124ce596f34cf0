# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents are read, named, edited and written out as AWS understands them."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import PolicyError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    as_list,
    compact_json,
    describe_statement,
    free_sid,
    length_of,
    parse_policy,
    statement_name,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    BASE,
    TLS_ONLY,
    base,
    bucket_policies,
    policy,
    trust_policies,
    without,
)

DOCUMENTS = st.one_of(trust_policies(("Allow", "Deny")), bucket_policies(("Allow", "Deny")))


MALFORMED = {
    "not JSON": '{"Version": "2012-10-17", "Statement": [{]}',
    "empty text": "",
    "a list": "[]",
    "a number": "3",
    "null as text": "null",
    "Statement is a word": '{"Version": "2012-10-17", "Statement": "null"}',
    "Statement is a number": '{"Version": "2012-10-17", "Statement": 42}',
    "a statement is a word": '{"Version": "2012-10-17", "Statement": ["x"]}',
    "a statement without Effect": '{"Version": "2012-10-17", "Statement": [{"Action": "s3:GetObject"}]}',
    "a Condition that is a word": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Condition": "x"}]}',  # noqa: E501
    (
        "a Condition whose operator has no keys"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Condition": {"Bool": "x"}}]}',
    (
        "a Principal with a number in it"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": {"AWS": [123456789012]}}]}',
    (
        "a statement with another Effect"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}',
    "a Sid that is a list": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": ["One"]}]}',
    "a Sid that is an object": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": {"One": 1}}]}',  # noqa: E501
    "a Sid that is a number": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": 1}]}',
    "half a character in a value": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Resource": "\\ud800"}]}',  # noqa: E501
    "half a character in a key": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "\\udfff": "*"}]}',  # noqa: E501
    (
        "half a character outside of statements"
    ): '{"Version": "2012-10-17", "Id": "\\ud800", "Statement": []}',
    "lists in lists": "[" * 2_000,
    "lists in lists without end": "[" * 100_000,
    "lists in lists, each closed": "[" * 2_000 + "]" * 2_000,
    "lists in lists in a statement": '{"Statement": [{"Effect": "Deny", "Resource": '
    + "[" * 500
    + "]" * 500
    + "}]}",
    "objects in objects": '{"Statement": [], "Id": ' + '{"a":' * 500 + "1" + "}" * 500 + "}",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_document_is_an_error_that_says_whose_it_is(text: str) -> None:
    with pytest.raises(PolicyError, match="policy of bucket fleet-data") as caught:
        parse_policy(text, "policy of bucket fleet-data")
    assert caught.value.remedy
    assert len(caught.value.message) < 300
    caught.value.message.encode()


def test_an_error_in_a_statement_says_which_one() -> None:
    with pytest.raises(PolicyError, match="2"):
        parse_policy({"Version": "2012-10-17", "Statement": [BASE, "x"]}, "policy of bucket b")


@pytest.mark.parametrize(
    "statement", [BASE, [BASE], []], ids=["an object", "a list", "an empty list"]
)
def test_a_document_is_read_from_text_and_from_an_object_alike(statement: t.Any) -> None:
    document = {"Version": "2008-10-17", "Id": "fleet", "Statement": statement}
    assert parse_policy(json.dumps(document), "x") == document
    assert parse_policy(document, "x") == document


NUMBERS = ("1e999", "1E2", "1.0", "-0", "12345678901234567890.123", "7" * 5000)


def test_numbers_are_written_back_as_they_came() -> None:
    statement = (
        f'{{"Effect":"Deny","Condition":{{"NumericLessThan":{{"x":[{",".join(NUMBERS)}]}}}}}}'
    )
    text = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
    document = parse_policy(text, "x")
    assert compact_json(with_statements(document, statements_of(document))) == text


def test_no_policy_is_an_empty_document_of_the_current_version() -> None:
    document = parse_policy(None, "x")
    assert document["Version"] == "2012-10-17"
    assert statements_of(document) == []


def test_statements_come_in_their_order_whether_one_or_many() -> None:
    assert statements_of(policy(TLS_ONLY, BASE)) == [TLS_ONLY, BASE]
    assert statements_of({"Version": "2012-10-17", "Statement": BASE}) == [BASE]
    assert statements_of({"Version": "2012-10-17", "Statement": None}) == []


def test_other_statements_leave_all_else_in_a_document_alone() -> None:
    document = {"Version": "2008-10-17", "Id": "fleet", "Statement": BASE}
    kept = copy.deepcopy(document)
    assert with_statements(document, [TLS_ONLY]) == {
        "Version": "2008-10-17",
        "Id": "fleet",
        "Statement": [TLS_ONLY],
    }
    assert document == kept


def test_a_free_sid_is_the_given_one_or_an_unused_numbered_one() -> None:
    assert free_sid(policy(TLS_ONLY), "Ours") == "Ours"
    taken = [base(Sid="Ours")]
    for _count in range(12):
        sid = free_sid(policy(*taken), "Ours")
        assert sid.startswith("Ours")
        assert sid[len("Ours") :].isdigit()
        assert sid not in [raw["Sid"] for raw in taken]
        taken.append(base(Sid=sid))


def test_a_free_sid_is_found_in_a_document_whose_statement_is_an_object() -> None:
    assert free_sid({"Version": "2012-10-17", "Statement": base(Sid="Ours")}, "Ours") != "Ours"


def test_a_statement_is_described_by_its_sid_or_its_place() -> None:
    assert "AllowSSLRequestsOnly" in describe_statement(TLS_ONLY, 3)
    assert "2" in describe_statement(without(TLS_ONLY, "Sid"), 1)
    assert statement_name(TLS_ONLY, 3) == "AllowSSLRequestsOnly"
    assert statement_name({**TLS_ONLY, "Sid": ""}, 1) == "#2"


@given(DOCUMENTS)
def test_the_compact_form_is_the_same_document_without_white_space(document: t.Any) -> None:
    text = compact_json(document)
    assert json.loads(text) == document
    assert not any(space in text for space in (" ", "\n", "\t"))


def test_the_compact_form_keeps_white_space_within_texts_and_counts_a_letter_once() -> None:
    assert compact_json({"a": ["b c", "é"]}) == '{"a":["b c","é"]}'


def test_a_list_is_a_list_a_scalar_is_one_of_one_and_nothing_is_empty() -> None:
    assert as_list(["a", "b"]) == ["a", "b"]
    assert as_list("ab") == ["ab"]
    assert as_list(None) == []
    assert as_list(BASE) == [BASE]


def test_white_space_does_not_count_and_neither_does_a_policy_without_statements() -> None:
    """A policy without statements is deleted."""
    spaced, tight = policy(base(Sid="Team One")), policy(base(Sid="TeamOne"))
    assert length_of(spaced) == length_of(tight) == len(compact_json(tight))
    assert length_of(policy()) == 0

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents in IAM's answers keep the numbers that they came with. No request leaves the
process.
"""

from __future__ import annotations

import copy
import io
import typing as t
import urllib.parse

import pytest
import urllib3
from botocore.awsrequest import AWSResponse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.policy_documents import decoded
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    compact_json,
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.aws_answers import KEYS

POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Condition":'
    '{"NumericLessThan":{"aws:MultiFactorAuthAge":[1e999,1.50,12345678901234567890.123]}}}]}'
)
# Where each operation has its documents: in an object, in lists of objects.
ROLE = "<Role><RoleName>r</RoleName><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role>"
ANSWERS: dict[str, tuple[str, dict[str, str], str, t.Callable[[t.Any], t.Any]]] = {
    "a role": (
        "get_role",
        {"RoleName": "r"},
        ROLE,
        lambda answer: answer["Role"]["AssumeRolePolicyDocument"],
    ),
    "a page of roles": (
        "list_roles",
        {},
        f"<Roles>{ROLE.replace('Role>', 'member>')}</Roles>",
        lambda answer: answer["Roles"][0]["AssumeRolePolicyDocument"],
    ),
    "an inline policy": (
        "get_role_policy",
        {"RoleName": "r", "PolicyName": "p"},
        "<PolicyDocument>{}</PolicyDocument>",
        lambda answer: answer["PolicyDocument"],
    ),
    "policies of an account's roles": (
        "get_account_authorization_details",
        {},
        "<RoleDetailList><member><RolePolicyList><member><PolicyDocument>{}</PolicyDocument>"
        "</member></RolePolicyList></member></RoleDetailList>",
        lambda answer: decoded(answer["RoleDetailList"])[0]["RolePolicyList"][0]["PolicyDocument"],
    ),
}


def documents(how: str, text: str) -> t.Any:
    """The document that a call returns where IAM answers with this one."""
    method, arguments, body, find = ANSWERS[how]
    operation = "".join(word.capitalize() for word in method.split("_"))
    answer = (
        f'<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{operation}Result>'
        f"{body.format(urllib.parse.quote(text))}</{operation}Result></{operation}Response>"
    )
    session = AwsSession(KEYS)

    def send(request: t.Any, **_event: t.Any) -> AWSResponse:
        raw = urllib3.HTTPResponse(io.BytesIO(answer.encode()), preload_content=False)
        return AWSResponse(request.url, 200, {}, raw)

    session._client("iam").meta.events.register_first("before-send.iam", send)
    return find(session.call("iam", method, **arguments))


@pytest.mark.parametrize("how", ANSWERS)
def test_numbers_are_written_back_as_they_came(how: str) -> None:
    assert compact_json(parse_policy(documents(how, POLICY), "x")) == POLICY


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["cut off", "deeper than can be read"])
def test_what_is_not_json_is_left_to_the_reader_of_the_policy(text: str) -> None:
    assert documents("a role", text) == text


def test_what_is_asked_of_a_page_is_a_copy() -> None:
    """The page keeps the text, which is smaller."""
    page = {"RolePolicyList": [{"PolicyName": "p", "PolicyDocument": urllib.parse.quote(POLICY)}]}
    before = copy.deepcopy(page)
    assert compact_json(decoded(page)["RolePolicyList"][0]["PolicyDocument"]) == POLICY
    assert page == before

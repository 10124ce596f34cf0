# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the AWS CLI printed, in each of its formats, and what it did not print."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.caller_output import (
    CallerIdentity,
    parse_output,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

ACCOUNT = "222222222222"
INSTANCE = "i-0abc1234def567890"
ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a/{INSTANCE}"
USER_ID = f"AROAQ3EGSIJTZ5XEXAMPLE:{INSTANCE}"
FIELDS = {"UserId": USER_ID, "Account": ACCOUNT, "Arn": ARN}

# JSON, text and the table are what release 1.44 of the CLI printed; YAML is of release 2.
FORMS: dict[str, str] = {
    "JSON": json.dumps(FIELDS, indent=4) + "\n",
    "JSON on one line": json.dumps(FIELDS),
    "text": f"{ACCOUNT}\t{ARN}\t{USER_ID}\n",
    "text with blanks, as terminals paste tabs": f"  {ACCOUNT}    {ARN}    {USER_ID}\n",
    "YAML": f"Account: '{ACCOUNT}'\nArn: {ARN}\nUserId: {USER_ID}\n",
    "a table": (
        f"{'-' * 90}\n|{'GetCallerIdentity'.center(88)}|\n+---------+{'-' * 78}+\n"
        f"|  Account|  {ACCOUNT.ljust(76)}|\n|  Arn    |  {ARN.ljust(76)}|\n"
        f"|  UserId |  {USER_ID.ljust(76)}|\n+---------+{'-' * 78}+\n"
    ),
    "a table with the lines of Windows": (
        f"|  Account|  {ACCOUNT} |\r\n|  Arn    |  {ARN} |\r\n|  UserId |  {USER_ID} |\r\n"
    ),
}

# By case: the text, and words of the error.
WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("", "output has no Account and no Arn and no UserId"),
    "an error of the CLI": (
        "Unable to locate credentials. Run aws configure.",
        "output has no Acc",
    ),
    "three words": ("one two three", "output has the Arn 'two'"),
    "JSON of another kind": ("[1]", "output has no Account"),
    "another call's answer": ('{"Account": "222222222222"}', "output has no Arn and no UserId"),
    "a value that is no text": (json.dumps({**FIELDS, "UserId": 5}), "output has no UserId"),
    "no ARN": (json.dumps({**FIELDS, "Arn": "ray-team-a"}), "output has the Arn 'ray-team-a'"),
    "the ARN of a bucket": (json.dumps({**FIELDS, "Arn": "arn:aws:s3:::x"}), "is no caller's"),
    "two accounts": (json.dumps({**FIELDS, "Account": "333333333333"}), "another account"),
    "too long": ("x" * 10_001, "output has 10001 characters"),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(form: str) -> None:
    assert parse_output(FORMS[form]) == CallerIdentity(ARN, USER_ID)


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn"])
def test_partition(partition: str) -> None:
    arn = ARN.replace("arn:aws:", f"arn:{partition}:")
    assert parse_output(json.dumps({**FIELDS, "Arn": arn})).arn == arn


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_text_of_another_kind_is_an_error(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_output(text)
    assert words in caught.value.message
    assert "aws sts get-caller-identity" in caught.value.remedy


@given(st.text())
def test_any_text_is_read_or_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_output(text)

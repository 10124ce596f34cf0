# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request ids of writes: which calls are recorded, and for whom."""

from __future__ import annotations

import concurrent.futures
import contextvars

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import (
    recorded_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.tests.support.aws_answers import KEYS, Answers

ROLE = {"RoleName": "ray"}
TRUST = {**ROLE, "PolicyDocument": "{}"}


def answered(answers: Answers) -> AwsSession:
    """A session that gets these answers."""
    session = AwsSession(KEYS)
    answers.attach(session, "iam", "sts")
    return session


def test_writes_are_recorded_with_their_request_ids() -> None:
    """Reads are not; nor is what was called before or after."""
    session = answered(Answers())
    session.call("iam", "update_assume_role_policy", **TRUST)
    with recorded_writes() as writes:
        session.call("sts", "get_caller_identity")
        session.call("iam", "list_role_policies", **ROLE)
        session.call("iam", "create_instance_profile", InstanceProfileName="ray")
        session.call("iam", "update_assume_role_policy", **TRUST)
    session.call("iam", "update_assume_role_policy", **TRUST)
    assert writes == [
        {"operation": "iam:CreateInstanceProfile", "request_id": "request-4"},
        {"operation": "iam:UpdateAssumeRolePolicy", "request_id": "request-5"},
    ]


@pytest.mark.parametrize(
    ("status", "code", "recorded"),
    [
        (403, "AccessDenied", []),
        (400, "Throttling", []),
        (
            500,
            "ServiceFailure",
            [{"operation": "iam:UpdateAssumeRolePolicy", "request_id": "request-1"}],
        ),
    ],
)
def test_a_failed_write_is_recorded_where_it_may_have_taken_effect(
    status: int, code: str, recorded: list[dict[str, str]]
) -> None:
    """A refused one changed nothing."""
    session = answered(Answers(UpdateAssumeRolePolicy=[(status, code)]))
    with recorded_writes() as writes, pytest.raises(AwsError):
        session.call("iam", "update_assume_role_policy", **TRUST)
    assert writes == recorded


def test_threads_of_one_piece_of_work_record_together() -> None:
    """And what other threads write meanwhile is not theirs."""
    session = answered(Answers())

    def write(_number: int) -> None:
        session.call("iam", "update_assume_role_policy", **TRUST)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        pool.submit(lambda: None).result()
        with recorded_writes() as writes:
            of_work = [
                pool.submit(contextvars.copy_context().run, write, number) for number in range(5)
            ]
            others = [pool.submit(write, number) for number in range(5)]
            for done in (*of_work, *others):
                done.result()
    assert len(writes) == 5


def test_each_piece_of_work_has_its_own() -> None:
    """The inner list ends with its block."""
    session = answered(Answers())
    with recorded_writes() as outer:
        with recorded_writes() as inner:
            session.call("iam", "update_assume_role_policy", **TRUST)
        session.call("iam", "create_instance_profile", InstanceProfileName="ray")
    assert [write["operation"] for write in inner] == ["iam:UpdateAssumeRolePolicy"]
    assert [write["operation"] for write in outer] == ["iam:CreateInstanceProfile"]

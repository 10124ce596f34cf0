# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of AWS are classified: transient ones, and those after which the outcome of a call is
unknown.
"""

from __future__ import annotations

import re

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    _VARIABLE_OF,
    AwsError,
    TaskError,
    for_options,
    for_reader,
    naming_variables,
    option,
    setting,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

REPEATED_BY_BOTOCORE = {
    *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
    *TransientRetryableChecker._TRANSIENT_ERROR_CODES,
}
LOST = {
    "an error of AWS": ("InternalError", 500),
    "a gateway's error": ("502", 502),
    "no answer in time": ("ReadTimeoutError", 0),
    "half an answer": ("ResponseParserError", 0),
}
LASTING = {
    "denied": ("AccessDenied", 403),
    "not there": ("NoSuchEntity", 404),
    "too long": ("LimitExceeded", 409),
}


@pytest.mark.parametrize("code", sorted(REPEATED_BY_BOTOCORE))
def test_whatever_botocore_repeats_may_pass(code: str) -> None:
    """A policy must not be written again by botocore, which does not check whether another writer
    has changed it meanwhile.
    """
    error = AwsError("It failed.", code=code, status=400)
    assert error.is_transient
    assert not error.outcome_unknown


def test_too_many_requests_may_pass_whatever_their_code() -> None:
    """A gateway in front of AWS may say so in its own words."""
    error = AwsError("It failed.", code="429", status=429)
    assert error.is_transient
    assert not error.outcome_unknown


@pytest.mark.parametrize("name", LOST)
def test_what_may_have_been_done(name: str) -> None:
    code, status = LOST[name]
    error = AwsError("It failed.", code=code, status=status)
    assert error.is_transient
    assert error.outcome_unknown


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass(name: str) -> None:
    code, status = LASTING[name]
    error = AwsError("It failed.", code=code, status=status)
    assert not error.is_transient
    assert not error.outcome_unknown


def test_a_message_shows_what_foreign_text_hides() -> None:
    failure = TaskError("role \x1b[2J\u202ex\n is\tnot there", "Fix \u200bit.").failure()
    assert failure["msg"] == "role \\x1b[2J\\u202ex is not there. Fix \\u200bit."


def test_a_message_names_what_its_reader_sets() -> None:
    """Of a module, its option, and the variable of a playbook that may call it; of a task for a whole
    fleet, which only playbooks have, the variable alone.
    """
    error = TaskError(f"{option('role')} is x", f"Set {option('files', 'rollback_paths')}.")
    of_module = "role (cloud_iam_role in playbooks) is x. Set files (rollback_paths in playbooks)."
    assert error.failure()["msg"] == of_module
    with naming_variables():
        assert error.failure()["msg"] == "cloud_iam_role is x. Set rollback_paths."
    assert error.failure()["msg"] == of_module
    assert for_options(of_module) == "role is x. Set files."


def test_the_subject_of_a_message_is_what_its_reader_sets() -> None:
    """What is no option stays as it is."""
    subjects = ("role", "policy_name", "The role of rule 1", "role_arn")
    assert tuple(map(setting, subjects)) == subjects
    with naming_variables():
        assert list(map(setting, subjects)) == [
            "cloud_iam_role",
            "cloud_iam_bucket_policy_name",
            "The role of rule 1",
            "role_arn",
        ]


OF_ANOTHER_PROCESS = {
    "two subjects": (
        "assume_role_arn is x, but account_id is y.",
        "cloud_iam_assume_role_arn is x, but cloud_iam_account_id is y.",
    ),
    "a subject that is a word": ("role is '': empty.", "cloud_iam_role is '': empty."),
    "the word elsewhere": ("The role is gone, the bucket is not.",) * 2,
    "a variable already": ("cloud_iam_account_id is y.",) * 2,
    "a part of another name": ("my_account_id is y.",) * 2,
}


@pytest.mark.parametrize(
    ("text", "wanted"), OF_ANOTHER_PROCESS.values(), ids=list(OF_ANOTHER_PROCESS)
)
def test_a_message_of_another_process_names_variables(text: str, wanted: str) -> None:
    assert for_reader(text) == text
    with naming_variables():
        assert for_reader(text) == wanted


def test_the_variables_of_subjects_exist() -> None:
    assert set(_VARIABLE_OF.values()) <= set(variable_rules())


_BARE = re.compile(
    r"""["' ](set|fix|correct|omit|give) (access_key|secret_key|anyscale_token|aws_ca_bundle|profile"""
    r"""|assume_role_arn|account_id|cloud_id|region)\b""",
    re.IGNORECASE,
)


def test_no_remedy_names_an_option_of_a_connection_alone() -> None:
    """The reader of a playbook's output sets a variable of another name."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (ROOT / "plugins/module_utils").rglob("*.py")
        for match in _BARE.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud that fails does not affect its neighbours, and an account that cannot be assumed is asked
for once.
"""

from __future__ import annotations

import collections
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ONBOARDING_ROLE,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    OTHER_ACCOUNT,
    Json,
    make_bucket,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.soak_figures import record

GOOD = Cloud("good", VISION_ACCOUNT, role="good-ray", trust="foreign_principal")
THEIR_BUCKET = "of-another-account"
LOCKED = f"arn:aws:iam::{VISION_ACCOUNT}:role/missing"
WITHOUT_ROLE = Cloud("without-role", VISION_ACCOUNT, role="misspelled")

# What is wrong with each of the others, as a variable, and how the message says so.
BAD: dict[str, tuple[Json, str]] = {
    WITHOUT_ROLE.name: (
        {},
        f"Role misspelled does not exist in account {VISION_ACCOUNT}. Create it first",
    ),
    "bucket-elsewhere": (
        {"cloud_iam_bucket": THEIR_BUCKET},
        f"GetBucketPolicy (bucket {THEIR_BUCKET}) failed with AccessDenied",
    ),
    "unknown-cloud": (
        {"cloud_iam_cloud_id": "cld_unknown"},
        "Could not find entity with id cld_unknown",
    ),
    "locked-1": (
        {"cloud_iam_assume_role_arn": LOCKED},
        f"AssumeRole (role {LOCKED}) failed with AccessDenied",
    ),
    "locked-2": (
        {"cloud_iam_assume_role_arn": LOCKED},
        f"AssumeRole (role {LOCKED}) failed with AccessDenied",
    ),
}


class Street(t.NamedTuple):
    """A run on a good cloud between bad ones, and its calls."""

    run: Run
    calls: list[Json]


@pytest.fixture(scope="module", name="street")
def _street(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Street:
    running_sandbox.reset()
    clouds = [
        Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="lambda_only")
        for name in BAD
        if name != WITHOUT_ROLE.name
    ]
    clouds = [*clouds[:2], GOOD, *clouds[2:], WITHOUT_ROLE]
    running_sandbox.seed(clouds)
    make_bucket(running_sandbox, THEIR_BUCKET, account=OTHER_ACCOUNT)
    inventory = inventory_file(tmp_path_factory.mktemp("street"), running_sandbox, clouds)
    content = yaml.safe_load(inventory.read_text())
    for name, (variables, _message) in BAD.items():
        content["all"]["children"]["anyscale_clouds"]["hosts"][name] |= variables
    inventory.write_text(yaml.safe_dump(content))
    return Street(run_playbook(running_sandbox, "onboard", inventory), running_sandbox.calls())


def test_the_good_one_is_converged(street: Street) -> None:
    """From nothing to all that it needs."""
    assert street.run.reasons(GOOD.name) == {
        "ec2_trust_missing",
        "access_missing",
        "instance_profile_missing",
        "compute_config_missing",
    }
    assert street.run.failed() == set(BAD)
    assert street.run.exit_status != 0


@pytest.mark.parametrize("name", BAD)
def test_each_of_the_others_says_once_what_is_wrong(street: Street, name: str) -> None:
    """On one line, of one task."""
    [message] = [
        result["msg"]
        for host, _action, result, _task in street.run.results
        if host == name and result.get("failed")
    ]
    assert BAD[name][1] in message
    assert "\n" not in message


def test_no_bad_one_is_half_described(street: Street) -> None:
    """All that is written is the good one's: what fails is found before anything is written."""
    written = {(call["operation"], call["resource"]) for call in street.run.writes}
    assert written == {
        ("UpdateAssumeRolePolicy", GOOD.role_name),
        ("PutBucketPolicy", GOOD.bucket_name),
        ("CreateInstanceProfile", GOOD.role_name),
        ("AddRoleToInstanceProfile", GOOD.role_name),
        ("POST /api/v2/compute_templates/", ""),
    }
    assert len(street.run.writes) == len(written)


def test_an_account_that_cannot_be_assumed_is_asked_for_once(street: Street) -> None:
    """So is the other one, by all of its clouds together."""
    assumed = collections.Counter(
        call["resource"] for call in street.calls if call["operation"] == "AssumeRole"
    )
    assert assumed == {LOCKED: 1, f"arn:aws:iam::{VISION_ACCOUNT}:role/{ONBOARDING_ROLE}": 1}


def test_no_cloud_waits_for_an_answer_that_does_not_come(street: Street) -> None:
    """None of these is a reason to try again."""
    refused = collections.Counter(
        (call["operation"], call["resource"]) for call in street.calls if call["status"] >= 400
    )
    for call in (
        ("GetRole", WITHOUT_ROLE.role_name),
        ("GetBucketPolicy", THEIR_BUCKET),
        ("GET /api/v2/clouds/{id}/resources", "cld_unknown"),
    ):
        assert refused[call] == 1, call


# --- a task that tries again ----------------------------------------------------------------------

PLAY: Json = {
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Wait for the account",
            "rayfleet.anyscale.iam_trust_ec2": {
                "role": GOOD.role_name,
                "assume_role_arn": "{{ cloud_iam_assume_role_arn }}",
            },
            "retries": 2,
            "delay": 0,
        }
    ],
}


def test_a_task_with_retries_asks_again(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """The refusal that is kept for the account's other clouds is not for a task that is to outlast
    it.
    """
    running_sandbox.reset()
    running_sandbox.seed([GOOD])
    playbook = tmp_path / "wait.yml"
    playbook.write_text(yaml.safe_dump([PLAY]))
    running_sandbox.fault("AssumeRole", status=403, code="AccessDenied")
    run = run_playbook(
        running_sandbox, str(playbook), inventory_file(tmp_path, running_sandbox, [GOOD])
    )
    assert run.exit_status == 0, run.output
    assert run.operations["AssumeRole"] == 2
    assert run.changed(GOOD.name)


# --- an account that gives no answer --------------------------------------------------------------

# How the role of many clouds cannot be assumed.
UNANSWERED: dict[str, Json] = {
    "fails": {"status": 500, "code": "InternalError"},
    "throttles": {"status": 400, "code": "Throttling"},
    "hangs up": {"drop": True},
}
LOCKED_CLOUDS = 24
# botocore's own retries.
MOST_CALLS = 8
MOST_SECONDS = 180.0


@pytest.mark.soak
@pytest.mark.parametrize("name", UNANSWERED)
def test_many_clouds_wait_for_one_answer(
    running_sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """Not one after the other, each for its own, and all say the same."""
    running_sandbox.reset()
    locked = [
        Cloud(f"locked-{number}", VISION_ACCOUNT, role=f"ray-{number}", trust="lambda_only")
        for number in range(LOCKED_CLOUDS)
    ]
    running_sandbox.seed([*locked, GOOD])
    inventory = inventory_file(tmp_path, running_sandbox, [*locked, GOOD])
    content = yaml.safe_load(inventory.read_text())
    for cloud in locked:
        content["all"]["children"]["anyscale_clouds"]["hosts"][cloud.name][
            "cloud_iam_assume_role_arn"
        ] = LOCKED
    inventory.write_text(yaml.safe_dump(content))
    running_sandbox.fault("AssumeRole", resource=LOCKED, times=10**6, **UNANSWERED[name])
    begin = time.monotonic()
    run = run_playbook(running_sandbox, "onboard", inventory)
    seconds = time.monotonic() - begin
    asked = sum(call["resource"] == LOCKED for call in running_sandbox.calls())
    failures = {
        result["msg"] for _host, _action, result, _task in run.results if result.get("failed")
    }
    assert run.failed() == {cloud.name for cloud in locked}
    assert run.changed(GOOD.name)
    assert len(failures) == 1
    assert f"AssumeRole (role {LOCKED}) failed" in failures.pop()
    assert asked <= MOST_CALLS
    assert seconds <= MOST_SECONDS
    figures = {
        "clouds": LOCKED_CLOUDS,
        "calls of AssumeRole": asked,
        "seconds in all": round(seconds),
    }
    record(
        f"neighbours-{name.replace(' ', '-')}",
        f"Clouds of one account for whose role STS {name}",
        figures,
    )

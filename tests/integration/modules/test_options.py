# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules make of their options: rules, secrets, fallbacks and the role to assume.

The account is converged already, so that a harmless value changes nothing, and nothing may
be written.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible.release import __version__
from moto.sts.models import sts_backends

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
    make_role,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    MODULES,
    Run,
    failure,
    settled,
)

CLOUD = Cloud(
    "vision",
    ACCOUNT,
    trust="manual_page",
    bucket_policy="complete",
    profile="filled",
    compute_config="in_sync",
)
ASSUMED = "onboarding"
ASSUMED_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ASSUMED}"
GUARDED = "onboarding-guarded"
GUARDED_ARN = f"arn:aws:iam::{ACCOUNT}:role/{GUARDED}"
EXTERNAL_ID = "fleet-7f3a"
GIVEN: dict[str, Json] = {
    "iam_trust_ec2": {"role": CLOUD.role_name},
    "s3_cloud_access": {"bucket": CLOUD.bucket_name, "roles": [CLOUD.role_arn]},
    "compute_config_profile": {
        "name": CLOUD.compute_config_name,
        "cloud_id": CLOUD.cloud_id,
        "role": CLOUD.role_name,
    },
}
# Modules return what they were called with always, or as a setting of ansible-core 2.20 and newer
# says.
INVOCATION = (
    {"_ansible_inject_invocation": True}
    if tuple(map(int, __version__.split(".")[:2])) >= (2, 20)
    else {}
)


def trusting(account: str, **more: t.Any) -> Json:
    """A trust policy for the principals of an account."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "sts:AssumeRole",
            **more,
        }
    )


@pytest.fixture(scope="module")
def converged(running_sandbox: Sandbox) -> Sandbox:
    """A cloud with nothing left to do, and the roles that may be assumed to see that."""
    running_sandbox.reset()
    running_sandbox.seed((CLOUD,))
    make_role(running_sandbox, ASSUMED, trusting(ACCOUNT))
    make_role(
        running_sandbox,
        GUARDED,
        trusting(ACCOUNT, Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}),
    )
    return running_sandbox


@pytest.fixture
def sandbox(converged: Sandbox, surroundings: None) -> Sandbox:
    """The converged account, without the calls of the test before."""
    converged.clear_calls()
    converged.clear_faults()
    return converged


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between the attempts to reach an address without a server."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setitem(
        t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__, "sleep", lambda seconds: None
    )


@pytest.mark.parametrize("folder", ["/etc/passwd/locks", "/tmp", "A" * 5000])
def test_a_folder_for_locks_that_cannot_be_used(
    sandbox: Sandbox, run_module: Run, folder: str
) -> None:
    """It is needed for a change alone."""
    options = {**GIVEN["s3_cloud_access"], "roles": [ASSUMED_ARN], "lock_dir": folder}
    assert "lock" in failure(run_module("s3_cloud_access", **options))["msg"]
    assert sandbox.writes() == []


# --- rules ----------------------------------------------------------------------------------------

KEYS: Json = {"access_key": f"AKIATOOL{ACCOUNT}", "secret_key": "sandbox"}
RULES: dict[str, Json] = {
    **{key: {**KEYS, "profile": "operator"} for key in ("iam_trust_ec2", "s3_cloud_access")},
    "compute_config_profile": {"cloud": CLOUD.name, "cloud_id": "cld_1"},
}


@pytest.mark.parametrize("module", MODULES)
def test_rules_are_applied_before_any_call(sandbox: Sandbox, run_module: Run, module: str) -> None:
    """Which rules there are is tested without a sandbox."""
    result = failure(run_module(module, **{**GIVEN[module], **RULES[module]}))
    assert "mutually exclusive" in result["msg"]
    assert "no_such_option" in run_module(module, **GIVEN[module], no_such_option=1)["msg"]
    assert sandbox.calls() == []


# --- secrets --------------------------------------------------------------------------------------

CANARY = "canary4f9a7c21"
SECRETS: dict[str, Json] = {
    "secret_key": {"access_key": f"AKIATOOL{ACCOUNT}", "secret_key": CANARY},
    "session_token": {**KEYS, "session_token": CANARY},
}


def shown(result: Json) -> str:
    return json.dumps(result)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("module", MODULES)
def test_secrets_of_aws_are_never_shown(
    sandbox: Sandbox, run_module: Run, module: str, secret: str
) -> None:
    options = {**GIVEN[module], **SECRETS[secret], **INVOCATION}
    assert CANARY not in shown(settled(sandbox, run_module, module, **options))
    sandbox.fault(
        "Get*",
        status=403,
        code="SignatureDoesNotMatch",
        message=f"not what is expected of {CANARY}",
    )
    refusal = failure(run_module(module, **options))
    assert refusal["error"]["code"] == "SignatureDoesNotMatch"
    assert CANARY not in shown(refusal)
    assert CANARY not in shown(run_module(module, **{**options, "state": "wrong"}))


@pytest.mark.parametrize("secret", ["access_key", "secret_key", "session_token"])
def test_a_credential_that_cannot_be_sent_is_not_shown(
    sandbox: Sandbox, run_module: Run, secret: str
) -> None:
    """A line break at its end is what one read from a file often has."""
    options = {**GIVEN["iam_trust_ec2"], **KEYS, secret: f"{CANARY}\n"}
    result = failure(run_module("iam_trust_ec2", **options))
    # which is an identifier: modules may return it with what they were called with
    if secret == "access_key":
        result.pop("invocation", None)
    assert secret in result["msg"]
    assert CANARY not in shown(result)
    assert sandbox.calls() == []


def test_a_credential_of_the_environment_that_cannot_be_sent_is_not_shown(
    sandbox: Sandbox, run_module: Run, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}\n")
    result = failure(run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"]))
    assert "session_token" in result["msg"]
    assert CANARY not in shown(result)


def test_the_token_of_anyscale_is_never_shown(sandbox: Sandbox, run_module: Run) -> None:
    options = {**GIVEN["compute_config_profile"], "anyscale_token": CANARY, **INVOCATION}
    assert CANARY not in shown(failure(run_module("compute_config_profile", **options)))
    sandbox.fault(
        "POST /api/v2/compute_templates/search", status=403, message=f"nothing for {CANARY}"
    )
    assert CANARY not in shown(failure(run_module("compute_config_profile", **options)))
    unsendable = {**options, "anyscale_token": f"{CANARY}\n{CANARY}"}
    assert CANARY not in shown(failure(run_module("compute_config_profile", **unsendable)))


def test_the_token_of_the_environment_is_never_shown(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", CANARY)
    sandbox.fault(
        "POST /api/v2/compute_templates/search", status=403, message=f"nothing for {CANARY}"
    )
    assert CANARY not in shown(
        failure(run_module("compute_config_profile", **GIVEN["compute_config_profile"]))
    )


# --- fallbacks ------------------------------------------------------------------------


@pytest.fixture
def without_credentials(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> pathlib.Path:
    """No credentials in the environment; a file with the named profile ``fleet``, whose path is
    returned.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    path = tmp_path / "credentials"
    path.write_text(
        f"[fleet]\naws_access_key_id = AKIATOOL{ACCOUNT}\naws_secret_access_key = sandbox\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


CREDENTIALS: dict[str, tuple[dict[str, str], Json]] = {
    "keys as options": ({}, KEYS),
    "keys as options by their aliases": (
        {},
        {"aws_access_key_id": KEYS["access_key"], "aws_secret_access_key": "sandbox"},
    ),
    "a profile as an option": ({}, {"profile": "fleet"}),
    "a profile in the environment": ({"AWS_PROFILE": "fleet"}, {}),
    "keys in the environment": (
        {"AWS_ACCESS_KEY_ID": KEYS["access_key"], "AWS_SECRET_ACCESS_KEY": "sandbox"},
        {},
    ),
    "keys in the environment by their old names": (
        {"AWS_ACCESS_KEY": KEYS["access_key"], "AWS_SECRET_KEY": "sandbox"},
        {},
    ),
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_credentials_are_found(
    sandbox: Sandbox,
    run_module: Run,
    without_credentials: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    environment, options = CREDENTIALS[case]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settled(sandbox, run_module, "iam_trust_ec2", **GIVEN["iam_trust_ec2"], **options)
    assert {call["account_id"] for call in sandbox.calls()} == {ACCOUNT}


@pytest.mark.parametrize("module", MODULES)
def test_credentials_that_are_missing_are_explained(
    sandbox: Sandbox, run_module: Run, without_credentials: pathlib.Path, module: str
) -> None:
    message = failure(run_module(module, **GIVEN[module]))["msg"]
    assert "access_key" in message
    assert "profile" in message


def test_an_unknown_access_key_is_explained(sandbox: Sandbox, run_module: Run) -> None:
    keys = {"access_key": "AKIAUNKNOWN", "secret_key": "sandbox"}
    result = failure(run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], **keys))
    assert "access_key" in result["msg"]
    assert (result["error"]["code"], result["error"]["status"]) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("module", MODULES)
def test_the_endpoint_falls_back_to_the_environment(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_URL", sandbox.aws_url)
    settled(sandbox, run_module, module, **GIVEN[module])
    assert any(call["service"] in ("iam", "s3") for call in sandbox.calls())


OLDER_NAMES: dict[str, tuple[dict[str, str], str]] = {
    "the older names alone": ({}, OTHER_ACCOUNT),
    "beside the usual ones": (
        {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "sandbox"},
        ACCOUNT,
    ),
}


@pytest.mark.parametrize("case", OLDER_NAMES)
def test_the_usual_names_of_credentials_win(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Else a task would be in another account than the AWS CLI beside it."""
    usual, caller = OLDER_NAMES[case]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in usual.items():
        monkeypatch.setenv(
            name, sandbox.credentials(value)["aws_access_key_id"] if value.isdigit() else value
        )
    monkeypatch.setenv("AWS_ACCESS_KEY", sandbox.credentials(OTHER_ACCOUNT)["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_KEY", "sandbox")
    run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], check=True)
    assert {call["account_id"] for call in sandbox.calls()} == {caller}


REGIONS: dict[str, tuple[dict[str, str], Json, str | None]] = {
    "the option": ({"AWS_REGION": "eu-west-1"}, {"region": "eu-central-1"}, "eu-central-1"),
    "AWS_REGION first": (
        {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"},
        {},
        "eu-west-1",
    ),
    "AWS_DEFAULT_REGION then": ({"AWS_DEFAULT_REGION": "eu-west-2"}, {}, "eu-west-2"),
}


@pytest.mark.parametrize("case", REGIONS)
def test_the_region_falls_back_to_the_environment(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    environment, options, wanted = REGIONS[case]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], **options, **INVOCATION)
    assert result["invocation"]["module_args"]["region"] == wanted


def test_no_region_at_all_is_no_error(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    settled(sandbox, run_module, "s3_cloud_access", **GIVEN["s3_cloud_access"])


def test_the_address_and_the_token_of_anyscale_as_options(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYSCALE_HOST", "https://anyscale.example.com")
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", "aph0_of_somebody_else")
    given = {"anyscale_host": sandbox.anyscale_url, "anyscale_token": sandbox.token}
    settled(
        sandbox, run_module, "compute_config_profile", **GIVEN["compute_config_profile"], **given
    )


@pytest.mark.parametrize("module", MODULES)
def test_an_endpoint_that_is_not_aws_is_explained(
    sandbox: Sandbox, run_module: Run, impatient: None, module: str
) -> None:
    """A proxy may answer in the place of AWS, in a language of its own."""
    message = failure(run_module(module, **GIVEN[module], endpoint_url=sandbox.anyscale_url))["msg"]
    # S3's errors may come without a body, so that any 404 is one of S3's.
    assert "endpoint_url" in message or (
        module == "s3_cloud_access" and CLOUD.bucket_name in message
    )


def test_an_answer_without_a_code_is_explained(sandbox: Sandbox, run_module: Run) -> None:
    """Botocore makes the status the code of an answer in which it finds none."""
    sandbox.fault("GetRole", status=400, code="400")
    message = failure(run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"]))["msg"]
    assert "HTTP 400" in message
    assert "endpoint_url" in message
    assert CLOUD.role_name in message


def test_an_endpoint_without_a_server_is_explained(
    sandbox: Sandbox, run_module: Run, impatient: None
) -> None:
    result = failure(
        run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], endpoint_url="http://127.0.0.1:1")
    )
    assert "endpoint_url" in result["msg"]
    assert "127.0.0.1:1" in result["msg"]
    assert result["error"] == {"operation": "GetRole", "code": "EndpointConnectionError"}


# --- the role to assume ---------------------------------------------------------------------------


def sessions() -> dict[str, t.Any]:
    """The sessions that STS gave out, by their names."""
    found = (
        role
        for backends in sts_backends.values()
        for backend in backends.values()
        for role in backend.assumed_roles
    )
    return {role.session_name: role for role in found}


@pytest.mark.parametrize("module", MODULES)
def test_a_role_is_assumed_first(sandbox: Sandbox, run_module: Run, module: str) -> None:
    name = f"onboard-{module}"[:64]
    options = {
        "assume_role_arn": GUARDED_ARN,
        "assume_role_external_id": EXTERNAL_ID,
        "assume_role_session_name": name,
    }
    settled(sandbox, run_module, module, **GIVEN[module], **options)
    assert [call["operation"] for call in sandbox.calls()].count("AssumeRole") == 1
    assert (sessions()[name].role_arn, sessions()[name].external_id) == (GUARDED_ARN, EXTERNAL_ID)


def test_the_session_has_a_name_of_its_own(sandbox: Sandbox, run_module: Run) -> None:
    settled(
        sandbox, run_module, "iam_trust_ec2", **GIVEN["iam_trust_ec2"], assume_role_arn=ASSUMED_ARN
    )
    assert sessions()["rayfleet-anyscale"].role_arn == ASSUMED_ARN


NOT_ASSUMED: dict[str, Json] = {
    "without the external id": {"assume_role_arn": GUARDED_ARN},
    "with a wrong external id": {
        "assume_role_arn": GUARDED_ARN,
        "assume_role_external_id": "fleet-0000",
    },
    "a role that does not exist": {"assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/missing"},
}


@pytest.mark.parametrize("case", NOT_ASSUMED)
@pytest.mark.parametrize("module", MODULES)
def test_a_role_that_cannot_be_assumed(
    sandbox: Sandbox, run_module: Run, module: str, case: str
) -> None:
    for check in (True, False):
        result = failure(run_module(module, check=check, **GIVEN[module], **NOT_ASSUMED[case]))
        assert NOT_ASSUMED[case]["assume_role_arn"] in result["msg"]
        assert "AssumeRole" in result["msg"]
        assert (result["error"]["operation"], result["error"]["code"]) == (
            "AssumeRole",
            "AccessDenied",
        )
        assert result["error"]["request_id"]
    assert sandbox.writes() == []


def test_a_role_of_another_account_than_the_clouds_is_not_asked_for(
    sandbox: Sandbox, run_module: Run
) -> None:
    """The external id is for the account of the cloud alone, and no account is asked."""
    arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/elsewhere"
    options = {
        "account_id": ACCOUNT,
        "assume_role_arn": arn,
        "assume_role_external_id": EXTERNAL_ID,
    }
    for module in MODULES:
        result = failure(run_module(module, **GIVEN[module], **options))
        assert [word for word in (arn, ACCOUNT, OTHER_ACCOUNT) if word not in result["msg"]] == []
    assert [call for call in sandbox.calls() if call["service"] != "anyscale"] == []

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules make of their options: bad values, secrets, rules, aliases, fallbacks and the
role to assume.

The account is converged already, so that a value that does no harm changes nothing, and nothing may
be written.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import typing as t

import pytest
from ansible.release import __version__
from moto.sts.models import sts_backends

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    ACCOUNT,
    MODULES,
    OTHER_ACCOUNT,
    Json,
    Run,
    failure,
    make_role,
    policy,
    settled,
)

CLOUD = Cloud(
    "vision",
    ACCOUNT,
    trust="manual_page",
    bucket_policy="complete",
    profile="filled",
    compute_config="right",
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
LARGE = "A" * 1024 * 1024
LONGEST_MESSAGE = 2000


def arguments(module: str) -> Json:
    """What AnsibleModule validates a module's options with."""
    path = f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
    return t.cast(Json, module_arguments(importlib.import_module(path).Task))


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
    """No pauses between the attempts to reach an address that nobody answers at."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setitem(
        t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__, "sleep", lambda seconds: None
    )


# --- bad values of each option --------------------------------------------------------------------

TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "unicode": "größe-\N{ROCKET}",
    "large": LARGE,
    "ARN of another service": "arn:aws:s3:::some-bucket/key",
    "ARN of another partition": CLOUD.role_arn.replace("arn:aws:", "arn:aws-cn:"),
    "ARN of another account": CLOUD.role_arn.replace(ACCOUNT, OTHER_ACCOUNT),
    "path traversal": "../../../../etc/passwd",
    "shell": '$(touch /tmp/pwned); `id` | cat && rm -rf "$HOME"',
    "Jinja": "{{ lookup('pipe', 'id') }}{% for i in range(9) %}",
    "control characters": "a\x07b\nc\td",
}
TYPES: dict[str, t.Any] = {
    "a dictionary": {"key": "value"},
    "a list": ["one", "two"],
    "a number": -1,
    "a boolean": True,
}
LISTS: dict[str, t.Any] = {
    "no elements": [],
    "nested": [["one"]],
    "dictionaries": [{"key": "value"}],
    "numbers": [12345, -2.5],
}
STRUCTURES = (
    "head_node",
    "worker_nodes",
    "zones",
    "flags",
    "advanced_instance_config",
    "min_resources",
    "configs",
)
SCALARS: dict[str, t.Any] = {"a text": "x", "a number": -1, "a list": [1]}
DICTIONARIES: dict[str, t.Any] = {
    "a list": ["one"],
    "a number": 5,
    "a text": "just words",
    "unknown keys": {"no_such_key": 1},
    "null": {"head_node": None},
    **{f"{key} is {kind}": {key: value} for kind, value in SCALARS.items() for key in STRUCTURES},
    "deep": {"head_node": {"instance_type": {"a": "b"}}},
    "wrong name": {"worker_nodes": [{"name": 5, "instance_type": ["m5.large"]}]},
}
# These may be any text: such a value asks for something new, which check mode predicts without
# writing it.
FREE = {
    ("compute_config_profile", "name"),
    ("compute_config_profile", "config"),
    ("compute_config_profile", "dest"),
    ("compute_config_profile", "instance_profile"),
}
# An option that is looked at only beside another one.
BESIDE: dict[str, Json] = {
    "assume_role_external_id": {"assume_role_arn": ASSUMED_ARN},
    "assume_role_session_name": {"assume_role_arn": ASSUMED_ARN},
    "secret_key": {"access_key": f"AKIATOOL{ACCOUNT}"},
    "access_key": {"secret_key": "sandbox"},
    "session_token": {"access_key": f"AKIATOOL{ACCOUNT}", "secret_key": "sandbox"},
}
INSTEAD_OF: dict[str, tuple[str, ...]] = {"cloud_id": ("role", "roles"), "cloud": ("cloud_id",)}


def bad_values(specification: Json) -> dict[str, t.Any]:
    """Values that an option of this kind should not choke on."""
    kind = specification.get("type", "str")
    if kind == "dict":
        return DICTIONARIES
    if kind == "list":
        return {
            **LISTS,
            "a dictionary": {"key": "value"},
            **{name: [text] for name, text in TEXTS.items()},
        }
    return {**TYPES, **TEXTS}


CASES = [
    pytest.param(module, option, value, id=f"{module}-{option}-{name}")
    for module in MODULES
    for option, specification in arguments(module)["argument_spec"].items()
    for name, value in bad_values(specification).items()
    # The options of the connection are the same code in all modules; one of them is enough.
    if module == MODULES[0]
    or option not in arguments(MODULES[0])["argument_spec"]
    or option in INSTEAD_OF
    or option in ("role", "state")
]


def options_with(module: str, option: str, value: t.Any) -> Json:
    """The options that change nothing, with one of them replaced."""
    kept = {
        name: given
        for name, given in GIVEN[module].items()
        if name not in INSTEAD_OF.get(option, ())
    }
    if module == "compute_config_profile" and option in INSTEAD_OF:
        kept["role"] = CLOUD.role_name
    return {**kept, **BESIDE.get(option, {}), option: value}


def names(message: str, module: str, option: str, value: t.Any) -> bool:
    """Whether a message says which option it is about: by its name, an alias, or a value that is
    recognisable.
    """
    aliases = arguments(module)["argument_spec"][option].get("aliases", [])
    values = [
        str(part)
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, (str, int))
    ]
    quoted = [text for text in values if len(text) > 4]
    return any(word in message for word in (option, *aliases, *quoted))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("module", "option", "value"), CASES)
def test_a_bad_value_is_refused_or_does_no_harm(
    sandbox: Sandbox, run_module: Run, module: str, option: str, value: t.Any
) -> None:
    options = options_with(module, option, value)
    result = run_module(module, check=True, **options)
    if result.get("failed"):
        assert run_module(module, **options)["msg"] == result["msg"]
        checked_by_ansible = result["msg"].startswith(
            ("value of ", "argument ", "Elements value ", "Unable to ", "missing ")
        )
        assert checked_by_ansible or len(result["msg"]) < LONGEST_MESSAGE
        assert checked_by_ansible or "\n" not in result["msg"]
        assert names(result["msg"], module, option, value), result["msg"][:LONGEST_MESSAGE]
    elif (module, option) not in FREE and option != "state":
        assert (result["changed"], result["reasons"]) == (False, [])
    assert sandbox.writes() == []
    assert not pathlib.Path("/tmp/pwned").exists()


def test_each_option_has_bad_values() -> None:
    tried = {(module, option) for module, option, _value in (case.values for case in CASES)}
    options = {option for module in MODULES for option in arguments(module)["argument_spec"]}
    assert {option for _module, option in tried} == options


LOCK_FOLDERS: dict[str, str] = {
    "in a file": "/etc/passwd/locks",
    "of the system": "/proc/locks",
    "open to everybody": "/tmp",
    "too long": "A" * 5000,
}


@pytest.mark.parametrize("case", LOCK_FOLDERS)
def test_a_folder_for_locks_that_cannot_be_used(
    sandbox: Sandbox, run_module: Run, case: str
) -> None:
    """It is needed for a change alone."""
    options = {**GIVEN["s3_cloud_access"], "roles": [ASSUMED_ARN], "lock_dir": LOCK_FOLDERS[case]}
    assert "lock" in failure(run_module("s3_cloud_access", **options))["msg"]
    assert sandbox.writes() == []


NAMES = [
    pytest.param(module, option, id=f"{module}-{option}")
    for module in MODULES
    for option in (
        "account_id",
        "assume_role_arn",
        "bucket",
        "cloud",
        "cloud_id",
        "dest",
        "instance_profile",
        "name",
        "role",
    )
    if option in arguments(module)["argument_spec"]
]


@pytest.mark.parametrize(("module", "option"), NAMES)
def test_an_empty_name_is_refused(
    sandbox: Sandbox, run_module: Run, module: str, option: str
) -> None:
    """It is a variable that was not set; to go on without it would be to guess."""
    assert (
        f"{option} is empty"
        in failure(run_module(module, **options_with(module, option, "")))["msg"]
    )
    assert sandbox.calls() == []


# --- rules ----------------------------------------------------------------------------------------

KEYS: Json = {"access_key": f"AKIATOOL{ACCOUNT}", "secret_key": "sandbox"}
COMMON_RULES: dict[str, tuple[Json, tuple[str, ...]]] = {
    "profile and access_key": (
        {"profile": "p", **KEYS},
        ("mutually exclusive", "profile", "access_key"),
    ),
    "profile and session_token": (
        {"profile": "p", **KEYS, "session_token": "0123456789"},
        ("mutually exclusive", "profile", "session_token"),
    ),
    "access_key alone": ({"access_key": "a"}, ("required together", "access_key", "secret_key")),
    "secret_key alone": (
        {"secret_key": "0123456789"},
        ("required together", "access_key", "secret_key"),
    ),
    "session_token alone": ({"session_token": "0123456789"}, ("access_key", "session_token")),
    "external id alone": (
        {"assume_role_external_id": "fleet"},
        ("assume_role_arn", "assume_role_external_id"),
    ),
    "a choice that is none": ({"state": "there"}, ("state", "present", "absent", "there")),
    "an unknown option": ({"no_such_option": 1}, ("no_such_option",)),
}


@pytest.mark.parametrize("case", COMMON_RULES)
@pytest.mark.parametrize("module", MODULES)
def test_rules_of_all_modules(sandbox: Sandbox, run_module: Run, module: str, case: str) -> None:
    options, phrases = COMMON_RULES[case]
    message = run_module(module, **GIVEN[module], **options)["msg"]
    assert [phrase for phrase in phrases if phrase not in message] == []
    assert sandbox.calls() == []


RULES: dict[str, tuple[str, Json, str]] = {
    "trust: no role": ("iam_trust_ec2", {}, "one of the following is required: role, cloud_id"),
    "trust: two roles": (
        "iam_trust_ec2",
        {"role": "r", "cloud_id": "cld_1"},
        "mutually exclusive: role|cloud_id",
    ),
    "bucket: no bucket": (
        "s3_cloud_access",
        {"roles": ["r"]},
        "missing required arguments: bucket",
    ),
    "bucket: no role": (
        "s3_cloud_access",
        {"bucket": "data"},
        "one of the following is required: roles, cloud_id",
    ),
    "bucket: two roles": (
        "s3_cloud_access",
        {"bucket": "data", "roles": ["r"], "cloud_id": "cld_1"},
        "mutually exclusive: roles|cloud_id",
    ),
    "profile: no name": (
        "compute_config_profile",
        {"cloud_id": "cld_1"},
        "missing required arguments: name",
    ),
    "profile: no cloud": (
        "compute_config_profile",
        {"name": "n"},
        "one of the following is required: cloud_id, cloud",
    ),
    "profile: two clouds": (
        "compute_config_profile",
        {"name": "n", "cloud_id": "cld_1", "cloud": "c"},
        "mutually exclusive: cloud_id|cloud",
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_rules_of_one_module(sandbox: Sandbox, run_module: Run, case: str) -> None:
    module, options, phrase = RULES[case]
    assert phrase in failure(run_module(module, **options))["msg"]
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
    if (
        secret == "access_key"
    ):  # which is an identifier: modules may return it with what they were called with
        result.pop("invocation", None)
    assert secret in result["msg"] and CANARY not in shown(result)
    assert sandbox.calls() == []


def test_a_credential_of_the_environment_that_cannot_be_sent_is_not_shown(
    sandbox: Sandbox, run_module: Run, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}\n")
    result = failure(run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"]))
    assert "session_token" in result["msg"] and CANARY not in shown(result)


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


# --- aliases and fallbacks ------------------------------------------------------------------------

ALIASES: dict[str, t.Any] = {
    "aws_access_key_id": f"AKIATOOL{ACCOUNT}",
    "aws_access_key": f"AKIATOOL{ACCOUNT}",
    "aws_secret_access_key": "sandbox",
    "aws_secret_key": "sandbox",
    "aws_session_token": "token",
    "aws_profile": "fleet",
    "aws_region": "eu-west-1",
    "aws_endpoint_url": "http://127.0.0.1:1",
    "role_name": CLOUD.role_name,
    "role_arn": CLOUD.role_arn,
}


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


def aliases_of(module: str) -> dict[str, str]:
    """The option that each alias of a module stands for."""
    specification = arguments(module)["argument_spec"]
    return {
        alias: option
        for option, entry in specification.items()
        for alias in entry.get("aliases", [])
    }


@pytest.mark.parametrize(
    ("module", "alias"), [(module, alias) for module in MODULES for alias in aliases_of(module)]
)
def test_each_alias_stands_for_its_option(
    run_module: Run, without_credentials: pathlib.Path, module: str, alias: str
) -> None:
    option = aliases_of(module)[alias]
    keys = (
        {} if option == "profile" else {key: value for key, value in KEYS.items() if key != option}
    )
    given = {name: value for name, value in GIVEN[module].items() if name != option}
    options = {
        **given,
        **keys,
        "assume_role_arn": "no role at all/",
        **INVOCATION,
        alias: ALIASES[alias],
    }
    parameters = run_module(module, check=True, **options)["invocation"]["module_args"]
    is_secret = option in ("secret_key", "session_token")
    assert parameters[option] == (
        "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" if is_secret else ALIASES[alias]
    )


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
    assert "access_key" in message and "profile" in message


def test_a_key_that_nobody_has_is_explained(sandbox: Sandbox, run_module: Run) -> None:
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
    assert "HTTP 400" in message and "endpoint_url" in message and CLOUD.role_name in message


def test_an_endpoint_that_nobody_answers_at_is_explained(
    sandbox: Sandbox, run_module: Run, impatient: None
) -> None:
    result = failure(
        run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], endpoint_url="http://127.0.0.1:1")
    )
    assert "endpoint_url" in result["msg"] and "127.0.0.1:1" in result["msg"]
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
    "a role that does not exist": {"assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
}


@pytest.mark.parametrize("case", NOT_ASSUMED)
@pytest.mark.parametrize("module", MODULES)
def test_a_role_that_cannot_be_assumed(
    sandbox: Sandbox, run_module: Run, module: str, case: str
) -> None:
    for check in (True, False):
        result = failure(run_module(module, check=check, **GIVEN[module], **NOT_ASSUMED[case]))
        assert (
            NOT_ASSUMED[case]["assume_role_arn"] in result["msg"] and "AssumeRole" in result["msg"]
        )
        assert (result["error"]["operation"], result["error"]["code"]) == (
            "AssumeRole",
            "AccessDenied",
        )
        assert result["error"]["request_id"]
    assert sandbox.writes() == []


def test_a_role_of_another_account_leads_there(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, "elsewhere", trusting(ACCOUNT), account=OTHER_ACCOUNT)
    arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/elsewhere"
    for module in MODULES:
        result = failure(
            run_module(module, **GIVEN[module], account_id=ACCOUNT, assume_role_arn=arn)
        )
        assert ACCOUNT in result["msg"] and OTHER_ACCOUNT in result["msg"]
    assert sandbox.writes() == []

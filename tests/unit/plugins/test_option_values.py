# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values each option of each module takes before anything is asked of AWS or Anyscale.

A module validates, parses and then calls. Here the first connection ends the run, so that a value
is either refused with a message, or taken. What a value that is taken leads to, and that a refusal
reaches the user, is tested with the sandbox: tests/integration/modules/test_option_values.py.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import re
import socket
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit import cluster_identity
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    TRUST_POLICY,
    Backup,
    write_backup,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.arguments import Validated
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    Json,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import NEW
from ansible_collections.rayfleet.anyscale.tests.support.option_values import (
    GIVEN,
    MODULES,
    OPTIONS,
    PACKAGE,
    arguments_with,
    check_refusal,
    module_class_of,
    options_of,
    values_for,
)

pytestmark = pytest.mark.core


class ConnectedError(BaseException):
    """A run came as far as its first connection. Nothing that handles errors handles this one."""


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Credentials of an AWS account and for Anyscale, and no name of a host that resolves."""

    def refuse(*_arguments: t.Any, **_keywords: t.Any) -> t.NoReturn:
        raise ConnectedError

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_URL", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"AKIATOOL{ACCOUNT}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-checked")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("ANYSCALE_HOST", "http://localhost:1")
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", "not-checked")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def refusal_of(module: str, arguments: Json) -> str | None:
    """What a module says of its arguments; ``None`` where it continues and calls AWS or Anyscale."""
    found = module_class_of(module)
    try:
        if found is not None:
            validated = Validated(found, module, arguments)
            if validated.complaint is None:
                found(validated.params).result(check_mode=True)
            return validated.complaint
        rules = importlib.import_module(f"{PACKAGE}.{module}").ARGUMENT_SPEC
        checked = ArgumentSpecValidator(rules).validate(json.loads(json.dumps(arguments)))
        if not checked.error_messages:
            cluster_identity.read_identity(checked.validated_parameters)
        return ", ".join(checked.error_messages) or None
    except TaskError as error:
        return str(error.failure()["msg"])
    except ConnectedError:
        return None


def given(module: str, folder: pathlib.Path) -> Json:
    """The arguments that a module is given beside the one that is tried."""
    if module != "backup_restore":
        return GIVEN[module]
    before = policy(LAMBDA)
    backup = Backup(TRUST_POLICY, {"role_arn": NEW.role_arn}, ACCOUNT, before, None)
    kept = {"backup": True, "backup_dir": str(folder / "backups")}
    return {"files": [write_backup(backup, kept)["backup_file"]]}


# --- the tables -----------------------------------------------------------------------------------

_ARNS = ("ARN of another service", "ARN of another partition", "ARN of another account")
_ROLE_ARNS = _ARNS[1:]
_WORDS = ("number", "large number", "boolean")
_UNSET = ("empty", "null")
# On one line. Where it names something, AWS or Anyscale is asked for a thing of that name.
_LINES = ("unicode", "path", "shell", "Jinja", *_ARNS, "dictionary", "list", *_WORDS)
_TEXTS = ("empty", "blank", "unicode", "large", "path", "shell", "Jinja", "newline")
_ANY_TEXT = (*_TEXTS, "control characters", "NUL", *_ARNS)
_ANY_CONFIG = tuple(
    kind
    for kind in values_for("compute_config_profile", "config")
    if kind == "null" or "that is" in kind or kind.endswith(" key")
)
# The kinds that are taken, by option. All others are refused. An empty option of the connection was
# not set.
TAKEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("profile", "endpoint_url", "anyscale_host"), _UNSET),
    "region": (*_UNSET, "boolean"),
    **dict.fromkeys(("access_key", "secret_key"), ("path", *_ARNS, *_WORDS)),
    **dict.fromkeys(
        ("session_token", "anyscale_token", "assume_role_external_id"),
        (*_UNSET, "path", *_ARNS, *_WORDS),
    ),
    # Whether there is such a file shows with the first connection that speaks TLS.
    "aws_ca_bundle": ("empty", *_ANY_TEXT[2:], "null", "dictionary", "list", *_WORDS),
    "account_id": ("null",),
    # Of no other account than account_id, which is given.
    "assume_role_arn": ("null", "ARN of another partition"),
    "assume_role_session_name": (*_UNSET, *_WORDS),
    "lock_dir": _UNSET,
    "run_id": ("null", *_WORDS),
    "run_name": ("null", "path", "Jinja", "unicode", "dictionary", "list", *_ARNS, *_WORDS),
    "backup_dir": ("null",),
    # At least 16 characters, of any kind.
    "backup_key": (
        "null",
        "large",
        "path",
        "shell",
        "Jinja",
        *_ARNS,
        "dictionary",
        "list",
        "large number",
    ),
    "quota_chars": ("large number", "boolean"),
    "limit": ("boolean",),
    "output": ("null",),
    **dict.fromkeys(("config", "authority"), _ANY_CONFIG),
    # Each key names a node group, and each text a role.
    "node_group_roles": (
        "null",
        *(kind for kind in _ANY_CONFIG if kind.endswith(" that is a text")),
    ),
    "dest": ("null", *_LINES),
    "bucket": ("boolean", "large number"),
    **dict.fromkeys(("actions", "policy_arn"), ("null",)),
    "policy_name": _WORDS,
    # The beginning of a key, which may have any characters but the wildcards of policies.
    **dict.fromkeys(
        ("prefix", "bucket_prefix"),
        ("null", "unicode", "path", *_ARNS, "dictionary", "list", *_WORDS),
    ),
    "acknowledged": ("null", "no elements"),
    "managed": ("no elements",),
    **dict.fromkeys(("role", "control_plane_role"), (*_WORDS, "ARN of another partition")),
    "instance_profiles": ("null", "no elements", "numbers"),
    "roles": ("ARN of another partition", "numbers"),
    **dict.fromkeys(("default_role", "expected_role"), ("null", *_ROLE_ARNS, *_WORDS)),
    **dict.fromkeys(("cloud", "compute_config", "name"), _LINES),
    "instance_profile": ("null", *_WORDS),
    "resource": ("null", *_LINES),
    "position": ("null",),
    "pending_instance_profiles": ("null", "no elements", "numbers"),
    # The backup names no cloud, so that it belongs to none that is not named.
    "clouds": (*_ANY_TEXT, "null", "no elements", "nulls", "nested", "dictionaries", "numbers"),
    "needed_by": (*_ANY_TEXT[2:], "null", "no elements", "nested", "dictionaries", "numbers"),
}
TAKEN_IN: dict[tuple[str, str], tuple[str, ...]] = {
    ("compute_config_profile", "role"): ("null", *_WORDS, "ARN of another partition"),
    # An audit takes what it cannot find, or finds elsewhere, as one of its facts.
    ("cloud_iam_info", "role"): ("null", *_WORDS, *_ROLE_ARNS),
    ("cloud_launches_info", "further_roles"): ("null", "no elements", "numbers", *_ROLE_ARNS),
    ("cloud_iam_info", "further_roles"): ("null", "no elements", "numbers", *_ROLE_ARNS),
    ("cloud_iam_info", "bucket"): ("null", "boolean", "large number"),
    **{
        (module, "compute_config"): tuple(
            kind
            for kind in (*_ANY_TEXT, "null", "no elements", "nulls", "nested", "numbers")
            if kind not in _ARNS
        )
        for module in ("cloud_iam_info", "cloud_launches_info")
    },
    ("cloud_launches_info", "role"): ("null", *_WORDS, *_ROLE_ARNS),
}


def taken(module: str, option: str) -> set[str]:
    """The kinds of values that the tables say are taken."""
    if options_of(module)[option].get("type") == "bool":
        return {"boolean"}
    return set(TAKEN_IN.get((module, option), TAKEN.get(option, ())))


@pytest.mark.parametrize(("module", "option"), OPTIONS)
def test_these_values_are_taken_and_no_others(
    module: str, option: str, tmp_path: pathlib.Path
) -> None:
    others, accepted = given(module, tmp_path), set()
    for kind, value in values_for(module, option).items():
        refusal = refusal_of(module, arguments_with(module, others, option, value))
        if refusal is None:
            accepted.add(kind)
        else:
            check_refusal(module, option, value, refusal)
    assert accepted == taken(module, option)


def test_each_module_and_option_is_tried() -> None:
    """Also those that are yet to come."""
    assert {option for _module, option in OPTIONS} == {
        option for module in MODULES for option in options_of(module)
    }
    assert {module for module, _option in OPTIONS} == set(MODULES)


NAMES = (
    "account_id",
    "assume_role_arn",
    "bucket",
    "cloud",
    "cloud_id",
    "compute_config",
    "dest",
    "instance_profile",
    "name",
    "role",
)


@pytest.mark.parametrize(
    ("module", "option"),
    [
        (module, option)
        for module in MODULES
        for option in NAMES
        if options_of(module).get(option, {}).get("type") == "str"
    ],
)
def test_an_empty_name_is_a_variable_that_was_not_set(
    module: str, option: str, tmp_path: pathlib.Path
) -> None:
    """To continue without it would be to guess."""
    arguments = arguments_with(module, given(module, tmp_path), option, "")
    in_playbooks = r"( \(cloud_iam_\w+ in playbooks\))?"
    assert re.match(f"{option}{in_playbooks} is empty", refusal_of(module, arguments) or "")


# --- options that depend on one another -----------------------------------------------------------

CONVERGING = ("iam_trust_ec2", "s3_cloud_access", "iam_pass_role", "compute_config_profile")
KEYS: Json = {"access_key": f"AKIATOOL{ACCOUNT}", "secret_key": "not-checked"}
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
@pytest.mark.parametrize("module", CONVERGING)
def test_rules_of_all_modules(module: str, case: str) -> None:
    options, phrases = COMMON_RULES[case]
    message = refusal_of(module, {**GIVEN[module], **options}) or ""
    assert [phrase for phrase in phrases if phrase not in message] == []


RULES: dict[str, tuple[str, Json, str]] = {
    "trust: no role": ("iam_trust_ec2", {}, "one of the following is required: role, cloud_id"),
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
def test_rules_of_one_module(case: str) -> None:
    module, options, phrase = RULES[case]
    assert phrase in (refusal_of(module, options) or "")


ALIASES: dict[str, dict[str, str]] = {
    module: {
        alias: option
        for option, entry in options_of(module).items()
        for alias in entry.get("aliases", [])
    }
    for module in MODULES
    if module != "cluster_identity_info"
}


@pytest.mark.parametrize("module", ALIASES)
def test_each_alias_stands_for_its_option(module: str, tmp_path: pathlib.Path) -> None:
    found = module_class_of(module)
    assert found is not None
    assert ALIASES[module]
    for alias, option in ALIASES[module].items():
        others = {name: one for name, one in given(module, tmp_path).items() if name != option}
        keys = {} if option == "profile" else {**KEYS, "session_token": "token"}
        keys.pop(option, None)
        validated = Validated(found, module, {**others, **keys, alias: "a-value"})
        assert (validated.complaint, validated.params[option]) == (None, "a-value"), alias

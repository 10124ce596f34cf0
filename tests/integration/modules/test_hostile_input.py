# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile values for each option of each module: a clear error and not one write, or a right
result.

The cloud has everything yet to be made, so that whatever is taken for a good value writes.
"""

from __future__ import annotations

import importlib
import pathlib
import re
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import NEW, TOOLING
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
    Run,
    bucket_policy_of,
    trust_of,
)

PACKAGE = "ansible_collections.rayfleet.anyscale.plugins.modules"
FOLDER = pathlib.Path(__file__).parents[3] / "plugins" / "modules"
PWNED = pathlib.Path("/tmp/pwned-by-a-test")
LARGE = "A" * 2**20
LONGEST_MESSAGE = 2000
# What these modules do alone. The others are documentation, and their actions take no more than the
# names of files and hosts.
MODULES = [
    path.stem
    for path in sorted(FOLDER.glob("*.py"))
    if hasattr(importlib.import_module(f"{PACKAGE}.{path.stem}"), "main")
]
# It has nearly all options that any module has; others are tried on those alone that it has not, or
# that name something.
WHOLE = "cloud_iam"
NAMES = ("bucket", "cloud_id", "instance_profile", "name", "role")


def options_of(module: str) -> dict[str, Json]:
    """What AnsibleModule validates a module's options with."""
    found = importlib.import_module(f"{PACKAGE}.{module}")
    specification = (
        module_arguments(found.Task)["argument_spec"]
        if hasattr(found, "Task")
        else found.ARGUMENT_SPEC
    )
    return t.cast("dict[str, Json]", specification)


# --- the values -----------------------------------------------------------------------------------

TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "unicode": "größe-\N{ROCKET}",
    "large": LARGE,
    "path": "../" * 12 + "etc/passwd",
    "shell": f'$(touch {PWNED}); `touch {PWNED}` | cat && touch {PWNED} "$HOME"',
    "Jinja": "{{ 7 * 7 }}{% for i in range(9) %}",
    "newline": "first\nsecond",
    "NUL": "first\0second",
    "ARN of another service": "arn:aws:s3:::some-bucket/key",
    "ARN of another partition": NEW.role_arn.replace("arn:aws:", "arn:aws-cn:"),
    "ARN of another account": NEW.role_arn.replace(ACCOUNT, OTHER_ACCOUNT),
}
NULL: dict[str, t.Any] = {"null": None}
SCALARS: dict[str, t.Any] = {
    **TEXTS,
    **NULL,
    "dictionary": {"key": "value"},
    "list": ["first", "second"],
    "number": -1,
    "large number": 10**40,
    "boolean": True,
}
LISTS: dict[str, t.Any] = {
    **{name: [text] for name, text in TEXTS.items()},
    **NULL,
    "no elements": [],
    "nulls": [None],
    "nested": [["first"]],
    "dictionary": {"key": "value"},
    "dictionaries": [{"key": "value"}],
    "numbers": [12345, -2.5],
}
DICTIONARIES: dict[str, t.Any] = {
    **{
        name: text
        for name, text in TEXTS.items()
        if name in ("empty", "blank", "unicode", "large", "newline")
    },
    **NULL,
    "list": ["first"],
    "number": 5,
    "unknown key": {"no_such_key": 1},
    "large key": {LARGE: 1},
    "node group that is null": {"head_node": None},
    "node group that is a text": {"head_node": "m5.large"},
    "instance type that is a dictionary": {"head_node": {"instance_type": {"key": "value"}}},
}
BUCKETS: dict[str, str] = {
    "too short": "ab",
    "too long": "b" * 64,
    "upper case": "Fleet-Data",
    "underscore": "fleet_data",
    "two dots": "fleet..data",
    "dash at the end": "fleet-data-",
    "prefix": "s3://fleet-data/prefix",
    "access point": f"arn:aws:s3:us-west-2:{ACCOUNT}:accesspoint/fleet",
    "URL": "https://fleet-data.s3.amazonaws.com",
}


def values_for(option: str, specification: Json) -> dict[str, t.Any]:
    """The values that an option of this kind is tried with."""
    by_kind = {"list": LISTS, "dict": DICTIONARIES}
    return {
        **by_kind.get(specification.get("type", "str"), SCALARS),
        **(BUCKETS if option == "bucket" else {}),
    }


# --- what comes of them ---------------------------------------------------------------------------

_UNSET = ("empty", "null")
_ARNS = tuple(kind for kind in TEXTS if "ARN" in kind)
_WORDS = ("number", "boolean", "large number")
# The kinds that have a right result, by option. All others are refused. An empty option of the
# connection was not set.
RIGHT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("profile", "endpoint_url", "anyscale_host", "anyscale_token"), _UNSET),
    "account_id": ("null",),
    # Any text that can name a file names one where the task runs.
    "dest": ("null", *_WORDS, "unicode", "Jinja", "dictionary", "list"),
    # Another role than the node's is what the module is there to tell.
    **dict.fromkeys(
        ("default_role", "expected_role"),
        ("null", *_WORDS, "ARN of another partition", "ARN of another account"),
    ),
    "region": (*_UNSET, "boolean"),
    # The role to assume is everybody's in the tooling's account, whatever the session is called.
    "assume_role_session_name": (*_UNSET, *_WORDS),
    "assume_role_external_id": (*_UNSET, *_WORDS, *_ARNS, "path"),
    # The sandbox checks no signatures, so that any secret is right that can be sent.
    "secret_key": (*_WORDS, *_ARNS, "path"),
    "session_token": (*_UNSET, *_WORDS, *_ARNS, "path"),
    # Nothing in the sandbox speaks TLS: see test_a_bundle_that_cannot_be_used.
    "aws_ca_bundle": tuple(kind for kind in SCALARS if kind != "blank"),
    "lock_dir": tuple(kind for kind in SCALARS if kind not in ("large", "path", "NUL")),
    "run_id": ("null", *_WORDS),
    "instance_profile": ("null", *_WORDS),
    **dict.fromkeys(
        ("compute_config", "name"), (*_WORDS, "unicode", "path", "shell", "Jinja", "list")
    ),
    "config": ("null", "node group that is null"),
    "quota_chars": ("large number",),
}
# Where a module differs: what an audit cannot find, or finds elsewhere, is one of its facts.
RIGHT_IN: dict[tuple[str, str], tuple[str, ...]] = {
    # The backup tells no cloud, so that it is of none that is not named.
    ("backup_restore", "clouds"): tuple(kind for kind in LISTS if kind != "dictionary"),
    ("backup_restore", "needed_by"): ("null", "no elements"),
    ("cloud_iam_info", "role"): (
        "null",
        *_WORDS,
        "ARN of another partition",
        "ARN of another account",
    ),
    ("cloud_iam_info", "bucket"): ("null", "large number"),
    ("cloud_iam_info", "compute_config"): tuple(
        kind for kind in LISTS if kind not in ("dictionary", "dictionaries", *_ARNS)
    ),
}
# An option that counts only beside others, and those that it takes the place of.
BESIDE: dict[str, Json] = {
    **dict.fromkeys(("access_key", "secret_key", "session_token"), TOOLING),
    **dict.fromkeys(
        ("assume_role_arn", "assume_role_external_id", "assume_role_session_name"), TOOLING
    ),
    **dict.fromkeys(("backup_dir", "run_id"), {"backup": True}),
}
INSTEAD_OF: dict[str, tuple[str, ...]] = {"cloud": ("cloud_id",)}
CLOUD: Json = {"cloud_id": NEW.cloud_id, "account_id": ACCOUNT, "role": NEW.role_name}
GIVEN: dict[str, Json] = {
    "cloud_iam": {**CLOUD, "bucket": NEW.bucket_name, "compute_config": NEW.compute_config_name},
    "cloud_iam_info": {
        **CLOUD,
        "bucket": NEW.bucket_name,
        "compute_config": [NEW.compute_config_name],
    },
    "cluster_identity_info": {},
    "compute_config_profile": {**CLOUD, "name": NEW.compute_config_name},
    "iam_trust_ec2": {"account_id": ACCOUNT, "role": NEW.role_name},
    "s3_cloud_access": {"account_id": ACCOUNT, "roles": [NEW.role_arn], "bucket": NEW.bucket_name},
}


def cases() -> t.Iterator[t.Any]:
    """Each option with each of its values once, and those that name something in each module."""
    for module in MODULES:
        for option, specification in options_of(module).items():
            if module == WHOLE or option in NAMES or option not in options_of(WHOLE):
                for kind in values_for(option, specification):
                    yield pytest.param(module, option, kind, id=f"{module}-{option}-{kind}")


def is_right(module: str, option: str, kind: str) -> bool:
    """Whether a value has a right result."""
    if options_of(module)[option].get("type") == "bool":
        return kind == "boolean"
    return kind in RIGHT_IN.get((module, option), RIGHT.get(option, ()))


@pytest.fixture
def scene(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The cloud, and time that passes quickly for whoever tries again. What Ansible writes to the
    system's log is its own affair.
    """
    sandbox.seed((NEW,))
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda *_arguments, **_keywords: None)
    pass_quickly(monkeypatch)
    return sandbox


def given(module: str, scene: Sandbox, run_module: Run, tmp_path: pathlib.Path) -> Json:
    """The options that a module is given beside the one that is tried."""
    if module != "backup_restore":
        return GIVEN[module]
    replaced = run_module(
        "iam_trust_ec2", **GIVEN["iam_trust_ec2"], backup=True, backup_dir=str(tmp_path / "backups")
    )
    scene.clear_calls()
    return {"files": [replaced["backup_file"]]}


def others(sandbox: Sandbox) -> list[Json]:
    """The statements in both policies that are not ours."""
    documents = (trust_of(sandbox), bucket_policy_of(sandbox, NEW.bucket_name) or {})
    return [
        raw
        for document in documents
        for raw in document["Statement"]
        if not raw.get("Sid", "").startswith("Anyscale")
    ]


def told(module: str, option: str, value: t.Any, message: str) -> None:
    """A message that is read: short, on one line, about the option or its value, and with what to
    do.

    What Ansible refuses by itself, it repeats at any length.
    """
    message = message.replace("*" * 8, " ")  # where a blank is a secret
    by_ansible = message.startswith(
        ("argument ", "value of ", "Elements value ", "Unable to ", "missing ", "parameters are ")
    )
    assert by_ansible or (len(message) <= LONGEST_MESSAGE and "\n" not in message)
    assert "Traceback" not in message and "Unexpected" not in message
    words = [
        option,
        *options_of(module)[option].get("aliases", []),
        *(re.findall(r"[A-Za-z0-9]{4,}", str(value))[:1]),
    ]
    assert any(word[:100] in message for word in words), f"{words} in {message}"
    assert by_ansible or re.search(r"[.!?] [A-Z]", message), f"no remedy in {message}"


@pytest.mark.parametrize(("module", "option", "kind"), cases())
def test_it_is_refused_or_right(
    scene: Sandbox, run_module: Run, tmp_path: pathlib.Path, module: str, option: str, kind: str
) -> None:
    """As the tables say. Whoever is refused wrote nothing; whoever is right has nothing left to do."""
    value = values_for(option, options_of(module)[option])[kind]
    beside = {
        name: one
        for name, one in given(module, scene, run_module, tmp_path).items()
        if name not in INSTEAD_OF.get(option, ())
    }
    options = {**beside, **BESIDE.get(option, {}), option: value}
    found = others(scene)
    result = run_module(module, **options)
    assert not PWNED.exists()
    if is_right(module, option, kind):
        assert not result.get("failed"), result["msg"][:LONGEST_MESSAGE]
        assert result["changed"] == bool(scene.writes())
        assert not run_module(module, **options)["changed"]
        assert others(scene) == found
    else:
        assert result.get("failed") is True, "it did not fail"
        told(module, option, value, result["msg"])
        assert scene.writes() == []


def test_each_module_and_option_is_tried() -> None:
    """Also those that are yet to come."""
    tried = {case.values[:2] for case in cases()}
    assert {option for _module, option in tried} == {
        option for module in MODULES for option in options_of(module)
    }
    assert {module for module, _option in tried} == set(MODULES)

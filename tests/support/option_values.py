# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile values for the options of the modules, by the kind of an option, and how a refusal has to
read.
"""

from __future__ import annotations

import importlib
import pathlib
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    Module,
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import NEW, TOOLING

PACKAGE = "ansible_collections.rayfleet.anyscale.plugins.modules"
_ACTIONS = "ansible_collections.rayfleet.anyscale.plugins.action"
FOLDER = pathlib.Path(__file__).parents[2] / "plugins" / "modules"
PWNED = pathlib.Path("/tmp/pwned-by-a-test")
LARGE = "A" * 2**20
LONGEST_MESSAGE = 2000
# What these modules do alone. The others are documentation, and their actions take no more than the
# names of files and hosts.
MODULES = tuple(
    path.stem
    for path in sorted(FOLDER.glob("*.py"))
    if hasattr(importlib.import_module(f"{PACKAGE}.{path.stem}"), "main")
)

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
    "control characters": "a\x07b\tc",
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
_SETTINGS = (
    "head_node",
    "worker_nodes",
    "zones",
    "flags",
    "advanced_instance_config",
    "min_resources",
    "configs",
)
_NO_SETTING: dict[str, t.Any] = {"a text": "x", "a number": -1, "a list": [1]}
DICTIONARIES: dict[str, t.Any] = {
    **{
        name: text
        for name, text in TEXTS.items()
        if name in ("empty", "blank", "unicode", "large", "newline")
    },
    **NULL,
    "words": "just words",
    "list": ["first"],
    "number": 5,
    "unknown key": {"no_such_key": 1},
    "large key": {LARGE: 1},
    "node group that is null": {"head_node": None},
    "instance type that is a dictionary": {"head_node": {"instance_type": {"key": "value"}}},
    "instance type that is a list": {"worker_nodes": [{"name": 5, "instance_type": ["m5.large"]}]},
    **{
        f"{key} that is {kind}": {key: value}
        for key in _SETTINGS
        for kind, value in _NO_SETTING.items()
    },
}
BUCKETS: dict[str, str] = {
    "too short": "ab",
    "too long": "b" * 256,
    "space": "fleet data",
    "prefix": "s3://fleet-data/prefix",
    "access point": f"arn:aws:s3:us-west-2:{ACCOUNT}:accesspoint/fleet",
    "URL": "https://fleet-data.s3.amazonaws.com",
}

# --- the options ----------------------------------------------------------------------------------

# An option that counts only beside others, and those that it takes the place of.
_BESIDE: dict[str, Json] = {
    **dict.fromkeys(("access_key", "secret_key", "session_token"), TOOLING),
    **dict.fromkeys(
        ("assume_role_arn", "assume_role_external_id", "assume_role_session_name"), TOOLING
    ),
    **{key: {"backup": True} for key in ("backup_dir", "backup_key", "run_id", "run_name")},
}
_INSTEAD_OF: dict[tuple[str, str], tuple[str, ...]] = {
    ("iam_trust_ec2", "cloud_id"): ("role",),
    ("s3_cloud_access", "cloud_id"): ("roles",),
    ("iam_pass_role", "cloud_id"): ("roles", "control_plane_role"),
    ("compute_config_profile", "cloud"): ("cloud_id",),
    ("cloud_iam_info", "cloud"): ("cloud_id",),
    ("cloud_launches_info", "cloud"): ("cloud_id",),
    ("cloud_iam_mapping", "cloud"): ("cloud_id",),
    ("iam_instance_profile", "cloud_id"): ("role",),
}
_CLOUD: Json = {"cloud_id": NEW.cloud_id, "account_id": ACCOUNT, "role": NEW.role_name}
GIVEN: dict[str, Json] = {
    "cloud_iam_mapping": {
        "cloud_id": NEW.cloud_id,
        "account_id": ACCOUNT,
        "rules": [{"selector": "project=ml", "role": NEW.role_name}],
    },
    "iam_instance_profile": {"account_id": ACCOUNT, "role": NEW.role_name},
    "cloud_iam_info": {
        **_CLOUD,
        "bucket": NEW.bucket_name,
        "compute_config": [NEW.compute_config_name],
    },
    "cloud_launches_info": {**_CLOUD, "compute_config": [NEW.compute_config_name]},
    "cluster_identity_info": {},
    "compute_config_profile": {**_CLOUD, "name": NEW.compute_config_name},
    "iam_trust_ec2": {"account_id": ACCOUNT, "role": NEW.role_name},
    "s3_cloud_access": {"account_id": ACCOUNT, "roles": [NEW.role_arn], "bucket": NEW.bucket_name},
    "iam_pass_role": {
        "account_id": ACCOUNT,
        "roles": [NEW.role_arn],
        "control_plane_role": NEW.control_plane_role_arn,
    },
}


def module_class_of(module: str) -> type[Module] | None:
    """The class that does the work of a module, if it has an action that runs the same."""
    if not hasattr(importlib.import_module(f"{PACKAGE}.{module}"), "run_module"):
        return None
    action = importlib.import_module(f"{_ACTIONS}.{module}").ActionModule
    return t.cast("type[Module]", action.module_class)


def options_of(module: str) -> dict[str, Json]:
    """What a module's options are validated with."""
    found = module_class_of(module)
    specification = (
        importlib.import_module(f"{PACKAGE}.{module}").ARGUMENT_SPEC
        if found is None
        else module_arguments(found)["argument_spec"]
    )
    return t.cast("dict[str, Json]", specification)


# Most options are those of several modules, by the same code. One module has nearly all; others are
# tried on those alone that it has not, or that name something.
_WHOLE = "compute_config_profile"
_NAMES = ("bucket", "cloud_id", "instance_profile", "name", "role")
OPTIONS = [
    (module, option)
    for module in MODULES
    for option in options_of(module)
    if module == _WHOLE or option in _NAMES or option not in options_of(_WHOLE)
]


def values_for(module: str, option: str) -> dict[str, t.Any]:
    """The values that an option is tried with, by their kinds."""
    by_type = {"list": LISTS, "dict": DICTIONARIES}
    return {
        **by_type.get(options_of(module)[option].get("type", "str"), SCALARS),
        **(BUCKETS if option == "bucket" else {}),
    }


def arguments_with(module: str, given: Json, option: str, value: t.Any) -> Json:
    """The arguments that a module is given, with one option set to the value that is tried."""
    replaced = _INSTEAD_OF.get((module, option), ())
    kept = {name: one for name, one in given.items() if name not in replaced}
    return {**kept, **_BESIDE.get(option, {}), option: value}


# --- how a refusal reads --------------------------------------------------------------------------

_BY_ANSIBLE = (
    "argument ",
    "value of ",
    "Elements value ",
    "Unable to ",
    "missing ",
    "parameters are ",
)


def check_refusal(module: str, option: str, value: t.Any, message: str) -> None:
    """A message has to be short, on one line, about the option or its value, and say what to do.

    What Ansible refuses by itself, it repeats at any length.
    """
    message = message.replace("*" * 8, " ")  # where a blank is a secret
    by_ansible = message.startswith(_BY_ANSIBLE)
    assert by_ansible or (len(message) <= LONGEST_MESSAGE and "\n" not in message)
    assert "Traceback" not in message
    assert "Unexpected" not in message
    words = [
        option,
        *options_of(module)[option].get("aliases", []),
        *(re.findall(r"[A-Za-z0-9]{4,}", str(value))[:1]),
    ]
    assert any(word[:100] in message for word in words), f"{words} in {message[:LONGEST_MESSAGE]}"
    assert by_ansible or re.search(r"[.!?] [A-Z]", message), f"no remedy in {message}"

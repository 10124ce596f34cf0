# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile values of options against the sandbox: a refusal reaches the user and nothing is written,
or the value is accepted and has its meaning.

The cloud has everything yet to be made, so that whatever is taken for a good value writes. Which
values are taken at all is a matter of tests/unit/plugins/test_option_values.py; here is one row an
option that is refused, by the module's own check or by what AWS or Anyscale has, and one that is
valid.
"""

from __future__ import annotations

import pathlib

import pytest
from ansible.module_utils import basic

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    Json,
    bucket_policy_of,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import NEW
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run
from ansible_collections.rayfleet.anyscale.tests.support.option_values import (
    GIVEN,
    LONGEST_MESSAGE,
    OPTIONS,
    PWNED,
    arguments_with,
    check_refusal,
    options_of,
    values_for,
)

# By option, the kind of value that is refused as late as it can be: where it can name something,
# once AWS or Anyscale was asked for a thing of that name.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("access_key", "secret_key", "session_token"), "newline"),
    **dict.fromkeys(("profile", "endpoint_url", "anyscale_host", "anyscale_token"), "unicode"),
    **dict.fromkeys(("region", "assume_role_external_id", "assume_role_session_name"), "shell"),
    **dict.fromkeys(
        ("state", "arn_kind", "account_id", "grant", "preset", "bucket_actions"), "number"
    ),
    "acknowledged": "dictionaries",
    **dict.fromkeys(("policy_name", "policy_arn", "prefix", "bucket_prefix"), "shell"),
    **dict.fromkeys(("backup_dir", "run_id"), "path"),
    "run_name": "newline",
    **dict.fromkeys(("cloud_id", "cloud"), "Jinja"),
    **dict.fromkeys(("compute_config", "name"), "ARN of another account"),
    **dict.fromkeys(("roles", "actions", "managed"), "numbers"),
    "instance_profiles": "path",
    "aws_ca_bundle": "blank",
    "assume_role_arn": "ARN of another account",
    "lock_dir": "path",
    "backup_key": "blank",
    "quota_chars": "boolean",
    "bucket": "large number",
    **dict.fromkeys(("role", "control_plane_role"), "number"),
    "instance_profile": "shell",
    "config": "worker_nodes that is a text",
    "authority": "words",
    "dest": "path",
    "files": "path",
    "limit": "large number",
    "further_roles": "blank",
    "node_groups": "shell",
    "node_group_roles": "words",
    "output": "shell",
    "needed_by": "blank",
    "clouds": "dictionary",
    "resource": "Jinja",
    "fallback_rule": "shell",
    **dict.fromkeys(("rules", "pending_instance_profiles"), "dictionaries"),
    "position": "unknown key",
    **dict.fromkeys(("expected_role", "default_role"), "ARN of another service"),
}
# What a hostile but valid value leads to, by option. The connection's are with the unit tests.
VALID: dict[str, str] = {
    **dict.fromkeys(("compute_config", "name"), "shell"),
    "assume_role_external_id": "path",
    "assume_role_session_name": "boolean",
    "clouds": "shell",
    "config": "node group that is null",
    "dest": "Jinja",
    "expected_role": "ARN of another account",
    "instance_profile": "number",
    **dict.fromkeys(("prefix", "bucket_prefix"), "path"),
    "quota_chars": "large number",
    "run_id": "large number",
    "run_name": "Jinja",
    "backup_key": "shell",
}
# What an audit cannot find is one of its facts.
REFUSED_IN: dict[tuple[str, str], str] = {
    **dict.fromkeys((("cloud_iam_info", "role"), ("cloud_launches_info", "role")), "shell"),
    ("cloud_iam_info", "bucket"): "URL",
    ("iam_trust_ec2", "cloud_id"): "path",
    ("s3_cloud_access", "cloud_id"): "path",
}
VALID_IN: dict[tuple[str, str], str] = {
    ("cloud_iam_info", "role"): "ARN of another account",
    ("cloud_launches_info", "role"): "ARN of another account",
    ("cloud_iam_info", "bucket"): "large number",
    ("cloud_iam_info", "compute_config"): "large",
    ("cloud_launches_info", "compute_config"): "large",
}


def refused(module: str, option: str) -> str:
    """The kind of value that is refused."""
    if options_of(module)[option].get("type") == "bool":
        return "number"
    return REFUSED_IN.get((module, option)) or REFUSED[option]


REFUSALS = [
    pytest.param(module, option, refused(module, option), id=f"{module}-{option}")
    for module, option in OPTIONS
]
_KINDS = {pair: VALID_IN.get(pair) or VALID.get(pair[1]) for pair in OPTIONS}
RESULTS = [
    pytest.param(module, option, kind, id=f"{module}-{option}")
    for (module, option), kind in _KINDS.items()
    if kind
]


@pytest.fixture
def scene(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The cloud, and a clock that skips the pauses between retries. What Ansible writes to the
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


@pytest.mark.parametrize(("module", "option", "kind"), REFUSALS)
def test_a_refusal_reaches_the_user_and_nothing_is_written(
    scene: Sandbox, run_module: Run, tmp_path: pathlib.Path, module: str, option: str, kind: str
) -> None:
    value = values_for(module, option)[kind]
    beside = given(module, scene, run_module, tmp_path)
    result = run_module(module, **arguments_with(module, beside, option, value))
    assert result.get("failed") is True, "it did not fail"
    check_refusal(module, option, value, result["msg"])
    assert scene.writes() == []
    assert not PWNED.exists()


@pytest.mark.parametrize(("module", "option", "kind"), RESULTS)
def test_an_unusual_but_valid_value_leaves_nothing_to_do(
    scene: Sandbox, run_module: Run, tmp_path: pathlib.Path, module: str, option: str, kind: str
) -> None:
    value = values_for(module, option)[kind]
    options = arguments_with(module, given(module, scene, run_module, tmp_path), option, value)
    found = others(scene)
    result = run_module(module, **options)
    assert not result.get("failed"), result["msg"][:LONGEST_MESSAGE]
    assert result["changed"] == bool(scene.writes())
    assert not run_module(module, **options)["changed"]
    assert others(scene) == found
    assert not PWNED.exists()

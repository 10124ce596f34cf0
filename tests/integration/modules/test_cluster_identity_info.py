# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of a cluster reports its identity, and the playbook verify_cluster fails for one with
another role.
"""

from __future__ import annotations

import json
import pathlib
import shlex
import sys
import typing as t

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.rayfleet.anyscale.plugins.modules import cluster_identity_info
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    INSTANCE,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    SESSION_VARIABLES,
    Json,
    session,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    documented_returns,
    failure,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

DEFAULT_ROLE = "cld_4fxb3wsbdcq2n1p9-cluster_node_role"


@pytest.fixture(name="look")
def _look(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> t.Callable[..., Json]:
    """Run the module with credentials of an environment."""

    def look(environment: dict[str, str], check: bool = False, **options: t.Any) -> Json:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        sandbox.clear_calls()
        with (
            patch_module_args({**options, "_ansible_check_mode": check}),
            pytest.raises(SystemExit),
        ):
            cluster_identity_info.main()
        return {
            key: value
            for key, value in json.loads(capsys.readouterr().out).items()
            if key != "invocation"
        }

    return look


Look = t.Callable[..., Json]


def test_a_node_returns_all_that_is_documented(sandbox: Sandbox, look: Look) -> None:
    result = look(session(sandbox, path="/ray/"), expected_role=ROLE)
    assert set(result) == {"changed", *documented_returns("cluster_identity_info")}
    assert result.pop("user_id").endswith(f":{INSTANCE}")
    assert result == {
        "changed": False,
        "kind": "assumed_role",
        "account_id": ACCOUNT,
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{INSTANCE}",
        "role_name": ROLE,
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray/{ROLE}",
        "session_name": INSTANCE,
        "instance_id": INSTANCE,
        "matches": True,
        "reason": "",
        "message": "",
    }
    assert [call["operation"] for call in sandbox.calls()] == ["GetCallerIdentity", "GetRole"]


def test_what_the_cli_printed_needs_no_call(sandbox: Sandbox, look: Look) -> None:
    """And no credentials, so that it can be judged anywhere."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{INSTANCE}"
    output = f"{ACCOUNT}\t{arn}\tAROAEXAMPLE:{INSTANCE}\n"
    right = look({}, output=output, expected_role=f"arn:aws:iam::{ACCOUNT}:role/ray/{ROLE}")
    assert (right["matches"], right["instance_id"]) == (True, INSTANCE)
    wrong = look({}, output=output, expected_role="other")
    assert (wrong["matches"], wrong["reason"]) == (False, "another_role")
    refused = failure(look({}, output="Unable to locate credentials", expected_role=ROLE))
    assert refused["msg"].startswith("output has no Account")
    assert sandbox.calls() == []


def test_without_an_expectation_there_is_no_verdict(sandbox: Sandbox, look: Look) -> None:
    result = look(session(sandbox), check=True)
    assert result["role_name"] == ROLE
    assert "matches" not in result


def test_where_iam_may_not_be_read_the_path_is_left_open(sandbox: Sandbox, look: Look) -> None:
    environment = session(sandbox, path="/ray/")
    sandbox.settings(denied=["GetRole"])
    result = look(environment, expected_role=f"arn:aws:iam::{ACCOUNT}:role/ray/{ROLE}")
    assert (result["matches"], result["role_arn"]) == (True, ROLE_ARN)


def test_iam_is_not_asked_where_it_is_not_to_be(sandbox: Sandbox, look: Look) -> None:
    look(session(sandbox), look_up_role=False)
    assert [call["operation"] for call in sandbox.calls()] == ["GetCallerIdentity"]


USER = {"AWS_ACCESS_KEY_ID": f"AKIATOOL{ACCOUNT}"}
WRONG: dict[str, tuple[t.Callable[[Sandbox], dict[str, str]], Json, str]] = {
    "the default role": (lambda sandbox: session(sandbox, DEFAULT_ROLE), {}, "default_role"),
    "the default role as it was registered": (
        lambda sandbox: session(sandbox, "team-b"),
        {"default_role": "team-b"},
        "default_role",
    ),
    "another role": (lambda sandbox: session(sandbox, "team-b"), {}, "another_role"),
    "another path": (
        session,
        {"expected_role": f"arn:aws:iam::{ACCOUNT}:role/ray/{ROLE}"},
        "another_path",
    ),
    "another account": (
        session,
        {"expected_role": ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)},
        "another_account",
    ),
    "an operator assumed the role": (
        lambda sandbox: session(sandbox, name="jo@example.com"),
        {},
        "not_the_instance",
    ),
    "keys of a user": (lambda sandbox: USER, {}, "no_role"),
}


@pytest.mark.parametrize("case", WRONG)
def test_who_is_not_expected(sandbox: Sandbox, look: Look, case: str) -> None:
    enter, options, reason = WRONG[case]
    result = look(enter(sandbox), **{"expected_role": ROLE, **options})
    assert (result["matches"], result["reason"]) == (False, reason)
    assert result["message"]
    assert "\n" not in result["message"]


def test_a_node_without_credentials(
    sandbox: Sandbox, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SESSION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    result = look({}, expected_role=ROLE)
    assert (result["kind"], result["account_id"], result["matches"], result["reason"]) == (
        "none",
        None,
        False,
        "no_role",
    )


MISTAKES: dict[str, tuple[dict[str, str], Json, str]] = {
    "an expected role that can be none": ({}, {"expected_role": "no role/"}, "expected_role"),
    "unknown access keys": ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, {}, "InvalidClientTokenId"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_explained(sandbox: Sandbox, look: Look, case: str) -> None:
    environment, options, words = MISTAKES[case]
    assert words in failure(look(environment, **options))["msg"]


# --- the playbook ---------------------------------------------------------------------------------


@pytest.fixture(name="verify")
def _verify(sandbox: Sandbox, tmp_path: pathlib.Path) -> t.Callable[..., Run]:
    """Run the playbook over nodes of whose Python the environment is, as it would be on machines of
    their own.
    """

    def verify(nodes: dict[str, dict[str, str]], *arguments: str, **variables: str) -> Run:
        hosts = {}
        for name, environment in nodes.items():
            python = tmp_path / f"python-of-{name}"
            exports = "".join(
                f"export {variable}={shlex.quote(value)}\n"
                for variable, value in environment.items()
            )
            python.write_text(f'#!/bin/sh\n{exports}exec {shlex.quote(sys.executable)} "$@"\n')
            python.chmod(0o700)
            hosts[name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": str(python),
                **variables,
            }
        inventory = tmp_path / "nodes.yml"
        inventory.write_text(
            yaml.safe_dump({"all": {"children": {"anyscale_clusters": {"hosts": hosts}}}})
        )
        return run_playbook(sandbox, "verify_cluster", inventory, *arguments)

    return verify


def test_the_playbook_fails_for_nodes_with_another_role(
    sandbox: Sandbox, verify: t.Callable[..., Run]
) -> None:
    """And says for each why; the one with the expected role is named with its instance."""
    nodes = {
        "instance": session(sandbox),
        "default": session(sandbox, DEFAULT_ROLE),
        "wrong": session(sandbox, "team-b"),
    }
    run = verify(nodes, "-e", f"verify_expected_role={ROLE}", "-e", "verify_default_role=team-b")
    assert run.failed() == {"default", "wrong"}
    assert run.exit_status == 2
    assert f"{INSTANCE} runs with {ROLE_ARN}" in run.output
    reasons = {name: run.result(name, "cluster_identity_info")["reason"] for name in nodes}
    assert reasons == {"instance": "", "default": "another_role", "wrong": "default_role"}
    assert run.result("wrong", "cluster_identity_info")["message"] in run.output
    [summary] = run.named("Summarize the run")
    assert summary["msg"] == ["1 verified, 2 failed", "Failed: default, wrong"]
    assert run.writes == []


def test_the_playbook_expects_the_clouds_role(
    sandbox: Sandbox, verify: t.Callable[..., Run]
) -> None:
    """In check mode as well, since nothing is written; a cloud whose default role is unknown has
    null for it.
    """
    run = verify(
        {"head": session(sandbox)},
        "--check",
        cloud_iam_role=ROLE_ARN,
        anyscale_default_role_arn=None,
    )
    assert run.exit_status == 0, run.output
    assert run.result("head", "cluster_identity_info")["matches"] is True


@pytest.mark.parametrize(
    "answer",
    few_of([[], ["-e", "verify_expected_role="]], ["-e", "verify_expected_role="]),
    ids=["nothing", "an empty answer"],
)
def test_the_playbook_needs_a_role_to_expect(
    sandbox: Sandbox, verify: t.Callable[..., Run], answer: list[str]
) -> None:
    run = verify({"head": session(sandbox)}, *answer)
    assert run.exit_status == 2
    assert "Set verify_expected_role" in run.output


@pytest.mark.parametrize("limit", few_of([[], ["--limit", "head"]], []), ids=["all", "limited"])
def test_a_pattern_that_matches_no_node_is_an_error(
    sandbox: Sandbox, verify: t.Callable[..., Run], limit: list[str]
) -> None:
    """No node was asked, which must not look as if all had the expected role."""
    run = verify({"head": {}}, "-e", "verify_hosts=haed", *limit)
    assert run.exit_status == 4
    assert "No host in the inventory matches haed." in run.output


def test_an_inventory_without_the_group_is_an_error(
    sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    inventory = tmp_path / "nodes.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"head": None}}}))
    run = run_playbook(sandbox, "verify_cluster", inventory)
    assert run.exit_status == 4
    assert "No host in the inventory matches anyscale_clusters." in run.output
    inventory.write_text(yaml.safe_dump({"all": {}}))
    run = run_playbook(sandbox, "verify_cluster", inventory)
    assert run.exit_status == 4
    assert "The inventory has no hosts." in run.output


def test_a_node_that_verifies_itself_needs_no_inventory(
    sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """As in the terminal of a workspace: Ansible knows the machine that it runs on without one."""
    inventory = tmp_path / "nodes.yml"
    inventory.write_text(yaml.safe_dump({"all": {}}))
    options = ("-e", "verify_hosts=localhost", "-e", f"verify_expected_role={ROLE}")
    run = run_playbook(
        sandbox, "verify_cluster", inventory, *options, variables=session(sandbox, DEFAULT_ROLE)
    )
    assert run.failed() == {"localhost"}
    assert run.result("localhost", "cluster_identity_info")["reason"] == "default_role"
    [summary] = run.named("Summarize the run")
    assert summary["msg"] == ["0 verified, 1 failed", "Failed: localhost"], "also if all fail"

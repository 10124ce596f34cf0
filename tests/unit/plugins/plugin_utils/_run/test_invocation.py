# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands for the clouds of a run repeat what its own command line needed to find them."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible import constants as C
from ansible.parsing.splitter import parse_kv
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    connected_by,
    inventory_options,
    invocation_of,
    not_repeated,
    variable_options,
)

pytestmark = pytest.mark.core


def test_the_inventories_are_those_of_the_command_line() -> None:
    here = os.getcwd()
    arguments = {"inventory": [f"{here}/fleet.yml", "/etc/fleet.yml", "a,b"]}
    assert invocation_of(arguments, {}) == Invocation(("fleet.yml", "/etc/fleet.yml", "a,b"))


def test_the_configured_inventory_need_not_be_named() -> None:
    assert invocation_of({"inventory": list(C.DEFAULT_HOST_LIST)}, {}) == Invocation()
    assert invocation_of({}, {"awx_job_id": 7}).in_awx


def test_the_inventory_of_a_job_of_awx_is_gone_after_it() -> None:
    """So that no command names it."""
    assert inventory_options(Invocation(("/runner/inventory",), in_awx=True)) == []
    assert inventory_options(Invocation(("a.yml", "b c"))) == ["-i", "a.yml", "-i", "b c"]


# The extra variables of a run; the options that a command repeats, and the variables left to people.
# How the run connected is repeated by none: what may audit may not be what may write.
VARIABLES: dict[str, tuple[dict[str, t.Any], list[str], list[str]]] = {
    "none": ({}, [], []),
    "plain": ({"cloud_iam_bucket": "logs-1"}, ["-e", "cloud_iam_bucket=logs-1"], []),
    "of the playbook or the user": ({"audit_fail_on": "drift", "stage": "x"}, [], []),
    "the run itself": ({"cloud_iam_run_id": "4711"}, [], []),
    "with a space, which would be two": (
        {"cloud_iam_lock_dir": "/a b=c"},
        ["-e", '{"cloud_iam_lock_dir": "/a b=c"}'],
        [],
    ),
    "no text": (
        {"cloud_iam_publish": True, "cloud_iam_quota_chars": 4096, "cloud_iam_bucket": None},
        [
            *("-e", '{"cloud_iam_publish": true}', "-e", '{"cloud_iam_quota_chars": 4096}'),
            *("-e", '{"cloud_iam_bucket": null}'),
        ],
        [],
    ),
    "no plain value": ({"cloud_iam_node_groups": ["a"]}, [], ["cloud_iam_node_groups"]),
    "a key": ({"cloud_iam_backup_key": "0123456789abcdef"}, [], ["cloud_iam_backup_key"]),
    "an address with a password": (
        {"cloud_iam_dest": "https://me:pass@proxy"},
        [],
        ["cloud_iam_dest"],
    ),
    "the role to assume": ({"cloud_iam_assume_role_arn": "arn:aws:iam::1:role/audit"}, [], []),
    "an external ID": ({"cloud_iam_assume_role_external_id": "x"}, [], []),
    "a profile": ({"cloud_iam_profile": "auditor", "cloud_iam_region": "us-west-2"}, [], []),
    "an endpoint": ({"cloud_iam_endpoint_url": "https://proxy"}, [], []),
    "a token": ({"cloud_iam_anyscale_token": "aph0_x"}, [], []),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_extra_variables_are_repeated_if_they_are(case: str) -> None:
    given_variables, options, left_out = VARIABLES[case]
    assert variable_options(given_variables) == options
    assert not_repeated(given_variables) == left_out


def test_how_a_run_connected_is_said_by_the_names_of_the_variables_alone() -> None:
    given_variables = {"cloud_iam_profile": "x", "cloud_iam_bucket": "b", "stage": "x"}
    assert connected_by(given_variables) == ["cloud_iam_profile"]


@given(st.text())
def test_ansible_reads_a_repeated_value_as_it_was(value: str) -> None:
    [_e, option] = variable_options({"cloud_iam_bucket": value})
    read = json.loads(option) if option.startswith("{") else parse_kv(option)
    assert read == {"cloud_iam_bucket": value}


# The job template of a job, and the prefix that it passes on, if it does.
@pytest.mark.parametrize(
    ("job_template", "passed", "named"),
    [
        pytest.param("Anyscale onboard", {}, "Anyscale rollback", id="of the same prefix"),
        pytest.param("Ray clouds, EU offboard", {}, "Ray clouds, EU rollback", id="several words"),
        pytest.param("", {}, "rollback", id="of a job without a template"),
        pytest.param(
            "Anyscale onboard @ 10:22:33 PM",
            {"awx_setup_prefix": "Anyscale"},
            "Anyscale rollback",
            id="of a copy",
        ),
        pytest.param(
            "Anyscale nightly audit",
            {"awx_setup_prefix": "Anyscale"},
            "Anyscale rollback",
            id="a name of several words",
        ),
    ],
)
def test_a_job_of_awx_is_undone_by_the_template_of_its_set_up(
    job_template: str, passed: dict[str, str], named: str
) -> None:
    variables = {"awx_job_id": 7, "awx_job_template_name": job_template, **passed}
    assert invocation_of({}, variables).job_template("rollback") == named

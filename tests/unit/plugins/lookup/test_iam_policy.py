# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin hands its options over, with the defaults that it documents, and refuses what
it does not know.
"""

from __future__ import annotations

import inspect
import re
import typing as t

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleLookupError

from ansible_collections.rayfleet.anyscale.plugins.lookup import iam_policy
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    Document,
    policy,
)

pytestmark = pytest.mark.core

ACCOUNT = "123456789012"
NAME = "rayfleet.anyscale.iam_policy"
OPTIONS: dict[str, t.Any] = yaml.safe_load(iam_policy.DOCUMENTATION)["options"]


def look_up(*playbooks: str, **options: t.Any) -> list[Document]:
    """As Ansible does it, which reads the options from the documentation."""
    C.config.initialize_plugin_configuration_definitions("lookup", NAME, OPTIONS)
    plugin = iam_policy.LookupModule()
    plugin._load_name = NAME
    return plugin.run(list(playbooks), {}, **options)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_policy_of(playbook: str) -> None:
    assert look_up(playbook, account_id=ACCOUNT) == [policy(playbook, parse_scope(ACCOUNT))]


def test_several_playbooks_have_a_policy_each() -> None:
    scope = parse_scope(ACCOUNT)
    assert look_up("audit", "onboard", account_id=ACCOUNT) == [
        policy("audit", scope),
        policy("onboard", scope),
    ]


def test_every_option_counts() -> None:
    options = {
        "partition": "aws-us-gov",
        "roles": ["ray-*"],
        "control_plane_roles": ["anyscale"],
        "instance_profiles": ["shared"],
        "buckets": ["data"],
        "bucket_policies": ["data-access"],
        "permissions_boundary": "boundary",
        "role_policies": True,
        "pass_role": True,
    }
    scope = parse_scope(ACCOUNT, **options)
    assert look_up("audit", account_id=ACCOUNT, **options) == [policy("audit", scope)]
    assert look_up("onboard", account_id=ACCOUNT, leave_out=["PassRoles"], **options) == [
        policy("onboard", scope, ["PassRoles"])
    ]
    assert {"_terms", "account_id", "leave_out", *options} == set(OPTIONS)


def test_the_defaults_are_those_that_are_documented() -> None:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(parse_scope).parameters.items()
        if name != "account_id"
    }
    documented = {name: OPTIONS[name].get("default") for name in defaults}
    assert {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    } == documented


def test_the_playbooks_are_documented() -> None:
    assert re.findall(r"V\((\w+)\)", OPTIONS["_terms"]["description"][0]) == list(PLAYBOOKS)


def test_a_number_without_quotes_is_an_account_and_a_single_name_is_a_list() -> None:
    (document,) = look_up("verify_cluster", account_id=123456789012, roles="ray")
    assert document["Statement"][0]["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/ray"]


MISTAKES: dict[str, tuple[list[str], dict[str, t.Any], str]] = {
    "no playbook": ([], {"account_id": ACCOUNT}, "The name of a playbook is missing"),
    "a playbook that there is not": (
        ["onboard", "all"],
        {"account_id": ACCOUNT},
        "There is no playbook 'all'. Give one of audit,",
    ),
    "an option that there is not": (
        ["onboard"],
        {"account_id": ACCOUNT, "bucket": "data"},
        "Unknown option bucket",
    ),
    "an account id that is none": (["onboard"], {"account_id": "x"}, "account_id is 'x'"),
    "a role that is none": (
        ["onboard"],
        {"account_id": ACCOUNT, "roles": ["a b"]},
        "roles has 'a b'",
    ),
    "a statement that is needed": (
        ["onboard"],
        {"account_id": ACCOUNT, "leave_out": ["ReadRoles"]},
        "leave_out has 'ReadRoles'",
    ),
}


@pytest.mark.parametrize(("playbooks", "options", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_explained(
    playbooks: list[str], options: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(AnsibleLookupError, match=re.escape(words)):
        look_up(*playbooks, **options)


REFUSED_BY_ANSIBLE: dict[str, tuple[dict[str, t.Any], str]] = {
    "no account": ({}, "account_id"),
    "roles that are no list": ({"account_id": ACCOUNT, "roles": {"ray": 1}}, "roles"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED_BY_ANSIBLE.values(), ids=REFUSED_BY_ANSIBLE)
def test_ansible_refuses(options: dict[str, t.Any], words: str) -> None:
    """What is required and what the types are, it reads in the documentation."""
    with pytest.raises(AnsibleError, match=words):
        look_up("onboard", **options)

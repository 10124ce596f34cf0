# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two clouds have the same digest if and only if their variables want the same of each resource."""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
    pass_role_plan,
    role_policy_plan,
    trust_policy_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    parse_settings,
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.settings_digest import (
    DOCUMENTS,
    digests_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud

Json = dict[str, t.Any]
BY_CONFIG: Json = {
    "account_id": "222222222222",
    "cloud_id": "cld_1",
    "role": "ray",
    "bucket": "data",
    "compute_config": "default",
    "manage_pass_role": True,
}
BY_MAPPING: Json = {
    **BY_CONFIG,
    "assign": "iam_mapping",
    "mapping_rules": [{"selector": "workload-type in (job)", "role": "jobs"}],
}
# What decides what is written: the other variables that it decides with, and another value.
DECIDES: dict[str, tuple[Json, t.Any]] = {
    "account_id": (BY_CONFIG, "333333333333"),
    "cloud_id": (BY_CONFIG, "cld_2"),
    "role": (BY_CONFIG, "another"),
    "bucket": (BY_CONFIG, "another"),
    "bucket_grant": (BY_CONFIG, "role_policy"),
    "bucket_actions": (BY_CONFIG, "required"),
    "bucket_prefix": (BY_CONFIG, "speech/"),
    "bucket_policy_name": (BY_CONFIG, "another"),
    "bucket_policy_arn": (BY_CONFIG, "arn:aws:iam::222222222222:policy/data"),
    "compute_config": (BY_CONFIG, "another"),
    "compute_config_spec": (BY_CONFIG, {"head_node": {"instance_type": "m5.large"}}),
    "instance_profile": (BY_CONFIG, "another"),
    "create_instance_profile": (BY_CONFIG, False),
    "create_compute_config": (BY_CONFIG, False),
    "arn_kind": (BY_CONFIG, "role"),
    "assign": (BY_CONFIG, "cloud_role"),
    "mapping_rules": (BY_MAPPING, [{"selector": "workload-type in (job)", "role": "more"}]),
    "mapping_fallback_rule": (BY_MAPPING, "FAIL"),
    "mapping_resource": (BY_MAPPING, "another"),
    "mapping_state": (BY_MAPPING, "replaced"),
    "mapping_position": (BY_MAPPING, {"before": "a"}),
    "node_groups": (BY_CONFIG, "keep"),
    "node_group_roles": (BY_CONFIG, {"gpu": "gpu-ray"}),
    "control_plane_role": (BY_CONFIG, "another"),
    "publish": (BY_CONFIG, False),
    "manage_trust": (BY_CONFIG, False),
    "manage_bucket_access": (BY_CONFIG, False),
    "manage_compute_config": (BY_CONFIG, False),
    "manage_iam_mapping": (BY_MAPPING, False),
    "manage_pass_role": (BY_CONFIG, False),
    "prune_dangling_principals": (BY_CONFIG, True),
    "allow_privileged": (BY_CONFIG, True),
    "quota_chars": (BY_CONFIG, 4096),
}
# How a cloud is reached, what is kept on the controller, and what audits alone read.
DOES_NOT: Json = {
    "dest": "/elsewhere/config.yml",
    "check_launches": True,
    "acknowledged": [{"check": "bucket_kms"}],
    "backup": False,
    "backup_dir": "/elsewhere",
    "backup_key": "a-secret-of-16-chars",
    "run_id": "4711",
    "lock_dir": "/elsewhere",
    "access_key": "AKIAEXAMPLE",
    "secret_key": "secret",
    "session_token": "secret",
    "profile": "another",
    "region": "eu-west-1",
    "endpoint_url": "https://proxy.example.com",
    "aws_ca_bundle": "/elsewhere/ca.pem",
    "validate_certs": False,
    "assume_role_arn": "arn:aws:iam::222222222222:role/another",
    "assume_role_external_id": "secret",
    "assume_role_session_name": "another",
    "anyscale_host": "https://anyscale.example.com",
    "anyscale_token": "aph0_secret",
    "anyscale_allow_http": True,
}


def digest_of(variables: Json, **more: t.Any) -> str:
    """The digest of the cloud with these variables."""
    settings = parse_settings({PREFIX + name: value for name, value in variables.items()})
    return digests_of([Cloud("vision", settings, **more)])["vision"]


def test_of_each_variable_it_is_known_whether_it_decides() -> None:
    assert {PREFIX + name for name in (*DECIDES, *DOES_NOT)} == set(variable_rules())
    assert not set(DECIDES) & set(DOES_NOT)


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_what_is_written(name: str) -> None:
    variables, value = DECIDES[name]
    assert digest_of(variables) != digest_of({**variables, name: value})


@pytest.mark.parametrize("variables", [BY_CONFIG, BY_MAPPING], ids=["by config", "by mapping"])
@pytest.mark.parametrize("name", DOES_NOT)
def test_what_does_not(name: str, variables: Json) -> None:
    assert digest_of(variables) == digest_of({**variables, name: DOES_NOT[name]})


SAME: dict[str, tuple[Json, Json]] = {
    "a default that is written out": ({}, {"bucket_grant": "either", "quota_chars": 2048}),
    "null": ({}, {"bucket_prefix": None}),
    "text for a boolean": ({"manage_trust": False}, {"manage_trust": "no"}),
    "another order of keys": (
        {"node_group_roles": {"a": "x", "b": "y"}, "compute_config_spec": {"a": 1, "b": 2}},
        {"compute_config_spec": {"b": 2, "a": 1}, "node_group_roles": {"b": "y", "a": "x"}},
    ),
    "a variable of a part that is not managed": (
        {"manage_bucket_access": False},
        {"manage_bucket_access": False, "bucket_prefix": "speech/"},
    ),
    "a mapping of a cloud that is assigned its role by a compute config": (
        {},
        {"mapping_rules": [{"selector": "x", "role": "y"}]},
    ),
}


@pytest.mark.parametrize(("one", "another"), SAME.values(), ids=SAME)
def test_what_means_the_same(one: Json, another: Json) -> None:
    assert digest_of({**BY_CONFIG, **one}) == digest_of({**BY_CONFIG, **another})


def test_rules_in_another_order_are_other_rules() -> None:
    rules = [{"selector": "a", "role": "x"}, {"selector": "b", "role": "y"}]
    assert digest_of({**BY_MAPPING, "mapping_rules": rules}) != digest_of(
        {**BY_MAPPING, "mapping_rules": rules[::-1]}
    )


def test_roles_get_their_trust_whatever_names_them() -> None:
    """Those of node groups too, where no compute config is managed."""
    variables = {**BY_CONFIG, "manage_compute_config": False}
    assert digest_of(variables) != digest_of({**variables, "node_group_roles": {"gpu": "gpu-ray"}})


def test_the_registered_role_is_that_of_a_cloud_that_names_none() -> None:
    named, unnamed = BY_CONFIG, {**BY_CONFIG, "role": None}
    registered = "arn:aws:iam::222222222222:role/registered"
    assert digest_of(unnamed) != digest_of(unnamed, registered_role=registered)
    assert digest_of(named) == digest_of(named, registered_role=registered)


@pytest.mark.parametrize("spec", [{"a": float("nan")}, "{1: 2, 'a': 3}", "{'a': b'1'}"])
def test_what_json_does_not_have_ends_no_run(spec: t.Any) -> None:
    variables = {**BY_CONFIG, "compute_config_spec": spec}
    assert digest_of(variables) == digest_of(variables) != digest_of(BY_CONFIG)


def test_a_cloud_with_invalid_variables_has_none() -> None:
    cloud = Cloud("vision", parse_settings({f"{PREFIX}account_id": "222222222222"}))
    cloud.error = InputError("cloud_iam_bucket is a list.", "Correct it.")
    assert digests_of([cloud]) == {}


def documents() -> Json:
    """What this release writes for the variables that decide most."""
    account, arn = "222222222222", "arn:aws:iam::222222222222:role/ray"
    profile = arn.replace("role/", "instance-profile/")
    target = role_policy_plan.Target(f"arn:aws:iam::{account}:role/control", "policy")
    passed = pass_role_plan.allow(
        {},
        pass_role_plan.Wanted((arn,), (profile,)),
        lambda now: Identity((NamedPolicy("policy", now),)),
        target,
    )
    by_preset = {
        preset: bucket_policy_plan.decide(
            {}, bucket_want.Wanted("data", (Role(arn, account),), actions=actions, prefix="p/")
        )
        for preset, actions in bucket_want.PRESETS.items()
    }
    plans = {
        "trust": trust_policy_plan.decide({}, trust_policy_plan.Wanted()),
        "pass": passed,
        **by_preset,
    }
    return {name: plan.after for name, plan in plans.items()}


# The documents of each release that wants others than the one before, by the number in the digest.
OF_RELEASES = {1: "8fc8e92532cdb580"}


def test_a_release_that_wants_other_documents_has_another_number() -> None:
    """Else healing would roll them out, without a canary. Give DOCUMENTS the next number, and the fingerprint
    a line above.
    """
    text = json.dumps(documents(), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == OF_RELEASES[DOCUMENTS]
    assert max(OF_RELEASES) == DOCUMENTS

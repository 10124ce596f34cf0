# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a cloud are what the role documents, and reach the reconcilers of the fleet engine
as the tasks of the role pass them to the modules.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import pathlib
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
    connection_rules,
    parse_settings,
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud

pytestmark = pytest.mark.core

ROLE = pathlib.Path(__file__).parents[5] / "roles" / "cloud_iam"
ACTIONS = "ansible_collections.rayfleet.anyscale.plugins.action"
ACCOUNT = {"cloud_iam_account_id": "123456789012"}
ENVIRONMENT = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_URL", "AWS_CA_BUNDLE")
Json = dict[str, t.Any]


@functools.cache
def read(path: str) -> t.Any:
    """A YAML file of the role."""
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


# --- variables ------------------------------------------------------------------------------------

VALUES: dict[str, tuple[str, t.Any, t.Any]] = {
    "a name": ("role", "ray", "ray"),
    "an account ID without quotes": ("account_id", 123456789012, "123456789012"),
    "a boolean as text": ("publish", "no", False),
    "a number as text": ("quota_chars", "4096", 4096),
    "a dictionary": ("compute_config_spec", {"zones": ["a"]}, {"zones": ["a"]}),
    "a dictionary as text": ("compute_config_spec", '{"zones": ["a"]}', {"zones": ["a"]}),
    "a choice": ("arn_kind", "role", "role"),
    "nothing": ("role", None, None),
}


@pytest.mark.parametrize(("name", "value", "parsed"), VALUES.values(), ids=VALUES)
def test_a_variable_has_its_type(name: str, value: t.Any, parsed: t.Any) -> None:
    assert getattr(parse_settings({**ACCOUNT, PREFIX + name: value}), name) == parsed


def test_paths_are_expanded(tmp_path: pathlib.Path) -> None:
    """On the controller, where the files are."""
    settings = parse_settings({**ACCOUNT, "cloud_iam_dest": "~/config.yml"})
    assert settings.dest == f"{tmp_path}/config.yml"


def test_other_variables_are_ignored() -> None:
    """A host has many, and an option of a module is no variable."""
    settings = parse_settings({**ACCOUNT, "role": "other", "cloud_iam_no_such": 1, "region": "x"})
    assert settings == parse_settings(ACCOUNT)


def test_connection_options_are_variables() -> None:
    """Each by its name, with its type and the default of the modules."""
    given = {"region": "us-west-2", "validate_certs": "no", "anyscale_host": "https://example.com"}
    settings = parse_settings(
        {**ACCOUNT, **{PREFIX + name: value for name, value in given.items()}}
    )
    assert settings.connection == {
        **{name: rule.get("default") for name, rule in connection_rules().items()},
        **given,
        "validate_certs": False,
    }


def test_connection_options_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of the modules."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert parse_settings(ACCOUNT).connection["region"] == "eu-west-1"


def test_secrets_are_known() -> None:
    """So that no message shows them."""
    names = (
        "secret_key",
        "session_token",
        "anyscale_token",
        "backup_key",
        "access_key",
        "profile",
    )
    settings = parse_settings({**ACCOUNT, **{PREFIX + name: f"the {name}" for name in names}})
    assert settings.secrets == {f"the {name}" for name in names[:4]}
    assert parse_settings(ACCOUNT).secrets == set()
    # Else each blank of a message would be hidden.
    assert parse_settings({**ACCOUNT, "cloud_iam_anyscale_token": "  "}).secrets == set()


MISTAKES: dict[str, tuple[Json, str]] = {
    "no account": ({}, "cloud_iam_account_id is not set"),
    "an account that is null": ({"cloud_iam_account_id": None}, "cloud_iam_account_id is not set"),
    "an empty account": ({"cloud_iam_account_id": ""}, "cloud_iam_account_id is not set"),
    "a blank account": ({"cloud_iam_account_id": " "}, "cloud_iam_account_id is not set"),
    "no account id": (
        {"cloud_iam_account_id": "my-account"},
        "cloud_iam_account_id is 'my-account', which is not an AWS account id",
    ),
    "a boolean that is null": ({"cloud_iam_backup": None}, "cloud_iam_backup"),
    "a text for a boolean": ({"cloud_iam_publish": "perhaps"}, "cloud_iam_publish"),
    "a text for a number": ({"cloud_iam_quota_chars": "many"}, "cloud_iam_quota_chars"),
    "a text for a dictionary": ({"cloud_iam_compute_config_spec": "x"}, "_compute_config_spec"),
    "what is no choice": ({"cloud_iam_arn_kind": "both"}, "cloud_iam_arn_kind"),
    "a connection option": ({"cloud_iam_validate_certs": "x"}, "cloud_iam_validate_certs"),
    "yes, for a name": (
        {"cloud_iam_compute_config": True},
        "cloud_iam_compute_config is true, which is not text",
    ),
    "no, for a name": ({"cloud_iam_bucket": False}, "cloud_iam_bucket is false, which is not text"),
    "a list for a name": ({"cloud_iam_role": ["a", "b"]}, "cloud_iam_role is a list, which"),
    "a dictionary for a name": ({"cloud_iam_role": {"a": "b"}}, "cloud_iam_role is a dictionary"),
    "a number with a fraction for a name": (
        {"cloud_iam_role": 1.10},
        "cloud_iam_role is a number with a fraction, which",
    ),
    "yes, for a path": ({"cloud_iam_dest": True}, "cloud_iam_dest is true, which is not text"),
    "yes, for a number": ({"cloud_iam_quota_chars": True}, "_quota_chars is true, which is not a"),
    "yes, for an account": (
        {"cloud_iam_account_id": True},
        "cloud_iam_account_id is true, which is not text",
    ),
    "a zone for a region": ({"cloud_iam_region": "us-west-2a"}, "cloud_iam_region is 'us-west-2a'"),
    "a region with a blank": (
        {"cloud_iam_region": "us-west-2 "},
        "cloud_iam_region is 'us-west-2 '",
    ),
    "a region by its title": ({"cloud_iam_region": "US West"}, "cloud_iam_region is 'US West'"),
}
REGIONS = (
    None,
    "",
    "us-west-2",
    "us-gov-east-1",
    "cn-northwest-1",
    "us-isob-east-1",
    "eusc-de-east-1",
)


@pytest.mark.parametrize("region", REGIONS)
def test_regions_of_all_partitions(region: str | None) -> None:
    """https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html"""
    found = parse_settings({**ACCOUNT, "cloud_iam_region": region})
    assert found.connection["region"] == region


@pytest.mark.parametrize(("variables", "words"), MISTAKES.values(), ids=MISTAKES)
def test_an_error_names_the_variable(variables: Json, words: str) -> None:
    """The operator sees no option of a module."""
    account = {} if "cloud_iam_account_id" in words else ACCOUNT
    with pytest.raises(InputError, match=words) as caught:
        parse_settings({**account, **variables})
    assert caught.value.remedy


# --- the role -------------------------------------------------------------------------------------

SPECS = read("meta/argument_specs.yml")["argument_specs"]
DOCUMENTED: Json = {**SPECS["info"]["options"], **SPECS["main"]["options"]}
DEFAULTS = read("defaults/main.yml")


@pytest.mark.parametrize("entry_point", ["main", "absent"])
def test_the_role_documents_these_variables(entry_point: str) -> None:
    """All of them, and no others."""
    only_of_audits = {"cloud_iam_check_launches", "cloud_iam_acknowledged"}
    assert set(SPECS[entry_point]["options"]) | only_of_audits == set(variable_rules())
    assert set(SPECS["info"]["options"]) <= set(variable_rules())
    no_variables = {"connection", "run_name", "is_of_further_role"}
    fields = {field.name for field in dataclasses.fields(CloudSettings)} - no_variables
    assert fields | set(connection_rules()) == {
        name.removeprefix(PREFIX) for name in variable_rules()
    }


@pytest.mark.parametrize("name", variable_rules())
def test_the_role_documents_the_type_and_the_choices(name: str) -> None:
    documented, rule = DOCUMENTED[name], variable_rules()[name]
    assert documented["type"] == rule["type"]
    assert set(documented.get("choices", ())) == set(rule.get("choices", ()))


def test_the_role_has_the_same_defaults() -> None:
    """Each documented. The ID of the run is another in each run, and a connection option without a
    variable has the default of the modules.
    """
    documented = {
        name: option["default"] for name, option in DOCUMENTED.items() if "default" in option
    }
    assert documented == DEFAULTS
    settings = {
        PREFIX + field.name: field.default
        for field in dataclasses.fields(CloudSettings)
        if field.metadata and field.default not in (None, dataclasses.MISSING)
    }
    assert settings == {
        name: value for name, value in DEFAULTS.items() if name != "cloud_iam_run_id"
    }


FURTHER: dict[str, tuple[Json, list[str]]] = {
    "none": ({}, []),
    "of node groups, each once, in their order": (
        {"node_group_roles": {"a": "ml", "b": "etl", "c": "ML"}},
        ["ml", "etl"],
    ),
    "not the cloud's own, however it is named": (
        {"role": "ray", "node_group_roles": {"a": "arn:aws:iam::123456789012:role/x/Ray"}},
        [],
    ),
    "of rules": (
        {
            "assign": "iam_mapping",
            "mapping_rules": [{"role": "ml"}, {"role": "etl"}],
            "node_group_roles": {"a": "unused"},
        },
        ["ml", "etl"],
    ),
    "of rules that are not valid": (
        {"assign": "iam_mapping", "mapping_rules": [{"selector": "x"}, {"role": 1}, {"role": ""}]},
        [],
    ),
}


@pytest.mark.parametrize("case", FURTHER)
def test_the_further_roles_of_a_cloud(case: str) -> None:
    variables, roles = FURTHER[case]
    settings = parse_settings(
        {**ACCOUNT, **{PREFIX + name: one for name, one in variables.items()}}
    )
    assert settings.further_roles == roles


# --- the tasks of the role ------------------------------------------------------------------------

MODULES = {
    "rayfleet.anyscale.iam_trust_ec2": "trust_options",
    "rayfleet.anyscale.s3_cloud_access": "bucket_options",
    "rayfleet.anyscale.iam_instance_profile": "instance_profile_options",
    "rayfleet.anyscale.iam_pass_role": "pass_role_options",
    "rayfleet.anyscale.compute_config_profile": "compute_config_options",
    "rayfleet.anyscale.cloud_iam_mapping": "mapping_options",
}
# By the module, the stage of the engine.
STAGE_OF = dict(
    zip(
        MODULES,
        ("trust", "bucket", "instance_profile", "pass_role", "compute_config", "iam_mapping"),
        strict=True,
    )
)
NAMES: Json = {
    **ACCOUNT,
    "cloud_iam_cloud_id": "cld_1",
    "cloud_iam_bucket": "data",
    "cloud_iam_compute_config": "default",
    "cloud_iam_run_id": "4711",
}
EVERYTHING: Json = {
    **NAMES,
    "cloud_iam_role": "ray",
    "cloud_iam_compute_config_spec": {"zones": ["us-west-2a"]},
    "cloud_iam_instance_profile": "shared",
    "cloud_iam_create_instance_profile": False,
    "cloud_iam_create_compute_config": False,
    "cloud_iam_allow_privileged": True,
    "cloud_iam_arn_kind": "role",
    "cloud_iam_dest": "~/config.yml",
    "cloud_iam_publish": False,
    "cloud_iam_manage_iam_mapping": False,
    "cloud_iam_manage_pass_role": True,
    "cloud_iam_check_launches": True,
    "cloud_iam_bucket_grant": "role_policy",
    "cloud_iam_bucket_actions": "required",
    "cloud_iam_bucket_prefix": "org_x/",
    "cloud_iam_bucket_policy_name": "bucket",
    "cloud_iam_bucket_policy_arn": "arn:aws:iam::123456789012:policy/bucket",
    "cloud_iam_node_groups": "keep",
    "cloud_iam_node_group_roles": {"gpu": "ray-gpu"},
    "cloud_iam_control_plane_role": "anyscale",
    "cloud_iam_acknowledged": [{"check": "bucket_deny", "reason": "known"}],
    "cloud_iam_prune_dangling_principals": True,
    "cloud_iam_quota_chars": 4096,
    "cloud_iam_backup": False,
    "cloud_iam_backup_dir": "/var/backups",
    "cloud_iam_backup_key": "a key of the operator",
    "cloud_iam_lock_dir": "~/locks",
    "cloud_iam_access_key": "AKIAIOSFODNN7EXAMPLE",
    "cloud_iam_secret_key": "secret",
    "cloud_iam_session_token": "session",
    "cloud_iam_region": "us-west-2",
    "cloud_iam_endpoint_url": "http://localhost:1",
    "cloud_iam_aws_ca_bundle": "~/ca.pem",
    "cloud_iam_validate_certs": False,
    "cloud_iam_assume_role_arn": "arn:aws:iam::123456789012:role/onboarding",
    "cloud_iam_assume_role_external_id": "external",
    "cloud_iam_assume_role_session_name": "onboarding",
    "cloud_iam_anyscale_host": "https://example.com",
    "cloud_iam_anyscale_token": "token",
    "cloud_iam_anyscale_allow_http": True,
}
CASES: dict[str, Json] = {
    "only what is required": NAMES,
    "a role": {**NAMES, "cloud_iam_role": "ray"},
    "everything": EVERYTHING,
    "a mapping": {
        **EVERYTHING,
        "cloud_iam_assign": "iam_mapping",
        "cloud_iam_manage_iam_mapping": True,
        "cloud_iam_mapping_rules": [
            {"selector": f"project={role}", "role": role} for role in ("ray-a", "ray-b", "ray-a")
        ],
        "cloud_iam_mapping_fallback_rule": "FAIL",
        "cloud_iam_mapping_position": {"at": "first"},
    },
    "a whole mapping": {
        **NAMES,
        "cloud_iam_assign": "iam_mapping",
        "cloud_iam_mapping_resource": "vm-aws-us-west-2",
        "cloud_iam_mapping_rules": [{"selector": "project=x", "role": "ray-a"}],
        "cloud_iam_mapping_state": "replaced",
    },
    "a mapping with the cloud's role, named in other ways": {
        **NAMES,
        "cloud_iam_role": "arn:aws:iam::123456789012:role/teams/Ray.a",
        "cloud_iam_assign": "iam_mapping",
        "cloud_iam_mapping_rules": [
            {"selector": f"project={number}", "role": role}
            for number, role in enumerate(("ray.a", "Ray.a", "arn:aws:iam::123456789012:role/r"))
        ],
    },
    "a mapping with roles whose names are parts of the cloud's": {
        **NAMES,
        "cloud_iam_role": "Ray.a",
        "cloud_iam_assign": "iam_mapping",
        "cloud_iam_mapping_rules": [
            {"selector": f"project={number}", "role": role}
            for number, role in enumerate(("a", "my-Ray.a", "Rayxa", "Ray.a2"))
        ],
    },
    "a mapping of a resource that is not primary": {
        **NAMES,
        "cloud_iam_assign": "iam_mapping",
        "cloud_iam_manage_compute_config": False,
        "cloud_iam_mapping_resource": "vm-aws-us-west-2",
        "cloud_iam_mapping_rules": [{"selector": "project=x", "role": "ray-a"}],
    },
    "a mapping of all clusters": {
        **NAMES,
        "cloud_iam_role": "ray",
        "cloud_iam_assign": "iam_mapping",
    },
    "the cloud's own role": {
        **NAMES,
        "cloud_iam_assign": "cloud_role",
        "cloud_iam_node_group_roles": {"gpu": "ray-gpu"},
    },
    "the cloud's own role in a profile of another name": {
        **NAMES,
        "cloud_iam_assign": "cloud_role",
        "cloud_iam_instance_profile": "shared",
    },
    "a profile of credentials": {**NAMES, "cloud_iam_profile": "onboarding"},
    "booleans and numbers as texts": {
        **NAMES,
        "cloud_iam_publish": "no",
        "cloud_iam_manage_trust": "false",
        "cloud_iam_backup": "yes",
        "cloud_iam_quota_chars": "4096",
    },
    **{
        f"without {switch}": {**NAMES, f"cloud_iam_manage_{switch}": False}
        for switch in ("trust", "bucket_access", "compute_config", "iam_mapping")
    },
    "an account ID without quotes": {**NAMES, "cloud_iam_account_id": 123456789012},
    "variables that are null": {
        **NAMES,
        "cloud_iam_instance_profile": None,
        "cloud_iam_compute_config_spec": None,
        "cloud_iam_dest": None,
        "cloud_iam_region": None,
        "cloud_iam_lock_dir": None,
    },
    "an empty role": {**NAMES, "cloud_iam_role": ""},
    "a role that is null": {**NAMES, "cloud_iam_role": None},
}


def trusted(value: t.Any) -> t.Any:
    """Texts as Ansible reads them from a playbook, so that it templates them."""
    if isinstance(value, dict):
        return {name: trusted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) else value


def templar_of(variables: Json) -> Templar:
    """With the variables of a host, and the defaults and variables of the role."""
    of_role = {**DEFAULTS, **variables, **read("vars/main.yml")}
    return Templar(loader=DataLoader(), variables=trusted(of_role))


def validated(module: str, arguments: Json) -> Json:
    """The options that a module gets."""
    name = module.rpartition(".")[2]
    rules = module_arguments(importlib.import_module(f"{ACTIONS}.{name}").ActionModule.module_class)
    found = ArgumentSpecValidator(**rules).validate(arguments)
    assert found.error_messages == []
    return t.cast(Json, found.validated_parameters)


def converging_tasks(file: str) -> tuple[Json, list[Json]]:
    """The options that the role passes on to all modules, and the tasks with the others."""
    [block] = [task for task in read(f"tasks/{file}.yml") if "block" in task]
    return block["module_defaults"], block["block"]


def shared_options(defaults: Json, module: str) -> Json:
    """Those that reach a module by its groups."""
    groups = read("../../meta/runtime.yml")["action_groups"]
    shared: Json = {}
    for group, members in groups.items():
        if module.rpartition(".")[2] in members:
            shared |= defaults[f"group/rayfleet.anyscale.{group}"]
    return shared


def in_any_order(options: dict[str, list[Json]]) -> dict[str, list[str]]:
    """The options of each module, comparable."""
    return {
        module: sorted(json.dumps(one, sort_keys=True) for one in each)
        for module, each in options.items()
        if each
    }


def passed_on(file: str, variables: Json) -> dict[str, list[Json]]:
    """The options that each module gets from the role, task by task and item by item."""
    defaults, tasks = converging_tasks(file)
    templar = templar_of(variables)
    found: dict[str, list[Json]] = {}
    for task in tasks:
        if not set(task) & set(MODULES):
            continue
        [module] = set(task) & set(MODULES)
        conditions = task["when"] if isinstance(task["when"], list) else [task["when"]]
        if not all(templar.template(trusted(f"{{{{ {one} }}}}")) for one in conditions):
            continue
        arguments = trusted({**shared_options(defaults, module), **task[module]})
        for item in templar.template(trusted(task["loop"])) if "loop" in task else [None]:
            options = templar_of({**variables, "item": item}).template(arguments)
            found.setdefault(module, []).append(validated(module, options))
    return found


@pytest.mark.parametrize("variables", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("file", "state"), [("main", "present"), ("absent", "absent")])
def test_the_engine_gets_what_the_role_passes_on(file: str, state: str, variables: Json) -> None:
    """Option by option, for each role of the cloud."""
    run_name = "onboard" if state == "present" else "offboard"
    cloud = Cloud("cloud", dataclasses.replace(parse_settings(variables), run_name=run_name))
    wanted = {
        module: [getattr(one, options)(state) for one in cloud.wants(STAGE_OF[module], state)]
        for module, options in MODULES.items()
        if cloud.manages(STAGE_OF[module], state)
    }
    if cloud.manages("compute_config", state):
        # The module of the compute config does that.
        wanted.pop("rayfleet.anyscale.iam_instance_profile", None)
    found = passed_on(file, variables)
    assert in_any_order(found) == in_any_order(wanted)


@pytest.mark.parametrize(("file", "state"), [("main", "present"), ("absent", "absent")])
def test_the_role_validates_first_what_the_engine_validates(file: str, state: str) -> None:
    """With any tag, and for the same state."""
    first = read(f"tasks/{file}.yml")[0]
    options = first["rayfleet.anyscale.cloud_variables_info"] or {}
    assert (options.get("state", "present"), first["tags"]) == (state, "always")
    assert "when" not in first


def test_every_variable_is_tried() -> None:
    """With another value than its default."""
    changed = {
        name
        for case in CASES.values()
        for name, value in case.items()
        if value != variable_rules()[name].get("default")
    }
    assert changed == set(variable_rules())

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables ``cloud_iam_*`` of a cloud: parsed in one place, and passed on as the options of
each module.

This module util is private to the collection. Pure, but for the environment variables that the
connection options fall back to.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
    parse_account_id,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    aws_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    EITHER,
    GRANTS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
    SID,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    ALL,
    NODE_GROUPS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role_plan import (
    POLICY_NAME as PASS_ROLE_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy_plan import (
    DEFAULT_QUOTA_CHARS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    KEY_FALLBACK,
)

PREFIX = "cloud_iam_"
# What the role sets itself, besides what begins with __: its tasks' results.
_RESULT = re.compile(r"_results?\Z|_result_names\Z")
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+){1,3}-[0-9]{1,2}\Z")
ARN_KINDS = ("instance_profile", "role")
# How clusters get the role: each way is a tag of the playbook too.
COMPUTE_CONFIG, IAM_MAPPING, CLOUD_ROLE = "compute_config", "iam_mapping", "cloud_role"
ASSIGNMENTS = (COMPUTE_CONFIG, IAM_MAPPING, CLOUD_ROLE)
# Of a rule that names no selector of the operator's: it is for all clusters.
EVERY_WORKLOAD = "workload-type in (job, service, workspace)"
Json = dict[str, t.Any]


def _field(kind: str, default: t.Any = None, **rules: t.Any) -> t.Any:
    """A variable of this type, with its default and further rules of AnsibleModule."""
    metadata = {"type": kind, **rules}
    return dataclasses.field(default=default, metadata=metadata)  # pylint: disable=invalid-field-call


@dataclasses.dataclass(frozen=True)
class CloudSettings:
    """What the variables of a cloud say. They are documented as options of the role cloud_iam.

    account_id is required, so that no other account is ever changed. A role of ``None`` is the one
    that is registered for the cloud at Anyscale.
    """

    account_id: str = _field("str")
    cloud_id: str | None = _field("str")
    role: str | None = _field("str")
    bucket: str | None = _field("str")
    bucket_grant: str = _field("str", EITHER, choices=GRANTS)
    bucket_actions: str = _field("str", "all", choices=tuple(PRESETS))
    bucket_prefix: str | None = _field("str")
    bucket_policy_name: str | None = _field("str")
    bucket_policy_arn: str | None = _field("str")
    compute_config: str | None = _field("str")
    compute_config_spec: Json | None = _field("dict")  # noqa: RUF009
    instance_profile: str | None = _field("str")
    create_instance_profile: bool = _field("bool", True)
    create_compute_config: bool = _field("bool", True)
    arn_kind: str = _field("str", "instance_profile", choices=ARN_KINDS)
    assign: str = _field("str", COMPUTE_CONFIG, choices=ASSIGNMENTS)
    mapping_rules: list[Json] | None = _field("list", elements="dict")  # noqa: RUF009
    mapping_fallback_rule: str | None = _field("str", choices=("CLOUD_DEFAULT", "FAIL"))
    mapping_resource: str | None = _field("str")
    mapping_state: str = _field("str", "merged", choices=("merged", "replaced"))
    mapping_position: Json | None = _field("dict")  # noqa: RUF009
    node_groups: str = _field("str", ALL, choices=NODE_GROUPS)
    node_group_roles: dict[str, str] | None = _field("dict")  # noqa: RUF009
    control_plane_role: str | None = _field("str")
    dest: str | None = _field("path")
    publish: bool = _field("bool", True)
    manage_trust: bool = _field("bool", True)
    manage_bucket_access: bool = _field("bool", True)
    manage_compute_config: bool = _field("bool", True)
    manage_iam_mapping: bool = _field("bool", True)
    manage_pass_role: bool = _field("bool", False)
    check_launches: bool = _field("bool", False)
    acknowledged: list[Json] | None = _field("list", elements="dict")  # noqa: RUF009
    prune_dangling_principals: bool = _field("bool", False)
    allow_privileged: bool = _field("bool", False)
    quota_chars: int = _field("int", DEFAULT_QUOTA_CHARS)
    backup: bool = _field("bool", True)
    backup_dir: str | None = _field("path")
    backup_key: str | None = _field("str", no_log=True, fallback=KEY_FALLBACK)
    run_id: str | None = _field("str")
    lock_dir: str | None = _field("path")
    connection: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # No variables: what the run does, and whether the role is one of the further roles of the cloud.
    run_name: str | None = None
    is_of_further_role: bool = False

    @property
    def secrets(self) -> set[str]:
        """The values that no output may show."""
        rules = connection_rules()
        values = [value for name, value in self.connection.items() if rules[name].get("no_log")]
        # A blank one would hide each blank of a text.
        return {str(value) for value in (*values, self.backup_key) if value and str(value).strip()}

    @property
    def further_roles(self) -> list[str]:
        """The roles besides the cloud's own that its clusters may run with, by name or ARN. One that
        is named in several ways is one role.
        """
        own = folded_role_name(self.role or "")
        found: dict[str, str] = {}
        for role in named_roles(self.assign, self.mapping_rules, self.node_group_roles):
            found.setdefault(folded_role_name(role), role)
        return [role for name, role in found.items() if name != own]

    @property
    def offboards_own_role(self) -> bool:
        """Whether the cloud's own role loses its access with the others. Where rules name roles, it
        is the one of all clusters that no rule is for, and keeps what it has.
        """
        return self.assign != IAM_MAPPING or self.mapping_rules is None

    def for_further_role(self, role: str) -> CloudSettings:
        """What is wanted for one of the further roles. Its instance profile has its name."""
        return dataclasses.replace(self, role=role, instance_profile=None, is_of_further_role=True)

    def trust_options(self, state: str) -> Json:
        """The options of the module iam_trust_ec2."""
        return {
            **self.shared_options(),
            "role": self.role,
            "cloud_id": self._cloud_id_to_ask(),
            "quota_chars": self.quota_chars,
            "allow_privileged": self.allow_privileged,
            "state": state,
        }

    def bucket_options(self, state: str) -> Json:
        """The options of the module s3_cloud_access."""
        return {
            **self.shared_options(),
            "bucket": self.bucket,
            "roles": None if self.role is None else [self.role],
            "cloud_id": self._cloud_id_to_ask(),
            "grant": self.bucket_grant,
            "policy_name": self.bucket_policy_name or SID,
            "policy_arn": self.bucket_policy_arn,
            "prefix": self.bucket_prefix,
            "preset": self.bucket_actions,
            "actions": None,
            "prune_dangling_principals": self.prune_dangling_principals,
            "state": state,
        }

    def compute_config_options(self, state: str) -> Json:
        """The options of the module compute_config_profile."""
        return {
            **self.shared_options(),
            "name": self.compute_config,
            "cloud": None,
            "cloud_id": self.cloud_id,
            "role": self.role,
            "instance_profile": self.instance_profile,
            "create_instance_profile": self.create_instance_profile,
            "create_compute_config": self.create_compute_config,
            "allow_privileged": self.allow_privileged,
            "arn_kind": self.arn_kind,
            "config": self.compute_config_spec,
            "node_groups": self.node_groups,
            "node_group_roles": self.node_group_roles,
            "dest": self.dest,
            "publish": self.publish,
            "state": state,
        }

    def instance_profile_options(self, state: str) -> Json:
        """The options of the module iam_instance_profile. With state absent, the profile is only read."""
        # The rules of a mapping lead to the one with the role's name, and to no other.
        has_roles_name = self.assign == IAM_MAPPING or self.is_of_further_role
        return {
            **self.shared_options(),
            "role": self.role,
            "cloud_id": self._cloud_id_to_ask(),
            "instance_profile": None if has_roles_name else self.instance_profile,
            "accept_registered": not has_roles_name,
            "create_instance_profile": self.create_instance_profile,
            "allow_privileged": self.allow_privileged,
            "state": state,
        }

    def pass_role_options(self, state: str) -> Json:
        """The options of the module iam_pass_role."""
        is_asked = self.publish or self.role is None or self.control_plane_role is None
        return {
            **self.shared_options(),
            "control_plane_role": self.control_plane_role,
            "cloud_id": self.cloud_id if is_asked else None,
            "roles": None if self.role is None else [self.role],
            "instance_profiles": self.instance_profile and [self.instance_profile],
            "policy_name": PASS_ROLE_POLICY,
            "allow_privileged": self.allow_privileged,
            "state": state,
        }

    def mapping_options(self, state: str) -> Json:
        """The options of the module cloud_iam_mapping. Without rules, one for all clusters gives
        them the cloud's role.
        """
        rules = self.mapping_rules
        if rules is None:
            rules = [{"selector": EVERY_WORKLOAD, "role": self.role}]
        is_present = state == "present"
        return {
            **self.shared_options(),
            "cloud_id": self.cloud_id,
            "cloud": None,
            "resource": self.mapping_resource,
            "rules": rules,
            "fallback_rule": self.mapping_fallback_rule if is_present else None,
            "position": self.mapping_position if is_present else None,
            "pending_instance_profiles": None,
            "allow_privileged": self.allow_privileged,
            "state": self.mapping_state if is_present else state,
        }

    def info_options(self) -> Json:
        """The options of the module cloud_iam_info."""
        is_by_config = self.assign == COMPUTE_CONFIG
        config = self.compute_config if self.manage_compute_config and is_by_config else None
        return {
            **self.connection,
            "account_id": self.account_id,
            "lock_dir": self.lock_dir,
            "cloud_id": self.cloud_id,
            "cloud": None,
            "role": self.role,
            "instance_profile": self.instance_profile,
            "bucket": self.bucket,
            "bucket_actions": self.bucket_actions,
            "bucket_prefix": self.bucket_prefix,
            "compute_config": None if config is None else [config],
            "arn_kind": self.arn_kind,
            "node_groups": self.node_groups,
            "node_group_roles": self.node_group_roles if is_by_config else None,
            "further_roles": self.further_roles if self.assign == IAM_MAPPING else None,
            "check_launches": self.check_launches,
            "acknowledged": self.acknowledged,
            "managed": self._managed_parts(),
            "anyscale": self.publish,
        }

    def shared_options(self) -> Json:
        """The options that all modules have."""
        return {
            **self.connection,
            "account_id": self.account_id,
            "backup": self.backup,
            "backup_dir": self.backup_dir,
            "backup_key": self.backup_key,
            "run_id": self.run_id,
            "run_name": self.run_name,
            "lock_dir": self.lock_dir,
        }

    def _managed_parts(self) -> list[str]:
        """What onboarding manages of the cloud, by the tags of the playbook."""
        parts = {
            "trust": self.manage_trust,
            "bucket": self.manage_bucket_access,
            COMPUTE_CONFIG: self.manage_compute_config and self.assign == COMPUTE_CONFIG,
            IAM_MAPPING: self.manage_iam_mapping and self.assign == IAM_MAPPING,
            CLOUD_ROLE: self.assign == CLOUD_ROLE,
            "pass_role": self.manage_pass_role,
        }
        return [part for part, is_managed in parts.items() if is_managed]

    def _cloud_id_to_ask(self) -> str | None:
        """The cloud, where Anyscale may be asked about it."""
        return self.cloud_id if self.publish or self.role is None else None


def connection_rules() -> Json:
    """The rules of the connection options, which are variables as well, by their names as
    options.
    """
    rules = {**aws_argument_spec(), **anyscale_argument_spec()}
    return {name: rule for name, rule in rules.items() if name != "account_id"}


@functools.cache
def variable_rules() -> t.Mapping[str, Json]:
    """The rules of all variables, in the format of AnsibleModule, by their whole names."""
    rules = {
        field.name: {**field.metadata, "default": field.default}
        for field in dataclasses.fields(CloudSettings)
        if field.metadata
    }
    return {
        PREFIX + name: {key: value for key, value in rule.items() if key != "aliases"}
        for name, rule in {**rules, **connection_rules()}.items()
    }


def named_roles(assign: t.Any, mapping_rules: t.Any, node_group_roles: t.Any) -> list[str]:
    """The roles that these variables of a cloud name: those of the rules of its Cloud IAM mapping,
    or of single node groups. Values that are not valid name none; without a valid ``assign``, both
    may be meant.
    """
    if assign == CLOUD_ROLE:
        return []
    found: list[t.Any] = []
    if assign not in (None, COMPUTE_CONFIG):
        rules = mapping_rules if isinstance(mapping_rules, (list, tuple)) else ()
        found += [rule.get("role") for rule in rules if isinstance(rule, t.Mapping)]
    if assign != IAM_MAPPING:
        found += (node_group_roles if isinstance(node_group_roles, t.Mapping) else {}).values()
    return list(dict.fromkeys(role for role in found if isinstance(role, str) and role))


@functools.cache
def _validator() -> ArgumentSpecValidator:
    return ArgumentSpecValidator(dict(variable_rules()))


def refuse_unknown_variables(names: t.Iterable[str], where: str) -> None:
    """Raise for the first ``cloud_iam_*`` variable that does not exist: misspelt, it would be
    ignored, and its default converged.

    where: what has the variables, for the error. Results that the role cloud_iam registers and
    publishes are no mistake.
    """
    known = variable_rules()
    for name in names:
        if name.startswith(PREFIX) and name not in known and not _RESULT.search(name):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InputError(
                f"{where} has {name}, which is not a variable of the role cloud_iam.",
                f"{hint}The variables are in 'ansible-doc -t role rayfleet.anyscale.cloud_iam'.",
            )


def parse_settings(variables: t.Mapping[str, t.Any]) -> CloudSettings:
    """The settings of a cloud. Raises InputError for a variable that has an invalid value.

    variables: those of the host in plain types; others than ``cloud_iam_*`` are ignored.
    """
    known = variable_rules()
    for name, rule in known.items():
        _refuse_other_kind(name, rule["type"], variables.get(name))
    found = _validator().validate({name: variables[name] for name in known if name in variables})
    if found.error_messages:
        raise InputError(found.error_messages[0], "Correct the variable of this cloud.")
    values = {
        name.removeprefix(PREFIX): value for name, value in found.validated_parameters.items()
    }
    if not str(values["account_id"] or "").strip():
        raise InputError(
            f"{PREFIX}account_id is not set.",
            "Set it to the AWS account of the cloud, twelve digits in quotes.",
        )
    parse_account_id(values["account_id"], f"{PREFIX}account_id")
    connection = {name: values.pop(name) for name in connection_rules()}
    _refuse_no_region(connection["region"])
    return CloudSettings(**values, connection=connection)


_NOUNS = {"list": "a list", "dict": "a dictionary", "float": "a number with a fraction"}


def _refuse_other_kind(name: str, kind: str, value: t.Any) -> None:
    """Raise for a value that Ansible would take for the text of another one: of ``no``, which YAML
    reads as false, it makes the name ``False``.
    """
    wanted = {"str": "text", "path": "text", "int": "a whole number"}.get(kind)
    is_number = isinstance(value, (bool, float))
    if wanted is None or not (is_number or isinstance(value, (list, dict))):
        return
    remedy = "Write it in quotes: YAML reads yes, no, on and off as booleans, and 1.10 as 1.1."
    if not is_number:
        remedy = "Give one value."
    shown = _NOUNS.get(type(value).__name__) or str(value).lower()
    raise InputError(f"{name} is {shown}, which is not {wanted}.", remedy)


def _refuse_no_region(region: str | None) -> None:
    """Raise for what is the name of no region, such as that of a zone."""
    if region and not _REGION.match(region):
        raise InputError(
            f"{PREFIX}region is {region!r}, which is not the name of an AWS region.",
            "Set it to one such as us-west-2.",
        )

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the IAM set-up of one cloud, read-only: what the module ``cloud_iam_info`` does.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_bucket,
    parse_cloud_id,
    parse_instance_profile,
    parse_role,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.acknowledged import (
    acknowledge,
    parse_acknowledged,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.managed import (
    BY_DEFAULT,
    PARTS,
    as_managed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    effective_profiles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_aws import CloudReader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_roles import (
    read_further_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_running import (
    RunningReader,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import (
    CHECKS,
    run_checks,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    parse_prefix,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    roles_of_groups,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    ALL,
    NODE_GROUPS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import Module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import refuse_caller
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

ConnectAnyscale = t.Callable[[t.Mapping[str, t.Any]], AnyscaleClient]


class CloudInfoModule(Module):
    """The checks of one cloud."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "cloud_id": {"type": "str"},
        "cloud": {"type": "str"},
        "role": {"type": "str", "aliases": ["role_arn", "role_name"]},
        "instance_profile": {"type": "str"},
        "bucket": {"type": "str"},
        "bucket_actions": {"type": "str", "choices": list(PRESETS), "default": "all"},
        "bucket_prefix": {"type": "str"},
        "compute_config": {"type": "list", "elements": "str"},
        "arn_kind": {
            "type": "str",
            "choices": ["instance_profile", "role"],
            "default": "instance_profile",
        },
        "node_groups": {"type": "str", "choices": list(NODE_GROUPS), "default": ALL},
        "node_group_roles": {"type": "dict"},
        "further_roles": {"type": "list", "elements": "str"},
        "anyscale": {"type": "bool", "default": True},
        "authority": {"type": "dict"},
        "check_launches": {"type": "bool", "default": False},
        "acknowledged": {"type": "list", "elements": "dict"},
        "managed": {
            "type": "list",
            "elements": "str",
            "choices": list(PARTS),
            "default": list(BY_DEFAULT),
        },
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["cloud_id", "cloud"]],
        "mutually_exclusive": [["cloud_id", "cloud"]],
    }

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        connect_anyscale: ConnectAnyscale = anyscale_client,
    ) -> None:
        super().__init__(params, connect)
        check_names(params)
        self._acknowledged = parse_acknowledged(
            params.get("acknowledged"), {check.id for check in CHECKS}
        )
        self._anyscale = connect_anyscale(params) if params["anyscale"] else None
        self._connect = connect

    def result(self, check_mode: bool) -> Json:
        """The facts and the outcome of each check; the same in check mode."""
        if self.params.get("account_id"):
            refuse_caller(self.session.account_id(), self.params["account_id"])
        facts = self._facts()
        checks = as_managed(run_checks(facts), self.params["managed"])
        return {
            "changed": False,
            "cloud": _json.plain(_summary(facts)),
            "checks": _json.plain(acknowledge(checks, self._acknowledged, facts.now)),
            "warnings": [],
        }

    def _facts(self) -> Facts:
        reader = CloudReader(self.params, self.session, self._anyscale)
        facts = dataclasses.replace(
            reader.facts(),
            node_groups=self.params["node_groups"],
            group_roles=roles_of_groups(self.params),
            further_roles=read_further_roles(reader),
        )
        if not self.params["check_launches"]:
            return facts
        running = RunningReader(reader, self.session, self._anyscale, self._connect)
        return dataclasses.replace(facts, running=running.running())


def check_names(params: t.Mapping[str, t.Any]) -> None:
    """An invalid name is a mistake in the playbook, not a fact about the cloud: it is an error."""
    parse_prefix(params.get("bucket_prefix"), "bucket_prefix")
    for option, parse in {
        "cloud_id": parse_cloud_id,
        "role": parse_role,
        "instance_profile": parse_instance_profile,
        "bucket": parse_bucket,
    }.items():
        if params.get(option):
            parse(params[option], option)
    roles_of_groups(params)
    for role in params.get("further_roles") or []:
        parse_role(role, "further_roles")
    for name in params.get("compute_config") or []:
        if ":" in name:
            raise InputError(
                f"compute_config has {name!r}, which names a version.",
                "Leave the version out: the newest one is checked.",
            )


def _summary(facts: Facts) -> Json:
    """The facts in short; what is not known is ``null``."""
    cloud, default, role = facts.cloud.value or {}, facts.default_role.value, facts.role.value
    primary = facts.primary.value or {}
    return {
        "cloud_id": facts.cloud_id,
        "cloud_name": cloud.get("name"),
        "account_id": facts.cloud_account.value or facts.account_id,
        "region": primary.get("region") or cloud.get("region"),
        "default_role_arn": default.arn if default else None,
        "default_role_source": default.source if default else "unknown",
        "role": role and _role_summary(role),
        "instance_profiles": [
            {
                "name": profile["InstanceProfileName"],
                "arn": profile["Arn"],
                "roles": [held["Arn"] for held in profile["Roles"]],
            }
            for profile in facts.instance_profiles()
        ],
        "bucket": facts.bucket.value and _bucket_summary(facts),
        "control_plane_role_arn": facts.control_plane_arn.value,
        "compute_configs": [
            _config_summary(facts, name, found.value)
            for name, found in facts.compute_configs.items()
            if found.value
        ],
        "iam_mappings": facts.mappings.value or [],
        "further_roles": [
            {
                "name": further.name,
                "arn": (further.facts["role"].value or {}).get("Arn"),
                "named_by": list(further.named_by),
                "is_wanted": further.is_wanted,
            }
            for further in facts.further_roles
        ],
    }


def _role_summary(role: Json) -> Json:
    return {
        "arn": role["Arn"],
        "name": role["RoleName"],
        "id": role["RoleId"],
        "path": role_path_of(role["Arn"]),
        "permissions_boundary": (role.get("PermissionsBoundary") or {}).get(
            "PermissionsBoundaryArn"
        ),
    }


def _bucket_summary(facts: Facts) -> Json:
    """The bucket. Every read states the caller's account as the expected owner, so that one that
    succeeds proves the account.
    """
    is_here = bool(facts.bucket_region.value) or facts.bucket_policy.is_known
    return {
        "name": facts.bucket.value,
        "region": facts.bucket_region.value,
        "account_id": facts.account_id if is_here else None,
    }


def _config_summary(facts: Facts, name: str, template: Json) -> Json:
    groups = fact(lambda: [] if facts.elsewhere else effective_profiles(facts, name)).value or []
    return {
        "name": name,
        "version": template["version"],
        "id": template["id"],
        "node_groups": [group.as_json() for group in groups],
    }

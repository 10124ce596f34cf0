# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API and the fleet file together say of a cloud resource: the variables of its host, and
which of them are not the operator's word.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.label_selector import (
    is_label_value,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import default_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    named_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.authority import (
    ACCOUNT_ID,
    BUCKET,
    CLOUD_ID,
    ROLE,
    Described,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    INPUT_KEYS,
    FleetFile,
    Settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    CLOUD_NAME,
    REGION,
    Known,
    UnknownPlaceholder,
    filled_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.problems import Problem
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.resource import (
    CloudResource,
    JsonObject,
)

_ROLE_KEY = "cluster_iam_role_id"
# The variables that name further roles, and a policy, which no pattern of ``allow`` is for.
_RULES, _GROUP_ROLES = "cloud_iam_mapping_rules", "cloud_iam_node_group_roles"
_NAMING = (
    _RULES,
    _GROUP_ROLES,
    "cloud_iam_control_plane_role",
    "cloud_iam_bucket_policy_arn",
    "cloud_iam_bucket_policy_name",
)
_WITH_SELECTORS = (_RULES, "cloud_iam_mapping_position")
_MANAGE_BUCKET = "cloud_iam_manage_bucket_access"
# The variables that the role cloud_iam requires, and where else they can come from.
_REQUIRED = {
    "cloud_iam_account_id": (
        "The API returns no role ARN with the AWS account of",
        "Set cloud_iam_account_id under variables in the fleet file.",
    ),
    "cloud_iam_role": (
        "The API returns no role for the clusters of, so the default role would be converged",
        "Set role in the fleet file.",
    ),
    "cloud_iam_bucket": (
        "The API returns no S3 bucket of",
        (
            "Set cloud_iam_bucket, or cloud_iam_manage_bucket_access to false, under variables in the "
            "fleet file."
        ),
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """A cloud resource with its settings in the fleet file. ambiguous: names in the fleet file that
    several clouds have, and which therefore name none of them.
    """

    resource: CloudResource
    fleet_file: FleetFile
    ambiguous: t.Mapping[str, str]

    @functools.cached_property
    def wanted(self) -> Settings:
        """The settings, as they are written."""
        names = [name for name in self.resource.names() if name not in self.ambiguous]
        return self.fleet_file.settings(names)

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings with their placeholders filled in, without those for which that fails."""
        return self._filled_in[0]

    @functools.cached_property
    def obstacles(self) -> dict[str, str]:
        """Why nothing is known that could be permitted, by variable or key."""
        return self._filled_in[1]

    @functools.cached_property
    def variables(self) -> JsonObject:
        """The variables of the role cloud_iam. Values that are unknown are left out."""
        resource, settings = self.resource, self.settings
        values = {
            CLOUD_ID: resource.cloud_id,
            ACCOUNT_ID: resource.account_id,
            "cloud_iam_region": resource.bucket_region,
            BUCKET: resource.bucket,
            ROLE: None if "role" in self.wanted else resource.role_arn(_ROLE_KEY),
            # A compute config belongs to the cloud. Two hosts that publish the same one would
            # overwrite each other's versions.
            "cloud_iam_manage_compute_config": None if resource.is_primary else False,
            # Each resource has a Cloud IAM mapping of its own.
            "cloud_iam_mapping_resource": None if resource.is_primary else resource.resource_id,
            **{f"cloud_iam_{key}": settings[key] for key in INPUT_KEYS if key in settings},
            **settings.get("variables", {}),
        }
        return {key: value for key, value in values.items() if value is not None}

    def problems(self, host: str) -> list[Problem]:
        """What the API does not say although the role cloud_iam needs it."""
        found = self.variables
        is_asked_for = self.fleet_file.allow is None or self.described.listed
        return [
            Problem(what, host, remedy, is_error=is_asked_for)
            for variable, (what, remedy) in _REQUIRED.items()
            if variable not in found
            and variable not in self.obstacles
            and (variable != BUCKET or self._manages_bucket)
        ]

    def permitted(self) -> JsonObject:
        """The variables once the cloud is covered. The role is always said, so that nothing is left
        for the API to say later; a bucket that nothing is to be written to is not judged, so it is
        not said.
        """
        variables = dict(self.variables)
        if self._role is not None:
            variables[ROLE] = self._role
        if BUCKET in variables and not self._manages_bucket and self._is_from_api(BUCKET):
            del variables[BUCKET]
        return variables

    @functools.cached_property
    def described(self) -> Described:
        """The resource, for judging what the operator permits."""
        is_listed = any(name in self.fleet_file.clouds for name in self.resource.names())
        judged = (ACCOUNT_ID, ROLE, *((BUCKET,) if self._manages_bucket else ()))
        return Described(
            self.resource.label,
            self.resource.cloud_id,
            {
                ACCOUNT_ID: self.variables.get(ACCOUNT_ID),
                ROLE: self._role,
                BUCKET: self.variables.get(BUCKET),
            },
            frozenset(variable for variable in judged if self._is_from_api(variable)),
            is_listed,
            self._is_listed_by_id,
            self._known,
            self.obstacles,
        )

    @property
    def _role(self) -> str | None:
        """The role, which is the one that Anyscale makes where none is registered."""
        role = self.variables.get(ROLE)
        if role is None and ROLE not in self.obstacles:
            try:
                return default_role_name(self.resource.cloud_id)
            except InputError:
                return None
        return role

    @property
    def _has_invalid_role(self) -> bool:
        resource = self.resource
        return bool(resource.registered(_ROLE_KEY)) and resource.role_arn(_ROLE_KEY) is None

    @property
    def _is_listed_by_id(self) -> bool:
        return any(name in self.fleet_file.clouds for name in self.resource.ids())

    @property
    def _manages_bucket(self) -> bool:
        return self.settings.get("variables", {}).get(_MANAGE_BUCKET) is not False

    def _is_from_api(self, variable: str) -> bool:
        """Whether a value is not the operator's word: it is not in the fleet file, or it contains
        what members of the organization choose.
        """
        if variable == ROLE:
            written = self.wanted.get("role")
        else:
            written = self.wanted.get("variables", {}).get(variable)
        if variable == ACCOUNT_ID:
            return written is None or "{" in str(written)
        return written is None or any(name in str(written) for name in (CLOUD_NAME, REGION))

    @functools.cached_property
    def _known(self) -> Known:
        return {
            "account_id": self.resource.account_id,
            "cloud_id": self.resource.cloud_id,
            "cloud": _safe_in_path(self.resource.cloud_name),
            "region": self.resource.region,
        }

    @property
    def _cloud_in_selector(self) -> str | None:
        """The cloud's name, unless it would be more than one value of a selector."""
        name = self.resource.cloud_name
        return name if is_label_value(name) else None

    @functools.cached_property
    def _filled_in(self) -> tuple[Settings, dict[str, str]]:
        settings: Settings = {}
        names = self.resource.names()
        ambiguous = [why for name, why in self.ambiguous.items() if name in names]
        # A name that somebody else has taken as well stops no cloud that is listed by its ID.
        obstacles = {CLOUD_ID: ambiguous[0]} if ambiguous and not self._is_listed_by_id else {}
        if "role" not in self.wanted and self._has_invalid_role:
            obstacles[ROLE] = "what is registered as its role is not the ARN of an IAM role"
        for key, value in self.wanted.items():
            if key == "variables":
                settings[key] = self._fill_each(value, "", obstacles)
            else:
                variable = f"cloud_iam_{key}" if key in INPUT_KEYS else key
                settings |= self._fill_each({key: value}, variable, obstacles)
        return settings, obstacles

    def _fill_each(self, values: Settings, variable: str, obstacles: dict[str, str]) -> Settings:
        filled = {}
        for name, value in values.items():
            if name in _NAMING and _is_chosen_by_members(name, value):
                obstacles[variable or name] = (
                    f"the fleet file's {name} has {CLOUD_NAME} or {REGION} in the name of a role or a "
                    "policy, and members of the organization choose these; use {cloud_id}, or give "
                    "the names under clouds"
                )
                continue
            known, place = self._known, "a path"
            if name in _WITH_SELECTORS:
                known, place = {**known, "cloud": self._cloud_in_selector}, "a selector"
            try:
                filled[name] = filled_in(value, known)
            except UnknownPlaceholder as unknown:
                is_name = str(unknown) == "cloud"
                why = f"is not usable in {place}" if is_name else "the API does not return"
                obstacles[variable or name] = (
                    f"the fleet file's {name} needs {{{unknown}}}, which {why}"
                )
        return filled


def _is_chosen_by_members(variable: str, value: t.Any) -> bool:
    """Whether a value names a role or a policy by a text that is not the operator's word."""
    if variable == _RULES:
        names = named_roles("iam_mapping", value, None)
    elif variable == _GROUP_ROLES:
        names = named_roles("compute_config", None, value)
    else:
        names = [str(value)]
    return any(placeholder in name for name in names for placeholder in (CLOUD_NAME, REGION))


def _safe_in_path(name: str) -> str | None:
    """The name, unless it would lead to another directory as a part of a path: users choose the
    names of clouds.
    """
    return None if "/" in name or name in (".", "..") else name

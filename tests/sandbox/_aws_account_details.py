# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetAccountAuthorizationDetails: the users, groups, roles and managed policies of an account, page
by page.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import typing as t

from moto.core.serialize import XFormedAttributePicker, get_serializer_class
from moto.core.utils import get_service_model
from moto.iam.models import IAMBackend
from werkzeug.wrappers import Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal

OPERATION = "GetAccountAuthorizationDetails"

_Json = dict[str, t.Any]
_LISTS = {
    "UserDetailList": "users",
    "GroupDetailList": "groups",
    "RoleDetailList": "roles",
    "Policies": "managed_policies",
}
_ENTITY_TYPES = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
_DEFAULT_ITEMS = "100"
_MOST_ITEMS = 1000


@dataclasses.dataclass(frozen=True)
class Page:
    """Some of an account's entities, each with the list of the answer that it belongs to.

    marker: where the next page starts; empty on the last page.
    """

    entities: list[tuple[str, t.Any]]
    marker: str
    backend: IAMBackend

    @property
    def roles(self) -> list[t.Any]:
        """The roles on this page."""
        return [entity for name, entity in self.entities if name == "RoleDetailList"]

    def response(self) -> Response:
        """The answer on the wire. Each role's trust policy must be laid out as the answer is to
        show it.
        """
        profiles = collections.defaultdict(list)
        for profile in self.backend.instance_profiles.values():
            for role in profile.roles:
                profiles[role.id].append(profile)
        result: _Json = {name: [] for name in _LISTS}
        for name, entity in self.entities:
            result[name].append(
                _role_detail(entity, profiles[entity.id]) if name == "RoleDetailList" else entity
            )
        result["IsTruncated"] = bool(self.marker)
        if self.marker:
            result["Marker"] = self.marker
        return _serialized(result)


def read_page(backend: IAMBackend, parameters: dict[str, str]) -> Page:
    """The page that a call asks for: its entities in the order of their ARNs, list after list."""
    found = backend.get_account_authorization_details(_filter(parameters))
    entities = {
        f"{number}{entity.arn}": (name, entity)
        for number, (name, moto_name) in enumerate(_LISTS.items())
        for entity in t.cast("t.Iterable[t.Any]", found[moto_name])
    }
    start, most = _start(parameters), _max_items(parameters)
    keys = sorted(key for key in entities if key > start)
    marker = base64.urlsafe_b64encode(keys[most - 1].encode()).decode() if len(keys) > most else ""
    return Page([entities[key] for key in keys[:most]], marker, backend)


def _filter(parameters: dict[str, str]) -> list[str]:
    types = [value for name, value in parameters.items() if name.startswith("Filter.member.")]
    if not set(types) <= set(_ENTITY_TYPES):
        enum = f"Member must satisfy enum value set: [{', '.join(_ENTITY_TYPES)}]"
        raise _invalid(
            f"[{', '.join(types)}]", "filter", f"Member must satisfy constraint: [{enum}]"
        )
    return types


def _max_items(parameters: dict[str, str]) -> int:
    text = parameters.get("MaxItems", _DEFAULT_ITEMS)
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise _invalid(text, "maxItems", "Member must have value greater than or equal to 1")
    if number > _MOST_ITEMS:
        raise _invalid(
            text, "maxItems", f"Member must have value less than or equal to {_MOST_ITEMS}"
        )
    return number


def _invalid(value: str, parameter: str, constraint: str) -> Refusal:
    message = (
        f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy "
        f"constraint: {constraint}"
    )
    return Refusal("ValidationError", 400, message)


def _start(parameters: dict[str, str]) -> str:
    """The key of the last entity of the page before; empty for the first page."""
    if "Marker" not in parameters:
        return ""
    try:
        key = base64.b64decode(parameters["Marker"], altchars="-_", validate=True).decode()
    except ValueError:
        key = ""
    if not key[1:].startswith("arn:"):
        raise Refusal("ValidationError", 400, "Invalid Marker.")
    return key


def _role_detail(role: t.Any, profiles: list[t.Any]) -> _Json:
    return {
        **_role(role),
        "InstanceProfileList": [_profile(profile) for profile in profiles],
        "RolePolicyList": role.role_policy_list,
        "AttachedManagedPolicies": role.attached_managed_policies,
        "PermissionsBoundary": role.permissions_boundary,
        "Tags": role.tags,
        "RoleLastUsed": role.role_last_used,
    }


def _profile(profile: t.Any) -> _Json:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.create_date,
        "Roles": [_role(role) for role in profile.roles],
    }


def _role(role: t.Any) -> _Json:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": role.assume_role_policy_document,
    }


def _serialized(result: _Json) -> Response:
    model = get_service_model("iam").operation_model(OPERATION)
    serializer = get_serializer_class("iam", "query")(
        operation_model=model, value_picker=XFormedAttributePicker()
    )
    answer = serializer.serialize(result)
    return Response(t.cast(str, answer["body"]), answer["status_code"], content_type="text/xml")

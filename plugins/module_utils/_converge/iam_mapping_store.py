# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the Cloud IAM mapping of a cloud resource is kept: its config at Anyscale, as a whole.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    other_kind,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    RULES,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
    RefusedError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    IAM_MAPPING,
    Backup,
)

_FORBIDDEN, _NOT_FOUND = 403, 404
_OWNER = "owner"
_OWNERS_ONLY = f"Set {option('anyscale_token')} to that of an owner of the organization."
_RESOURCE = option("resource", "cloud_iam_mapping_resource")

JsonObject = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class LiveMapping(Live):
    """The config of a cloud resource, which contains the mapping.

    resource_id: empty if there is no such cloud. kind: what the service needs to be told of the
    resource in each config. registered: what is registered for this resource alone: each may be in
    an account of its own.
    """

    resource_id: str
    spec: JsonObject
    kind: t.Mapping[str, str]
    registered: Registration


class IamMappingStore:
    """Where the mapping of a cloud resource is kept.

    resource: the name or ID of the resource; ``None`` for the primary one of the cloud. may_be_gone:
    a cloud that does not exist has no mapping, and is no error.
    """

    def __init__(
        self,
        client: AnyscaleClient,
        cloud_id: str,
        resource: str | None,
        registration: t.Callable[[], Registration] | None = None,
        *,
        may_be_gone: bool = False,
    ) -> None:
        self.cloud_id = cloud_id
        self._client = client
        self._named = resource
        self._registration = registration or (lambda: read_registration(client, cloud_id))
        self._may_be_gone = may_be_gone

    def load(self) -> LiveMapping:
        """Read the config of the resource."""
        try:
            return self._load()
        except AnyscaleError as error:
            if not self._may_be_gone or error.status != _NOT_FOUND:
                raise
        named = f"Cloud IAM mapping of cloud {self.cloud_id}"
        return LiveMapping(named, "", {}, {}, Registration())

    def _load(self) -> LiveMapping:
        resource = self._resource
        resource_id = _id_of(resource)
        spec = self._client.deployment_config(self.cloud_id, resource_id)
        kind = {
            "cloud_provider": str(resource.get("provider")),
            "compute_stack": str(resource.get("compute_stack") or "VM"),
        }
        target = {"cloud_id": self.cloud_id, "resource_id": resource_id}
        named = Backup(IAM_MAPPING, target, "", None, None).resource
        return LiveMapping(named, resource_id, spec, kind, Registration(resources=(resource,)))

    def write(self, live: LiveMapping, spec: JsonObject) -> None:
        """Replace the config of the resource."""
        try:
            self._client.put_deployment_config(self.cloud_id, live.resource_id, spec)
        except AnyscaleError as error:
            remedy = _OWNERS_ONLY if error.status == _FORBIDDEN else error.remedy
            raise type(error)(
                error.message, remedy or f"Check {RULES}.", **error.details
            ) from error

    def refuse_others_than_owners(self) -> None:
        """Raise if the token's user may not write the mapping. Where the service does not say what
        the user is, the write shows it.
        """
        level = self._client.permission_level()
        if level not in (None, "unspecified", _OWNER):
            raise RefusedError(
                f"The token's user is {level} of the Anyscale organization, and only an owner may "
                "change a Cloud IAM mapping.",
                _OWNERS_ONLY,
            )

    @functools.cached_property
    def _resource(self) -> JsonObject:
        """The resource, of this cloud: the API would also write that of another one."""
        registration = self._registration()
        found = self._primary(registration) if self._named is None else self._find(registration)
        if kind := other_kind(found):
            raise RefusedError(
                f"The Cloud IAM mapping of cloud {self.cloud_id} is not for IAM roles: {kind}.",
                f"Set {_RESOURCE} to a resource with AWS virtual machines, or remove this cloud "
                "from the hosts.",
            )
        return found

    def _primary(self, registration: Registration) -> JsonObject:
        found = registration.primary
        if found is None or not _id_of(found):
            raise RefusedError(
                f"Cloud {self.cloud_id} has {len(registration.primaries)} primary resources at "
                "Anyscale; there must be exactly one.",
                f"Set {_RESOURCE} to one of {_names(registration)}.",
            )
        return found

    def _find(self, registration: Registration) -> JsonObject:
        named = [
            resource
            for resource in registration.resources
            if _id_of(resource) and self._named in (resource.get("name"), _id_of(resource))
        ]
        if len(named) != 1:
            raise InputError(
                f"{_RESOURCE} is {self._named!r}, which is not a resource of cloud "
                f"{self.cloud_id}.",
                f"Its resources are {_names(registration)}.",
            )
        return named[0]


def _id_of(resource: t.Mapping[str, t.Any]) -> str:
    return str(resource.get("cloud_resource_id") or resource.get("cloud_deployment_id") or "")


def _names(registration: Registration) -> str:
    named = [f"{one.get('name')} ({_id_of(one)})" for one in registration.resources]
    return ", ".join(named) or "none"

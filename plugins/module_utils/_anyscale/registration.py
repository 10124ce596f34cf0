# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Anyscale has registered for a cloud: its role, account, instance profile, region and bucket.

This module util is private to the collection. Any member of an organization can register text: what
is here describes a cloud, and permits nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

JsonObject = dict[str, t.Any]

# The objects in a resource, and the texts in each; "" is the resource itself.
_TEXTS = {
    "": (
        "cloud_resource_id",
        "cloud_deployment_id",
        "name",
        "provider",
        "compute_stack",
        "region",
    ),
    "aws_config": ("cluster_iam_role_id", "anyscale_iam_role_id", "cluster_instance_profile_id"),
    "object_storage": ("bucket_name", "region"),
}


@dataclasses.dataclass(frozen=True)
class Registration:
    """What is registered for the primary resource of a cloud, the one that is used where a compute
    config names none. Texts are as registered: that they name what they should is for the caller to
    check. ``None``: it is not registered, or the cloud has no single primary resource.

    role_arn: the role of the clusters.
    control_plane_arn: the role that Anyscale assumes to launch them.
    account_id: the account of the control-plane role, where that is an ARN, else of the clusters'.
    instance_profile: the ARN of the clusters' instance profile; without one, Anyscale uses the
    profile with the role's name.
    bucket: its address, which has a scheme such as ``s3://``.
    """

    role_arn: str | None = None
    control_plane_arn: str | None = None
    account_id: str | None = None
    instance_profile: str | None = None
    region: str | None = None
    bucket: str | None = None
    resources: t.Sequence[JsonObject] = ()

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts that its resources are registered in: one each, as ``account_id``."""
        accounts = (
            _account_of(aws.get("anyscale_iam_role_id"))
            or _account_of(aws.get("cluster_iam_role_id"))
            for aws in self._aws_configs
        )
        return frozenset(filter(None, accounts))

    @property
    def control_plane_arns(self) -> frozenset[str]:
        """The roles that Anyscale assumes to launch clusters, of all resources."""
        arns = (aws.get("anyscale_iam_role_id") for aws in self._aws_configs)
        return frozenset(arn for arn in arns if arn and _account_of(arn))

    @property
    def _aws_configs(self) -> list[JsonObject]:
        return [resource.get("aws_config") or {} for resource in self.resources]

    @property
    def primaries(self) -> list[JsonObject]:
        """The primary resources. There should be one."""
        if len(self.resources) == 1:
            return list(self.resources)
        return [resource for resource in self.resources if resource.get("is_default")]

    @property
    def primary(self) -> JsonObject | None:
        """The primary resource; ``None`` where there is not exactly one."""
        primaries = self.primaries
        return primaries[0] if len(primaries) == 1 else None


def read_registration(client: AnyscaleClient, cloud_id: str) -> Registration:
    """Read what is registered for a cloud: one call."""
    return registration_of(client.cloud_resources(cloud_id))


def registration_of(resources: t.Sequence[JsonObject]) -> Registration:
    """What is registered for a cloud with these resources. Raises where one of them has not the
    form of the API.
    """
    for resource in resources:
        _check_form(resource)
    unread = Registration(resources=resources)
    if unread.primary is None:
        return unread
    aws, storage = (unread.primary.get(key) or {} for key in ("aws_config", "object_storage"))
    role_arn = aws.get("cluster_iam_role_id") or None
    control_plane_arn = aws.get("anyscale_iam_role_id") or None
    return dataclasses.replace(
        unread,
        role_arn=role_arn,
        control_plane_arn=control_plane_arn,
        account_id=_account_of(control_plane_arn) or _account_of(role_arn),
        instance_profile=aws.get("cluster_instance_profile_id") or None,
        region=unread.primary.get("region") or None,
        bucket=storage.get("bucket_name") or None,
    )


def _check_form(resource: JsonObject) -> None:
    for name, texts in _TEXTS.items():
        document = resource if not name else resource.get(name)
        values = document.items() if isinstance(document, dict) else ()
        wrong = [key for key, value in values if key in texts and not _is_text(value)]
        if wrong or not isinstance(document, (dict, type(None))):
            raise AnyscaleError(
                f"Anyscale returned a cloud resource whose {(wrong or [name])[0]} has another form "
                "than in its API.",
                "Check that anyscale_host is an Anyscale control plane and that no proxy answers "
                "in its place.",
            )


def _is_text(value: t.Any) -> bool:
    return value is None or isinstance(value, str)


def _account_of(role_arn: str | None) -> str | None:
    arn = parse_arn(role_arn or "")
    return (arn.account_id or None) if arn else None

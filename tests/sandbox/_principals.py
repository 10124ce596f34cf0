# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals of policies as AWS keeps them: bound to the unique id of a role or user, shown by its
ARN while it exists.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
and https://github.com/hashicorp/terraform-provider-aws/issues/8905
"""

from __future__ import annotations

import json
import re
import typing as t

from moto.core.utils import utcnow
from moto.iam.models import iam_backends

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import PARTITION
from ansible_collections.rayfleet.anyscale.tests.sandbox._conditions import is_service_principal

Document = dict[str, t.Any]

_ENTITY_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):(role|user)/[\w+=,.@/-]+")
_SESSION_ARN = re.compile(r"arn:aws[\w-]*:sts::(\d{12}):assumed-role/([\w+=,.@-]+)/[\w+=,.@-]+")
_ROOT_ARN = re.compile(r"(arn:aws[\w-]*:iam::)?\d{12}(:root)?")
_UNIQUE_ID = re.compile(r"A(ROA|IDA)[A-Z0-9]{12,}")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
_FEDERATED_USER = re.compile(r"arn:aws[\w-]*:sts::\d{12}:federated-user/[\w+=,.@-]{2,32}")


class UnknownPrincipal(Exception):
    """A principal that does not exist, is not visible yet, or is not written as one."""

    def __init__(self, kind: str, value: t.Any) -> None:
        super().__init__(f"{kind}:{value}")
        self.kind = kind
        self.value = value


def as_list(value: t.Any) -> list[t.Any]:
    """A policy's one-or-many as a list."""
    return value if isinstance(value, list) else [value]


def bind(
    document: Document,
    minimum_age: float,
    is_other: t.Callable[[str], bool] = lambda value: False,
) -> Document:
    """A document with each role and user replaced by its unique id.

    is_other: whether the policy's service knows another principal, under ``AWS``, by this name.
    minimum_age: seconds that a role or user must have existed for to be known to the policy's
    service.
    """

    def bound(kind: str, value: t.Any) -> t.Any:
        if kind == "AWS" and isinstance(value, str) and is_other(value):
            return value
        return _bound(kind, value, minimum_age)

    return _with_principals(document, bound)


def show(document: Document) -> Document:
    """A bound document as AWS shows it now: ARNs of what still exists, unique ids of what is gone."""

    def shown(kind: str, value: t.Any) -> t.Any:
        entity = _entity_of_id(value) if kind == "AWS" and _UNIQUE_ID.fullmatch(value) else None
        return entity.arn if entity else value

    return _with_principals(document, shown)


def entity_of_arn(arn: str) -> t.Any:
    """The role or user of an ARN; ``None`` if there is none."""
    match = _ENTITY_ARN.fullmatch(arn)
    if match is None or match.group(1) not in iam_backends:
        return None
    backend = iam_backends[match.group(1)][PARTITION]
    entities = backend.roles if match.group(2) == "role" else backend.users
    name = arn.rpartition("/")[2]
    return next(
        (entity for entity in entities.values() if entity.name == name and entity.arn == arn), None
    )


def _with_principals(document: Document, change: t.Callable[[str, t.Any], t.Any]) -> Document:
    changed: Document = json.loads(json.dumps(document))
    for statement in as_list(changed["Statement"]):
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element)
            if isinstance(principal, dict):
                for kind, values in principal.items():
                    renewed = [change(kind, value) for value in as_list(values)]
                    principal[kind] = renewed if isinstance(values, list) else renewed[0]
            elif principal is not None and principal != "*":
                raise UnknownPrincipal("AWS", principal)
    return changed


def _bound(kind: str, value: t.Any, minimum_age: float) -> t.Any:
    if kind in ("Federated", "CanonicalUser"):
        return value
    if kind == "Service" and isinstance(value, str) and is_service_principal(value):
        return value
    if kind != "AWS" or not isinstance(value, str):
        raise UnknownPrincipal(kind, value)
    if value == "*" or _ROOT_ARN.fullmatch(value) or _FEDERATED_USER.fullmatch(value):
        return value
    if _is_known_session(value):
        return value
    entity = _entity_of_id(value) if _UNIQUE_ID.fullmatch(value) else entity_of_arn(value)
    if entity is None or (utcnow() - entity.create_date).total_seconds() < minimum_age:
        raise UnknownPrincipal(kind, value)
    return entity.id


def _entity_of_id(unique_id: str) -> t.Any:
    for backends in list(iam_backends.values()):
        backend = backends[PARTITION]
        if unique_id in backend.roles:
            return backend.roles[unique_id]
        if unique_id.startswith("AIDA"):
            user = next((user for user in backend.users.values() if user.id == unique_id), None)
            if user:
                return user
    return None


def _is_known_session(value: str) -> bool:
    match = _SESSION_ARN.fullmatch(value)
    if match is None or match.group(1) not in iam_backends:
        return False
    return any(
        role.name == match.group(2)
        for role in iam_backends[match.group(1)][PARTITION].roles.values()
    )

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the requests that policies are judged for: their condition keys, in one table.

This module util is private to the collection. Pure: the moment from which on requests are judged is
given. A key that is not in the table is unknown, and what depends on it cannot be told.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import ec2_services


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """A number, or a moment in seconds since 1970, that may be larger than this, but not less."""

    number: float


# A text, in which * and ? stand for what differs from request to request; a number; or, for a key
# that the request does not have, nothing.
Value = t.Union[str, AtLeast, None]
# All values that a key may have. There are none where nothing is known.
Values = tuple[Value, ...]


@dataclasses.dataclass(frozen=True)
class RequestContext:
    """The known condition keys of requests to one service, in lower case."""

    service: str
    known: t.Mapping[str, Values]

    def values_of(self, key: str) -> Values:
        """The values that a condition key, in lower case, may have."""
        prefix = key.partition(":")[0]
        if prefix in _KEYS_OF_ONE_SERVICE and prefix != self.service:
            return _ABSENT
        return self.known.get(key, _UNKNOWN)

    def with_values(self, values: t.Mapping[str, Values]) -> RequestContext:
        """The same with the values of more keys."""
        return dataclasses.replace(self, known={**self.known, **values})


_ABSENT: Values = (None,)
_UNKNOWN: Values = ()
_FROM_NOW: Values = ("{now}",)
# Condition keys with these prefixes are only in requests to the service itself.
_KEYS_OF_ONE_SERVICE = frozenset(("s3", "iam", "sts"))

_CLUSTER, _CONTROL_PLANE, _EC2 = range(3)
# Requests of a cluster, by which the role's access is judged: a session of the role on an EC2
# instance, which calls S3 itself, by TLS 1.2 or newer, with signature version 4. Requests of
# Anyscale's control plane, a session of another role. And EC2's own request for the role: EC2 has
# no second factor, sends no external id, and may or may not name an account.
_TABLE: dict[str, tuple[Values, Values, Values]] = {
    # key                              of a cluster            of the control plane    of EC2
    "aws:principalarn": (("{arn}",), ("{arn}",), _UNKNOWN),
    "aws:principalaccount": (("{account_id}",), ("{account_id}",), _UNKNOWN),
    "aws:principaltype": (("AssumedRole",), ("AssumedRole",), _UNKNOWN),
    "aws:userid": (("{unique_id}:i-*",), ("{unique_id}:*",), _UNKNOWN),
    "aws:username": (_ABSENT, _ABSENT, _ABSENT),
    "aws:principalisawsservice": (("false",), ("false",), ("true",)),
    "aws:principalservicename": (_ABSENT, _ABSENT, _UNKNOWN),  # of EC2: see ec2_context
    "aws:principalservicenameslist": (_ABSENT, _ABSENT, _UNKNOWN),
    # Temporary credentials may come with this key and the value false, or without it.
    "aws:multifactorauthpresent": ((None, "false"), (None, "false"), _ABSENT),
    "aws:multifactorauthage": (_ABSENT, _ABSENT, _ABSENT),
    "aws:federatedprovider": (_ABSENT, _ABSENT, _ABSENT),
    "aws:assumedroot": (_ABSENT, _ABSENT, _ABSENT),
    "aws:chatbotsourcearn": (_ABSENT, _ABSENT, _ABSENT),
    "aws:tokenissuetime": (_FROM_NOW, _FROM_NOW, _UNKNOWN),
    "aws:currenttime": (_FROM_NOW, _FROM_NOW, _FROM_NOW),
    "aws:epochtime": (_FROM_NOW, _FROM_NOW, _FROM_NOW),
    "aws:ec2instancesourcevpc": (("vpc-*",), _UNKNOWN, _UNKNOWN),
    "aws:ec2instancesourceprivateipv4": (("*",), _UNKNOWN, _UNKNOWN),
    "ec2:sourceinstancearn": (
        ("arn:{partition}:ec2:*:{account_id}:instance/i-*",),
        _UNKNOWN,
        _UNKNOWN,
    ),
    "aws:securetransport": (("true",), ("true",), ("true",)),
    "aws:viaawsservice": (("false",), ("false",), _UNKNOWN),
    "aws:calledvia": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:calledviafirst": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:calledvialast": (_ABSENT, _ABSENT, _UNKNOWN),
    # Of a service that acts for a resource.
    "aws:sourcearn": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:sourceaccount": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:sourceorgid": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:sourceorgpaths": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:sourceowner": (_ABSENT, _ABSENT, _UNKNOWN),
    "aws:resourceaccount": (("{resource_account}",), ("{resource_account}",), _UNKNOWN),
    "s3:resourceaccount": (("{resource_account}",), ("{resource_account}",), _UNKNOWN),
    "s3:signatureversion": (("AWS4-HMAC-SHA256",), ("AWS4-HMAC-SHA256",), _UNKNOWN),
    "s3:tlsversion": ((AtLeast(1.2),), (AtLeast(1.2),), _UNKNOWN),
    "sts:externalid": (_UNKNOWN, _UNKNOWN, _ABSENT),
}
_A_ROLES_UNIQUE_ID = "AROA*"


def cluster_context(
    arn: str, unique_id: str, resource_account: str, service: str, now: float
) -> RequestContext:
    """What is known of each request of a cluster with a role. ``unique_id`` is empty if unknown;
    ``now`` in seconds since 1970: what dates in conditions say of earlier requests does not matter.
    """
    return RequestContext(service, _known(_CLUSTER, arn, unique_id, resource_account, now))


def control_plane_context(
    arn: str, resource_account: str, service: str, now: float
) -> RequestContext:
    """What is known of each request of Anyscale's control plane with its role."""
    return RequestContext(service, _known(_CONTROL_PLANE, arn, "", resource_account, now))


def ec2_context(partition: str, now: float) -> RequestContext:
    """What is known of EC2's request for the role of an instance."""
    names = tuple(sorted(ec2_services(partition)))
    known = {**_filled_in(_EC2, now), "aws:principalservicename": names}
    return RequestContext("sts", known)


@functools.lru_cache(maxsize=256)  # it is needed for each statement and action of a document
def _known(
    column: int, arn: str, unique_id: str, resource_account: str, now: float
) -> t.Mapping[str, Values]:
    """What is known of the sessions of a role."""
    _arn, partition, _service, _region, account_id, _resource = arn.split(":", 5)
    return _filled_in(
        column,
        now,
        arn=arn,
        partition=partition,
        account_id=account_id,
        unique_id=unique_id or _A_ROLES_UNIQUE_ID,
        resource_account=resource_account,
    )


def _filled_in(column: int, now: float, **names: str) -> dict[str, Values]:
    def value(cell: Value) -> Value:
        return cell.format_map(names) if isinstance(cell, str) else cell

    moment: Values = (AtLeast(now),)
    return {
        key: moment if row[column] is _FROM_NOW else tuple(map(value, row[column]))
        for key, row in _TABLE.items()
    }

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge whether a Deny statement of a bucket policy hits a role: surely, perhaps, or not at all.

This module util is private to the collection. Pure. A condition on what only the request knows (its VPC endpoint, its
headers) makes the answer ``None``, perhaps.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _policy as policy

_Test = t.Callable[[str, str], t.Optional[bool]]
_Operator = t.Callable[[str, frozenset[str]], t.Optional[bool]]

# A cluster speaks TLS 1.2 or newer to S3, by itself and not through another AWS service.
_REQUEST = {
    "aws:securetransport": "true",
    "aws:principalisawsservice": "false",
    "aws:viaawsservice": "false",
    "s3:tlsversion": "1.2",
}


@dataclasses.dataclass(frozen=True)
class Role:
    """A role as a request of its sessions shows it. ``unique_id`` is empty where it is not known."""

    arn: str
    account_id: str
    unique_id: str = ""

    def request(self) -> dict[str, str]:
        """The condition keys whose values are known of every request of the role.

        The name of a cluster's session is the id of an EC2 instance, so the user id is known as a pattern only.
        """
        known = {"aws:principalarn": self.arn, "aws:principalaccount": self.account_id, "aws:principaltype": "AssumedRole"}
        return {**_REQUEST, **known, **({"aws:userid": f"{self.unique_id}:i-*"} if self.unique_id else {})}


def hits(raw: policy.Raw, role: Role, actions: t.Iterable[tuple[str, str]]) -> bool | None:
    """Whether a Deny takes one of the (action, resource) pairs from a role; ``None`` where only a request can tell."""
    statement = policy.canonical(raw)
    if statement.effect != "Deny" or not _names(statement, role):
        return False
    resources = [resource for action, resource in actions if statement.covers_action(action)]
    if not any(statement.touches_resource(resource) for resource in resources):
        return False
    whole = any(statement.covers_resource(resource) for resource in resources)
    conditions = (_condition(operator, key, values, role) for operator, key, values in statement.conditions)
    return _all([True if whole else None, *conditions])


def _names(statement: policy.Statement, role: Role) -> bool:
    own = {("AWS", role.arn), ("AWS", role.unique_id), ("AWS", role.account_id), ("AWS", "*")}
    if statement.not_principals is not None:
        return not {("AWS", role.arn), ("AWS", role.unique_id), ("AWS", "*")} & statement.not_principals
    return bool(own & (statement.principals or frozenset()))


def _all(verdicts: t.Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    if False in found:
        return False
    return None if None in found else True


def _condition(operator: str, key: str, values: frozenset[str], role: Role) -> bool | None:
    """Whether a condition is met by the requests of a role; ``None`` where it depends on the request."""
    have = role.request().get(key)
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return None if have is None else "false" in values
    if have is None or ":" in name:
        return None
    met = _OPERATORS.get(name)
    return None if met is None else met(have, values)


def _equals(have: str, value: str) -> bool | None:
    """A star or a question mark in a value stands for itself here, and no request has one."""
    if "*" in value or "?" in value or not policy.matches(have, value):
        return False
    return True if have == value else None


def _equals_ignore_case(have: str, value: str) -> bool | None:
    return _equals(have.lower(), value.lower())


def _like(have: str, value: str) -> bool | None:
    if policy.contains(value, have):
        return True
    return None if policy.intersect(value, have) else False


def _any(test: _Test) -> _Operator:
    """One of the values must pass the test; what a policy variable stands for only the request can tell."""

    def met(have: str, values: frozenset[str]) -> bool | None:
        found = {None if "${" in value else test(have, value) for value in values}
        if True in found:
            return True
        return None if None in found else False

    return met


def _none(test: _Test) -> _Operator:
    """None of the values may pass the test."""

    def met(have: str, values: frozenset[str]) -> bool | None:
        verdict = _any(test)(have, values)
        return None if verdict is None else not verdict

    return met


def _at_least(have: str, values: frozenset[str]) -> bool | None:
    """What a request has is a minimum here: it is surely not less than that, and perhaps less than more."""
    try:
        return None if any(float(have) < float(value) for value in values) else False
    except ValueError:
        return None


_OPERATORS: dict[str, _Operator] = {
    "Bool": _any(_equals_ignore_case),
    "StringEquals": _any(_equals),
    "StringNotEquals": _none(_equals),
    "StringEqualsIgnoreCase": _any(_equals_ignore_case),
    "StringNotEqualsIgnoreCase": _none(_equals_ignore_case),
    "StringLike": _any(_like),
    "StringNotLike": _none(_like),
    "ArnEquals": _any(_like),
    "ArnNotEquals": _none(_like),
    "ArnLike": _any(_like),
    "ArnNotLike": _none(_like),
    "NumericLessThan": _at_least,
}

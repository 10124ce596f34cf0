# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which policy documents IAM and S3 accept, and what they make of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html, and what is said at
each rule.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _conditions, _principals
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal
from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import (
    Document,
    UnknownPrincipal,
    as_list,
)

BUCKET_POLICY_BYTES = 20480

_STATEMENT_ELEMENTS = frozenset(
    (
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    )
)
_VERSIONS = ("2012-10-17", "2008-10-17")
_S3_ACTION = re.compile(r"\*|s3:[A-Za-z*?]+", re.IGNORECASE)
_OBJECT_ACTION = re.compile(
    r"s3:((?!\w*bucket)\w*object\w*|abortmultipartupload|listmultipartuploadparts)", re.IGNORECASE
)


# https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
_LATIN_1 = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3-oai.html
_ORIGIN = re.compile(
    r"arn:aws[\w-]*:iam::cloudfront:user/CloudFront Origin Access Identity [A-Z0-9]+"
)


class _Malformed(Exception):
    """A document that is not a policy of its service."""


def accepted_trust_policy(text: str, quota: int, principal_delay: float) -> Document:
    """The trust policy that IAM stores for this text, its principals bound; a ``Refusal`` where IAM
    refuses.
    """
    if not re.fullmatch(_LATIN_1, text):
        message = (
            "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_LATIN_1}"
        )
        raise Refusal("ValidationError", 400, message)
    try:
        document = _parsed(text)
        _check_sids(document["Statement"])
        for statement in as_list(document["Statement"]):
            _check_elements(statement, "Action", "Principal")
            _check_trust_statement(statement)
        bound = reordered(_principals.bind(document, principal_delay))
    except UnknownPrincipal as unknown:
        kind = unknown.kind.upper() if unknown.kind == "Service" else unknown.kind
        raise Refusal(
            "MalformedPolicyDocument",
            400,
            f'Invalid principal in policy: "{kind}":"{unknown.value}"',
        ) from None
    except (_Malformed, _conditions.InvalidCondition) as malformed:
        raise Refusal("MalformedPolicyDocument", 400, str(malformed)) from None
    # https://github.com/kubeflow/dashboard/issues/29
    if len(re.sub(r"\s", "", text)) > quota:
        raise Refusal("LimitExceeded", 409, f"Cannot exceed quota for ACLSizePerRole: {quota}")
    return bound


def accepted_bucket_policy(text: str, bucket: str, principal_delay: float) -> Document:
    """The bucket policy that S3 stores for this text, normalized and bound; a ``Refusal`` where S3
    refuses.
    """
    if not text.lstrip().startswith("{"):
        raise Refusal(
            "MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'"
        )
    try:
        document = _parsed(text)
        for statement in as_list(document["Statement"]):
            _check_elements(statement, "Action", "Principal", "Resource")
            _check_bucket_statement(statement, bucket)
        normalized = _normalized(document)
        bound = _principals.bind(normalized, principal_delay, _is_origin)
    except UnknownPrincipal:
        raise Refusal("MalformedPolicy", 400, "Invalid principal in policy") from None
    except (_Malformed, _conditions.InvalidCondition) as malformed:
        raise Refusal("MalformedPolicy", 400, str(malformed)) from None
    if len(json.dumps(normalized, separators=(",", ":")).encode()) > BUCKET_POLICY_BYTES:
        message = (
            "Normalized policy document exceeds the maximum allowed size of "
            f"{BUCKET_POLICY_BYTES} bytes."
        )
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/add-bucket-policy.html; that S3
        # measures its own form: https://github.com/FogSecurity/aws-size/pull/38
        raise Refusal("MalformedPolicy", 400, message)
    return bound


def _is_origin(name: str) -> bool:
    return _ORIGIN.fullmatch(name) is not None


def reordered(document: Document) -> Document:
    """A trust policy in an order of IAM's own: that of lists and of condition keys is not kept.

    https://github.com/aws-controllers-k8s/community/issues/2875
    """
    return {
        **document,
        "Statement": _each(
            document["Statement"],
            lambda statement: {
                element: _shuffled(value) if element != "Sid" else value
                for element, value in statement.items()
            },
        ),
    }


def _each(statements: t.Any, change: t.Callable[[Document], Document]) -> t.Any:
    return (
        [change(one) for one in statements] if isinstance(statements, list) else change(statements)
    )


def _shuffled(value: t.Any) -> t.Any:
    """In an order that is always the same, and seldom the one that was sent."""

    def place(item: t.Any) -> str:
        return hashlib.sha256(json.dumps(item).encode()).hexdigest()

    if isinstance(value, list):
        return sorted(value, key=place)
    if isinstance(value, dict):
        return {key: _shuffled(value[key]) for key in sorted(value, key=place)}
    return value


def _parsed(text: str) -> Document:
    try:
        document = json.loads(text)
    except ValueError:
        raise _Malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise _Malformed("Syntax errors in policy.")
    for element in document:
        if element not in ("Version", "Id", "Statement"):
            raise _Malformed(f"Unknown field {element}")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _Malformed("The policy must contain a valid version string")
    statements = as_list(document.get("Statement", []))
    if not statements:
        raise _Malformed("Missing required field Statement")
    if not all(isinstance(statement, dict) for statement in statements):
        raise _Malformed("Syntax errors in policy.")
    return document


def _check_elements(statement: Document, *required: str) -> None:
    """https://github.com/versity/versitygw/issues/647"""
    for element in statement:
        if element not in _STATEMENT_ELEMENTS:
            raise _Malformed(f"Unknown field {element}")
    for element in required:
        if not statement.get(element) and not statement.get(f"Not{element}"):
            raise _Malformed(f"Missing required field {element}")
    if "Effect" not in statement:
        raise _Malformed("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise _Malformed(f"Invalid effect: {statement['Effect']}")
    if not isinstance(statement.get("Condition", {}), dict):
        raise _Malformed("Syntax errors in policy.")


def _check_sids(statements: t.Any) -> None:
    """https://github.com/aws-cloudformation/cfn-lint/issues/708 and
    https://github.com/kubernetes/kops/issues/4951
    """
    sids = [statement["Sid"] for statement in as_list(statements) if statement.get("Sid")]
    if not all(isinstance(sid, str) and re.fullmatch("[0-9A-Za-z]*", sid) for sid in sids):
        pattern = "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        raise _Malformed(f"Statement IDs (SID) must be alpha-numeric. {pattern}")
    if len(set(sids)) < len(sids):
        raise _Malformed("Statement IDs (SID) in a single policy must be unique.")


def _check_trust_statement(statement: Document) -> None:
    """https://github.com/localstack/localstack/issues/6644; actions of STS beside AssumeRole:
    https://github.com/getmoto/moto/issues/5750
    """
    _conditions.check_in_trust_policy(statement.get("Condition", {}))
    for element in ("Principal", "NotPrincipal"):
        # https://github.com/aws/aws-cdk/pull/5746; the text was reported by a user
        if statement.get(element) == "*":
            raise _Malformed('Invalid principal in policy: "STAR":"*"')
    if "Resource" in statement or "NotResource" in statement:
        raise _Malformed("Has prohibited field Resource")
    for action in as_list(statement.get("Action", statement.get("NotAction"))):
        if not str(action).lower().startswith("sts:"):
            raise _Malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_bucket_statement(statement: Document, bucket: str) -> None:
    """https://github.com/versity/versitygw/issues/648, /650 and /645"""
    _conditions.check_in_bucket_policy(statement.get("Condition", {}))
    resources = as_list(statement.get("Resource", statement.get("NotResource")))
    own = re.compile(rf"arn:aws[\w-]*:s3:::{re.escape(bucket)}(/.*)?")
    if not all(isinstance(resource, str) and own.fullmatch(resource) for resource in resources):
        raise _Malformed("Policy has invalid resource")
    levels = {"/" in resource for resource in resources}
    for action in as_list(statement.get("Action", statement.get("NotAction"))):
        if not isinstance(action, str) or not _S3_ACTION.fullmatch(action):
            raise _Malformed("Policy has invalid action")
        is_plain = (
            "Action" in statement and "Resource" in statement and not re.search(r"[*?]", action)
        )
        if is_plain and bool(_OBJECT_ACTION.fullmatch(action)) not in levels:
            raise _Malformed("Action does not apply to any resource(s) in statement")


def _normalized(document: Document) -> Document:
    """S3's form: a list of statements, a string for a list of one, strings in conditions, root ARNs
    for account ids.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html says
    that of account ids; the rest was reported by users.
    """
    return {
        **document,
        "Statement": [
            _normalized_statement(statement) for statement in as_list(document["Statement"])
        ],
    }


def _normalized_statement(statement: Document) -> Document:
    normalized: Document = {}
    for element, value in statement.items():
        if element in ("Principal", "NotPrincipal") and isinstance(value, dict):
            normalized[element] = {
                kind: _one_or_many([_root_arn(item) for item in as_list(values)])
                for kind, values in value.items()
            }
        elif element == "Condition":
            normalized[element] = {
                operator: {
                    key: _one_or_many([_condition_value(item) for item in as_list(values)])
                    for key, values in keys.items()
                }
                for operator, keys in value.items()
            }
        else:
            normalized[element] = _one_or_many(as_list(value))
    return normalized


def _one_or_many(values: list[t.Any]) -> t.Any:
    return values[0] if len(values) == 1 else values


def _root_arn(principal: t.Any) -> t.Any:
    return (
        f"arn:aws:iam::{principal}:root" if re.fullmatch(r"\d{12}", str(principal)) else principal
    )


def _condition_value(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

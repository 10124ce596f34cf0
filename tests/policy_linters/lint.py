# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads policy documents by name, as JSON from the standard input, and prints what parliament and
policy_sentry find in each. It runs in an environment of its own, which has nothing of ours.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
import warnings

warnings.simplefilter("ignore")  # parliament reads its files by pkg_resources, as few still do

import parliament  # noqa: E402
from policy_sentry.querying.actions import get_action_data  # noqa: E402

Json = dict[str, t.Any]


def by_parliament(document: Json) -> list[str]:
    """What parliament finds. It does not know the account of AWS's own policies, which is aws."""
    text = json.dumps(document).replace(":iam::aws:", ":iam::123456789012:")
    found = parliament.analyze_policy_string(text).findings
    return [f"parliament: {one.issue} {one.detail}" for one in found]


def by_policy_sentry(statement: Json) -> list[str]:
    """Actions, their resources and their condition keys that policy_sentry's table of the services
    does not have.
    """
    found = []
    keys = [key for block in statement.get("Condition", {}).values() for key in block]
    resources = _list(statement.get("Resource", []))
    for action in _list(statement["Action"]):
        service, _colon, name = action.partition(":")
        rows = [row for of in (get_action_data(service, name) or {}).values() for row in of]
        formats = [_expression(row["resource_arn_format"]) for row in rows]
        known = {key.lower() for row in rows for key in row["condition_keys"]}
        if not rows:
            found.append(f"policy_sentry: no action {action}")
        elif resources and not any(
            one.fullmatch(resource) for one in formats for resource in resources
        ):
            found.append(f"policy_sentry: {action} is on none of {resources}")
        unknown = [key for key in keys if key.lower() not in known and not key.startswith("aws:")]
        found += [f"policy_sentry: {action} has no condition key {key}" for key in unknown]
    return found


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else [value]


def _expression(arn_format: str) -> re.Pattern[str]:
    """An ARN of the table as an expression; names of buckets have no slash."""
    if arn_format == "*":
        return re.compile(r"\*")
    parts = re.split(r"(\$\{\w+\})", arn_format)
    of_part = {"${BucketName}": "[^/]+"}
    return re.compile(
        "".join(of_part.get(one, ".+") if one.startswith("${") else re.escape(one) for one in parts)
    )


def main() -> None:
    """Lint each document."""
    documents: dict[str, Json] = json.load(sys.stdin)
    found = {
        name: [
            *by_parliament(document),
            *(one for statement in document["Statement"] for one in by_policy_sentry(statement)),
        ]
        for name, document in documents.items()
    }
    json.dump({name: findings for name, findings in found.items() if findings}, sys.stdout)


if __name__ == "__main__":
    main()

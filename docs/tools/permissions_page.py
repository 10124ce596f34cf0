# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the policies of the page on permissions, from the table that the lookup plugin uses."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t

from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    Document,
    Statement,
    policy,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/permissions.rst"

_CALLER_ACCOUNT, _CLOUD_ACCOUNT = "111111111111", "123456789012"
_CALLER = f"arn:aws:iam::{_CALLER_ACCOUNT}:role/automation"
_ONBOARDING_ROLE = "arn:aws:iam::*:role/anyscale-onboarding"
_EXTERNAL_ID = "b6b9a6c0"
# How the options of the lookup are set that a statement depends on.
_SETTINGS = {
    "role_policies": "``role_policies=true``",
    "bucket_policies": "``bucket_policies``",
    "pass_role": "``pass_role=true``",
}
_LIST_OF_ONE = re.compile(r'\[\s+("[^"]*")\s+\]')


def caller_policy(role_arn: str) -> Document:
    """The policy that lets the caller assume a role in each cloud's account. The ARN may contain
    wildcards.
    """
    statement = {
        "Sid": "AssumeOnboardingRoles",
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Resource": [role_arn],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust_policy(caller_arn: str, external_id: str) -> Document:
    """The trust policy of such a role, for one caller with an external ID."""
    statement = {
        "Sid": "Automation",
        "Effect": "Allow",
        "Principal": {"AWS": caller_arn},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def page() -> str:
    """The page with the policies as they should be."""
    text = PAGE.read_text()
    for name, generated in _parts():
        text = replace_part(text, name, generated)
    return text


def _parts() -> t.Iterator[tuple[str, str]]:
    yield "caller_policy", _json(caller_policy(_ONBOARDING_ROLE))
    yield "trust_policy", _json(trust_policy(_CALLER, _EXTERNAL_ID))
    for playbook, statements in PLAYBOOKS.items():
        document = policy(playbook, parse_scope(_CLOUD_ACCOUNT))
        yield playbook, f"{_table(statements)}\n\n{_json(document)}"


def _table(statements: t.Iterable[Statement]) -> str:
    head = ".. list-table::\n   :header-rows: 1\n   :widths: 22 30 30 18\n"
    rows = [("statement", "actions", "purpose", "can be left out"), *map(_row, statements)]
    return "\n".join([head, *("   * - " + "\n     - ".join(row) for row in rows)])


def _row(statement: Statement) -> tuple[str, ...]:
    actions = ", ".join(f"``{action}``" for action in statement.actions)
    return f"``{statement.sid}``", actions, statement.purpose, _when(statement)


def _when(statement: Statement) -> str:
    """When the statement can be left out, and when it is in the policy at all."""
    if not statement.only_with:
        return statement.optional_when or "Never."
    settings = " or ".join(_SETTINGS[name] for name in statement.only_with)
    optional = statement.optional_when
    also = f" It is not needed {optional[0].lower()}{optional[1:]}" if optional else ""
    return f"It is only there with {settings}.{also}"


def _json(document: Document) -> str:
    """A block of JSON, with each list of one item on one line."""
    text = _LIST_OF_ONE.sub(r"[\1]", json.dumps(document, indent=2))
    return f".. code-block:: json\n\n{textwrap.indent(text, '   ')}"


if __name__ == "__main__":
    PAGE.write_text(page())

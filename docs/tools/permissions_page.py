# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the documentation's page on permissions from the table that the policies are made from."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    READING,
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
_LIST_OF_ONE = re.compile(r'\[\s+("[^"]*")\s+\]')

_PAGE = """\
..
  Do not edit this page. It is written by
  python -m ansible_collections.rayfleet.anyscale.docs.tools.permissions_page

  Copyright (c) 2026, Rayfleet contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.rayfleet.anyscale.docsite.permissions:

The permissions that it needs
=============================

A playbook makes few calls of AWS. Below is the smallest policy for each, with Anyscale's own names of roles and buckets in
account {account}. The lookup plugin :ansplugin:`rayfleet.anyscale.iam_policy#lookup` makes the same policies for any account,
partition and names:

.. code-block:: console

   $ ansible localhost -m ansible.builtin.debug -a \\
       "msg={{{{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='{account}',
             roles=['ray-*'], buckets=['anyscale-*-data']) }}}}"

What is not named has Anyscale's own names: look whether your clouds have these.

The tests run every playbook with exactly its policy, against a sandbox that decides as IAM does. They fail where a policy
lacks an action, and where it has one that the playbook never makes use of.

Two accounts
------------

A fleet's clouds are in many AWS accounts, and whoever runs the playbooks is in one. In each cloud's account there is a role
for the caller to assume, which is the host's variable ``cloud_iam_assume_role_arn``. That takes three things.

1. The caller may assume these roles, by a policy of its own account. A list of the roles' ARNs is narrower than the star:

{caller}

2. Each of these roles trusts the caller:

{trust}

   The external ID (``cloud_iam_assume_role_external_id``) is for callers that work for several customers, such as a service that
   runs Ansible: it keeps one customer from naming the role of another. Without one, leave ``Condition`` out.

3. Each of these roles has the policy of the playbook, one of those below. An audit can have a role of its own, with less.

A caller that is in the cloud's account itself needs the playbook's policy and nothing else. That ``sts:GetCallerIdentity`` is
called then, to make sure that it is the right account, takes no permission.

More can stand in the way than these policies: permissions boundaries, service control policies of an organization, and policies
of a bucket that deny. Where AWS refuses a call, the message of the failed task says which action it was.

Anyscale
--------

A token sees the clouds that its owner may use, and an inventory from the API has no others. For a fleet, make a service account, let it
`collaborate <https://docs.anyscale.com/administration/organization/permissions>`__ on each cloud, and make an API key for it, in the
console under *My organization, Service accounts* (`Anyscale's page
<https://docs.anyscale.com/administration/organization/service-accounts>`__): that is ``ANYSCALE_CLI_TOKEN``. A cloud's collaborators may
see, publish and archive its compute configs; Anyscale has no permission that is narrower. The audit sends nothing but reads. An owner of
the organization sees all of its clouds, and may do much more.

How narrow they are
-------------------

* Roles, instance profiles and buckets are named, by patterns where there are many. IAM's star goes on over slashes, so that
  ``role/ray-*`` is about ``ray-x/y`` as well.
* Whoever may replace a role's trust policy can let anybody assume the role, themselves too. No pattern should be about a role that
  may do more than clusters may, such as the caller's own.
* The names of buckets are everybody's, so that a pattern is about other accounts' buckets as well. AWS lets nobody but the owner's
  account see or replace a bucket's policy, and each call that does so names the account that it expects.
* A role or an instance profile under a path must be named with it. Of an instance profile that is not there, IAM knows the
  name alone, so that ``ReadInstanceProfiles`` has the name without its path as well.
* ``iam:PassRole`` is for EC2 alone. AWS can limit neither ``iam:ListRoles``, ``iam:ListUsers`` nor
  ``iam:GetAccountAuthorizationDetails`` to anything.
* No policy allows a call on an object in a bucket, nor one that makes or deletes a role.
* With ``--check``, a playbook needs no statements but those whose names begin with {reading}.

{playbooks}
"""

_INTRODUCTIONS = {
    "audit": """
        Where a statement is missing, the audit says that it does not know, and which permission it lacks. The caller needs no
        permission that writes.""",
    "onboard": """
        What a cloud has already is not written, so that a fleet that is right needs nothing that writes.""",
    "offboard": """
        The role and its instance profile stay, so that nothing is needed to delete them.""",
    "rollback": """
        Compute configs are put back through the Anyscale API, which no policy of AWS is about.""",
    "verify_cluster": """
        It runs on the nodes of clusters, so that the caller is the role that clusters run with. It works without any permission,
        since AWS tells everybody who they are.""",
}


def caller_policy(role_arn: str) -> Document:
    """The policy of a caller that assumes a role in each cloud's account. The ARN may have
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
    """The trust policy of such a role."""
    statement = {
        "Sid": "Automation",
        "Effect": "Allow",
        "Principal": {"AWS": caller_arn},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def page() -> str:
    """The whole page."""
    return _PAGE.format(
        account=_CLOUD_ACCOUNT,
        caller=_json(caller_policy(_ONBOARDING_ROLE), 3),
        trust=_json(trust_policy(_CALLER, _EXTERNAL_ID), 3),
        reading=" or ".join(f"``{beginning}``" for beginning in READING),
        playbooks="\n\n".join(_section(name, statements) for name, statements in PLAYBOOKS.items()),
    )


def _section(playbook: str, statements: t.Iterable[Statement]) -> str:
    title = f"The playbook {playbook}"
    introduction = textwrap.fill(" ".join(_INTRODUCTIONS[playbook].split()), 120)
    document = policy(playbook, parse_scope(_CLOUD_ACCOUNT))
    return "\n\n".join(
        (f"{title}\n{'-' * len(title)}", introduction, _table(statements), _json(document))
    )


def _table(statements: t.Iterable[Statement]) -> str:
    head = ".. list-table::\n   :header-rows: 1\n   :widths: 22 30 30 18\n"
    rows = [("statement", "actions", "what for", "when it can be left out"), *map(_row, statements)]
    return "\n".join([head, *("   * - " + "\n     - ".join(row) for row in rows)])


def _row(statement: Statement) -> tuple[str, ...]:
    actions = ", ".join(f"``{action}``" for action in statement.actions)
    return f"``{statement.sid}``", actions, statement.purpose, statement.dispensable or "Never."


def _json(document: Document, indent: int = 0) -> str:
    """A block of JSON, with lists of one on one line."""
    text = _LIST_OF_ONE.sub(r"[\1]", json.dumps(document, indent=2))
    return textwrap.indent(f".. code-block:: json\n\n{textwrap.indent(text, '   ')}", " " * indent)


if __name__ == "__main__":
    PAGE.write_text(page())

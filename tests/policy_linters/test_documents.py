# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""parliament and policy_sentry find nothing in any document that the collection writes or prints."""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
    trust_policy_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    policy as policy_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    Fact,
    facts,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ROLE,
    Document,
    allow,
    policy,
)

LINTER = os.environ.get("LINTER", "")  # the Python that has the linters; set by `make linters`
pytestmark = pytest.mark.skipif(not LINTER, reason="run `make linters`")
PARTITIONS = ("aws", "aws-us-gov", "aws-cn")


@functools.cache  # the linters take seconds to read what they know
def lint() -> dict[str, list[str]]:
    """What the linters find in all documents, by the document's name."""
    documents = {name: one for kind in DOCUMENTS.values() for name, one in kind.items()}
    documents |= {what: policy(raw) for what, raw in WRONG.items()}
    command = (LINTER, str(Path(__file__).with_name("lint.py")))
    text = json.dumps(documents)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def trust_policies() -> t.Iterator[tuple[str, Document]]:
    """With the role as their resource, since the linters know only policies that name it."""
    for partition in PARTITIONS:
        wanted = trust_policy_plan.Wanted(partition=partition)
        after = trust_policy_plan.decide(policy(), wanted).after
        role = ROLE.replace("arn:aws:", f"arn:{partition}:")
        raws = [{**raw, "Resource": role} for raw in after["Statement"]]
        yield f"trust in {partition}", policy(*raws)


def bucket_policies() -> t.Iterator[tuple[str, Document]]:
    """For all actions, and for each by itself."""
    sets = [bucket_want.ACTIONS, *((one,) for one in bucket_want.ACTIONS)]
    for partition, actions in itertools.product(PARTITIONS, sets):
        role = Role(ROLE.replace("arn:aws:", f"arn:{partition}:"), ACCOUNT)
        wanted = bucket_want.Wanted("data", (role,), partition=partition, actions=actions)
        after = bucket_policy_plan.decide(parse_policy(None, "policy"), wanted).after
        yield f"bucket for {' '.join(actions)} in {partition}", after


def permissions() -> t.Iterator[tuple[str, Document]]:
    """What the lookup iam_policy returns: with names, with wildcards, and with each statement that
    is optional left out.
    """
    names: dict[str, t.Any] = {
        "roles": ["ray-a", "/ray/lab/b"],
        "control_plane_roles": ["anyscale"],
        "instance_profiles": ["ray-*"],
        "buckets": ["data-a", "data-*"],
    }
    for playbook, partition, options in itertools.product(PLAYBOOKS, PARTITIONS, ({}, names)):
        scope = parse_scope(ACCOUNT, partition, **options)
        optional = [one.sid for one in PLAYBOOKS[playbook] if one.optional_when]
        for left_out in ((), *((sid,) for sid in optional), tuple(optional)):
            what = f"{len(options)} options, without {', '.join(left_out) or 'nothing'}"
            yield f"{playbook} in {partition}, {what}", policy_of(playbook, scope, left_out)


def remedies() -> t.Iterator[tuple[str, Document]]:
    """The statements that audits say to add."""
    for check in ("control_plane_pass_role", "control_plane_get_instance_profile"):
        found = verdict(check, facts(control_plane=Fact(Identity())))
        yield check, policy(found["evidence"]["statement_to_add"])


DOCUMENTS = {
    make.__name__: dict(make()) for make in (trust_policies, bucket_policies, permissions, remedies)
}


# Who may write a bucket's policy may give itself the bucket: the page on permissions says so.
INHERENT = "parliament: RESOURCE_POLICY_PRIVILEGE_ESCALATION"


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_nothing_is_found_in(kind: str) -> None:
    found = {name: findings for name, findings in lint().items() if name in DOCUMENTS[kind]}
    writing = {name for name, document in DOCUMENTS[kind].items() if _writes_bucket(document)}
    assert writing == {name for name, findings in found.items() if INHERENT in " ".join(findings)}
    others = [one for findings in found.values() for one in findings if INHERENT not in one]
    assert others == []


def _writes_bucket(document: Document) -> bool:
    return any("s3:PutBucketPolicy" in raw["Action"] for raw in document["Statement"])


WRONG = {
    "an action that is none": allow(Action="s3:GetObjects", Resource="arn:aws:s3:::data/*"),
    "an action on what it is not on": allow(Action="s3:GetObject", Resource="arn:aws:s3:::data"),
    "a condition key that is none": allow(
        Action="iam:PassRole",
        Resource=ROLE,
        Condition={"StringEquals": {"iam:PassedToServices": "ec2.amazonaws.com"}},
    ),
}


def test_something_is_found_in_what_is_wrong() -> None:
    by = {what: {one.partition(":")[0] for one in lint().get(what, [])} for what in WRONG}
    assert by == {what: {"parliament", "policy_sentry"} for what in WRONG}

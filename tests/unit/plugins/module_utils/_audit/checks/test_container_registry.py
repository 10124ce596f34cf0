# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether clusters can pull images from Amazon ECR."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    PULL,
    REFUSED,
    REGISTRY_POLICY,
    Json,
    Row,
    assert_verdict,
    checks_of,
    named,
    rows_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ROLE,
    allow,
)

ATTACHED = named(PULL, name=REGISTRY_POLICY)


def with_policies(*policies: object, **more: object) -> Json:
    """The role's own policies."""
    return {"identity": Fact(Identity(policies, **more))}


TABLE: dict[str, dict[str, Row]] = {
    "container_registry_access": {
        "attached": (with_policies(ATTACHED), "pass", REGISTRY_POLICY),
        "by another policy": (
            with_policies(named(allow(Action="ecr:*", Resource="*"))),
            "pass",
            "looks for the managed policy",
        ),
        "of its own registry": (
            with_policies(
                named(
                    allow(Action="ecr:GetAuthorizationToken", Resource="*"),
                    allow(
                        Action=["ecr:Batch*", "ecr:GetDownloadUrlForLayer"],
                        Resource="arn:aws:ecr:us-west-2:123456789012:repository/ray/*",
                    ),
                )
            ),
            "pass",
            ROLE,
        ),
        "none": (with_policies(), "warn", "ecr:GetAuthorizationToken"),
        "but for its boundary": (
            with_policies(ATTACHED, boundary=named(allow(Action="s3:*", Resource="*"))),
            "warn",
            "ecr:BatchGetImage",
        ),
        "its policies are unknown": ({"identity": REFUSED}, "unknown", "refused"),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("container_registry")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on whether clusters can pull images from the registries of Amazon ECR.

This module util is private to the collection. Pure: the facts in, the outcome out.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import partition_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    DENIED,
    Action,
    judge,
)

POLICY = "AmazonEC2ContainerRegistryReadOnly"
PULL_ACTIONS = (
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)


def container_registry_access(facts: Facts) -> Outcome:
    """Whether the role's policies let nodes pull images from Amazon ECR, by whichever policy."""
    role, identity = facts.principal(), facts.identity.get()
    attached = any(named.name.endswith(f":policy/{POLICY}") for named in identity.policies)
    missing = [
        action
        for action in PULL_ACTIONS
        if judge(identity, Action(action, "*", role.context(facts.now, action))).answer == DENIED
    ]
    arn = f"arn:{partition_of(role.arn)}:iam::aws:policy/{POLICY}"
    if missing:
        return warned(
            f"{role.arn} is not allowed {', '.join(missing)}: its clusters cannot pull images from "
            "Amazon ECR, which matters only to those that use images of your own.",
            f"Attach the managed policy {arn} to the role."
            if not attached
            else "Allow these actions in the permissions boundary, or change the Deny.",
            missing_actions=missing,
        )
    if attached:
        return passed(f"{role.arn} can pull images from Amazon ECR, by {arn}.")
    return passed(
        f"{role.arn} can pull images from Amazon ECR. 'anyscale cloud verify --strict' looks for "
        f"the managed policy {POLICY} alone, and rejects the cloud.",
    )

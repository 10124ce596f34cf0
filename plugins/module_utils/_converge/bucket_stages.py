# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which the ways to a bucket are converged, so that a role that moves from one to the
other is never without access.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

EITHER, BUCKET_GRANT, ROLE_GRANT = "either", "bucket_policy", "role_policy"
GRANTS = (EITHER, BUCKET_GRANT, ROLE_GRANT)
BUCKET_STAGE, ROLE_POLICY_STAGE, ATTACHMENT_STAGE = (
    "bucket_policy",
    "role_policy",
    "role_attachment",
)
# How long a change of IAM may take to count everywhere: between what grants and what takes away.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PROPAGATION_SECONDS = 10.0


class Stage(t.NamedTuple):
    """A kind of resource, and what is wanted of it: ``present``, ``absent``, or, of the bucket's
    policy, that the role leaves our statement: ``released``.
    """

    resource: str
    state: str

    @property
    def takes_away(self) -> bool:
        """Whether access that this resource gives ends with it."""
        return self.state != "present"


def stages(grant: str, state: str, has_policy_arn: bool) -> tuple[Stage, ...]:
    """The stages of a way to the bucket, in order: what grants access is before what takes it away.

    has_policy_arn: whether a managed policy is named, which is then ours to attach or detach.
    """
    attachment = (Stage(ATTACHMENT_STAGE, "absent"),) if has_policy_arn else ()
    inline = Stage(ROLE_POLICY_STAGE, "absent")
    if state == "absent":
        return Stage(BUCKET_STAGE, "absent"), inline, *attachment
    if grant == EITHER:
        return (Stage(BUCKET_STAGE, "present"),)
    if grant == BUCKET_GRANT:
        return Stage(BUCKET_STAGE, "present"), inline, *attachment
    released = Stage(BUCKET_STAGE, "released")
    if has_policy_arn:
        return Stage(ATTACHMENT_STAGE, "present"), released, inline
    return Stage(ROLE_POLICY_STAGE, "present"), released

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of an attachment when AWS does not say whether a call took effect."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_attachment import (
    AttachmentReconciler,
    LiveAttachment,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

ROLE = "arn:aws:iam::222222222222:role/ray"
POLICY = "arn:aws:iam::222222222222:policy/data"
DENIED = AwsError("Denied.", code="AccessDenied", status=403)
NO_ANSWER = AwsError("No answer.", code="ReadTimeoutError")


class Attaching(AttachmentReconciler):
    """Attach the policy."""

    def plan(self, live: LiveAttachment) -> Plan:
        return Plan(None, self.document(True), ("missing",))

    def guard(self, live: LiveAttachment, plan: Plan) -> None:
        """Nothing else is needed."""


@pytest.mark.parametrize(
    ("refusals", "written"),
    [
        ([DENIED], []),
        ([NO_ANSWER], ["attachment"]),
        ([NO_ANSWER, DENIED], ["attachment (possibly)"]),
    ],
    ids=["refused", "repeated", "refused after no answer"],
)
def test_a_call_of_unknown_outcome_is_not_forgotten(
    refusals: list[AwsError], written: list[str]
) -> None:
    left, said = list(refusals), list[str]()

    class Iam:
        def attach_policy(self, _role: str, _policy: str) -> None:
            if left:
                raise left.pop(0)

    reconciler = Attaching(t.cast(t.Any, Iam()), parse_role(ROLE), POLICY, None)
    live = LiveAttachment("attachment", ROLE, is_attached=False)
    with contextlib.suppress(AwsError):
        reconciler.save(live, reconciler.plan(live), said)
    assert said == written

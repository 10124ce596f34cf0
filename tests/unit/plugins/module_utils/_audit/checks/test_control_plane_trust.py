# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may assume the role that Anyscale launches clusters with."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CLOUD_ID,
    GONE,
    REFUSED,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    on,
    rows_of,
    trusted_plane,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ASSUME,
    CONTROL,
    ROOT,
    TRUST_CONTROL_PLANE as TRUST,
    TRUST_LAMBDA,
    allow,
    deny,
    without,
)

OPEN = without(TRUST, "Condition")
ANYSCALE = TRUST["Principal"]


def external(value: str) -> Json:
    """Its condition, on another external ID."""
    return {**TRUST, "Condition": {"StringEquals": {"sts:ExternalId": value}}}


TABLE: dict[str, dict[str, Row]] = {
    "control_plane_trust": {
        "the root ARN of its account": (
            trusted_plane(
                {**TRUST, "Principal": {"AWS": ["arn:aws:iam::525325868955:root", ROOT]}}
            ),
            "pass",
            "525325868955",
        ),
        "another account": (
            trusted_plane({**TRUST, "Principal": {"AWS": ROOT}}),
            "fail",
            "does not allow Anyscale's account",
        ),
        "nobody": (trusted_plane(TRUST_LAMBDA), "fail", "cannot launch clusters"),
        "a list of actions, which Anyscale does not read": (
            trusted_plane({**TRUST, "Action": [ASSUME]}),
            "fail",
            "with that string as its Action",
        ),
        "a Principal that Anyscale cannot read": (
            trusted_plane(TRUST, allow(Principal="*", Action=ASSUME)),
            "fail",
            "traceback at Statement 2",
        ),
        "a Deny": (
            trusted_plane(TRUST, deny(Sid="Lock", Principal=ANYSCALE, Action="sts:*")),
            "fail",
            "Sid 'Lock'",
        ),
        "a Deny to who sends no TLS": (
            trusted_plane(
                TRUST,
                deny(
                    Principal={"AWS": "*"},
                    Action=ASSUME,
                    Condition={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ),
            "pass",
            "525325868955",
        ),
        "a Deny to all but another account": (
            trusted_plane(TRUST, deny(Sid="Lock", NotPrincipal={"AWS": ROOT}, Action=ASSUME)),
            "fail",
            "Sid 'Lock'",
        ),
        "a Deny to other addresses": (
            trusted_plane(
                TRUST,
                deny(
                    Principal={"AWS": "*"},
                    Action=ASSUME,
                    Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
                ),
            ),
            "warn",
            "may deny",
        ),
        "another external ID": (trusted_plane(external("org_1")), "fail", CLOUD_ID),
        "no external ID, though one is registered": (
            trusted_plane(OPEN),
            "warn",
            "another customer of Anyscale",
        ),
        "no external ID in one of two": (
            trusted_plane(TRUST, {**OPEN, "Sid": "Old"}),
            "warn",
            "Sid 'Old'",
        ),
        "none registered, and none asked for": (
            {**trusted_plane(OPEN), **on(external_id=None)},
            "pass",
            "525325868955",
        ),
        "none registered, and the cloud's ID asked for": (
            {**trusted_plane(TRUST), **on(external_id=None)},
            "pass",
            "525325868955",
        ),
        "none registered, and another one asked for": (
            {**trusted_plane(external("org_1")), **on(external_id=None)},
            "warn",
            "not known",
        ),
        "an address": (
            trusted_plane({**TRUST, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}),
            "warn",
            "may not be met",
        ),
        "no such role": ({"control_plane_role": GONE}, "fail", "does not exist"),
        "its ARN is unknown": ({"control_plane_arn": REFUSED}, "unknown", "refused"),
        "another control plane": (
            {"anyscale_host": "https://console.anyscale-staging.com"},
            "not_applicable",
            "anyscale-staging",
        ),
        "another partition": (
            {"control_plane_arn": Fact(CONTROL.replace("arn:aws:", "arn:aws-us-gov:"))},
            "not_applicable",
            "aws-us-gov",
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("control_plane_trust")


def test_the_statement_to_add_is_enough() -> None:
    remedy = verdict("control_plane_trust", facts(**trusted_plane(TRUST_LAMBDA)))["remedy"]
    added = facts(**trusted_plane(TRUST_LAMBDA, json.loads(remedy)))
    assert verdict("control_plane_trust", added)["status"] == "pass"

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Anyscale's console may show files of the bucket."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket_cors import (
    wanted_rule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CORS_RULE,
    REFUSED,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    rows_of,
    verdict,
)

STAGING = "https://console.anyscale-staging.com"


def rules(*found: Json, **more: object) -> Json:
    """The bucket's CORS rules."""
    return {"bucket_cors": Fact(list(found)), **more}


TABLE: dict[str, dict[str, Row]] = {
    "bucket_cors": {
        "one of several": (rules({"AllowedMethods": ["PUT"]}, CORS_RULE), "pass", "admit"),
        "none": (rules(), "warn", "No CORS rule"),
        "no exposed headers, as before the file viewer": (
            rules({**CORS_RULE, "ExposeHeaders": []}),
            "warn",
            "all that it needs",
        ),
        "another origin": (
            rules({**CORS_RULE, "AllowedOrigins": ["https://example.com"]}),
            "warn",
            "verify --strict",
        ),
        "of another control plane": (rules(CORS_RULE, anyscale_host=STAGING), "warn", "No CORS"),
        "of that control plane": (
            rules(wanted_rule(STAGING), anyscale_host=STAGING),
            "pass",
            "admit",
        ),
        "split over two rules": (
            rules({**CORS_RULE, "ExposeHeaders": []}, {**CORS_RULE, "AllowedHeaders": []}),
            "warn",
            "No CORS rule",
        ),
        "its rules are unknown": ({"bucket_cors": REFUSED}, "unknown", "refused"),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("bucket_cors")


def test_the_rule_to_add_is_enough() -> None:
    remedy = json.loads(verdict("bucket_cors", facts(**rules()))["remedy"])
    assert verdict("bucket_cors", facts(**rules(*remedy)))["status"] == "pass"

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on the bucket's rules for cross-origin requests, by which Anyscale's console shows files
in the bucket.

This module util is private to the collection. Pure: the facts in, the outcome out.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    passed,
    warned,
)

_CONSOLE = re.compile(r"https://console\.(?P<domain>[A-Za-z0-9.-]+)\Z")
_DEFAULT_ORIGIN = "https://*.anyscale.com"
EXPOSED = ("Accept-Ranges", "Content-Range", "Content-Length")


def bucket_cors(facts: Facts) -> Outcome:
    """Whether browsers may read the bucket for Anyscale's console, in the form that 'anyscale cloud
    verify --strict' accepts.
    """
    bucket, rules = facts.bucket.get(), facts.bucket_cors.get()
    wanted = wanted_rule(facts.anyscale_host)
    if any(_is_accepted(rule, wanted) for rule in rules):
        return passed(f"The CORS rules of bucket {bucket} admit Anyscale's console.")
    return warned(
        f"No CORS rule of bucket {bucket} admits Anyscale's console with all that it needs to show "
        "files, and 'anyscale cloud verify --strict' rejects the cloud. Add the rule in the remedy.",
        _json.dumps([wanted], indent=2),
        cors_rules=rules,
    )


def wanted_rule(host: str) -> dict[str, t.Any]:
    """The rule for the console at a host."""
    console = _CONSOLE.match(host)
    origin = f"https://*.{console['domain']}" if console else _DEFAULT_ORIGIN
    return {
        "AllowedHeaders": ["*"],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "AllowedOrigins": [origin],
        "ExposeHeaders": list(EXPOSED),
    }


def _is_accepted(rule: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> bool:
    """Whether one rule has what Anyscale's verification looks for, literally."""
    return (
        set(wanted["AllowedOrigins"]).issubset(rule.get("AllowedOrigins") or ())
        and "*" in (rule.get("AllowedHeaders") or ())
        and "GET" in (rule.get("AllowedMethods") or ())
        and set(EXPOSED).issubset(rule.get("ExposeHeaders") or ())
    )

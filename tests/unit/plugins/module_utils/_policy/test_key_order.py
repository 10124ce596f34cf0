# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents are shown with their keys in AWS's order."""

from __future__ import annotations

import json

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.key_order import (
    in_aws_order,
)


def test_a_policy_is_written_as_aws_writes_it() -> None:
    """Version first, and what a statement grants before under which Condition; no list changes its
    order.
    """
    statement = {
        "Condition": {"StringEquals": {"b": "1", "a": "2"}},
        "Resource": ["z", "y"],
        "Action": "s3:GetObject",
        "Principal": {"AWS": "*"},
        "Effect": "Deny",
        "Sid": "One",
    }
    ordered = in_aws_order({"Statement": [statement], "Version": "2012-10-17"})
    assert json.dumps(ordered, separators=(",", ":")) == (
        '{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Deny","Principal":{"AWS":"*"},'
        '"Action":"s3:GetObject","Resource":["z","y"],"Condition":{"StringEquals":{"a":"2","b":"1"}}}]}'
    )


def test_other_keys_are_ordered_by_name() -> None:
    """As those of a compute config, and after those of a policy."""
    assert list(in_aws_order({"b": 1, "Sid": "", "a": None})) == ["Sid", "a", "b"]

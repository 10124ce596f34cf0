# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Cloud IAM mapping of a cloud resource: which role a workload runs with."""

from __future__ import annotations

import copy
import re
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError

Json = dict[str, t.Any]

_REQUIREMENT = re.compile(
    r"\s*(workload-type|project|user)\s*(=|==|!=|in|notin)?\s*(\([^()]+\)|[^\s(),]+)\s*"
)


def merged_spec(current: Json, spec: Json) -> Json:
    """The spec after a PUT: the mapping is replaced as a whole, an empty spec changes nothing."""
    if not spec:
        return current
    for key in ("cloud_provider", "compute_stack"):
        if spec.get(key) != current[key]:
            raise ApiError(400, f"{key} must be {current[key]}.")
    mapping = spec.get("dataplane_iam_mapping") or {}
    rules = mapping.get("rules") or []
    merged = {**current, "dataplane_iam_mapping": {}}
    if rules:
        _check(mapping, rules)
        merged["dataplane_iam_mapping"] = {
            "mode": "CUSTOMER_MANAGED",
            "rules": copy.deepcopy(rules),
            "fallback_rule": mapping["fallback_rule"],
        }
    merged.pop("user_tag_annotation_prefix", None)
    if "user_tag_annotation_prefix" in spec:
        merged["user_tag_annotation_prefix"] = spec["user_tag_annotation_prefix"]
    return merged


def _check(mapping: Json, rules: list[Json]) -> None:
    if mapping.get("fallback_rule") not in ("CLOUD_DEFAULT", "FAIL"):
        raise ApiError(400, "fallback_rule must be CLOUD_DEFAULT or FAIL.")
    if "default_rule" in mapping:
        raise ApiError(400, "default_rule cannot be combined with rules.")
    for rule in rules:
        if not rule.get("value"):
            raise ApiError(400, "Each rule needs a value.")
        if not re.fullmatch(
            rf"{_REQUIREMENT.pattern}(,{_REQUIREMENT.pattern})*", rule.get("selector") or ""
        ):
            raise ApiError(400, f"Invalid selector: {rule.get('selector')}")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Cloud IAM mapping of a cloud resource: which role a workload runs with.

Each rule is one that the decision record of Anyscale's Terraform provider reads off the service
(docs/decisions/cloud-iam-mapping in anyscale/terraform-provider-anyscale), unless it says otherwise.
"""

from __future__ import annotations

import copy
import re
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError

Json = dict[str, t.Any]

_KEYS = ("workload-type", "project", "user")
_WORKLOAD_TYPES = ("job", "service", "workspace")
_FALLBACK_RULES = ("CLOUD_DEFAULT", "FAIL")
# Kubernetes: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)\s*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")
_EMAIL = re.compile(r"[^@]+@[^@]+\Z")


def merged_spec(current: Json, spec: Json) -> Json:
    """The spec after a PUT: the mapping is replaced as a whole. An empty spec changes nothing;
    unknown keys are tolerated and not kept, and so are ``mode`` and a fallback rule without rules.
    """
    if not spec:
        return current
    for key in ("cloud_provider", "compute_stack"):
        # Required and validated, then thrown away. That they must be the resource's is a guess.
        if spec.get(key) != current[key]:
            raise ApiError(400, f"{key} must be {current[key]}.")
    mapping = spec.get("dataplane_iam_mapping") or {}
    rules = mapping.get("rules") or []
    merged = {**current, "dataplane_iam_mapping": {}}
    if rules:
        _check(mapping, rules)
        # The text of a selector and the order of the rules are kept.
        merged["dataplane_iam_mapping"] = {
            "mode": "CUSTOMER_MANAGED",
            "rules": [{key: rule[key] for key in ("selector", "value")} for rule in rules],
            "fallback_rule": mapping["fallback_rule"],
        }
    # Assigned from each request: one that omits it wipes it.
    merged.pop("user_tag_annotation_prefix", None)
    if spec.get("user_tag_annotation_prefix"):
        merged["user_tag_annotation_prefix"] = spec["user_tag_annotation_prefix"]
    return copy.deepcopy(merged)


def _check(mapping: Json, rules: t.Any) -> None:
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ApiError(400, "rules must be a list of objects.")
    if mapping.get("fallback_rule") not in _FALLBACK_RULES:
        raise ApiError(400, "fallback_rule must be CLOUD_DEFAULT or FAIL.")
    if "default_rule" in mapping:
        raise ApiError(400, "default_rule cannot be combined with rules.")
    for rule in rules:
        if not rule.get("value"):
            raise ApiError(400, "Each rule needs a value.")
        if not _is_selector(str(rule.get("selector") or "")):
            raise ApiError(400, f"Invalid selector: {rule.get('selector')}")


def _is_selector(text: str) -> bool:
    """Whether Kubernetes parses a selector, with one of the keys in each part."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        return False
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return all(_is_requirement(part) for part in parts)


def _is_requirement(tokens: list[str]) -> bool:
    match tokens:
        case [key] | ["!", key]:
            return key in _KEYS
        case [key, "=" | "==" | "!=", value]:
            return key in _KEYS and _is_value(key, value)
        case [key, "<" | ">", value]:
            return key in _KEYS[1:] and value.lstrip("-").isdigit()
        case [key, "in" | "notin", "(", *values, ")"]:
            words, commas = values[::2], values[1::2]
            is_list = bool(words) and set(commas) <= {","} and len(commas) == len(words) - 1
            return key in _KEYS and is_list and all(_is_value(key, word) for word in words)
    return False


def _is_value(key: str, value: str) -> bool:
    """Emails are hashed before they are parsed."""
    if key == "workload-type":
        return value in _WORKLOAD_TYPES
    return bool(_LABEL_VALUE.match(value) or _EMAIL.match(value))

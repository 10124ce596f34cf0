# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a role out of the lists in a Condition by which an Allow statement names it.

This module util is private to the collection. Pure. A statement for every principal can be one for a
single role by its Condition. Only lists that a request must match are shortened, so that what is
left allows no principal more than before, and none but the role less.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    as_list,
)

_MATCHING = ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike")


def without_role(raw: RawStatement, role: Role) -> RawStatement | None:
    """The statement without the values that name the role alone. Where no value is left of a list,
    the statement would apply to all without it: it is ``None`` if it was for the role alone, and
    keeps the list if it was also for requests without the key, such as those of AWS services.
    """
    condition: dict[str, dict[str, t.Any]] = {}
    for operator, keys in (raw.get("Condition") or {}).items():
        condition[operator] = {}
        for key, values in keys.items():
            named = as_list(values)
            kept = [value for value in named if not _names(operator, key, str(value), role)]
            if named and not kept and not _may_lack_key(operator):
                return None
            condition[operator][key] = kept if 0 < len(kept) < len(named) else values
    return {**raw, "Condition": condition} if condition != (raw.get("Condition") or {}) else raw


def _may_lack_key(operator: str) -> bool:
    """Whether a request without the key may meet a condition with an operator that is not negated."""
    quantifier, _colon, name = operator.lower().rpartition(":")
    return quantifier == "forallvalues" or name.endswith("ifexists")


def _names(operator: str, key: str, value: str, role: Role) -> bool:
    """Whether a value of a condition stands for the role and for nothing else."""
    name = operator.lower().rpartition(":")[2].removesuffix("ifexists")
    if name not in _MATCHING:
        return False
    if key.lower() == "aws:principalarn":
        return role.has_arn(value)
    # The id of the role, a colon, and the name of the session.
    is_session = value == role.unique_id or value.startswith(f"{role.unique_id}:")
    return key.lower() == "aws:userid" and bool(role.unique_id) and is_session

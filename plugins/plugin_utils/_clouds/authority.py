# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator permits of a cloud, by the variables of its host.

This plugin util is private to the collection. Pure. The inventory plugin sets no variable of the role
for a cloud that ``allow`` does not cover: all that such a host has are the operator's own words, in
host_vars, group_vars or ``-e``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError

VARIABLE = "anyscale_authority"

_ACCOUNT = "cloud_iam_account_id"
# What is sent to the account.
_ASSUMED = ("cloud_iam_assume_role_arn", "cloud_iam_assume_role_external_id")

Variables = dict[str, t.Any]


def permitted(values: Variables) -> Variables:
    """The variables to converge a cloud with. Raises for a cloud that is not covered, unless the
    operator has set everything that is not: then the rest is what the plugin found to be covered.
    """
    verdict = _refusal(values.get(VARIABLE))
    if verdict is None:
        return values
    uncovered = verdict.get("uncovered") or []
    missing = [name for name in uncovered if values.get(name) is None]
    if missing or not uncovered:
        raise RefusedError(
            f"The fleet file does not permit this: {verdict.get('reason')}.",
            _remedy([name for name in missing if name.startswith("cloud_iam_")], verdict),
            lines_to_add=verdict.get("lines") or None,
        )
    inputs = verdict.get("inputs") or {}
    return {
        **{name: value for name, value in inputs.items() if name not in uncovered},
        **values,
    }


def _remedy(variables: t.Sequence[str], verdict: Variables) -> str:
    """What to do beside what the reason says."""
    ways = []
    if verdict.get("lines"):
        ways.append("add the lines of the host variable anyscale_authority to the fleet file")
    if variables:
        ways.append(f"set {', '.join(variables)} for this host")
    told = ", or ".join(ways)
    return f"{told[0].upper()}{told[1:]}." if told else ""


def readable(values: Variables) -> Variables:
    """The variables to audit a cloud with, which writes nothing. Raises for one that is not covered
    and that could be read only with a role in an account that is not permitted.
    """
    verdict = _refusal(values.get(VARIABLE))
    if verdict is None:
        return values
    inputs = verdict.get("inputs")
    found = {**(inputs or {}), **values}
    uncovered = verdict.get("uncovered") or []
    is_elsewhere = _ACCOUNT in uncovered and values.get(_ACCOUNT) is None
    if not inputs or (is_elsewhere and any(found.get(name) for name in _ASSUMED)):
        raise RefusedError(f"It was not read, since it is not permitted: {verdict.get('reason')}.")
    return found


def is_vouched_for(verdict: t.Any) -> bool:
    """Whether the operator permits a cloud and names it by its ID, which no other cloud can have."""
    return (
        isinstance(verdict, dict)
        and verdict.get("covered") is True
        and verdict.get("listed_by_id") is True
    )


def is_uncovered(verdict: t.Any) -> bool:
    """Whether the fleet file does not cover the cloud of a verdict."""
    return _refusal(verdict) is not None


def _refusal(verdict: t.Any) -> Variables | None:
    """The verdict on a cloud that is not covered."""
    return verdict if isinstance(verdict, dict) and verdict.get("covered") is not True else None

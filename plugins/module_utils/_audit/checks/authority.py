# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on who says what may be written for a cloud: the operator, or only the Anyscale API.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    not_applicable,
    passed,
    warned,
)


def authority(facts: Facts) -> Outcome:
    """Whether the operator permits what the cloud is registered with."""
    return judge_authority(facts.authority)


def judge_authority(verdict: t.Mapping[str, t.Any] | None) -> Outcome:
    """The outcome for the verdict of the inventory plugin, the host variable
    ``anyscale_authority``. A cloud that claims what another one has, and one that the operator asks
    for in vain, are problems; one that nobody asks for may be as it is meant to be.
    """
    if verdict is None:
        raise not_applicable("The inventory is not read from the Anyscale API.")
    if verdict.get("covered") is True:
        return passed("The fleet file permits the cloud's account, role and bucket.")
    outcome = failed if verdict.get("listed") or verdict.get("contested") else warned
    return outcome(
        f"Nothing is written for this cloud: {verdict.get('reason')}.",
        str(verdict.get("lines") or "")
        or "Correct the registration of the cloud, or what the fleet file says of it.",
    )

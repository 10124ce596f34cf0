# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reader of a message sets, in words of the reader's own: options of ansible-playbook, or in a
job of AWX, whose operator has no command line, the answers of a survey.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    reads_in_awx,
)

JOB_OF_AWX = "awx_job_id"  # an extra variable of each job
# By variable, the questions of the surveys that the role awx_setup makes.
QUESTIONS = {
    "audit_fail_on": "Fail for",
    "audit_label": "Label",
    "fleet_accounts": "AWS accounts",
    "fleet_clouds": "Clouds",
    "fleet_mode": "Mode",
    "fleet_regions": "Regions",
    "offboard_confirm": "Number of clouds",
    "offboard_default_role": "Default roles",
    "offboard_running": "Running clusters",
    "offboard_shared_role": "Shared roles",
    "onboard_canary_percent": "Canary",
    "onboard_max_fail_percentage": "Failure budget",
    "onboard_only": "Part",
    "rollback_force": "Force",
    "rollback_run": "Run",
    "verify_expected_role": "Role",
}


def answer(variable: str, value: t.Any) -> str:
    """The answer of a survey that sets a variable; of one that no survey asks for, the value."""
    return f"{value} for {QUESTIONS[variable]}" if variable in QUESTIONS else str(value)


def check_mode() -> str:
    """What has a run change nothing."""
    return answer("fleet_mode", "check") if reads_in_awx() else "--check"

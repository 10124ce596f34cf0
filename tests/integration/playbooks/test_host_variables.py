# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet engine reads the variables of a host as a task of the host would, those that name other
hosts included.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    run_playbook,
)

FLEET = tuple(
    Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="foreign_principal")
    for name in ("first", "second")
)


def test_a_variable_may_be_that_of_another_host(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """By hostvars and by groups."""
    running_sandbox.seed(FLEET)
    bucket = "{{ hostvars[groups.anyscale_clouds | first].of_all }}"
    inventory = inventory_file(
        tmp_path, running_sandbox, FLEET, cloud_iam_bucket=bucket, of_all=FLEET[0].bucket_name
    )
    run = run_playbook(running_sandbox, "onboard", inventory)
    assert run.exit_status == 0, run.output
    [write] = [one for one in run.writes if one["operation"] == "PutBucketPolicy"]
    assert FLEET[0].bucket_name in str(write)

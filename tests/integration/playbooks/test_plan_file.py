# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook onboard with a plan file: plan, review, apply."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.fleets import fresh, in_sync, inventory_of
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook

Json = dict[str, t.Any]
PLAN = ("-e", "onboard_plan_file=plan.json")
ADDED: Json = {
    "Sid": "New",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "sts:AssumeRole",
}


def _onboard(sandbox: Sandbox, inventory: Path, *arguments: str) -> Run:
    return run_playbook(sandbox, "onboard", inventory, *PLAN, *arguments)


def test_plan_review_and_apply(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Between plan and apply someone edits a document of one cloud: that cloud alone is refused."""
    new = in_sync(
        "new",
        trust="lambda_only",
        bucket_policy="none",
        profile="missing",
        compute_config="missing",
    )
    edited = in_sync("edited", trust="lambda_only")
    clouds = [new, edited, in_sync("done")]
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds)
    planned = _onboard(running_sandbox, inventory, "--check")
    assert (planned.exit_status, planned.writes) == (0, [])
    told = planned.output.partition("2 would change")[2]
    assert f"Review {tmp_path / 'plan.md'}, then run the same command without --check (or" in told
    summary = (tmp_path / "plan.md").read_text()
    assert all(text in summary for text in ("## `new`", "ec2.amazonaws.com", "s3:GetObject"))
    assert "`done`" not in summary
    assert "GetObject" not in (tmp_path / "plan.json").read_text()

    document = trust_of(running_sandbox, edited.role_name)
    changed = {**document, "Statement": [*document["Statement"], ADDED]}
    put_trust(running_sandbox, changed, edited.role_name)
    applied = _onboard(running_sandbox, inventory)
    assert (applied.exit_status, applied.failed()) == (2, {"edited"})
    assert applied.changed("new")
    assert "make a new plan" in applied.output
    assert {
        call["resource"] for call in applied.writes if call["operation"].startswith("Update")
    } == {new.role_name}
    assert trust_of(running_sandbox, edited.role_name) == changed

    plan = tmp_path / "plan.json"
    plan.write_text(plan.read_text().replace('"in_sync"', '"would_change"'))
    refused = _onboard(running_sandbox, inventory)
    assert refused.exit_status == 2
    assert refused.operations == {}
    assert "onboard_plan_file was edited" in refused.output


UNBOUND = {
    "an empty variable of a pipeline": (("-e", "onboard_plan_file="), "is empty"),
    "tasks of the role": ((*PLAN, "-e", "fleet_engine=false"), "Only the engine compares"),
}


@pytest.mark.parametrize("name", UNBOUND)
def test_no_run_with_a_plan_file_is_bound_to_nothing(
    name: str, running_sandbox: Sandbox, tmp_path: Path
) -> None:
    arguments, message = UNBOUND[name]
    clouds = [in_sync("one", trust="lambda_only")]
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds)
    run = run_playbook(running_sandbox, "onboard", inventory, *arguments)
    assert (run.exit_status, run.operations) == (2, {})
    assert message in run.output

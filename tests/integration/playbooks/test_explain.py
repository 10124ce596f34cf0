# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook explain, as ansible-playbook runs it: what it says of a cloud is so, what it tells to
run fixes it, and it writes nothing.
"""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.fleets import (
    fresh,
    in_sync,
    inventory_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook

Json = dict[str, t.Any]
BROKEN, SOUND, BY_ROLE, UNREAD = "broken", "sound", "by-role", "unread"
CLOUDS = (
    in_sync(BROKEN, trust="lambda_only", bucket_policy="none"),
    in_sync(SOUND),
    in_sync(BY_ROLE, trust="lambda_only"),
    in_sync(UNREAD),
)
OWN: Json = {
    BY_ROLE: {"anyscale_in_worker": False},
    UNREAD: {"cloud_iam_account_id": "999999999999"},
}


@pytest.fixture
def inventory(running_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Clouds of which one is broken, one is sound, one is left to the role, and one cannot be read."""
    fresh(running_sandbox, CLOUDS)
    return inventory_of(tmp_path, running_sandbox, CLOUDS, OWN)


def explained(run: Run) -> dict[str, Json]:
    """The explanations of a run, by the names of the clouds."""
    [result] = run.named("Explain the clouds")
    return {one["name"]: one for one in result["explanations"]}


@pytest.mark.core
def test_each_cloud_is_explained(running_sandbox: Sandbox, inventory: Path) -> None:
    """In the order of the inventory; the run fails for the one of which nothing was read."""
    before = set(inventory.parent.iterdir())
    run = run_playbook(running_sandbox, "explain", inventory)
    found = explained(run)
    assert {name: one["answer"] for name, one in found.items()} == {
        BROKEN: "no",
        SOUND: "yes",
        BY_ROLE: "no",
        UNREAD: "unknown",
    }
    assert (run.exit_status, run.failed()) == (2, {UNREAD}), run.output
    assert "999999999999" in found[UNREAD]["error"]
    assert found[SOUND]["steps"] == []
    headings = [run.output.index(f"\n{name}\n{'=' * len(name)}\n") for name in found]
    assert headings == sorted(headings)
    assert run.writes == []
    written = {path.name for path in set(inventory.parent.iterdir()) - before}
    assert written <= {"ansible", ".ansible", "results.jsonl"}


def test_the_command_that_it_tells_fixes_the_cloud(
    running_sandbox: Sandbox, inventory: Path
) -> None:
    """Run as it is printed, in the same folder: with the variables of the run."""
    given = ("-e", "cloud_iam_backup=true")
    run = run_playbook(running_sandbox, "explain", inventory, "--limit", BROKEN, *given)
    assert run.exit_status == 0, run.output
    [command] = [
        line for line in run.output.splitlines() if line.startswith("     ansible-playbook")
    ]
    program, *arguments = shlex.split(command)
    assert program == "ansible-playbook"
    assert arguments[:4] == ["-i", inventory.name, *given]
    playbook, *more = arguments[4:]
    fixed = run_playbook(
        running_sandbox, playbook.rpartition(".")[2], inventory, *arguments[2:4], *more
    )
    assert fixed.exit_status == 0, fixed.output
    again = run_playbook(running_sandbox, "explain", inventory, "-e", f"explain_hosts={BROKEN}")
    assert again.exit_status == 0, again.output
    assert explained(again)[BROKEN]["answer"] == "yes"
    assert "There is nothing to do." in again.output


def test_what_could_not_be_read_is_told_and_fails_nothing(
    running_sandbox: Sandbox, inventory: Path
) -> None:
    running_sandbox.fault("GetBucketPolicy", code="AccessDenied", status=403)
    run = run_playbook(running_sandbox, "explain", inventory, "--limit", SOUND)
    assert run.exit_status == 0, run.output
    one = explained(run)[SOUND]
    assert one["answer"] == "unknown"
    assert "s3:GetBucketPolicy" in run.output


def test_a_large_fleet_needs_a_selection(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody reads that much, and nothing is read."""
    clouds = [in_sync(f"cloud-{number}") for number in range(6)]
    inventory = inventory_of(tmp_path, running_sandbox, clouds)
    run = run_playbook(running_sandbox, "explain", inventory)
    assert run.exit_status == 2
    assert "--limit" in run.output
    assert run.operations == {}

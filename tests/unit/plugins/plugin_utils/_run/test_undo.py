# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run can be copied, and is for the interface of its reader."""

from __future__ import annotations

import shlex
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import undo_command

pytestmark = pytest.mark.core

UNDO = ["rayfleet.anyscale.rollback", "-e", "rollback_run=4711"]
COMMANDS: dict[str, tuple[Invocation, dict[str, t.Any], list[str]]] = {
    "the configured inventory": (Invocation(), {}, UNDO),
    "two inventories": (
        Invocation(("a.yml", "b c.yml")),
        {},
        ["-i", "a.yml", "-i", "b c.yml", *UNDO],
    ),
    "an inventory of names": (Invocation(("a,b",)), {}, ["-i", "a,b", *UNDO]),
    "a directory of its own": (
        Invocation(),
        {"backup_dir": "/srv/$HOME backups"},
        [*UNDO, "-e", "cloud_iam_backup_dir=/srv/$HOME backups"],
    ),
    "of an offboarding": (Invocation(), {"forced": True}, [*UNDO, "-e", "rollback_force=true"]),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_shell_reads_the_command_as_it_is_meant(case: str) -> None:
    invocation, options, words = COMMANDS[case]
    assert shlex.split(undo_command("4711", invocation, **options)) == ["ansible-playbook", *words]


@pytest.mark.parametrize("forced", [False, True])
def test_a_job_of_awx_names_the_template_and_no_command(forced: bool) -> None:
    invocation = Invocation(("/x",), in_awx=True, rollback_template="Anyscale rollback")
    text = undo_command("4711", invocation, backup_dir="/x", forced=forced)
    assert "ansible-playbook" not in text
    assert "job template Anyscale rollback with 4711" in text
    assert ("Force" in text) == forced

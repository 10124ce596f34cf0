# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run can be copied, and is for the interface of its reader."""

from __future__ import annotations

import shlex
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_audit,
    how_to_choose_a_run,
    how_to_find_a_run,
    how_to_list_runs,
    how_to_onboard,
    undo_command,
)

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
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_shell_reads_the_command_as_it_is_meant(case: str) -> None:
    invocation, options, words = COMMANDS[case]
    assert shlex.split(undo_command("4711", invocation, **options)) == ["ansible-playbook", *words]


def test_a_job_of_awx_names_the_template_and_no_command() -> None:
    invocation = Invocation(("/x",), in_awx=True, template_prefix="Anyscale")
    text = undo_command("4711", invocation, backup_dir="/x")
    assert "ansible-playbook" not in text
    assert "job template Anyscale rollback with 4711" in text


ON_A_COMMAND_LINE = Invocation()
IN_AWX = Invocation(in_awx=True, template_prefix="Anyscale")
# What is said on a command line, and in AWX, where an operator sees job templates and questions.
SAID: dict[str, tuple[t.Callable[[Invocation], str], str, str]] = {
    "which run to choose": (
        how_to_choose_a_run,
        "Set rollback_run to one of these runs",
        "Launch the job template Anyscale rollback with one of these runs for Run",
    ),
    "a run that is not there": (
        how_to_find_a_run,
        "Check rollback_run, rollback_paths and cloud_iam_backup_dir (options run_ids, paths and "
        "backup_dir). Without rollback_run and rollback_paths, the playbook lists the runs.",
        "Check the answer for Run, the IDs of jobs. Without an answer, the job template Anyscale "
        "rollback lists the runs.",
    ),
    "a run that published nothing": (
        how_to_list_runs,
        "run ansible-playbook rayfleet.anyscale.rollback, which lists the last runs",
        "launch the job template Anyscale rollback without an answer for Run, which lists the last runs",
    ),
    "how to onboard some clouds": (
        lambda invocation: how_to_onboard(["speech", "vision"], invocation),
        "ansible-playbook rayfleet.anyscale.onboard -e fleet_clouds=speech,vision",
        "launch the job template Anyscale onboard with apply for Mode and speech,vision for Clouds",
    ),
    "how to onboard a cloud with a blank in its name": (
        lambda invocation: how_to_onboard(["my lab"], invocation),
        """ansible-playbook rayfleet.anyscale.onboard -e '{"fleet_clouds": "my lab"}'""",
        "launch the job template Anyscale onboard with apply for Mode and my lab for Clouds",
    ),
    "how to onboard many clouds": (
        lambda invocation: how_to_onboard([f"cloud-{n}" for n in range(11)], invocation),
        "ansible-playbook rayfleet.anyscale.onboard",
        "launch the job template Anyscale onboard with apply for Mode",
    ),
    "how to audit a cloud": (
        lambda invocation: how_to_audit(["speech"], invocation),
        "ansible-playbook rayfleet.anyscale.audit -e fleet_clouds=speech",
        "launch the job template Anyscale audit with speech for Clouds",
    ),
    "how to audit all clouds": (
        lambda invocation: how_to_audit([], invocation),
        "ansible-playbook rayfleet.anyscale.audit",
        "launch the job template Anyscale audit",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_to_do_is_said_in_the_words_of_the_reader(case: str) -> None:
    say, on_a_command_line, in_awx = SAID[case]
    assert say(ON_A_COMMAND_LINE) == on_a_command_line
    assert say(IN_AWX) == in_awx

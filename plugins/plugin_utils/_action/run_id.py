# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ID and the name of this run of Ansible, which its backups have.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX

# AWX sets it for each job, and lets no credential replace it.
_JOB_IN_ENVIRONMENT = "JOB_ID"
_LONGEST_NAME = 80


def run_id(variables: t.Mapping[str, t.Any]) -> str:
    """That of AWX's job, else from the name of Ansible's temporary directory of the run: lower-case
    letters and digits, which a double click selects. The name may have underscores too, but seldom, so
    that a digit in their place is still unique.
    """
    if job_id := variables.get(JOB_OF_AWX):
        refuse_other_job(variables)
        return str(job_id)
    return os.path.basename(C.DEFAULT_LOCAL_TMP).removeprefix("ansible-local-").replace("_", "0")


def refuse_other_job(variables: t.Mapping[str, t.Any]) -> None:
    """Raise if the variables have the number of another job than the environment: its backups would be
    taken for those of that job, and a rollback of that job would restore them.
    """
    given, of_environment = variables.get(JOB_OF_AWX), os.environ.get(_JOB_IN_ENVIRONMENT)
    if given and of_environment and str(given) != of_environment:
        raise AnsibleError(
            f"{JOB_OF_AWX} is {given}, but this is the job {of_environment} of AWX, as {_JOB_IN_ENVIRONMENT} "
            f"in its environment says. Take {JOB_OF_AWX} out of the variables: AWX sets it."
        )


def with_run(
    arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """The arguments of a task that writes backups, with what they do not set: the ID of this run, so that
    its tasks are one run in the list of runs, and the name of the play.
    """
    name = str(variables.get("ansible_play_name") or "").strip()[:_LONGEST_NAME]
    of_run = {
        "run_id": run_id(variables),
        **({"run_name": name} if name.isprintable() and name else {}),
    }
    unset = [key for key in ("run_id", "run_name") if arguments.get(key) is None]
    given = {key: value for key, value in arguments.items() if key not in unset}
    return {**given, **{key: of_run[key] for key in unset if key in of_run}}

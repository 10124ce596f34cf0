# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin run_id."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_id
short_description: An id of this run of Ansible
version_added: 0.2.0
author: Rayfleet contributors (@rayfleet)
description:
  - A short text that is the same for all plays, hosts and tasks of one run of C(ansible-playbook),
    and another one for any other run.
  - In AWX and in Ansible Automation Platform it is the job's id, from the variable C(awx_job_id)
    that they set.
options:
  _terms:
    description: Takes none.
notes:
  - Outside of AWX it is what Ansible called its temporary folder for the run.
seealso:
  - module: rayfleet.anyscale.backup_restore
"""

EXAMPLES = r"""
- name: Keep what is replaced, all under one id
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    backup: true
    run_id: "{{ lookup('rayfleet.anyscale.run_id') }}"
"""

RETURN = r"""
_raw:
  description: The id, alone in a list.
  type: list
  elements: str
  sample: [21333zt9ae9x8]
"""

import os
import typing as t

from ansible import constants as C
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The same in every worker: they inherit the name of the temporary folder from the process that
    forks them.
    """

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[str]:
        """The id."""
        job_id = (variables or {}).get("awx_job_id")
        return [str(job_id or os.path.basename(C.DEFAULT_LOCAL_TMP).removeprefix("ansible-local-"))]

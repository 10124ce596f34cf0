# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin run_id."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_id
short_description: The ID of this run of Ansible
version_added: 0.2.0
author: Rayfleet contributors (@rayfleet)
description:
  - Returns a short string that is the same for all plays, hosts and tasks of one run of
    C(ansible-playbook), and different for every other run.
  - In AWX and Ansible Automation Platform it is the ID of the job, from the variable C(awx_job_id)
    that they set. It is an error if that is not the job of C(JOB_ID), which they set in the environment
    of a job.
options:
  _terms:
    description: None. The lookup takes no terms.
notes:
  - Outside of AWX it comes from the name of Ansible's temporary directory of the run, and has
    lower-case letters and digits only.
seealso:
  - module: rayfleet.anyscale.backup_restore
"""

EXAMPLES = r"""
- name: Back up what is replaced, with one ID for the whole run
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    backup: true
    run_id: "{{ lookup('rayfleet.anyscale.run_id') }}"
"""

RETURN = r"""
_raw:
  description: A list with the ID as its only item.
  type: list
  elements: str
  sample: [21333zt9ae9x8]
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import run_id


class LookupModule(LookupBase):
    """Returns the same ID in every worker, because a worker inherits the name of the temporary
    directory from the process that forks it.
    """

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[str]:
        """Return the ID."""
        return [run_id(variables or {})]

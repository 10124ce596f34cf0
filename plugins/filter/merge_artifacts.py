# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin merge_artifacts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_artifacts
short_description: Add up the artifacts of the jobs of an AWX workflow
version_added: 0.4.0
author: Rayfleet contributors (@rayfleet)
description:
  - Adds up the artifacts that the playbooks C(audit) and C(onboard) publish, step by step.
  - AWX passes the artifacts of earlier jobs to a job as variables. If two artifacts have the same
    name, only one of them is passed. The playbooks therefore include the ID of the job in the name,
    which is different for each slice of a job.
positional: _input
options:
  _input:
    description:
      - A dictionary of artifacts by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the sums of all earlier jobs of the workflow
  ansible.builtin.debug:
    msg: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) |
      rayfleet.anyscale.merge_artifacts }}"
  vars:
    names: "{{ query('ansible.builtin.varnames', '^anyscale_(audit|onboard)_[0-9]+$') }}"
"""

RETURN = r"""
_value:
  description: For each step the number of its jobs, the sums of their counts, and the clouds that
    failed in any of them.
  type: dict
  sample:
    onboard:
      jobs: 4
      counts: {"selected": 500, "changed": 12, "in_sync": 487, "failed": 1, "not_reached": 0, "deferred": 0}
      failed_clouds: [vision-lab]
"""

import json
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.awx_artifacts import (
    merge_artifacts,
)


def _merged(artifacts: t.Any) -> dict[str, t.Any]:
    # Convert to plain types: Ansible's carry tags.
    try:
        return merge_artifacts(json.loads(json.dumps(artifacts)))
    except InputError as error:
        raise AnsibleFilterError(error.failure()["msg"]) from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"merge_artifacts": _merged}

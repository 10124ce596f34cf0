#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_outcome_info
short_description: Return the outcome of a cloud in a run of the fleet engine
version_added: 0.7.0
description:
  - Returns what M(rayfleet.anyscale.fleet_converge) did for the host, or what its own tasks did,
    and fails if that failed, so that the recap and the exit status of the run are those of its
    clouds.
  - In a job of AWX, where all of a run's output is in one place, the message of a failure is the first
    sentence of the reason, at most 120 characters, and says where the rest was displayed when the
    cloud failed.
  - After M(rayfleet.anyscale.audit_report) it fails for each cloud that the audit fails for, with
    the reason. The state of another cloud is then that in the report.
options:
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing. C(changed) is that of the run, or its prediction.
  diff_mode:
    support: full
    description: Returns the differences that the run made or predicted.
  idempotent:
    support: full
    description: Changes nothing.
seealso:
  - module: rayfleet.anyscale.fleet_converge
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Report the outcome of the cloud
  rayfleet.anyscale.fleet_outcome_info:
    run: "{{ lookup('rayfleet.anyscale.fleet_run').run }}"
  register: outcome

- name: Show the version of the compute config that clusters are to use
  ansible.builtin.debug:
    var: outcome.compute_config
"""

RETURN = r"""
state:
  description: V(changed), V(would_change), V(in_sync), V(failed), V(not_reached) if the rollout
    ended before, or V(deferred) if the cloud was left to another run.
  returned: always
  type: str
  sample: changed
reasons:
  description: Why changes were needed, the reason codes of all steps.
  returned: always
  type: list
  elements: str
  sample: [ec2_trust_missing]
resources:
  description: The names of what was written, or would be.
  returned: if changes were needed
  type: list
  elements: str
  sample: ["trust policy of arn:aws:iam::222222222222:role/vision-prod-ray"]
backup_files:
  description: The files with the documents that were replaced, those for other clouds that share a
    document included.
  returned: if changes were needed
  type: list
  elements: str
writes:
  description: The AWS operations that wrote, with the request IDs by which they are found in
    CloudTrail.
  returned: if changes were needed
  type: list
  elements: dict
  sample: [{"operation": "iam:UpdateAssumeRolePolicy", "request_id": "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"}]
principal:
  description: The ARN of the caller of these operations.
  returned: if something was written to AWS
  type: str
  sample: arn:aws:sts::222222222222:assumed-role/anyscale-onboarding/rayfleet-anyscale
overwritten:
  description: Whether another writer overwrote a policy after it was written, so that it was
    restored.
  returned: if changes were needed
  type: bool
role_arn:
  description: The ARN of the role.
  returned: if changes were needed, and the trust policy or the instance profile was read
  type: str
  sample: arn:aws:iam::222222222222:role/vision-prod-ray
instance_profile_arn:
  description: The ARN of the instance profile.
  returned: if changes were needed, and it is managed
  type: str
  sample: arn:aws:iam::222222222222:instance-profile/vision-prod-ray
compute_config:
  description: The version of the compute config that clusters are to use, as V(name:version).
  returned: if changes were needed, and it is managed
  type: str
  sample: vision-prod-ray:4
error:
  description: Details of the failure, as the modules return them.
  returned: failure, if there is more than a message
  type: dict
"""

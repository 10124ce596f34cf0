#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: event_clouds_info
short_description: Find the clouds that events of AWS touch
version_added: 1.0.0
description:
  - Finds the clouds of the play whose role, instance profile, bucket or managed policy was changed
    by calls that AWS CloudTrail has recorded.
  - The records may be alone, in a list, or in a message of Amazon EventBridge, SNS or SQS, as the
    event sources of C(amazon.aws) and C(ansible-rulebook) pass them on.
  - These calls count. C(UpdateAssumeRolePolicy), C(DeleteRole), C(CreateRole),
    C(AddRoleToInstanceProfile), C(RemoveRoleFromInstanceProfile), C(DeleteInstanceProfile),
    C(PutRolePolicy), C(DeleteRolePolicy), C(AttachRolePolicy), C(DetachRolePolicy),
    C(PutRolePermissionsBoundary), C(DeleteRolePermissionsBoundary), C(CreatePolicyVersion),
    C(SetDefaultPolicyVersion), C(DeletePolicyVersion), C(PutBucketPolicy), C(DeleteBucketPolicy),
    C(DeleteBucket), C(CreateBucket), C(PutBucketEncryption) and C(DeleteBucketEncryption). Calls that
    failed, that only read, and all others are left out.
  - The role of a cloud whose variables name none is asked of Anyscale, if something of IAM has changed
    in the account of the cloud. The inventory plugin has read it before.
  - A resource is that of a cloud by its name and the account of the cloud. Clouds that the fleet file
    does not cover, clouds with invalid variables, and clouds with the variable C(heal_excluded=true)
    are never found.
  - Displays what was changed and by whom, with a warning about what C(onboard) does not manage.
  - A message that is anything else is counted in RV(dropped), and is no error. Whoever can send a
    message can write anything into it, so what an event says is only when to look at which cloud.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  playbook:
    description:
      - The playbook of this collection that the task is the first one of. Its variables are validated before
        anything else, as by M(rayfleet.anyscale.playbook_variables_info).
    type: str
    version_added: 1.0.0
  messages:
    description:
      - The messages. By default those of the variable C(ansible_eda), in which ansible-rulebook
        passes on what a rule has matched. They are read as they came.
      - Do not set this to a variable with messages that others sent. Ansible would evaluate templates
        that are in it.
    type: raw
  own_principals:
    description:
      - The ARNs of the roles or users that runs of this collection act as.
      - A change is a run's own, and touches no cloud, if the ID of its request is in the signed record
        that the playbooks keep in the directory for backups, for the caller that the event names, and
        if that caller is one of these. The name of a session and the user agent tell nothing.
      - By default these are the roles in C(cloud_iam_assume_role_arn) of the clouds that a change
        touches. For clouds without it, the record alone tells.
    type: list
    elements: str
    default: []
  look_up_policies:
    description:
      - Whether IAM is asked which roles have a managed policy of which a version was made, chosen or
        deleted, with C(iam:ListEntitiesForPolicy). Otherwise such a change touches only clouds with
        this policy in C(cloud_iam_bucket_policy_arn).
      - Of more than 50 policies at once, 50 are looked up, with a warning.
    type: bool
    default: true
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_healing
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Find the clouds that changed, in a playbook that ansible-rulebook runs
  rayfleet.anyscale.event_clouds_info:
  run_once: true
  register: event_clouds
"""

RETURN = r"""
clouds:
  description: The clouds that changes touch, in the order of the play.
  returned: success
  type: list
  elements: dict
  sample:
    - name: vision-prod
      documents: [role vision-prod-ray in 222222222222]
      calls: [UpdateAssumeRolePolicy]
      principals: ["arn:aws:iam::222222222222:role/Admin"]
      managed: true
  contains:
    name:
      description: The name of the host.
      type: str
    documents:
      description: What was changed.
      type: list
      elements: str
    calls:
      description: The calls that changed it.
      type: list
      elements: str
    principals:
      description: The ARNs of the callers, at most ten. For a session it is the ARN of the role.
      type: list
      elements: str
    managed:
      description: Whether C(onboard) manages what one of the calls changes. It manages no permissions
        boundary and no encryption of a bucket. The audit tells what these break.
      type: bool
counts:
  description: The changes in the messages, those of them that touch a cloud, those that are a run's
    own, and the clouds of the play that are not watched because they are not covered or have invalid
    variables.
  returned: success
  type: dict
  sample: {"changes": 3, "of_clouds": 1, "own": 1, "clouds_not_watched": 0}
dropped:
  description: How much was left out, by reason, C(not_json), C(no_record), C(too_deep), C(too_large),
    C(malformed), C(other_call), C(failed_call) or C(read_only).
  returned: success
  type: dict
  sample: {"other_call": 2}
"""

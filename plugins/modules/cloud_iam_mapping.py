#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_iam_mapping
short_description: Manage the Cloud IAM mapping rules of an Anyscale cloud
version_added: 0.9.0
description:
  - L(Cloud IAM mapping, https://docs.anyscale.com/iam/cloud-iam-mapping) (beta) gives clusters an
    IAM role by rules, which select them by the type of the workload, the project and the user. The
    first rule that selects a cluster counts. On AWS, it takes the place of the instance profile in
    the compute config.
  - Rules of other writers stay as they are, in their order, unless O(state=replaced). Everything else
    in the config of the cloud resource is kept as well.
  - Selectors are compared by their meaning. The order of their parts and of the values in a set, and
    white space, make no difference; a live selector keeps its text.
  - The API replaces the rules as a whole and has no versions, so they are read right before they are
    written, and read back afterwards. A change that another writer makes meanwhile is kept, and
    planned on again. Where that is not possible, the module fails and returns both lists. Only what
    is written in the moment between that read and the write is overwritten without being seen.
  - Only an owner of the Anyscale organization can change a Cloud IAM mapping.
  - The instance profile of each role must exist, with the name of the role. See
    M(rayfleet.anyscale.iam_instance_profile). The role must also trust EC2, have access to the
    cloud's bucket, and the control-plane role must be permitted to pass it.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  cloud_id:
    description:
      - The ID of the Anyscale cloud.
      - A change for a cloud that is registered in another account than that of the roles is an error.
      - Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The name of the Anyscale cloud. It costs a call to look up, and must be unique in the
        organization.
    type: str
  resource:
    description:
      - The name or the ID of the cloud resource, such as V(vm-aws-us-west-2) or
        V(cldrsrc_8kfdcvmckjnjqd1x), each of which has rules of its own. If not set, the primary
        resource of the cloud.
      - A resource that the cloud does not have is an error, and so is one without AWS virtual
        machines, since its rules name no IAM roles.
    type: str
  rules:
    description:
      - The rules in their order. Their order among themselves is enforced, also where rules of other
        writers are between them.
      - A rule that exists, with the same selector, gets O(rules[].role) in its place. It moves only if
        O(position) is set, and it is not there, or if the order of O(rules) requires it.
      - With O(state=absent), rules with the same selector and the same role are removed.
      - It can be empty only with O(state=replaced), which then removes all rules.
    type: list
    elements: dict
    required: true
    suboptions:
      selector:
        description:
          - Which clusters the rule selects, as a L(Kubernetes label selector,
            https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors),
            all parts of which must hold.
          - The keys are V(workload-type) (V(job), V(service) or V(workspace)), V(project) (the name of
            a project) and V(user) (the email address of a user or service account).
          - The operators are C(=), C(==), C(!=), C(in), C(notin), a key alone (it has any value), a key
            with C(!) before it (it has none), C(<) and C(>).
          - Anything else is an error before anything is read.
        type: str
        required: true
      role:
        description:
          - The name or ARN of the IAM role that these clusters run with. The rule contains its name.
            An ARN of another account than O(account_id) is an error.
          - Before a change, the role must exist in the account, its instance profile of the same name
            must contain it, and it must be one that clusters may run with. See O(allow_privileged).
        type: str
        required: true
  fallback_rule:
    description:
      - What happens to a cluster that no rule selects. V(CLOUD_DEFAULT) lets it run with the default
        role of the cloud, V(FAIL) lets it not start.
      - If not set, it stays as it is; the first rules come with V(CLOUD_DEFAULT).
      - Without rules, Anyscale ignores it, so that setting it is an error. It is not used for
        O(state=absent).
    type: str
    choices: [CLOUD_DEFAULT, FAIL]
  position:
    description:
      - Where O(rules) go, all of them together and in their order. Only for O(state=merged).
      - If not set, a new rule goes before the next one of O(rules) that exists, or to the end.
    type: dict
    suboptions:
      at:
        description:
          - V(first) and V(last) are the two ends of the list.
          - V(before) and V(after) are the sides of the rule with O(position.selector), which must exist.
            If all of O(rules) are anywhere on that side, in their order, they stay where they are.
        type: str
        required: true
        choices: [first, last, before, after]
      selector:
        description:
          - The selector of the other rule, in any notation that means the same. For V(before) and
            V(after) only.
        type: str
  pending_instance_profiles:
    description:
      - The names of instance profiles that an earlier task of the same run creates. In check mode they
        do not exist yet, so that they are not required there. Otherwise the option is not used.
    type: list
    elements: str
  allow_privileged:
    description:
      - Whether clusters may run with a role that has permissions like an administrator's, which each
        user of a cluster would have too. With V(false), a change for such a role is refused, in
        check mode too. Needed permissions are C(iam:ListAttachedRolePolicies),
        C(iam:ListRolePolicies), C(iam:GetRolePolicy), C(iam:GetPolicy) and C(iam:GetPolicyVersion);
        without one of them the change is refused as well.
      - Which roles those are, and which are always refused, is documented with
        O(rayfleet.anyscale.iam_trust_ec2#module:allow_privileged).
      - It is not used for O(state=absent), nor where nothing has to change.
    type: bool
    default: false
  state:
    description:
      - V(merged) adds O(rules) to those that exist.
      - V(replaced) makes O(rules) the whole list. Rules of other writers are removed. If another writer
        adds one while the module runs, it fails.
      - V(absent) removes O(rules). With the last rule, the fallback rule goes too. A cloud that does
        not exist at Anyscale any more has no rules, which a warning says.
    type: str
    choices: [merged, replaced, absent]
    default: merged
notes:
  - The AWS credentials are used only where a rule has to change, to look at the roles. They need
    C(iam:GetRole) and C(iam:GetInstanceProfile), and see O(allow_privileged).
seealso:
  - module: rayfleet.anyscale.iam_instance_profile
    description: The instance profile that each role needs.
  - module: rayfleet.anyscale.compute_config_profile
    description: Another way to give clusters a role.
  - module: rayfleet.anyscale.iam_trust_ec2
  - module: rayfleet.anyscale.s3_cloud_access
  - name: Anyscale, Cloud IAM mapping
    description: What the rules do, and their requirements.
    link: https://docs.anyscale.com/iam/cloud-iam-mapping
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Give the jobs and services of a project a role of their own
  rayfleet.anyscale.cloud_iam_mapping:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "123456789012"
    rules:
      - selector: workload-type in (job, service),project=ml
        role: ray-ml

- name: Give one user another role, whatever rules there are
  rayfleet.anyscale.cloud_iam_mapping:
    cloud: production
    rules:
      - selector: user=jo@example.com
        role: ray-jo
    position:
      at: first

- name: Be the only one who manages the rules, and let no other cluster start
  rayfleet.anyscale.cloud_iam_mapping:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    resource: vm-aws-us-west-2
    state: replaced
    rules:
      - selector: workload-type=workspace
        role: ray-workspaces
      - selector: workload-type in (job, service)
        role: ray-jobs
    fallback_rule: FAIL

- name: Remove all rules
  rayfleet.anyscale.cloud_iam_mapping:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    state: replaced
    rules: []
"""

RETURN = r"""
reasons:
  description:
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(rule_missing), a rule did not exist; V(role_differs), a rule gave another role;
      V(rules_out_of_order), rules were in another order, or not where O(position) puts them;
      V(fallback_rule_differs), there was another fallback rule; V(unmanaged_rule), there was a rule
      that O(state=replaced) removes; V(rule_present), there was a rule that O(state=absent) removes.
  type: list
  elements: str
  returned: success
  sample: [rule_missing]
rules:
  description:
    - All rules as they are now or, in check mode, as they would be, in their order.
  type: list
  elements: dict
  returned: success
  contains:
    selector:
      description: The selector, in the text that the live rule has.
      type: str
      sample: workload-type in (job, service),project=ml
    role:
      description: The name of the role.
      type: str
      sample: ray-ml
fallback_rule:
  description: What happens to a cluster that no rule selects. V(null) without rules.
  type: str
  returned: success
  sample: CLOUD_DEFAULT
cloud_resource_id:
  description: The ID of the cloud resource. V(null) if the cloud does not exist any more.
  type: str
  returned: success
  sample: cldrsrc_8kfdcvmckjnjqd1x
previous:
  description: The RV(rules) and the RV(fallback_rule) before the change.
  type: dict
  returned: changed
backup_file:
  description: The file with the whole config of the cloud resource before and after the change. If it
    had to be written more than once, the last file.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.iam_mapping.cldrsrc-8kfdcvmckjnjqd1x-0cc175b9c0f1.json
error:
  description: Details of the failure, for use in conditions.
  type: dict
  returned: failure, if there is more than a message
  contains:
    method:
      description: The HTTP method of the Anyscale API call that failed.
      type: str
      sample: PUT
    path:
      description: The path of the Anyscale API call that failed.
      type: str
      sample: /api/v2/clouds/cld_4fxb3wsbdcq2n1p9/deployment/cldrsrc_8kfdcvmckjnjqd1x/config
    status:
      description: The HTTP status of the response.
      type: int
      sample: 403
    trace_id:
      description: The trace ID of the Anyscale response, for a support case.
      type: str
    operation:
      description: The AWS operation that failed.
      type: str
      sample: GetRole
    code:
      description: The AWS error code.
      type: str
      sample: AccessDenied
    request_id:
      description: The AWS request ID, for a support case.
      type: str
    expected:
      description: If another writer changed the rules at the same time, those that were wanted.
      type: dict
    found:
      description: If another writer changed the rules at the same time, those that there are now.
      type: dict
    written:
      description: The resources that were written before the failure. Absent if none are known to
        have been.
      type: list
      elements: str
      sample: ["Cloud IAM mapping of resource cldrsrc_8kfdcvmckjnjqd1x of cloud cld_4fxb3wsbdcq2n1p9"]
    backup_file:
      description: The file with the config that was replaced before the failure.
      type: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping import (
    IamMappingModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(IamMappingModule)


if __name__ == "__main__":
    main()

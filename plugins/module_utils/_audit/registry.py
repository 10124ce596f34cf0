# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of a cloud, in the order in which a cluster depends on what they check, and the words
for each.

This module util is private to the collection. Pure: facts in, the list of outcomes out. The
documentation's page on checks is written from here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.authority import (
    authority,
    judge_authority,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket import (
    bucket_account,
    bucket_dangling_principals,
    bucket_deny,
    bucket_region,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket_access import (
    bucket_access,
    control_plane_bucket_access,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket_cors import (
    bucket_cors,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket_key import (
    bucket_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.compute_config import (
    compute_config_arn_kind,
    compute_config_override,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.container_registry import (
    container_registry_access,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane import (
    control_plane_get_instance_profile,
    control_plane_pass_role,
    control_plane_pass_role_width,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane_actions import (
    control_plane_instances,
    control_plane_services,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane_trust import (
    control_plane_trust,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.effective_profile import (
    effective_profile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.iac_owner import (
    document_owner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.instance_profile import (
    instance_profile_exists,
    instance_profile_name,
    instance_profile_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.launches import (
    instances_run_with_the_role,
    launches_use_the_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.role import (
    permissions_boundary,
    role_account,
    trust_anyscale_verify,
    trust_ec2,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.further_roles import (
    judge_each,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    FAIL,
    UNKNOWN,
    WARN,
    Outcome,
    command_of,
    not_applicable,
    outcome_of,
)

_TRUST, _BUCKET, _CONFIG = "iam_trust_ec2", "s3_cloud_access", "compute_config_profile"
_ONBOARD = "``ansible-playbook rayfleet.anyscale.onboard --limit <cloud>``"
_LET_ONBOARDING_PASS_ROLES = (
    "Onboard again with ``cloud_iam_manage_pass_role: true``, and with ``cloud_iam_control_plane_role`` "
    "if the inventory is read from Anyscale. Or add the statement in the remedy to a policy of the "
    "control-plane role. If its permissions boundary lacks the statement, add it there too."
)
# Titles that begin with one of these keep their capital within a sentence.
_NAMES = ("Anyscale", "EC2")


@dataclasses.dataclass(frozen=True)
class Check:
    """A check: the function that makes it, whose name is its id, and the words for it.

    title: true where it passes. failing_title: true where it fails, and where it warns.
    fix: what to do, in reStructuredText, for the documentation; an outcome has a remedy of its own.
    module, reasons: the module that can fix it, and the reason codes by which that module calls the
    same problem.
    is_opt_in: whether it is made only where what runs on the cloud was read, which costs calls.
    of_each_role: whether it is made for each further role too.
    is_needed_to_start: whether no cluster starts where it fails.
    """

    judge: t.Callable[[Facts], Outcome]
    title: str
    failing_title: str
    fix: str
    module: str = ""
    reasons: tuple[str, ...] = ()
    is_opt_in: bool = False
    of_each_role: bool = False
    is_needed_to_start: bool = False

    @property
    def id(self) -> str:
        """The id, which never changes."""
        return self.judge.__name__

    def title_of(self, status: str) -> str:
        """The sentence that is true for a status.

        A check that is unknown gets neither title, since it is not known which one is true. A check
        that does not apply gets the passing title, which says what it would check.
        """
        if status in (FAIL, WARN):
            return self.failing_title
        if status == UNKNOWN:
            is_name = self.title.startswith(_NAMES)
            title = self.title if is_name else self.title[0].lower() + self.title[1:]
            return f"It is unknown whether {title}"
        return self.title


CHECKS: tuple[Check, ...] = (
    Check(
        authority,
        "The operator permits the cloud's account, role and bucket",
        "The operator does not permit the cloud's account, role or bucket",
        "Add the lines in the remedy to the fleet file, if what is registered at Anyscale is right. "
        "If another cloud claims the same role or bucket, list the one that is to keep it by its "
        "ID, or add it to ``allow.shared``.",
    ),
    Check(
        trust_ec2,
        "EC2 can assume the role",
        "EC2 cannot assume the role, or only under a condition",
        f"{_ONBOARD}. If a statement denies EC2, remove it from the trust policy. If the role does "
        "not exist, create it, or set ``cloud_iam_role`` to another one.",
        _TRUST,
        ("ec2_trust_missing", "ec2_trust_conditional", "statement_differs"),
        of_each_role=True,
        is_needed_to_start=True,
    ),
    Check(
        trust_anyscale_verify,
        "The Anyscale CLI accepts the trust policy",
        "The Anyscale CLI rejects the trust policy, or would rewrite it",
        f"{_ONBOARD}. If ``anyscale cloud verify`` fails with a traceback, replace the "
        '``Principal`` ``"*"`` by ``{"AWS": "*"}``, and ``NotPrincipal`` by a ``Principal``. If '
        "the role is also the control-plane role, set ``cloud_iam_role`` to one that only clusters "
        "use.",
        _TRUST,
        ("ec2_trust_missing", "action_not_a_string", "statement_differs"),
    ),
    Check(
        role_account,
        "The cloud's roles are in its account",
        "A role of the cloud is in another account",
        "Set ``cloud_iam_role`` to a role in the cloud's account, or correct "
        "``cloud_iam_account_id``.",
        of_each_role=True,
    ),
    Check(
        permissions_boundary,
        "No permissions boundary limits the role's access to the bucket",
        "A permissions boundary limits the role's access to the bucket",
        "Allow the actions on the bucket in the boundary, or remove the boundary from the role.",
        of_each_role=True,
    ),
    Check(
        container_registry_access,
        "The role can pull images from Amazon ECR",
        "The role cannot pull images from Amazon ECR",
        "Attach the managed policy ``AmazonEC2ContainerRegistryReadOnly`` to the role, or one that "
        "allows the same for your own registries.",
        of_each_role=True,
    ),
    Check(
        instance_profile_exists,
        "The instance profile exists",
        "The instance profile does not exist",
        f"{_ONBOARD}. If clusters use another one, set ``cloud_iam_instance_profile`` to it.",
        _CONFIG,
        ("instance_profile_missing",),
        of_each_role=True,
        is_needed_to_start=True,
    ),
    Check(
        instance_profile_name,
        "Anyscale finds the role's instance profile by default",
        "Anyscale does not find the role's instance profile by default",
        "Create an instance profile that has the role's name and holds the role, or name one in "
        "the registration of the cloud, or in every compute config: "
        f"{_ONBOARD} does the last.",
    ),
    Check(
        instance_profile_role,
        "The instance profile holds the role",
        "The instance profile does not hold the role",
        f"{_ONBOARD} adds the role to an empty one. If it holds another role, set "
        "``cloud_iam_instance_profile`` to another one, or remove that role from it.",
        _CONFIG,
        ("instance_profile_without_role",),
        of_each_role=True,
        is_needed_to_start=True,
    ),
    Check(
        control_plane_trust,
        "Anyscale can assume the control-plane role, for this cloud alone",
        "Anyscale cannot assume the control-plane role, or for other clouds too",
        "Put the statement in the remedy into the trust policy of the control-plane role. If a "
        "statement denies Anyscale, exclude its account from that statement.",
        is_needed_to_start=True,
    ),
    Check(
        control_plane_pass_role,
        "Anyscale can pass the role to EC2",
        "Anyscale cannot pass the role to EC2, or only under a condition",
        f"{_LET_ONBOARDING_PASS_ROLES} If a statement denies it, exclude the role from that "
        "statement.",
        of_each_role=True,
        is_needed_to_start=True,
    ),
    Check(
        control_plane_get_instance_profile,
        "Anyscale can read the instance profile",
        "Anyscale cannot read the instance profile, or only under a condition",
        f"{_LET_ONBOARDING_PASS_ROLES} If a statement denies it, exclude the profile from that "
        "statement.",
        of_each_role=True,
        is_needed_to_start=True,
    ),
    Check(
        control_plane_pass_role_width,
        "Anyscale can pass only the roles that the control-plane role's policies name",
        "Anyscale can pass every role of the account to EC2",
        "Replace the statement by the one in the remedy, with the role of each cloud that the "
        "control-plane role launches clusters for.",
    ),
    Check(
        control_plane_instances,
        "Anyscale can launch and manage instances",
        "Anyscale cannot launch instances, or not manage them fully",
        "Add the statement in the remedy to a policy of the control-plane role.",
        is_needed_to_start=True,
    ),
    Check(
        control_plane_services,
        "Anyscale can run services",
        "Anyscale cannot run services, or not by permissions that its CLI recognizes",
        "Add the statement in the remedy to a policy of the control-plane role. If the cloud runs no "
        "services, acknowledge the finding with ``cloud_iam_acknowledged``.",
    ),
    Check(
        control_plane_bucket_access,
        "Anyscale has access to the bucket",
        "Anyscale does not have access to the bucket, or by a statement that has to change",
        "Add the statement in the remedy to a policy of the control-plane role. If a statement denies "
        "it, exclude the role from that statement.",
    ),
    Check(
        bucket_access,
        "The role has access to the bucket",
        "The role does not have all access to the bucket, or by a statement that has to change",
        f"{_ONBOARD}. If ``anyscale cloud verify`` fails with a traceback, replace the "
        "``NotPrincipal`` of the statement by a ``Principal``.",
        _BUCKET,
        ("access_missing", "statement_differs", "duplicate_statement"),
        of_each_role=True,
    ),
    Check(
        bucket_deny,
        "No statement denies the role access to the bucket",
        "A statement denies, or may deny, the role access to the bucket",
        "Exclude the role from that statement, or ask its owner to.",
        of_each_role=True,
    ),
    Check(
        bucket_key,
        "The roles can use the key that the bucket is encrypted with",
        "A role cannot use the key that the bucket is encrypted with, or only under a condition",
        "Add the statement in the remedy to the policy of the key. If a statement denies it, exclude the "
        "role from that statement. If the key is disabled, enable it.",
        of_each_role=True,
    ),
    Check(
        bucket_account,
        "The bucket is in the cloud's account",
        "The bucket does not exist, or is not the cloud's own",
        "Set ``cloud_iam_bucket`` to the cloud's own bucket.",
    ),
    Check(
        bucket_region,
        "The bucket is in the cloud's region",
        "The bucket is in another region than the cloud",
        "Give the cloud a bucket in its region, and set ``cloud_iam_bucket`` to it.",
    ),
    Check(
        bucket_cors,
        "Anyscale's console can show files of the bucket",
        "Anyscale's console cannot show files of the bucket",
        "Add the CORS rule in the remedy to the bucket, or run ``anyscale cloud update-storage-cors``.",
    ),
    Check(
        bucket_dangling_principals,
        "The bucket's policy names only principals that exist",
        "The bucket's policy names a deleted principal",
        f"{_ONBOARD[:-2]} -e cloud_iam_prune_dangling_principals=true``",
        _BUCKET,
        ("dangling_principal", "dangling_principal_in_other_statement"),
    ),
    Check(
        compute_config_override,
        "The compute config sets the instance profile for every node group",
        "The compute config does not set the instance profile for every node group",
        f"{_ONBOARD}, then restart clusters with the new version.",
        _CONFIG,
        (
            "compute_config_missing",
            "compute_config_archived",
            "profile_missing",
            "profile_differs",
            "profile_by_name",
            "wrong_arn_kind",
            "node_group_hides_profile",
            "node_group_profile_differs",
        ),
    ),
    Check(
        compute_config_arn_kind,
        "The compute config names the instance profile by the right kind of ARN",
        "The compute config names the instance profile by the wrong kind of ARN",
        f"{_ONBOARD}, then restart clusters with the new version. ``cloud_iam_arn_kind`` is the "
        "kind that is expected.",
        _CONFIG,
        ("profile_by_name", "wrong_arn_kind"),
    ),
    Check(
        effective_profile,
        "Every node group runs with the role",
        "A node group does not, or may not, run with the role",
        f"{_ONBOARD}, then restart clusters with the new version.",
        _CONFIG,
        (
            "profile_missing",
            "profile_differs",
            "node_group_hides_profile",
            "node_group_profile_differs",
        ),
    ),
    Check(
        launches_use_the_config,
        "Every launch runs with the role",
        "A launch runs with another role, or with an older version of the compute config",
        "Start it again with the newest version of the compute config. Schedules have to name it.",
        is_opt_in=True,
    ),
    Check(
        instances_run_with_the_role,
        "Every running instance has an instance profile that holds the role",
        "A running instance has another instance profile, or none",
        "Restart its cluster with the newest version of the compute config.",
        is_opt_in=True,
    ),
    Check(
        document_owner,
        "No other tool manages the role or the bucket",
        "Terraform or CloudFormation manages the role or the bucket, and may overwrite its policy",
        "Add the lines in the remedy to the source of the Terraform configuration or the "
        "CloudFormation template.",
    ),
)


def run_checks(facts: Facts) -> list[dict[str, t.Any]]:
    """The outcome of each check that was asked for."""
    return [
        _run(check, facts) for check in CHECKS if facts.running is not None or not check.is_opt_in
    ]


def _run(check: Check, facts: Facts) -> dict[str, t.Any]:
    def on_virtual_machines() -> Outcome:
        if facts.elsewhere:
            raise not_applicable(
                f"The cloud does not run on AWS virtual machines: {facts.elsewhere}."
            )
        return judge_each(check.judge, facts) if check.of_each_role else check.judge(facts)

    return _result(check, outcome_of(on_virtual_machines))


def unread_checks(verdict: t.Mapping[str, t.Any], reason: str) -> list[dict[str, t.Any]]:
    """The outcomes for a cloud that nothing was read of.

    verdict: the host variable ``anyscale_authority``. reason: why nothing was read.
    """
    return [
        _result(
            check,
            judge_authority(verdict) if check.judge is authority else Outcome(UNKNOWN, reason),
        )
        for check in CHECKS
        if not check.is_opt_in
    ]


def _result(check: Check, outcome: Outcome) -> dict[str, t.Any]:
    return {
        "id": check.id,
        "title": check.title_of(outcome.status),
        "status": outcome.status,
        "reason": " ".join(outcome.reason.split()),
        "remedy": outcome.remedy,
        "evidence": outcome.evidence,
        "command": command_of(outcome.remedy),
    }

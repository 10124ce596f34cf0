# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on whether another tool manages the policies, and the lines to add to its source so
that it keeps what the collection adds.

This module util is private to the collection. Pure.
https://registry.terraform.io/modules/anyscale/anyscale-cloudfoundation-modules/aws
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    ec2_service,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.role import (
    wanted_trust,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.wanted_bucket import (
    wanted_access,
    wanted_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_want,
    trust_policy_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iac_owner import owner_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    statements_of,
    with_statements,
)

# The statements that the module writes itself, into the policy of a bucket of its own.
_SIDS_OF_THE_MODULE = ("AllowSSLRequestsOnly", "AllowAnyscaleResources")


def document_owner(facts: Facts) -> Outcome:
    """Whether Terraform or CloudFormation manages the role or the bucket, and will overwrite the
    policy.
    """
    role = facts.live_role()
    owners = {"role": owner_of(role.get("Tags")), "bucket": owner_of(facts.bucket_tags.value)}
    managed = " and ".join(f"{owner} manages the {what}" for what, owner in owners.items() if owner)
    if not owners["role"] and (owners["bucket"] or "").startswith("CloudFormation"):
        owners["role"] = owners["bucket"]  # both are in Anyscale's template
        managed += ", and probably the role, since CloudFormation puts no tags of its own on roles"
    undone = {
        "role": owners["role"] and _trust_is_undone(facts) and owners["role"],
        "bucket": owners["bucket"] and _bucket_policy_is_undone(facts) and owners["bucket"],
    }
    lines = [
        *([_trust_lines(undone["role"], facts)] if undone["role"] else []),
        *([_bucket_lines(undone["bucket"], facts)] if undone["bucket"] else []),
    ]
    if not lines:
        facts.bucket_tags.get()
        return passed(
            f"According to tags, {managed}, and the policy is as its source has it."
            if managed
            else "No tag of the role or the bucket names a tool that manages it.",
            owners={what: owner for what, owner in owners.items() if owner},
        )
    not_read, evidence = _bucket_tags_not_read(facts)
    return warned(
        f"According to tags, {managed}, and will overwrite the policy when it is next applied. Add "
        f"the lines in the remedy to its source.{not_read}",
        "\n\n".join(lines),
        owners={what: owner for what, owner in undone.items() if owner},
        **evidence,
    )


def _trust_is_undone(facts: Facts) -> bool:
    """Whether the next apply of the owner would undo something: a statement of the collection in
    the trust policy, or one that the collection would write. A policy that is right without, the
    owner has written.
    """
    live = facts.trust.get()
    sids = [str(raw.get("Sid") or "") for raw in statements_of(live)]
    ours = any(sid.startswith(trust_policy_plan.SID) for sid in sids)
    return ours or wanted_trust(facts) not in (None, live)


def _bucket_policy_is_undone(facts: Facts) -> bool:
    """The same of the bucket's policy."""
    if facts.bucket_policy.is_not_applicable:
        return False
    live = facts.bucket_policy.get()
    sids = [str(raw.get("Sid") or "") for raw in statements_of(live)]
    ours = any(bucket_want.OUR_SID.fullmatch(sid) for sid in sids)
    return ours or wanted_policy(live, wanted_access(facts)) != live


def _bucket_tags_not_read(facts: Facts) -> tuple[str, t.Mapping[str, t.Any]]:
    """A sentence on why it is not known whether a tool manages the bucket, and its evidence;
    nothing where it is known, or the bucket does not exist.
    """
    obstacle = facts.bucket_tags.obstacle
    if obstacle is None or facts.bucket_tags.is_not_applicable:
        return "", {}
    evidence = obstacle.outcome.evidence
    missing = (
        f" ({evidence['missing_permission']} is missing)"
        if "missing_permission" in evidence
        else ""
    )
    return f" The bucket's tags could not be read{missing}: {obstacle.outcome.reason}", evidence


def _trust_lines(owner: str, facts: Facts) -> str:
    role = facts.live_role()
    document = wanted_trust(facts) or facts.trust.get()
    if owner.startswith("CloudFormation"):
        service = ec2_service(partition_of(role["Arn"]))
        statement = next(
            (raw for raw in statements_of(document) if trust_policy_plan.holds(raw, service)), None
        )
        return _template_lines(
            f"AssumeRolePolicyDocument of role {role['RoleName']}", statement or document
        )
    if owner.startswith("Terraform (module"):
        return _argument(
            "anyscale_cluster_node_custom_assume_role_policy", "of the module", document
        )
    return _argument("assume_role_policy", f"of aws_iam_role {role['RoleName']}", document)


def _bucket_lines(owner: str, facts: Facts) -> str:
    wanted = wanted_access(facts)
    document = wanted_policy(facts.bucket_policy.get(), wanted)
    raws = statements_of(document)
    if owner.startswith("CloudFormation"):
        sids = [str(raw.get("Sid") or "") for raw in raws]
        ours = [
            raw for raw, sid in zip(raws, sids, strict=True) if bucket_want.OUR_SID.fullmatch(sid)
        ]
        return _template_lines(
            f"PolicyDocument of the policy of bucket {wanted.bucket}", ours[0] if ours else document
        )
    if owner.startswith("Terraform (module"):
        # Whatever is not the module's own is in this variable already, or gets lost.
        others = [raw for raw in raws if raw.get("Sid") not in _SIDS_OF_THE_MODULE]
        return _argument(
            "anyscale_custom_s3_policy", "of the module", with_statements(document, others)
        )
    return _argument("policy", f"of aws_s3_bucket_policy for {wanted.bucket}", document)


def _argument(name: str, where: str, document: t.Any) -> str:
    """An argument in HCL, where a dollar or percent sign before a brace begins a template and is
    doubled to stand for itself.
    """
    literal = _json.dumps(document, indent=2).replace("${", "$${").replace("%{", "%%{")
    return f"# Terraform, {where}\n{name} = jsonencode({literal})"


def _template_lines(where: str, statement: t.Any) -> str:
    """A statement for a CloudFormation template, as JSON, which is valid YAML too."""
    return f"# CloudFormation, Statement in the {where}\n{_json.dumps([statement], indent=2)}"

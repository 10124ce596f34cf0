# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on what the role that Anyscale assumes may do beside passing roles: launch and manage
instances, and run services.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. The actions are those of Anyscale's own policies for that role.
https://docs.anyscale.com/administration/cloud-deployment/manage-aws-cloud
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    as_list,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    DENIED,
    Identity,
    Judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    control_plane_context,
)


def _of(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


# Without these no cluster starts, or none ends.
LAUNCH_ACTIONS = _of("ec2", "RunInstances TerminateInstances DescribeInstances CreateTags")
# iam:PassRole and iam:GetInstanceProfile have checks of their own.
INSTANCE_ACTIONS = (
    *LAUNCH_ACTIONS,
    *_of(
        "ec2",
        "DescribeAvailabilityZones DescribeCapacityReservations DescribeInstanceTypes "
        "DescribeRegions DescribeAccountAttributes DescribeSubnets DescribeRouteTables "
        "DescribeSecurityGroups StartInstances StopInstances DeleteTags "
        "CancelSpotInstanceRequests ModifyImageAttribute ModifyInstanceAttribute "
        "RequestSpotInstances AttachVolume CreateVolume DescribeVolumes "
        "AssociateIamInstanceProfile DisassociateIamInstanceProfile "
        "ReplaceIamInstanceProfileAssociation CreatePlacementGroup AllocateAddress ReleaseAddress "
        "DescribeIamInstanceProfileAssociations DescribeInstanceStatus DescribePlacementGroups "
        "DescribePrefixLists DescribeReservedInstancesOfferings DescribeSpotInstanceRequests "
        "DescribeSpotPriceHistory",
    ),
    "elasticfilesystem:DescribeMountTargets",
    "iam:CreateServiceLinkedRole",
)
SERVICE_ACTIONS = (
    *_of(
        "cloudformation",
        "TagResource UntagResource CreateStack UpdateStack DeleteStack DescribeStackEvents "
        "DescribeStackResources DescribeStacks GetTemplate",
    ),
    *_of("ec2", "DescribeVpcs DescribeInternetGateways"),
    *_of(
        "elasticloadbalancing",
        "DescribeListeners DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeRules "
        "DescribeTargetGroups DescribeTargetGroupAttributes DescribeTargetHealth "
        "DescribeListenerCertificates DescribeTags AddListenerCertificates "
        "RemoveListenerCertificates AddTags RemoveTags CreateRule ModifyRule DeleteRule "
        "SetRulePriorities CreateListener ModifyListener DeleteListener CreateLoadBalancer "
        "DeleteLoadBalancer ModifyLoadBalancerAttributes CreateTargetGroup ModifyTargetGroup "
        "DeleteTargetGroup ModifyTargetGroupAttributes RegisterTargets DeregisterTargets "
        "SetIpAddressType SetSecurityGroups SetSubnets",
    ),
    *_of(
        "acm",
        "ListCertificates DeleteCertificate RenewCertificate RequestCertificate "
        "AddTagsToCertificate DescribeCertificate GetCertificate ListTagsForCertificate",
    ),
    "iam:CreateServiceLinkedRole",
)

# In a reason.
_NAMED = 4


def control_plane_instances(facts: Facts) -> Outcome:
    """Whether Anyscale can launch and manage instances. 'anyscale cloud verify' only suggests what
    is missing; without some of it no cluster starts.
    """
    arn, missing = facts.control_plane_arn.get(), _missing(facts, INSTANCE_ACTIONS)
    if missing is None:
        return _no_role(arn)
    if not missing:
        return passed(f"{arn} is allowed to launch and manage instances.")
    without_launch = [action for action in missing if action in LAUNCH_ACTIONS]
    if without_launch:
        return failed(
            f"{arn} is not allowed {', '.join(without_launch)}: clusters do not start, or do not "
            "end. Add the statement in the remedy to a policy of the role.",
            _statement("AnyscaleManageInstances", missing),
            control_plane_role=arn,
        )
    return warned(
        f"{arn} is not allowed {_first(missing)}, which Anyscale's own policy for it allows. "
        "Add the statement in the remedy to a policy of the role.",
        _statement("AnyscaleManageInstances", missing),
        control_plane_role=arn,
    )


def control_plane_services(facts: Facts) -> Outcome:
    """Whether Anyscale can run services, which need load balancers, certificates and stacks."""
    arn, missing = facts.control_plane_arn.get(), _missing(facts, SERVICE_ACTIONS)
    if missing is None:
        return _no_role(arn)
    if missing:
        return warned(
            f"{arn} is not allowed {_first(missing)}: Anyscale services cannot be deployed, "
            "and 'anyscale cloud verify --strict' rejects the cloud. Add the statement in the "
            "remedy to a policy of the role.",
            _statement("AnyscaleManageServices", missing),
            control_plane_role=arn,
        )
    unnamed = sorted(set(SERVICE_ACTIONS) - _named_actions(facts.control_plane.get()))
    if unnamed:
        return warned(
            f"{arn} is allowed all that Anyscale services need, but by wildcards, which 'anyscale "
            "cloud verify --strict' does not read.",
            _statement("AnyscaleManageServices", unnamed),
            control_plane_role=arn,
        )
    return passed(f"{arn} is allowed what Anyscale services need.")


def _missing(facts: Facts, actions: t.Sequence[str]) -> list[str] | None:
    """The actions that the control-plane role has on nothing at all; ``None`` without the role.

    That it has them on some resources or under a condition only is how Anyscale's own restricted
    policies are written.
    """
    arn, identity = facts.control_plane_arn.get(), facts.control_plane.get()
    if identity is None:
        return None

    judges = {
        service: Judge(
            identity, "*", control_plane_context(arn, facts.account_id, service, facts.now)
        )
        for service in {_service(action) for action in actions}
    }
    return [
        action for action in actions if judges[_service(action)].verdict(action).answer == DENIED
    ]


def _service(action: str) -> str:
    return action.partition(":")[0]


def _named_actions(identity: Identity | None) -> set[str]:
    """The actions that the role's policies allow by their names, as 'anyscale cloud verify' reads
    them: any policy, any resource, any condition.
    """
    return {
        str(action)
        for named in (identity.policies if identity else ())
        for raw in statements_of(named.document)
        if raw["Effect"] == "Allow"
        for action in as_list(raw.get("Action"))
    }


def _first(actions: list[str]) -> str:
    """Some of the actions: the remedy has all, and a fleet repeats them for each cloud."""
    others = len(actions) - _NAMED
    more = f" and {others} more actions" if others > 0 else ""
    return f"{', '.join(actions[:_NAMED])}{more}"


def _statement(sid: str, actions: t.Iterable[str]) -> str:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return _json.dumps(statement, indent=2)


def _no_role(arn: str) -> Outcome:
    return failed(
        f"Role {arn}, which is registered as the cloud's control-plane role, does not exist.",
        "Create it, or register the cloud with another one.",
    )

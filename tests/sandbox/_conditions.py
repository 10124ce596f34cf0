# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which operators and condition keys IAM and S3 take in a policy, and which service principals.

That unknown ones are refused was reported by users of both (of IAM, for services:
https://github.com/hashicorp/terraform/issues/35086); the texts are guesses where no source is named.
"""

from __future__ import annotations

import functools
import re
import typing as t

import botocore.session

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_ORDER = ["equals", "notequals", "lessthan", "lessthanequals", "greaterthan", "greaterthanequals"]
_OPERATORS = frozenset(
    (
        *(f"numeric{name}" for name in _ORDER),
        *(f"date{name}" for name in _ORDER),
        *("stringequals", "stringnotequals", "stringlike", "stringnotlike"),
        *("stringequalsignorecase", "stringnotequalsignorecase"),
        *("arnequals", "arnnotequals", "arnlike", "arnnotlike"),
        *("bool", "binaryequals", "ipaddress", "notipaddress", "null"),
    )
)
_QUANTIFIERS = ("", "foranyvalue", "forallvalues")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_GLOBAL = frozenset(
    """
    aws:AssumedRoot aws:CalledVia aws:CalledViaAWSMCP aws:CalledViaFirst aws:CalledViaLast
    aws:ChatbotSourceArn aws:CurrentTime aws:Ec2InstanceSourcePrivateIPv4 aws:Ec2InstanceSourceVpc
    aws:EpochTime aws:FederatedProvider aws:IsMcpServiceAction aws:MultiFactorAuthAge
    aws:MultiFactorAuthPresent aws:PrincipalAccount aws:PrincipalArn aws:PrincipalIsAWSService
    aws:PrincipalOrgID aws:PrincipalOrgPaths aws:PrincipalServiceName aws:PrincipalServiceNamesList
    aws:PrincipalTag aws:PrincipalType aws:RequestTag aws:RequestedRegion aws:ResourceAccount
    aws:ResourceOrgID aws:ResourceOrgPaths aws:ResourceTag aws:SecureTransport aws:SourceAccount
    aws:SourceArn aws:SourceIdentity aws:SourceIp aws:SourceOrgID aws:SourceOrgPaths aws:SourceOwner
    aws:SourceVpc aws:SourceVpcArn aws:SourceVpce aws:TagKeys aws:TokenIssueTime aws:UserAgent
    aws:ViaAWSMCPService aws:ViaAWSService aws:VpcSourceIp aws:VpceAccount aws:VpceOrgID
    aws:VpceOrgPaths aws:referer aws:userid aws:username ec2:RoleDelivery ec2:SourceInstanceArn
    glue:CredentialIssuingService glue:RoleAssumedBy identitystore:UserId lambda:SourceFunctionArn
    ssm:SourceInstanceArn
    """.lower().split()
)
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_OF_S3 = frozenset(
    """
    AccessGrantScope AccessGrantsInstanceArn AccessGrantsLocationScope AccessPointNetworkOrigin
    AccessPointTag BucketTag DataAccessPointAccount DataAccessPointArn ExistingJobOperation
    ExistingJobPriority ExistingObjectTag InventoryAccessibleOptionalFields JobSuspendedCause
    ObjectCreationOperation RequestJobOperation RequestJobPriority RequestObjectTag
    RequestObjectTagKeys ResourceAccount TlsVersion authType delimiter deliverySourceArn
    destinationRegion if-match if-none-match isReplicationPauseRequest locationconstraint logType
    max-keys object-lock-legal-hold object-lock-mode object-lock-remaining-retention-days
    object-lock-retain-until-date prefix resourceArnBeingAuthorized signatureAge signatureversion
    versionid x-amz-acl x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control
    x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp
    x-amz-metadata-directive x-amz-object-ownership x-amz-server-side-encryption
    x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm
    x-amz-storage-class x-amz-website-redirect-location
    """.lower().split()
)
# Services that botocore calls by another name than AWS's service principals do.
_OTHER_SERVICES = [
    "delivery",
    "ecs-tasks",
    "edgelambda",
    "elasticmapreduce",
    "logging",
    "monitoring",
    "saml",
    "states",
]
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)*(?P<name>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
# Of users whom an identity provider knows: a domain, perhaps with a path.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
_PROVIDER = re.compile(r"[^:]+\.[^:]+")


class InvalidCondition(Exception):
    """A Condition that AWS refuses, in AWS's words."""


def is_service_principal(name: str) -> bool:
    """Whether AWS has a service principal of this name."""
    match = _SERVICE.fullmatch(name)
    return match is not None and match["name"] in _services()


def check_in_trust_policy(condition: t.Mapping[str, t.Any]) -> None:
    """Raise for what IAM refuses.

    Of its keys IAM looks at the service: https://github.com/terraform-aws-modules/terraform-aws-eks/issues/1084
    """
    for key in _keys(condition):
        if key.count(":") > 1:
            raise InvalidCondition("Condition can contain only one colon.")
        service = key.partition(":")[0].lower() if ":" in key else ""
        is_known = key.lower() in _GLOBAL if service == "aws" and "/" not in key else service
        if not is_known or not (service in ("aws", *_services()) or _PROVIDER.fullmatch(service)):
            raise InvalidCondition(f"Invalid Condition key : {key}")


def check_in_bucket_policy(condition: t.Mapping[str, t.Any]) -> None:
    """Raise for what S3 refuses."""
    for key in _keys(condition):
        name = key.lower().partition("/")[0]
        if name not in _GLOBAL and not (name.startswith("s3:") and name[3:] in _OF_S3):
            raise InvalidCondition("Policy has an invalid condition key")


def _keys(condition: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """The keys of a Condition whose operators are known.

    Without an operator: https://github.com/aws-cloudformation/cfn-lint/issues/3751
    """
    for operator, keys in condition.items():
        if not isinstance(keys, dict):
            raise InvalidCondition("Syntax errors in policy.")
        quantifier, _colon, name = operator.lower().rpartition(":")
        if quantifier not in _QUANTIFIERS or name.removesuffix("ifexists") not in _OPERATORS:
            raise InvalidCondition(f"Invalid Condition type : {operator}")
        yield from keys


@functools.lru_cache
def _services() -> frozenset[str]:
    return frozenset((*botocore.session.get_session().get_available_services(), *_OTHER_SERVICES))

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit and Anyscale's own code, as 'anyscale cloud verify --strict' calls it, agree on clouds:
those of the seeded fleet, those that Anyscale's CloudFormation template and its module for Terraform
make, and each of these with one thing broken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

import boto3
import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import (
    REGISTRY_POLICY,
    account_trust,
    control_plane_policies,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.anyscale_verify import verify_cloud
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
    bucket_policy_of,
    policy,
    put_bucket_policy,
    put_trust,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run

# What each of the two verifications of Anyscale looks at, by the checks of the audit.
OF_ROLES = (
    *("container_registry_access", "role_account", "trust_anyscale_verify"),
    *("instance_profile_exists", "instance_profile_name", "instance_profile_role"),
    *("control_plane_trust", "control_plane_services"),
)
OF_BUCKET = (
    *("bucket_account", "bucket_region", "bucket_cors"),
    *("bucket_access", "control_plane_bucket_access"),
)
Change = t.Callable[[Sandbox, Cloud], None]


def registered(name: str, **parts: t.Any) -> Cloud:
    """A cloud whose roles and bucket are there, as a tool has made them."""
    complete = {
        "role": f"anyscale-cluster-node-{name}",
        "trust": "cloudformation",
        "profile": "filled",
    }
    return Cloud(name, ACCOUNT, **{**complete, **parts})


def unchanged(_sandbox: Sandbox, _cloud: Cloud) -> None:
    """As it is seeded."""


def by_role_policy(*actions: str, resource: str = "{bucket}") -> Change:
    """Let the clusters' role have the bucket by an inline policy of its own."""

    def change(sandbox: Sandbox, cloud: Cloud) -> None:
        bucket = f"arn:aws:s3:::{cloud.bucket_name}"
        resources = [bucket, f"{bucket}/*"] if resource == "{bucket}" else [resource]
        statement = {
            "Sid": "S3BucketAccess",
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": resources,
        }
        _put_policy(sandbox, cloud.role_name, "s3", policy(statement))

    return change


def _put_policy(sandbox: Sandbox, role: str, name: str, document: Json) -> None:
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document)
    )


def split(sandbox: Sandbox, cloud: Cloud) -> None:
    """The bucket's policy lists, the role's own reads and writes."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": cloud.role_arn},
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{cloud.bucket_name}",
    }
    put_bucket_policy(sandbox, cloud.bucket_name, policy(statement))
    by_role_policy("s3:GetObject", "s3:PutObject")(sandbox, cloud)


def another_account(sandbox: Sandbox, cloud: Cloud) -> None:
    put_trust(sandbox, account_trust(OTHER_ACCOUNT), cloud.control_plane_role_name)


def no_external_id(sandbox: Sandbox, cloud: Cloud) -> None:
    put_trust(sandbox, account_trust("525325868955"), cloud.control_plane_role_name)


def no_bucket_for_anyscale(sandbox: Sandbox, cloud: Cloud) -> None:
    sandbox.client("iam", ACCOUNT).delete_role_policy(
        RoleName=cloud.control_plane_role_name, PolicyName="S3BucketAccess"
    )


def wildcards_for_services(sandbox: Sandbox, cloud: Cloud) -> None:
    every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    _put_policy(sandbox, cloud.control_plane_role_name, "admin", policy(every))


def no_instances(sandbox: Sandbox, cloud: Cloud) -> None:
    passing = {
        "Effect": "Allow",
        "Action": ["iam:PassRole", "iam:GetInstanceProfile"],
        "Resource": [cloud.role_arn, cloud.instance_profile_arn],
    }
    name = "Anyscale_IAM_Policy_Steady_State"
    _put_policy(sandbox, cloud.control_plane_role_name, name, policy(passing))


def registry_by_another_policy(sandbox: Sandbox, cloud: Cloud) -> None:
    sandbox.client("iam", ACCOUNT).detach_role_policy(
        RoleName=cloud.role_name, PolicyArn=f"arn:aws:iam::aws:policy/{REGISTRY_POLICY}"
    )
    every = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
    _put_policy(sandbox, cloud.role_name, "ecr", policy(every))


def old_cors(sandbox: Sandbox, cloud: Cloud) -> None:
    rule = {
        "AllowedHeaders": ["*"],
        "AllowedMethods": ["GET"],
        "AllowedOrigins": ["https://*.anyscale.com"],
    }
    sandbox.client("s3", ACCOUNT).put_bucket_cors(
        Bucket=cloud.bucket_name, CORSConfiguration={"CORSRules": [rule]}
    )


def objects_alone(sandbox: Sandbox, cloud: Cloud) -> None:
    """Anyscale does not look at which resource an action is on."""
    by_role_policy(
        *("s3:GetObject", "s3:PutObject", "s3:ListBucket"),
        resource=f"arn:aws:s3:::{cloud.bucket_name}/*",
    )(sandbox, cloud)


def a_condition(sandbox: Sandbox, cloud: Cloud) -> None:
    """Anyscale does not look at conditions."""
    document = bucket_policy_of(sandbox, cloud.bucket_name)
    condition = {"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d"}}
    changed = [
        {**raw, "Condition": condition} if raw["Effect"] == "Allow" else raw
        for raw in document["Statement"]
    ]
    put_bucket_policy(sandbox, cloud.bucket_name, policy(*changed))


FOUNDATION, TEMPLATE = "cloud_foundation", "cloudformation"
EIGHT = control_plane_policies(FLEET[0])["S3BucketAccess"]["Statement"][0]["Action"]
# A cloud, what is changed of it, and the checks that are stricter than Anyscale, which accepts it; or
# more lenient, with a dash.
SHAPES: dict[str, tuple[Cloud, Change, set[str]]] = {
    "the CloudFormation template": (
        registered("cfn", bucket_policy=TEMPLATE, owner=TEMPLATE, control_plane="passes_all"),
        unchanged,
        {"bucket_access"},  # the four of eight: a warning
    ),
    "the module, with a bucket of its own": (
        registered("own", bucket_policy=FOUNDATION, owner="terraform"),
        by_role_policy(*EIGHT),
        set(),
    ),
    "the module, with an existing bucket": (
        registered("existing", owner="terraform"),
        by_role_policy(*EIGHT),
        set(),
    ),
    "full access to all buckets": (registered("full"), by_role_policy("s3:*", resource="*"), set()),
    "full access to its bucket": (registered("full-one"), by_role_policy("s3:*"), set()),
    "no access": (registered("none"), unchanged, set()),
    "access that is split": (registered("split"), split, set()),
    "access by wildcards": (
        registered("docs"),
        by_role_policy("s3:ListBucket", "s3:*Object"),
        set(),
    ),
    "access to objects alone": (registered("objects"), objects_alone, {"bucket_access"}),
    "access under a condition": (
        registered("condition", bucket_policy=FOUNDATION),
        a_condition,
        {"bucket_access"},
    ),
    "another account trusted": (
        registered("other", bucket_policy=FOUNDATION),
        another_account,
        set(),
    ),
    "no external ID": (
        registered("open", bucket_policy=FOUNDATION),
        no_external_id,
        {"control_plane_trust"},
    ),
    "no bucket for Anyscale": (
        registered("closed", bucket_policy="complete"),
        no_bucket_for_anyscale,
        set(),
    ),
    "no services": (
        registered("no-services", bucket_policy=FOUNDATION, control_plane="no_services"),
        unchanged,
        set(),
    ),
    "services by wildcards": (
        registered("admin", bucket_policy=FOUNDATION, control_plane="no_services"),
        wildcards_for_services,
        set(),
    ),
    "no instances, which is stricter": (
        registered("no-ec2", bucket_policy=FOUNDATION),
        no_instances,
        {"control_plane_instances"},
    ),
    "no registry": (
        registered("no-ecr", bucket_policy=FOUNDATION, registry=False),
        unchanged,
        set(),
    ),
    "registry by another policy": (
        registered("ecr", bucket_policy=FOUNDATION),
        registry_by_another_policy,
        {"-container_registry_access"},
    ),
    "no CORS": (registered("no-cors", bucket_policy=FOUNDATION, cors=False), unchanged, set()),
    "CORS of before": (registered("old-cors", bucket_policy=FOUNDATION), old_cors, set()),
    "no profile": (
        registered("no-profile", bucket_policy=FOUNDATION, profile="missing"),
        unchanged,
        set(),
    ),
}


@dataclasses.dataclass(frozen=True)
class Compared:
    """The checks that do not pass, and whether Anyscale accepts the roles and the bucket."""

    found: frozenset[str]
    roles: bool
    bucket: bool

    @property
    def differences(self) -> set[str]:
        """The checks that are stricter than Anyscale; where it refuses what they all let pass, a
        dash with the first, of which alone that is meant.
        """
        different = set(self.found & {"control_plane_instances"})
        for accepted, checks in ((self.roles, OF_ROLES), (self.bucket, OF_BUCKET)):
            of_these = self.found.intersection(checks)
            if accepted:
                different |= of_these
            elif not of_these:
                different.add(f"-{checks[0]}")
        return different


def compare(sandbox: Sandbox, run_module: Run, cloud: Cloud) -> Compared:
    """Ask both."""
    result = run_module(
        "cloud_iam_info",
        cloud_id=cloud.cloud_id,
        account_id=cloud.account_id,
        access_key=sandbox.credentials(cloud.account_id)["aws_access_key_id"],
        secret_key="sandbox",
    )
    session = boto3.Session(**sandbox.credentials(cloud.account_id, setup=True))
    roles = bucket = False
    with contextlib.suppress(KeyError, AttributeError):  # its tracebacks are refusals too
        said = verify_cloud(session, cloud, strict=True)
        roles, bucket = said.roles, said.bucket
    found = {
        one["id"] for one in result["checks"] if one["status"] not in ("pass", "not_applicable")
    }
    return Compared(frozenset(found), roles, bucket)


@pytest.mark.parametrize(("cloud", "change", "different"), SHAPES.values(), ids=list(SHAPES))
def test_a_shape(
    sandbox: Sandbox, run_module: Run, cloud: Cloud, change: Change, different: set[str]
) -> None:
    sandbox.seed((cloud,))
    change(sandbox, cloud)
    compared = compare(sandbox, run_module, cloud)
    assert compared.differences == different


def test_the_seeded_fleet(sandbox: Sandbox, run_module: Run) -> None:
    sandbox.seed(FLEET)
    found = {cloud.name: compare(sandbox, run_module, cloud).differences for cloud in FLEET}
    stricter = {
        # The template's four actions of eight, of which clusters need three.
        "speech-prod": {"bucket_access"},
        "robotics-prod": {"bucket_access"},
    }
    assert {name: checks for name, checks in found.items() if checks} == stricter

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks, one by one: the fact that differs from those of a cloud with which all is right, and
the verdict.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from anyscale.util import verify_data_plane_role_assume_role_policy

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    DefaultRole,
    Facts,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import (
    CHECKS,
    checked,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    CONFIG,
    OTHER_PROFILE,
    PASS_ROLE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    RESOURCE,
    TRUST,
    bucket_policy,
    facts,
    named,
    profile,
    resource,
    role,
    template,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET,
    BUCKET_ARN,
    CONTROL,
    EC2,
    EIGHT,
    FORMER_ID,
    LAMBDA,
    LOOKALIKE,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROLE_ID,
    TLS_ONLY,
    TRUST_LAMBDA,
    TRUST_OF_THE_CLI,
    allow,
    deny,
    policy,
)

Json = dict[str, t.Any]

GONE: Fact[t.Any] = Fact(None)
BOUNDARY = {
    "PermissionsBoundary": {"PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
}
ELSEWHERE_ARN = ROLE.replace(ACCOUNT, OTHER_ACCOUNT)
OURS_EDITED = {**ACCESS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
TERRAFORM = [{"Key": "tf_module", "Value": "cloudfoundation"}]
DISK = {"advanced_configurations_json": {"BlockDeviceMappings": []}}


def trusting(*raws: Json) -> Json:
    """The role's trust policy."""
    return {"trust": Fact(policy(*raws))}


def access(*raws: Json) -> Json:
    """The bucket's policy."""
    return {"bucket_policy": bucket_policy(*raws)}


def own(*raws: Json) -> Json:
    """The role's own policies."""
    return {"identity": Fact(Identity((named(*raws),)))}


def bounded(*raws: Json) -> Json:
    """The role's boundary."""
    return {"role": Fact(role(**BOUNDARY)), "boundary": Fact(named(*raws, name="boundary"))}


def plane(*raws: Json, **more: t.Any) -> Json:
    """What decides for the role that Anyscale assumes."""
    return {"control_plane": Fact(Identity((named(*raws),), **more))}


def config(*arguments: t.Any, **changes: t.Any) -> Json:
    """The compute config."""
    return {"compute_configs": {CONFIG: Fact(template(*arguments, **changes))}}


def automatic(**cluster: Json) -> Json:
    """A compute config whose head has the profile and whose workers Anyscale selects, on a cloud
    with another role.
    """
    head = {
        "instance_type": "m5.large",
        "advanced_configurations_json": {"IamInstanceProfile": {"Arn": PROFILE}},
    }
    return {
        **config(config={"head_node_type": head, "auto_select_worker_config": True, **cluster}),
        **on(cluster_iam_role_id=ROLE_B),
    }


def on(**changes: t.Any) -> Json:
    """The cloud's resource."""
    return {"resources": Fact([resource(**changes)]), "primary": Fact(resource(**changes))}


NO_PROFILE = {"profile": GONE, "role_profiles": Fact([])}
OTHER_NAME = {"role_profiles": Fact([profile(OTHER_PROFILE, ROLE)])}
BOTH_HOLD = {"role_profiles": Fact([profile(OTHER_PROFILE, ROLE), profile(PROFILE, ROLE)])}
# The cloud itself names that profile, and no compute config any.
GIVEN_BY_CLOUD = {**on(cluster_instance_profile_id=OTHER_PROFILE), "compute_configs": {}}

# By check: what is the case, the facts that differ, the status, and words of the reason.
Row = tuple[Json, str, str]
TABLE: dict[str, dict[str, Row]] = {
    "trust_ec2": {
        "a statement of the CLI": ({"trust": Fact(TRUST_OF_THE_CLI)}, "pass", "Statement 1"),
        "a list as Action, which AWS takes": (trusting({**TRUST, "Action": [ASSUME]}), "pass", ""),
        "one statement with a Condition and one without": (
            trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}, TRUST),
            "pass",
            "Statement 2",
        ),
        "another service alone": (trusting(TRUST_LAMBDA), "fail", "No statement"),
        "a Condition": (
            trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}),
            "warn",
            "only under a Condition",
        ),
        "a Deny": (
            trusting(TRUST, deny(Principal="*", Action="sts:*")),
            "fail",
            "Statement 2 (without a Sid) of the trust policy denies",
        ),
        "a Deny under a Condition": (
            trusting(TRUST, deny(Principal="*", Action="*", Condition={"Bool": {"a:b": "true"}})),
            "warn",
            "may deny",
        ),
        "no such role": ({"role": GONE}, "fail", f"no role {ROLE} in account {ACCOUNT}"),
    },
    "trust_anyscale_verify": {
        "a list as Action": (
            trusting({**TRUST, "Action": [ASSUME]}),
            "fail",
            "the string 'sts:AssumeRole'",
        ),
        "a Condition": (trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}), "pass", ""),
        "everybody": (
            trusting(TRUST, allow(Principal="*", Action=ASSUME)),
            "fail",
            "traceback at Statement 2",
        ),
        "all but somebody": (
            trusting(allow(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME), TRUST),
            "fail",
            "traceback at Statement 1",
        ),
        "a Deny of all but somebody": (
            trusting(TRUST, deny(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
            "pass",
            "",
        ),
        "the control plane's own role": (
            {"control_plane_arn": Fact(ROLE)},
            "warn",
            "control plane",
        ),
        "no such role": ({"role": GONE}, "not_applicable", "no role"),
    },
    "role_account": {
        "the role elsewhere": (
            {"role_wanted": Fact(parse_role(ELSEWHERE_ARN)), "role": REFUSED},
            "fail",
            f"is in account {OTHER_ACCOUNT}",
        ),
        "the control plane elsewhere": (
            {"control_plane_arn": Fact(CONTROL.replace(ACCOUNT, OTHER_ACCOUNT))},
            "fail",
            "control-plane role",
        ),
        "a role by its name": ({"role_wanted": Fact(RoleReference(PROFILE_NAME))}, "pass", ROLE),
        "no such role": ({"role": GONE}, "not_applicable", "no role"),
    },
    "permissions_boundary": {
        "all of S3": (
            bounded(allow(Action="s3:*", Resource="*")),
            "pass",
            "allows what clusters need",
        ),
        "the bucket alone": (
            bounded(allow(Action="s3:*", Resource=[BUCKET_ARN, OBJECTS_ARN])),
            "pass",
            "",
        ),
        "reading alone": (
            bounded(allow(Action=["s3:Get*", "s3:List*"], Resource="*")),
            "fail",
            "s3:PutObject, s3:DeleteObject",
        ),
        "a part of the objects": (
            bounded(allow(Action="s3:*", Resource=[BUCKET_ARN, f"{BUCKET_ARN}/a/*"])),
            "warn",
            "under conditions",
        ),
        "a Deny": (
            bounded(allow(Action="*", Resource="*"), deny(Action="s3:Delete*", Resource="*")),
            "fail",
            "s3:DeleteObject",
        ),
        "one that is refused": (
            {"role": Fact(role(**BOUNDARY)), "boundary": REFUSED},
            "unknown",
            "refused",
        ),
    },
    "instance_profile_exists": {
        "none": (NO_PROFILE, "fail", f"no instance profile {PROFILE_NAME} in account {ACCOUNT}."),
        "only another one": (
            {"profile": GONE, **OTHER_NAME},
            "fail",
            "The role is in ray-autoscaler-v1",
        ),
        "only another one, which clusters are given": (
            {"profile": GONE, **OTHER_NAME, **GIVEN_BY_CLOUD},
            "warn",
            "given ray-autoscaler-v1",
        ),
    },
    "instance_profile_name": {
        "none": (NO_PROFILE, "not_applicable", "No instance profile"),
        "another name": (OTHER_NAME, "fail", "is the one that Anyscale looks for"),
        "another name that the user gave": (
            {**OTHER_NAME, "profile_name": Fact("ray-autoscaler-v1")},
            "warn",
            "without a compute config",
        ),
        "another name that the cloud names": (
            {**OTHER_NAME, **on(cluster_instance_profile_id=OTHER_PROFILE)},
            "pass",
            "the cloud itself names",
        ),
        "another name beside the right one": (BOTH_HOLD, "pass", ""),
    },
    "instance_profile_role": {
        "none": (NO_PROFILE, "not_applicable", "no instance profile"),
        "an empty one": ({"profile": Fact(profile(PROFILE))}, "fail", "holds no role"),
        "another role": ({"profile": Fact(profile(PROFILE, ROLE_B))}, "fail", f"holds {ROLE_B}"),
        "a role of the same name in another path": (
            {"profile": Fact(profile(PROFILE, ROLE.replace("role/", "role/x/")))},
            "fail",
            "role/x/",
        ),
    },
    "control_plane_pass_role": {
        "only to EC2": (
            plane(
                allow(
                    Action="iam:PassRole",
                    Resource="*",
                    Condition={"StringEquals": {"iam:PassedToService": EC2}},
                )
            ),
            "pass",
            CONTROL,
        ),
        "nothing": (plane(), "fail", "a policy of the role"),
        "only its own role": (
            plane({**PASS_ROLE, "Resource": ROLE_B}),
            "fail",
            "clusters do not start",
        ),
        "a Deny": (
            plane(PASS_ROLE, deny(Sid="Guard", Action="iam:*", Resource="*")),
            "fail",
            "Statement 2 (Sid 'Guard') of policy team denies",
        ),
        "a boundary": (
            plane(PASS_ROLE, boundary=named(allow(Action="ec2:*", Resource="*"))),
            "fail",
            "its permissions boundary",
        ),
        "a tag": (
            plane({**PASS_ROLE, "Condition": {"StringEquals": {"iam:ResourceTag/team": "ray"}}}),
            "warn",
            "depends on a condition",
        ),
        "no such role": ({"control_plane": GONE}, "fail", f"no role {CONTROL}"),
        "nobody knows which": ({"control_plane_arn": REFUSED}, "unknown", "refused"),
    },
    "control_plane_get_instance_profile": {
        "nothing": (plane({**PASS_ROLE, "Action": "iam:PassRole"}), "fail", PROFILE),
        "a profile that is still to be made": (NO_PROFILE, "pass", PROFILE),
        "only another profile": (
            plane({**PASS_ROLE, "Resource": [ROLE, OTHER_PROFILE]}),
            "fail",
            PROFILE,
        ),
        "only another profile, which clusters are given": (
            {
                "profile": GONE,
                **OTHER_NAME,
                **GIVEN_BY_CLOUD,
                **plane({**PASS_ROLE, "Resource": [ROLE, OTHER_PROFILE]}),
            },
            "pass",
            OTHER_PROFILE,
        ),
        "not the one that the compute config names": (
            {
                **BOTH_HOLD,
                "compute_configs": {CONFIG: Fact(template(OTHER_PROFILE))},
                **plane(PASS_ROLE),
            },
            "fail",
            OTHER_PROFILE,
        ),
    },
    "bucket_access": {
        "in two statements": (
            access(
                allow(Principal={"AWS": ROLE}, Action=EIGHT[:3], Resource=BUCKET_ARN),
                allow(Principal={"AWS": ROLE}, Action=EIGHT[3:], Resource=OBJECTS_ARN),
            ),
            "pass",
            BUCKET,
        ),
        "no policy": (access(), "fail", "nor does anything else"),
        "four of the eight": (
            access(
                {
                    **ACCESS,
                    "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"],
                }
            ),
            "fail",
            "s3:GetBucketLocation",
        ),
        "a role whose name contains it": (
            access({**ACCESS, "Principal": {"AWS": LOOKALIKE}}),
            "fail",
            "s3:GetObject",
        ),
        "a former role of its name": (
            access({**ACCESS, "Principal": {"AWS": FORMER_ID}}),
            "fail",
            "s3:GetObject",
        ),
        "the objects without the bucket": (
            access({**ACCESS, "Resource": OBJECTS_ARN}),
            "fail",
            "s3:ListBucket",
        ),
        "a wildcard": (
            access({**ACCESS, "Sid": "All", "Action": "s3:*"}),
            "warn",
            "a wildcard there or the role's own policies do",
        ),
        "a Condition": (
            access({**ACCESS, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}),
            "warn",
            "under a condition",
        ),
        "the role's own policies": (
            {**access(), **own(allow(Action=["s3:*"], Resource=[BUCKET_ARN, OBJECTS_ARN]))},
            "warn",
            "own policies do",
        ),
        "the role's own policies, in part": (
            {**access(), **own(allow(Action="s3:*", Resource=OBJECTS_ARN))},
            "fail",
            "s3:ListBucket",
        ),
        "the role's own policies, refused": (
            {**access(), "identity": REFUSED},
            "unknown",
            "refused",
        ),
        "a wildcard, with the role's own policies refused": (
            {**access({**ACCESS, "Sid": "All", "Action": "s3:*"}), "identity": REFUSED},
            "warn",
            "a wildcard there",
        ),
        "the role's own policies, refused where they do not count": (
            {"identity": REFUSED},
            "pass",
            "",
        ),
        "its unique id": (
            {
                **access({**ACCESS, "Principal": {"AWS": ROLE_ID}}),
                "principals": Fact({ROLE_ID: ROLE}),
            },
            "warn",
            "by its unique id",
        ),
        "ours, edited, beside a grant of others": (
            access({**OURS_EDITED}, {**ACCESS, "Sid": "Team"}),
            "warn",
            "not as the collection makes it",
        ),
        "a statement without a Principal": (
            access(
                ACCESS, allow(NotPrincipal={"AWS": ROLE_B}, Action="s3:Get*", Resource=OBJECTS_ARN)
            ),
            "warn",
            "traceback at Statement 2",
        ),
        "a Deny, which is another check": (
            access(ACCESS, deny(Principal="*", Action="s3:*", Resource=OBJECTS_ARN)),
            "pass",
            "",
        ),
    },
    "bucket_deny": {
        "only without TLS": (access(ACCESS, TLS_ONLY), "pass", ""),
        "in the bucket's policy": (
            access(ACCESS, deny(Sid="Lock", Principal="*", Action="s3:Put*", Resource=OBJECTS_ARN)),
            "fail",
            "Sid 'Lock'",
        ),
        "outside a VPC endpoint": (
            access(
                ACCESS, {**TLS_ONLY, "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}
            ),
            "warn",
            "depends on each request",
        ),
        "in the role's own policies": (
            own(deny(Sid="NoDelete", Action="s3:DeleteObject", Resource="*")),
            "fail",
            "Sid 'NoDelete'",
        ),
        "in the role's own policies, in part": (
            own(deny(Action="s3:*", Resource=f"{BUCKET_ARN}/secret/*")),
            "warn",
            "may deny",
        ),
        "of another bucket": (
            own(deny(Action="s3:*", Resource="arn:aws:s3:::other/*")),
            "pass",
            "",
        ),
        "the role's own policies, refused": ({"identity": REFUSED}, "unknown", "refused"),
    },
    "bucket_account": {
        "no such bucket": (
            {"bucket_region": GONE, "bucket_policy": Fact(obstacle=not_applicable("none"))},
            "fail",
            f"no bucket {BUCKET}",
        ),
        "another account's": (
            {"bucket_region": Fact(obstacle=not_applicable("other")), "bucket_policy": REFUSED},
            "fail",
            f"not in account {ACCOUNT}",
        ),
        "its region refused, its policy read": ({"bucket_region": REFUSED}, "pass", ""),
        "all refused": ({"bucket_region": REFUSED, "bucket_policy": REFUSED}, "unknown", "refused"),
        "the cloud in another account": (
            {"cloud_account": Fact(OTHER_ACCOUNT)},
            "fail",
            f"the cloud is in account {OTHER_ACCOUNT}",
        ),
        "not the cloud's bucket": (
            {"registered_bucket": Fact("another")},
            "warn",
            "the cloud's clusters use another",
        ),
        "nobody knows the cloud's bucket": ({"registered_bucket": REFUSED}, "pass", ""),
    },
    "bucket_region": {
        "no region of the cloud": (on(region=None), "unknown", "does not tell the cloud's region"),
        "another region": (
            {"bucket_region": Fact("eu-west-1")},
            "fail",
            "is in eu-west-1, not in us-west-2",
        ),
        "another region, registered": (
            {
                "bucket_region": Fact("eu-west-1"),
                **on(object_storage={"bucket_name": f"s3://{BUCKET}", "region": "eu-west-1"}),
            },
            "warn",
            "as registered",
        ),
        "no such bucket": ({"bucket_region": GONE}, "not_applicable", "no bucket"),
        "nobody knows the cloud's region": ({"primary": REFUSED}, "unknown", "refused"),
    },
    "bucket_dangling_principals": {
        "a deleted one": (
            access(ACCESS, {**ACCESS, "Sid": "Old", "Principal": {"AWS": FORMER_ID}}),
            "warn",
            f"Statement 2 (Sid 'Old') of the bucket's policy name {FORMER_ID}",
        ),
        "one that exists": (
            {
                **access({**ACCESS, "Principal": {"AWS": ROLE_ID}}),
                "principals": Fact({ROLE_ID: ROLE}),
            },
            "pass",
            "",
        ),
        "nobody may look them up": (
            {**access({**ACCESS, "Principal": {"AWS": FORMER_ID}}), "principals": REFUSED},
            "unknown",
            "refused",
        ),
        "nobody may look them up, and none is shown": ({"principals": REFUSED}, "pass", ""),
    },
    "compute_config_override": {
        "no such compute config": (
            {"compute_configs": {CONFIG: GONE}},
            "fail",
            "no such compute config",
        ),
        "archived": (config(archived_at="2026-01-01T00:00:00Z"), "fail", "archived"),
        "another profile": (config(OTHER_PROFILE), "fail", "profile_differs"),
        "the role's ARN": (config(ROLE), "fail", "wrong_arn_kind"),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", ROLE),
        "no profile": (config(None), "warn", "in another way"),
        "hidden from a worker group": (config(PROFILE, DISK), "warn", "node_group_hides_profile"),
        "hidden from a worker group of a cloud with another default": (
            {**config(PROFILE, DISK), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "node_group_hides_profile",
        ),
        "two primary resources": (
            {"resources": Fact([resource(name="a"), resource(name="b")])},
            "unknown",
            "2 primary resources",
        ),
        "of a shape that nobody knows": (
            config(config={"deployment_configs": [None]}),
            "unknown",
            "deployment_configs[0] is None",
        ),
        "missing for workers that Anyscale selects": (automatic(), "fail", "profile_missing"),
        "one of two that is wrong": (
            {"compute_configs": {"a": Fact(template()), "b": Fact(template(OTHER_PROFILE))}},
            "fail",
            "b:3",
        ),
        "one of two that is refused": (
            {"compute_configs": {"a": Fact(template()), "b": REFUSED}},
            "unknown",
            "refused",
        ),
        "none was named": (
            {"compute_configs": {}},
            "not_applicable",
            "No compute config was named",
        ),
        "a resource of Kubernetes": (
            {"resources": Fact([resource(compute_stack="K8S")])},
            "not_applicable",
            "K8S",
        ),
    },
    "compute_config_arn_kind": {
        "the role's ARN": (
            config(ROLE),
            "fail",
            "node groups cpu, head should have the ARN of an instance profile",
        ),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", "a role"),
        "a name": (config({"Name": PROFILE_NAME}), "fail", PROFILE_NAME),
        "the ARN of another profile": (config(OTHER_PROFILE), "pass", ""),
        "no profile": (config(None), "not_applicable", "names no instance profile"),
    },
    "effective_profile": {
        "another profile": (config(OTHER_PROFILE), "fail", f"{OTHER_PROFILE} (compute_config)"),
        "another profile that holds the role": (
            {**config(OTHER_PROFILE), "role_profiles": Fact([profile(OTHER_PROFILE, ROLE)])},
            "pass",
            "every node group",
        ),
        "the role's ARN": (config(ROLE), "warn", "if Anyscale takes"),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", ""),
        "a profile of this name in another account": (
            config(PROFILE.replace(ACCOUNT, OTHER_ACCOUNT)),
            "fail",
            OTHER_ACCOUNT,
        ),
        "a profile in another path": (
            config(PROFILE.replace("profile/", "profile/ray/")),
            "pass",
            "",
        ),
        "no profile, so the one named like the role": (config(None), "pass", ""),
        "no profile, but one of the cloud's": (
            {**config(None), **on(cluster_instance_profile_id=OTHER_PROFILE)},
            "fail",
            "(cloud)",
        ),
        "no profile, and a cloud with another role": (
            {**config(None), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "ray-team-b (role_name)",
        ),
        "no profile, and Anyscale's default role": (
            {
                **config(None),
                **on(cluster_iam_role_id=None),
                "default_role": Fact(DefaultRole(ROLE_B, "convention")),
            },
            "fail",
            "ray-team-b (role_name)",
        ),
        "hidden from a worker group of a cloud with another role": (
            {**config(PROFILE, DISK), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "node groups cpu would not run with the role",
        ),
        "workers that Anyscale selects, of a cloud with another role": (
            automatic(),
            "fail",
            "node groups automatic workers would not run with the role",
        ),
        "workers that Anyscale selects, with the cluster's profile": (
            automatic(advanced_configurations_json={"IamInstanceProfile": {"Arn": PROFILE}}),
            "pass",
            "every node group",
        ),
        "a profile that is missing": ({**config(None), **NO_PROFILE}, "fail", "(role_name)"),
        "a mapping": (
            {
                "mappings": Fact(
                    [{"resource": RESOURCE, "rules": [{"selector": "project=a", "value": "b"}]}]
                )
            },
            "warn",
            "Cloud IAM mapping",
        ),
        "a mapping that is refused": ({"mappings": REFUSED}, "unknown", "refused"),
        "a mapping that is refused, and another profile": (
            {"mappings": REFUSED, **config(OTHER_PROFILE)},
            "fail",
            "",
        ),
        "a mapping, and a compute config that is refused": (
            {"mappings": Fact([{"rules": [{}]}]), "compute_configs": {CONFIG: REFUSED}},
            "unknown",
            "",
        ),
        "of a shape that nobody knows": (
            config(config={"worker_node_types": [None]}),
            "unknown",
            "worker_node_types[0] is None",
        ),
        "none was named, and the role is the default": (
            {"compute_configs": {}},
            "pass",
            "Without a compute config",
        ),
        "none was named, and the role is not the default": (
            {"compute_configs": {}, **on(cluster_iam_role_id=ROLE_B)},
            "warn",
            "does not hold",
        ),
        "two primary resources": (
            {"resources": Fact([resource(name="a"), resource(name="b")])},
            "unknown",
            "2 primary resources",
        ),
    },
    "document_owner": {
        "Terraform, of the role": (
            {"role": Fact(role(Tags=TERRAFORM))},
            "warn",
            "the role belongs to Terraform",
        ),
        "Terraform, of the bucket": (
            {"bucket_tags": Fact(TERRAFORM)},
            "warn",
            "the bucket belongs to Terraform",
        ),
        "other tags": ({"role": Fact(role(Tags=[{"Key": "team", "Value": "ray"}]))}, "pass", ""),
        "the bucket's tags are refused": ({"bucket_tags": REFUSED}, "unknown", "refused"),
        "the bucket's tags are refused, but the role is owned": (
            {"bucket_tags": REFUSED, "role": Fact(role(Tags=TERRAFORM))},
            "warn",
            "the role belongs",
        ),
        "the bucket's tags are refused, but the role is owned, and both are told": (
            {"bucket_tags": REFUSED, "role": Fact(role(Tags=TERRAFORM))},
            "warn",
            "Who owns the bucket could not be read (iam:Anything is missing):",
        ),
        "there is no bucket, but the role is owned": (
            {
                "bucket_tags": Fact(obstacle=not_applicable("There is no bucket.")),
                "role": Fact(role(Tags=TERRAFORM)),
            },
            "warn",
            "the role belongs",
        ),
    },
}
ROWS = {
    f"{check}: {name}": (check, *row) for check, rows in TABLE.items() for name, row in rows.items()
}


def verdict(check: str, found: Facts) -> Json:
    """What one check comes to."""
    return next(one for one in checked(found) if one["id"] == check)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    one = verdict(check, facts(**changes))
    assert (one["status"], one["reason"]) == (status, one["reason"])
    assert words in one["reason"]


def test_all_is_right_with_a_cloud_with_which_all_is_right() -> None:
    found = checked(facts())
    assert {one["id"]: one["status"] for one in found} == dict.fromkeys(TABLE, "pass")
    assert [one["id"] for one in found] == [judge.__name__ for judge in CHECKS]
    assert all(not one["remedy"] and "after" not in one["evidence"] for one in found)
    json.dumps(found)


def test_nothing_applies_to_a_cloud_elsewhere() -> None:
    found = checked(facts(elsewhere="k8s-eks is K8S on AWS", role=REFUSED))
    assert {one["status"] for one in found} == {"not_applicable"}
    assert all("k8s-eks is K8S on AWS" in one["reason"] for one in found)


# A fact that is refused, and the checks that are unknown then. All others come to the verdict that
# they come to with it.
HANGS_ON: dict[str, set[str]] = {
    "cloud": set(),
    "resources": {"compute_config_override", "compute_config_arn_kind", "effective_profile"},
    "primary": {"bucket_region"},
    "mappings": {"effective_profile"},
    "cloud_account": {"role_account", "bucket_account"},
    "default_role": set(),
    "role_wanted": {"role_account"},
    "role": set(TABLE)
    - {"instance_profile_exists", "bucket_account", "bucket_region", "bucket_dangling_principals"}
    - {
        "control_plane_get_instance_profile",
        "compute_config_override",
        "compute_config_arn_kind",
        "effective_profile",
    },
    "trust": {"trust_ec2", "trust_anyscale_verify"},
    "identity": {"bucket_deny"},
    "boundary": {"permissions_boundary"},
    "profile_name": {"instance_profile_exists", "instance_profile_role"},
    "profile": {"instance_profile_exists", "instance_profile_role", "compute_config_override"},
    "role_profiles": {"instance_profile_name", "effective_profile"},
    "control_plane_arn": {"control_plane_pass_role", "control_plane_get_instance_profile"},
    "control_plane": {"control_plane_pass_role", "control_plane_get_instance_profile"},
    "registered_bucket": set(),
    "bucket": {"bucket_access", "bucket_deny", "bucket_account", "bucket_region"},
    "bucket_region": {"bucket_region"},
    "bucket_policy": {"bucket_access", "bucket_deny", "bucket_dangling_principals"},
    "bucket_tags": {"document_owner"},
    "principals": set(),
}


def test_each_fact_is_in_the_table() -> None:
    kinds = {
        field.name for field in dataclasses.fields(Facts) if str(field.type).startswith("Fact[")
    }
    assert set(HANGS_ON) == kinds


@pytest.mark.parametrize(("name", "unknown"), HANGS_ON.items(), ids=list(HANGS_ON))
def test_a_fact_that_is_refused(name: str, unknown: set[str]) -> None:
    found = {one["id"]: one for one in checked(facts(**{name: REFUSED}))}
    assert {check for check, one in found.items() if one["status"] == "unknown"} == unknown
    assert {one["status"] for check, one in found.items() if check not in unknown} <= {"pass"}
    shown = [
        one["evidence"].get("missing_permission")
        for check, one in found.items()
        if check in unknown and "compute_configs" not in one["evidence"]
    ]
    assert set(shown) <= {"iam:Anything"}


# --- the vendor's own check -----------------------------------------------------------------------

TRUSTS = {
    "the CLI's own": TRUST_OF_THE_CLI,
    "a list as Action": policy({**TRUST, "Action": [ASSUME]}),
    "a wildcard": policy({**TRUST, "Action": "sts:*"}),
    "China's name of the service": policy({**TRUST, "Principal": {"Service": f"{EC2}.cn"}}),
    "services in a list": policy({**TRUST, "Principal": {"Service": [LAMBDA, EC2]}}),
    "another service": policy(TRUST_LAMBDA),
    "a Condition": policy({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}),
    "everybody beside it": policy(TRUST, allow(Principal="*", Action=ASSUME)),
    "everybody by kind beside it": policy(TRUST, allow(Principal={"AWS": "*"}, Action=ASSUME)),
    "everybody for another action beside it": policy(
        TRUST, allow(Principal="*", Action="sts:TagSession")
    ),
    "everybody for a list of actions beside it": policy(
        TRUST, allow(Principal="*", Action=[ASSUME])
    ),
    "all but somebody beside it": policy(TRUST, allow(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
    "all but somebody denied": policy(TRUST, deny(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
    "no statement": policy(),
}


@pytest.mark.parametrize("document", TRUSTS.values(), ids=list(TRUSTS))
def test_the_vendor_is_foretold(document: Json) -> None:
    """By the function that 'anyscale cloud verify' itself calls."""
    one = verdict("trust_anyscale_verify", facts(trust=Fact(document)))
    try:
        assert (one["status"] == "pass") is verify_data_plane_role_assume_role_policy(document)
        assert "traceback" not in one["reason"]
    except (AttributeError, KeyError):
        assert "traceback" in one["reason"]


# --- remedies and documents -----------------------------------------------------------------------


def test_the_statement_to_add_for_the_control_plane() -> None:
    found = facts(**plane())
    assert json.loads(verdict("control_plane_pass_role", found)["remedy"]) == {
        "Sid": "AnyscalePassClusterRole",
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": EC2}},
    }
    assert json.loads(verdict("control_plane_get_instance_profile", found)["remedy"]) == {
        "Sid": "AnyscaleGetClusterInstanceProfile",
        "Effect": "Allow",
        "Action": "iam:GetInstanceProfile",
        "Resource": PROFILE,
    }


def test_the_statements_to_add_are_enough() -> None:
    missing = facts(**plane())
    checks = ("control_plane_pass_role", "control_plane_get_instance_profile")
    added = facts(**plane(*(json.loads(verdict(check, missing)["remedy"]) for check in checks)))
    assert [verdict(check, added)["status"] for check in checks] == ["pass", "pass"]


# A check that differs, and where the documents are in its evidence.
DOCUMENTS: dict[str, tuple[str, Json]] = {
    "the trust policy": ("trust_ec2", trusting(TRUST_LAMBDA)),
    "the trust policy, for the vendor": (
        "trust_anyscale_verify",
        trusting({**TRUST, "Action": [ASSUME]}),
    ),
    "the bucket's policy": ("bucket_access", access(TLS_ONLY)),
}


@pytest.mark.parametrize(("check", "changes"), DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_what_would_be_made_of_it_is_right(check: str, changes: Json) -> None:
    evidence = verdict(check, facts(**changes))["evidence"]
    (name,) = changes
    assert evidence["before"] == changes[name].get()
    assert verdict(check, facts(**{name: Fact(evidence["after"])}))["status"] == "pass"


def test_what_would_be_made_of_a_compute_config() -> None:
    evidence = verdict("compute_config_override", facts(**config(OTHER_PROFILE)))["evidence"]
    before, after = (
        evidence[side][CONFIG]["deployment_configs"][0] for side in ("before", "after")
    )
    assert before["advanced_configurations_json"]["IamInstanceProfile"] == {"Arn": OTHER_PROFILE}
    assert after["advanced_configurations_json"]["IamInstanceProfile"] == {"Arn": PROFILE}
    assert evidence["compute_configs"][CONFIG]["reasons"] == ["profile_differs"]


STACK = [{"Key": "aws:cloudformation:stack-name", "Value": "anyscale-prod"}]
# Whose tags, which tags, what is there, and the first lines of the remedy.
OWNERS: dict[str, tuple[str, list[dict[str, str]], Json, str]] = {
    "the module, for the role": (
        "role",
        TERRAFORM,
        {},
        "anyscale_cluster_node_custom_assume_role_policy = jsonencode({",
    ),
    "Terraform, for the role": (
        "role",
        [{"Key": "ManagedBy", "Value": "terraform"}],
        {},
        "assume_role_policy = jsonencode({",
    ),
    "CloudFormation, for the role": (
        "role",
        STACK,
        {},
        "AssumeRolePolicyDocument of role ray-team-a\n[",
    ),
    "the module, for the bucket": (
        "bucket",
        TERRAFORM,
        {},
        "anyscale_custom_s3_policy = jsonencode({",
    ),
    "Terraform, for the bucket": (
        "bucket",
        [{"Key": "managed-by", "Value": "Terraform"}],
        {},
        "\npolicy = jsonencode({",
    ),
    "CloudFormation, for the bucket": (
        "bucket",
        STACK,
        {},
        f"PolicyDocument of the policy of bucket {BUCKET}\n[",
    ),
    "a drifted role": ("role", TERRAFORM, trusting(TRUST_LAMBDA), '"AnyscaleEC2Trust"'),
    "a drifted bucket": ("bucket", STACK, access(), '"AnyscaleClusterAccess"'),
}


@pytest.mark.parametrize(("whose", "tags", "changes", "line"), OWNERS.values(), ids=list(OWNERS))
def test_lines_for_the_owner(
    whose: str, tags: list[dict[str, str]], changes: Json, line: str
) -> None:
    tagged = {"role": Fact(role(Tags=tags))} if whose == "role" else {"bucket_tags": Fact(tags)}
    one = verdict("document_owner", facts(**tagged, **changes))
    assert line in one["remedy"]
    assert set(one["evidence"]["owners"]) == {whose}


@pytest.mark.parametrize(
    ("tags", "permission"),
    [
        (REFUSED, "iam:Anything"),
        (Fact(obstacle=not_applicable("There is no bucket.")), None),
        (Fact([]), None),
    ],
    ids=["refused", "no bucket", "read"],
)
def test_what_could_not_be_read_is_named_beside_an_owner(
    tags: Fact[t.Any], permission: str | None
) -> None:
    """An owner of the role is no answer to whether the bucket has one."""
    one = verdict("document_owner", facts(bucket_tags=tags, role=Fact(role(Tags=TERRAFORM))))
    assert one["evidence"].get("missing_permission") == permission
    assert ("could not be read" in one["reason"]) == bool(permission)


def test_a_policy_variable_is_no_template_for_terraform() -> None:
    home = allow(
        Sid="Home",
        Principal={"AWS": ROLE_B},
        Action="s3:GetObject",
        Resource=f"{BUCKET_ARN}/home/${{aws:userid}}/%{{x}}",
    )
    tags = Fact([{"Key": "managed_by", "Value": "terraform"}])
    remedy = verdict("document_owner", facts(bucket_tags=tags, **access(ACCESS, home)))["remedy"]
    assert "/home/$${aws:userid}/%%{x}" in remedy


def test_reasons_are_on_one_line() -> None:
    wanted = RoleReference("two\nlines")
    assert all(
        "\n" not in one["reason"] for one in checked(facts(role=GONE, role_wanted=Fact(wanted)))
    )

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all but the fleet engine uses AWS and Anyscale for, and the calls that each use makes."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity import (
    read_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    read_rows,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import caller_key
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import PATHS, STATES
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    PARTNER_ACCOUNT,
    REGION,
    ROLE,
    Json,
    bucket_policy_of,
    delete_role,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import (
    CREATE,
    IN_SYNC,
    RESOURCES,
    SEARCH,
    TOOLING,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run

CLOUDS, ONE_CLOUD = "GET /api/v2/clouds/", "GET /api/v2/clouds/{id}"
MAPPING = "GET /api/v2/clouds/{id}/deployment/{id}/config"
SCHEDULER, POOLS = "GET /api/v2/scheduler/config", "GET /api/v2/machine_pools/"
PUT_MAPPING, USER = "PUT /api/v2/clouds/{id}/deployment/{id}/config", "GET /api/v2/userinfo/"
ARCHIVE, UNARCHIVE = (
    f"POST /api/v2/compute_templates/{{id}}/{verb}" for verb in ("archive", "unarchive")
)
ONE_CONFIG = "GET /api/v2/compute_templates/{id}"
UNKNOWN = "unknown"
READS_PER_PAGE = 10

# As a cloud is before it is onboarded, and one that has nothing yet.
OLD = dataclasses.replace(
    IN_SYNC, trust="lambda_only", bucket_policy="foreign_reader", compute_config="other_profile"
)
BARE = dataclasses.replace(OLD, bucket_policy="none", compute_config="missing")


class Seen(t.NamedTuple):
    """What a read found, each fact by its name, ``UNKNOWN`` where it says so; and its reasons where
    anything is.
    """

    facts: Json
    words: str = ""


@dataclasses.dataclass(frozen=True)
class ReadOnlyUse:
    """A use that writes nothing: how accounts are made ready for it, and what it finds.

    spares: operations that it can do without, so that it need not say that they failed.
    """

    calls: t.Mapping[str, int]
    prepare: t.Callable[[Sandbox], object]
    observe: t.Callable[[Sandbox, Run], Seen]
    spares: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Change:
    """A use that writes: what is done before, which gives the module's options, and what there is
    to see after it.

    quick_reads: whether each run of the tests has faults of its reads, too.
    """

    calls: t.Mapping[str, int]
    module: str
    prepare: t.Callable[[Sandbox, Run], Json]
    quick_reads: bool = True


# --- uses that read -------------------------------------------------------------------------------


def _encrypt_with_a_key_of_the_customer(sandbox: Sandbox) -> None:
    key = sandbox.client("kms", ACCOUNT).create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    sandbox.client("s3", ACCOUNT).put_bucket_encryption(
        Bucket=IN_SYNC.bucket_name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )


def _seed_for_an_audit(sandbox: Sandbox) -> None:
    """One of each that an audit reads: policies of both kinds, a boundary, a mapping, a customer's key
    of the bucket, a reader who was deleted.
    """
    sandbox.seed((IN_SYNC,))
    iam = sandbox.client("iam", ACCOUNT)
    document = policy({"Effect": "Allow", "Action": ["ec2:*", "iam:*", "s3:*"], "Resource": "*"})
    arn = iam.create_policy(PolicyName="everything", PolicyDocument=json.dumps(document))["Policy"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName=IN_SYNC.control_plane_role_name, PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=arn)
    (resource,) = sandbox.organization.resources[IN_SYNC.cloud_id]
    mapping = {
        "mode": "CUSTOMER_MANAGED",
        "rules": [{"name": "jobs", "value": IN_SYNC.role_arn}],
        "fallback_rule": "CLOUD_DEFAULT",
    }
    sandbox.organization.mappings[resource["cloud_resource_id"]] = {
        "dataplane_iam_mapping": mapping
    }
    _take_machines_from_a_pool(sandbox)
    _encrypt_with_a_key_of_the_customer(sandbox)
    _grant_to_a_deleted_principal(sandbox)


def _take_machines_from_a_pool(sandbox: Sandbox) -> None:
    instance_config = {"IamInstanceProfile": {"Arn": IN_SYNC.instance_profile_arn}}
    sandbox.organization.add_machine_pool("h100", [{"advanced_instance_config": instance_config}])
    sandbox.organization.scheduler.apply(
        {"resource_flavors": [{"name": "gpu", "advanced_instance_config": instance_config}]}, OWNER
    )
    node = {"name": "gpu", "instance_type": "p5.48xlarge"}
    config = {
        "cloud_id": IN_SYNC.cloud_id,
        "head_node_type": {"name": "head-node", "instance_type": "m5.large"},
        "worker_node_types": [{**node, "flags": {"cloud_deployment": {"machine_pool": "h100"}}}],
        "advanced_configurations_json": instance_config,
    }
    body = {"name": IN_SYNC.compute_config_name, "anonymous": False, "new_version": True}
    sandbox.organization.create_template({**body, "config": config})


def _grant_to_a_deleted_principal(sandbox: Sandbox) -> None:
    others = (bucket_policy_of(sandbox, IN_SYNC.bucket_name) or policy())["Statement"]
    readers = [make_role(sandbox, "gone"), f"arn:aws:iam::{PARTNER_ACCOUNT}:root"]
    objects = f"arn:aws:s3:::{IN_SYNC.bucket_name}/*"
    statement = {
        "Sid": "Readers",
        "Effect": "Allow",
        "Principal": {"AWS": readers},
        "Action": "s3:GetObject",
        "Resource": objects,
    }
    put_bucket_policy(sandbox, IN_SYNC.bucket_name, policy(*others, statement))
    delete_role(sandbox, "gone")


def _audit(_sandbox: Sandbox, run: Run) -> Seen:
    result = run(
        "cloud_iam_info",
        cloud=IN_SYNC.name,
        account_id=ACCOUNT,
        compute_config=[IN_SYNC.compute_config_name],
        **TOOLING,
    )
    if result.get("failed"):
        return Seen({}, result["msg"])
    by_id = {check["id"]: check for check in result["checks"]}
    words = " ".join(check["reason"] for check in by_id.values() if check["status"] == UNKNOWN)
    return Seen({name: check["status"] for name, check in by_id.items()}, words)


def _seed_launches(sandbox: Sandbox) -> None:
    """One launch of each kind with the role, an instance, and a flavor of the scheduler."""
    sandbox.seed((IN_SYNC,))
    profile = {"IamInstanceProfile": {"Arn": IN_SYNC.instance_profile_arn}}
    flavor = {"name": "gpu", "advanced_instance_config": profile}
    sandbox.organization.scheduler.apply({"resource_flavors": [flavor]}, OWNER)
    name = {"name": {"equals": IN_SYNC.compute_config_name}}
    (template,) = sandbox.organization.templates.search(name, 0.0)
    for kind in STATES:
        sandbox.organization.launch(kind, IN_SYNC.cloud_id, kind, template["id"])
    sandbox.accounts.add_instance(ACCOUNT, REGION, IN_SYNC.cloud_id, ROLE)


def _launches(_sandbox: Sandbox, run: Run) -> Seen:
    result = run(
        "cloud_launches_info",
        cloud_id=IN_SYNC.cloud_id,
        account_id=ACCOUNT,
        compute_config=[IN_SYNC.compute_config_name],
        aws=True,
        **TOOLING,
    )
    if result.get("failed"):
        return Seen({}, result["msg"])
    judged = [*result["launches"], *result["instances"]]
    unsure = [one for one in judged if one["verdict"] == "cannot_tell"]
    facts = {one["kind"]: one["verdict"] for one in judged}
    configs = [one["name"] for one in result["compute_configs"]]
    return Seen(
        {
            "compute configs": configs or UNKNOWN,
            **facts,
            **dict.fromkeys([one["kind"] for one in unsure], UNKNOWN),
            **dict.fromkeys(result["unread"], UNKNOWN),
        },
        " ".join([*result["warnings"], *(one["reason"] for one in unsure)]),
    )


def _seed_a_cloud(sandbox: Sandbox) -> None:
    sandbox.seed((IN_SYNC,))


def _seed_a_node(sandbox: Sandbox) -> None:
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
    )
    make_role(sandbox, "node", trust, Path="/ray/")


def _identify(sandbox: Sandbox, _run: Run) -> Seen:
    """With the credentials of a node, whose role is under a path, which only IAM knows."""
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/ray/node"
    given = sandbox.client("sts", ACCOUNT).assume_role(
        RoleArn=role_arn, RoleSessionName="i-0abc1234def567890"
    )["Credentials"]
    keys = {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "session_token": given["SessionToken"],
    }
    try:
        result = read_identity(
            {**keys, "expected_role": role_arn, "default_role": None, "look_up_role": True}
        )
    except TaskError as error:
        return Seen({}, error.failure()["msg"])
    return Seen({name: result[name] for name in ("account_id", "role_name", "matches")})


def _list_the_fleet(sandbox: Sandbox, _run: Run) -> Seen:
    client = AnyscaleClient(sandbox.anyscale_url, sandbox.token)
    try:
        rows = read_rows(client, Choice(), threads=1)
    except TaskError as error:
        return Seen({}, error.failure()["msg"])
    facts = {
        row["cloud"]["name"]: UNKNOWN if row["failure"] else [*map(_lasting, row["resources"])]
        for row in rows
    }
    return Seen(facts, " ".join(row["failure"] or "" for row in rows))


def _lasting(resource: Json) -> Json:
    """What is the same each time that the accounts are prepared."""
    return {name: value for name, value in resource.items() if name != "created_at"}


def _seed_many_roles(sandbox: Sandbox) -> None:
    for number in range(READS_PER_PAGE):
        make_role(sandbox, f"role-{number}")


def _read_by_the_page(sandbox: Sandbox, _run: Run) -> Seen:
    session = BulkSession(
        {"access_key": caller_key(ACCOUNT), "secret_key": "sandbox", "account_id": ACCOUNT}
    )
    try:
        roles = [
            session.call("iam", "get_role", RoleName=f"role-{number}")["Role"]
            for number in range(READS_PER_PAGE)
        ]
    except TaskError as error:
        return Seen({}, error.failure()["msg"])
    return Seen(
        {role["RoleName"]: [role["Arn"], role["AssumeRolePolicyDocument"]] for role in roles}
    )


def _seed_many_buckets(sandbox: Sandbox) -> None:
    for number in range(READS_PER_PAGE):
        make_bucket(sandbox, f"anyscale-data-{number}")


def _find_regions_by_the_page(_sandbox: Sandbox, _run: Run) -> Seen:
    session = BulkSession(
        {"access_key": caller_key(ACCOUNT), "secret_key": "sandbox", "account_id": ACCOUNT}
    )
    names = [f"anyscale-data-{number}" for number in range(READS_PER_PAGE)]
    arguments = {"ExpectedBucketOwner": ACCOUNT}
    try:
        found = {
            name: session.call("s3", "get_bucket_location", Bucket=name, **arguments)
            for name in names
        }
    except TaskError as error:
        return Seen({}, error.failure()["msg"])
    return Seen({name: answer["LocationConstraint"] for name, answer in found.items()})


READ_ONLY_USES: dict[str, ReadOnlyUse] = {
    "an audit": ReadOnlyUse(
        {
            **{
                "AssumeRole": 1,
                "GetRole": 2,
                "ListAttachedRolePolicies": 2,
                "ListRolePolicies": 2,
                "GetRolePolicy": 3,
            },
            **{
                "GetPolicy": 3,
                "GetPolicyVersion": 3,
                "GetInstanceProfile": 1,
                "ListInstanceProfilesForRole": 1,
            },
            **{
                "GetBucketLocation": 1,
                "GetBucketPolicy": 1,
                "GetBucketTagging": 1,
                "GetBucketCors": 1,
                "GetBucketEncryption": 1,
                **dict.fromkeys(("DescribeKey", "GetKeyPolicy", "ListGrants"), 1),
                "ListRoles": 1,
                "ListUsers": 1,
            },
            **{CLOUDS: 1, ONE_CLOUD: 1, RESOURCES: 1, MAPPING: 1, SEARCH: 1},
            **{SCHEDULER: 1, POOLS: 1},
        },
        _seed_for_an_audit,
        _audit,
        spares=(ONE_CLOUD,),
    ),
    "what runs on a cloud": ReadOnlyUse(
        {
            **{"AssumeRole": 1, "GetRole": 1, "ListInstanceProfilesForRole": 1},
            **{"DescribeInstances": 1, ONE_CLOUD: 1, RESOURCES: 1, MAPPING: 1, SEARCH: 1},
            **{f"GET {path}": 1 for path in PATHS},
            **{ONE_CONFIG: 1, SCHEDULER: 1},
        },
        _seed_launches,
        _launches,
        spares=(ONE_CLOUD,),
    ),
    "a node's identity": ReadOnlyUse(
        {"GetCallerIdentity": 1, "GetRole": 1}, _seed_a_node, _identify, spares=("GetRole",)
    ),
    "the inventory": ReadOnlyUse({CLOUDS: 1, RESOURCES: 1}, _seed_a_cloud, _list_the_fleet),
    "a plan by the page": ReadOnlyUse(
        {"GetRole": READS_PER_PAGE - 1, "GetAccountAuthorizationDetails": 1},
        _seed_many_roles,
        _read_by_the_page,
        spares=("GetAccountAuthorizationDetails",),
    ),
    "regions of buckets by the page": ReadOnlyUse(
        {"GetCallerIdentity": 1, "GetBucketLocation": READS_PER_PAGE - 1, "ListBuckets": 1},
        _seed_many_buckets,
        _find_regions_by_the_page,
        spares=("ListBuckets",),
    ),
}


# --- changes --------------------------------------------------------------------------------------

_WRITERS: dict[str, Json] = {
    "iam_trust_ec2": {"role": ROLE},
    "s3_cloud_access": {"bucket": IN_SYNC.bucket_name, "roles": [IN_SYNC.role_arn]},
    "compute_config_profile": {
        "cloud_id": IN_SYNC.cloud_id,
        "name": IN_SYNC.compute_config_name,
        "role": ROLE,
    },
    "cloud_iam_mapping": {
        "cloud_id": IN_SYNC.cloud_id,
        "rules": [{"selector": "project=ml", "role": ROLE}],
    },
}


def _roll_back(cloud: Cloud, module: str, *states: str) -> t.Callable[[Sandbox, Run], Json]:
    """Let a module change a cloud, once for each state, keeping backups; the options that put these
    back.
    """

    def prepare(sandbox: Sandbox, run: Run) -> Json:
        sandbox.seed((cloud,))
        put_rules_of_others(sandbox, cloud)
        made = [run(module, **_WRITERS[module], state=state, backup=True) for state in states]
        return {"files": [result["backup_file"] for result in made]}

    return prepare


def _archive(sandbox: Sandbox, _run: Run) -> Json:
    sandbox.seed((IN_SYNC,))
    return {**_WRITERS["compute_config_profile"], "state": "archived"}


def put_rules_of_others(sandbox: Sandbox, cloud: Cloud) -> None:
    """A Cloud IAM mapping that another writer has made."""
    (resource,) = sandbox.organization.resources[cloud.cloud_id]
    path = (cloud.cloud_id, str(resource["cloud_resource_id"]))
    sandbox.organization.mappings[path[1]] = {
        **sandbox.organization.mapping(*path),
        "dataplane_iam_mapping": {
            "mode": "CUSTOMER_MANAGED",
            "rules": [{"selector": "user=jo@example.com", "value": "ray-jo"}],
            "fallback_rule": "FAIL",
        },
    }


def _map(sandbox: Sandbox, _run: Run) -> Json:
    sandbox.seed((IN_SYNC,))
    put_rules_of_others(sandbox, IN_SYNC)
    return _WRITERS["cloud_iam_mapping"]


_POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/bucket"


def _seed_own_policies(sandbox: Sandbox, *, is_attached: bool) -> None:
    """A managed policy for the bucket, and an inline policy of ours beside another statement."""
    sandbox.seed((IN_SYNC,))
    bucket = f"arn:aws:s3:::{IN_SYNC.bucket_name}"
    document = policy({"Effect": "Allow", "Action": "s3:*", "Resource": [bucket, f"{bucket}/*"]})
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_policy(PolicyName="bucket", PolicyDocument=json.dumps(document))
    if is_attached:
        iam.attach_role_policy(RoleName=ROLE, PolicyArn=_POLICY_ARN)
        statement = {**document["Statement"][0], "Sid": "AnyscaleClusterAccess"}
        iam.put_role_policy(
            RoleName=ROLE,
            PolicyName="AnyscaleClusterAccess",
            PolicyDocument=json.dumps(policy(statement)),
        )


def _move_to_managed_policy(sandbox: Sandbox, _run: Run) -> Json:
    _seed_own_policies(sandbox, is_attached=False)
    _leave_bucket_to_our_statement(sandbox)
    return {
        **_WRITERS["s3_cloud_access"],
        "grant": "role_policy",
        "policy_arn": _POLICY_ARN,
    }


def _leave_bucket_to_our_statement(sandbox: Sandbox) -> None:
    """The bucket's policy as the module writes it."""
    document = bucket_policy_of(sandbox, IN_SYNC.bucket_name) or policy()
    first = {**document["Statement"][0], "Sid": "AnyscaleClusterAccess"}
    first["Principal"] = {"AWS": IN_SYNC.role_arn}
    put_bucket_policy(sandbox, IN_SYNC.bucket_name, policy(first))


def _lose_own_policies(sandbox: Sandbox, _run: Run) -> Json:
    _seed_own_policies(sandbox, is_attached=True)
    return {
        **_WRITERS["s3_cloud_access"],
        "grant": "bucket_policy",
        "policy_arn": _POLICY_ARN,
    }


def _let_pass_role(sandbox: Sandbox, _run: Run) -> Json:
    sandbox.seed((IN_SYNC,))
    make_role(sandbox, "ray-team-b")
    return {
        "control_plane_role": "ray-team-b",
        "roles": [IN_SYNC.role_arn],
        "account_id": ACCOUNT,
    }


CHANGES: dict[str, Change] = {
    "a role that moves to a managed policy": Change(
        {
            **{"GetRole": 3, "ListAttachedRolePolicies": 5, "ListRolePolicies": 2},
            **{"GetPolicy": 4, "GetPolicyVersion": 4, "GetRolePolicy": 1, "GetCallerIdentity": 1},
            **{"AttachRolePolicy": 1, "GetBucketPolicy": 3, "DeleteBucketPolicy": 1},
        },
        "s3_cloud_access",
        _move_to_managed_policy,
        quick_reads=False,
    ),
    "own policies that lose a bucket": Change(
        {
            **{"GetRole": 7, "GetRolePolicy": 3, "ListAttachedRolePolicies": 3},
            **{"GetBucketPolicy": 1, "GetCallerIdentity": 1},
            **{"DeleteRolePolicy": 1, "DetachRolePolicy": 1},
        },
        "s3_cloud_access",
        _lose_own_policies,
        quick_reads=False,
    ),
    "what a control-plane role may pass": Change(
        {
            **{"GetRole": 4, "ListAttachedRolePolicies": 4, "ListRolePolicies": 4},
            **{"GetPolicy": 1, "GetPolicyVersion": 1},
            **{"GetRolePolicy": 1, "GetInstanceProfile": 3, "GetCallerIdentity": 1},
            **{"PutRolePolicy": 1},
        },
        "iam_pass_role",
        _let_pass_role,
        quick_reads=False,
    ),
    "a trust policy that is put back": Change(
        {"GetRole": 3, "UpdateAssumeRolePolicy": 1},
        "backup_restore",
        _roll_back(OLD, "iam_trust_ec2", "present"),
    ),
    "a bucket policy that is put back": Change(
        {"GetBucketPolicy": 3, "PutBucketPolicy": 1},
        "backup_restore",
        _roll_back(OLD, "s3_cloud_access", "present"),
    ),
    "a bucket policy that is taken away again": Change(
        {"GetBucketPolicy": 3, "DeleteBucketPolicy": 1},
        "backup_restore",
        _roll_back(BARE, "s3_cloud_access", "present"),
    ),
    "a compute config that is put back": Change(
        {SEARCH: 3, CREATE: 1},
        "backup_restore",
        _roll_back(OLD, "compute_config_profile", "present"),
    ),
    "a compute config with more versions since": Change(
        {SEARCH: 5, CREATE: 1},
        "backup_restore",
        _roll_back(OLD, "compute_config_profile", "present", "absent", "present"),
    ),
    "a compute config that is taken away again": Change(
        {SEARCH: 3, ARCHIVE: 1},
        "backup_restore",
        _roll_back(BARE, "compute_config_profile", "present"),
    ),
    "a compute config that comes out of the archive": Change(
        {SEARCH: 3, UNARCHIVE: 1, CREATE: 1},
        "backup_restore",
        _roll_back(OLD, "compute_config_profile", "present", "archived"),
    ),
    "rules that are merged": Change(
        {
            **{"GetCallerIdentity": 1, "GetRole": 2, "GetInstanceProfile": 2},
            **{"ListAttachedRolePolicies": 1, "ListRolePolicies": 1},
            **{"GetPolicy": 1, "GetPolicyVersion": 1},
            **{RESOURCES: 1, MAPPING: 4, USER: 2, PUT_MAPPING: 1},
        },
        "cloud_iam_mapping",
        _map,
    ),
    "rules that are put back": Change(
        {RESOURCES: 1, MAPPING: 4, USER: 2, PUT_MAPPING: 1},
        "backup_restore",
        _roll_back(IN_SYNC, "cloud_iam_mapping", "merged"),
    ),
    "a compute config that is archived": Change(
        {SEARCH: 3, RESOURCES: 1, ARCHIVE: 1}, "compute_config_profile", _archive
    ),
}

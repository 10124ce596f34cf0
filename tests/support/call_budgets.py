# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states that a cloud is found in, and the calls that the fleet engine and each module may make
for it in each: their budgets.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import writes
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    PARTNER_ACCOUNT,
    ROLE,
    Json,
    delete_role,
    make_role,
    policy,
    put_bucket_policy,
    put_trust,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloud_ways import (
    OWN_POLICY,
    give_own_access,
    put_mapping,
    put_our_statement,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run

SEARCH = "POST /api/v2/compute_templates/search"
RESOURCES = "GET /api/v2/clouds/{id}/resources"
DEFAULT = "GET /api/v2/compute_templates/default/{id}"
CREATE = "POST /api/v2/compute_templates/"
MAPPING = "GET /api/v2/clouds/{id}/deployment/{id}/config"
SET_MAPPING = "PUT /api/v2/clouds/{id}/deployment/{id}/config"
USERINFO = "GET /api/v2/userinfo/"
LEAST: t.Mapping[str, int] = {
    "GetRole": 1,
    "GetInstanceProfile": 1,
    "GetBucketPolicy": 1,
    SEARCH: 1,
}

NEW = Cloud("orbit", ACCOUNT, role=ROLE, trust="foreign_principal", bucket_policy="foreign_reader")
IN_SYNC = dataclasses.replace(
    NEW,
    trust="cloudformation",
    bucket_policy="complete",
    profile="filled",
    compute_config="in_sync",
)
EC2 = {**LAMBDA, "Principal": {"Service": "ec2.amazonaws.com"}}
TOOLING: Json = {
    "access_key": caller_key(TOOLING_ACCOUNT),
    "secret_key": "sandbox",
    "assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{ONBOARDING_ROLE}",
}
GIVEN: Json = {
    "cloud_id": NEW.cloud_id,
    "account_id": ACCOUNT,
    "role": ROLE,
    "bucket": NEW.bucket_name,
    "compute_config": NEW.compute_config_name,
}
_GROUP_ROLE = f"{ROLE}-gpu"
# What a module is given instead.
OF_MODULES: dict[str, Json] = {
    "iam_trust_ec2": {"cloud_id": None, "bucket": None, "compute_config": None},
    "s3_cloud_access": {
        **{"cloud_id": None, "role": None, "compute_config": None},
        "roles": [NEW.role_arn],
    },
    "compute_config_profile": {
        **{"bucket": None, "compute_config": None},
        "name": NEW.compute_config_name,
    },
}


@dataclasses.dataclass(frozen=True)
class Scene:
    """A cloud as it is found, and each call that it takes to converge it.

    changes: to a cloud in sync; spoil: what is done to it then. options: of the module or of the
    engine's cloud, beside those of every scene; ``None`` takes one away. module: what converges it;
    by default the engine, for one cloud.
    """

    calls: t.Mapping[str, int]
    changes: Json = dataclasses.field(default_factory=dict)
    options: Json = dataclasses.field(default_factory=dict)
    spoil: t.Callable[[Sandbox], None] = lambda sandbox: None
    module: str = ""
    settled: t.Mapping[str, int] = dataclasses.field(default_factory=lambda: LEAST)

    def prepare(self, sandbox: Sandbox) -> None:
        """Nothing but this cloud in the sandbox."""
        sandbox.reset()
        sandbox.seed((dataclasses.replace(IN_SYNC, **self.changes),))
        self.spoil(sandbox)
        sandbox.clear_calls()

    @property
    def changes_something(self) -> bool:
        """Whether the cloud is found in another state than it is to have."""
        return any(writes("anyscale" if "/" in call else "aws", call) for call in self.calls)

    @property
    def takes_out(self) -> bool:
        """Whether statements go that were there."""
        return not {"state", "prune_dangling_principals", "bucket_grant"}.isdisjoint(self.options)

    def run(self, run_module: Run, check: bool = False) -> Json:
        """Converge the cloud. Returns the result, of the engine or of the module."""
        given = {**GIVEN, **TOOLING, **OF_MODULES.get(self.module, {}), **self.options}
        given = {name: value for name, value in given.items() if value is not None}
        if self.module:
            return run_module(self.module, check=check, **given)
        state = given.pop("state", "present")
        variables = {**given, "lock_dir": str(Path.home() / "locks")}
        return engine_runs.converge({NEW.name: variables}, state, check_mode=check)[NEW.name]


def _readable_by_a_deleted_principal(sandbox: Sandbox) -> None:
    readers = [make_role(sandbox, "gone"), f"arn:aws:iam::{PARTNER_ACCOUNT}:root"]
    objects = f"arn:aws:s3:::{NEW.bucket_name}/*"
    statement = {
        "Sid": "Readers",
        "Effect": "Allow",
        "Principal": {"AWS": readers},
        "Action": "s3:GetObject",
        "Resource": objects,
    }
    put_bucket_policy(sandbox, NEW.bucket_name, policy(statement))
    delete_role(sandbox, "gone")


def _with_policies_of_its_role(sandbox: Sandbox) -> None:
    document = json.dumps(policy({"Effect": "Allow", "Action": "logs:*", "Resource": "*"}))
    iam = sandbox.client("iam", ACCOUNT)
    iam.put_role_policy(RoleName=ROLE, PolicyName="inline", PolicyDocument=document)
    made = iam.create_policy(PolicyName="managed", PolicyDocument=document)
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=made["Policy"]["Arn"])


def _with_a_role_for_a_node_group(sandbox: Sandbox) -> None:
    make_role(sandbox, _GROUP_ROLE)


def _with_access_of_its_own(sandbox: Sandbox) -> None:
    give_own_access(sandbox, NEW)


def _with_our_own_policy(sandbox: Sandbox) -> None:
    give_own_access(sandbox, NEW, OWN_POLICY)


def _with_our_statement(sandbox: Sandbox) -> None:
    put_our_statement(sandbox, NEW)


def _with_a_rule(sandbox: Sandbox) -> None:
    put_mapping(sandbox, NEW, [{"selector": "project=orbit", "value": ROLE}])


def _trusted_by_lambda_too(sandbox: Sandbox) -> None:
    put_trust(sandbox, policy(LAMBDA, EC2))


_NEW = {
    field: getattr(NEW, field) for field in ("trust", "bucket_policy", "profile", "compute_config")
}
# Before clusters run with a role: who the run itself is, and which policies the role has. Those of
# most scenes have one that AWS manages, which is read once in a run. Before any change: in which
# account the cloud is registered.
_LIST = {"ListAttachedRolePolicies": 1, "ListRolePolicies": 1}
_OF_AWS = {"GetPolicy": 1, "GetPolicyVersion": 1}
_JUDGE = {**_LIST, **_OF_AWS}
_SOURCE = {"GetCallerIdentity": 1}
# Before a bucket's policy is changed, and under its lock: whether a role's own policies give it the
# access. The engine reads them to plan and to write, and after an offboarding to tell what is left.
_OWN = {**{name: 2 * count for name, count in _LIST.items()}, **_OF_AWS}
_OWN_LEFT = {**_OWN, "ListAttachedRolePolicies": 3, "ListRolePolicies": 3, "GetRolePolicy": 1}
_READS = {"AssumeRole": 1, "GetRole": 1, "GetBucketPolicy": 1, "GetInstanceProfile": 1, SEARCH: 1}
_MAKE = {
    **_READS,
    **_SOURCE,
    **_OWN,
    **{name: count + _OWN[name] for name, count in _LIST.items()},
    **{"GetRole": 8, "UpdateAssumeRolePolicy": 1},
    **{"GetBucketPolicy": 3, "PutBucketPolicy": 1},
    **{"GetInstanceProfile": 3, "CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
    **{SEARCH: 4, RESOURCES: 1, DEFAULT: 2, CREATE: 1},
}
_NO_ROLE_TO_ASSUME = dict.fromkeys(TOOLING)

# The ways to the bucket and to the role that a cloud's variables choose.
_BY_ROLE: Json = {"bucket_grant": "role_policy"}
_BY_BUCKET: Json = {"bucket_grant": "bucket_policy"}
_NO_STATEMENT: Json = {"bucket_policy": "foreign_reader"}
_RULES: Json = {
    "assign": "iam_mapping",
    "mapping_rules": [{"selector": "project=orbit", "role": ROLE}],
    "compute_config": None,
}
# All of a role's own policies are judged, of which one is AWS's and one grants the access.
_READ_OWN = {**_READS, **_JUDGE, "GetRole": 2, "GetRolePolicy": 1}
_READ_RULES = {**{name: 1 for name in _READS if name != SEARCH}, RESOURCES: 1, MAPPING: 1}
_SET_RULES = {
    **_READ_RULES,
    **_SOURCE,
    **_JUDGE,
    **{"GetRole": 3, "GetInstanceProfile": 3},
    **{MAPPING: 4, USERINFO: 2, SET_MAPPING: 1},
}
_GRANT_OWN = {
    **_READS,
    **_SOURCE,
    **{name: 3 * count for name, count in _LIST.items()},
    **_OF_AWS,
    **{"GetRole": 4, RESOURCES: 1, "PutRolePolicy": 1, "GetRolePolicy": 1},
}
BY_OTHER_WAYS: dict[str, Scene] = {
    "in sync, with access by the role's own policies": Scene(
        _READ_OWN, _NO_STATEMENT, spoil=_with_access_of_its_own, settled=_READ_OWN
    ),
    "in sync, with access by our inline policy of the role": Scene(
        _READ_OWN, _NO_STATEMENT, _BY_ROLE, _with_our_own_policy, settled=_READ_OWN
    ),
    "in sync, with access by the bucket's policy alone": Scene(
        {**_READS, "GetRolePolicy": 1},
        options=_BY_BUCKET,
        settled={**_READS, "GetRolePolicy": 1},
    ),
    "access to come from an inline policy of the role": Scene(
        _GRANT_OWN, _NO_STATEMENT, _BY_ROLE, settled=_READ_OWN
    ),
    "access to move to an inline policy of the role": Scene(
        {**_GRANT_OWN, "GetBucketPolicy": 3, "DeleteBucketPolicy": 1},
        _NO_STATEMENT,
        _BY_ROLE,
        _with_our_statement,
        settled=_READ_OWN,
    ),
    "access to move to the bucket's policy": Scene(
        {
            **_READS,
            **_SOURCE,
            **{"GetRole": 4, "GetRolePolicy": 3, "DeleteRolePolicy": 1},
            **{"GetBucketPolicy": 3, "PutBucketPolicy": 1, RESOURCES: 1},
        },
        _NO_STATEMENT,
        _BY_BUCKET,
        _with_our_own_policy,
        settled={**_READS, "GetRolePolicy": 1},
    ),
    "in sync, with a rule of the Cloud IAM mapping": Scene(
        _READ_RULES, options=_RULES, spoil=_with_a_rule, settled=_READ_RULES
    ),
    "no rule in the Cloud IAM mapping": Scene(_SET_RULES, options=_RULES, settled=_READ_RULES),
    "no rule in the Cloud IAM mapping, and no instance profile": Scene(
        {**_SET_RULES, "GetRole": 5, "CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
        {"profile": "missing"},
        _RULES,
        settled=_READ_RULES,
    ),
}

# Each document that is changed is read again under its lock, and once more after the
# change.
SCENES: dict[str, Scene] = {
    "in sync": Scene(_READS),
    "EC2 not trusted": Scene(
        {**_READS, **_SOURCE, **_JUDGE, "GetRole": 3, "UpdateAssumeRolePolicy": 1, RESOURCES: 1},
        {"trust": "foreign_principal"},
    ),
    "EC2 not trusted, and the role has policies": Scene(
        {
            **_READS,
            **_SOURCE,
            **_JUDGE,
            **{"GetRolePolicy": 1, "GetPolicy": 2, "GetPolicyVersion": 2},
            **{"GetRole": 3, "UpdateAssumeRolePolicy": 1, RESOURCES: 1},
        },
        {"trust": "foreign_principal"},
        spoil=_with_policies_of_its_role,
    ),
    "no bucket access": Scene(
        {
            **_READS,
            **_SOURCE,
            **_OWN,
            **{"GetRole": 4, "GetBucketPolicy": 3, "PutBucketPolicy": 1, RESOURCES: 1},
        },
        {"bucket_policy": "foreign_reader"},
    ),
    "deleted principal in the bucket policy": Scene(
        {
            **_READS,
            **_SOURCE,
            **_OWN,
            **{"GetRole": 4, "ListRoles": 3, "ListUsers": 3},
            **{"GetBucketPolicy": 3, "PutBucketPolicy": 1, RESOURCES: 1},
        },
        {"bucket_policy": "none"},
        {"prune_dangling_principals": True},
        _readable_by_a_deleted_principal,
    ),
    "no instance profile": Scene(
        {
            **_READS,
            **_SOURCE,
            **_JUDGE,
            **{"GetRole": 3, "GetInstanceProfile": 3, RESOURCES: 1},
            **{"CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
        },
        {"profile": "missing"},
    ),
    "instance profile without its role": Scene(
        {
            **_READS,
            **_SOURCE,
            **_JUDGE,
            **{"GetRole": 3, "GetInstanceProfile": 3, "AddRoleToInstanceProfile": 1},
            **{RESOURCES: 1},
        },
        {"profile": "empty"},
    ),
    "no compute config": Scene(
        {**_READS, **_SOURCE, **_JUDGE, SEARCH: 4, RESOURCES: 1, DEFAULT: 2, CREATE: 1},
        {"compute_config": "missing"},
    ),
    "another instance profile in the compute config": Scene(
        {**_READS, **_SOURCE, **_JUDGE, SEARCH: 3, RESOURCES: 1, CREATE: 1},
        {"compute_config": "other_profile"},
    ),
    "nothing created yet": Scene(_MAKE, _NEW),
    "nothing created yet, without a role to assume": Scene(
        {
            "GetCallerIdentity": 1,
            **{name: count for name, count in _MAKE.items() if name != "AssumeRole"},
        },
        _NEW,
        _NO_ROLE_TO_ASSUME,
    ),
    "in sync, with the registered role": Scene({**_READS, RESOURCES: 1}, {}, {"role": None}),
    "to be offboarded": Scene(
        {
            **_READS,
            **_OWN_LEFT,
            **{"GetCallerIdentity": 1, "GetRole": 6, "UpdateAssumeRolePolicy": 1},
            **{"GetBucketPolicy": 3, "DeleteBucketPolicy": 1},
            **{SEARCH: 3, RESOURCES: 1, CREATE: 1},
        },
        {},
        {"state": "absent"},
        _trusted_by_lambda_too,
    ),
    **BY_OTHER_WAYS,
}
_TRUST, _BUCKET, _CONFIG = OF_MODULES
_READ_TRUST = {"AssumeRole": 1, "GetRole": 1}
_READ_BUCKET = {"AssumeRole": 1, "GetBucketPolicy": 1}
_READ_CONFIG = {"AssumeRole": 1, "GetInstanceProfile": 1, SEARCH: 1}
_LET_EC2 = {**_READ_TRUST, **_SOURCE, **_JUDGE, "GetRole": 3, "UpdateAssumeRolePolicy": 1}
_WRITE_TRUST = {**_READ_TRUST, "GetRole": 3, "UpdateAssumeRolePolicy": 1}
_WRITE_BUCKET = {
    **_READ_BUCKET,
    **_SOURCE,
    **_JUDGE,
    "GetRole": 1,
    "GetBucketPolicy": 3,
    "PutBucketPolicy": 1,
}
_WRITE_CONFIG = {**_READ_CONFIG, SEARCH: 3, RESOURCES: 1, CREATE: 1}

# The modules, as tasks of their own and in the role.
MODULE_SCENES: dict[str, Scene] = {
    "trust in sync": Scene(_READ_TRUST, module=_TRUST),
    "trust missing": Scene(_LET_EC2, {"trust": "foreign_principal"}, module=_TRUST),
    "trust of the registered role, in sync": Scene(
        {**_READ_TRUST, RESOURCES: 1},
        options={"role": None, "cloud_id": NEW.cloud_id},
        module=_TRUST,
    ),
    "trust to be removed": Scene(
        {**_WRITE_TRUST, "GetCallerIdentity": 1},
        {},
        {"state": "absent"},
        _trusted_by_lambda_too,
        _TRUST,
    ),
    "access in sync": Scene(_READ_BUCKET, module=_BUCKET),
    "access missing": Scene(_WRITE_BUCKET, {"bucket_policy": "foreign_reader"}, module=_BUCKET),
    "access missing, and a deleted principal": Scene(
        {**_WRITE_BUCKET, "ListRoles": 2, "ListUsers": 2},
        {"bucket_policy": "none"},
        {"prune_dangling_principals": True},
        _readable_by_a_deleted_principal,
        _BUCKET,
    ),
    "access of the registered role, in sync": Scene(
        {**_READ_BUCKET, RESOURCES: 1},
        options={"roles": None, "cloud_id": NEW.cloud_id},
        module=_BUCKET,
    ),
    "access to be removed": Scene(
        {
            **_READ_BUCKET,
            **_JUDGE,
            **{"GetRole": 1, "GetBucketPolicy": 3, "DeleteBucketPolicy": 1, "GetRolePolicy": 1},
        },
        options={"state": "absent"},
        module=_BUCKET,
    ),
    "compute config in sync": Scene(_READ_CONFIG, module=_CONFIG),
    "compute config missing": Scene(
        {**_WRITE_CONFIG, **_SOURCE, **_JUDGE, SEARCH: 4, DEFAULT: 1},
        {"compute_config": "missing"},
        module=_CONFIG,
    ),
    "compute config missing, and the instance profile": Scene(
        {
            **_WRITE_CONFIG,
            **_SOURCE,
            **_JUDGE,
            **{"GetRole": 2, "GetInstanceProfile": 3, SEARCH: 4, DEFAULT: 1},
            **{"CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
        },
        {"profile": "missing", "compute_config": "missing"},
        module=_CONFIG,
    ),
    "compute config with another instance profile": Scene(
        {**_WRITE_CONFIG, **_SOURCE, **_JUDGE},
        {"compute_config": "other_profile"},
        module=_CONFIG,
    ),
    "compute config with a node group that is to have a role of its own": Scene(
        {
            **_WRITE_CONFIG,
            **_SOURCE,
            **_OWN,
            **{"GetRole": 2, "GetInstanceProfile": 4},
            **{"CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
        },
        options={"node_group_roles": {"cpu": _GROUP_ROLE}},
        spoil=_with_a_role_for_a_node_group,
        module=_CONFIG,
    ),
    "compute config from which the instance profile is to be removed": Scene(
        _WRITE_CONFIG, options={"state": "absent"}, module=_CONFIG
    ),
}
ALL_SCENES = {
    **SCENES,
    **{f"{scene.module}, {name}": scene for name, scene in MODULE_SCENES.items()},
}

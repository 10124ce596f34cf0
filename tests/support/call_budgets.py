# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states that a cloud is found in, and the calls that the module ``cloud_iam`` may make for it
in each: its budget.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
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

SEARCH = "POST /api/v2/compute_templates/search"
RESOURCES = "GET /api/v2/clouds/{id}/resources"
DEFAULT = "GET /api/v2/compute_templates/default/{id}"
CREATE = "POST /api/v2/compute_templates/"

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
    **TOOLING,
}


@dataclasses.dataclass(frozen=True)
class Scene:
    """A cloud as it is found, and each call that it takes to converge it.

    changes: to a cloud in sync; spoil: what is done to it then. options: of the module,
    beside those of every scene; ``None`` takes one away.
    """

    calls: t.Mapping[str, int]
    changes: Json = dataclasses.field(default_factory=dict)
    options: Json = dataclasses.field(default_factory=dict)
    spoil: t.Callable[[Sandbox], None] = lambda sandbox: None

    def prepare(self, sandbox: Sandbox) -> None:
        """Nothing but this cloud in the sandbox."""
        sandbox.reset()
        sandbox.seed((dataclasses.replace(IN_SYNC, **self.changes),))
        self.spoil(sandbox)
        sandbox.clear_calls()

    @property
    def takes_out(self) -> bool:
        """Whether statements go that were there."""
        return "state" in self.options or "prune_dangling_principals" in self.options

    @property
    def arguments(self) -> Json:
        """The module's options."""
        return {
            name: value for name, value in {**GIVEN, **self.options}.items() if value is not None
        }


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


def _trusted_by_lambda_too(sandbox: Sandbox) -> None:
    put_trust(sandbox, policy(LAMBDA, EC2))


_NEW = {
    field: getattr(NEW, field) for field in ("trust", "bucket_policy", "profile", "compute_config")
}
_READS = {"AssumeRole": 1, "GetRole": 1, "GetBucketPolicy": 1, "GetInstanceProfile": 1, SEARCH: 1}
_MAKE = {
    **_READS,
    **{"GetRole": 6, "UpdateAssumeRolePolicy": 1},
    **{"GetBucketPolicy": 3, "PutBucketPolicy": 1},
    **{"GetInstanceProfile": 4, "CreateInstanceProfile": 1, "AddRoleToInstanceProfile": 1},
    **{SEARCH: 3, RESOURCES: 1, DEFAULT: 1, CREATE: 1},
}

# Each document that is changed is read again under its lock, and once more after the
# change.
SCENES: dict[str, Scene] = {
    "in sync": Scene(_READS),
    "EC2 not trusted": Scene(
        {**_READS, "GetRole": 3, "UpdateAssumeRolePolicy": 1}, {"trust": "foreign_principal"}
    ),
    "no bucket access": Scene(
        {**_READS, "GetRole": 2, "GetBucketPolicy": 3, "PutBucketPolicy": 1},
        {"bucket_policy": "foreign_reader"},
    ),
    "deleted principal in the bucket policy": Scene(
        {
            **_READS,
            "GetRole": 2,
            "GetBucketPolicy": 3,
            "ListRoles": 1,
            "ListUsers": 1,
            "PutBucketPolicy": 1,
        },
        {"bucket_policy": "none"},
        {"prune_dangling_principals": True},
        _readable_by_a_deleted_principal,
    ),
    "no instance profile": Scene(
        {
            **_READS,
            "GetRole": 3,
            "GetInstanceProfile": 4,
            SEARCH: 3,
            "CreateInstanceProfile": 1,
            "AddRoleToInstanceProfile": 1,
        },
        {"profile": "missing"},
    ),
    "instance profile without its role": Scene(
        {**_READS, "GetRole": 3, "GetInstanceProfile": 4, SEARCH: 3, "AddRoleToInstanceProfile": 1},
        {"profile": "empty"},
    ),
    "no compute config": Scene(
        {**_READS, "GetInstanceProfile": 2, SEARCH: 3, RESOURCES: 1, DEFAULT: 1, CREATE: 1},
        {"compute_config": "missing"},
    ),
    "another instance profile in the compute config": Scene(
        {**_READS, "GetInstanceProfile": 2, SEARCH: 3, RESOURCES: 1, CREATE: 1},
        {"compute_config": "other_profile"},
    ),
    "nothing created yet": Scene(_MAKE, _NEW),
    "nothing created yet, without a role to assume": Scene(
        {
            "GetCallerIdentity": 1,
            **{name: count for name, count in _MAKE.items() if name != "AssumeRole"},
        },
        _NEW,
        dict.fromkeys(TOOLING),
    ),
    "to be offboarded": Scene(
        {
            **_READS,
            **{"GetRole": 4, "UpdateAssumeRolePolicy": 1},
            **{"GetBucketPolicy": 3, "DeleteBucketPolicy": 1},
            **{"GetInstanceProfile": 2, SEARCH: 3, RESOURCES: 1, CREATE: 1},
        },
        {},
        {"state": "absent"},
        _trusted_by_lambda_too,
    ),
}

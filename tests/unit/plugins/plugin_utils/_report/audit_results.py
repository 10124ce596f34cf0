# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results as the module cloud_iam_info gives them, made for the tests of the report: single ones,
and a fleet of any size.
"""

from __future__ import annotations

import json
import random
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

ACCOUNT = "222222222222"
WORDS = {check.id: check for check in CHECKS}
TITLES = {name: words.title for name, words in WORDS.items()}

Json = dict[str, t.Any]


def check(check_id: str = "trust_ec2", status: str = "pass", **more: t.Any) -> Json:
    """One check."""
    details = {"reason": f"It is {status}.", "evidence": {}, "remedy": "", "command": ""}
    title = WORDS[check_id].title_of(status)
    return {"id": check_id, "title": title, "status": status, **details, **more}


def result(name: str, *checks: Json, **facts: t.Any) -> Json:
    """The result for one cloud."""
    role = f"{name}-ray"
    role_arn = f"arn:aws:iam::{facts.get('account_id', ACCOUNT)}:role/{role}"
    cloud = {
        "cloud_id": f"cld_{name.replace('-', '')}",
        "cloud_name": name,
        "account_id": ACCOUNT,
        "region": "us-west-2",
        "default_role_arn": role_arn,
        "default_role_source": "registered",
        "role": {
            "arn": role_arn,
            "name": role,
            "id": "AROAEXAMPLE",
            "path": "/",
            "permissions_boundary": None,
        },
        "instance_profiles": [
            {
                "name": role,
                "arn": role_arn.replace(":role/", ":instance-profile/"),
                "roles": [role_arn],
            }
        ],
        "bucket": {"name": f"anyscale-{name}-data", "region": "us-west-2", "account_id": ACCOUNT},
        "control_plane_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{name}-crossacct-iam-role",
        "compute_configs": [],
        "iam_mappings": [],
        **facts,
    }
    return {"changed": False, "cloud": cloud, "checks": list(checks)}


def fleet(size: int, seed: int = 7, drift: float = 1.0) -> dict[str, Json]:
    """A fleet in which most clouds are in sync. ``drift`` scales how many are not; the same seed
    gives the same fleet.
    """
    accounts = [
        f"{random.Random(seed + number).randrange(10**12):012}"
        for number in range(max(1, size // 12))
    ]
    regions = ["us-west-2", "us-east-1", "eu-central-1", "eu-west-1", "ap-southeast-2"]
    teams = ("vision", "speech", "search", "genomics", "forecast", "robotics")
    names = [f"{team}-{stage}" for team in teams for stage in ("prod", "dev", "lab")]
    made = {}
    for number in range(size):
        # of its own: a cloud is the same whatever the others draw
        chance = random.Random(f"{seed} {number}")
        name = names[number] if size <= len(names) else f"{names[number % len(names)]}-{number:04}"
        account, region = chance.choice(accounts), chance.choice(regions)
        if chance.random() < 0.02 * drift:
            made[name] = {
                "failed": True,
                "msg": f"AWS refused AssumeRole for {name}: AccessDenied. Check the role's trust.",
            }
            continue
        checks = [_drawn(check_id, name, account, chance, drift) for check_id in TITLES]
        made[name] = result(
            name,
            *checks,
            account_id=account,
            region=region,
            compute_configs=[_compute_config(name, account)],
        )
    return made


_ODDS = {
    "trust_ec2": 0.09,
    "bucket_access": 0.11,
    "control_plane_pass_role": 0.06,
    "compute_config_override": 0.07,
    "effective_profile": 0.05,
}


def _drawn(check_id: str, name: str, account: str, chance: random.Random, drift: float) -> Json:
    """A check whose status is drawn; those that fail have what a real one would show."""
    luck, odds = chance.random(), _ODDS.get(check_id, 0.012) * drift
    if luck < odds:
        status = (
            "warn"
            if check_id in ("document_owner", "permissions_boundary", "bucket_dangling_principals")
            else "fail"
        )
        return check(check_id, status, **_finding(check_id, name, account))
    if luck < odds + 0.006 * drift:
        return check(
            check_id,
            "unknown",
            reason=f"iam:GetRolePolicy was refused in account {account}, so this is unknown.",
        )
    if check_id.startswith("compute_config") and luck > 0.93:
        return check(check_id, "not_applicable", reason="The cloud runs on Kubernetes.")
    return check(
        check_id,
        reason="As it should be.",
        evidence={"role_arn": f"arn:aws:iam::{account}:role/{name}-ray"},
    )


def _finding(check_id: str, name: str, account: str) -> Json:
    if check_id.startswith("trust"):
        trust = trust_policy("lambda.amazonaws.com")
        return {
            "reason": f"No statement lets ec2.amazonaws.com assume the role {name}-ray.",
            "evidence": {
                "before": trust,
                "after": {**trust, "Statement": [*trust["Statement"], EC2_STATEMENT]},
            },
            "remedy": f"ansible-playbook rayfleet.anyscale.onboard --limit {name}",
        }
    if check_id == "bucket_access":
        before, after = bucket_policies(name, account)
        return {
            "reason": (
                f"The policy of anyscale-{name}-data does not grant s3:PutObject and "
                "s3:DeleteObject to the role."
            ),
            "evidence": {
                "before": before,
                "after": after,
                "missing_actions": ["s3:PutObject", "s3:DeleteObject"],
            },
            "remedy": f"ansible-playbook rayfleet.anyscale.onboard --limit {name}",
        }
    return {
        "reason": (
            f"The control-plane role {name}-crossacct-iam-role may not do this: no statement of "
            "its three policies allows it."
        ),
        "evidence": {"policies": [f"{name}-base", f"{name}-ec2"], "simulated": "implicitDeny"},
        "remedy": json.dumps(
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": f"arn:aws:iam::{account}:role/{name}-ray",
            },
            indent=2,
        ),
    }


EC2_STATEMENT = {
    "Sid": "AnyscaleEC2Trust",
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def trust_policy(*services: str) -> Json:
    """A trust policy with a statement for each service."""
    statements = [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        for service in services
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def bucket_policies(name: str, account: str) -> tuple[Json, Json]:
    """A bucket's policy with an unmanaged statement, and with the role's access made complete."""
    arn = f"arn:aws:s3:::anyscale-{name}-data"
    tls = {
        "Sid": "AllowSSLRequestsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    ours = {
        "Sid": "AnyscaleClusterAccess",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:role/{name}-ray"},
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": [arn, f"{arn}/*"],
    }
    whole = {
        **ours,
        "Action": [
            "s3:ListBucket",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
        ],
    }
    return {"Version": "2012-10-17", "Statement": [tls, ours]}, {
        "Version": "2012-10-17",
        "Statement": [tls, whole],
    }


def _compute_config(name: str, account: str) -> Json:
    profile = f"arn:aws:iam::{account}:instance-profile/{name}-ray"
    groups = [
        {
            "deployment": None,
            "node_group": group,
            "instance_profile_arn": profile,
            "decided_by": decided,
        }
        for group, decided in (
            ("head_node", "compute_config"),
            ("gpu-workers", "compute_config"),
            ("cpu-workers", "cloud"),
        )
    ]
    return {"name": f"{name}-ray", "version": 3, "id": f"cpt_{name}", "node_groups": groups}

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of a run are restored in an order in which clusters always have what they need."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    documents_of,
    moves_roles,
)

ACCOUNT, OTHER = "222222222222", "333333333333"


def trust(role: str, account: str = ACCOUNT) -> Backup:
    return Backup(
        "trust_policy", {"role_arn": f"arn:aws:iam::{account}:role/ray/{role}"}, account, {}, {}
    )


def own(kind: str, role: str, account: str = ACCOUNT) -> Backup:
    """Of a role's own policies."""
    target = {"role_arn": f"arn:aws:iam::{account}:role/{role}"}
    if kind == "role_policy":
        return Backup(kind, {**target, "policy_name": "Ours"}, account, None, {})
    return Backup(kind, {**target, "policy_arn": "arn:aws:iam::aws:policy/x"}, account, None, {})


def bucket(name: str, account: str = ACCOUNT) -> Backup:
    return Backup("bucket_policy", {"bucket": name}, account, None, {})


def config(name: str, cloud_id: str = "cld_1", account: str = ACCOUNT) -> Backup:
    return Backup("compute_config", {"cloud_id": cloud_id, "name": name}, account, None, {})


def mapping(
    cloud_id: str = "cld_1", resource_id: str = "cldrsrc_1", account: str = ACCOUNT
) -> Backup:
    spec = {"dataplane_iam_mapping": {}}
    target = {"cloud_id": cloud_id, "resource_id": resource_id}
    return Backup("iam_mapping", target, account, spec, spec)


def test_what_clusters_run_with_is_taken_back_the_other_way_round() -> None:
    """Compute configs and mappings before all buckets, and these before all trust policies, also where
    another cloud wrote to one later.
    """
    backups = {
        "/z/1.json": trust("a"),
        "/y/2.json": bucket("bucket-1"),
        "/z/3.json": config("team"),
        "/z/4.json": trust("b"),
        "/x/5.json": bucket("bucket-1"),
        "/x/6.json": trust("a"),
        "/x/7.json": config("former"),
        "/x/8.json": mapping(),
    }
    documents = documents_of(dict(reversed(backups.items())))
    assert [document.files for document in documents] == [
        ("/x/8.json",),
        ("/x/7.json",),
        ("/z/3.json",),
        ("/y/2.json", "/x/5.json"),
        ("/z/1.json", "/x/6.json"),
        ("/z/4.json",),
    ]


def test_a_role_that_moved_from_one_way_to_the_other_keeps_its_bucket() -> None:
    """What was written last is put back first, of the bucket's policy and the role's own."""
    for first, then in (
        (bucket("b"), own("role_policy", "r")),
        (own("role_policy", "r"), bucket("b")),
    ):
        documents = documents_of({"/x/1.json": first, "/x/2.json": then, "/x/0.json": trust("r")})
        assert [one.first for one in documents] == [then, first, trust("r")]


EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
LAMBDA = {**EC2, "Principal": {"Service": "lambda.amazonaws.com"}}
ARN = f"arn:aws:iam::{ACCOUNT}:role/ray/shared"


def of(*statements: t.Any) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def grant(*principals: str, effect: str = "Allow") -> dict[str, t.Any]:
    return {
        "Effect": effect,
        "Principal": {"AWS": list(principals)},
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::bucket-1/*",
    }


GIVES_TRUST = dataclasses.replace(
    trust("shared"), before=of(LAMBDA), after=of(LAMBDA, EC2), clouds=("cld_1",)
)
TAKES_TRUST = dataclasses.replace(GIVES_TRUST, before=of(LAMBDA, EC2), after=of(LAMBDA))
PARTNER = "arn:aws:iam::444444444444:root"
GIVES_BUCKET = dataclasses.replace(
    bucket("bucket-1"), before=None, after=of(grant(ARN, PARTNER)), clouds=("cld_1",)
)
WIDENS_BUCKET = dataclasses.replace(
    GIVES_BUCKET, before=of(grant(ARN)), after=of(grant(ARN, f"{ARN}-too"))
)
PASSES = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": [ARN]}
PASSES_MORE = {**PASSES, "Resource": [ARN, f"{ARN}-too"]}
# What a run wrote, in its order, and the order in which that is restored.
ORDERS: dict[str, tuple[list[Backup], list[int]]] = {
    "an onboarding": (
        [GIVES_TRUST, GIVES_BUCKET, own("role_policy", "c"), config("team")],
        [3, 2, 1, 0],
    ),
    "an offboarding": (
        [
            config("team"),
            dataclasses.replace(own("role_policy", "c"), before=of(PASSES_MORE), after=of(PASSES)),
            dataclasses.replace(GIVES_BUCKET, before=of(grant(ARN)), after=None),
            TAKES_TRUST,
        ],
        [3, 2, 1, 0],
    ),
    "a move to the role's own policy": (
        [
            dataclasses.replace(own("role_policy", "shared"), after=of(PASSES)),
            dataclasses.replace(GIVES_BUCKET, before=of(grant(ARN)), after=None),
            config("team"),
        ],
        [1, 2, 0],
    ),
    "a move to the bucket's policy": (
        [
            GIVES_BUCKET,
            dataclasses.replace(own("role_policy", "shared"), before=of(PASSES), after=None),
        ],
        [1, 0],
    ),
    "another role that a control-plane role may pass": (
        [
            dataclasses.replace(own("role_policy", "c"), before=of(PASSES), after=of(PASSES_MORE)),
            mapping(),
        ],
        [1, 0],
    ),
}


@pytest.mark.parametrize("case", ORDERS)
def test_what_clusters_start_with_lacks_nothing_at_any_moment(case: str) -> None:
    """What gives something comes before compute configs and mappings, what takes something after."""
    backups, order = ORDERS[case]
    documents = documents_of({f"/x/{number}.json": one for number, one in enumerate(backups)})
    assert [one.first for one in documents] == [backups[number] for number in order]
    steps = [one.as_item(None)["step"] for one in documents]
    assert steps == sorted(steps, key=("gives", "clusters", "takes").index)
    assert moves_roles(documents) is case.startswith("a move")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each document of a run is given to one cloud: the first whose own it is, else one with a
connection to its account.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    assign,
    documents_of,
    host_of,
    moves_roles,
    why_unassigned,
    with_dependents,
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


def variables(number: int, account: str = ACCOUNT, **more: t.Any) -> dict[str, t.Any]:
    names = {
        "cloud_id": f"cld_{number}",
        "account_id": account,
        "bucket": f"bucket-{number}",
        "compute_config": "team",
        **more,
    }
    return {f"cloud_iam_{name}": value for name, value in names.items()}


HOSTS = {
    "first": variables(1),
    "second": variables(
        2, role="ray-b", bucket="s3://bucket-1", control_plane_role="anyscale-of-second"
    ),
    "third": variables(3, OTHER, role=f"arn:aws:iam::{OTHER}:role/ray/ray-b"),
    "bare": {},
    "no account": variables(4, "", role=f"arn:aws:iam::{'5' * 12}:role/ray-c"),
    "odd": {"cloud_iam_role": "no role/", "cloud_iam_bucket": 7, "cloud_iam_account_id": None},
}

SHARES: dict[str, tuple[Backup, str | None, str | None]] = {
    "a role of its own": (trust("ray-b"), "second", "second"),
    "a role of its own, in other letters": (trust("Ray-B"), "second", "second"),
    "the default role": (trust("cld_1-cluster_node_role"), "first", "first"),
    "a role of that name in another account": (trust("ray-b", OTHER), "third", "third"),
    "an inline policy of a role of its own": (own("role_policy", "ray-b"), "second", "second"),
    "an attachment to a role of its own": (own("role_attachment", "ray-b"), "second", "second"),
    "an inline policy of a control-plane role": (own("role_policy", "control"), None, "first"),
    "an inline policy of a control-plane role that a cloud names": (
        own("role_policy", "anyscale-of-second"),
        "second",
        "second",
    ),
    "the trust policy of a control-plane role that a cloud names": (
        trust("anyscale-of-second"),
        None,
        "first",
    ),
    "a role that no cloud names": (trust("former"), None, "first"),
    "a bucket that clouds share": (bucket("bucket-1"), "first", "first"),
    "a bucket that no cloud names": (bucket("former", OTHER), None, "third"),
    "a compute config": (config("team", "cld_2"), "second", "second"),
    "a compute config of another name": (config("former", "cld_2"), None, "first"),
    "a Cloud IAM mapping": (mapping("cld_2"), "second", "second"),
    "a Cloud IAM mapping of another resource": (mapping("cld_2", "cldrsrc_7"), "second", "second"),
    "a Cloud IAM mapping of another cloud": (mapping("cld_9"), None, "first"),
    "a Cloud IAM mapping of an unknown account": (mapping("cld_9", account=""), None, None),
    "an account without a cloud": (trust("r", "444444444444"), None, None),
    "a role of a cloud whose account its operator does not name": (
        trust("ray-c", "5" * 12),
        None,
        None,
    ),
    "a compute config of an unknown account": (config("former", "cld_9", ""), None, None),
}


@pytest.mark.parametrize("case", SHARES)
@pytest.mark.parametrize("own", [True, False], ids=["only their own", "all"])
def test_who_puts_it_back(case: str, own: bool) -> None:
    backup, owner, any_cloud = SHARES[case]
    documents = documents_of({"/backups/1.json": backup})
    shares = assign(documents, {name: host_of(host) for name, host in HOSTS.items()}, own)
    taken_by = owner if own else any_cloud
    assert shares.by_host == ({taken_by: documents} if taken_by else {})
    assert shares.unassigned == ([] if taken_by else documents)


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
FLEET = {
    "taken back": variables(1, role=ARN),
    "beside it": variables(2, role="Shared", bucket="bucket-1"),
    "elsewhere": variables(3, role="shared"),
    "in another account": variables(4, OTHER, role="shared", bucket="bucket-1"),
    "falls back to it": variables(5, role="own") | {"anyscale_default_role_arn": ARN},
    "of an account unknown": variables(6, "", role="shared", bucket="bucket-1"),
    "with a role of its own": variables(7, role="own", bucket="bucket-1"),
    "in the other account of its role": variables(
        8, "", role=ARN.replace(ACCOUNT, OTHER), bucket="bucket-1"
    ),
    "bare": {},
}
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


SHARES_BUCKET = {
    "of the bucket": variables(1, role="ray-x"),
    "of the role": variables(2, role=ARN, bucket="bucket-1"),
}
MOVED_WITH: dict[str, tuple[list[Backup], str]] = {
    "a role that moved to its own policy": (
        [
            dataclasses.replace(own("role_policy", "shared"), after=of(PASSES)),
            dataclasses.replace(GIVES_BUCKET, before=of(grant(ARN)), after=None),
        ],
        "of the bucket",
    ),
    "a role that moved to the bucket's policy": (
        [
            GIVES_BUCKET,
            dataclasses.replace(
                own("role_attachment", "shared"), before="arn:aws:iam::aws:policy/x", after=None
            ),
            dataclasses.replace(own("role_policy", "shared"), before=of(PASSES), after=None),
        ],
        "of the bucket",
    ),
    "a role that got both": (
        [
            dataclasses.replace(own("role_policy", "shared"), after=of(PASSES)),
            GIVES_BUCKET,
        ],
        "of the role",
    ),
    "a role that moved to its own policy from another bucket": (
        [
            dataclasses.replace(own("role_policy", "shared"), after=of(PASSES)),
            dataclasses.replace(GIVES_BUCKET, before=of(grant(f"{ARN}-too")), after=None),
        ],
        "of the role",
    ),
}


@pytest.mark.parametrize("case", MOVED_WITH)
def test_a_role_that_moved_is_restored_by_one_cloud(case: str) -> None:
    """So that it keeps the way that it has if the other one cannot be restored."""
    backups, name = MOVED_WITH[case]
    documents = documents_of({f"/x/{number}.json": one for number, one in enumerate(backups)})
    hosts = {host: host_of(values) for host, values in SHARES_BUCKET.items()}
    assignment = assign(documents, hosts, only_named=True)
    takers = {
        host
        for host, found in assignment.by_host.items()
        for document in found
        if document.first.kind in ("role_policy", "role_attachment")
    }
    assert takers == {name}


NEEDS: dict[str, tuple[Backup, set[str]]] = {
    "the trust that it gave": (
        GIVES_TRUST,
        {"beside it", "elsewhere", "falls back to it", "of an account unknown"},
    ),
    "the trust that it gave to the usual role of a cloud that runs with another one": (
        dataclasses.replace(
            trust("cld_7-cluster_node_role"), before=of(LAMBDA), after=of(LAMBDA, EC2)
        ),
        {"with a role of its own"},
    ),
    "the trust that it took": (TAKES_TRUST, set()),
    "the bucket that it gave": (GIVES_BUCKET, {"beside it", "of an account unknown"}),
    "the bucket that it gave to another role": (WIDENS_BUCKET, set()),
    "the bucket that it denied": (
        dataclasses.replace(GIVES_BUCKET, after=of(grant(ARN, effect="Deny"))),
        set(),
    ),
    "a compute config": (config("team"), set()),
}


@pytest.mark.parametrize("case", NEEDS)
def test_who_needs_what_would_be_lost(case: str) -> None:
    """Of the clouds that are not taken back: those that run with a role that loses by it, or fall
    back to it.
    """
    backup, expected = NEEDS[case]
    fleet = {name: host_of(host) for name, host in FLEET.items()}
    (document,) = with_dependents(documents_of({"/backups/1.json": backup}), fleet, {"cld_1"})
    assert set(document.needed_by) == expected
    assert document.as_item(None)["needed_by"] == [name for name in FLEET if name in expected]


@pytest.mark.parametrize(
    ("only_named", "start"),
    [
        (False, "No cloud of the play is in the account of these documents: policy of bucket b."),
        (True, "None of these documents belongs to a cloud of the play: policy of bucket b."),
    ],
)
def test_a_document_that_no_cloud_can_restore_is_named_with_what_to_do(
    only_named: bool, start: str
) -> None:
    """A cloud that the fleet file does not cover is in the play, and its account does not count."""
    covered = why_unassigned(["policy of bucket b"], only_named, [])
    assert covered.startswith(start)
    assert "rollback_only_named_documents" in covered
    assert "fleet file" not in covered
    uncovered = why_unassigned(["policy of bucket b"], only_named, ["speech", "vision"])
    assert uncovered.startswith(f"{start} The fleet file does not cover speech, vision, so that ")
    assert "anyscale_authority" in uncovered

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each document of a run is given to one cloud: the first whose own it is, else one with a connection to its account."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback import cloud_of, documents_of, share_out

ACCOUNT, OTHER = "222222222222", "333333333333"


def trust(role: str, account: str = ACCOUNT) -> Backup:
    return Backup("trust_policy", {"role_arn": f"arn:aws:iam::{account}:role/ray/{role}"}, account, {}, {})


def bucket(name: str, account: str = ACCOUNT) -> Backup:
    return Backup("bucket_policy", {"bucket": name}, account, None, {})


def config(name: str, cloud_id: str = "cld_1", account: str = ACCOUNT) -> Backup:
    return Backup("compute_config", {"cloud_id": cloud_id, "name": name}, account, None, {})


def variables(number: int, account: str = ACCOUNT, **more: t.Any) -> dict[str, t.Any]:
    names = {"cloud_id": f"cld_{number}", "account_id": account, "bucket": f"bucket-{number}", "compute_config": "team", **more}
    return {f"cloud_iam_{name}": value for name, value in names.items()}


HOSTS = {
    "first": variables(1),
    "second": variables(2, role="ray-b", bucket="s3://bucket-1"),
    "third": variables(3, OTHER, role=f"arn:aws:iam::{OTHER}:role/ray/ray-b"),
    "bare": {},
    "odd": {"cloud_iam_role": "no role/", "cloud_iam_bucket": 7, "cloud_iam_account_id": None},
}

SHARES: dict[str, tuple[Backup, str | None, str | None]] = {
    "a role of its own": (trust("ray-b"), "second", "second"),
    "the default role": (trust("cld_1-cluster_node_role"), "first", "first"),
    "a role of that name in another account": (trust("ray-b", OTHER), "third", "third"),
    "a role that no cloud names": (trust("former"), None, "first"),
    "a bucket that clouds share": (bucket("bucket-1"), "first", "first"),
    "a bucket that no cloud names": (bucket("former", OTHER), None, "third"),
    "a compute config": (config("team", "cld_2"), "second", "second"),
    "a compute config of another name": (config("former", "cld_2"), None, "first"),
    "an account without a cloud": (trust("r", "444444444444"), None, None),
    "a compute config of an unknown account": (config("former", "cld_9", ""), None, None),
}


@pytest.mark.parametrize("case", SHARES)
@pytest.mark.parametrize("own", [True, False], ids=["only their own", "all"])
def test_who_puts_it_back(case: str, own: bool) -> None:
    backup, owner, anybody = SHARES[case]
    documents = documents_of({"/backups/1.json": backup})
    shares = share_out(documents, {name: cloud_of(host) for name, host in HOSTS.items()}, own)
    taken_by = owner if own else anybody
    assert shares.by_host == ({taken_by: documents} if taken_by else {})
    assert shares.nobodys == ([] if taken_by else documents)


def test_what_clusters_run_with_is_taken_back_the_other_way_round() -> None:
    """Compute configs before all buckets, and these before all trust policies, also where another cloud wrote to one later."""
    backups = {
        "/z/1.json": trust("a"),
        "/y/2.json": bucket("bucket-1"),
        "/z/3.json": config("team"),
        "/z/4.json": trust("b"),
        "/x/5.json": bucket("bucket-1"),
        "/x/6.json": trust("a"),
        "/x/7.json": config("former"),
    }
    documents = documents_of(dict(reversed(backups.items())))
    assert [document.files for document in documents] == [
        ("/x/7.json",),
        ("/z/3.json",),
        ("/y/2.json", "/x/5.json"),
        ("/z/1.json", "/x/6.json"),
        ("/z/4.json",),
    ]

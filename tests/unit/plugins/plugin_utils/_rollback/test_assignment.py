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
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.assignment import (
    assign,
    assigned_hosts,
    host_of,
    hosts_of_item,
    restored_for,
    why_unassigned,
    with_dependents,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    documents_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._rollback.test_documents import (
    ACCOUNT,
    ARN,
    EC2,
    GIVES_BUCKET,
    GIVES_TRUST,
    LAMBDA,
    OTHER,
    PASSES,
    TAKES_TRUST,
    WIDENS_BUCKET,
    bucket,
    config,
    grant,
    mapping,
    of,
    own,
    trust,
)


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
    backup = dataclasses.replace(backup, clouds=("cld_1",))
    (document,) = with_dependents(documents_of({"/backups/1.json": backup}), fleet)
    assert set(document.needed_by) == expected
    assert document.as_item(None)["needed_by"] == [name for name in FLEET if name in expected]


ROLLED_BACK: dict[str, tuple[Backup, list[str] | None, set[str], set[str]]] = {
    "the trust that it gave": (GIVES_TRUST, None, {"cld_2"}, {"elsewhere"}),
    "the trust that it gave, of these clouds alone": (
        GIVES_TRUST,
        ["cld_1", "cld_3"],
        set(),
        {"beside it", "elsewhere"},
    ),
    "the trust that it took": (TAKES_TRUST, None, set(), set()),
    "the bucket that it gave": (GIVES_BUCKET, None, {"cld_2"}, set()),
    "the bucket that it gave to another role": (WIDENS_BUCKET, None, set(), set()),
}


@pytest.mark.parametrize("case", ROLLED_BACK)
def test_who_is_rolled_back_and_needs_what_would_be_lost(case: str) -> None:
    """Without being one of those that it was written for: until they are rolled back, their clusters
    need it. Of those that are to be rolled back and of which the run wrote nothing, they always do.
    """
    backup, limit, used_by, needed_by = ROLLED_BACK[case]
    second = dataclasses.replace(config("team", "cld_2"), clouds=("cld_2",))
    names = ("taken back", "beside it", "elsewhere", "with a role of its own", "bare")
    fleet = {name: host_of(FLEET[name]) for name in names}
    documents = documents_of({"/backups/1.json": backup, "/backups/2.json": second})
    found = {one.first.kind: one for one in with_dependents(documents, fleet, limit)}
    document = found[backup.kind]
    assert (set(document.used_by), set(document.needed_by)) == (used_by, needed_by)
    assert document.as_item(None)["used_by"] == sorted(used_by)
    assert not found[second.kind].used_by


def item_for(*written_for: str, used_by: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {"written_for": written_for, "used_by": used_by}


IN_PLAY = {"cld_1": ["first"], "cld_2": ["second", "second-eu"]}
CONCERNED: dict[str, tuple[dict[str, t.Any], tuple[str, ...]]] = {
    "its own alone": (item_for("cld_1"), ("first",)),
    "all hosts of those that it was written for": (
        item_for("cld_1", "cld_2"),
        ("first", "second", "second-eu"),
    ),
    "those that need it until they are rolled back": (
        item_for("cld_1", used_by=["cld_2"]),
        ("first", "second", "second-eu"),
    ),
    "those that restore what is of one out of the play": (
        item_for("cld_1", used_by=["cld_3"]),
        ("first", "neighbor"),
    ),
    "one of which nothing is restored": (item_for("cld_1", "cld_4"), ("first",)),
}


@pytest.mark.parametrize("case", CONCERNED)
def test_which_hosts_are_rolled_back_together(case: str) -> None:
    item, hosts = CONCERNED[case]
    items = {"first": [item_for("cld_1")], "neighbor": [item_for("cld_3"), item_for("cld_3")]}
    assert hosts_of_item("first", item, IN_PLAY, assigned_hosts(items)) == hosts


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
    covered = why_unassigned(["policy of bucket b"], only_named, [], Invocation())
    assert covered.startswith(start)
    assert "rollback_only_named_documents" in covered
    assert "fleet file" not in covered
    uncovered = why_unassigned(
        ["policy of bucket b"], only_named, ["speech", "vision"], Invocation()
    )
    assert uncovered.startswith(f"{start} The fleet file does not cover speech, vision, so that ")
    assert "To see the lines to add: ansible-playbook" in uncovered


WRITTEN_FOR: dict[str, tuple[list[str] | None, set[str]]] = {
    "all clouds of the backups": (None, {"taken back", "elsewhere", "beside it"}),
    "the clouds of a limit": (["cld_1"], {"taken back", "beside it"}),
}


@pytest.mark.parametrize(("limit", "expected"), WRITTEN_FOR.values(), ids=WRITTEN_FOR)
def test_which_clouds_are_not_as_they_were_onboarded(
    limit: list[str] | None, expected: set[str]
) -> None:
    """Those that share a document, and those that need it: not only the one that restores it."""
    [document] = documents_of({"/backups/1.json": trust("shared")})
    document = dataclasses.replace(
        document, clouds=frozenset({"cld_1", "cld_3", "cld_9"}), needed_by=("beside it",)
    )
    fleet = {name: host_of(host) for name, host in FLEET.items()}
    assignment = assign([document], {"taken back": fleet["taken back"]}, only_named=False)
    assert set(restored_for(assignment, fleet, limit)) == expected

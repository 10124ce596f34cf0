# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator permits of what members of an organization register."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import (
    Host,
    build_fleet,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.lines import merged
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._inventory.api_rows import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
    resource,
    role_arn,
    row,
)

ALLOW = {
    "accounts": {ACCOUNT: {"roles": ["speech-*"]}},
    "buckets": ["speech-data", "{cloud_id}-*"],
    "unlisted": "include",
}


def cloud(
    number: int = 1, role: str = "speech-nodes", bucket: str = "speech-data", **changes: t.Any
) -> Json:
    """A cloud with this role and this bucket."""
    name = changes.pop("name", f"cloud-{number}")
    found = resource(
        object_storage={"bucket_name": bucket},
        aws_config={"cluster_iam_role_id": role_arn(role, changes.pop("account", ACCOUNT))},
    )
    found["cloud_resource_id"] = f"cldrsrc_{number}"
    return row(name, {**found, **changes}, cloud_id=f"cld_{number}")


def hosts_of(rows: t.Sequence[Json], document: Json) -> dict[str, Host]:
    """The hosts by the IDs of their clouds."""
    found, _problems = build_fleet(rows, parse_fleet_file(document))
    return {host.variables["anyscale_cloud_id"]: host for host in found}


def is_covered(host: Host) -> bool:
    """Whether something may be written for a cloud, by its variables alone."""
    variables = {name for name in host.variables if name.startswith("cloud_iam_")}
    assert bool(variables) is host.variables["anyscale_authority"]["covered"]
    return bool(variables)


def reason_of(host: Host) -> str:
    assert not is_covered(host)
    return t.cast(str, host.variables["anyscale_authority"]["reason"])


@pytest.mark.parametrize(
    ("found", "document", "reason"),
    [
        pytest.param(cloud(), {"allow": ALLOW}, "", id="covered"),
        pytest.param(cloud(), {}, "no section allow", id="no allow"),
        pytest.param(
            cloud(), {"allow": {}}, "does not name the cloud", id="an allow that is empty"
        ),
        pytest.param(
            cloud(account=OTHER_ACCOUNT),
            {"allow": ALLOW},
            f"does not have its account {OTHER_ACCOUNT}",
            id="an account that is not listed",
        ),
        pytest.param(
            cloud(role="admin"),
            {"allow": ALLOW},
            "matches its role admin",
            id="a role that no pattern matches",
        ),
        pytest.param(
            cloud(bucket="payroll"),
            {"allow": ALLOW},
            "matches its bucket payroll",
            id="a bucket that no pattern matches",
        ),
        pytest.param(
            cloud(role="ray/team/speech-nodes"),
            {"allow": ALLOW},
            "",
            id="a pattern without a slash is of the name, whatever the path",
        ),
        pytest.param(
            cloud(role="ray/nodes"),
            {"allow": {**ALLOW, "roles": ["ray/*"]}},
            "",
            id="a pattern with a slash is of path and name",
        ),
        pytest.param(
            cloud(role="xray/nodes"),
            {"allow": {**ALLOW, "roles": ["ray/*"]}},
            "matches its role xray/nodes",
            id="such a pattern matches from the first folder on",
        ),
        pytest.param(
            cloud(role="SPEECH-nodes"), {"allow": ALLOW}, "SPEECH-nodes", id="case is distinguished"
        ),
        pytest.param(
            cloud(bucket="cld-1-data", number=1),
            {"allow": {**ALLOW, "buckets": ["{cloud}-*"]}},
            "cld-1-data",
            id="a placeholder has the value of the cloud",
        ),
        pytest.param(
            cloud(role="admin", name="*"),
            {"allow": {**ALLOW, "roles": ["{cloud}"]}},
            "matches its role admin",
            id="a cloud that is named like a pattern",
        ),
        pytest.param(
            cloud(role="admin", name="a/b"),
            {"allow": {**ALLOW, "roles": ["{cloud}", "*{cloud}*"]}},
            "matches its role admin",
            id="a pattern whose placeholder has no value",
        ),
        pytest.param(
            cloud(),
            {"allow": {**ALLOW, "unlisted": "skip"}},
            "does not name the cloud under clouds",
            id="a cloud that is not listed",
        ),
        pytest.param(
            cloud(),
            {"allow": {**ALLOW, "unlisted": "skip"}, "clouds": {"cld_1": {}}},
            "",
            id="a cloud that is listed by its ID",
        ),
        pytest.param(
            cloud(),
            {"allow": {**ALLOW, "unlisted": "skip"}, "clouds": {"cloud-1": {}}},
            "",
            id="a cloud that is listed by its name",
        ),
        pytest.param(
            cloud(number=2, name="cld_1"),
            {"allow": {**ALLOW, "unlisted": "skip"}, "clouds": {"cld_1": {}}},
            "does not name the cloud",
            id="a cloud that is named like the ID of the one that is listed",
        ),
        pytest.param(
            cloud(role="admin"),
            {"allow": ALLOW, "clouds": {"cld_1": {"role": "ray"}}},
            "",
            id="a role that the operator gives is not judged",
        ),
        pytest.param(
            cloud(name="admin"),
            {"allow": ALLOW, "defaults": {"role": "{cloud}"}},
            "matches its role admin",
            id="one that is made of the name of the cloud is",
        ),
        pytest.param(
            cloud(bucket="payroll"),
            {"allow": ALLOW, "defaults": {"variables": {"cloud_iam_bucket": "data"}}},
            "",
            id="a bucket that the operator gives is not judged",
        ),
        pytest.param(
            cloud(account=OTHER_ACCOUNT),
            {
                "allow": ALLOW,
                "defaults": {"variables": {"cloud_iam_account_id": "{account_id}"}},
            },
            "does not have its account",
            id="an account that is made of the account of the API is",
        ),
        pytest.param(
            cloud(aws_config={"anyscale_iam_role_id": role_arn("control")}),
            {"allow": ALLOW},
            "matches its role cld_1-cluster_node_role",
            id="the role that Anyscale creates is judged where none is registered",
        ),
        pytest.param(
            cloud(region=None),
            {"allow": ALLOW, "defaults": {"ring": "{region}"}},
            "ring needs {region}",
            id="a placeholder that cannot be filled in",
        ),
        pytest.param(
            cloud(),
            {"allow": ALLOW, "defaults": {"role": "admin-{region}"}},
            "matches its role admin-us-west-2",
            id="a role that is made of the region, which is registered as well",
        ),
        pytest.param(
            cloud(region="prod-admin-1"),
            {"allow": ALLOW, "defaults": {"role": "ray-{region}"}},
            "role needs {region}",
            id="a region that looks like one",
        ),
        pytest.param(
            cloud(region="evil.example/"),
            {"allow": ALLOW, "defaults": {"tags": {"region": "{region}"}}},
            "tags needs {region}",
            id="a region that is none is unknown",
        ),
    ],
)
def test_what_is_written_to_is_up_to_the_operator(found: Json, document: Json, reason: str) -> None:
    hosts = hosts_of([found], document).values()
    [host] = [host for host in hosts if "anyscale_authority" in host.variables]
    if reason:
        assert reason in reason_of(host)
    else:
        assert is_covered(host)


@pytest.mark.parametrize(
    "registered",
    [
        f"arn:aws:iam::{ACCOUNT}:user/speech-nodes",
        f"arn:aws:iam::{ACCOUNT}:role/speech-*",
        f"arn:aws:iam::{ACCOUNT}:role/speech-?",
        f"arn:aws:iam::{ACCOUNT}:role/{{cloud_id}}",
        f"arn:aws:iam::{ACCOUNT}:role/x/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/speech-nodes/x",
        "speech-nodes",
    ],
)
def test_what_is_no_role_is_neither_covered_nor_printed(registered: str) -> None:
    config = {"cluster_iam_role_id": registered, "anyscale_iam_role_id": role_arn("control")}
    [host] = hosts_of([cloud(aws_config=config)], {}).values()
    assert "not the ARN of an IAM role" in host.variables["anyscale_authority"]["reason"]
    assert "roles" not in host.variables["anyscale_authority"]["lines"]
    [host] = hosts_of([cloud(aws_config=config)], {"allow": {**ALLOW, "roles": ["*"]}}).values()
    assert not is_covered(host)


def uncovered_variables(host: Host) -> list[str]:
    return t.cast("list[str]", host.variables["anyscale_authority"]["uncovered"])


def test_of_an_unknown_account_nothing_is_covered() -> None:
    """The operator's word for the account would leave role and bucket to whoever registers them."""
    found = cloud(aws_config={"cluster_iam_role_id": None})
    [host] = hosts_of([found], {"allow": ALLOW}).values()
    assert uncovered_variables(host) == [
        "cloud_iam_account_id",
        "cloud_iam_bucket",
        "cloud_iam_role",
    ]
    assert host.variables["anyscale_authority"]["lines"] == ""


@pytest.mark.parametrize(
    ("listed", "uncovered"),
    [
        ({"cld_1": {}, "cld_2": {}}, ["cloud_iam_bucket", "cloud_iam_role"]),
        ({"cld_1": {}}, ["cloud_iam_bucket", "cloud_iam_role"]),
        ({"cld_2": {}}, ["cloud_iam_bucket"]),
    ],
)
def test_what_a_cloud_that_is_not_covered_claims_of_others_is_not_covered_either(
    listed: Json, uncovered: list[str]
) -> None:
    """Else the operator's word for its bucket would permit the role of another cloud. In the last
    case nobody else but an unlisted cloud has the role.
    """
    rows = [cloud(1), cloud(2, bucket="payroll")]
    document = {"allow": {**ALLOW, "unlisted": "include"}, "clouds": listed}
    if "cld_1" not in listed:
        rows[0] = cloud(1, bucket="other-payroll")
    assert uncovered_variables(hosts_of(rows, document)["cld_2"]) == uncovered


def test_a_name_that_somebody_else_takes_as_well_stops_no_cloud_that_is_listed_by_its_id() -> None:
    rows = [cloud(1, name="speech"), cloud(2, "speech-x", "cld_2-x", name="speech")]
    hosts = hosts_of(rows, {"allow": ALLOW, "clouds": {"cld_1": {}, "speech": {"ring": "x"}}})
    assert is_covered(hosts["cld_1"])
    assert hosts["cld_1"].variables["anyscale_ring"] is None
    assert not is_covered(hosts["cld_2"])


def test_of_clouds_that_are_all_listed_the_operators_word_decides() -> None:
    clouds = {"cld_1": {"role": "speech-nodes"}, "cld_2": {}}
    allow = {**ALLOW, "shared": {"buckets": ["speech-data"]}}
    hosts = hosts_of([cloud(1), cloud(2)], {"allow": allow, "clouds": clouds})
    assert is_covered(hosts["cld_1"])
    assert "give role under the cloud that is to keep it" in reason_of(hosts["cld_2"])


def test_a_bucket_that_nothing_is_written_to_is_neither_judged_nor_set() -> None:
    document = {
        "allow": ALLOW,
        "defaults": {"variables": {"cloud_iam_manage_bucket_access": False}},
    }
    [host] = hosts_of([cloud(bucket="payroll")], document).values()
    assert is_covered(host)
    assert "cloud_iam_bucket" not in host.variables


@pytest.mark.parametrize(
    ("rows", "document", "covered"),
    [
        pytest.param(
            [cloud(1), cloud(2)], {}, set(), id="of two that are not listed neither has the bucket"
        ),
        pytest.param(
            [cloud(1), cloud(2)], {"clouds": {"cld_1": {}}}, {1}, id="the listed one has it"
        ),
        pytest.param(
            [cloud(1), cloud(2)],
            {"clouds": {"cloud-2": {}}},
            set(),
            id="a name is not enough, since another cloud can have it",
        ),
        pytest.param(
            [cloud(1), cloud(2), cloud(3, "speech-x", "cld_3-x")],
            {"clouds": {"cld_1": {}, "cld_2": {}, "cld_3": {}}},
            {3},
            id="of several that are listed none has it",
        ),
        pytest.param(
            [cloud(1), cloud(2)],
            {"clouds": {"cld_1": {}}, "shared": {"roles": ["speech-nodes"]}},
            {1},
            id="the role may be shared, the bucket may not",
        ),
        pytest.param(
            [cloud(1), cloud(2)],
            {"shared": {"roles": ["speech-*"], "buckets": ["speech-data"]}},
            {1, 2},
            id="what may be shared is",
        ),
        pytest.param(
            [cloud(1, "speech-a", "cld_1-x"), cloud(2, "Speech-A", "cld_2-x")],
            {"clouds": {"cld_2": {}}, "roles": ["Speech-A"]},
            {2},
            id="roles are one whatever their case",
        ),
        pytest.param(
            [cloud(1, "a/speech-a", "cld_1-x"), cloud(2, "b/speech-a", "cld_2-x")],
            {"clouds": {"cld_2": {}}},
            {2},
            id="roles are one whatever their path",
        ),
        pytest.param(
            [
                cloud(1, "speech-a", "cld_1-x"),
                cloud(2, "speech-a", "cld_2-x", account=OTHER_ACCOUNT),
            ],
            {"accounts": [ACCOUNT, OTHER_ACCOUNT], "roles": ["*"]},
            {1, 2},
            id="roles of one name in two accounts are two",
        ),
        pytest.param(
            [cloud(1, "speech-a", "cld_1-x"), cloud(2, "speech-a", "payroll")],
            {},
            {1},
            id="what is not covered claims nothing",
        ),
        pytest.param(
            [cloud(1), cloud(2, "speech-x", "cld_2-x")],
            {"clouds": {"cld_2": {"role": "speech-nodes"}}},
            {2},
            id="what the operator gives one cloud is not left to another",
        ),
        pytest.param(
            [cloud(1, bucket="cld_1-x"), cloud(2, bucket="cld_2-x")],
            {"defaults": {"role": "speech-nodes"}},
            {1, 2},
            id="a role that the operator gives to all is theirs",
        ),
        pytest.param(
            [
                row(
                    "one",
                    cloud(1)["resources"][0],
                    {**cloud(2)["resources"][0], "name": "east", "is_default": False},
                )
            ],
            {},
            {1},
            id="the resources of one cloud may share",
        ),
    ],
)
def test_of_what_several_claim(rows: list[Json], document: Json, covered: set[int]) -> None:
    own = {"clouds", "defaults"}
    document = {
        "allow": {**ALLOW, **{key: value for key, value in document.items() if key not in own}},
        **{key: value for key, value in document.items() if key in own},
    }
    hosts = hosts_of(rows, document)
    assert {int(name.removeprefix("cld_")) for name, host in hosts.items() if is_covered(host)} == (
        covered
    )


def test_an_error_names_all_that_claim_it() -> None:
    listed = {f"cld_{number}": {} for number in (1, 2, 3)}
    hosts = hosts_of([cloud(1), cloud(2), cloud(3)], {"allow": ALLOW, "clouds": listed})
    assert (
        "its role speech-nodes is also registered for cloud-1 (cld_1), cloud-3 (cld_3)"
        in reason_of(hosts["cld_2"])
    )


class TestLines:
    def test_pasted_they_cover_the_cloud(self) -> None:
        rows = [cloud(1), cloud(2, "ray/ops", "ops-data", account=OTHER_ACCOUNT)]
        for host in hosts_of(rows, {}).values():
            lines = yaml.safe_load(host.variables["anyscale_authority"]["lines"])
            found = hosts_of(rows, lines)
            assert [name for name in found if is_covered(found[name])] == [
                host.variables["anyscale_cloud_id"]
            ]

    def test_they_say_what_is_missing_and_no_more(self) -> None:
        [host] = hosts_of([cloud(role="admin")], {"allow": ALLOW}).values()
        assert host.variables["anyscale_authority"]["lines"] == (
            f"allow:\n  accounts:\n    '{ACCOUNT}':\n      roles:\n      - admin\n"
        )

    def test_what_several_clouds_are_registered_with_is_said_in_a_comment(self) -> None:
        """Pasted, the lines permit no sharing: that is the operator's decision."""
        rows = [cloud(1), cloud(2, "two", name="x\n    evil: {}"), cloud(3, "three", "own")]
        hosts = hosts_of(rows, {})
        lines = {
            name: host.variables["anyscale_authority"]["lines"] for name, host in hosts.items()
        }
        comment = (
            "# These are registered for several clouds. If they are meant to share them, add under "
            "allow:\n#   shared:\n#     buckets:\n"
            "#     - speech-data  # cloud-1 (cld_1), x evil: {} (cld_2)\n"
        )
        assert lines["cld_1"].endswith(comment)
        assert lines["cld_2"].endswith(comment)
        assert "#   shared" not in lines["cld_3"]
        assert merged(lines.values()).endswith(comment)
        pasted = yaml.safe_load(merged(lines.values()))
        assert "shared" not in pasted["allow"]
        shared = {"shared": yaml.safe_load("buckets:\n- speech-data\n")}
        found = hosts_of(rows, {**pasted, "allow": {**pasted["allow"], **shared}})
        assert all(map(is_covered, found.values()))

    def test_what_the_fleet_file_shares_is_not(self) -> None:
        allow = {"accounts": [ACCOUNT], "shared": {"buckets": ["*"], "roles": ["*"]}}
        hosts = hosts_of([cloud(1), cloud(2)], {"allow": allow, "clouds": {"cld_1": {}}})
        assert all(
            "shared" not in (host.variables["anyscale_authority"].get("lines") or "")
            for host in hosts.values()
        )

    def test_a_name_stands_in_a_comment_and_nowhere_else(self) -> None:
        [host] = hosts_of([cloud(name="x\n    evil: {}\x1b[1m")], {}).values()
        lines = host.variables["anyscale_authority"]["lines"]
        assert "  cld_1: {}  # x evil: {}\\x1b[1m\n" in lines
        assert yaml.safe_load(lines)["clouds"] == {"cld_1": {}}


class TestAudits:
    """Audits read the clouds that are not covered as well."""

    @pytest.mark.parametrize(
        ("found", "defaults", "readable"),
        [
            pytest.param(
                cloud(role="admin"),
                {"assume_role_arn": "{account_id}"},
                True,
                id="account is allowed",
            ),
            pytest.param(cloud(account=OTHER_ACCOUNT), {}, True, id="without another role"),
            pytest.param(
                cloud(account=OTHER_ACCOUNT),
                {"assume_role_arn": "{account_id}"},
                False,
                id="no role is assumed in an account that is not allowed",
            ),
            pytest.param(
                cloud(account=OTHER_ACCOUNT),
                {"assume_role_external_id": "secret"},
                False,
                id="no external ID is sent there",
            ),
        ],
    )
    def test_no_role_is_assumed_where_that_is_not_allowed(
        self, found: Json, defaults: Json, readable: bool
    ) -> None:
        [host] = hosts_of([found], {"allow": ALLOW, "defaults": defaults}).values()
        assert bool(host.variables["anyscale_authority"]["inputs"]) is readable


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["speech-a", "speech-b", "admin"]),
            st.sampled_from(["speech-data", "payroll", "cld_1-x", "cld_2-x"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_others_register_a_cloud_that_is_listed_by_its_id_stays_covered(
    others: list[tuple[str, str, bool]],
) -> None:
    mine = cloud(9, "speech-nine", "cld_9-data")
    document = {"allow": ALLOW, "clouds": {"cld_9": {}}}
    rows = [
        cloud(number, "speech-nine" if same else role, bucket)
        for number, (role, bucket, same) in enumerate(others)
    ]
    hosts = hosts_of([mine, *rows], document)
    assert is_covered(hosts["cld_9"])
    alone = hosts_of([mine], document)["cld_9"]
    assert hosts["cld_9"].variables == alone.variables
    for name, host in hosts.items():
        if name != "cld_9" and is_covered(host):
            assert (
                host.variables["cloud_iam_role"]
                != mine["resources"][0]["aws_config"]["cluster_iam_role_id"]
            )

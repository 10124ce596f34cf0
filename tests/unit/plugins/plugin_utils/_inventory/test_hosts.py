# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts made of the API's rows and the fleet file: names, variables, groups, and what is said where
something is missing.
"""

from __future__ import annotations

import random
import re
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import Choice
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    FleetFile,
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import (
    Host,
    build_fleet,
    unmet_patterns,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.problems import summaries
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._inventory.api_rows import (
    ACCOUNT,
    ALLOW_ALL,
    Json,
    resource,
    role_arn,
    row,
)

EAST = {"name": "east", "cloud_resource_id": "cldrsrc_e", "is_default": False}


def made(
    rows: t.Iterable[Json],
    document: t.Any = None,
    mark: bool = False,
    taken: t.Mapping[str, str] | None = None,
) -> tuple[dict[str, Host], list[tuple[str, bool]]]:
    if not isinstance(document, dict) or "allow" not in document:
        document = {"allow": ALLOW_ALL, **(document or {})}
    hosts, problems = build_fleet(rows, parse_fleet_file(document), mark=mark, taken=taken)
    assert len({host.name for host in hosts}) == len(hosts)
    return {host.name: host for host in hosts}, summaries(problems)


def at(second: int, name: str, cloud_id: str, *resources: Json) -> Json:
    """A cloud that was registered at this second."""
    found = row(name, *resources, cloud_id=cloud_id)
    found["cloud"]["created_at"] = f"2026-11-23T18:26:{second:02}.108078+00:00"
    return found


def only(document: t.Any = None, **changes: t.Any) -> Host:
    """The host of the one cloud ``speech``, whose one resource has these changes."""
    hosts, _messages = made([row("speech", resource(**changes))], document)
    (host,) = hosts.values()
    return host


class TestHostNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            pytest.param("speech-prod_2.eu", "speech-prod_2.eu", id="safe as it is"),
            pytest.param("-e", "e", id="an option"),
            pytest.param("--limit=x", "limit_x", id="a long option"),
            pytest.param("all", "all-cld_1", id="the group of all hosts"),
            pytest.param("ungrouped", "ungrouped-cld_1", id="Ansible's other group"),
            pytest.param("localhost", "localhost-cld_1", id="the machine itself"),
            pytest.param("127.0.0.1", "127.0.0.1-cld_1", id="its address"),
            pytest.param("anyscale_clouds", "anyscale_clouds-cld_1", id="the plugin's group"),
            pytest.param(
                "account_222222222222", "account_222222222222-cld_1", id="an account's group"
            ),
            pytest.param(
                "account_team", "account_team", id="like an account's group but no account"
            ),
            pytest.param("region_x", "region_x-cld_1", id="like a region's group"),
            pytest.param("ring_x", "ring_x-cld_1", id="like a ring's group"),
            pytest.param("bucket_x", "bucket_x-cld_1", id="like a bucket's group"),
            pytest.param("a:b", "a_b", id="a pattern of groups"),
            pytest.param("x,y", "x_y", id="a list"),
            pytest.param("!prod", "prod", id="an exclusion"),
            pytest.param("&prod", "prod", id="an intersection"),
            pytest.param("~web.*", "web", id="a regular expression"),
            pytest.param("@retry", "retry", id="a file of hosts"),
            pytest.param("web[1:3]", "web_1_3", id="a range"),
            pytest.param("../../etc/passwd", "etc_passwd", id="a path"),
            pytest.param("..", "cld_1", id="the parent folder"),
            pytest.param("{{ 7*7 }}", "7_7", id="a template"),
            pytest.param("Größe", "Gr_e", id="letters beyond ASCII"),
            pytest.param("音声", "cld_1", id="no letter of ASCII at all"),
            pytest.param("a b\nc\x1b[31m", "a_b_c_31m", id="white space and control characters"),
            pytest.param("", "cld_1", id="empty"),
            pytest.param(None, "cld_1", id="none"),
            pytest.param(["x"], "cld_1", id="not a text"),
        ],
    )
    def test_the_only_resource_has_the_name_of_its_cloud_made_safe(
        self, name: t.Any, expected: str
    ) -> None:
        assert list(made([row(name)])[0]) == [expected]

    @given(st.lists(st.text(max_size=6), min_size=1, max_size=8))
    def test_any_names_make_safe_and_different_hosts(self, names: list[str]) -> None:
        hosts, _messages = made(
            row(name, cloud_id=f"cld_{number}") for number, name in enumerate(names)
        )
        assert len(hosts) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in hosts)

    def test_other_resources_are_named_after_cloud_and_resource(self) -> None:
        hosts, messages = made(
            [
                row(
                    "speech",
                    resource(),
                    resource(**EAST),
                    resource("k8s", compute_stack="K8S", is_default=False),
                )
            ]
        )
        assert list(hosts) == ["speech", "speech.east"]
        assert not messages

    @pytest.mark.parametrize(
        ("rows", "clouds", "names"),
        [
            pytest.param(
                [at(2, "speech", "cld_1"), at(1, "speech", "cld_2")],
                {},
                {"cld_1": "speech-cld_1", "cld_2": "speech"},
                id="the cloud that was registered first keeps the name",
            ),
            pytest.param(
                [at(1, "speech", "cld_1"), at(2, "speech", "cld_2")],
                {"cld_2": {}},
                {"cld_1": "speech-cld_1", "cld_2": "speech"},
                id="the cloud that the operator lists by its ID comes before it",
            ),
            pytest.param(
                [at(1, "a b", "cld_1"), at(2, "a_b", "cld_2")],
                {},
                {"cld_1": "a_b", "cld_2": "a_b-cld_2"},
                id="a later one that has the safe name by itself is renamed",
            ),
            pytest.param(
                [at(1, "x", "cld_1"), at(2, "x", "cld_2"), at(3, "x-cld_2", "cld_3")],
                {},
                {"cld_1": "x", "cld_2": "x-cld_2", "cld_3": "x-cld_2-cld_3"},
                id="one that is named like another with its ID",
            ),
            pytest.param(
                [at(2, "speech", "cld_1"), at(1, "cld_1", "cld_2")],
                {},
                {"cld_1": "speech", "cld_2": "cld_1-cld_2"},
                id="one that is named like the ID of another",
            ),
            pytest.param(
                [
                    at(2, "speech", "cld_1", resource(), resource(**EAST)),
                    at(3, "speech.east", "cld_2"),
                ],
                {},
                {"cld_1": "speech", "cld_1.east": "speech.east", "cld_2": "speech.east-cld_2"},
                id="one that is named like a resource of another",
            ),
        ],
    )
    def test_whoever_comes_later_gets_the_longer_name(
        self, rows: list[Json], clouds: Json, names: dict[str, str]
    ) -> None:
        hosts, messages = made(rows, {"clouds": clouds})
        found = {
            host.variables["anyscale_cloud_id"]
            + ("" if host.variables["anyscale_is_default_resource"] else ".east"): name
            for name, host in hosts.items()
        }
        assert found == names
        renamed = {name for name in hosts if "cld_" in name}
        assert [
            is_error for text, is_error in messages if all(name in text for name in renamed)
        ] == [True]

    @given(
        st.lists(
            st.sampled_from(["a", "a b", "a_b", "cld_1", "a-cld_1", "x", "x.east", "x.east.y"])
        ),
        st.data(),
    )
    def test_no_cloud_that_is_registered_later_changes_a_name(
        self, names: list[str], data: st.DataObject
    ) -> None:
        rows = [
            at(number, name, f"cld_{number}", resource(), resource(**EAST))
            for number, name in enumerate(names)
        ]
        before = rows[: data.draw(st.integers(0, len(rows)))]
        kept = {
            host.variables["anyscale_resource_id"] + name for name, host in made(before)[0].items()
        }
        assert kept <= {
            host.variables["anyscale_resource_id"] + name for name, host in made(rows)[0].items()
        }

    def test_resources_of_one_name_in_one_cloud(self) -> None:
        rows = [
            row(
                "x",
                resource(),
                resource(**EAST),
                resource(**{**EAST, "cloud_resource_id": "cldrsrc_f"}),
            )
        ]
        assert list(made(rows)[0]) == ["x", "x.east", "x.east-cld_1"]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "a b", "a_b", "a.east", "a.east.x", "x-", "...", "cld_0"]),
                st.sampled_from(["east", "east.x", "..", "a"]),
                st.booleans(),
            ),
            min_size=1,
            max_size=6,
        ),
        st.dictionaries(st.sampled_from(["cld_0", "cld_2", "cld_1.east"]), st.just({})),
        st.data(),
    )
    def test_a_name_does_not_depend_on_what_could_be_read_of_other_clouds(
        self, clouds: list[tuple[str, str, bool]], listed: Json, data: st.DataObject
    ) -> None:
        """Also where a cloud has no primary resource, so that no host has the name of the cloud."""
        rows = [
            at(
                data.draw(st.integers(0, 3)),
                name,
                f"cld_{number}",
                resource(cloud_resource_id=f"cldrsrc_{number}a", is_default=has_primary),
                resource(
                    other, cloud_resource_id=f"cldrsrc_{number}b", is_default=False, created_at="2"
                ),
            )
            for number, (name, other, has_primary) in enumerate(clouds)
        ]
        whole = self.names(rows, listed)
        for unread in (
            {"resources": None, "failure": "HTTP 500."},
            {"resources": None, "chosen": False},
            {"resources": []},
        ):
            some = [{**one, **unread} if data.draw(st.booleans()) else one for one in rows]
            assert self.names(some, listed).items() <= whole.items()

    @staticmethod
    def names(rows: list[Json], listed: Json) -> dict[str, str]:
        hosts, _messages = made(rows, {"clouds": listed})
        ids = {name: host.variables["anyscale_resource_id"] for name, host in hosts.items()}
        return {resource_id: name for name, resource_id in ids.items() if resource_id}

    @pytest.mark.parametrize(
        ("squatter", "clouds", "expected"),
        [
            pytest.param(at(2, "prod.us", "cld_2"), {}, "prod.us-cld_2", id="registered later"),
            pytest.param(at(0, "prod.us", "cld_2"), {}, "prod.us", id="registered before"),
            pytest.param(
                at(2, "prod.us", "cld_2"), {"cld_2": {}}, "prod.us", id="listed by its ID"
            ),
            pytest.param(
                at(2, "prod.us", "cld_2"),
                {"cld_2": {}, "cld_1": {}},
                "prod.us-cld_2",
                id="both are listed",
            ),
            pytest.param(at(2, "a/prod.us", "cld_2"), {}, "a_prod.us", id="another name"),
        ],
    )
    def test_a_name_that_a_resource_of_a_cloud_that_cannot_be_read_may_have(
        self, squatter: Json, clouds: Json, expected: str
    ) -> None:
        """The variables of that resource must not become those of the other cloud."""
        victim = {**at(1, "prod", "cld_1"), "resources": None, "failure": "HTTP 500."}
        hosts, _messages = made([victim, squatter], {"clouds": clouds})
        assert [name for name in hosts if name != "prod"] == [expected]

    def test_the_order_of_the_api_changes_nothing(self) -> None:
        rows = [
            row(f"cloud-{number % 7}", resource(), resource(**EAST), cloud_id=f"cld_{number}")
            for number in range(20)
        ]
        expected = build_fleet(rows, FleetFile())
        for seed in range(5):
            shuffled = [
                {**each, "resources": each["resources"][:: random.Random(seed).choice((1, -1))]}
                for each in rows
            ]
            random.Random(seed).shuffle(shuffled)
            assert build_fleet(shuffled, FleetFile()) == expected


FURTHER_NAMES: dict[str, tuple[dict[str, t.Any], bool]] = {
    "a role of a rule": ({"cloud_iam_mapping_rules": [{"role": "ray-{cloud}"}]}, True),
    "a role of a rule, by the cloud's ID": (
        {"cloud_iam_mapping_rules": [{"role": "ray-{cloud_id}", "selector": "project={cloud}"}]},
        False,
    ),
    "a role of a node group": ({"cloud_iam_node_group_roles": {"gpu": "{region}-gpu"}}, True),
    "the same as it is written": ({"cloud_iam_node_group_roles": {"gpu": "ray-gpu"}}, False),
    "the control-plane role": ({"cloud_iam_control_plane_role": "anyscale-{cloud}"}, True),
    "a managed policy": (
        {"cloud_iam_bucket_policy_arn": "arn:aws:iam::{account_id}:policy/{cloud}"},
        True,
    ),
    "an inline policy": ({"cloud_iam_bucket_policy_name": "{cloud}"}, True),
}


class TestVariables:
    def test_all_that_the_api_shows(self) -> None:
        host = only(object_storage={"bucket_name": "s3://speech-data", "region": "eu-west-1"})
        assert host.variables == {
            "cloud_iam_cloud_id": "cld_1",
            "cloud_iam_account_id": ACCOUNT,
            "cloud_iam_region": "eu-west-1",
            "cloud_iam_bucket": "speech-data",
            "cloud_iam_role": role_arn("speech-nodes"),
            "anyscale_cloud_id": "cld_1",
            "anyscale_cloud_name": "speech",
            "anyscale_resource_id": "cldrsrc_vmawsuswest2",
            "anyscale_resource_name": "vm-aws-us-west-2",
            "anyscale_is_default_resource": True,
            "anyscale_account_id": ACCOUNT,
            "anyscale_region": "us-west-2",
            "anyscale_bucket": "speech-data",
            "anyscale_bucket_region": "eu-west-1",
            "anyscale_default_role_arn": role_arn("speech-nodes"),
            "anyscale_instance_profile_arn": None,
            "anyscale_control_plane_role_arn": role_arn("speech-crossacct"),
            "anyscale_compute_stack": "VM",
            "anyscale_provider": "AWS",
            "anyscale_applicable": True,
            "anyscale_ring": None,
            "anyscale_tags": {},
            "anyscale_authority": {"covered": True, "listed": False, "listed_by_id": False},
        }
        assert host.groups == (
            "anyscale_clouds",
            f"account_{ACCOUNT}",
            "region_us_west_2",
            "bucket_speech_data",
        )

    def test_all_that_a_fleet_file_can_say(self) -> None:
        settings = {
            "role": "arn:aws:iam::{account_id}:role/{cloud}",
            "compute_config": "{cloud}-ray",
            "compute_config_spec": {"flags": {"owner": "{cloud_id}"}, "zones": ["{region}a"]},
            "assume_role_arn": "arn:aws:iam::{account_id}:role/onboarding",
            "assume_role_external_id": "x-{cloud_id}",
            "instance_profile": "profile",
            "ring": "Canary 1",
            "tags": {"team": "{cloud}"},
            "variables": {"cloud_iam_publish": False, "cloud_iam_dest": "/srv/{cloud}.yml"},
        }
        host = only({"clouds": {"speech": settings}})
        api = only()
        assert {
            key: value
            for key, value in host.variables.items()
            if api.variables.get(key, ...) != value
        } == {
            "cloud_iam_role": f"arn:aws:iam::{ACCOUNT}:role/speech",
            "cloud_iam_compute_config": "speech-ray",
            "cloud_iam_compute_config_spec": {"flags": {"owner": "cld_1"}, "zones": ["us-west-2a"]},
            "cloud_iam_assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/onboarding",
            "cloud_iam_assume_role_external_id": "x-cld_1",
            "cloud_iam_instance_profile": "profile",
            "cloud_iam_publish": False,
            "cloud_iam_dest": "/srv/speech.yml",
            "anyscale_ring": "Canary 1",
            "anyscale_tags": {"team": "speech"},
            "anyscale_authority": {"covered": True, "listed": True, "listed_by_id": False},
        }
        assert "ring_Canary_1" in host.groups

    def test_the_region_that_is_filled_in_is_the_clouds_not_the_buckets(self) -> None:
        elsewhere = {"bucket_name": "s3://data-1", "region": "eu-west-1"}
        assert (
            only({"defaults": {"ring": "{region}"}}, object_storage=elsewhere).variables[
                "anyscale_ring"
            ]
            == "us-west-2"
        )

    def test_what_is_filled_in_is_not_expanded_again(self) -> None:
        hosts, _messages = made(
            [row("{region}{{ 7*7 }}")], {"defaults": {"compute_config": "{cloud}"}}
        )
        assert (
            hosts["region_7_7-cld_1"].variables["cloud_iam_compute_config"] == "{region}{{ 7*7 }}"
        )

    @pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a/b", "..", "."])
    def test_no_name_leads_to_another_folder(self, name: str) -> None:
        hosts, messages = made(
            [row(name)], {"defaults": {"variables": {"cloud_iam_dest": "/srv/{cloud}.yml"}}}
        )
        [host] = hosts.values()
        assert not {variable for variable in host.variables if variable.startswith("cloud_iam_")}
        assert any(
            "cloud_iam_dest needs {cloud}, which is not usable in a path" in text
            for text, _is_problem in messages
        )

    @pytest.mark.parametrize("case", FURTHER_NAMES)
    def test_no_member_of_the_organization_names_a_further_role_or_a_policy(
        self, case: str
    ) -> None:
        """By the name of a cloud or of a region: no pattern of ``allow`` is for these."""
        variables, is_refused = FURTHER_NAMES[case]
        [host] = made([row("speech")], {"defaults": {"variables": variables}})[0].values()
        is_converged = any(variable.startswith("cloud_iam_") for variable in host.variables)
        assert is_converged is not is_refused
        if is_refused:
            [name] = [name for name in variables if name != "cloud_iam_assign"]
            assert f"the fleet file's {name} has" in host.variables["anyscale_authority"]["reason"]

    def test_a_resource_that_is_not_primary_leaves_the_compute_config_alone(self) -> None:
        hosts, _messages = made(
            [row("speech", resource(), resource(**EAST))], {"defaults": {"compute_config": "ray"}}
        )
        assert hosts["speech.east"].variables["cloud_iam_manage_compute_config"] is False
        assert "cloud_iam_manage_compute_config" not in hosts["speech"].variables
        assert [
            hosts[name].variables["anyscale_is_default_resource"]
            for name in ("speech", "speech.east")
        ] == [True, False]

    def test_a_resource_that_is_not_primary_has_rules_of_its_own(self) -> None:
        hosts, _messages = made([row("speech", resource(), resource(**EAST))])
        east = hosts["speech.east"].variables
        assert east["cloud_iam_mapping_resource"] == east["anyscale_resource_id"]
        assert "cloud_iam_manage_iam_mapping" not in east
        assert "cloud_iam_mapping_resource" not in hosts["speech"].variables

    def test_rules_of_many_clouds_are_written_once(self) -> None:
        """Placeholders are filled in within lists of dictionaries; a cloud of its own replaces the
        whole list.
        """
        rules = [
            {"selector": "workload-type in (job, service)", "role": "{cloud_id}-jobs"},
            {
                "selector": "project={cloud},user=ops+{region}@example.com",
                "role": "arn:aws:iam::{account_id}:role/ray/ops",
            },
        ]
        other = [{"selector": "project=ml", "role": "ray-ml"}]
        hosts, _messages = made(
            [row("speech"), row("vision", cloud_id="cld_2")],
            {
                "defaults": {
                    "variables": {
                        "cloud_iam_assign": "iam_mapping",
                        "cloud_iam_mapping_rules": rules,
                        "cloud_iam_mapping_position": {
                            "at": "before",
                            "selector": "project={cloud_id}",
                        },
                    }
                },
                "clouds": {"vision": {"variables": {"cloud_iam_mapping_rules": other}}},
            },
        )
        found = {name: host.variables for name, host in hosts.items()}
        assert found["speech"]["cloud_iam_mapping_rules"] == [
            {"selector": "workload-type in (job, service)", "role": "cld_1-jobs"},
            {
                "selector": "project=speech,user=ops+us-west-2@example.com",
                "role": f"arn:aws:iam::{ACCOUNT}:role/ray/ops",
            },
        ]
        assert found["speech"]["cloud_iam_mapping_position"]["selector"] == "project=cld_1"
        assert found["vision"]["cloud_iam_mapping_rules"] == other
        assert {each["cloud_iam_assign"] for each in found.values()} == {"iam_mapping"}

    @pytest.mark.parametrize(
        "name", ["ml,project=secret", "ml, secret", "ml) ", "a=b", "!x", "ml-"]
    )
    @pytest.mark.parametrize(
        "variables",
        [
            {"cloud_iam_mapping_rules": [{"selector": "project in ({cloud})", "role": "ray-ml"}]},
            {"cloud_iam_mapping_position": {"at": "before", "selector": "project={cloud}"}},
        ],
        ids=lambda variables: next(iter(variables)),
    )
    def test_no_name_of_a_cloud_is_more_than_one_value_of_a_selector(
        self, name: str, variables: dict[str, t.Any]
    ) -> None:
        """It would select clusters that the operator did not mean."""
        [host] = made([row(name)], {"defaults": {"variables": variables}})[0].values()
        assert not {variable for variable in host.variables if variable.startswith("cloud_iam_")}
        reason = host.variables["anyscale_authority"]["reason"]
        assert "needs {cloud}, which is not usable in a selector" in reason

    def test_the_only_resource_is_the_primary_one_even_where_the_api_does_not_say_so(self) -> None:
        assert only(is_default=None).variables["anyscale_is_default_resource"] is True

    def test_variables_win_over_what_the_api_shows(self) -> None:
        host = only(
            {
                "clouds": {
                    "speech": {
                        "variables": {
                            "cloud_iam_account_id": "333333333333",
                            "cloud_iam_region": None,
                        }
                    }
                }
            }
        )
        assert host.variables["cloud_iam_account_id"] == "333333333333"
        assert "cloud_iam_region" not in host.variables
        assert host.variables["anyscale_account_id"] == ACCOUNT

    @pytest.mark.parametrize(
        ("aws_config", "account_id"),
        [
            pytest.param(
                {
                    "cluster_iam_role_id": role_arn("r", "1" * 12),
                    "anyscale_iam_role_id": role_arn("c"),
                },
                "1" * 12,
                id="cluster",
            ),
            pytest.param({"anyscale_iam_role_id": role_arn("c")}, ACCOUNT, id="control plane"),
            pytest.param(
                {"cluster_iam_role_id": "nodes", "anyscale_iam_role_id": role_arn("c")},
                ACCOUNT,
                id="cluster role not an ARN",
            ),
            pytest.param(
                {"cluster_iam_role_id": "arn:aws-cn:iam::333333333333:role/r"},
                "333333333333",
                id="another partition",
            ),
            pytest.param({"cluster_iam_role_id": 5}, None, id="not a text"),
            pytest.param([], None, id="not an object"),
            pytest.param(None, None, id="nothing"),
        ],
    )
    def test_the_account_is_that_of_the_clusters_role_else_of_the_control_planes(
        self, aws_config: t.Any, account_id: str | None
    ) -> None:
        assert only(aws_config=aws_config).variables["anyscale_account_id"] == account_id

    @pytest.mark.parametrize(
        ("storage", "bucket"),
        [
            pytest.param({"bucket_name": "s3://data-1/"}, "data-1", id="with a slash behind"),
            pytest.param({"bucket_name": "data-1"}, "data-1", id="without scheme"),
            pytest.param({"bucket_name": "s3://Data_1"}, "Data_1", id="of before 2018"),
            pytest.param({"bucket_name": "gs://data-1"}, None, id="of another provider"),
            pytest.param({"bucket_name": "s3://data-1/prefix"}, None, id="with a prefix"),
            pytest.param({"bucket_name": {}}, None, id="not a text"),
            pytest.param("s3://data-1", None, id="not an object"),
        ],
    )
    def test_the_bucket_has_no_scheme(self, storage: t.Any, bucket: str | None) -> None:
        assert only(object_storage=storage).variables["anyscale_bucket"] == bucket


class TestPrecedence:
    NARROWER = {  # noqa: RUF012
        "defaults": {"role": "default", "tags": {"a": "default", "b": "default"}},
        "clouds": {
            "speech.vm-aws-us-west-2": {"role": "resource of name"},
            "cld_1": {"role": "id", "tags": {"b": "id"}},
            "speech": {"role": "name", "tags": {"b": "name", "c": "name"}},
            "cld_1.vm-aws-us-west-2": {"role": "resource of id"},
        },
    }

    @pytest.mark.parametrize("left", range(5))
    def test_the_narrower_wins(self, left: int) -> None:
        order = ["cld_1.vm-aws-us-west-2", "speech.vm-aws-us-west-2", "cld_1", "speech"]
        clouds = {name: self.NARROWER["clouds"][name] for name in order[left:]}
        expected = ["resource of id", "resource of name", "id", "name", "default"]
        assert (
            only({**self.NARROWER, "clouds": clouds}).variables["cloud_iam_role"] == expected[left]
        )

    def test_tags_are_merged(self) -> None:
        assert only(self.NARROWER).variables["anyscale_tags"] == {
            "a": "default",
            "b": "id",
            "c": "name",
        }

    def test_null_takes_a_default_away(self) -> None:
        assert only({**self.NARROWER, "clouds": {"speech": {"role": None}}}).variables[
            "cloud_iam_role"
        ] == role_arn("speech-nodes")

    def test_skip_makes_no_host(self) -> None:
        document = {"defaults": {"skip": True}, "clouds": {"cld_2": {"skip": False}}}
        assert list(made([row(), row("vision", cloud_id="cld_2")], document)[0]) == ["vision"]


def k8s(**changes: t.Any) -> Json:
    return resource("k8s", compute_stack="K8S", aws_config=None, **changes)


def unread(cloud_id: str = "cld_1", **cloud: t.Any) -> Json:
    """A cloud whose resources were not asked for."""
    return row(cloud={"id": cloud_id, "name": "speech", **cloud}, resources=None)


class TestNotApplicable:
    CASES = [  # noqa: RUF012
        pytest.param(row("speech", k8s()), id="Kubernetes on AWS"),
        pytest.param(row("speech", resource(provider="GCP")), id="resource on another provider"),
        pytest.param(unread(provider="GCP"), id="cloud on another provider"),
        pytest.param(unread(provider="AWS", is_aioa=True), id="hosted by Anyscale"),
    ]

    @pytest.mark.parametrize("cloud", CASES)
    def test_skipped(self, cloud: Json) -> None:
        assert made([cloud]) == ({}, [])

    @pytest.mark.parametrize("cloud", CASES)
    def test_marked(self, cloud: Json) -> None:
        hosts, messages = made([cloud], mark=True)
        assert hosts["speech"].groups == ("anyscale_not_applicable",)
        assert not messages
        assert hosts["speech"].variables["anyscale_applicable"] is False
        assert not [name for name in hosts["speech"].variables if name.startswith("cloud_iam_")]

    def test_a_stack_that_only_the_cloud_shows(self) -> None:
        cloud = {"id": "cld_1", "name": "speech", "provider": "AWS", "compute_stack": "K8S"}
        assert not made([row("speech", resource(compute_stack=None), cloud=cloud)])[0]

    @pytest.mark.parametrize(
        "cloud",
        [
            pytest.param(row(resources=None, chosen=False), id="not chosen"),
            pytest.param(
                {**unread(provider="GCP"), "chosen": False}, id="not chosen, on another provider"
            ),
            pytest.param(row(resources=None, failure="HTTP 500."), id="could not be read"),
            pytest.param(row(resources=[]), id="without resources"),
        ],
    )
    def test_not_marked(self, cloud: Json) -> None:
        assert not made([cloud], mark=True)[0]


LISTED = {"clouds": {"cld_1": {}}}
GONE = "The fleet file lists this cloud, and the Anyscale API does not return it"
NOT_READ: dict[str, tuple[list[Json], Json, dict[str, str]]] = {
    "listed by its ID": ([row()], {"clouds": {"cld_9": {}}}, {"cld_9": GONE}),
    "listed by its name": ([row()], {"clouds": {"vision": {}}}, {"vision": GONE}),
    "all of them, as with the token of another organization": (
        [],
        {"clouds": {"cld_9": {}, "vision": {}}},
        dict.fromkeys(("cld_9", "vision"), "the organization that the token"),
    ),
    "a resource": ([row()], {"clouds": {"speech.east": {}}}, {"speech.east": GONE}),
    "a resource, by the ID": ([row()], {"clouds": {"cld_1.x": {}}}, {"cld_1.x-missing": GONE}),
    "nothing is permitted": ([], {"clouds": {"cld_9": {}}, "allow": {}}, {"cld_9": "skip to true"}),
    "listed for later": ([row()], {"clouds": {"cld_9": {"skip": True}}}, {}),
    "not among the clouds to read": ([row(resources=None, chosen=False)], LISTED, {}),
    "unreadable": (
        [row(resources=None, failure="HTTP 500.")],
        LISTED,
        {"speech": r"cannot be read: HTTP 500\. Fix the cause"},
    ),
    "unreadable, and not listed": ([row(resources=None, failure="HTTP 500.")], {}, {}),
    "without resources": ([row(resources=[])], LISTED, {"speech": "no resources"}),
    "without resources, and not listed": ([row(resources=[])], {}, {}),
    "not applicable": ([row("speech", k8s())], LISTED, {}),
    "of a name that another cloud has": (
        [row(), row(cloud_id="cld_2", resources=[])],
        {"clouds": {"speech": {}}},
        {},
    ),
    "of a name that a cloud has that is no host": (
        [row("speech", k8s()), row(cloud_id="cld_2", resources=[])],
        {"clouds": {"speech": {}}},
        {},
    ),
    "of a name that another cloud has, and listed by its ID": (
        [row(), row(cloud_id="cld_2", resources=[])],
        {"clouds": {"speech": {}, "cld_2": {}}},
        {"speech": "no resources"},
    ),
    "all of a name": (
        [row(resources=None, failure="HTTP 500."), row(cloud_id="cld_2", resources=[])],
        {"clouds": {"speech": {}}},
        {"speech-missing": "fleet file's 'speech' is the name of 2 clouds, .* by their IDs"},
    ),
    "all of a name, listed for later": (
        [row(resources=[]), row(cloud_id="cld_2", resources=[])],
        {"clouds": {"speech": {"skip": True}}},
        {},
    ),
    "a group": ([], {"clouds": {"all": {}}}, {"all-missing": GONE}),
    "this machine": ([], {"clouds": {"localhost": {}}}, {"localhost-missing": GONE}),
    "the name of a host": ([row("a b")], {"clouds": {"a_b": {}}}, {"a_b-missing": GONE}),
    "no name for a host": ([], {"clouds": {"音声 {{ x }}": {}}}, {"x": GONE}),
    "nothing of a name for a host": ([], {"clouds": {"音声": {}}}, {"missing": GONE}),
    "like an ID": ([row()], {"clouds": {" cld_1": {}}}, {"cld_1-missing": GONE}),
    "shaped like an ID": ([], {"clouds": {"cld_ x": {}}}, {"cld__x-missing": GONE}),
}


class TestNotRead:
    """Clouds that the operator asks for, and of which there is nothing to look at."""

    @pytest.mark.parametrize("case", NOT_READ)
    def test_what_is_listed_has_a_host_that_says_why(self, case: str) -> None:
        rows, document, expected = NOT_READ[case]
        hosts = made(rows, document, taken={"all": ""})[0]
        found = {
            name: host.variables["anyscale_not_read"]
            for name, host in hosts.items()
            if "anyscale_not_read" in host.variables
        }
        assert found.keys() == expected.keys()
        for name, text in expected.items():
            assert re.search(text, found[name])
            assert "anyscale_clouds" in hosts[name].groups

    def test_only_what_the_operator_says_of_it_is_known(self) -> None:
        document = {
            "defaults": {"role": "ray", "compute_config": "ray", "tags": {"a": "1"}},
            "clouds": {"cld_9": {"ring": "canary"}},
        }
        (host,) = made([], document)[0].values()
        known = {name: value for name, value in host.variables.items() if value is not None}
        assert known.pop("anyscale_not_read")
        assert known == {
            "anyscale_cloud_id": "cld_9",
            "anyscale_cloud_name": "cld_9",
            "anyscale_ring": "canary",
            "anyscale_tags": {"a": "1"},
        }
        assert known.keys() < only().variables.keys()
        assert host.groups == ("anyscale_clouds", "ring_canary")

    def test_no_name_is_taken_for_an_id(self) -> None:
        (host,) = made([], {"clouds": {"vision": {}}})[0].values()
        assert host.variables["anyscale_cloud_id"] is None
        assert host.variables["anyscale_cloud_name"] == "vision"

    def test_no_other_cloud_gets_another_name(self) -> None:
        rows = [row("a b"), row("speech", cloud_id="cld_2")]
        before = {
            found.variables["anyscale_cloud_id"]: name for name, found in made(rows)[0].items()
        }
        hosts = made(rows, {"clouds": {"a_b": {}, "cld_9": {}, "speech.x": {}}})[0]
        after = {found.variables["anyscale_cloud_id"]: name for name, found in hosts.items()}
        assert before.items() <= after.items()


class TestProblems:
    @pytest.mark.parametrize(
        ("rows", "document", "expected"),
        [
            pytest.param(
                [row(resources=None, failure="HTTP 500.")],
                None,
                r"cannot be read, .*: speech \(cld_1\) \(HTTP 500\.\)",
                id="unreadable",
            ),
            pytest.param(
                [row(resources=[])], None, r"no resources.*: speech \(cld_1\)", id="no resources"
            ),
            pytest.param(
                [row("speech", {"name": "x"})],
                None,
                r"no resources.*: speech",
                id="resource without an id",
            ),
            pytest.param(
                [row("speech", resource(object_storage=None))],
                None,
                "no S3 bucket of: speech.*cloud_iam_bucket",
                id="no bucket",
            ),
            pytest.param(
                [row("speech", resource(aws_config={"anyscale_iam_role_id": role_arn("c")}))],
                None,
                "no role for the clusters of.*: speech.*fleet file",
                id="no role",
            ),
            pytest.param(
                [row("speech", resource(aws_config=None))],
                {"defaults": {"role": "ray"}},
                "no role ARN with the AWS account of: speech.*cloud_iam_account_id",
                id="no account",
            ),
            pytest.param(
                [row("speech", resource(region=None))],
                {"defaults": {"ring": "{region}"}, "clouds": {"cld_1": {}}},
                r"speech \(.*ring needs \{region\}",
                id="unknown filling",
            ),
            pytest.param(
                [row("speech", resource(), resource("east"))],
                None,
                "exactly one primary",
                id="two primary",
            ),
            pytest.param(
                [row("speech", resource(is_default=False), resource(**EAST))],
                None,
                r"exactly one primary.*speech \(cld_1\)",
                id="none primary",
            ),
            pytest.param(
                [row()],
                {"clouds": {"speach": {}}},
                "has clouds.*: speach",
                id="fleet file names no cloud",
            ),
            pytest.param(
                [row()],
                {"clouds": {"speech.x": {}}},
                r"has clouds.*: speech\.x",
                id="fleet file names no resource",
            ),
        ],
    )
    def test_reported_with_the_name_and_a_fix(
        self, rows: list[Json], document: t.Any, expected: str
    ) -> None:
        listed = {**(document or {}), "clouds": {"cld_1": {}, **(document or {}).get("clouds", {})}}
        _hosts, messages = made(rows, listed)
        assert len(messages) == 1
        text, is_error = messages[0]
        assert is_error
        assert re.search(expected, text)
        assert text.endswith(".")

    @pytest.mark.parametrize(
        "found",
        [
            pytest.param(row(resources=[]), id="no resources"),
            pytest.param(row("speech", resource(object_storage=None)), id="no bucket"),
            pytest.param(row("speech", resource(), resource("east")), id="two primary"),
            pytest.param(row("speech", resource(aws_config=None)), id="no account"),
        ],
    )
    def test_of_a_cloud_that_nobody_asked_for_they_are_no_errors(self, found: Json) -> None:
        """Any member of the organization could end the inventory of a strict operator."""
        assert not any(is_error for _text, is_error in made([found])[1])

    def test_what_is_unknown_is_not_set_and_the_host_is_there(self) -> None:
        host = only({"defaults": {"role": "ray-{region}"}}, region=None, object_storage=None)
        assert not {"cloud_iam_role", "cloud_iam_region", "cloud_iam_bucket"} & set(host.variables)
        assert host.groups == ("anyscale_uncovered", f"account_{ACCOUNT}")

    def test_a_bucket_that_is_not_to_be_converged_is_not_missed(self) -> None:
        document = {"defaults": {"variables": {"cloud_iam_manage_bucket_access": False}}}
        assert not made([row("speech", resource(object_storage=None))], document)[1]

    def test_without_one_primary_resource_no_host_publishes(self) -> None:
        hosts, _messages = made([row("speech", resource(is_default=False), resource(**EAST))])
        assert list(hosts) == ["speech.east", "speech.vm-aws-us-west-2"]
        assert not any(host.variables["cloud_iam_manage_compute_config"] for host in hosts.values())

    @pytest.mark.parametrize(
        ("rows", "name"),
        [
            pytest.param([row(resources=None, chosen=False)], "speech", id="cloud not chosen"),
            pytest.param(
                [row(resources=None, chosen=False)],
                "speech.east",
                id="resource of a cloud not chosen",
            ),
            pytest.param([row(resources=None, chosen=False)], "cld_1.east", id="the same by id"),
            pytest.param([row("speech", k8s())], "speech.k8s", id="not applicable"),
        ],
    )
    def test_the_fleet_file_may_name_what_is_there_but_not_a_host(
        self, rows: list[Json], name: str
    ) -> None:
        assert not made(rows, {"clouds": {name: {}}})[1]

    @pytest.mark.parametrize(
        ("rows", "name"),
        [
            pytest.param([row(), row(cloud_id="cld_2")], "speech", id="clouds of one name"),
            pytest.param(
                [row("a.b"), row("a", resource("b"), cloud_id="cld_2")],
                "a.b",
                id="a cloud named like a resource of another",
            ),
        ],
    )
    def test_a_name_of_two_clouds_in_the_fleet_file_names_neither(
        self, rows: list[Json], name: str
    ) -> None:
        hosts, messages = made(
            [*rows, row("safe", cloud_id="cld_3")], {"clouds": {name: {"role": "x"}}}
        )
        assert [host for host, found in hosts.items() if "cloud_iam_role" in found.variables] == [
            "safe"
        ]
        assert any(
            "2 clouds, cld_1, cld_2: name them by their IDs" in text for text, _error in messages
        )

    def test_a_cloud_of_the_same_name_on_another_provider_does_not_conflict(self) -> None:
        hosts, _messages = made(
            [row(), unread("cld_2", provider="GCP")], {"clouds": {"speech": {"role": "x"}}}
        )
        assert hosts["speech"].variables["cloud_iam_role"] == "x"

    def test_patterns_of_the_option_clouds_that_nothing_meets(self) -> None:
        messages = summaries(
            unmet_patterns(Choice(["speech", "cld_1", "s*", "cld_9", "x*"]), [row()])
        )
        assert [re.search(": (.*?)\\. ", text)[1] for text, _is_error in messages] == ["cld_9, x*"]

    def test_many_are_counted_and_nothing_reaches_the_terminal_raw(self) -> None:
        rows = [
            row(f"a\x1b[31m{number:03}", cloud_id=f"cld_{number:03}", resources=[])
            for number in range(60)
        ]
        ((text, _is_error),) = made(rows)[1]
        assert "a\\x1b[31m000 (cld_000), a\\x1b[31m001" in text
        assert "and 10 more." in text

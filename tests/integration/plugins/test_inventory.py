# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin as users meet it: ansible-inventory on the seeded fleet, its cache, its
errors.
"""

from __future__ import annotations

import collections
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    FLEET,
    Sandbox,
    inventory as static_inventory,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import BIN

PLUGIN = "rayfleet.anyscale.anyscale_clouds"
RESOURCES = "GET /api/v2/clouds/{id}/resources"
ALLOW_ALL = {
    "accounts": [VISION_ACCOUNT, SCIENCE_ACCOUNT],
    "roles": ["*"],
    "buckets": ["*"],
    "shared": {"roles": ["*"], "buckets": ["*"]},
    "unlisted": "include",
}
FLEET_FILE = {
    "defaults": {
        "compute_config": "{cloud}-ray",
        "assume_role_arn": "arn:aws:iam::{account_id}:role/anyscale-onboarding",
        "ring": 2,
    },
    "clouds": {"search-lab": {"ring": "canary", "tags": {"team": "search"}}},
}

Json = dict[str, t.Any]


class Inventories:
    """Configurations in a folder of their own, and commands that use them."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.path = folder / "fleet.anyscale_clouds.yml"

    def write(self, document: t.Any = None, /, **options: t.Any) -> None:
        """Write the configuration, and a fleet file, which permits everything if the document says
        no more of that.
        """
        if "fleet_file" not in options:
            content = {"allow": ALLOW_ALL, **(document or {})}
            (self.folder / "fleet_file.yml").write_text(yaml.safe_dump(content))
            options["fleet_file"] = "fleet_file.yml"
        self.path.write_text(yaml.safe_dump({"plugin": PLUGIN, **options}))

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command with the inventory; an inventory that cannot be parsed is an error."""
        program, *rest = arguments
        environment = {
            **self.sandbox.environment(),
            "HOME": str(self.folder),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_INVENTORY_ENABLED": PLUGIN,
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "COLUMNS": "2000",
            **variables,
        }
        sources = [] if "-i" in rest else ["-i", str(self.path)]
        command = [str(BIN / program), *sources, *rest]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def listed(
        self, *arguments: str, warns: str = "", **variables: str
    ) -> tuple[dict[str, Json], dict[str, set[str]]]:
        """What ``ansible-inventory --list`` shows: the variables of the hosts, and the hosts of the
        groups.
        """
        done = self.run("ansible-inventory", "--list", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        assert re.search(warns, done.stderr) if warns else "WARNING" not in done.stderr, done.stderr
        # Ansible marks texts that are not to be evaluated, which are all of the plugin's.
        found = json.loads(
            done.stdout, object_hook=lambda mapping: mapping.get("__ansible_unsafe", mapping)
        )
        hosts = found.pop("_meta")["hostvars"]
        return hosts, {name: set(group.get("hosts", ())) for name, group in found.items()}

    def calls(self) -> collections.Counter[str]:
        """The calls since the last time that this was asked."""
        made = collections.Counter(call["operation"] for call in self.sandbox.calls())
        self.sandbox.clear_calls()
        return made


@pytest.fixture
def empty(sandbox: Sandbox, tmp_path: Path) -> Inventories:
    """An organization without clouds."""
    return Inventories(tmp_path, sandbox)


@pytest.fixture
def fleet(empty: Inventories) -> Inventories:
    """The organization of the seeded fleet; what is in AWS does not matter here."""
    for cloud in FLEET:
        roles = {
            "cluster_iam_role_id": cloud.role_arn,
            "anyscale_iam_role_id": cloud.control_plane_role_arn,
            "external_id": "secret",
        }
        empty.sandbox.organization.add_cloud(
            cloud.name, cloud_id=cloud.cloud_id, bucket=cloud.bucket_name, aws_config=roles
        )
    return empty


@pytest.mark.core
class TestListing:
    def test_the_hosts_are_those_of_a_static_inventory_of_the_same_fleet(
        self, fleet: Inventories
    ) -> None:
        fleet.write(FLEET_FILE)
        hosts, _groups = fleet.listed()
        static = static_inventory(fleet.sandbox, FLEET)["all"]["children"]["anyscale_clouds"][
            "hosts"
        ]
        named = {
            cloud.name: {**static[cloud.name], "cloud_iam_role": cloud.role_arn} for cloud in FLEET
        }
        assert {
            host: {key: value for key, value in hosts[host].items() if key.startswith("cloud_iam_")}
            for host in hosts
        } == named
        assert not {"ansible_connection", "ansible_python_interpreter"} & set(hosts["vision-prod"])
        assert fleet.calls() == {"GET /api/v2/clouds/": 1, RESOURCES: len(FLEET)}

    def test_groups(self, fleet: Inventories) -> None:
        fleet.write(FLEET_FILE)
        _hosts, groups = fleet.listed()
        everyone = {cloud.name for cloud in FLEET}
        assert groups["anyscale_clouds"] == groups["region_us_west_2"] == everyone
        for account in (VISION_ACCOUNT, SCIENCE_ACCOUNT):
            assert groups[f"account_{account}"] == {
                cloud.name for cloud in FLEET if cloud.account_id == account
            }
        assert groups["ring_canary"] == {"search-lab"}
        assert groups["ring_2"] == everyone - {"search-lab"}
        assert groups["bucket_anyscale_search_shared"] == {
            "search-prod",
            "search-dev",
            "search-lab",
        }

    def test_the_graph_of_chosen_clouds(self, fleet: Inventories) -> None:
        fleet.write(clouds=["search-*", FLEET[0].cloud_id])
        graph = fleet.run("ansible-inventory", "--graph", "anyscale_clouds").stdout
        assert re.findall(r"--(\S+)", graph) == [
            "search-dev",
            "search-lab",
            "search-prod",
            "vision-prod",
        ]
        assert fleet.calls()[RESOURCES] == 4

    def test_clouds_of_many_pages_and_of_other_kinds(self, empty: Inventories) -> None:
        organization = empty.sandbox.organization
        for number in range(120):
            organization.add_cloud(
                f"cloud-{number:03}",
                bucket="data-1",
                aws_config={"cluster_iam_role_id": FLEET[0].role_arn},
            )
        organization.add_cloud("k8s", compute_stack="K8S")
        organization.add_cloud("elsewhere", provider="GCP")
        empty.write(not_applicable="mark")
        hosts, groups = empty.listed()
        assert len(groups["anyscale_clouds"]) == 120
        assert groups["anyscale_not_applicable"] == {
            "k8s",
            "elsewhere",
        }
        assert "cloud_iam_cloud_id" not in hosts["k8s"]
        assert empty.calls() == {"GET /api/v2/clouds/": 3, RESOURCES: 121}

    def test_several_resources_of_a_cloud(self, fleet: Inventories) -> None:
        cloud = FLEET[0]
        fleet.sandbox.organization.add_resource(
            cloud.cloud_id, "east", "data-2", {"cluster_iam_role_id": FLEET[1].role_arn}
        )
        fleet.write({"clouds": {"vision-prod.east": {"role": "ray-east"}}}, clouds=["vision-prod"])
        hosts, _groups = fleet.listed()
        assert sorted(hosts) == ["vision-prod", "vision-prod.east"]
        assert hosts["vision-prod.east"]["cloud_iam_role"] == "ray-east"
        assert hosts["vision-prod.east"]["cloud_iam_manage_compute_config"] is False

    def test_an_empty_organization_has_the_group_all_the_same(self, empty: Inventories) -> None:
        empty.write()
        assert re.findall(r"@(\S+):", empty.run("ansible-inventory", "--graph").stdout) == [
            "all",
            "ungrouped",
            "anyscale_clouds",
            "anyscale_uncovered",
        ]


@pytest.mark.core
class TestAuthority:
    def test_without_allow_there_are_facts_alone_and_the_lines_to_add(
        self, fleet: Inventories
    ) -> None:
        fleet.write(fleet_file=None)
        hosts, groups = fleet.listed(warns="has no section allow.*: forecast-dev, .*vision-prod")
        assert groups["anyscale_clouds"] == {cloud.name for cloud in FLEET}
        assert not any(name.startswith("cloud_iam_") for host in hosts.values() for name in host)
        lines = yaml.safe_load(hosts["vision-prod"]["anyscale_authority"]["lines"])
        assert lines["allow"]["accounts"][VISION_ACCOUNT]["buckets"] == [FLEET[0].bucket_name]
        fleet.write(lines)
        hosts, groups = fleet.listed()
        assert groups["anyscale_clouds"] == {"vision-prod"}
        assert groups["anyscale_uncovered"] == {cloud.name for cloud in FLEET[1:]}
        assert hosts["vision-prod"]["cloud_iam_role"] == FLEET[0].role_arn


@pytest.mark.core
class TestOtherSources:
    def test_their_hosts_and_groups_are_not_taken_over(self, fleet: Inventories) -> None:
        victim, mine, spare = FLEET[0], FLEET[1], FLEET[2]
        (fleet.folder / "first.yml").write_text(
            yaml.safe_dump(
                {
                    "all": {
                        "hosts": {
                            victim.name: {"ansible_connection": "ssh"},
                            mine.name: {
                                "cloud_iam_cloud_id": mine.cloud_id,
                                "cloud_iam_role": "operators-own",
                            },
                        },
                        "children": {
                            spare.name: {"hosts": {"web": None}},
                            "bucket_anyscale_search_shared": {"hosts": {"web": None}},
                            f"account_{SCIENCE_ACCOUNT}": {},
                        },
                    }
                }
            )
        )
        fleet.write()
        found, groups = fleet.listed(
            "-i",
            str(fleet.folder / "first.yml"),
            "-i",
            str(fleet.path),
            warns="hosts of another inventory source.*: bucket_anyscale_search_shared",
            ANSIBLE_INVENTORY_ENABLED=f"yaml,{PLUGIN}",
        )
        clouds = groups["anyscale_clouds"]
        assert {
            f"{victim.name}-{victim.cloud_id}",
            mine.name,
            f"{spare.name}-{spare.cloud_id}",
        } <= clouds
        assert found[victim.name] == {"ansible_connection": "ssh"}
        assert found[mine.name]["cloud_iam_role"] == "operators-own"
        assert found[mine.name]["cloud_iam_bucket"] == mine.bucket_name
        assert not {victim.name, spare.name, "web"} & clouds
        assert groups["bucket_anyscale_search_shared"] == {"web"}
        assert len(groups[f"account_{SCIENCE_ACCOUNT}"]) == 5


@pytest.mark.core
class TestConstructed:
    def test_variables_and_groups_of_ones_own(self, fleet: Inventories) -> None:
        fleet.write(
            FLEET_FILE,
            strict=True,
            compose={"cloud_iam_dest": "'/srv/' ~ inventory_hostname"},
            groups={"production": "anyscale_cloud_name.endswith('-prod')"},
            keyed_groups=[{"key": "anyscale_tags.team | default('unassigned')", "prefix": "team"}],
        )
        hosts, groups = fleet.listed()
        assert hosts["search-lab"]["cloud_iam_dest"] == "/srv/search-lab"
        assert groups["production"] == {
            cloud.name for cloud in FLEET if cloud.name.endswith("-prod")
        }
        assert groups["team_search"] == {"search-lab"}
        assert len(groups["team_unassigned"]) == len(FLEET) - 1

    @pytest.mark.parametrize("strict", [False, True])
    def test_an_expression_that_fails_is_an_error_where_that_is_asked_for(
        self, fleet: Inventories, strict: bool
    ) -> None:
        fleet.write(strict=strict, compose={"x": "no_such_variable"})
        done = fleet.run("ansible-inventory", "--graph")
        assert (done.returncode != 0, "Could not set x for host forecast-dev" in done.stderr) == (
            strict,
            strict,
        )


@pytest.mark.core
class TestUntrusted:
    def test_what_clouds_are_called_is_never_evaluated(self, empty: Inventories) -> None:
        mark = empty.folder / "evaluated"
        name = "{{ lookup('ansible.builtin.pipe', 'touch evaluated') }}"  # in the folder of the run
        empty.sandbox.organization.add_cloud(
            name,
            cloud_id="cld_x",
            bucket="data-1",
            aws_config={"cluster_iam_role_id": FLEET[0].role_arn},
        )
        empty.write(
            {"defaults": {"compute_config": "{cloud}"}}, compose={"copy": "anyscale_cloud_name"}
        )
        for variable in ("anyscale_cloud_name", "cloud_iam_compute_config", "copy"):
            shown = empty.run(
                "ansible", "anyscale_clouds", "-m", "ansible.builtin.debug", "-a", f"var={variable}"
            )
            assert shown.returncode == 0
            assert "{{ lookup(" in shown.stdout
        assert not mark.exists()


@pytest.mark.core
class TestCache:
    @pytest.fixture
    def cached(self, fleet: Inventories) -> Inventories:
        self.write(fleet)
        assert len(fleet.listed()[0]) == len(FLEET)
        assert fleet.calls()[RESOURCES] == len(FLEET)
        return fleet

    def write(self, fleet: Inventories, document: t.Any = None, **options: t.Any) -> None:
        cache = {
            "cache": True,
            "cache_plugin": "ansible.builtin.jsonfile",
            "cache_connection": str(fleet.folder / "cache"),
        }
        fleet.write(document if document is not None else FLEET_FILE, **cache, **options)

    def test_a_hit_makes_no_call_and_the_rest_takes_effect_at_once(
        self, cached: Inventories
    ) -> None:
        before, _groups = cached.listed()
        self.write(cached, {"defaults": {"compute_config": "other"}}, groups={"every": "true"})
        after, groups = cached.listed()
        assert not cached.calls()
        assert len(groups["every"]) == len(FLEET)
        assert before["vision-prod"]["cloud_iam_compute_config"] == "vision-prod-ray"
        assert after["vision-prod"]["cloud_iam_compute_config"] == "other"

    def test_flush_cache_reads_anew(self, cached: Inventories) -> None:
        cached.listed("--flush-cache")
        assert cached.calls()[RESOURCES] == len(FLEET)

    def test_another_token_or_other_clouds_are_not_served_from_it(
        self, cached: Inventories
    ) -> None:
        cached.listed(ANYSCALE_CLI_TOKEN="aph0_sandboxmember")
        assert cached.calls()[RESOURCES] == len(FLEET)
        self.write(cached, {}, clouds=["vision-*"])
        cached.listed()
        assert cached.calls()[RESOURCES] == 2

    def test_no_secret_is_in_it(self, cached: Inventories) -> None:
        kept = "".join(path.name + path.read_text() for path in (cached.folder / "cache").iterdir())
        assert "vision-prod" in kept
        assert cached.sandbox.token not in kept
        assert "secret" not in kept

    def test_what_could_not_be_read_in_full_is_not_kept(self, fleet: Inventories) -> None:
        self.write(fleet)
        fleet.sandbox.fault(RESOURCES, status=500, resource=FLEET[0].cloud_id)
        assert "vision-prod" not in fleet.listed(warns=r"vision-prod \(cld_")[0]
        assert "vision-prod" in fleet.listed()[0]


def wrong(message: str, id: str, content: bytes | None = None, **options: t.Any) -> t.Any:
    """A configuration that cannot be used, perhaps because of the fleet file beside it."""
    return pytest.param(
        id.replace(" ", "-"),
        {"fleet_file": "x.yml", **options} if content else options,
        content or b"",
        message,
        id=id,
    )


WRONG = [
    wrong("Unknown option 'fleetfile'.*ansible-doc", "misspelled option", fleetfile="x.yml"),
    wrong("threads is 0. Give a number", "no threads", threads=0),
    wrong("not_applicable", "no such choice", not_applicable="show"),
    wrong("anyscale_token.*is not a string", "token that is a number", anyscale_token="{{ 1 }}"),
    wrong(
        r"does not return: speach-\*", "pattern without clouds", clouds=["speach-*"], strict=True
    ),
    wrong(
        r"fleet file has clouds that the API does not return: speach",
        "cloud that is not there",
        b"clouds: {speach: }",
        strict=True,
    ),
    wrong("fleet file .*/x.yml cannot be read", "no fleet file", fleet_file="x.yml"),
    wrong("fleet file .* cannot be read", "folder for a fleet file", fleet_file="."),
    wrong("fleet file .* not a plain file", "a device", fleet_file="/dev/zero"),
    wrong("x.yml cannot be read", "not YAML", b"a: ["),
    wrong(
        "x.yml cannot be read.*duplicate mapping key 'allow'",
        "a section twice",
        b"allow: {unlisted: include}\nclouds: {}\nallow: {}",
    ),
    wrong("x.yml cannot be read", "not text", b"\xff\xfe\x00"),
    wrong("x.yml, the document is a list", "a list", b"- a"),
    wrong("x.yml cannot be read|nested", "nested without end", b"[" * 3000),
    wrong(
        "x.yml, defaults.compute_config_spec.* nested too deeply",
        "an alias to itself",
        b"defaults: {compute_config_spec: &a {b: *a}}",
    ),
    wrong(
        "x.yml cannot be read", "encrypted without the password", b"$ANSIBLE_VAULT;1.1;AES256\n6162"
    ),
    wrong(
        "x.yml, defaults.role cannot be decrypted",
        "an encrypted value",
        b"defaults: {role: !vault x}",
    ),
    wrong(
        "x.yml, defaults.role has a template",
        "an unsafe template",
        b"defaults: {role: !unsafe '{{ x }}'}",
    ),
    wrong("x.yml, defaults.ring is of the type date", "a date", b"defaults: {ring: 2026-01-01}"),
    wrong(
        "x.yml, there is an unknown key 'rol' in clouds.vision-prod.*The keys there",
        "misspelled key",
        b"clouds: {vision-prod: {rol: x}}",
    ),
]


@pytest.fixture(scope="module")
def said(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Ansible says of each wrong configuration, all of which are sources of one run; nothing
    comes of any of them.
    """
    running_sandbox.reset()
    folders = tmp_path_factory.mktemp("wrong")
    runs = []
    for param in WRONG:
        source, options, content, _message = param.values
        (folders / source).mkdir()
        run = Inventories(folders / source, running_sandbox)
        run.write(**options)
        if content:
            (folders / source / "x.yml").write_bytes(content)
        runs.append(run)
    sources = [argument for run in runs for argument in ("-i", str(run.path))]
    done = runs[0].run(
        "ansible-inventory", "--list", *sources, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="false"
    )
    assert json.loads(done.stdout)["_meta"]["hostvars"] == {}
    parts = done.stderr.split("[WARNING]: Failed to parse")
    return {
        run.folder.name: next(
            (text for text in parts if f"Unable to parse {run.path} as" in text), ""
        )
        for run in runs
    }


class TestErrors:
    @pytest.mark.parametrize("strict", [False, True])
    def test_a_cloud_that_cannot_be_read_is_left_out_or_an_error(
        self, fleet: Inventories, strict: bool
    ) -> None:
        fleet.write(strict=strict)
        fleet.sandbox.fault(RESOURCES, status=403, message="Not yours.", resource=FLEET[0].cloud_id)
        done = fleet.run("ansible-inventory", "--graph")
        assert re.search(
            r"cannot be read, .*: vision-prod \(cld_\w+\) \(.*Not yours\. Use the token of",
            done.stderr,
        )
        assert (done.returncode == 0) is not strict
        assert ("vision-dev" in done.stdout, "vision-prod" in done.stdout) == (not strict, False)

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            pytest.param(
                {"ANYSCALE_CLI_TOKEN": "aph0_wrong"},
                "HTTP 401.*Check the token",
                id="token refused",
            ),
            pytest.param(
                {"ANYSCALE_CLI_TOKEN": ""},
                "There is no token.*Set anyscale_token or.*anyscale login",
                id="no token",
            ),
            pytest.param(
                {"ANYSCALE_CLI_TOKEN": "aph0 wrong"},
                "contains characters",
                id="token that cannot be sent",
            ),
            pytest.param(
                {"ANYSCALE_HOST": "http://example.com"},
                "unencrypted. Use https",
                id="host without TLS",
            ),
        ],
    )
    def test_no_way_in(self, fleet: Inventories, variables: dict[str, str], message: str) -> None:
        fleet.write()
        done = fleet.run("ansible-inventory", "--graph", **variables)
        assert done.returncode != 0
        assert re.search(message, done.stderr)
        assert "wrong" not in done.stderr.replace("it is wrong", "")

    def test_a_warning_shows_what_a_name_hides(self, empty: Inventories) -> None:
        empty.sandbox.organization.add_cloud("speech\u202e\x9b2J")
        empty.write(clouds=["speech*", "none\u200b"])
        done = empty.run("ansible-inventory", "--list")
        assert "none\\u200b" in done.stderr
        assert not {"\u202e", "\x9b", "\u200b"} & set(done.stderr)

    @pytest.mark.parametrize(("source", "_options", "_content", "message"), WRONG)
    def test_wrong_options_and_fleet_files(
        self, said: dict[str, str], source: str, _options: Json, _content: bytes, message: str
    ) -> None:
        assert re.search(message, said[source])


@pytest.mark.core
class TestCredentials:
    def test_templates_and_the_file_of_anyscales_cli(self, fleet: Inventories) -> None:
        (fleet.folder / "token").write_text(f"{fleet.sandbox.token}\n")
        fleet.write(
            anyscale_token="{{ lookup('ansible.builtin.file', '"
            + str(fleet.folder / "token")
            + "') }}"
        )
        assert len(fleet.listed(ANYSCALE_CLI_TOKEN="")[0]) == len(FLEET)
        fleet.write()
        (fleet.folder / ".anyscale").mkdir()
        (fleet.folder / ".anyscale" / "credentials.json").write_text(
            json.dumps({"cli_token": fleet.sandbox.token})
        )
        assert len(fleet.listed(ANYSCALE_CLI_TOKEN="")[0]) == len(FLEET)

    @pytest.mark.core
    @pytest.mark.parametrize("encrypted", [False, True], ids=["in clear", "encrypted"])
    def test_a_directory_may_have_its_fleet_file_in_it(
        self, fleet: Inventories, encrypted: bool
    ) -> None:
        """With Ansible's own settings: no ansible.cfg is needed."""
        fleet.path = fleet.folder / "inventory" / "fleet.anyscale_clouds.yml"
        fleet.path.parent.mkdir()
        fleet.write(fleet_file="fleet_file.yml")
        path = fleet.path.with_name("fleet_file.yml")
        content = {"plugin": "rayfleet.anyscale.fleet_file", "allow": ALLOW_ALL, **FLEET_FILE}
        path.write_text(yaml.safe_dump(content))
        vault = {}
        if encrypted:
            (fleet.folder / "password").write_text("open sesame\n")
            vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(fleet.folder / "password")}
            command = [str(BIN / "ansible-vault"), "encrypt", str(path)]
            environment = {**fleet.sandbox.environment(), **vault, "HOME": str(fleet.folder)}
            subprocess.run(command, env=environment, check=True, capture_output=True)
        fleet.path = fleet.path.parent  # the directory
        hosts, groups = fleet.listed(
            ANSIBLE_INVENTORY_ENABLED="host_list,script,auto,yaml,ini", **vault
        )
        assert hosts["vision-prod"]["cloud_iam_compute_config"] == "vision-prod-ray"
        assert not {"defaults", "clouds", "plugin"} & set(groups)

    def encrypt(self, fleet: Inventories, text: str) -> tuple[str, dict[str, str]]:
        """A text as ``!vault`` value of a YAML file, and the variables with which it is decrypted."""
        (fleet.folder / "password").write_text("open sesame\n")
        vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(fleet.folder / "password")}
        command = [str(BIN / "ansible-vault"), "encrypt_string", text]
        environment = {**fleet.sandbox.environment(), **vault, "HOME": str(fleet.folder)}
        done = subprocess.run(
            command, cwd=fleet.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout, vault

    @pytest.mark.core
    def test_values_of_a_fleet_file_may_be_encrypted(self, fleet: Inventories) -> None:
        secret, vault = self.encrypt(fleet, "x-{account_id}")
        fleet.write({})
        (fleet.folder / "fleet_file.yml").write_text(
            yaml.safe_dump({"allow": ALLOW_ALL})
            + f"defaults:\n  assume_role_external_id: {secret}\n  tags:\n    team: {secret}\n"
            f"  compute_config_spec:\n    flags:\n      - {secret}\n"
        )
        host = fleet.listed(**vault)[0]["vision-prod"]
        assert host["cloud_iam_assume_role_external_id"] == f"x-{VISION_ACCOUNT}"
        assert host["anyscale_tags"] == {"team": f"x-{VISION_ACCOUNT}"}
        assert host["cloud_iam_compute_config_spec"] == {"flags": [f"x-{VISION_ACCOUNT}"]}

        (fleet.folder / "password").write_text("another\n")
        for variables in ({}, vault):
            done = fleet.run("ansible-inventory", "--list", **variables)
            assert done.returncode != 0
            for said in (
                f"fleet file {fleet.folder / 'fleet_file.yml'}",
                "defaults.assume_role_external_id cannot be decrypted",
                "--vault-password-file",
            ):
                assert said in done.stderr

    def test_a_fleet_file_may_be_encrypted(self, fleet: Inventories) -> None:
        (fleet.folder / "password").write_text("open sesame\n")
        fleet.write({"defaults": {"assume_role_external_id": "x-1"}})
        vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(fleet.folder / "password")}
        command = [str(BIN / "ansible-vault"), "encrypt", "fleet_file.yml"]
        subprocess.run(
            command,
            cwd=fleet.folder,
            env={**fleet.sandbox.environment(), **vault},
            check=True,
            capture_output=True,
        )
        assert "x-1" not in (fleet.folder / "fleet_file.yml").read_text()
        assert fleet.listed(**vault)[0]["vision-prod"]["cloud_iam_assume_role_external_id"] == "x-1"

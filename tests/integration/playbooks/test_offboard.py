# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook offboard takes a role off its clouds in the safe order, but not the role that a
cloud falls back to.
"""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.integration.playbooks.test_run_settings import (
    SETTINGS,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import bucket_policy_of, trust_of
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

OWN = next(cloud for cloud in FLEET if cloud.name == "search-dev")
DEFAULT = next(cloud for cloud in FLEET if cloud.name == "vision-prod")
OTHER = next(cloud for cloud in FLEET if cloud.name == "search-lab")
TRUST, BUCKET, CONFIG = (
    "UpdateAssumeRolePolicy",
    "DeleteBucketPolicy",
    "POST /api/v2/compute_templates/",
)


@pytest.fixture(name="seeded")
def _seeded(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    running_sandbox.seed((OWN, OTHER, DEFAULT))
    return running_sandbox


def offboard(sandbox: Sandbox, inventory: pathlib.Path, *arguments: str) -> Run:
    return run_playbook(sandbox, "offboard", inventory, *arguments)


@pytest.mark.core
def test_a_role_is_taken_off_in_the_safe_order(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """What onboarding granted is removed, unmanaged statements stay; the instance profile and the role stay;
    again changes nothing.
    """
    trust, bucket = trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)
    inventory = inventory_file(tmp_path, seeded, [OWN])
    run_playbook(seeded, "onboard", inventory)
    check = offboard(seeded, inventory, "--check")
    assert (check.exit_status, check.writes) == (0, [])
    run = offboard(seeded, inventory)
    assert run.exit_status == 0, run.output
    assert [call["operation"] for call in run.writes] == [CONFIG, BUCKET, TRUST]
    for made in (check, run):
        assert [
            text.split(" of ")[0]
            for text in made.result(OWN.name, "fleet_outcome_info")["resources"]
        ] == [f"compute config {OWN.compute_config_name}", "policy", "trust policy"]
    assert (trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)) == (
        trust,
        bucket,
    )
    assert seeded.client("iam", OWN.account_id).get_instance_profile(
        InstanceProfileName=OWN.role_name
    )
    again = offboard(seeded, inventory)
    assert (again.exit_status, again.writes) == (0, [])


@pytest.mark.long
def test_it_can_be_rolled_back(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    inventory = inventory_file(tmp_path, seeded, [OWN])
    run_playbook(seeded, "onboard", inventory)
    trust, bucket = trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)
    offboard(seeded, inventory, "-e", "cloud_iam_run_id=leaving")
    assert "ec2.amazonaws.com" not in json.dumps(trust_of(seeded, OWN.role_name))
    back = ("-e", "rollback_run=leaving")
    run = run_playbook(seeded, "rollback", inventory, *back)
    assert run.exit_status == 0, run.output
    assert "gives access back to ec2.amazonaws.com" in run.output
    assert (trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)) == (
        trust,
        bucket,
    )


# Which roles are refused is a pure function, whose unit tests have all cases.


def test_the_default_role_of_a_cloud_is_refused(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """Before anything is read. The other clouds are offboarded."""
    run = offboard(seeded, inventory_file(tmp_path, seeded, [DEFAULT, OWN]), "--check")
    assert run.failed() == {DEFAULT.name}
    assert run.exit_status == 2
    assert f"{DEFAULT.role_name} is the default role of cloud {DEFAULT.cloud_id}" in run.output
    assert "offboard_default_role" in run.output
    resources = {call["resource"] for call in seeded.calls()}
    assert OWN.role_name in resources
    assert not {DEFAULT.role_name, DEFAULT.bucket_name, DEFAULT.cloud_id} & resources


@pytest.mark.parametrize("allowed", [False, True], ids=["refused", "on request"])
def test_a_role_that_another_cloud_needs(
    seeded: Sandbox, tmp_path: pathlib.Path, allowed: bool
) -> None:
    """Refused before anything is read, unless it is requested. The other cloud counts although the
    run is limited to this one.
    """
    inventory = inventory_file(tmp_path, seeded, [OWN, OTHER], cloud_iam_role=OWN.role_arn)
    switch = ["-e", "offboard_shared_role=true"] if allowed else []
    run = offboard(seeded, inventory, "--limit", OWN.name, "--check", *switch)
    if allowed:
        assert (run.exit_status, run.failed()) == (0, set()), run.output
        assert run.operations
        return
    assert (run.exit_status, run.failed()) == (2, {OWN.name}), run.output
    assert f"{OWN.role_name} is also a role of {OTHER.name}, according to" in run.output
    assert "offboard_shared_role" in run.output
    assert run.operations == {}


def test_the_registered_role_of_a_cloud_that_names_none_is_asked_of_anyscale(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """It is the one that the cloud would lose, and that other clouds may need."""
    inventory = inventory_file(tmp_path, seeded, [OWN, OTHER], cloud_iam_role=OWN.role_arn)
    hosts = yaml.safe_load(inventory.read_text())
    del hosts["all"]["children"]["anyscale_clouds"]["hosts"][OWN.name]["cloud_iam_role"]
    inventory.write_text(yaml.safe_dump(hosts))
    arguments = ["--limit", OWN.name, "-e", "offboard_default_role=true"]
    run = offboard(seeded, inventory, *arguments)
    assert (run.exit_status, run.failed()) == (2, {OWN.name}), run.output
    assert f"{OWN.role_name} is also a role of {OTHER.name}, according to" in run.output
    assert run.operations == {"GET /api/v2/clouds/{id}/resources": 1}


@pytest.mark.long
def test_a_variable_without_a_value_ends_the_run(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """It may name the role that another cloud is to lose."""
    inventory = inventory_file(tmp_path, seeded, [OWN, OTHER])
    inventory.write_text(
        inventory.read_text().replace(
            f"{OTHER.name}:",
            f"{OTHER.name}:\n          anyscale_default_role_arn: '{{{{ gone }}}}'",
        )
    )
    run = offboard(seeded, inventory, "--limit", OWN.name)
    assert (run.exit_status, run.operations) == (2, {})
    assert f"{OTHER.name}: The variable anyscale_default_role_arn has no value" in run.output


@pytest.mark.parametrize("mode", ["refuse", "warn"])
def test_a_role_that_something_still_runs_with(
    seeded: Sandbox, tmp_path: pathlib.Path, mode: str
) -> None:
    """The other cloud, of which the caller may not find it out, is offboarded with a warning."""
    inventory = inventory_file(tmp_path, seeded, [OWN, OTHER])
    run_playbook(seeded, "onboard", inventory)
    seeded.organization.launch("service", OWN.cloud_id, "search", newest(seeded, OWN))
    seeded.settings(denied=["DescribeInstances"])
    arguments = [] if mode == "refuse" else ["-e", "offboard_running=warn"]
    run = offboard(seeded, inventory, *arguments)
    words = " ".join(run.output.split())
    assert f"Still running with {OWN.role_name}, and so losing access: 1 launch (" in words
    assert f"{OTHER.name}: whether anything else still runs with the role is unknown" in words
    assert "Grant ec2:DescribeInstances to the caller" in words
    changed = {call["resource"] for call in run.writes}
    assert OTHER.role_name in changed
    if mode == "warn":
        assert (run.exit_status, run.failed()) == (0, set()), run.output
        assert OWN.role_name in changed
        return
    assert (run.exit_status, run.failed()) == (2, {OWN.name}), run.output
    assert "offboard_running=warn" in words
    assert OWN.role_name not in changed


def test_a_mode_that_there_is_not_ends_the_run(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """Before anything is read."""
    inventory = inventory_file(tmp_path, seeded, [OWN])
    run = offboard(seeded, inventory, "-e", "offboard_running=ignore")
    assert (run.exit_status, run.operations) == (2, {})
    words = " ".join(run.output.split())
    assert f"{OWN.name}: offboard_running is 'ignore'. Set it to refuse or warn" in words


def newest(sandbox: Sandbox, cloud: Cloud) -> str:
    """The id of the newest version of a cloud's compute config."""
    name = {"equals": cloud.compute_config_name}
    found = sandbox.organization.templates.search({"name": name}, 0.0)
    return str(max(found, key=lambda template: template["version"])["id"])


@pytest.mark.core
def test_it_can_be_imported_twice(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """If all clouds of the first offboarding are refused, the second one is made all the same,
    whatever ansible.cfg sets for all plays.
    """
    inventory = inventory_file(tmp_path, seeded, [DEFAULT, OWN, OTHER])
    run_playbook(seeded, "onboard", inventory, "--limit", OWN.name)
    imports = [
        {"import_playbook": "rayfleet.anyscale.offboard", "vars": variables}
        for variables in (
            {"fleet_clouds": DEFAULT.name},
            {"offboard_hosts": OWN.name, "fleet_engine": False},
        )
    ]
    playbook = tmp_path / "site.yml"
    playbook.write_text(yaml.safe_dump(imports))
    run = run_playbook(
        seeded, str(playbook), inventory, variables=SETTINGS["free, and the first failure ends all"]
    )
    assert (run.exit_status, run.failed()) == (2, {DEFAULT.name}), run.output
    assert [result["lines"][0] for result in run.named("Summarize the run")] == [
        "0 changed, 0 in sync, 1 failed",
        "1 changed, 0 in sync, 0 failed",
    ]
    assert [call["operation"] for call in run.writes] == [CONFIG, BUCKET, TRUST]
    assert "no hosts matched" not in run.output


@pytest.mark.core
def test_clouds_that_share_a_role_are_offboarded_together(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Each document that they share is written once."""
    inventory = inventory_file(tmp_path, seeded, [OWN, OTHER], cloud_iam_role=OWN.role_arn)
    run_playbook(seeded, "onboard", inventory)
    run = offboard(seeded, inventory)
    assert run.exit_status == 0, run.output
    assert sorted(call["operation"] for call in run.writes) == sorted(
        [CONFIG, CONFIG, BUCKET, TRUST]
    )


@pytest.mark.long
def test_the_default_role_is_offboarded_on_request(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    inventory = inventory_file(
        tmp_path, seeded, [DEFAULT], anyscale_default_role_arn=DEFAULT.role_arn
    )
    run_playbook(seeded, "onboard", inventory)
    run = offboard(seeded, inventory, "-e", "offboard_default_role=true")
    assert run.exit_status == 0, run.output
    assert len(run.writes) == 3, run.output


@pytest.mark.long
def test_another_role_than_the_registered_one_is_offboarded(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """A registry that knows nothing (null) forbids nothing; the refusal of one cloud is not
    another's.
    """
    inventory = inventory_file(tmp_path, seeded, [OWN, DEFAULT], anyscale_default_role_arn=None)
    run_playbook(seeded, "onboard", inventory)
    content = inventory.read_text().replace(
        f"{OWN.name}:", f"{OWN.name}:\n          anyscale_default_role_arn: null", 1
    )
    inventory.write_text(content)
    run = offboard(seeded, inventory)
    assert run.failed() == {DEFAULT.name}
    assert len(run.writes) == 3


@pytest.mark.parametrize("limit", few_of([[], ["--limit", OWN.name]], []), ids=["all", "limited"])
def test_a_pattern_that_matches_no_cloud_is_an_error(
    seeded: Sandbox, tmp_path: pathlib.Path, limit: list[str]
) -> None:
    """A name that is mistyped must not look like a role that is gone."""
    run = offboard(
        seeded, inventory_file(tmp_path, seeded, [OWN]), "-e", "offboard_hosts=serach-dev", *limit
    )
    assert run.exit_status == 4
    assert run.operations == {}
    assert "No host in the inventory matches serach-dev. Check the inventory" in run.output
    assert "offboard_hosts" in run.output


@pytest.mark.core
def test_a_pattern_in_the_inventory_selects_no_cloud(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Ansible has taken both clouds, and offboarding one of them was meant."""
    run = offboard(seeded, inventory_file(tmp_path, seeded, [OWN, OTHER], offboard_hosts=OWN.name))
    assert (run.exit_status, run.operations) == (2, {})
    assert "offboard_hosts is a variable of hosts (the group all)" in run.output


@pytest.mark.parametrize("limit", few_of([[], ["--limit", OWN.name]], []), ids=["all", "limited"])
def test_an_inventory_without_a_host_is_an_error(
    seeded: Sandbox, tmp_path: pathlib.Path, limit: list[str]
) -> None:
    run = offboard(seeded, inventory_file(tmp_path, seeded, []), *limit)
    assert run.exit_status == 4
    assert "The inventory has no hosts." in run.output

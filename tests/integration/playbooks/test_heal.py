# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What events say has changed is converged, and nothing else: not what events claim of other
accounts, not what a run wrote itself, and not what keeps changing.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.accounts import LAMBDA, policy
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    bridged,
    queued,
    record,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
CLOUDS = [
    Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="lambda_only")
    for name in ("speech", "vision", "lab")
]
QUICK = {"heal_quiet_seconds": 0, "heal_read_back": False}
ROLE = CLOUDS[0].role_name
FINISH = "Note which clouds had to be changed, or failed"
LAB_EVENT = record(
    "UpdateAssumeRolePolicy",
    VISION_ACCOUNT,
    requestParameters={"roleName": "lab-ray", "policyDocument": "{}"},
)
# Of the cloud whose variables name no role.
FOR_ITS_ROLE = "GET /api/v2/clouds/{id}/resources"


class Fleet:
    """Clouds that were onboarded, and events."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.reset()
        sandbox.seed(CLOUDS)
        self.sandbox = sandbox
        self.folder = folder
        self.healed: Json = {}
        self.inventory = inventory_file(folder, sandbox, CLOUDS)
        # Its role is asked of Anyscale
        self.change_host("vision", lambda variables: variables.pop("cloud_iam_role"))
        assert run_playbook(sandbox, "onboard", self.inventory).exit_status == 0

    def change_host(self, name: str, change: t.Callable[[Json], object]) -> None:
        """Change the variables of a cloud."""
        inventory = yaml.safe_load(self.inventory.read_text())
        change(inventory["all"]["children"]["anyscale_clouds"]["hosts"][name])
        self.inventory.write_text(yaml.safe_dump(inventory))

    def break_trust(self) -> None:
        """As a person would, by the console."""
        self.sandbox.client("iam", VISION_ACCOUNT).update_assume_role_policy(
            RoleName=ROLE, PolicyDocument=json.dumps(policy(LAMBDA))
        )

    def attached_policy(self, role: str) -> str:
        """A managed policy that a role has, and that no variable names. Returns its ARN."""
        iam = self.sandbox.client("iam", VISION_ACCOUNT)
        document = json.dumps(
            policy({"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::x"})
        )
        arn = str(iam.create_policy(PolicyName="guard", PolicyDocument=document)["Policy"]["Arn"])
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return arn

    def tick(self) -> Run:
        """A run as the rulebooks start it now and then."""
        rulebook = (ROOT / "extensions/eda/rulebooks/heal_sqs.yml").read_text()
        [_queue, clock] = yaml.safe_load(rulebook)[0]["sources"]
        [event] = clock["eda.builtin.generic"]["payload"]
        path = self.folder / "tick.json"
        path.write_text(json.dumps({"ansible_eda": {"event": event}, **QUICK}))
        return run_playbook(self.sandbox, "heal", self.inventory, "-e", f"@{path}")

    def let_time_pass(self) -> None:
        """So that a cloud that failed is due again."""
        state = self.folder / "ansible/anyscale_healing/healing.json"
        content = json.loads(state.read_text())
        for cloud in content["clouds"].values():
            if cloud["retry"]:
                cloud["retry"]["at"] -= 300
        state.write_text(json.dumps(content))

    def heal(self, *records: Json, playbook: str = "heal", **variables: t.Any) -> Run:
        """A run as ansible-rulebook starts it."""
        events = {f"m_{number}": queued(bridged(one)) for number, one in enumerate(records)}
        path = self.folder / "event.json"
        path.write_text(json.dumps({"ansible_eda": {"events": events}, **QUICK, **variables}))
        return run_playbook(self.sandbox, playbook, self.inventory, "-e", f"@{path}")


def trust_event(account: str = VISION_ACCOUNT, **fields: t.Any) -> Json:
    """The event of a trust policy that was replaced."""
    return record(
        "UpdateAssumeRolePolicy",
        account,
        requestParameters={"roleName": ROLE.upper(), "policyDocument": "{}"},
        **fields,
    )


@pytest.fixture(scope="module", name="fleet")
def _fleet(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(running_sandbox, tmp_path_factory.mktemp("heal"))


def test_only_what_an_event_touches_is_put_back(fleet: Fleet) -> None:
    fleet.break_trust()
    attached = fleet.attached_policy("vision-ray")
    trap = fleet.folder / "trap"
    template = "{{ lookup('pipe', 'touch " + str(trap) + "') }}"
    run = fleet.heal(
        trust_event(userAgent=template),
        trust_event("999999999999"),
        record("DeleteRole", requestParameters={"roleName": template}, errorMessage=template),
        record("DeleteRole", requestParameters={"roleName": "of-nobody"}),
        record("CreatePolicyVersion", VISION_ACCOUNT, requestParameters={"policyArn": attached}),
    )
    assert run.exit_status == 0, run.output
    assert [(call["operation"], call["resource"]) for call in run.writes] == [
        ("UpdateAssumeRolePolicy", ROLE)
    ]
    [events] = run.named("Find the clouds that events touch")
    assert {cloud["name"]: cloud["calls"] for cloud in events["clouds"]} == {
        "speech": ["UpdateAssumeRolePolicy"],
        "vision": ["CreatePolicyVersion"],
    }
    assert events["counts"] == {
        "changes": 4,
        "of_clouds": 2,
        "own": 0,
        "clouds_not_watched": 0,
    }
    assert events["dropped"] == {"malformed": 1}
    assert f"speech: role {ROLE} in {VISION_ACCOUNT}: UpdateAssumeRolePolicy by arn:" in run.output
    assert (run.counts["changed"], run.counts["in_sync"]) == (1, 1)
    assert not trap.exists()
    fleet.healed = run.outcomes["speech"]


def test_the_event_of_its_own_write_leads_to_nothing(fleet: Fleet) -> None:
    [write] = fleet.healed["writes"]
    identity = {"type": "AssumedRole", "arn": fleet.healed["principal"]}
    own = {"requestID": write["request_id"], "userIdentity": identity}
    run = fleet.heal(trust_event(**own))
    [events] = run.named("Find the clouds that events touch")
    assert (events["clouds"], events["counts"]["own"]) == ([], 1)
    assert run.exit_status == 0, run.output
    assert set(run.operations) == {FOR_ITS_ROLE}
    # The session and the user agent of a run, and another request
    run = fleet.heal(trust_event(userIdentity=identity, userAgent="rayfleet-anyscale"))
    assert run.counts["in_sync"] == 1
    assert not run.writes


def test_what_keeps_changing_is_left_and_said(fleet: Fleet) -> None:
    """The time before was its first."""
    fleet.break_trust()
    run = fleet.heal(trust_event(), heal_most=1)
    assert run.exit_status == 2, run.output
    assert set(run.operations) == {FOR_ITS_ROLE}
    [healing] = run.named("Take the clouds that are due")
    [stop] = healing["stopped"]
    assert (stop["cloud"], stop["document"]) == (
        "speech",
        f"role {ROLE} in {VISION_ACCOUNT}",
    )
    assert "was put back once within 3600 s, and has changed again" in run.output
    assert "rayfleet.anyscale.onboard -e fleet_clouds=speech" in run.output
    assert "Failed: speech" in run.output


def test_a_cloud_that_failed_is_healed_by_a_later_run(fleet: Fleet) -> None:
    """By one that no event of it starts: a tick of the rulebook."""
    fleet.break_trust()
    fleet.sandbox.fault("UpdateAssumeRolePolicy", status=403, code="AccessDenied", message="no")
    run = fleet.heal(trust_event())
    assert run.exit_status == 2, run.output
    [retry] = [one for found in run.named(FINISH) for one in found["retries"]]
    assert "Not converged: speech. The next run of heal after 20" in run.output
    fleet.let_time_pass()
    run = fleet.tick()
    assert run.exit_status == 0, run.output
    assert "Tried again, since a run failed: speech" in run.output
    assert (retry["cloud"], run.counts["changed"]) == ("speech", 1)
    assert "0 changes in the events" in run.output
    assert "Left out" not in run.output
    run = fleet.tick()
    assert run.exit_status == 0, run.output
    assert not run.operations
    assert "Nothing was due." in run.output
    assert "0 changed" not in run.output


def audit(fleet: Fleet, *arguments: str) -> Run:
    """An audit whose findings are healed."""
    given = ["-e", "audit_heal=true", "-e", f"audit_report_dir={fleet.folder}/audit", *arguments]
    return run_playbook(fleet.sandbox, "audit", fleet.inventory, *given)


def test_what_an_audit_finds_is_put_back_by_the_next_run(fleet: Fleet) -> None:
    """Anyscale sends no events. Of a cloud that is not drifted, or has other variables, nothing is noted."""
    fleet.break_trust()
    lab = CLOUDS[2]
    template = {"name": lab.compute_config_name, "anonymous": False, "new_version": True}
    config = {"cloud_id": lab.cloud_id, "head_node_type": {"name": "head", "instance_type": "m5"}}
    fleet.sandbox.organization.create_template({**template, "config": config})
    fleet.change_host("speech", lambda variables: variables.update(cloud_iam_bucket_prefix="new/"))
    run = audit(fleet, "--check")
    assert (run.exit_status, "Noted for healing" in run.output) == (0, False), run.output
    run = audit(fleet)
    assert (run.exit_status, run.writes) == (0, []), run.output
    assert "Noted for healing: lab. The next run of heal takes this up." in run.output
    assert "(the variables are not those of the last run of onboard): speech" in run.output
    fleet.change_host("speech", lambda variables: variables.pop("cloud_iam_bucket_prefix"))
    run = audit(fleet)
    assert "Noted for healing: speech. The next run of heal takes this up." in run.output
    assert "Noted for healing before, and still pending: lab. To converge this now" in run.output
    assert "rayfleet.anyscale.onboard -e fleet_clouds=lab" in run.output
    run = fleet.tick()
    assert (run.exit_status, run.counts["changed"]) == (0, 2), run.output
    run = audit(fleet)
    assert "oted for healing" not in run.output
    assert "Nothing was due." in fleet.tick().output


def test_a_cloud_that_failed_and_is_offboarded_stays_so(fleet: Fleet) -> None:
    fleet.break_trust()
    fleet.sandbox.fault("UpdateAssumeRolePolicy", status=403, code="AccessDenied", message="no")
    assert fleet.heal(trust_event()).exit_status == 2
    given = ("-e", "fleet_clouds=speech", "-e", "offboard_default_role=true")
    run = run_playbook(fleet.sandbox, "offboard", fleet.inventory, *given)
    assert run.exit_status == 0, run.output
    fleet.let_time_pass()
    run = fleet.heal(trust_event())
    assert (run.exit_status, run.writes) == (0, []), run.output
    assert "1 cloud was left, since no run of onboard has converged it" in run.output
    again = run_playbook(fleet.sandbox, "onboard", fleet.inventory, *given[:2])
    assert again.exit_status == 0, again.output
    fleet.break_trust()
    assert fleet.heal(trust_event()).counts["changed"] == 1


def test_a_preview_writes_nothing_and_notes_nothing(fleet: Fleet) -> None:
    fleet.break_trust()
    state = fleet.folder / "ansible/anyscale_healing/healing.json"
    before = state.read_text()
    run = fleet.heal(trust_event(), fleet_mode="check")
    assert run.counts["changed"] == 1
    assert not run.writes
    assert state.read_text() == before


def test_changed_variables_are_not_rolled_out_by_an_event(fleet: Fleet) -> None:
    """The cloud stays pending: it is healed when they are as they were, or by onboard."""
    fleet.break_trust()
    fleet.change_host("speech", lambda variables: variables.update(cloud_iam_bucket_prefix="new/"))
    run = fleet.heal(trust_event())
    assert (run.exit_status, run.writes) == (0, []), run.output
    assert "1 cloud was left, since its variables are not those that onboard has" in run.output
    assert "rayfleet.anyscale.onboard -e fleet_clouds=speech" in run.output
    assert "Nothing was due." in run.output
    # What decides nothing is no change
    fleet.change_host("speech", lambda variables: variables.pop("cloud_iam_bucket_prefix"))
    fleet.change_host("speech", lambda variables: variables.update(cloud_iam_check_launches=True))
    run = fleet.tick()
    assert run.counts["changed"] == 1, run.output
    fleet.change_host("speech", lambda variables: variables.update(cloud_iam_bucket_prefix="new/"))
    onboard = run_playbook(fleet.sandbox, "onboard", fleet.inventory, "-e", "fleet_clouds=speech")
    assert onboard.exit_status == 0, onboard.output
    fleet.break_trust()
    assert fleet.heal(trust_event()).counts["changed"] == 1


def test_a_cloud_that_is_offboarded_while_a_run_has_it_stays_so(fleet: Fleet) -> None:
    """The run writes nothing for it, and says why."""
    fleet.break_trust()
    plays = yaml.safe_load((ROOT / "playbooks/heal.yml").read_text())
    forget = {"step": "forget", "hosts": ["speech"]}
    meanwhile = {"rayfleet.anyscale.fleet_healing": forget, "run_once": True}
    plays[0]["tasks"].insert(2, meanwhile)
    playbook = fleet.folder / "heal.yml"
    playbook.write_text(yaml.safe_dump(plays))
    run = fleet.heal(trust_event(), playbook=str(playbook), heal_most=9)
    assert (run.exit_status, run.writes) == (2, []), run.output
    message = run.outcomes["speech"]["msg"]
    assert message.startswith("This cloud was offboarded or rolled back after this run of heal had")
    onboard = run_playbook(fleet.sandbox, "onboard", fleet.inventory, "-e", "fleet_clouds=speech")
    assert onboard.exit_status == 0, onboard.output


def test_a_cloud_with_an_invalid_variable_fails_with_the_reason(fleet: Fleet) -> None:
    """It is not taken for one whose variables are to be rolled out."""
    fleet.heal(LAB_EVENT, heal_paused=True)
    fleet.change_host("lab", lambda variables: variables.update(cloud_iam_arn_kind="group"))
    run = fleet.tick()
    assert run.exit_status == 2, run.output
    assert "cloud_iam_arn_kind" in run.output
    assert "Failed: lab" in run.output
    assert "1 cloud was left" not in run.output
    fleet.change_host("lab", lambda variables: variables.pop("cloud_iam_arn_kind"))
    fleet.let_time_pass()
    assert fleet.tick().counts["in_sync"] == 1


def test_a_cloud_that_needs_tasks_of_its_own_fails(fleet: Fleet) -> None:
    """Rather than staying as it is behind a run that succeeds."""
    fleet.change_host("lab", lambda variables: variables.update(ansible_connection="ssh"))
    run = fleet.heal(LAB_EVENT, fleet_mode="check")
    assert run.exit_status == 2, run.output
    assert "because the connection is ssh" in run.output
    assert "rayfleet.anyscale.onboard -e fleet_clouds=lab" in run.output
    assert "Failed: lab" in run.output


def test_without_events_it_says_where_they_come_from(fleet: Fleet) -> None:
    run = run_playbook(fleet.sandbox, "heal", fleet.inventory)
    assert run.exit_status == 2
    assert "There are no events: ansible_eda is not set." in run.output

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what happened to a converged cloud, or to an audit that says so: ansible-rulebook with the
released sources of amazon.aws, before the sandbox with its queue, and a stand-in for CloudTrail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import boto3
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.tests.eda.controller import (
    ORGANIZATION,
    TEMPLATE,
    TOKEN,
    Controller,
)
from ansible_collections.rayfleet.anyscale.tests.eda.trail import Trail
from ansible_collections.rayfleet.anyscale.tests.eda.writers import DRIFTS, Writer, drifted_clouds
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._trail import QUEUE, QUEUE_REGION
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    CALLS,
    bridged,
    notified,
    record,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.processes import MARK, marked
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
CLOUDS = [
    Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="lambda_only")
    for name in ("speech", "vision")
]
# Of which the throttle of the rule takes 15, and the quiet of the cloud 5.
SECONDS = 120
PLAY = "PLAY [Heal Anyscale clouds]"
FAILED_RUN = "ansible_rulebook.action.run_playbook - ERROR"
# As on the page, with less time between two attempts.
PATIENCE = {"EDA_CONTROLLER_RETRY_ATTEMPTS": "1440", "EDA_CONTROLLER_RETRY_MAX_TIMEOUT": "1"}
OF_QUEUE = {"heal_queue": QUEUE, "heal_queue_region": QUEUE_REGION}


def trust_event(cloud: Cloud, document: str = "{}", **fields: t.Any) -> Json:
    """The record of a trust policy that was replaced."""
    parameters = {"roleName": cloud.role_name, "policyDocument": document}
    return record("UpdateAssumeRolePolicy", VISION_ACCOUNT, requestParameters=parameters, **fields)


@dataclasses.dataclass
class Running:
    """A rulebook that waits for events."""

    sandbox: Sandbox
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "rulebook.log").read_text(errors="replace")

    def is_in_sync(self, cloud: Cloud) -> bool:
        """Whether EC2 may assume the role."""
        iam = self.sandbox.client("iam", VISION_ACCOUNT)
        role = iam.get_role(RoleName=cloud.role_name)["Role"]
        return "ec2.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])

    def wait_for_runs(self, number: int) -> None:
        """Of the playbook: the first is without events, at the start of the rulebook."""
        self.wait_for(lambda: self.log.count("PLAY RECAP") >= number)

    def wait_for(self, holds: t.Callable[[], bool]) -> float:
        """How long it took."""
        started = time.monotonic()
        while not holds():
            assert self.process.poll() is None, self.log
            assert time.monotonic() - started < SECONDS, self.log
            time.sleep(0.25)
        return time.monotonic() - started


@pytest.fixture(name="fleet")
def _fleet(running_sandbox: Sandbox, tmp_path: Path) -> Path:
    """The inventory of clouds that were onboarded."""
    running_sandbox.reset()
    running_sandbox.seed(CLOUDS)
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS)
    assert run_playbook(running_sandbox, "onboard", inventory).exit_status == 0
    running_sandbox.open_queue()
    return inventory


@contextlib.contextmanager
def running(
    eda: Path,
    sandbox: Sandbox,
    inventory: Path,
    rulebook: str,
    endpoints: t.Mapping[str, str],
    *options: str,
    **variables: str,
) -> t.Iterator[Running]:
    """A rulebook as users start it. endpoints: the addresses of services, by their variables."""
    folder = inventory.parent
    environment = {
        **sandbox.environment(),
        **endpoints,
        "PATH": os.pathsep.join([str(eda / "bin"), os.environ["PATH"]]),
        "JAVA_HOME": str(Path(str(shutil.which("java"))).resolve().parents[1]),
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
        MARK: str(folder),
    }
    (folder / "vars.yml").write_text(json.dumps(variables))
    command = [str(eda / "bin/ansible-rulebook"), "-v", "-r", rulebook]
    with (folder / "rulebook.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-i", str(inventory), "--vars", str(folder / "vars.yml"), *options],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            found = Running(sandbox, folder, process)
            found.wait_for(lambda: "Waiting for events" in found.log)
            yield found
        finally:
            process.terminate()
            process.wait(30)
            for left in marked(str(folder)):  # a playbook that it was running
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)


def quicker(folder: Path, rulebook: str, given: str, seconds: int) -> str:
    """A copy of a rulebook that waits for less time between two polls."""
    text = (ROOT / f"extensions/eda/rulebooks/{rulebook}.yml").read_text()
    option = given.partition(":")[0]
    assert text.count(given) == 1
    path = folder / f"{rulebook}.yml"
    path.write_text(text.replace(given, f"{option}: {seconds}"))
    return str(path)


def send(sandbox: Sandbox, *bodies: str) -> None:
    """Messages of anyone who can send them."""
    given = {**sandbox.credentials(), "region_name": QUEUE_REGION}
    sqs = boto3.client("sqs", endpoint_url=sandbox.aws_url, **given)
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


def test_a_job_of_awx_gets_the_events(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """As variables with which its playbook converges the cloud, once AWX is available again."""
    names = {"heal_job_template": TEMPLATE, "heal_organization": ORGANIZATION, **OF_QUEUE}
    with Controller() as controller:
        options = ("--controller-url", controller.url, "--controller-token", TOKEN)
        rulebook = (running_sandbox, fleet, "rayfleet.anyscale.heal_sqs_awx", PATIENCE)
        with running(eda, *rulebook, *options, **names) as listening:
            listening.wait_for(lambda: len(controller.launched) == 1)
            controller.unavailable = 8  # ansible-rulebook gives up after 5 by itself
            running_sandbox.drift(CLOUDS[0].name)
            event = json.dumps(bridged(trust_event(CLOUDS[0])))
            send(running_sandbox, event, event, event)  # SQS may deliver one more than once
            listening.wait_for(lambda: len(controller.launched) == 2)
    without_events, with_events = controller.launched
    assert not heal(running_sandbox, fleet, without_events).writes
    assert heal(running_sandbox, fleet, with_events).counts["changed"] == 1
    assert listening.is_in_sync(CLOUDS[0])


def heal(sandbox: Sandbox, fleet: Path, job: Json) -> Run:
    """What a job of AWX runs."""
    variables = fleet.parent / "job.json"
    variables.write_text(json.dumps(job["extra_vars"]))
    run = run_playbook(sandbox, "heal", fleet, "-e", f"@{variables}")
    assert run.exit_status == 0, run.output
    return run


def test_a_burst_is_converged_by_one_run(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """With what is no event among it, and a template that nobody evaluates."""
    rulebook = (running_sandbox, fleet, "rayfleet.anyscale.heal_sqs", {})
    with running(eda, *rulebook, **OF_QUEUE) as listening:
        listening.wait_for_runs(1)
        burst(listening)


def burst(listening: Running) -> None:
    """Two clouds that are broken, and sixty messages."""
    trap = listening.folder / "trap"
    template = "{{ lookup('pipe', 'touch " + str(trap) + "') }}"
    [speech, vision] = CLOUDS
    listening.sandbox.drift(speech.name)
    listening.sandbox.drift(vision.name)
    for number in range(30):
        event = bridged(trust_event(CLOUDS[number % 2], template, userAgent=template))
        send(listening.sandbox, json.dumps(notified(event) if number % 3 else event), template)
    listening.wait_for(lambda: listening.is_in_sync(speech) and listening.is_in_sync(vision))
    listening.wait_for_runs(2)
    assert listening.log.count(PLAY) == 2
    assert "2 changed, 0 in sync, 0 failed" in listening.log
    assert "left out so far: {'not_json': 30}" in listening.log
    assert not trap.exists()


def test_every_call_that_changes_a_cloud(
    eda: Path, running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Made before the sandbox, whose events go through the queue, the filter and the rule. What onboard
    manages is put back by one run, and what that writes leads to nothing.
    """
    running_sandbox.reset()
    clouds = drifted_clouds()
    running_sandbox.seed(clouds.values())
    writer = Writer(running_sandbox)
    inventory = inventory_file(tmp_path, running_sandbox, clouds.values())
    writer.prepare(clouds, inventory)
    assert run_playbook(running_sandbox, "onboard", inventory).exit_status == 0
    running_sandbox.open_queue()
    rulebook = (running_sandbox, inventory, "rayfleet.anyscale.heal_sqs", {})
    with running(eda, *rulebook, **OF_QUEUE) as listening:
        listening.wait_for_runs(1)
        for name, cloud in clouds.items():
            DRIFTS[name](writer, cloud)
        listening.wait_for_runs(2)
        log = listening.log
        own = re.compile(r"0 of clouds, [1-9][0-9]* by runs themselves")
        listening.wait_for(lambda: bool(own.search(listening.log)))
    assert "10 changed, 7 in sync, 2 failed" in log
    for name in clouds:
        assert re.search(rf"{name.lower()}: .*\b{name}\b.* by arn:", log), (name, log)
    calls = re.findall(r"^[a-z]+: .* in [0-9]{12}: (.+) by arn:", log, re.MULTILINE)
    assert {call for found in calls for call in found.split(", ")} == set(CALLS)
    words = " ".join(log.split())  # Ansible breaks the lines of warnings
    [unmanaged] = set(
        re.findall(r"which no run puts back: (.+?)\. To see what that breaks: ", words)
    )
    names = ("PutBucketEncryption", "PutRolePermissionsBoundary")
    assert set(unmanaged.split(", ")) == {
        *(name.lower() for name in names),
        *(name.lower().replace("put", "delete") for name in names),
    }
    for name in ("deleterole", "deletebucket"):
        assert f"fatal: [{name}]" in log


def test_a_cloud_that_failed_is_tried_again_by_the_clock(
    eda: Path, running_sandbox: Sandbox, fleet: Path
) -> None:
    """Without any event of it."""
    speech = CLOUDS[0]
    rulebook = quicker(fleet.parent, "heal_sqs", "loop_delay: 600", 5)
    state = str(fleet.parent / "ansible/anyscale_healing")
    with running(eda, running_sandbox, fleet, rulebook, {}, **OF_QUEUE) as listening:
        running_sandbox.drift(speech.name)
        running_sandbox.fault("UpdateAssumeRolePolicy", status=403, code="AccessDenied")
        listening.wait_for(lambda: f"Not converged: {speech.name}." in listening.log)
        assert not listening.is_in_sync(speech)
        with StateFile(state, Rules()).update() as healing:
            healing.state["clouds"][speech.name]["retry"]["at"] -= 300
        listening.wait_for(lambda: listening.is_in_sync(speech))
    assert f"Tried again, since a run failed: {speech.name}" in listening.log


def test_cloudtrail_itself_is_asked(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """Without a queue. What was before the rulebook started, what only reads and what is the run's
    own leads to nothing.
    """
    [speech, vision] = CLOUDS
    rulebook = quicker(fleet.parent, "heal_cloudtrail", "delay_seconds: 60", 1)
    given = {"heal_cloudtrail_region": QUEUE_REGION}
    with Trail() as trail:
        trail.add(trust_event(vision), seconds_ago=60)
        endpoints = {"AWS_ENDPOINT_URL_CLOUDTRAIL": trail.url}
        with running(eda, running_sandbox, fleet, rulebook, endpoints, **given) as listening:
            running_sandbox.drift(speech.name)
            trail.add(trust_event(vision, readOnly=True))
            trail.add(trust_event(speech))
            listening.wait_for(lambda: listening.is_in_sync(speech))
            listening.wait_for_runs(2)
            assert "1 changed, 0 in sync, 0 failed" in listening.log
            assert f"{vision.name}: role" not in listening.log
            trail.add(trust_event(speech, **last_write(listening)))
            listening.wait_for_runs(3)
            assert "0 of clouds, 1 by runs themselves" in listening.log
    assert {tuple(one) for one in trail.asked} == {(("ReadOnly", "false"),)}


def last_write(listening: Running) -> Json:
    """The fields by which a record is that of the run's last write."""
    record_of_runs = listening.folder / "ansible/anyscale_backups/aws_writes.jsonl"
    write = json.loads(record_of_runs.read_text().splitlines()[-1])
    caller = {"type": "AssumedRole", "arn": write["principal"]}
    return {"requestID": write["request_id"], "userIdentity": caller}


def test_a_poll_finds_what_anyscale_sends_no_event_of(
    eda: Path, running_sandbox: Sandbox, fleet: Path
) -> None:
    """A new version of a compute config without the instance profile is converged, once. The audit that fails
    for another cloud keeps that from nothing.
    """
    [speech, vision] = CLOUDS
    head = {"name": "head-node", "instance_type": "m5.2xlarge"}
    config = {"cloud_id": vision.cloud_id, "deployment_configs": [{"head_node_type": head}]}
    of_config = {"name": vision.compute_config_name, "anonymous": False, "new_version": True}
    running_sandbox.organization.create_template(
        {**of_config, "config": {**config, "head_node_type": head}}
    )
    inventory = yaml.safe_load(fleet.read_text())
    hosts = inventory["all"]["children"]["anyscale_clouds"]["hosts"]
    hosts[speech.name]["cloud_iam_account_id"] = "none"
    fleet.write_text(yaml.safe_dump(inventory))
    rulebook = quicker(fleet.parent, "heal_poll", "loop_delay: 1800", 5)
    reports = fleet.parent / "reports"
    given = {"audit_report_dir": str(reports)}
    running_sandbox.clear_calls()
    with running(eda, running_sandbox, fleet, rulebook, {}, **given) as listening:
        listening.wait_for(lambda: listening.log.count(PLAY) == 2)
        listening.wait_for(lambda: listening.log.count("PLAY RECAP") >= 4)
    assert f"Noted for healing: {vision.name}." in listening.log
    assert f"fatal: [{speech.name}]: FAILED!" in listening.log
    assert FAILED_RUN in listening.log
    assert len(running_sandbox.writes()) == 1
    assert (reports / "report.html").exists()

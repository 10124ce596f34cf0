# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what happened to a converged cloud, or to an audit that says so: ansible-rulebook with the
released sources of amazon.aws, before the sandbox, moto's SQS and a stand-in for CloudTrail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ansible_collections.rayfleet.anyscale.tests.eda.controller import (
    ORGANIZATION,
    TEMPLATE,
    TOKEN,
    Controller,
)
from ansible_collections.rayfleet.anyscale.tests.eda.trail import Trail
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.accounts import LAMBDA, policy
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    bridged,
    notified,
    record,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
CLOUDS = [
    Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="lambda_only")
    for name in ("speech", "vision")
]
QUEUE, REGION = "anyscale-changes", "us-east-1"
# Of which the throttle of the rule takes 15, and the quiet of the cloud 5.
SECONDS = 120
PLAY = "PLAY [Heal Anyscale clouds]"
FAILED_RUN = "ansible_rulebook.action.run_playbook - ERROR"
OF_QUEUE = {"heal_queue": QUEUE, "heal_queue_region": REGION}


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

    def break_trust(self, cloud: Cloud) -> None:
        """As a person would."""
        iam = self.sandbox.client("iam", VISION_ACCOUNT)
        iam.update_assume_role_policy(
            RoleName=cloud.role_name, PolicyDocument=json.dumps(policy(LAMBDA))
        )

    def is_in_sync(self, cloud: Cloud) -> bool:
        """Whether EC2 may assume the role."""
        iam = self.sandbox.client("iam", VISION_ACCOUNT)
        role = iam.get_role(RoleName=cloud.role_name)["Role"]
        return "ec2.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])

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


def quicker(folder: Path, rulebook: str, given: str, seconds: int) -> str:
    """A copy of a rulebook that waits for less time between two polls."""
    text = (ROOT / f"extensions/eda/rulebooks/{rulebook}.yml").read_text()
    option = given.partition(":")[0]
    assert text.count(given) == 1
    path = folder / f"{rulebook}.yml"
    path.write_text(text.replace(given, f"{option}: {seconds}"))
    return str(path)


@dataclasses.dataclass
class Queue:
    """A queue of moto's."""

    client: t.Any
    url: str

    def send(self, body: str) -> None:
        """A message of anyone who can send one."""
        self.client.send_message(QueueUrl=self.url, MessageBody=body)


@contextlib.contextmanager
def queue_of(sandbox: Sandbox) -> t.Iterator[tuple[Queue, dict[str, str]]]:
    """A queue, and the address of its service."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    try:
        address = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
        sqs = boto3.client(
            "sqs",
            REGION,
            endpoint_url=address,
            aws_access_key_id=sandbox.environment()["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key="none",
        )
        url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        yield Queue(sqs, url), {"AWS_ENDPOINT_URL_SQS": address}
    finally:
        moto.stop()


def test_a_job_of_awx_gets_the_events(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """As variables with which its playbook converges the cloud."""
    names = {"heal_job_template": TEMPLATE, "heal_organization": ORGANIZATION, **OF_QUEUE}
    with Controller() as controller, queue_of(running_sandbox) as (queue, endpoints):
        options = ("--controller-url", controller.url, "--controller-token", TOKEN)
        rulebook = (running_sandbox, fleet, "rayfleet.anyscale.heal_sqs_awx", endpoints)
        with running(eda, *rulebook, *options, **names) as listening:
            listening.break_trust(CLOUDS[0])
            for _time in range(3):  # SQS may deliver a message more than once
                queue.send(json.dumps(bridged(trust_event(CLOUDS[0]))))
            listening.wait_for(lambda: bool(controller.launched))
    [job] = controller.launched
    variables = fleet.parent / "job.json"
    variables.write_text(json.dumps(job["extra_vars"]))
    run = run_playbook(running_sandbox, "heal", fleet, "-e", f"@{variables}")
    assert run.counts["changed"] == 1
    assert listening.is_in_sync(CLOUDS[0])


def test_a_burst_is_converged_by_one_run(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """With what is no event among it, and a template that nobody evaluates."""
    with queue_of(running_sandbox) as (queue, endpoints):
        rulebook = (running_sandbox, fleet, "rayfleet.anyscale.heal_sqs", endpoints)
        with running(eda, *rulebook, **OF_QUEUE) as listening:
            burst(listening, queue)


def burst(listening: Running, queue: Queue) -> None:
    """Two clouds that are broken, and sixty messages."""
    trap = listening.folder / "trap"
    template = "{{ lookup('pipe', 'touch " + str(trap) + "') }}"
    [speech, vision] = CLOUDS
    listening.break_trust(speech)
    listening.break_trust(vision)
    for number in range(30):
        event = bridged(trust_event(CLOUDS[number % 2], template, userAgent=template))
        queue.send(json.dumps(notified(event) if number % 3 else event))
        queue.send(template)
    listening.wait_for(lambda: listening.is_in_sync(speech) and listening.is_in_sync(vision))
    listening.wait_for(lambda: "PLAY RECAP" in listening.log)
    assert listening.log.count(PLAY) == 1
    assert "2 changed, 0 in sync, 0 failed" in listening.log
    assert "left out so far: {'not_json': 30}" in listening.log
    assert not trap.exists()


def test_cloudtrail_itself_is_asked(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """Without a queue. What was before the rulebook started, what only reads and what is the run's
    own leads to nothing.
    """
    [speech, vision] = CLOUDS
    rulebook = quicker(fleet.parent, "heal_cloudtrail", "delay_seconds: 60", 1)
    given = {"heal_cloudtrail_region": REGION}
    with Trail() as trail:
        trail.add(trust_event(vision), seconds_ago=60)
        endpoints = {"AWS_ENDPOINT_URL_CLOUDTRAIL": trail.url}
        with running(eda, running_sandbox, fleet, rulebook, endpoints, **given) as listening:
            listening.break_trust(speech)
            trail.add(trust_event(vision, readOnly=True))
            trail.add(trust_event(speech))
            listening.wait_for(lambda: "PLAY RECAP" in listening.log)
            assert listening.is_in_sync(speech)
            assert "1 changed, 0 in sync, 0 failed" in listening.log
            assert f"{vision.name}: role" not in listening.log
            trail.add(trust_event(speech, **last_write(listening)))
            listening.wait_for(lambda: listening.log.count("PLAY RECAP") == 2)
            assert "0 of clouds, 1 by runs themselves" in listening.log
    assert {tuple(one) for one in trail.asked} == {(("ReadOnly", "false"),)}


def last_write(listening: Running) -> Json:
    """The fields by which a record is that of the run's last write."""
    record_of_runs = listening.folder / "ansible/anyscale_backups/aws_writes.jsonl"
    write = json.loads(record_of_runs.read_text().splitlines()[-1])
    caller = {"type": "AssumedRole", "arn": write["principal"]}
    return {"requestID": write["request_id"], "userIdentity": caller}


def test_a_poll_tells_what_anyscale_sends_no_event_of(
    eda: Path, running_sandbox: Sandbox, fleet: Path
) -> None:
    """A new version of a compute config without the instance profile; and once more at the next
    poll, after a run that failed because of it.
    """
    [speech, vision] = CLOUDS
    head = {"name": "head-node", "instance_type": "m5.2xlarge"}
    config = {"cloud_id": vision.cloud_id, "deployment_configs": [{"head_node_type": head}]}
    of_config = {"name": vision.compute_config_name, "anonymous": False, "new_version": True}
    running_sandbox.organization.create_template(
        {**of_config, "config": {**config, "head_node_type": head}}
    )
    rulebook = quicker(fleet.parent, "audit_poll", "loop_delay: 1800", 5)
    reports = fleet.parent / "reports"
    given = {"audit_report_dir": str(reports)}
    with running(eda, running_sandbox, fleet, rulebook, {}, **given) as listening:
        listening.wait_for(lambda: listening.log.count(FAILED_RUN) == 2)
    assert f"fatal: [{vision.name}]: FAILED!" in listening.log
    assert "compute_config_override" in listening.log
    assert f"fatal: [{speech.name}]" not in listening.log
    assert (reports / "report.html").exists()

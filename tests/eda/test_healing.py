# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a message in a queue to a converged cloud: ansible-rulebook with the released source of
amazon.aws, before the sandbox and moto's SQS.
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

Json = dict[str, t.Any]
CLOUDS = [
    Cloud(name, VISION_ACCOUNT, role=f"{name}-ray", trust="lambda_only")
    for name in ("speech", "vision")
]
QUEUE, REGION = "anyscale-changes", "us-east-1"
# Of which the throttle of the rule takes 15, and the quiet of the cloud 5.
SECONDS = 120
PLAY = "PLAY [Heal Anyscale clouds]"


@dataclasses.dataclass
class Listening:
    """A rulebook that waits for messages."""

    sandbox: Sandbox
    folder: Path
    sqs: t.Any
    queue: str
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

    def send(self, body: str) -> None:
        """A message of anyone who can send one."""
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

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
def listening_with(
    eda: Path, sandbox: Sandbox, inventory: Path, rulebook: str, *options: str, **variables: str
) -> t.Iterator[Listening]:
    """A rulebook with a queue of its own."""
    folder = inventory.parent
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    port = moto.get_host_and_port()[1]
    environment = {
        **sandbox.environment(),
        "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{port}",
        "PATH": os.pathsep.join([str(eda / "bin"), os.environ["PATH"]]),
        "JAVA_HOME": str(Path(str(shutil.which("java"))).resolve().parents[1]),
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
    }
    sqs = boto3.client(
        "sqs",
        REGION,
        endpoint_url=environment["AWS_ENDPOINT_URL_SQS"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="none",
    )
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    given = {"heal_queue": QUEUE, "heal_queue_region": REGION, **variables}
    (folder / "vars.yml").write_text(json.dumps(given))
    command = [str(eda / "bin/ansible-rulebook"), "-v", "-r", f"rayfleet.anyscale.{rulebook}"]
    with (folder / "rulebook.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-i", str(inventory), "--vars", str(folder / "vars.yml"), *options],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            found = Listening(sandbox, folder, sqs, queue, process)
            found.wait_for(lambda: "Waiting for events" in found.log)
            yield found
        finally:
            process.terminate()
            process.wait(30)
            moto.stop()


def test_a_job_of_awx_gets_the_events(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """As variables with which its playbook converges the cloud."""
    names = {"heal_job_template": TEMPLATE, "heal_organization": ORGANIZATION}
    with Controller() as controller:
        options = ("--controller-url", controller.url, "--controller-token", TOKEN)
        rulebook = (running_sandbox, fleet, "heal_sqs_awx")
        with listening_with(eda, *rulebook, *options, **names) as listening:
            listening.break_trust(CLOUDS[0])
            parameters = {"roleName": CLOUDS[0].role_name, "policyDocument": "{}"}
            event = record("UpdateAssumeRolePolicy", VISION_ACCOUNT, requestParameters=parameters)
            for _time in range(3):  # SQS may deliver a message more than once
                listening.send(json.dumps(bridged(event)))
            listening.wait_for(lambda: bool(controller.launched))
    [job] = controller.launched
    variables = fleet.parent / "job.json"
    variables.write_text(json.dumps(job["extra_vars"]))
    run = run_playbook(running_sandbox, "heal", fleet, "-e", f"@{variables}")
    assert run.counts["changed"] == 1
    assert listening.is_in_sync(CLOUDS[0])


def test_a_burst_is_converged_by_one_run(eda: Path, running_sandbox: Sandbox, fleet: Path) -> None:
    """With what is no event among it, and a template that nobody evaluates."""
    with listening_with(eda, running_sandbox, fleet, "heal_sqs") as listening:
        burst(listening)


def burst(listening: Listening) -> None:
    """Two clouds that are broken, and sixty messages."""
    trap = listening.folder / "trap"
    template = "{{ lookup('pipe', 'touch " + str(trap) + "') }}"
    [speech, vision] = CLOUDS
    listening.break_trust(speech)
    listening.break_trust(vision)
    for number in range(30):
        role = CLOUDS[number % 2].role_name
        event = bridged(
            record(
                "UpdateAssumeRolePolicy",
                VISION_ACCOUNT,
                requestParameters={"roleName": role, "policyDocument": template},
                userAgent=template,
            )
        )
        listening.send(json.dumps(notified(event) if number % 3 else event))
        listening.send(template)
    listening.wait_for(lambda: listening.is_in_sync(speech) and listening.is_in_sync(vision))
    listening.wait_for(lambda: "PLAY RECAP" in listening.log)
    assert listening.log.count(PLAY) == 1
    assert "2 changed, 0 in sync, 0 failed" in listening.log
    assert "left out so far: {'not_json': 30}" in listening.log
    assert not trap.exists()

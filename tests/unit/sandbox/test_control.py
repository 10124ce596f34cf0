# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control calls by HTTP, the command line, and many clients at once."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox, practice_tool

ACCOUNT = "222222222222"
MODULE = "ansible_collections.rayfleet.anyscale.tests.sandbox"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(sandbox: Sandbox, method: str, name: str, body: t.Any = None) -> t.Any:
    data = None if body is None else json.dumps(body).encode()
    with OPENER.open(
        urllib.request.Request(f"{sandbox.aws_url}/sandbox/{name}", data, method=method)
    ) as answer:
        return json.loads(answer.read())


def test_faults_and_calls(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    control(sandbox, "POST", "faults", {"operation": "ListRoles", "status": 400, "times": 2})
    assert refused(aws("iam").list_roles)[0] == "Throttling"
    assert [fault["times"] for fault in control(sandbox, "GET", "faults")] == [1]
    control(sandbox, "DELETE", "faults")
    aws("iam").list_roles()
    aws("iam").create_instance_profile(InstanceProfileName="ray")
    assert control(sandbox, "GET", "calls") == sandbox.calls()
    assert [call["operation"] for call in control(sandbox, "GET", "writes")] == [
        "CreateInstanceProfile"
    ]
    control(sandbox, "DELETE", "calls")
    assert sandbox.calls() == []


def test_the_command_line_ends_silently_when_nobody_reads_on(sandbox: Sandbox) -> None:
    """As in ``sandbox calls | head``."""
    command = [sys.executable, practice_tool.__file__, "calls"]
    address = {"AWS_ENDPOINT_URL": sandbox.aws_url}
    with subprocess.Popen(
        command, env=address, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        t.cast(t.IO[str], process.stdout).close()
        assert t.cast(t.IO[str], process.stderr).read() == ""


def test_settings(sandbox: Sandbox) -> None:
    assert control(sandbox, "POST", "settings", {"trust_quota": 4096})["trust_quota"] == 4096
    assert control(sandbox, "GET", "settings") == sandbox.settings()
    control(sandbox, "POST", "reset")
    assert control(sandbox, "GET", "settings")["trust_quota"] == 2048


def test_seed_and_inventory(sandbox: Sandbox) -> None:
    control(sandbox, "POST", "seed", {"broken": True})
    assert len(sandbox.organization.clouds) == len(FLEET) + 1
    assert len(
        control(sandbox, "GET", "inventory")["all"]["children"]["anyscale_clouds"]["hosts"]
    ) == len(FLEET)


def test_seed_with_clouds_of_ones_own(sandbox: Sandbox) -> None:
    clouds = [{"name": "mine", "account_id": "555555555555", "trust": "lambda_only"}]
    control(sandbox, "POST", "seed", {"clouds": clouds})
    hosts = control(sandbox, "POST", "inventory", {"clouds": clouds})["all"]["children"][
        "anyscale_clouds"
    ]["hosts"]
    assert (
        [cloud["name"] for cloud in sandbox.organization.clouds.values()] == list(hosts) == ["mine"]
    )


def test_what_runs_on_a_cloud(sandbox: Sandbox) -> None:
    sandbox.seed()
    control(sandbox, "POST", "running", {"cloud": "forecast-prod"})
    cloud = next(cloud for cloud in FLEET if cloud.name == "forecast-prod")
    launches = {"kind": "job", "cloud_id": cloud.cloud_id, "name": "nightly"}
    assert control(sandbox, "POST", "launches", launches).startswith("prodjob_")
    where = {"account_id": cloud.account_id, "region": "us-west-2"}
    made = control(sandbox, "POST", "instances", {**where, "cloud_id": cloud.cloud_id})
    assert made.startswith("i-")
    found = sandbox.client("ec2", cloud.account_id).describe_instances()["Reservations"]
    profiles = [
        one.get("IamInstanceProfile", {}).get("Arn", "none").rpartition("/")[2]
        for reservation in found
        for one in reservation["Instances"]
    ]
    assert sorted(profiles) == ["none", "ray-autoscaler-v1", "ray-autoscaler-v1"]


def test_clouds_and_compute_configs(sandbox: Sandbox) -> None:
    cloud_id = control(sandbox, "POST", "clouds", {"name": "demo", "bucket": "data-1"})
    config = {"cloud_id": cloud_id, "head_node_type": {"name": "head", "instance_type": "m5.large"}}
    assert (
        control(sandbox, "POST", "compute_configs", {"name": "team-a", "config": config})["version"]
        == 1
    )


def test_scheduler_and_machine_pools(sandbox: Sandbox) -> None:
    flavors = {"resource_flavors": [{"name": "gpu"}]}
    assert control(sandbox, "POST", "scheduler", flavors) == 1
    assert control(sandbox, "POST", "scheduler", flavors) == 2
    assert sandbox.organization.scheduler.active()["config"] == flavors
    pool = {"name": "h100", "launch_templates": [{"instance_type": "p5.48xlarge"}]}
    assert control(sandbox, "POST", "machine_pools", pool).startswith("mp_")
    assert [one["machine_pool_name"] for one in sandbox.organization.machine_pools] == ["h100"]


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "faults", {"status": 500}, 400),
        ("POST", "faults", {"operation": "x", "often": 2}, 400),
        ("POST", "settings", {"speed": 1}, 400),
        ("POST", "settings", {"denied": ["s3:PutBucketPolicy"]}, 400),
        ("POST", "seed", {"clouds": [{"label": "x"}]}, 400),
        ("POST", "compute_configs", {"name": "team-a"}, 422),
    ],
)
def test_refused(sandbox: Sandbox, method: str, name: str, body: t.Any, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(sandbox, method, name, body)
    with caught.value as answer:
        assert answer.code == status


def test_environment_has_the_sandbox_alone(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "ANYSCALE_CREDENTIALS", "MOTO_ACCOUNT_ID"):
        monkeypatch.setenv(name, "the caller's")
    monkeypatch.setenv("UNRELATED", "kept")
    environment = sandbox.environment()
    assert "the caller's" not in environment.values()
    assert environment["UNRELATED"] == "kept"
    assert environment["AWS_ENDPOINT_URL"] == sandbox.aws_url
    assert environment["ANYSCALE_HOST"] == sandbox.anyscale_url
    assert control(sandbox, "GET", "environment").items() <= environment.items()


def test_thirty_clients_at_once(sandbox: Sandbox, aws: t.Any) -> None:
    iam = aws("iam")

    def work(number: int) -> int:
        iam.create_instance_profile(InstanceProfileName=f"profile-{number}")
        return len(iam.list_instance_profiles()["InstanceProfiles"])

    with ThreadPoolExecutor(30) as pool:
        assert max(pool.map(work, range(60))) <= 60
    assert len(iam.list_instance_profiles()["InstanceProfiles"]) == 60
    assert len(sandbox.writes()) == 60


_COMMAND = """
import json, os, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
answer = opener.open(os.environ["AWS_ENDPOINT_URL"] + "/sandbox/inventory")
hosts = json.load(answer)["all"]["children"]["anyscale_clouds"]["hosts"]
print(len(hosts), os.environ["ANYSCALE_CLI_TOKEN"], sys.argv[1:])
sys.exit(7)
"""


def test_command_line_around_a_command() -> None:
    argv = [
        sys.executable,
        "-m",
        MODULE,
        "--seed",
        "--",
        sys.executable,
        "-c",
        _COMMAND,
        "--",
        "--seed",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        7,
        "12 aph0_sandbox ['--', '--seed']\n",
        "",
    )

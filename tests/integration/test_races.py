# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds that share roles and buckets, converged by several controllers at once, while others edit the same policies."""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import random
import re
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ALL_VERSIONS
from ansible_collections.rayfleet.anyscale.tests.tools.playbooks import Run, inventory_file, run_playbook

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
SHARED_ROLE = "ray-shared"
OTHERS = {"PartnerIngest", "AnalyticsExport"}  # the Sids of those who were there before
_EDITORS = "Editor"


class Size(t.NamedTuple):
    """How many clouds, how many buckets they share, how many of them share a role, and with how many forks they are converged."""

    clouds: int
    buckets: int
    of_one_role: int
    forks: int


def _fleet(size: Size) -> list[Cloud]:
    """Clouds that need everything; the first of a role or of a bucket brings it, with a statement of somebody else in its policy."""
    return [
        Cloud(
            f"cloud-{number:03}",
            ACCOUNT,
            role=SHARED_ROLE if number < size.of_one_role else f"ray-{number:03}",
            trust="foreign_principal" if number == 0 or number >= size.of_one_role else "",
            bucket=f"anyscale-shared-{number % size.buckets}",
            bucket_policy="foreign_reader" if number < size.buckets else "none",
        )
        for number in range(size.clouds)
    ]


class Policies:
    """The policies of roles and buckets, read and written as somebody does who knows nothing of the collection."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._iam = sandbox.client("iam", ACCOUNT)
        self._s3 = sandbox.client("s3", ACCOUNT)

    def statements(self, kind: str, name: str) -> list[Json]:
        """The statements of a role's trust policy or of a bucket's policy."""
        if kind == "role":
            return t.cast(list[Json], self._iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"])
        return t.cast(list[Json], json.loads(self._s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"])

    def put(self, kind: str, name: str, statements: list[Json]) -> None:
        """Replace the whole policy, as AWS has it done."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        if kind == "role":
            self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        else:
            self._s3.put_bucket_policy(Bucket=name, Policy=document)


class Editor(threading.Thread):
    """Adds, changes and removes statements of its own in shared policies, and looks whether they are there: a careful neighbour."""

    def __init__(self, policies: Policies, resources: t.Sequence[tuple[str, str]], seed: int) -> None:
        super().__init__(daemon=True)
        self._policies = policies
        self._random = random.Random(seed)
        self._stopped = threading.Event()
        self.wanted: dict[tuple[str, str], list[Json]] = {resource: [] for resource in resources}
        self.edits = 0
        self.overwritten = 0

    def run(self) -> None:
        """Edit until told to stop."""
        while not self._stopped.wait(self._random.uniform(0.0, 0.05)):
            resource = self._random.choice(list(self.wanted))
            self.wanted[resource] = self._edited(*resource)
            self._make_so(resource)
            self.edits += 1

    def stop(self) -> None:
        """Edit no more."""
        self._stopped.set()
        self.join()

    def _edited(self, kind: str, name: str) -> list[Json]:
        """One statement more, one fewer, or another one in its place."""
        kept = list(self.wanted[kind, name])
        if kept and self._random.random() < 0.6:
            kept.pop(self._random.randrange(len(kept)))
        if len(kept) < 3 and self._random.random() < 0.7:
            kept.append(self._statement(kind, name))
        return kept

    def _statement(self, kind: str, name: str) -> Json:
        statement: Json = {
            "Sid": f"{_EDITORS}{self._random.randrange(10**6)}",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::444444444444:root"},
            "Action": "sts:AssumeRole" if kind == "role" else "s3:GetObject",
        }
        return statement if kind == "role" else {**statement, "Resource": f"arn:aws:s3:::{name}/{self._random.randrange(100)}/*"}

    def _make_so(self, resource: tuple[str, str]) -> None:
        wanted = self.wanted[resource]
        while True:
            live = self._policies.statements(*resource)
            self._policies.put(*resource, [*(one for one in live if not _is_editors(one)), *wanted])
            if self.found(resource) == self.sids(resource):
                return
            self.overwritten += 1

    def found(self, resource: tuple[str, str]) -> set[str]:
        """The Sids of its statements that are in a policy."""
        return {one["Sid"] for one in self._policies.statements(*resource) if _is_editors(one)}

    def sids(self, resource: tuple[str, str]) -> set[str]:
        """The Sids that are to be there."""
        return {one["Sid"] for one in self.wanted[resource]}


def _is_editors(statement: Json) -> bool:
    return str(statement.get("Sid", "")).startswith(_EDITORS)


def _converge(sandbox: Sandbox, folder: Path, fleet: list[Cloud], forks: int, controllers: int) -> list[Run]:
    """Onboard the fleet by so many controllers at once, each with a slice of it, and with locks that the others do not see."""

    def onboard(number: int) -> Run:
        home = folder / f"controller-{number}"
        home.mkdir()
        inventory = inventory_file(home, sandbox, fleet[number::controllers])
        with tempfile.TemporaryDirectory() as temporary:  # short, as sockets are in it
            return run_playbook(sandbox, "onboard", inventory, "--forks", str(forks), variables={"TMPDIR": temporary})

    with concurrent.futures.ThreadPoolExecutor(controllers) as pool:
        return list(pool.map(onboard, range(controllers)))


def _missing(policies: Policies, fleet: list[Cloud]) -> list[str]:
    """What is not there at the end, of the clouds' grants and of what others had."""
    missing = []
    for cloud in fleet:
        trust, bucket = policies.statements("role", cloud.role_name), policies.statements("bucket", cloud.bucket_name)
        if not any(_lets_in(one, "Service", "ec2.amazonaws.com") for one in trust):
            missing.append(f"{cloud.name}: EC2 in the trust policy of {cloud.role_name}")
        if not any(_lets_in(one, "AWS", cloud.role_arn) for one in bucket):
            missing.append(f"{cloud.name}: {cloud.role_name} in the policy of {cloud.bucket_name}")
        for kind, name, statements in (("role", cloud.role_name, trust), ("bucket", cloud.bucket_name, bucket)):
            if not OTHERS & {one.get("Sid") for one in statements}:
                missing.append(f"the statement of somebody else in the policy of {kind} {name}")
    return missing


def _lets_in(statement: Json, kind: str, principal: str) -> bool:
    listed = statement["Principal"].get(kind, []) if isinstance(statement["Principal"], dict) else []
    return statement["Effect"] == "Allow" and principal in ([listed] if isinstance(listed, str) else listed)


class Latecomer(threading.Thread):
    """A controller without the locks of another: it has read a policy, and writes only after the other has read back its own write."""

    def __init__(self, sandbox: Sandbox, policies: Policies, bucket: str, times: int) -> None:
        super().__init__(daemon=True)
        self._sandbox = sandbox
        self._policies = policies
        self._bucket = bucket
        self._times = times
        self._stopped = threading.Event()
        self._read = policies.statements("bucket", bucket)

    def run(self) -> None:
        """Overwrite what the other writes, so many times."""
        for number in range(1, self._times + 1):
            while self._read_back() < number:
                if self._stopped.wait(0.01):
                    return
            self._policies.put("bucket", self._bucket, self._read)

    def stop(self) -> None:
        """Let the policy be."""
        self._stopped.set()
        self.join()

    def _read_back(self) -> int:
        """How many times the other has written and then read."""
        calls = [call["operation"] for call in self._sandbox.calls() if call["resource"] == self._bucket]
        return sum(pair == ("PutBucketPolicy", "GetBucketPolicy") for pair in itertools.pairwise(calls))


class Late(t.NamedTuple):
    """How often a late write takes out a cloud's grant, with which variables, and what comes of it."""

    times: int
    variables: tuple[str, ...]
    exit_status: int
    granted: bool
    says: str


_OVERWRITTEN = "cloud-000: after this run had changed it, somebody else overwrote policy of bucket anyscale-shared-0."
LATE = {
    "once, unconfirmed": Late(1, ("onboard_confirm=false",), 0, False, "1 changed, 0 already right, 0 failed"),
    "once": Late(1, (), 0, True, _OVERWRITTEN),
    "once, where nothing is looked at beforehand": Late(1, ("fleet_plan=never",), 0, True, _OVERWRITTEN),
    "once, where the plan cannot look": Late(1, ("anyscale_in_worker=false",), 0, True, "1 changed, 0 already right, 0 failed"),
    "three times": Late(3, (), 0, True, "once more after somebody else had overwritten it"),
    "each time": Late(99, (), 2, False, "policy of bucket anyscale-shared-0 could not be settled: somebody else keeps writing to it"),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_what_a_late_write_took_out_is_put_in_again(running_sandbox: Sandbox, tmp_path: Path, late: Late) -> None:
    """A write that was decided on before ours, and lands after we had read ours back, is found by the look at the end."""
    running_sandbox.reset()
    fleet = _fleet(Size(1, 1, 1, 1))
    running_sandbox.seed(fleet)
    policies = Policies(running_sandbox)
    latecomer = Latecomer(running_sandbox, policies, fleet[0].bucket_name, late.times)
    inventory = inventory_file(tmp_path, running_sandbox, fleet)
    latecomer.start()
    try:
        run = run_playbook(running_sandbox, "onboard", inventory, *(part for value in late.variables for part in ("-e", value)))
    finally:
        latecomer.stop()
    assert run.exit_status == late.exit_status, run.output
    assert (_missing(policies, fleet) == []) == late.granted, run.output
    assert late.says in run.output, run.output
    assert re.search(rf"^cloud-000 .* changed=[1-9].* failed={int(late.exit_status > 0)} ", run.output, re.MULTILINE), run.output


CASES = {
    "one controller": (Size(12, 2, 4, 6), 1, False),
    "two controllers": (Size(12, 2, 4, 6), 2, False),
    "two controllers and an editor": (Size(12, 2, 4, 6), 2, True),
}


@pytest.mark.parametrize("size, controllers, edited", CASES.values(), ids=CASES)
def test_nothing_is_lost(running_sandbox: Sandbox, tmp_path: Path, size: Size, controllers: int, edited: bool) -> None:
    """Every grant is there at the end, and every statement of others; each compute config has one version."""
    running_sandbox.reset()
    fleet = _fleet(size)
    running_sandbox.seed(fleet)
    policies = Policies(running_sandbox)
    shared = [("role", SHARED_ROLE), *{("bucket", cloud.bucket_name) for cloud in fleet}]
    editor = Editor(policies, shared, seed=controllers)
    if edited:
        editor.start()
    try:
        runs = _converge(running_sandbox, tmp_path, fleet, size.forks, controllers)
    finally:
        if edited:
            editor.stop()
    assert [run.exit_status for run in runs] == [0] * controllers, "\n".join(run.output for run in runs)
    assert _missing(policies, fleet) == []
    assert {resource: editor.found(resource) for resource in shared} == {resource: editor.sids(resource) for resource in shared}
    versions = [template["version"] for template in running_sandbox.organization.templates.search({"version": ALL_VERSIONS})]
    assert versions == [1] * size.clouds

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds that share roles and buckets, converged by several controllers at once, while others edit
the same policies.
"""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import json
import os
import random
import re
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ALL_VERSIONS
from ansible_collections.rayfleet.anyscale.tests.sandbox._faults import Faults
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tests.support.soak_figures import record

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
SHARED_ROLE = "ray-shared"
# How the Sids begin of the editor's statements, and of the collection's.
_EDITORS, _OURS = "Editor", "Anyscale"


class Size(t.NamedTuple):
    """How many clouds, how many buckets they share, how many of them share a role, and with how
    many forks they are converged.
    """

    clouds: int
    buckets: int
    of_one_role: int
    forks: int


def _fleet(size: Size) -> list[Cloud]:
    """Clouds that need everything; the first of a role or of a bucket brings it, with an
    unmanaged statement in its policy.
    """
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
    """The policies of roles and buckets, read and written by a writer without this collection's
    locks.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._iam = sandbox.client("iam", ACCOUNT)
        self._s3 = sandbox.client("s3", ACCOUNT)

    def statements(self, kind: str, name: str) -> list[Json]:
        """The statements of a role's trust policy or of a bucket's policy."""
        if kind == "role":
            return t.cast(
                list[Json],
                self._iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"],
            )
        return t.cast(
            list[Json], json.loads(self._s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
        )

    def put(self, kind: str, name: str, statements: list[Json]) -> None:
        """Replace the whole policy, as AWS has it done."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        if kind == "role":
            self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        else:
            self._s3.put_bucket_policy(Bucket=name, Policy=document)


class Editor(threading.Thread):
    """Another writer that adds, changes and removes its own statements in shared policies, and
    verifies that they are there.

    overwritten: how often its statements were not as it had left them, so that it had to write them
    again.
    """

    def __init__(
        self, policies: Policies, resources: t.Sequence[tuple[str, str]], seed: int
    ) -> None:
        super().__init__(daemon=True)
        self._policies = policies
        self._random = random.Random(seed)
        self._stopped = threading.Event()
        self.wanted: dict[tuple[str, str], list[Json]] = {resource: [] for resource in resources}
        self.edits = 0
        self.overwritten = 0

    def run(self) -> None:
        """Edit until ``stop()`` is called."""
        while not self._stopped.wait(self._random.uniform(0.0, 0.05)):
            resource = self._random.choice(list(self.wanted))
            self._look_after(resource)
            self.wanted[resource] = self._edited(*resource)
            self._make_so(resource)
            self.edits += 1

    def stop(self) -> None:
        """Edit no more, once all is as it was left, now that no other writer is active."""
        self._stopped.set()
        self.join()
        for resource in self.wanted:
            self._look_after(resource)

    def changed_resources(self) -> list[str]:
        """The policies in which its statements are not what they are to be, by content."""
        return [name for kind, name in self.wanted if not self._is_so((kind, name))]

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
        return (
            statement
            if kind == "role"
            else {**statement, "Resource": f"arn:aws:s3:::{name}/{self._random.randrange(100)}/*"}
        )

    def _look_after(self, resource: tuple[str, str]) -> None:
        if not self._is_so(resource):
            self.overwritten += 1
            self._make_so(resource)

    def _make_so(self, resource: tuple[str, str]) -> None:
        while True:
            live = self._policies.statements(*resource)
            self._policies.put(
                *resource, [*(one for one in live if not _is_editors(one)), *self.wanted[resource]]
            )
            if self._is_so(resource):
                return
            self.overwritten += 1

    def _is_so(self, resource: tuple[str, str]) -> bool:
        return _by_content(
            filter(_is_editors, self._policies.statements(*resource))
        ) == _by_content(self.wanted[resource])


def _is_editors(statement: Json) -> bool:
    return str(statement.get("Sid", "")).startswith(_EDITORS)


def _by_content(statements: t.Iterable[Json]) -> list[str]:
    """Statements in a canonical order."""
    return sorted(json.dumps(one, sort_keys=True) for one in statements)


def _converge(
    sandbox: Sandbox,
    folder: Path,
    fleet: list[Cloud],
    forks: int,
    controllers: int,
    *arguments: str,
) -> list[Run]:
    """Onboard the fleet by so many controllers at once, each with a slice of it, and with locks
    that the others do not see.
    """

    def onboard(number: int) -> Run:
        home = folder / f"controller-{number}"
        home.mkdir()
        inventory = inventory_file(home, sandbox, fleet[number::controllers])
        return run_playbook(
            sandbox, "onboard", inventory, "--forks", str(forks), *arguments, confirm=True
        )

    with concurrent.futures.ThreadPoolExecutor(controllers) as pool:
        return list(pool.map(onboard, range(controllers)))


def _missing(policies: Policies, fleet: list[Cloud]) -> list[str]:
    """The grants that are not there at the end."""
    missing = []
    for cloud in fleet:
        trust, bucket = (
            policies.statements("role", cloud.role_name),
            policies.statements("bucket", cloud.bucket_name),
        )
        if not any(_lets_in(one, "Service", "ec2.amazonaws.com") for one in trust):
            missing.append(f"{cloud.name}: EC2 in the trust policy of {cloud.role_name}")
        if not any(_lets_in(one, "AWS", cloud.role_arn) for one in bucket):
            missing.append(f"{cloud.name}: {cloud.role_name} in the policy of {cloud.bucket_name}")
    return missing


def _lets_in(statement: Json, kind: str, principal: str) -> bool:
    listed = (
        statement["Principal"].get(kind, []) if isinstance(statement["Principal"], dict) else []
    )
    return statement["Effect"] == "Allow" and principal in (
        [listed] if isinstance(listed, str) else listed
    )


def _others(policies: Policies, fleet: list[Cloud]) -> list[str]:
    """The statements of those who were there before, with the policy that each is in."""
    resources = {
        (kind, name)
        for cloud in fleet
        for kind, name in (("role", cloud.role_name), ("bucket", cloud.bucket_name))
    }
    found = {resource: policies.statements(*resource) for resource in resources}
    return sorted(
        f"{kind} {name}: {text}"
        for (kind, name), statements in found.items()
        for text in _by_content(
            one
            for one in statements
            if not _is_editors(one) and not str(one.get("Sid")).startswith(_OURS)
        )
    )


# --- another controller, one write at a time ------------------------------------------------------


class Latecomer(threading.Thread):
    """A controller without the locks of another. It has read a policy, and writes it with a grant
    of its own once the other has written, before that one reads its write back.

    Further times it writes once the other has read back what it has restored, unless this one is
    ``early``.
    """

    grant: t.ClassVar[Json] = {
        "Sid": "Latecomer",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444444444444:root"},
        "Action": "s3:ListBucket",
    }

    def __init__(
        self, sandbox: Sandbox, policies: Policies, bucket: str, times: int, early: bool
    ) -> None:
        super().__init__(daemon=True)
        self._sandbox = sandbox
        self._policies = policies
        self._bucket = bucket
        self._times = times
        self._early = early
        self._stopped = threading.Event()
        self._written = [
            *policies.statements("bucket", bucket),
            {**self.grant, "Resource": f"arn:aws:s3:::{bucket}"},
        ]

    def run(self) -> None:
        """Overwrite what the other writes, so many times."""
        for number in range(1, self._times + 1):
            while self._done() < number:
                if self._stopped.wait(0.01):
                    return
            self._policies.put("bucket", self._bucket, self._written)

    def stop(self) -> None:
        """Let the policy be."""
        self._stopped.set()
        self.join()

    def _done(self) -> int:
        """How many times the other has written, or after the first time, written and then read."""
        calls = [
            call["operation"] for call in self._sandbox.calls() if call["resource"] == self._bucket
        ]
        if self._early:
            return calls.count("PutBucketPolicy")
        read = sum(
            pair == ("PutBucketPolicy", "GetBucketPolicy") for pair in itertools.pairwise(calls)
        )
        return max(read, min(1, calls.count("PutBucketPolicy")))


class Late(t.NamedTuple):
    """How often a late write takes out a cloud's grant, with which variables, and the result.

    early: it lands before ours is read back.
    """

    times: int
    variables: tuple[str, ...]
    exit_status: int
    granted: bool
    says: str
    early: bool = False


_UNCONFIRMED = "onboard_read_back=false"
_BY_THE_ROLE = "fleet_engine=false"
_AS_MODULES = "anyscale_in_worker=false"
_READ_SECONDS = 0.4  # what a read takes, so that an early write comes before it
_RESTORED_AGAIN = "restored after another writer had overwritten it"
_CHANGED = "1 changed, 0 in sync, 0 failed"
LATE = {
    "once": Late(1, (), 0, True, _RESTORED_AGAIN),
    "once, unconfirmed": Late(1, (_UNCONFIRMED,), 0, True, _CHANGED, early=True),
    "once, by the role": Late(1, (_BY_THE_ROLE,), 0, True, _CHANGED, early=True),
    "once, as modules": Late(1, (_AS_MODULES,), 0, True, _CHANGED, early=True),
    "three times": Late(3, (), 0, True, _RESTORED_AGAIN),
    "each time": Late(
        99,
        (),
        2,
        False,
        "Another writer keeps overwriting the policy of bucket anyscale-shared-0.",
    ),
}


@pytest.mark.parametrize("name", few_of(LATE, "once", "once, unconfirmed"))
def test_what_a_late_write_took_out_is_put_in_again(
    running_sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """A write that was decided on before ours is found by our read-back, which waits for it; where
    it does not wait, only one that comes before it.
    """
    late = LATE[name]
    running_sandbox.reset()
    fleet = _fleet(Size(1, 1, 1, 1))
    running_sandbox.seed(fleet)
    policies = Policies(running_sandbox)
    before = _others(policies, fleet)
    if late.early:
        running_sandbox.fault("GetBucketPolicy", delay=_READ_SECONDS, times=10**6)
    latecomer = Latecomer(running_sandbox, policies, fleet[0].bucket_name, late.times, late.early)
    inventory = inventory_file(tmp_path, running_sandbox, fleet)
    latecomer.start()
    try:
        run = run_playbook(
            running_sandbox, "onboard", inventory, *_set(*late.variables), confirm=True
        )
    finally:
        latecomer.stop()
    assert run.exit_status == late.exit_status, run.output
    assert (_missing(policies, fleet) == []) == late.granted, run.output
    after = _others(policies, fleet)
    assert [text for text in after if Latecomer.grant["Sid"] not in text] == before
    assert len(after) == len(before) + 1
    assert late.says in run.output, run.output
    changed = "" if late.exit_status else "changed=[1-9].* "  # Ansible does not count both
    failed = int(late.exit_status > 0)
    recap = rf"^cloud-000 .* {changed}.*failed={failed} "
    assert re.search(recap, run.output, re.MULTILINE), run.output


def _set(*variables: str) -> list[str]:
    return [part for value in variables for part in ("-e", value)]


class Lockstep:
    """Two controllers without a common lock: both read a bucket's policy before either writes it,
    and write before either reads it.
    """

    def __init__(self, sandbox: Sandbox, bucket: str) -> None:
        self._sandbox = sandbox
        self._bucket = bucket
        self._both_have_read = threading.Barrier(2, timeout=_LOCKSTEP_SECONDS)
        self._writing = itertools.count(1)
        self._both_write = threading.Event()

    def hold(self, operation: str, resource: str) -> None:
        """Hold up a call until it is its turn."""
        if resource != self._bucket:
            return
        if operation == "PutBucketPolicy" and next(self._writing) <= 2:
            self._both_have_read.wait()
            self._both_write.set()
        if operation == "GetBucketPolicy" and self._both_write.is_set():
            while len(self._written()) < 2:
                time.sleep(0.01)

    def _written(self) -> list[Json]:
        return [call for call in self._sandbox.writes() if call["resource"] == self._bucket]


_LOCKSTEP_SECONDS = 60.0


@pytest.mark.parametrize(
    "variables",
    few_of([(_UNCONFIRMED,), (_BY_THE_ROLE,), (_AS_MODULES,)], (_UNCONFIRMED,)),
    ids=["by the engine", "by the role", "as modules"],
)
def test_an_overwrite_by_another_controller_is_reported(
    running_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: tuple[str, ...],
) -> None:
    """Both decide on the same policy, and one write replaces the other: the read-back finds it,
    even where it does not wait.
    """
    running_sandbox.reset()
    fleet = _fleet(Size(2, 1, 0, 1))
    running_sandbox.seed(fleet)
    policies = Policies(running_sandbox)
    before = _others(policies, fleet)
    lockstep, take = Lockstep(running_sandbox, fleet[0].bucket_name), Faults.take

    def held(faults: Faults, operation: str, resource: str, account_id: str) -> t.Any:
        lockstep.hold(operation, resource)
        return take(faults, operation, resource, account_id)

    monkeypatch.setattr(Faults, "take", held)
    runs = _converge(running_sandbox, tmp_path, fleet, 1, 2, *_set(*variables))
    assert [run.exit_status for run in runs] == [0, 0], "\n".join(run.output for run in runs)
    assert _missing(policies, fleet) == []
    assert _others(policies, fleet) == before
    assert (
        len([call for call in running_sandbox.writes() if call["operation"] == "PutBucketPolicy"])
        == 3
    )


# --- many at once ---------------------------------------------------------------------------------


class Crowd(t.NamedTuple):
    """A fleet, by how many controllers it is converged at once, and what else is the matter.

    slow: how many writes of bucket policies take so long that others come and go meanwhile, if
    nothing holds them back.
    """

    size: Size
    controllers: int
    edited: bool = False
    slow: int = 0
    variables: tuple[str, ...] = ()


_SLOW_SECONDS = 0.8
CROWDS = {
    "one controller, unconfirmed": Crowd(Size(12, 1, 4, 12), 1, slow=3, variables=(_UNCONFIRMED,)),
    "two controllers": Crowd(Size(12, 2, 4, 6), 2),
    "two controllers and an editor": Crowd(Size(12, 2, 4, 6), 2, edited=True),
}


class Outcome(t.NamedTuple):
    """What is found once all is quiet, and how often the editor had to write again. The lists are
    of what must not be.
    """

    runs: list[Run]
    grants_missing: list[str]
    others_missing: list[str]
    others_new: list[str]
    edits_missing: list[str]
    edits: int
    overwritten: int

    @property
    def lost(self) -> list[str]:
        """All that must be none."""
        return [*self.grants_missing, *self.others_missing, *self.others_new, *self.edits_missing]


def _outcome(sandbox: Sandbox, folder: Path, crowd: Crowd, seed: int) -> Outcome:
    """Converge a crowd's fleet, with an editor at work in the policies that are shared where there
    is one.
    """
    sandbox.reset()
    fleet = _fleet(crowd.size)
    sandbox.seed(fleet)
    policies = Policies(sandbox)
    before = _others(policies, fleet)
    if crowd.slow:
        sandbox.fault("PutBucketPolicy", delay=_SLOW_SECONDS, times=crowd.slow)
    shared = [("role", SHARED_ROLE), *sorted({("bucket", cloud.bucket_name) for cloud in fleet})]
    editor = Editor(policies, shared if crowd.edited else (), seed)
    if crowd.edited:
        editor.start()
    try:
        runs = _converge(
            sandbox, folder, fleet, crowd.size.forks, crowd.controllers, *_set(*crowd.variables)
        )
    finally:
        if crowd.edited:
            editor.stop()
    after = _others(policies, fleet)
    missing, new = (
        collections.Counter(before) - collections.Counter(after),
        collections.Counter(after) - collections.Counter(before),
    )
    edits = (editor.changed_resources(), editor.edits, editor.overwritten)
    return Outcome(
        runs, _missing(policies, fleet), sorted(missing.elements()), sorted(new.elements()), *edits
    )


def _versions(sandbox: Sandbox) -> list[int]:
    return [
        template["version"]
        for template in sandbox.organization.templates.search({"version": ALL_VERSIONS})
    ]


@pytest.mark.parametrize("name", few_of(CROWDS, "two controllers and an editor"))
def test_nothing_is_lost(running_sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Every grant is there at the end, and every unmanaged statement; each compute config has one
    version.
    """
    crowd = CROWDS[name]
    outcome = _outcome(running_sandbox, tmp_path, crowd, seed=1)
    assert [run.exit_status for run in outcome.runs] == [0] * crowd.controllers, "\n".join(
        run.output for run in outcome.runs
    )
    assert outcome.lost == []
    assert _versions(running_sandbox) == [1] * crowd.size.clouds


# --- the long version -----------------------------------------------------------------------------

LARGE = Crowd(Size(200, 5, 20, 30), 2, edited=True)
MANY, NUMBER = 20, "RACES"  # how often, and the environment variable for another number
MOST_SECONDS = 600.0
# The task with the outcome of each cloud.
_OUTCOME = "Report the outcome of the cloud"


@pytest.mark.soak
def test_many_clouds_two_controllers_and_an_editor(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """In each repetition, all that any writer wanted is there at the end, and nothing else."""
    found: collections.Counter[str] = collections.Counter()
    longest = 0.0
    for number in range(int(os.environ.get(NUMBER, MANY))):
        begin, folder = time.monotonic(), tmp_path / str(number)
        folder.mkdir()
        found.update(_figures(_outcome(running_sandbox, folder, LARGE, seed=number)))
        found["compute configs with a second version"] += len(
            [version for version in _versions(running_sandbox) if version > 1]
        )
        longest = max(longest, time.monotonic() - begin)
    figures = {
        "clouds in each": LARGE.size.clouds,
        **found,
        "longest repetition, in s": round(longest),
    }
    title = (
        f"{LARGE.controllers} controllers without a common lock, {LARGE.size.forks} forks each, "
        "and an editor of the same policies"
    )
    record("races", title, figures)
    assert {name: number for name, number in found.items() if number and name not in _NO_HARM} == {}
    assert found[_REPEATED] <= found[_EDITS] / 4
    assert longest <= MOST_SECONDS


_EDITS, _REPEATED = (
    "writes of the editor",
    "of them overwritten without a trace, and repeated by the editor",
)
_RESTORED = "clouds that another overwrote, and that were converged again"
_NO_HARM = ("repetitions", _EDITS, _REPEATED, _RESTORED)


def _figures(outcome: Outcome) -> dict[str, int]:
    """What one repetition adds to the figures of all."""
    return {
        "repetitions": 1,
        "grants missing at the end": len(outcome.grants_missing),
        "unmanaged statements missing at the end": len(outcome.others_missing)
        + len(outcome.edits_missing),
        "unexpected statements at the end": len(outcome.others_new),
        "clouds that failed": sum(len(run.failed()) for run in outcome.runs),
        "runs that failed": sum(run.exit_status > 0 for run in outcome.runs),
        _RESTORED: sum(
            bool(result.get("overwritten"))
            for run in outcome.runs
            for result in run.named(_OUTCOME)
        ),
        _EDITS: outcome.edits,
        _REPEATED: outcome.overwritten,
    }

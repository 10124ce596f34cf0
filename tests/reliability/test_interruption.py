# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is broken off at any moment leaves nothing half done for good: no file, no lock, no
process, no policy.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
import typing as t
import uuid
from pathlib import Path

import boto3
import pytest
from moto.sts.models import sts_backends

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import backup
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ALL_VERSIONS
from ansible_collections.rayfleet.anyscale.tests.sandbox.anyscale_verify import verify_cloud
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import BIN, inventory_file
from ansible_collections.rayfleet.anyscale.tests.support.processes import MARK, PROC, marked
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tests.support.secret_scan import leaks
from ansible_collections.rayfleet.anyscale.tests.support.soak_figures import record

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
SHARED_ROLE = "ray-shared"
CLOUDS, BUCKETS, OF_ONE_ROLE, FORKS = 12, 2, 4, 6
FEW, MANY = 3, 50
OTHERS = ("PartnerIngest", "AnalyticsExport")  # the Sids of those who were there before
ANSWER_SECONDS = 0.03  # about what AWS takes, so that writes take a good part of a run
MOST_RUN_SECONDS = 120.0
MOST_GONE_SECONDS = 30.0
# After which time somebody presses Ctrl-C again, if it was lost.
PATIENCE_SECONDS = 5.0
# environment variables: to repeat a failure, and how many a long run has
SEED, NUMBER = ("INTERRUPTION_SEED", "INTERRUPTIONS")

pytestmark = pytest.mark.skipif(
    not (PROC / "self/environ").exists(), reason="the processes of a run are found in /proc"
)


# Clouds that differ in everything; some share a role, some a bucket, and half of them have a
# compute config to replace.
FLEET = [
    Cloud(
        f"cloud-{number:02}",
        ACCOUNT,
        role=SHARED_ROLE if number < OF_ONE_ROLE else f"ray-{number:02}",
        trust="foreign_principal" if number == 0 or number >= OF_ONE_ROLE else "",
        bucket=f"anyscale-shared-{number % BUCKETS}",
        bucket_policy="foreign_reader" if number < BUCKETS else "none",
        compute_config="other_profile" if number % 2 else "missing",
    )
    for number in range(CLOUDS)
]


class Controller:
    """A machine that ``ansible-playbook onboard`` is run on, with a home, a temporary folder and an
    inventory.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, fleet: list[Cloud]) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._backups, self._temporary = folder / "backups", folder / "t"
        self._temporary.mkdir()
        self._inventory = inventory_file(
            folder, sandbox, fleet, cloud_iam_backup_dir=str(self._backups)
        )

    def start(self, mark: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a run in a process group of its own, as a shell does, for a user whose umask hides
        nothing.
        """
        home = {
            "HOME": str(self._folder),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "TMPDIR": str(self._temporary),
        }
        with self._printed.open("wb") as output:
            return subprocess.Popen(
                [
                    str(BIN / "ansible-playbook"),
                    "-i",
                    str(self._inventory),
                    "rayfleet.anyscale.onboard",
                    "--forks",
                    str(FORKS),
                    *arguments,
                ],
                cwd=self._folder,
                env={**self._sandbox.environment(), **home, MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                umask=0,
            )

    def run(self) -> float:
        """A whole run, which has to succeed; returns its seconds."""
        mark = uuid.uuid4().hex
        started = time.monotonic()
        process = self.start(mark)
        try:
            assert process.wait(MOST_RUN_SECONDS) == 0, self.output
        finally:
            kill_all(process, mark)
        return time.monotonic() - started

    @property
    def output(self) -> str:
        """What the last run printed."""
        return self._printed.read_text()

    @property
    def lost_ctrl_c(self) -> bool:
        """Whether ansible-core's handler was called where CPython drops what it raises: in a hook
        of os.fork. The run goes on, or waits for ever for the worker that was just born.
        """
        return re.search(r"(?ms)Exception ignored in.*^KeyboardInterrupt", self.output) is not None

    @property
    def _printed(self) -> Path:
        return self._folder / "output.txt"

    def left(self) -> list[Path]:
        """The files that are there after a run, but for its output."""
        roots = (
            self._backups,
            self._folder / "ansible",
            self._folder / ".ansible",
            self._temporary,
        )
        return sorted(path for root in roots for path in root.rglob("*") if path.is_file())

    def backups(self) -> list[Path]:
        """The backups of what was replaced."""
        return sorted(self._backups.glob("*.json"))

    def wrong_files(self) -> list[str]:
        """What is wrong with these: they can be read by others, are half written, or keep others
        out.
        """
        wrong = [
            f"{path} can be read or written by others"
            for path in self.left()
            if path.lstat().st_mode & 0o077
        ]
        for path in self.left():
            if path.suffix == ".lock" and not _is_free(path):
                wrong.append(f"{path} is locked by no living process")
            elif (
                path.parent == self._backups
                and path.suffix not in (".tmp", ".jsonl")
                and not _is_backup(path)
            ):
                wrong.append(f"{path} is not a backup")
            elif path.suffix == ".json" and not _is_json(path):
                wrong.append(f"{path} is half written")
        return wrong


def _is_free(path: Path) -> bool:
    with path.open() as file, contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_backup(path: Path) -> bool:
    with contextlib.suppress(TaskError):
        return backup.read(str(path)).backup.kind in path.name
    return False


def _is_json(path: Path) -> bool:
    with contextlib.suppress(ValueError):
        return bool(json.loads(path.read_text()))
    return False


def press_ctrl_c(process: subprocess.Popen[bytes], _mark: str) -> None:
    """A terminal signals the whole foreground group."""
    os.killpg(process.pid, signal.SIGINT)


def terminate_controller(process: subprocess.Popen[bytes], _mark: str) -> None:
    """As a service manager ends a service."""
    process.terminate()


def kill_controller(process: subprocess.Popen[bytes], _mark: str) -> None:
    """The workers are left alone with what they are at."""
    process.kill()


def kill_group(process: subprocess.Popen[bytes], _mark: str) -> None:
    """Workers are of it in some releases of Ansible, and in others not."""
    os.killpg(process.pid, signal.SIGKILL)


def kill_all(process: subprocess.Popen[bytes], mark: str) -> None:
    """As when a container is removed: every process of the run, at once."""
    process.kill()
    while running := marked(mark):
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    process.wait()


WAYS = {
    way.__name__: way
    for way in (press_ctrl_c, terminate_controller, kill_controller, kill_all, kill_group)
}


class Interruption(t.NamedTuple):
    """How a run is broken off and when, as a share of what a run takes."""

    way: str
    share: float


def interruptions(number: int, seed: int) -> list[Interruption]:
    """All ways in turn, at random moments that are spread over the whole run."""
    chosen = random.Random(seed)
    shares = [(part + chosen.random()) / number for part in range(number)]
    chosen.shuffle(shares)
    return [
        Interruption(way, share) for way, share in zip(itertools.cycle(WAYS), shares, strict=False)
    ]


class Aftermath(t.NamedTuple):
    """What an interruption left: whether the run was through before, its successful writes, how
    long its processes stayed, and orphans.
    """

    was_through: bool
    writes: int
    seconds: float
    files: int
    half_written: int
    orphans: int
    pressed_again: bool


def is_orphan(pid: int) -> bool:
    """Whether a worker waits for an answer of the controller, which is gone: it does nothing any
    more.

    That is ansible-core's own: a worker has inherited the socket at which the controller listened,
    so that its question is taken.
    """
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "wchan").read_text() == "unix_stream_read_generic"
    return False


def interrupt(
    controller: Controller, sandbox: Sandbox, interruption: Interruption, run_seconds: float
) -> Aftermath:
    """Begin a run, break it off, and wait until none of its processes is there any more."""
    mark = uuid.uuid4().hex
    process = controller.start(mark)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(run_seconds * interruption.share)
        was_through = process.returncode is not None
        if not was_through:
            WAYS[interruption.way](process, mark)
        broken_off, pressed_again = time.monotonic(), False
        while marked(mark) and time.monotonic() - broken_off < MOST_GONE_SECONDS:
            time.sleep(0.05)
            process.poll()
            waits = process.returncode is None and not pressed_again
            if waits and time.monotonic() - broken_off > PATIENCE_SECONDS:
                pressed_again = controller.lost_ctrl_c
                if pressed_again:
                    press_ctrl_c(process, mark)
        seconds = time.monotonic() - broken_off
        remaining = {pid: seen.command for pid, seen in marked(mark).items()}
        busy = [command for pid, command in remaining.items() if not is_orphan(pid)]
        assert busy == [], f"these are there {seconds:.0f} s later"
        assert controller.wrong_files() == [], "while orphans are there"
    finally:
        kill_all(process, mark)
    left = controller.left()
    half_written = sum(path.suffix == ".tmp" for path in left)
    return Aftermath(
        was_through,
        len(sandbox.writes()),
        0.0 if remaining else seconds,
        len(left),
        half_written,
        len(remaining),
        pressed_again,
    )


def unmet(sandbox: Sandbox, fleet: list[Cloud]) -> list[str]:
    """What clouds still lack, as Anyscale's own verification and the newest compute configs have
    it.
    """
    session = boto3.Session(**sandbox.credentials(ACCOUNT, setup=True))
    verdicts = {cloud: verify_cloud(session, cloud) for cloud in fleet}
    lacking = [
        f"{cloud.name}: {verdict.complaints}"
        for cloud, verdict in verdicts.items()
        if not (verdict.roles and verdict.bucket)
    ]
    for cloud in fleet:
        newest = max(
            _versions(sandbox, cloud), key=lambda template: template["version"], default={}
        )
        profile = (
            newest.get("config", {})
            .get("advanced_configurations_json", {})
            .get("IamInstanceProfile")
        )
        if profile != {"Arn": cloud.instance_profile_arn}:
            lacking.append(f"{cloud.name}: the newest compute config has {profile}")
    return lacking


def lost(sandbox: Sandbox, fleet: list[Cloud]) -> list[str]:
    """The policies that were, at any time, without the unmanaged statement that was in them
    before.
    """
    iam = sandbox.client("iam", ACCOUNT)
    keys = {
        cloud.role_name: iam.get_role(RoleName=cloud.role_name)["Role"]["RoleId"] for cloud in fleet
    }
    keys |= {cloud.bucket_name: cloud.bucket_name for cloud in fleet}
    without = []
    for name, key in keys.items():
        first, *later = sandbox.accounts.past_policies(key)
        theirs = [
            statement for statement in (first or {})["Statement"] if statement.get("Sid") in OTHERS
        ]
        assert theirs, name
        without += [
            name
            for policy in later
            if not all(statement in (policy or {})["Statement"] for statement in theirs)
        ]
    return without


def published_twice(sandbox: Sandbox, fleet: list[Cloud]) -> list[str]:
    """The compute configs of which two versions are the same."""
    twice = []
    for cloud in fleet:
        configs = [
            json.dumps(template["config"], sort_keys=True) for template in _versions(sandbox, cloud)
        ]
        if len(set(configs)) != len(configs):
            twice.append(cloud.compute_config_name)
    return twice


def _versions(sandbox: Sandbox, cloud: Cloud) -> list[Json]:
    found = sandbox.organization.templates.search({"version": ALL_VERSIONS})
    return [template for template in found if template["name"] == cloud.compute_config_name]


def survive(sandbox: Sandbox, interruption: Interruption, run_seconds: float) -> Aftermath:
    """A fleet whose onboarding is broken off, and then begun again and carried through."""
    fleet = prepared(sandbox)
    with tempfile.TemporaryDirectory() as folder:  # its path is short, as sockets are in it
        controller = Controller(sandbox, Path(folder), fleet)
        aftermath = interrupt(controller, sandbox, interruption, run_seconds)
        assert controller.wrong_files() == []
        controller.run()
        assert unmet(sandbox, fleet) == []
        assert lost(sandbox, fleet) == []
        assert published_twice(sandbox, fleet) == []
        sandbox.clear_calls()
        controller.run()
        assert sandbox.writes() == []
        assert controller.wrong_files() == []
    return aftermath


def prepared(sandbox: Sandbox, write_seconds: float = 0.0) -> list[Cloud]:
    """A fleet that differs, in an AWS that takes its time. write_seconds: to write trust policies,
    which are written first.
    """
    sandbox.reset()
    sandbox.seed(FLEET)
    if write_seconds:
        sandbox.fault("UpdateAssumeRolePolicy", delay=write_seconds, times=10**6)
    sandbox.fault("*", delay=ANSWER_SECONDS, times=10**6)
    return FLEET


def run_seconds(sandbox: Sandbox) -> float:
    """What a run takes without an interruption."""
    with tempfile.TemporaryDirectory() as folder:
        return Controller(sandbox, Path(folder), prepared(sandbox)).run()


@pytest.fixture(name="surrounding_sandbox")
def _surrounding_sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, with an environment that leads Anyscale's code to it."""
    for name, value in running_sandbox.child_variables().items():
        monkeypatch.setenv(name, value)
    return running_sandbox


def survived(sandbox: Sandbox, number: int) -> list[Aftermath]:
    """So many interruptions, each of which has to be survived."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**6))
    seconds = run_seconds(sandbox)
    aftermaths = []
    for count, interruption in enumerate(interruptions(number, seed), 1):
        try:
            aftermaths.append(survive(sandbox, interruption, seconds))
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            failure.add_note(
                f"{SEED}={seed}, number {count} of {number}: {interruption} of {seconds:.1f} s"
            )
            raise
    return aftermaths


def test_a_run_that_is_broken_off_is_made_good_by_the_next(surrounding_sandbox: Sandbox) -> None:
    """And the one after that finds nothing to do."""
    aftermaths = survived(surrounding_sandbox, FEW)
    assert not all(aftermath.was_through for aftermath in aftermaths), "no run was broken off"


# --- what is being written ------------------------------------------------------------------------

WRITE_SECONDS = 1.5
FINISH_SECONDS = 10.0
# After which time a process is gone that ends at once, on a busy machine.
LEEWAY_SECONDS = 8.0
THREADS = 2
_ENDED: dict[str, t.Callable[[subprocess.Popen[bytes], str], None]] = {
    "SIGINT": press_ctrl_c,
    "SIGTERM": terminate_controller,
}


def broken_off_amid_a_write(
    sandbox: Sandbox,
    controller: Controller,
    end: t.Callable[[subprocess.Popen[bytes], str], None],
) -> tuple[float, int]:
    """Break a run off while it makes its first writes. Returns the seconds until its processes are
    gone, and its exit status.
    """
    mark = uuid.uuid4().hex
    process = controller.start(mark, "-e", f"fleet_threads={THREADS}")
    try:
        latest = time.monotonic() + MOST_RUN_SECONDS
        while not controller.backups() and time.monotonic() < latest:
            time.sleep(0.02)
        time.sleep(WRITE_SECONDS / 3)
        end(process, mark)
        ended = time.monotonic()
        while marked(mark) and time.monotonic() - ended < MOST_GONE_SECONDS:
            time.sleep(0.05)
            process.poll()
        return time.monotonic() - ended, process.wait()
    finally:
        kill_all(process, mark)


@pytest.mark.parametrize("name", few_of(_ENDED, "SIGINT"))
def test_what_is_being_written_is_finished_and_nothing_new_begins(
    surrounding_sandbox: Sandbox, name: str
) -> None:
    """Each thread ends what it has begun, and then the run ends, before the next stage."""
    fleet = prepared(surrounding_sandbox, WRITE_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(surrounding_sandbox, Path(folder), fleet)
        seconds, status = broken_off_amid_a_write(surrounding_sandbox, controller, _ENDED[name])
        assert status not in (0, 2), controller.output
        assert seconds < WRITE_SECONDS + LEEWAY_SECONDS
        written = surrounding_sandbox.writes()
        assert [call["status"] for call in written] == [200] * len(written)
        assert {call["operation"] for call in written} == {"UpdateAssumeRolePolicy"}
        assert len(written) == len(controller.backups()) <= THREADS
        assert controller.wrong_files() == []
        surrounding_sandbox.clear_faults()
        controller.run()
    assert unmet(surrounding_sandbox, fleet) == []


@pytest.mark.long
def test_a_write_that_does_not_end_is_given_up(surrounding_sandbox: Sandbox) -> None:
    """After ten seconds."""
    fleet = prepared(surrounding_sandbox, 4 * FINISH_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(surrounding_sandbox, Path(folder), fleet)
        seconds, status = broken_off_amid_a_write(surrounding_sandbox, controller, press_ctrl_c)
        assert status not in (0, 2), controller.output
        assert FINISH_SECONDS - 1 < seconds < FINISH_SECONDS + LEEWAY_SECONDS
        assert controller.wrong_files() == []
        surrounding_sandbox.clear_faults()
        controller.run()
    assert unmet(surrounding_sandbox, fleet) == []


@pytest.mark.soak
def test_many_runs_that_are_broken_off(surrounding_sandbox: Sandbox) -> None:
    """At moments all over the run, of which some are amid its writes."""
    aftermaths = survived(surrounding_sandbox, int(os.environ.get(NUMBER, MANY)))
    amid_writes = [
        aftermath for aftermath in aftermaths if aftermath.writes and not aftermath.was_through
    ]
    assert amid_writes
    figures = {
        "interruptions": len(aftermaths),
        "of them after the first write and before the end": len(amid_writes),
        "after the end": sum(aftermath.was_through for aftermath in aftermaths),
        "longest time until the last process was gone, in s": round(
            max(aftermath.seconds for aftermath in aftermaths), 1
        ),
        "workers that ansible-core left waiting for a controller that was killed": sum(
            aftermath.orphans for aftermath in aftermaths
        ),
        "times that ansible-core lost a Ctrl-C, which was pressed again": sum(
            aftermath.pressed_again for aftermath in aftermaths
        ),
        "files left by broken runs": sum(aftermath.files for aftermath in aftermaths),
        "of them half written, under a temporary name": sum(
            aftermath.half_written for aftermath in aftermaths
        ),
        "files that others could read, or half written under a final name": 0,
        "unmanaged statements lost": 0,
        "compute configs published twice": 0,
        "clouds not converged by the next run": 0,
    }
    record(
        "interruption",
        "Onboarding a fleet, broken off at random moments by SIGINT, SIGTERM and SIGKILL",
        figures,
    )


# --- credentials of a run that was killed ---------------------------------------------------------


def assumed_secrets() -> dict[str, str]:
    """What STS has answered since the sandbox's last reset."""
    roles = [
        role
        for backends in sts_backends.values()
        for backend in backends.values()
        for role in backend.assumed_roles
    ]
    secrets = {f"key {number}": role.secret_access_key for number, role in enumerate(roles)}
    return secrets | {f"token {number}": role.session_token for number, role in enumerate(roles)}


def kept_credentials(folder: Path) -> list[Path]:
    """The files in which runs keep the credentials of assumed roles."""
    return sorted((folder / "ansible/tmp").glob("ansible-local-*/rayfleet.anyscale/*.session"))


def test_a_killed_run_leaves_no_credentials_that_can_be_read(surrounding_sandbox: Sandbox) -> None:
    """On no disk, and the next run removes what was left."""
    surrounding_sandbox.reset()
    surrounding_sandbox.seed([FLEET[-1]])
    with tempfile.TemporaryDirectory() as name:
        folder, mark = Path(name), uuid.uuid4().hex
        controller = Controller(surrounding_sandbox, folder, [FLEET[-1]])
        process = controller.start(mark)
        try:
            latest = time.monotonic() + MOST_RUN_SECONDS
            while not kept_credentials(folder) and time.monotonic() < latest:
                time.sleep(0.01)
        finally:
            kill_all(process, mark)
        assert len(kept_credentials(folder)) == 1
        assert assumed_secrets() != {}
        assert leaks(folder, assumed_secrets()) == []
        assert controller.start(mark, "--check").wait(MOST_RUN_SECONDS) == 0, controller.output
        assert list((folder / "ansible/tmp").iterdir()) == []

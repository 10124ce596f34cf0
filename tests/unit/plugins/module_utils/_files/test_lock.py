# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes exclude one another from a resource, and lock files are safe from other users."""

from __future__ import annotations

import fcntl
import os
import pathlib
import select
import shutil
import stat
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

RESOURCE = "arn:aws:s3:::fleet-data"

HOLD = """
import sys
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock
with resource_lock(sys.argv[1], sys.argv[2], 30):
    print("held", flush=True)
    sys.stdin.readline()
"""

# Without exclusion, four processes that each read, pause and write back one higher lose most of
# their counts.
COUNT = """
import pathlib, sys, time
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock
counter = pathlib.Path(sys.argv[3])
for _round in range(10):
    with resource_lock(sys.argv[1], sys.argv[2], 60):
        count = int(counter.read_text())
        time.sleep(0.002)
        counter.write_text(str(count + 1))
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process that finds the collection where this one does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "locks"


@pytest.fixture(name="holder")
def _holder(folder: pathlib.Path) -> t.Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of the resource until it reads a line or is killed."""
    process = start(HOLD, RESOURCE, str(folder))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_lock_file_that_cannot_be_opened_is_an_error_for_users(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "locks"
    with resource_lock("a bucket", str(folder)):
        name = next(folder.iterdir()).name
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(TaskError, match="cannot be opened"), resource_lock("a bucket", str(folder)):
        pass


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")], ids=["a FIFO", "a link"]
)
def test_a_lock_file_that_is_no_plain_file_is_refused_at_once(
    folder: pathlib.Path, make: t.Callable[[pathlib.Path], None]
) -> None:
    with resource_lock("a bucket", str(folder)):
        (path,) = folder.iterdir()
    path.unlink()
    make(path)
    with pytest.raises(TaskError, match="cannot be opened"), resource_lock("a bucket", str(folder)):
        pass


def test_processes_exclude_one_another(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(COUNT, RESOURCE, str(folder), str(counter)) for _process in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    assert counter.read_text() == "40"


def test_a_lock_that_is_held_too_long_is_an_error_that_names_the_resource(
    folder: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    with (
        pytest.raises(TaskError, match=RESOURCE) as caught,
        resource_lock(RESOURCE, str(folder), 0.2),
    ):
        pytest.fail("the lock is held by another process")
    assert caught.value.remedy
    assert holder.poll() is None


def test_a_lock_that_is_let_go_is_taken(
    folder: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    holder.communicate("go\n")
    with resource_lock(RESOURCE, str(folder), 5):
        pass


def test_a_killed_holder_blocks_no_other_process(
    folder: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    with resource_lock(RESOURCE, str(folder), 5):
        pass


def test_other_resources_are_not_locked(
    folder: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    for other in (
        "arn:aws:s3:::fleet-data-2",
        "arn:aws:s3:::fleet/data",
        "arn:aws:s3:::fleet_data",
        RESOURCE.upper(),
    ):
        with resource_lock(other, str(folder), 0.2):
            assert holder.poll() is None


def test_a_lock_is_let_go_after_an_error(folder: pathlib.Path) -> None:
    with pytest.raises(ZeroDivisionError), resource_lock(RESOURCE, str(folder), 1):
        raise ZeroDivisionError
    with resource_lock(RESOURCE, str(folder), 0.2):
        pass


def test_a_lock_file_stays_the_same_file(folder: pathlib.Path) -> None:
    kept = []
    for _round in range(2):
        with resource_lock(RESOURCE, str(folder), 1):
            pass
        kept.append([(path.name, path.stat().st_ino) for path in folder.iterdir()])
    assert kept[0] == kept[1]
    assert len(kept[0]) == 1


def _is_held(folder: pathlib.Path) -> bool:
    try:
        with resource_lock(RESOURCE, str(folder), 0.2):
            return False
    except TaskError:
        return True


def _without_its_file(folder: pathlib.Path) -> None:
    """As a cleaner of temporary files leaves it."""
    for path in folder.iterdir():
        path.unlink()


def _without_its_folder(folder: pathlib.Path) -> None:
    shutil.rmtree(folder)


def _with_another_file(folder: pathlib.Path) -> None:
    """As it is once another process came after a cleaner."""
    for path in folder.iterdir():
        path.unlink()
        path.touch(mode=0o600)


CLEANERS = (_without_its_file, _without_its_folder, _with_another_file)


@pytest.mark.parametrize("clean", CLEANERS, ids=lambda clean: clean.__name__.strip("_"))
def test_the_lock_that_is_held_is_the_one_that_other_processes_find(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, clean: t.Callable[[pathlib.Path], None]
) -> None:
    """A process that opens a file that is removed before it is locked would hold a lock that no
    other process sees.
    """
    lock, cleaned = fcntl.flock, []

    def clean_and_lock(handle: int, operation: int) -> None:
        if not cleaned:
            cleaned.append(clean(folder))
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", clean_and_lock)
    with resource_lock(RESOURCE, str(folder), 5):
        assert _is_held(folder)
    assert not _is_held(folder)


def test_one_who_waits_for_a_file_that_is_removed_waits_for_its_successor(
    folder: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    waiting = start(
        HOLD.replace("with ", "print('waits', flush=True)\nwith "), RESOURCE, str(folder)
    )
    try:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waits\n"
        time.sleep(0.2)
        _without_its_file(folder)
        with resource_lock(RESOURCE, str(folder), 5):
            holder.communicate("go\n")
            assert not select.select([waiting.stdout], [], [], 0.7)[0], "two hold the lock"
        assert waiting.stdout.readline() == "held\n"
    finally:
        waiting.kill()
        waiting.communicate()


def test_a_lock_file_in_use_is_not_an_old_one(folder: pathlib.Path) -> None:
    """A cleaner of temporary files removes them by age, whether they are in use or not."""
    with resource_lock(RESOURCE, str(folder), 1):
        (path,) = folder.iterdir()
    os.utime(path, (0, 0))
    with resource_lock(RESOURCE, str(folder), 1):
        assert min(path.stat().st_atime, path.stat().st_mtime) > time.time() - 60


def test_no_handle_is_left_open(folder: pathlib.Path, holder: subprocess.Popen[str]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert _is_held(folder)
    holder.communicate("go\n")
    assert not _is_held(folder)
    assert len(os.listdir("/proc/self/fd")) == before - 2  # those to the holder


@pytest.mark.parametrize("mask", [0o000, 0o022], ids=["an open umask", "the usual umask"])
def test_only_their_user_can_read_lock_files(folder: pathlib.Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with resource_lock(RESOURCE, str(folder), 1):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize(
    "resource",
    ["../../outside", "/etc/x", "a/b", "x" * 3000, "ünïcode", "a b\n"],
    ids=[
        "a path upwards",
        "an absolute path",
        "a path",
        "a long name",
        "letters beyond ASCII",
        "white space",
    ],
)
def test_whatever_the_resource_is_named_its_file_is_in_the_folder(
    folder: pathlib.Path, resource: str
) -> None:
    with resource_lock(resource, str(folder), 1):
        assert len(list(folder.iterdir())) == 1
    assert [path.name for path in folder.parent.iterdir()] == ["locks"]


def test_a_folder_that_is_a_symbolic_link_is_refused(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(TaskError, match=str(folder)), resource_lock(RESOURCE, str(folder), 1):
        pytest.fail("a link was followed")
    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_another_user_is_refused(folder: pathlib.Path) -> None:
    theirs = folder
    if os.geteuid() == 0:
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, -1)
    else:
        theirs = pathlib.Path("/usr")
    with pytest.raises(TaskError, match=str(theirs)), resource_lock(RESOURCE, str(theirs), 1):
        pytest.fail("another user's folder was used")


def test_a_folder_that_other_users_can_write_to_is_refused_or_closed(folder: pathlib.Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with resource_lock(RESOURCE, str(folder), 1):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    except TaskError as error:
        assert str(folder) in error.message  # noqa: PT017


def test_a_file_in_the_place_of_the_folder_is_an_error_that_names_it(folder: pathlib.Path) -> None:
    folder.write_text("")
    with pytest.raises(TaskError, match=str(folder)), resource_lock(RESOURCE, str(folder), 1):
        pytest.fail("a file was taken for a folder")


FOLDERS: dict[str, tuple[str | None, dict[str, str], str]] = {
    "by default": (None, {}, "{home}/.ansible/anyscale_locks"),
    "where Ansible's home is moved": (
        None,
        {"ANSIBLE_HOME": "{home}/moved"},
        "{home}/moved/anyscale_locks",
    ),
    "by the environment": (
        None,
        {"RAYFLEET_LOCK_DIR": "~/mine", "ANSIBLE_HOME": "/x"},
        "{home}/mine",
    ),
    "by the option": ("{home}/given", {"RAYFLEET_LOCK_DIR": "/x"}, "{home}/given"),
}


@pytest.mark.parametrize(("given", "variables", "expected"), FOLDERS.values(), ids=FOLDERS)
def test_the_folder_is_the_users_own(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name in ("ANSIBLE_HOME", "RAYFLEET_LOCK_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "{home}", **variables}.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    with resource_lock(RESOURCE, given and given.format(home=tmp_path), 1):
        pass
    folder = pathlib.Path(expected.format(home=tmp_path))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.geteuid()
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("given", "variables", "named"),
    [
        ("locks", {}, "lock_dir 'locks'"),
        (None, {"RAYFLEET_LOCK_DIR": "locks"}, "RAYFLEET_LOCK_DIR"),
    ],
    ids=["the option", "the environment"],
)
def test_a_relative_folder_is_an_error_that_names_its_source(
    monkeypatch: pytest.MonkeyPatch, given: str | None, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TaskError, match=named), resource_lock(RESOURCE, given, 1):
        pytest.fail("a folder that depends on the working folder was taken")

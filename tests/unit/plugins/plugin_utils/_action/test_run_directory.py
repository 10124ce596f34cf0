# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What killed runs left is removed, and nothing of a run that is alive, nor of anything else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action import run_directory
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_directory import (
    claim,
    remove_leftovers,
)

pytestmark = pytest.mark.core

NAME = "rayfleet.anyscale"
# A controller that has claimed its directory and forked a worker, which lives longer.
CONTROLLER = """
import os, sys, time
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_directory import claim
claim(sys.argv[1])
worker = os.fork()
if worker == 0:
    time.sleep(600)
print(worker, flush=True)
time.sleep(600)
"""


def temporary(parent: Path, name: str) -> Path:
    """Ansible's temporary directory of one run."""
    path = parent / f"ansible-local-{name}"
    path.mkdir(mode=0o700)
    return path


def filled(path: Path) -> Path:
    """What a run keeps in it."""
    (path / NAME / "run-abc").mkdir(parents=True)
    (path / NAME / "run-abc" / "outcome.json").write_text("{}")
    (path / NAME / "0123.session").write_text("sealed")
    return path


def dead(parent: Path, name: str) -> Path:
    """The directory of a run that was killed: the kernel has released its lock."""
    path = filled(temporary(parent, name))
    (path / NAME / "alive").write_text("")
    return path


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> t.Iterator[Path]:
    """The directory of this run, which it has claimed."""
    path = temporary(tmp_path, "1own")
    claim(str(path))
    yield path
    os.close(run_directory._held.pop())


def test_a_claimed_directory_is_its_owners_alone(own: Path) -> None:
    """And holds no file that is half made."""
    assert stat.S_IMODE((own / NAME).stat().st_mode) == 0o700
    assert [path.name for path in (own / NAME).iterdir()] == ["alive"]
    assert stat.S_IMODE((own / NAME / "alive").stat().st_mode) == 0o600


def test_what_killed_runs_left_is_removed(own: Path, tmp_path: Path) -> None:
    """All of them, with the directories that are empty then."""
    left = [dead(tmp_path, name) for name in ("2a", "3b")]
    (left[1] / "of-ansible").write_text("not ours")
    remove_leftovers(str(own))
    assert not left[0].exists()
    assert [path.name for path in left[1].rglob("*")] == ["of-ansible"]
    assert (own / NAME / "alive").exists()


def test_nothing_of_a_living_run_is_removed(own: Path, tmp_path: Path) -> None:
    """Also where its controller was killed, while a worker is at a cloud."""
    other = filled(temporary(tmp_path, "2other"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", CONTROLLER, str(other)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True
    ) as controller:
        assert controller.stdout is not None
        worker = int(controller.stdout.readline())
        try:
            remove_leftovers(str(own))
            assert (other / NAME / "0123.session").exists()
            controller.kill()
            controller.wait()
            remove_leftovers(str(own))
            assert (other / NAME / "0123.session").exists()
        finally:
            os.kill(worker, signal.SIGKILL)
    for _attempt in range(500):  # until the worker is gone, and its lock with it
        remove_leftovers(str(own))
        if not other.exists():
            break
    assert not other.exists()


def _unclaimed(parent: Path) -> Path:
    """A run that is just being started, or that is none of this collection."""
    return filled(temporary(parent, "2new"))


def _named_otherwise(parent: Path) -> Path:
    path = dead(parent, "2x")
    return path.rename(parent / "of-another-program")


def _linked(parent: Path) -> Path:
    """A link in the place of a directory leads anywhere."""
    elsewhere = parent / "elsewhere"
    elsewhere.mkdir()
    dead(elsewhere, "2x").rename(elsewhere / "precious")
    (parent / "ansible-local-2x").symlink_to(elsewhere / "precious")
    return elsewhere / "precious"


def _link_inside(parent: Path) -> Path:
    precious = parent / "precious"
    precious.mkdir()
    dead(parent, "2x")
    (parent / "ansible-local-2x" / NAME / "link").symlink_to(precious)
    (precious / "document").write_text("kept")
    return precious


@pytest.mark.parametrize("make", [_unclaimed, _named_otherwise, _linked, _link_inside])
def test_nothing_else_is_removed(own: Path, tmp_path: Path, make: t.Callable[[Path], Path]) -> None:
    """Whatever stands beside the directory of the run."""
    kept = make(tmp_path)
    before = sorted(kept.rglob("*"))
    remove_leftovers(str(own))
    assert sorted(kept.rglob("*")) == before != []


def test_what_belongs_to_another_user_is_left_alone(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory may be one that many users share."""
    left = dead(tmp_path, "2theirs")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    remove_leftovers(str(own))
    assert (left / NAME / "0123.session").exists()


def test_of_runs_that_start_at_once_one_removes_them(tmp_path: Path) -> None:
    """Another that had opened the lock before finds that it is no longer there."""
    left = dead(tmp_path, "2a")
    with (left / NAME / "alive").open() as one, (left / NAME / "alive").open() as other:
        run_directory._remove(str(left), one.fileno())
        assert not left.exists()
        with pytest.raises(FileNotFoundError):
            run_directory._remove(str(left), other.fileno())
        again = dead(tmp_path, "2a")
        run_directory._remove(str(again), other.fileno())
    assert (again / NAME / "0123.session").exists()


@pytest.mark.parametrize("function", [claim, remove_leftovers])
def test_a_directory_that_cannot_be_used_is_no_error(
    tmp_path: Path, function: t.Callable[[str], None]
) -> None:
    """A run works without."""
    (tmp_path / "file").write_text("")
    held = list(run_directory._held)
    function(str(tmp_path / "file" / "ansible-local-1"))
    assert run_directory._held == held

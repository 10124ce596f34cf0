# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file is the old one or the new one, whenever its writing ends, and a durable one is found again
after a power failure.
"""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.tests.support.special_files import special_file


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "folder" / "file"


@pytest.fixture(name="folder", autouse=True)
def _folder(path: pathlib.Path) -> pathlib.Path:
    path.parent.mkdir()
    return path.parent


class Synced(list[str]):
    """What was brought to the disk, in its order, with what its folder held by then."""

    def __init__(self, folder: pathlib.Path, failure: int | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._failure = failure

    def __call__(self, handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        if is_folder:
            assert os.path.samestat(os.fstat(handle), self._folder.stat())
        self.append(
            ("folder" if is_folder else "file")
            + (" with it" if (self._folder / "file").exists() else "")
        )
        if is_folder and self._failure is not None:
            raise OSError(self._failure, os.strerror(self._failure))


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
def test_it_is_there_as_a_whole(path: pathlib.Path, durable: bool) -> None:
    for text in ("first", "sécond"):
        atomic_write(str(path), text, durable=durable)
        assert path.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(name="umask")
def _umask() -> t.Iterator[t.Callable[[int], None]]:
    before = os.umask(0o022)
    yield lambda mask: (os.umask(mask), None)[1]
    os.umask(before)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027], ids=oct)
def test_who_can_read_it(path: pathlib.Path, umask: t.Callable[[int], None], mask: int) -> None:
    """Of what is private, nobody else; of what is for users, those whom the umask lets."""
    umask(mask)
    atomic_write(str(path), "text")
    atomic_write(f"{path}.users", "text", for_users=True)
    modes = [stat.S_IMODE(os.stat(name).st_mode) for name in (path, f"{path}.users")]
    assert modes == [0o600, 0o666 & ~mask]


def test_a_file_for_users_keeps_its_mode(
    path: pathlib.Path, umask: t.Callable[[int], None]
) -> None:
    path.write_text("old")
    path.chmod(0o640)
    umask(0o077)
    atomic_write(str(path), "new", for_users=True)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket"])
def test_what_is_no_plain_file_is_not_replaced(path: pathlib.Path, kind: str) -> None:
    with special_file(path, kind):
        before = path.lstat()
        with pytest.raises(OSError, match="not a plain file"):
            atomic_write(str(path), "text")
        assert os.path.samestat(path.lstat(), before)
        assert list(path.parent.iterdir()) == [path]


def test_a_file_in_the_working_folder(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    atomic_write("file", "text", durable=True)
    assert path.read_text() == "text"


def test_what_is_durable_is_brought_to_the_disk_with_its_name(
    path: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose folder is not on the disk is not there after a power failure, whatever is in it."""
    synced = Synced(folder)
    monkeypatch.setattr(os, "fsync", synced)
    before = len(os.listdir("/proc/self/fd"))
    atomic_write(str(path), "text", durable=True)
    assert synced == ["file", "folder with it"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_not_durable_waits_for_no_disk(
    path: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = Synced(folder)
    monkeypatch.setattr(os, "fsync", synced)
    atomic_write(str(path), "text")
    assert synced == []


def test_a_file_system_whose_folders_cannot_be_synced_is_good_enough(
    path: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", Synced(folder, errno.EINVAL))
    atomic_write(str(path), "text", durable=True)
    assert path.read_text() == "text"


def test_a_disk_failure_is_reported(
    path: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", Synced(folder, errno.EIO))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        atomic_write(str(path), "text", durable=True)
    assert len(os.listdir("/proc/self/fd")) == before


INTERRUPTIONS = ("fchmod", "replace")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", INTERRUPTIONS)
def test_an_interruption_leaves_the_old_one_or_the_new_one(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: str, when: str
) -> None:
    """And is what ends the writing, not that there is nothing left to clean up."""
    path.write_text("old")
    execute = getattr(os, call)

    def interrupt(*arguments: t.Any) -> t.NoReturn:
        if when == "after":
            execute(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        atomic_write(str(path), "new", for_users=True)
    assert caught.value.__context__ is None
    assert path.read_text() == ("new" if (call, when) == ("replace", "after") else "old")
    assert list(path.parent.iterdir()) == [path]


def test_a_text_that_cannot_be_written_leaves_nothing(path: pathlib.Path) -> None:
    with pytest.raises(UnicodeError):
        atomic_write(str(path), "half a character: \ud800", durable=True)
    assert list(path.parent.iterdir()) == []


def test_a_text_in_parts_is_there_as_a_whole(path: pathlib.Path) -> None:
    """As it is made."""
    atomic_write(str(path), (f"line {number}\n" for number in range(3)))
    assert path.read_text() == "line 0\nline 1\nline 2\n"


def test_a_part_that_cannot_be_made_leaves_nothing(path: pathlib.Path) -> None:
    """Also where others have been written."""

    def parts() -> t.Iterator[str]:
        yield "begun"
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        atomic_write(str(path), parts())
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [None, "before"], ids=["a new file", "a file that is there"])
def test_what_is_killed_while_it_writes_leaves_nothing(
    path: pathlib.Path, content: str | None
) -> None:
    """No signal can be handled then: what is half written has no name."""
    if content:
        path.write_text(content)
    seen: list[list[str]] = []

    def parts() -> t.Iterator[str]:
        yield "one"
        seen.append(os.listdir(path.parent))
        yield "two"

    atomic_write(str(path), parts())
    assert seen == [["file"] if content else []]
    assert path.read_text() == "onetwo"
    assert os.listdir(path.parent) == ["file"]


def test_a_file_system_without_unnamed_files_will_do(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_WRONLY)
    atomic_write(str(path), "new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file"]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key for backups is made once, is its owner's alone, and is never among the backups."""

from __future__ import annotations

import concurrent.futures
import errno
import multiprocessing
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import backup_key
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    check_given_key,
    check_key,
    known_key,
    signing_key,
)

BACKUPS = "/srv/backups"


@pytest.fixture(name="key_file", autouse=True)
def _key_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home/anyscale_backup.key"


def test_it_is_made_once_for_its_owner(key_file: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        key = signing_key(None, BACKUPS)
    finally:
        os.umask(before)
    assert len(key) == 64
    assert (key_file.read_bytes().strip(), signing_key(None, BACKUPS)) == (key, key)
    assert known_key(None) == key
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (key_file, key_file.parent)]
    assert modes == [0o600, 0o700]


def _key_of_a_process(_number: int) -> bytes:
    return signing_key(None, BACKUPS)


def test_processes_that_start_together_make_one_key() -> None:
    with concurrent.futures.ProcessPoolExecutor(
        8, mp_context=multiprocessing.get_context("fork")
    ) as processes:
        assert len(set(processes.map(_key_of_a_process, range(32)))) == 1


def test_neither_a_check_nor_a_rollback_makes_one(key_file: pathlib.Path) -> None:
    check_key(None, BACKUPS)
    assert known_key(None) is None
    assert not key_file.parent.exists()


def test_the_key_of_the_operator_needs_no_file(key_file: pathlib.Path) -> None:
    given = "the key of the operator"
    assert signing_key(given, str(key_file.parent)) == known_key(given) == given.encode()
    check_key(given, str(key_file.parent))
    assert not key_file.parent.exists()


@pytest.mark.parametrize("given", ["", "x", "x" * 15])
def test_a_short_key_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="cloud_iam_backup_key"):
        check_given_key(given)


def test_a_key_is_never_among_the_backups(key_file: pathlib.Path) -> None:
    link = key_file.parents[1] / "link"
    link.symlink_to(key_file.parent)
    for backups in (key_file.parent, key_file.parents[1], link, pathlib.Path("/")):
        for use in (check_key, signing_key):
            with pytest.raises(InputError, match="key that they are signed with") as caught:
                use(None, str(backups))
            assert "backup_dir" in caught.value.remedy
    check_key(None, str(key_file.parent / "anyscale_backups"))


def _readable_by_others(path: pathlib.Path) -> None:
    path.write_text("x" * 64)
    path.chmod(0o640)


def _short(path: pathlib.Path) -> None:
    path.touch(mode=0o600)
    path.write_text("abc")


def _link(path: pathlib.Path) -> None:
    path.symlink_to("/dev/null")


UNUSABLE: dict[str, t.Callable[[pathlib.Path], None]] = {
    "readable by others": _readable_by_others,
    "short": _short,
    "a FIFO": os.mkfifo,
    "a link": _link,
    "a folder": pathlib.Path.mkdir,
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_is_no_key_is_refused(
    key_file: pathlib.Path, make: t.Callable[[pathlib.Path], None]
) -> None:
    key_file.parent.mkdir()
    make(key_file)
    for use in (
        lambda: check_key(None, BACKUPS),
        lambda: signing_key(None, BACKUPS),
        lambda: known_key(None),
    ):
        with pytest.raises(InputError, match=str(key_file)) as caught:
            use()
        assert "backup_key" in caught.value.remedy


def _empty_key(home: pathlib.Path) -> None:
    home.mkdir()
    home.joinpath("anyscale_backup.key").touch(mode=0o600)


UNWRITABLE: dict[str, tuple[t.Callable[[pathlib.Path], None], str]] = {
    "a file in the place of its directory": (pathlib.Path.touch, "nothing"),
    "a directory that cannot be written to": (pathlib.Path.mkdir, "home"),
    "a directory that cannot be made": (lambda _home: None, ""),
    "an empty file that cannot be written to": (_empty_key, "home/anyscale_backup.key"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_a_check_refuses_a_key_that_could_not_be_made(
    case: str, key_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, denied = UNWRITABLE[case]
    make(key_file.parent)
    place = str(key_file.parents[1] / denied)
    monkeypatch.setattr(os, "access", lambda path, _mode: os.fspath(path) != place)
    with pytest.raises(InputError, match=str(key_file)) as caught:
        check_key(None, BACKUPS)
    assert "backup_key" in caught.value.remedy


def test_a_key_that_its_owner_has_made_read_only_is_used(
    key_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not opened to be written, which only root could do."""
    key_file.parent.mkdir()
    key_file.write_text("x" * 64)
    key_file.chmod(0o400)
    real = backup_key.open_plain

    def as_another_user(path: str, flags: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(backup_key, "open_plain", as_another_user)
    check_key(None, BACKUPS)
    assert signing_key(None, BACKUPS) == b"x" * 64


def test_a_key_that_was_not_written_to_its_end_is_made_again(key_file: pathlib.Path) -> None:
    """A crash can leave the file empty."""
    key_file.parent.mkdir()
    key_file.touch(mode=0o600)
    assert known_key(None) is None
    assert signing_key(None, BACKUPS) == known_key(None)


def test_a_signature_is_that_of_rfc_2104() -> None:
    """Compared with: printf '{"a":"\\u00e4","b":1}' | openssl dgst -sha256 -hmac key."""
    assert backup_key.signature_of({"b": 1, "a": "ä"}, b"key") == (
        "94cb6b9afb41bbe25eceffbffec204f75fe6f52a703aab5cf7a7b90de27abdf2"
    )

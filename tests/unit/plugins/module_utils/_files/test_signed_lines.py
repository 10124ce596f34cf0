# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines are added whole, or not at all with an error, also where a write takes only a part of them."""

from __future__ import annotations

import os
import resource
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import signed_lines

KEY = b"k" * 32
NAME = "applied_plans"


def numbers(directory: Path) -> list[int]:
    """Which lines there are."""
    return [line["n"] for line in signed_lines.read(str(directory), NAME, KEY, lambda _line: True)]


@pytest.fixture
def full_disk(tmp_path: Path) -> t.Iterator[Path]:
    """A directory with a line, in whose file there is room for a part of another one."""
    signed_lines.append(str(tmp_path), NAME, [{"n": 1}], KEY)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / f"{NAME}.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, limits[1]))
    try:
        yield tmp_path
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_an_error_and_leaves_no_part_of_a_line(full_disk: Path) -> None:
    with pytest.raises(OSError, match="too large"):
        signed_lines.append(str(full_disk), NAME, [{"n": 2}], KEY)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits[1], limits[1]))
    assert (full_disk / f"{NAME}.jsonl").read_bytes().endswith(b"}\n")
    signed_lines.append(str(full_disk), NAME, [{"n": 3}], KEY)
    assert numbers(full_disk) == [1, 3]


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, text: write(handle, text[:7]))
    signed_lines.append(str(tmp_path), NAME, [{"n": 1}, {"n": 2}], KEY)
    assert numbers(tmp_path) == [1, 2]


def test_a_half_line_of_a_killed_process_spoils_none_after_it(tmp_path: Path) -> None:
    signed_lines.append(str(tmp_path), NAME, [{"n": 1}], KEY)
    with (tmp_path / f"{NAME}.jsonl").open("a") as file:
        file.write('{"n": 2, "signa')
    signed_lines.append(str(tmp_path), NAME, [{"n": 3}], KEY)
    assert numbers(tmp_path) == [1, 3]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan file is written for its owner alone, replaces nothing but a plan file, and is read only as what
it was written as.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file import store as subject
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.store import PlanStore
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    cloud_of,
)

pytestmark = pytest.mark.core

KEY = "a key of the tests, long enough"


def store(path: t.Any, key: str | None = KEY) -> PlanStore:
    return PlanStore(str(path), [cloud_of("a", "/tmp", backup_key=key)])


def write(path: Path, **states: str) -> None:
    outcomes = {name: {"state": state} for name, state in states.items()}
    store(path).write(outcomes, PlanRecorder())


def test_both_files_are_for_their_owner(tmp_path: Path) -> None:
    write(tmp_path / "plan.json", a="in_sync")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {"plan.json": 0o600, "plan.md": 0o600}
    assert store(tmp_path / "plan.json").read().clouds == {"a": "in_sync"}


def test_a_plan_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "plan", a="in_sync")
    write(tmp_path / "plan", b="in_sync")
    assert store(tmp_path / "plan").read().clouds == {"b": "in_sync"}
    assert (tmp_path / "plan.md").exists()


def _other(path: Path) -> None:
    path.write_text("other")


def _summary(path: Path) -> None:
    path.with_suffix(".md").write_text("# My notes")


def _link(path: Path) -> None:
    write(path.with_name("real.json"), a="in_sync")
    path.symlink_to("real.json")


NOT_REPLACED: dict[str, tuple[t.Callable[[Path], t.Any], str]] = {
    "another file": (_other, "which is another file"),
    "an empty file": (lambda path: path.touch(), "which is another file"),
    "notes beside it": (_summary, "would replace"),
    "a link": (_link, "it is a symbolic link"),
    "a pipe": (os.mkfifo, "it is not a plain file"),
    "a directory": (lambda path: path.mkdir(), "it is not a plain file"),
}


@pytest.mark.parametrize("name", NOT_REPLACED)
def test_nothing_else_is_replaced(name: str, tmp_path: Path) -> None:
    """Neither before the clouds are read nor when the plan is written."""
    path = tmp_path / "plan.json"
    spoil, why = NOT_REPLACED[name]
    spoil(path)
    for act in (store(path).check_writable, lambda: write(path, a="in_sync")):
        with pytest.raises(InputError, match=why):
            act()


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="onboard_plan_file"):
        store(tmp_path / "missing" / "plan.json").check_writable()
    assert list(tmp_path.iterdir()) == []


UNREADABLE: dict[str, tuple[t.Callable[[Path], t.Any], str]] = {
    "missing": (lambda path: None, "No such file"),
    "a link": (_link, "it is a symbolic link"),
    "a pipe": (os.mkfifo, "it is not a plain file"),
    "a directory": (lambda path: path.mkdir(), "it is not a plain file"),
    "not text": (lambda path: path.write_bytes(b"\xff"), "not UTF-8"),
    "huge": (lambda path: path.write_text("[" + " " * 99), "it has more than"),
    "another summary": (
        lambda path: (write(path, a="in_sync"), _summary(path)),
        "another plan may have been reviewed",
    ),
    "no summary": (
        lambda path: (write(path, a="in_sync"), path.with_suffix(".md").unlink()),
        "plan.md, the summary of .*, is missing",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_plan_is_an_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, why = UNREADABLE[name]
    spoil(tmp_path / "plan.json")
    if name == "huge":
        monkeypatch.setattr(subject, "_MOST_BYTES", 50)
    with pytest.raises(InputError, match=why):
        store(tmp_path / "plan.json").read()


def test_without_the_key_nothing_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plan.json", a="in_sync")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    with pytest.raises(InputError, match="no key"):
        store(tmp_path / "plan.json", key=None).read()


def test_clouds_with_different_keys_have_no_plan(tmp_path: Path) -> None:
    clouds = [cloud_of("a", tmp_path, backup_key=KEY), cloud_of("b", tmp_path)]
    with pytest.raises(InputError, match="cloud_iam_backup_key"):
        PlanStore(str(tmp_path / "plan.json"), clouds)


def test_what_cannot_be_recorded_is_not_applied(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    clouds = [cloud_of("a", tmp_path, backup_key=KEY)]
    PlanStore(path, clouds).write({"a": {"state": "in_sync"}}, PlanRecorder())
    (tmp_path / "backups").write_text("a file")
    with pytest.raises(InputError, match=r"cannot be recorded in .*backups") as caught:
        PlanStore(path, clouds).read()
    assert "cloud_iam_backup_dir" in caught.value.remedy

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of a run find what earlier ones wrote, nobody else does, and no name leads elsewhere."""

from __future__ import annotations

import pathlib
import re
import stat
import typing as t

import pytest
from ansible import constants as C
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import runs_folder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    new_token,
)

pytestmark = pytest.mark.core

TOKEN = "0f3a9c41"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


def test_what_was_written_is_read() -> None:
    """By another object, as in another task; the last of each name."""
    RunFolder(TOKEN).write("run", {})
    RunFolder(TOKEN).write("run", {"left_to_tasks": ["größe"]})
    RunFolder(TOKEN).write("other", 1)
    assert RunFolder(TOKEN).read("run") == {"left_to_tasks": ["größe"]}


def test_what_was_not_written_is_the_default() -> None:
    folder = RunFolder(TOKEN)
    assert (folder.read("run"), folder.read("run", {})) == (None, {})
    assert (folder.read_outcomes(), folder.read_outcome("a")) == ({}, None)


def test_reading_creates_nothing(tmp_path: pathlib.Path) -> None:
    RunFolder(TOKEN).read("run")
    RunFolder(TOKEN).read_outcomes()
    assert list(tmp_path.iterdir()) == []


def test_only_the_user_can_read_it(tmp_path: pathlib.Path) -> None:
    """Outcomes have the messages of errors."""
    RunFolder(TOKEN).write("run", {})
    RunFolder(TOKEN).write_outcomes({"a": {"msg": "Denied."}})
    [folder] = (tmp_path / "rayfleet.anyscale").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()]
    assert modes == [0o600, 0o600]


def test_runs_have_folders_of_their_own() -> None:
    """A playbook may be imported twice."""
    tokens = {new_token() for _run in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch("[0-9a-f]{8}", token) for token in tokens)
    one, other = list(tokens)[:2]
    RunFolder(one).write("run", 1)
    RunFolder(one).write_outcomes({"a": {}})
    assert RunFolder(other).read("run") is None
    assert RunFolder(other).read_outcomes() == {}


def test_a_run_without_clouds_has_no_outcomes() -> None:
    RunFolder(TOKEN).write_outcomes({})
    assert (RunFolder(TOKEN).read_outcomes(), RunFolder(TOKEN).read_outcome("a")) == ({}, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4) | st.text('ab" \\\n{', min_size=1, max_size=4),
        st.fixed_dictionaries({"state": st.text(max_size=3), "msg": st.text('ab" \\\n{}')}),
        max_size=5,
    ),
    st.text('ab" \\\n{', max_size=4),
)
def test_each_cloud_has_its_own_outcome(outcomes: dict[str, t.Any], other: str) -> None:
    """Whatever the names of the others, and the messages."""
    RunFolder(TOKEN).write_outcomes({"the first": {}})
    RunFolder(TOKEN).write_outcomes(outcomes)
    assert RunFolder(TOKEN).read_outcomes() == outcomes
    for name in {*outcomes, other, "the first"}:
        assert RunFolder(TOKEN).read_outcome(name) == outcomes.get(name)


def test_progress_is_looked_for_where_it_is_written() -> None:
    """By the callback, which knows no token."""
    assert pathlib.Path(RunFolder(TOKEN).create()).parent == pathlib.Path(runs_folder())


@pytest.mark.parametrize(
    "token",
    ["", "..", "0f3a9c4", "0f3a9c411", "0F3A9C41", "0f3a9c41\n", "../0f3a9c41", "0f3a/c41", "*"],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    """It would be part of a path."""
    with pytest.raises(InputError, match=re.escape(f"run is {token!r}")):
        RunFolder(token)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of healing outlives a run, belongs to its user alone, and is never half a file."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    StateFile,
    state_directory,
)

RULES = Rules()
NOTED = {"first": 0, "last": 1.5}
CLOUD = {
    "pending": {"role ray": NOTED},
    "in_flight": {"run": "1", "until": 9, "documents": {"role ray": NOTED}},
    "heals": {"role ray": [1, 2.5]},
    "retry": {"failures": 1, "at": 9.5},
}
ONBOARDED = {"at": 1.5, "settings": "0a"}


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """Where the state is to be; it does not exist yet."""
    return str(tmp_path / "new" / "healing")


def state_of(directory: str) -> Path:
    """The file."""
    return Path(directory) / "healing.json"


def test_a_state_is_there_for_the_next_run(directory: str) -> None:
    with StateFile(directory, RULES).update() as healing:
        healing.note("a", "role ray", 0)
    with StateFile(directory, RULES).update() as healing:
        assert healing.claim("1", 100).clouds == {"a": ["role ray"]}
    assert state_of(directory).stat().st_mode & 0o777 == 0o600
    assert Path(directory).stat().st_mode & 0o777 == 0o700


def test_who_only_reads_makes_no_state(directory: str) -> None:
    StateFile(directory, RULES).read().note("a", "role ray", 0)
    assert not Path(directory).exists()
    with StateFile(directory, RULES).update():
        pass
    before = state_of(directory).read_text()
    StateFile(directory, RULES).read().note("a", "role ray", 0)
    assert state_of(directory).read_text() == before


def test_a_path_through_a_file_is_not_one_without_a_state(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be used: Not a directory"):
        StateFile(str(tmp_path / "file/healing"), RULES).read()


def test_each_write_makes_another_version(directory: str) -> None:
    state, versions = StateFile(directory, RULES), [StateFile(directory, RULES).version()]
    for _time in range(3):
        with state.update():
            pass
        versions.append(state.version())
        state.read()
        assert state.version() == versions[-1]
    assert versions[0] == ()
    assert len(set(versions)) == 4


def test_runs_write_one_after_the_other(directory: str) -> None:
    def note(number: int) -> None:
        with StateFile(directory, RULES).update() as healing:
            healing.note(f"cloud {number}", "role ray", 0)

    threads = [threading.Thread(target=note, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(state_of(directory).read_text())["clouds"]) == 8


def test_every_part_of_a_state_is_read_again(directory: str) -> None:
    os.makedirs(directory, mode=0o700)
    parts = {"clouds": {"a": CLOUD}, "onboarded": {"a": ONBOARDED}, "forgotten": {"b": 1.5}}
    written = {"schema_version": 5, **parts}
    state_of(directory).write_text(json.dumps(written))
    assert StateFile(directory, RULES).read().state == written


def of_state(**parts: object) -> str:
    """A state of which parts are replaced."""
    state = {"schema_version": 5, "clouds": {}, "onboarded": {}, "forgotten": {}, **parts}
    return json.dumps(state)


def of_cloud(**parts: object) -> str:
    """A state with one cloud, a part of which is replaced."""
    return of_state(clouds={"a": {**CLOUD, **parts}})


def of_onboarded(noted: object) -> str:
    """A state with one cloud that was onboarded, as it is noted."""
    return of_state(onboarded={"a": noted})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        of_state(schema_version=4),
        json.dumps({"schema_version": 5, "clouds": {}}),
        of_state(onboarded=["a"]),
        of_state(forgotten=["a"]),
        of_state(forgotten={"a": None}),
        of_onboarded(1.5),
        of_onboarded({"at": True, "settings": "0a"}),
        of_onboarded({"at": 1.5, "settings": None}),
        of_onboarded({"at": 1.5}),
        of_onboarded({**ONBOARDED, "more": 1}),
        of_state(clouds=[]),
        of_state(clouds={"a": {}}),
        of_cloud(pending=[]),
        of_cloud(pending={"role ray": {"first": 0}}),
        of_cloud(pending={"role ray": {"first": "0", "last": 1}}),
        of_cloud(in_flight={"run": 1, "until": 9, "documents": {}}),
        of_cloud(in_flight={"run": "1", "until": True, "documents": {}}),
        of_cloud(heals={"role ray": 1}),
        of_cloud(heals={"role ray": [None]}),
        of_cloud(retry={"failures": 1}),
        of_cloud(retry={"failures": 1, "at": "9"}),
        of_cloud(retry={"failures": -1, "at": 9}),
        of_cloud(retry={"failures": 1.5, "at": 9}),
    ],
)
def test_another_file_is_refused_and_left_alone(directory: str, text: str) -> None:
    os.makedirs(directory, mode=0o700)
    state_of(directory).write_text(text)
    with (
        pytest.raises(InputError, match=r"healing\.json cannot be used"),
        StateFile(directory, RULES).update(),
    ):
        pytest.fail("It was read.")
    assert state_of(directory).read_text() == text


def test_a_file_that_others_can_write_to_is_refused(directory: str) -> None:
    with StateFile(directory, RULES).update():
        pass
    state_of(directory).chmod(0o620)
    with (
        pytest.raises(InputError, match="other users can write to it"),
        StateFile(directory, RULES).update(),
    ):
        pytest.fail("It was read.")


def test_a_link_is_refused(directory: str, tmp_path: Path) -> None:
    os.makedirs(directory, mode=0o700)
    state_of(directory).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="symbolic link"), StateFile(directory, RULES).update():
        pytest.fail("It was read.")


def test_a_directory_does_not_depend_on_where_ansible_runs() -> None:
    with pytest.raises(InputError, match="not an absolute path"):
        state_directory("healing")
    assert state_directory("~/x") == os.path.expanduser("~/x")

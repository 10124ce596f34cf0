# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of heal asks whether it still has a cloud, and says why it writes nothing for one that it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.held import Held
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud

CLOUDS = [Cloud(name, CloudSettings("123456789012")) for name in ("a", "b")]


def test_a_cloud_that_is_forgotten_meanwhile_is_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is read again only once it was written."""
    state, reads = StateFile(str(tmp_path / "healing"), Rules(quiet=0)), []
    read = StateFile.read

    def noting(one: StateFile) -> Healing:
        reads.append(one)
        return read(one)

    monkeypatch.setattr(StateFile, "read", noting)
    with state.update() as healing:
        for cloud in CLOUDS:
            healing.note(cloud.name, "role ray", 0)
        healing.claim("1", 10)
    held = Held("1", state)
    assert [held.withheld(CLOUDS) for _time in range(5)] == [{}] * 5
    assert len(reads) == 1
    with state.update() as healing:
        healing.forget(["a"], 20)
    [(cloud, error)] = held.withheld(CLOUDS).items()
    assert (cloud.name, error.failure()["msg"]) == (
        "a",
        "This cloud was offboarded or rolled back after this run of heal had taken it, so that the run "
        "writes nothing more for it. To have events heal it again, onboard it.",
    )
    [of_another, *_others] = Held("2", state).withheld(CLOUDS[1:]).values()
    assert "another run of heal has taken it" in of_another.message

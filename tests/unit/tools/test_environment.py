# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clean environment of the tools, which sessions that run side by side make at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools import environment


def test_two_sessions_may_make_the_home_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see that the link to pip's settings is missing, and one is faster."""
    (tmp_path / "user/.config/pip").mkdir(parents=True)
    monkeypatch.setattr(environment, "HOME", tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    environment._make_home()
    link = tmp_path / "home/.config/pip"
    assert link.resolve() == tmp_path / "user/.config/pip"
    monkeypatch.setattr(Path, "exists", lambda path: path != link)
    environment._make_home()
    assert link.resolve() == tmp_path / "user/.config/pip"

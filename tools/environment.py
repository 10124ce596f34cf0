# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths in the clone, and the clean environment that every tool runs in.

Nothing of the caller changes a result. On the command line: run the command that follows in this
environment.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
HOME = CACHE / "home"

KEPT = ("CI", "LOGNAME", "TERM", "TMPDIR", "USER")


def clean_environment(venv: Path = VENV) -> dict[str, str]:
    """The few variables that tools need, with the programs of ``venv`` first on PATH.

    Credentials, profiles and tool settings of the caller stay outside: those in variables because
    only a few are kept, those in files because HOME is a folder of the clone.
    """
    _make_home()
    return {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(HOME),
        "ANSIBLE_HOME": str(CACHE / "ansible"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
        # Collections in site-packages are not part of the clone's git
        "GIT_CEILING_DIRECTORIES": str(venv),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "160",
        "NO_COLOR": "1",
    }


def _make_home() -> None:
    """HOME with nothing of the user's but pip's settings: ansible-test installs packages from the
    index that they name.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    settings, link = Path.home() / ".config/pip", HOME / ".config/pip"
    if settings.is_dir() and not link.exists() and settings != link:
        link.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another session made it at the same time
            link.symlink_to(settings)


if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], clean_environment())

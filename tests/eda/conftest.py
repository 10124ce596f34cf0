# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of rulebooks share: ansible-rulebook and the collections of the package ``ansible``,
in an environment of their own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

VENV = CACHE / "nox/eda"


@pytest.fixture(scope="session")
def eda() -> Path:
    """The environment with ansible-rulebook; Ansible finds this collection in it."""
    if not (VENV / "bin/ansible-rulebook").exists():
        pytest.skip("ansible-rulebook is not here; make eda installs it")
    return VENV


def run_python(eda: Path, code: str, *arguments: str) -> str:
    """What a program prints that ansible-rulebook's own Python runs."""
    command = [str(eda / "bin/python"), "-I", "-c", code, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout

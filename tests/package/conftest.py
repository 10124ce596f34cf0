# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the package share: the tarball, and where it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools.release import build_tarball, commit_time


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's tarball, freshly built."""
    return build_tarball(tmp_path_factory.mktemp("dist"), commit_time())


@pytest.fixture(scope="session")
def collections(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds nothing but what is in the tarball."""
    folder = tmp_path_factory.mktemp("collections")
    options = ("--offline", "--force", "--no-deps", "-p", str(folder))
    subprocess.run(["ansible-galaxy", "collection", "install", *options, str(tarball)], check=True)
    return folder

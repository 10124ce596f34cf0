# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test sanity on a real copy of the collection: the content of the tarball, so what is
shipped is what is checked.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.tools.package import build_tarball
from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, HOME, clean_environment

COPY = CACHE / "sanity" / "ansible_collections" / "rayfleet" / "anyscale"
BOOTSTRAP_SCRIPTS = (
    "get_pip_24_2.py",
    "get_pip_25_2.py",
)  # as ansible-core 2.19 and 2.21 name them

NOTHING_TESTED = (
    "All targets skipped",
    "Required program",
)  # ansible-test says so and exits with 0


def sanity(part: Part) -> None:
    """Every sanity test, without ignore files. A run that looked at nothing is a failure too."""
    tarball = build_tarball(part)
    if not tarball:
        return
    _unpack(tarball)
    ignores = [path.name for path in (COPY / "tests" / "sanity").glob("ignore-*.txt")]
    if ignores:
        part.fail(f"tests/sanity has ignore files: {', '.join(ignores)}")
    _provide_pip()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ("ansible-test", "sanity", "--python", version, "--color", "no")
    if part.run(*command, cwd=COPY, closing=0, never_say=NOTHING_TESTED):
        part.say(f"{part.output.count('Running sanity test')} sanity tests passed")
    else:  # the end of the output says which tests failed, not why
        part.say(*(line for line in part.output.splitlines() if line.startswith("ERROR:")))


def _unpack(tarball: Path) -> None:
    """Make the copy, a git work tree of its own: else ansible-test asks the clone's git, which
    ignores all of .cache.
    """
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(
            COPY
        )  # our own tarball; the filters came with Python 3.11.4, Debian 12 has 3.11.2
    subprocess.run(["git", "init", "--quiet"], cwd=COPY, env=clean_environment(), check=True)


def _provide_pip() -> None:
    """Put pip and the stand-in for its bootstrap script where ansible-test looks before it
    downloads one.
    """
    cache = HOME / ".ansible" / "test" / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    pip = importlib.util.find_spec("pip")
    assert pip and pip.origin, "pip is a pinned requirement of the tests"
    shutil.copytree(
        Path(pip.origin).parent, cache / "pip", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in BOOTSTRAP_SCRIPTS:
        shutil.copy(Path(__file__).with_name("get_pip.py"), cache / name)

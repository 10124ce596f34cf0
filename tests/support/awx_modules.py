# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The released modules of awx.awx, for the tests of the playbook awx: out of the last package
`ansible` that holds them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

MODULES = CACHE / "awx"
_PINS = ROOT / "tests/requirements/awx.txt"
_STAMP = MODULES / "made-from"
_INSIDE = "ansible_collections/awx/"


def fetch_modules(part: Part) -> bool:
    """Have them in ``MODULES``, with the caller's settings of pip. Only they are unpacked: the
    package is 400 MB.
    """
    if _STAMP.exists() and _STAMP.read_text() == _PINS.read_text():
        return True
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            folder,
            "--requirement",
            str(_PINS),
        ]
        done = subprocess.run(
            command,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            part.say(*done.stderr.splitlines())
            part.skip("the package with the modules of awx.awx could not be downloaded")
            return False
        shutil.rmtree(MODULES, ignore_errors=True)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(
                MODULES, [name for name in archive.namelist() if name.startswith(_INSIDE)]
            )
    _STAMP.write_text(_PINS.read_text())
    return True

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for the script with which ansible-test bootstraps pip: uses the wheel of pip that the
package virtualenv holds, so that nothing is downloaded.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

UNKNOWN_TO_PIP = ("--no-setuptools", "--no-wheel")
VENV = Path(__file__).resolve().parents[1] / ".venv"

wheels = sorted(VENV.glob("lib/python*/site-packages/virtualenv/seed/wheels/embed/pip-*.whl"))
sys.path.insert(0, str(wheels[-1]))
sys.argv = ["pip", "install", *(arg for arg in sys.argv[1:] if arg not in UNKNOWN_TO_PIP)]
runpy.run_module("pip", run_name="__main__", alter_sys=True)

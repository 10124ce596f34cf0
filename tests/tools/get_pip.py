# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for the script with which ansible-test bootstraps pip: uses the copy of pip beside it,
so nothing is downloaded.
"""

from __future__ import annotations

import runpy
import sys

UNKNOWN_TO_PIP = ("--no-setuptools", "--no-wheel")

sys.argv = [
    "pip",
    "install",
    *(argument for argument in sys.argv[1:] if argument not in UNKNOWN_TO_PIP),
]
runpy.run_module("pip", run_name="__main__", alter_sys=True)

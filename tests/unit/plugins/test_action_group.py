# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action group holds the modules that take the options of the connection to AWS, and no other,
which would refuse them.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_who_is_in_the_group(module: str) -> None:
    """As the module's documentation says, too, by the fragment that these options come from."""
    code = importlib.import_module(
        f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
    )
    fragments = yaml.safe_load(code.DOCUMENTATION).get("extends_documentation_fragment", [])
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["all"]
    assert (module in group) == ("rayfleet.anyscale._aws" in fragments)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action group holds the modules that take its options, and no other, which would refuse them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))


FRAGMENTS = {"all": "rayfleet.anyscale._aws", "backup": "rayfleet.anyscale._backup"}


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("module", MODULES)
def test_who_is_in_the_group(module: str, name: str) -> None:
    """As the module's documentation says, too, by the fragment that these options come from."""
    code = importlib.import_module(
        f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
    )
    fragments = yaml.safe_load(code.DOCUMENTATION).get("extends_documentation_fragment", [])
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"][name]
    assert (module in group) == (FRAGMENTS[name] in fragments)

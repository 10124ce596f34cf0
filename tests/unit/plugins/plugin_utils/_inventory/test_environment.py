# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory is not read in an environment that the playbooks could not run in."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.environment import (
    OLDEST_CORE,
    refuse_environment,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

pytestmark = pytest.mark.core

IN_AWX = {"INVENTORY_UPDATE_ID": "17"}
IMAGE = "Set awx_setup_execution_environment_image"
REFUSED: dict[str, tuple[str, dict[str, str], bool, tuple[str, ...]]] = {
    "an old core": ("2.15.12", {}, True, ("This environment has ansible-core 2.15.12", "Install")),
    "an old core in AWX": ("2.18.9", IN_AWX, True, ("The execution environment has", IMAGE)),
    "no boto3 in AWX": ("2.21.5", IN_AWX, False, ("The execution environment has no boto3", IMAGE)),
}
ACCEPTED: dict[str, tuple[str, dict[str, str], bool]] = {
    "the oldest core": ("2.19.0", {}, True),
    "a newer one in AWX": ("2.21.5rc1", IN_AWX, True),
    "the next major version": ("3.0.0.dev0", IN_AWX, True),
    "no boto3 where the inventory is only read": ("2.21.5", {}, False),
}


@pytest.mark.parametrize(("core", "variables", "boto3", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(
    core: str, variables: dict[str, str], boto3: bool, words: tuple[str, ...]
) -> None:
    with pytest.raises(AnsibleError) as error:
        refuse_environment(core, variables, lambda: boto3)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(("core", "variables", "boto3"), ACCEPTED.values(), ids=ACCEPTED)
def test_it_is_accepted(core: str, variables: dict[str, str], boto3: bool) -> None:
    refuse_environment(core, variables, lambda: boto3)


def test_the_oldest_core_is_that_of_the_collection() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    found = re.fullmatch(r">=(\d+)\.(\d+)\.0", runtime["requires_ansible"])
    assert found
    assert (int(found[1]), int(found[2])) == OLDEST_CORE

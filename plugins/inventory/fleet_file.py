# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin that fleet files name, so that Ansible takes none of them for an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_file
short_description: Fleet files in an inventory directory
version_added: 0.8.0
author:
  - Rayfleet contributors (@rayfleet)
description:
  - Creates no hosts. A fleet file has the settings that
    P(rayfleet.anyscale.anyscale_clouds#inventory) reads with its option
    C(fleet_file).
  - Where the inventory is a directory (C(-i inventory/)), Ansible reads each file in it as an
    inventory, and would take the sections of a fleet file for groups, and warn. The line
    C(plugin) at the top of the fleet file leads Ansible to this plugin instead.
  - The file is checked, so that an error in it is reported also where no inventory reads it.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [rayfleet.anyscale.fleet_file]
notes:
  - Where C(enable_plugins) is set in C(ansible.cfg), it must contain V(auto), as it does by
    default, or V(rayfleet.anyscale.fleet_file).
"""

EXAMPLES = r"""
# inventory/fleet_file.yml, beside inventory/fleet.anyscale_clouds.yml, which names it
plugin: rayfleet.anyscale.fleet_file
defaults:
  compute_config: default-with-role
  assume_role_arn: arn:aws:iam::{account_id}:role/anyscale-onboarding

---
# The rules of the Cloud IAM mapping of many clouds at once: jobs and services run with one role of the
# cloud's account, workspaces with another one, and no other cluster starts.
plugin: rayfleet.anyscale.fleet_file
allow:
  accounts: ["123456789012", "210987654321"]
  unlisted: include
defaults:
  assume_role_arn: arn:aws:iam::{account_id}:role/anyscale-onboarding
  variables:
    cloud_iam_assign: iam_mapping
    cloud_iam_mapping_state: replaced
    cloud_iam_mapping_fallback_rule: FAIL
    cloud_iam_mapping_rules:
      - selector: workload-type in (job, service)
        role: ray-jobs
      - selector: workload-type=workspace
        role: "{cloud_id}-workspaces" # not {cloud}: members of the organization choose it
clouds:
  cld_4fxb3wsbdcq2n1p9: # has its own rules instead of all of those above
    variables:
      cloud_iam_mapping_rules:
        - selector: project=speech
          role: ray-speech
  cld_2kq8m5rtyxw3v7zb: # keeps rules of other writers, and goes before one of them
    variables:
      cloud_iam_mapping_state: merged
      cloud_iam_mapping_position:
        at: before
        selector: workload-type=job
"""

import re

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_text
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    PLUGIN,
    parse_fleet_file,
)

_MOST_CHARACTERS = 1024 * 1024
_ENCRYPTED = "$ANSIBLE_VAULT;"
_NAMED = re.compile(rf"^plugin:\s*[\"']?{re.escape(PLUGIN)}\b", re.MULTILINE)


class InventoryModule(BaseInventoryPlugin):
    """No hosts."""

    NAME = PLUGIN

    def verify_file(self, path: str) -> bool:
        """Whether a file is a fleet file, by the plugin that it names."""
        return super().verify_file(path) and path.endswith((".yml", ".yaml")) and _may_name_it(path)

    def parse(
        self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True
    ) -> None:
        """Check the file."""
        super().parse(inventory, loader, path, cache)
        document = loader.load_from_file(path, cache="none")
        if not isinstance(document, dict) or document.get("plugin") != PLUGIN:
            raise AnsibleParserError(f"{path} is not a fleet file.")  # another plugin may read it
        try:
            parse_fleet_file(document)
        except InputError as error:
            error.message = f"In the fleet file {path}, {error.message}"
            raise AnsibleParserError(error.failure()["msg"]) from None


def _may_name_it(path: str) -> bool:
    """Whether a file names this plugin, or is encrypted, so that it cannot be told yet."""
    try:
        with open_text(path) as file:
            text = file.read(_MOST_CHARACTERS)
    except (OSError, ValueError):
        return False
    return text.startswith(_ENCRYPTED) or bool(_NAMED.search(text))

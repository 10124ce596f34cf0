# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by the modules and plugins that talk to Anyscale: how they connect."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection to the Anyscale control plane."""

    DOCUMENTATION = r"""
options:
  anyscale_host:
    description:
      - The address of the Anyscale control plane.
      - Without it, the environment variable E(ANYSCALE_HOST), then V(https://console.anyscale.com).
      - Plain http is refused unless the address is a loopback one, since the token would travel
        unencrypted. See O(anyscale_allow_http).
    type: str
  anyscale_token:
    description:
      - The token for the Anyscale API.
      - Without it, the environment variable E(ANYSCALE_CLI_TOKEN), then
        C(~/.anyscale/credentials.json) as C(anyscale login) writes it.
    type: str
  anyscale_allow_http:
    description:
      - Whether the token may be sent unencrypted to an O(anyscale_host) that is not this machine,
        such as one behind a proxy that encrypts.
    type: bool
    default: false
    version_added: 0.4.0
"""

    # For plugins, beside the above: Ansible itself reads these, so that "ansible-doc" can tell
    # where a value comes from.
    PLUGINS = r"""
options:
  anyscale_host:
    env:
      - name: ANYSCALE_HOST
  anyscale_token:
    env:
      - name: ANYSCALE_CLI_TOKEN
"""

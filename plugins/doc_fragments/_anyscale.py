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
      - The URL of the Anyscale control plane.
      - If not set, the environment variable E(ANYSCALE_HOST) is used, then
        V(https://console.anyscale.com).
      - An V(http://) URL is refused unless its host is a loopback address, because the token would
        be sent unencrypted. See O(anyscale_allow_http).
    type: str
  anyscale_token:
    description:
      - The token for the Anyscale API.
      - If not set, the environment variable E(ANYSCALE_CLI_TOKEN) is used, then the file
        C(~/.anyscale/credentials.json), which C(anyscale login) writes.
    type: str
  anyscale_allow_http:
    description:
      - Whether the token may be sent over V(http://) to an O(anyscale_host) other than a loopback
        address, for example to a proxy that encrypts the rest of the way.
    type: bool
    default: false
    version_added: 0.4.0
"""

    # In addition to the above, for plugins: Ansible itself reads these variables, so "ansible-doc"
    # documents them.
    PLUGINS = r"""
options:
  anyscale_host:
    env:
      - name: ANYSCALE_HOST
  anyscale_token:
    env:
      - name: ANYSCALE_CLI_TOKEN
"""

#!/usr/bin/env python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's fleet as an inventory script: one host per cloud."""

from __future__ import annotations

import json
import os
import urllib.request

with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/sandbox/inventory") as answer:
    groups = json.load(answer)["all"]["children"]

hostvars = {
    host: variables for group in groups.values() for host, variables in group["hosts"].items()
}
script = {
    name: {"hosts": list(group["hosts"]), "vars": group["vars"]} for name, group in groups.items()
}
print(json.dumps({**script, "_meta": {"hostvars": hostvars}}))

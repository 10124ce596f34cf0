# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Ansible keeps a user's files: ``ANSIBLE_HOME``, by default ``~/.ansible``.

This module util is private to the collection.
"""

from __future__ import annotations

import os

ENVIRONMENT = "ANSIBLE_HOME"


def ansible_home() -> str:
    """The directory. Actions put a setting of ``ansible.cfg`` into the environment."""
    return os.path.abspath(os.path.expanduser(os.environ.get(ENVIRONMENT) or "~/.ansible"))

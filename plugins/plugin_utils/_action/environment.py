# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment variables of a task, in this process.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.home import ENVIRONMENT


@contextlib.contextmanager
def with_environment(variables: t.Mapping[str, str]) -> t.Iterator[None]:
    """Set environment variables for a while. The items of a loop share this process."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def configured_home() -> dict[str, str]:
    """``ANSIBLE_HOME`` if ``ansible.cfg`` sets it: only Ansible itself reads that, modules do not."""
    home, origin = C.config.get_config_value_and_origin(ENVIRONMENT)
    is_known_to_modules = origin == "default" or str(origin).startswith("env:")
    return {} if is_known_to_modules else {ENVIRONMENT: str(home)}

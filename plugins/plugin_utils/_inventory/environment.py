# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the collection can work in the environment that reads the inventory.

This plugin util is private to the collection. It is imported before all others, which an older
Ansible or Python cannot import. AWX reads the inventory in the execution environment of the jobs,
and before each of them: what is wrong with the image is said there.
"""

from __future__ import annotations

import importlib.util
import os
import typing as t

from ansible.errors import AnsibleError
from ansible.release import __version__

OLDEST_CORE = (2, 19)
# AWX sets it where it reads an inventory source.
_IN_AWX = "INVENTORY_UPDATE_ID"
_ANOTHER_IMAGE = (
    "Set awx_setup_execution_environment_image to an image that has both, such as that of the "
    "collection's directory execution-environment, and run the playbook rayfleet.anyscale.awx again."
)


def is_of_awx(environment: t.Mapping[str, str] | None = None) -> bool:
    """Whether AWX reads an inventory source."""
    return _IN_AWX in (os.environ if environment is None else environment)


def refuse_environment(
    core_version: str = __version__,
    environment: t.Mapping[str, str] | None = None,
    has_boto3: t.Callable[[], bool] = lambda: importlib.util.find_spec("boto3") is not None,
) -> None:
    """Raise for an ansible-core that is too old, and in AWX also for an image without boto3, which
    each job with this inventory needs.
    """
    in_awx = is_of_awx(environment)
    oldest = ".".join(map(str, OLDEST_CORE))
    if tuple(int(part) for part in core_version.split(".")[:2]) < OLDEST_CORE:
        has, fix = f"ansible-core {core_version}", f"Install ansible-core {oldest} or newer."
    elif in_awx and not has_boto3():
        has, fix = "no boto3", ""
    else:
        return
    where = "The execution environment" if in_awx else "This environment"
    raise AnsibleError(
        f"{where} has {has}. The collection rayfleet.anyscale needs ansible-core {oldest} or newer, "
        f"and boto3. {_ANOTHER_IMAGE if in_awx else fix}"
    )

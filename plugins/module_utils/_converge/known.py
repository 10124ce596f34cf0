# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tasks of a run know beyond their own resource: what is registered for clouds, and which
roles are not for clusters.

This module util is private to the collection. Its threads share it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
)

Params = t.Mapping[str, t.Any]


def _read(params: Params, cloud_id: str) -> Registration:
    return read_registration(anyscale_client(params), cloud_id)


class Known:
    """What is known so far.

    own_roles: the ARNs of roles that the run assumes, for any cloud. control_planes: the ARNs of
    roles that Anyscale assumes, of clouds that the operator vouches for. administrators: why a
    role is like an administrator, empty if it is not, by ARN.
    """

    def __init__(self, read: t.Callable[[Params, str], Registration] = _read) -> None:
        """``read``: how to find out what is registered for a cloud."""
        self._read = read
        self.own_roles: set[str] = set()
        self.control_planes: set[str] = set()
        self.administrators: dict[str, str] = {}

    def registration(self, params: Params, cloud_id: str) -> Registration:
        """What is registered for a cloud, at the control plane that the parameters lead to.

        It says nothing about other clouds: any member of an organization could register the role of
        another cloud's clusters as a control-plane role, to have that cloud refused.
        """
        return self._read(params, cloud_id)

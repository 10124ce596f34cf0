# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task has the ``ANSIBLE_HOME`` that Ansible itself has, and leaves the environment as it was."""

from __future__ import annotations

import os

import pytest
from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.environment import (
    configured_home,
    with_environment,
)

ORIGINS = {
    "ansible.cfg": ("/etc/ansible/ansible.cfg", {"ANSIBLE_HOME": "/srv/ansible"}),
    "the environment, which modules read": ("env: ANSIBLE_HOME", {}),
    "the default, which modules know": ("default", {}),
}


@pytest.mark.parametrize(("origin", "added"), ORIGINS.values(), ids=ORIGINS)
def test_a_home_that_ansible_alone_knows_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, origin: str, added: dict[str, str]
) -> None:
    monkeypatch.setattr(
        C.config, "get_config_value_and_origin", lambda _name: ("/srv/ansible", origin)
    )
    assert configured_home() == added


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.delenv("ADDED", raising=False)
    with with_environment({"KEPT": "2", "ADDED": "3"}):
        assert (os.environ["KEPT"], os.environ["ADDED"]) == ("2", "3")
    assert (os.environ["KEPT"], "ADDED" in os.environ) == ("1", False)

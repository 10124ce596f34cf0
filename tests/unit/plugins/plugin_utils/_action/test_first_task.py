# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first task of a playbook validates the variables of that playbook, and of no other."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import validated

pytestmark = pytest.mark.core


@pytest.mark.parametrize("playbook", ["onbord", "", None])
def test_an_unknown_playbook_is_refused(playbook: t.Any) -> None:
    """Its variables would not be validated."""
    with pytest.raises(AnsibleError, match="Give one of audit, explain, onboard"):
        validated(t.cast(t.Any, None), playbook, {})

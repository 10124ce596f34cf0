# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's validation has to say is what a module would say, and none of it is lost."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.arguments import Validated

pytestmark = pytest.mark.core

OF_US = {"version": "9.0.0", "collection_name": "rayfleet.anyscale"}


class Aged(TrustPolicyModule):
    """A module with an option and an alias that are going to be removed."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **TrustPolicyModule.options,
        "old": {
            "type": "str",
            "removed_in_version": "9.0.0",
            "removed_from_collection": "rayfleet.anyscale",
        },
        "role": {
            **TrustPolicyModule.options["role"],
            "deprecated_aliases": [{"name": "role_name", **OF_US}],
        },
    }


def test_deprecations_are_reported() -> None:
    """As a module in its own interpreter reports them."""
    found = Validated(Aged, "iam_trust_ec2", {"role_name": "ray", "old": "x"})
    assert found.complaint is None
    assert [(one["version"], one["collection_name"]) for one in found.deprecations] == [
        ("9.0.0", "rayfleet.anyscale")
    ] * 2
    assert ["role_name" in one["msg"] for one in found.deprecations] == [True, False]


def test_nothing_is_reported_where_nothing_is_deprecated() -> None:
    """The usual case."""
    found = Validated(Aged, "iam_trust_ec2", {"role": "ray"})
    assert (found.deprecations, found.warnings) == ([], [])


WRONG: dict[str, dict[str, t.Any]] = {
    "an option is unknown": {"role": "r", "rolle": "r"},
    "options exclude one another": {"role": "r", "profile": "p", "access_key": "AKIA0"},
    "one of two options is required": {},
    "a value is no choice": {"role": "r", "state": "gone"},
    "a value has the wrong type": {"role": "r", "quota_chars": "many"},
    "a key without its secret": {"role": "r", "access_key": "AKIA0"},
}


@pytest.mark.parametrize("case", WRONG)
def test_the_complaint_is_that_of_a_module(capsys: pytest.CaptureFixture[str], case: str) -> None:
    """To the letter: the message does not depend on where the task ran."""
    name = {"_ansible_module_name": "iam_trust_ec2"}
    with patch_module_args({**WRONG[case], **name}), pytest.raises(SystemExit):
        AnsibleModule(supports_check_mode=True, **module_arguments(TrustPolicyModule))
    printed = json.loads(capsys.readouterr().out)["msg"]
    assert Validated(TrustPolicyModule, "iam_trust_ec2", WRONG[case]).complaint == printed

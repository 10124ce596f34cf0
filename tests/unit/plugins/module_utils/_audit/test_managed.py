# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A check's command fixes it: where the cloud's variables keep onboarding from that, there is none."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.managed import (
    BY_DEFAULT,
    PARTS,
    as_managed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    command_of,
    onboard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

ONBOARD = "ansible-playbook rayfleet.anyscale.onboard --limit <cloud>"
DOCUMENT = '{\n  "Effect": "Allow"\n}'


def managed(check: str, parts: t.Collection[str], **outcome: t.Any) -> dict[str, t.Any]:
    """The outcome of a check that fails, where these parts are managed."""
    remedy = outcome.pop("remedy", onboard("module"))
    failed = {"id": check, "status": "fail", "reason": "It fails.", "remedy": remedy}
    return as_managed(
        [{**failed, "evidence": {}, "command": command_of(remedy), **outcome}], parts
    )[0]


@pytest.mark.parametrize(
    ("check", "parts"),
    [
        ("trust_ec2", {"trust"}),
        ("trust_anyscale_verify", {"trust"}),
        ("bucket_access", {"bucket"}),
        ("bucket_dangling_principals", {"bucket"}),
        ("compute_config_override", {"compute_config"}),
        ("compute_config_arn_kind", {"compute_config"}),
        ("instance_profile_exists", {"compute_config", "iam_mapping", "cloud_role"}),
        ("instance_profile_role", {"compute_config", "iam_mapping", "cloud_role"}),
        ("effective_profile", {"compute_config", "iam_mapping", "cloud_role"}),
    ],
)
def test_the_command_is_for_what_is_managed(check: str, parts: set[str]) -> None:
    for part in PARTS:
        found = managed(check, [part])
        assert found["command"] == (ONBOARD if part in parts else "")
        assert found["remedy"].startswith("Run '") is (part in parts)
    without = managed(check, [])["remedy"]
    assert without.startswith("Onboarding leaves this as it is, by cloud_iam_manage_")
    assert without.endswith(onboard("module"))


def test_every_check_that_a_module_fixes_is_of_a_part() -> None:
    """Else its command would be given whatever the variables say."""
    for check in CHECKS:
        if check.module:
            assert managed(check.id, [])["command"] == ""


def test_what_no_command_fixes_stays_as_it_is() -> None:
    assert managed("bucket_deny", [], remedy="Exclude the role.")["remedy"] == "Exclude the role."
    assert managed("trust_ec2", [], remedy="Remove it.")["remedy"] == "Remove it."


@pytest.mark.parametrize("check", ["control_plane_pass_role", "control_plane_get_instance_profile"])
def test_what_the_control_plane_lacks_is_added_where_that_is_managed(check: str) -> None:
    lacking = {"remedy": DOCUMENT, "evidence": {"add_to": "policy"}}
    added = managed(check, [*BY_DEFAULT, "pass_role"], **lacking)
    assert added["command"] == ONBOARD
    left = managed(check, BY_DEFAULT, **lacking)
    assert (left["command"], left["remedy"]) == ("", DOCUMENT)
    assert left["reason"].endswith("if cloud_iam_manage_pass_role is true.")


def test_no_onboarding_changes_a_permissions_boundary() -> None:
    lacking = {"remedy": DOCUMENT, "evidence": {"add_to": "permissions_boundary"}}
    found = managed("control_plane_pass_role", PARTS, **lacking)
    assert (found["command"], found["reason"]) == ("", "It fails.")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook awx refuses before it makes anything: objects that are missing, and names that
belong to others or to several.
"""

from __future__ import annotations

import re

from ansible_collections.rayfleet.anyscale.tests.awx.conftest import Run, RunAwx
from ansible_collections.rayfleet.anyscale.tests.awx.stand_in import StandIn


def test_all_that_is_missing_is_said_at_once_before_anything_is_made(
    awx: StandIn, run_awx: RunAwx
) -> None:
    """Each with its variable and what to do."""
    awx.is_administrator = False
    try:
        run = run_awx(
            awx_setup_organization="Nobody",
            awx_setup_project_url="",
            awx_setup_anyscale_token="",
            awx_setup_backup_key="",
            awx_setup_project_credential="AWS auditor",
            awx_setup_aws_credential="AWS writer",
            awx_setup_execution_environment="Own",
            awx_setup_heal=True,
            awx_setup_heal_user="robot",
            awx_setup_teams={"rollout": ["Movers"]},
            awx_setup_notify_of_failure=["Pager"],
            awx_setup_notify_of_approval=["Chat", "Pager"],
        )
    finally:
        awx.is_administrator = True
    assert _refused(run) == [
        "awx_setup_project_url is not set",
        "awx_setup_anyscale_token is not set",
        "awx_setup_backup_key is not set",
        "CONTROLLER_OAUTH_TOKEN is of a user who is no system administrator. Use the token of one",
        _missing("organization", "Nobody", "organization"),
        _missing("aws_credential", "AWS writer", "credential of the type Amazon Web Services"),
        _missing("project_credential", "AWS auditor", "credential of the type Source Control"),
        _missing("execution_environment", "Own", "execution environment"),
        _missing("heal_user", "robot", "user"),
        _missing("teams", "Movers", "team"),
        _missing("notify_of_failure", "Pager", "notification template"),
        _missing("notify_of_approval", "Chat", "notification template"),
        _missing("notify_of_approval", "Pager", "notification template"),
    ]


def _missing(variable: str, name: str, noun: str) -> str:
    return (
        f"awx_setup_{variable} has {name}, but there is no {noun} of this name. Create it, or "
        "correct the variable"
    )


def _refused(run: Run) -> list[str]:
    """The problems of a run that was refused before its first write."""
    assert run.exit_status == 2
    assert run.writes == []
    [message, *_again] = re.findall(r"Nothing was changed.*?To read about", run.output, re.DOTALL)
    return re.findall(r"\(\d+\) (.*?)\.(?= \(\d+\)| To read)", " ".join(message.split()))


def test_what_is_of_others_or_has_a_name_of_several_is_refused_before_anything_is_made(
    awx: StandIn, run_awx: RunAwx
) -> None:
    """An execution environment has no second one of its name in all of AWX, and a credential type
    takes effect in all of it.
    """
    for name in ("One", "Two"):
        team = awx.add("organizations", name=name, description="")["id"]
        awx.add("credentials", name="Same", credential_type=awx.aws_type, organization=team)
        awx.add("notification_templates", name="Same", organization=team)
    mark = "Created by rayfleet.anyscale.awx_setup"
    awx.add("execution_environments", name="Mine", description=mark, organization=team, image="a:1")
    awx.add("credential_types", name="Mine", kind="net", description="For routers")
    run = run_awx(
        awx_setup_organization="One",
        awx_setup_prefix="Mine",
        awx_setup_execution_environment_image="b:2",
        awx_setup_aws_credential="Mine backups",
        awx_setup_audit_aws_credential="Elsewhere",
        awx_setup_notify_of_success=["Same"],
    )
    renamed = "Rename it in AWX, or set awx_setup_prefix to another prefix"
    assert _refused(run) == [
        "awx_setup_execution_environment is Mine, but the execution environment of this name was not "
        "created by this playbook for the organization One. Set another name, or leave "
        "awx_setup_execution_environment_image unset to use it as it is",
        "awx_setup_prefix is Mine, but this playbook did not create the credential type Mine. "
        f"{renamed}",
        "awx_setup_aws_credential has Mine backups, but this playbook gives this name to a "
        f"credential of its own. {renamed}",
        _missing("audit_aws_credential", "Elsewhere", "credential of the type Amazon Web Services"),
    ]
    run = run_awx(
        awx_setup_organization="New",
        awx_setup_make_organization=True,
        awx_setup_aws_credential="Same",
        awx_setup_audit_aws_credential="Same",
        awx_setup_execution_environment_image="b:2",
        awx_setup_notify_of_success=["Same"],
    )
    assert _refused(run) == [
        f"awx_setup_{variable} has Same, but 2 objects of its kind have this name, none of them in "
        "the organization New. Rename one of them in AWX, or create one in that organization"
        for variable in ("aws_credential", "notify_of_success")
    ]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which roles have the managed policies that events have changed: a record names the policy alone.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import account_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    POLICY,
    Change,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import Watch
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud


def changed_policies(changes: t.Iterable[Change], watch: Watch) -> dict[str, str]:
    """The accounts of the managed policies that have changed, by their ARNs, in accounts that clouds
    are in. Pure.
    """
    return {
        change.policy_arn: change.account_id
        for change in changes
        if change.targets.get(POLICY)
        and watch.has_account(change.account_id)
        and account_of(change.policy_arn) == change.account_id
    }


def roles_with_policies(
    policies: t.Mapping[str, str], clouds: t.Iterable[Cloud], sessions: AccountSessions
) -> tuple[dict[str, list[str]], list[str]]:
    """The roles that have each of these policies, which are read with the credentials of a cloud of the
    account; and warnings about those of which that could not be found out.
    """
    in_account = {cloud.settings.account_id: cloud.settings for cloud in clouds}
    found: dict[str, list[str]] = {}
    warnings: list[str] = []
    for arn, account_id in policies.items():
        try:
            session = sessions.session(in_account[account_id].shared_options())
            found[arn] = Iam(session).roles_with_policy(arn)
        except TaskError as error:
            warnings.append(
                f"The roles that have {arn}, which has changed, are unknown: {error.failure()['msg']}"
            )
    return found, warnings

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse a change for a cloud in another account than it is registered in, and a role that no cluster
may run with, before anything is written: what is read for that.

This module util is private to the collection. Nothing is read for a cloud that needs no change.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.protected_roles import (
    Judged,
    administrator_statement,
    refuse_administrator,
    refuse_control_plane,
    refuse_own,
    refuse_reserved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_cloud,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, option
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import parse_policy


class RoleGuard:
    """The guard of a cloud's account and role.

    registered: the cloud's ID and what is registered for it; ``None`` if no cloud is given, or if
    there is no way to ask Anyscale.
    """

    def __init__(
        self,
        session: AwsSession,
        known: Known,
        registered: t.Callable[[], tuple[str, Registration] | None],
        allow_privileged: bool,
    ) -> None:
        self._session = session
        self._known = known
        self._registered = registered
        self._allow_privileged = allow_privileged

    def check_change(self, role_arn: str) -> None:
        """Raise if the role is not the cloud's to change: it is AWS's, the run's own, or in another
        account.
        """
        refuse_reserved(role_arn)
        refuse_own(role_arn, self._own_arns())
        self.check_account(account_of(role_arn))

    def check_account(self, account_id: str) -> None:
        """Raise if the cloud is registered in another account than the one of the change."""
        found = self._registered()
        if found is not None:
            refuse_other_cloud(account_id, *found)

    def check(self, role_arn: str) -> None:
        """Raise also if Anyscale assumes the role."""
        self.check_change(role_arn)
        found = self._registered()
        own = found[1].control_plane_arns if found else frozenset()
        refuse_control_plane(role_arn, own | self._known.control_planes)

    def check_for_clusters(self, role_arn: str) -> None:
        """Raise also if the role is like an administrator: from now on clusters run with it."""
        self.check(role_arn)
        if not self._allow_privileged:
            refuse_administrator(role_arn, self._administrator(role_arn))

    def _own_arns(self) -> tuple[str, ...]:
        """The ARNs of the roles that the run uses, and of its callers."""
        return *self._session.caller_arns(), *sorted(self._known.own_roles)

    def _administrator(self, role_arn: str) -> str:
        """Why a role is like an administrator. Its policies are read once in a run."""
        if role_arn not in self._known.administrators:
            try:
                self._known.administrators[role_arn] = self._read(role_arn)
            except AwsError as error:
                raise _unreadable(role_arn, error) from error
        return self._known.administrators[role_arn]

    def _read(self, role_arn: str) -> str:
        iam, name = Iam(self._session), role_name_of(role_arn)
        attached = iam.attached_policies(name)
        documents = [
            *iam.inline_policies(name).items(),
            *((role_name_of(arn), iam.managed_policy(arn)) for arn in attached),
        ]
        own = tuple(arn for arn in attached if not _is_of_aws(arn))
        judged = Judged(role_arn, own, self._own_arns(), time.time())
        reasons = (
            administrator_statement(judged, policy, parse_policy(document, f"policy {policy}"))
            for policy, document in documents
        )
        return next(filter(None, reasons), "")


def _is_of_aws(policy_arn: str) -> bool:
    return account_of(policy_arn) == "aws"


def _unreadable(role_arn: str, error: AwsError) -> AwsError:
    """What is not known to be harmless is refused."""
    return AwsError(
        f"Whether {role_arn} has permissions like an administrator's could not be found out: "
        f"{error.message}",
        f"{error.remedy} If clusters may have whatever permissions the role has, set "
        f"{option('allow_privileged')} to true instead.".strip(),
        **error.details,
    )

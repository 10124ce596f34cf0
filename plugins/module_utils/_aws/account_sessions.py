# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions of a run in all its accounts, for many threads: they share credentials, connections,
bulk reads and the limits of each account.

This module util is private to the collection.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    aws_argument_spec,
    check_connection,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import (
    AwsManagedPolicies,
    BulkSession,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import (
    CredentialCache,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.limits import (
    MAX_CALLS,
    AccountLimits,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession

# The options that determine the account, given that the whole run has one environment. Whether it
# is the expected account is for the work on a cloud to check.
TO_ACCOUNT = tuple(name for name in aws_argument_spec() if name not in ("account_id", "region"))

Key = tuple[t.Any, ...]


class AccountSessions:
    """One session for all work that connects in the same way."""

    def __init__(
        self, cache: CredentialCache | None, threads: int, bulk_reads: bool = True
    ) -> None:
        """``cache`` shares credentials with other processes; ``threads`` is
        how many use the sessions; ``bulk_reads``, whether IAM is read by the page where that needs
        fewer calls.
        """
        self._cache = cache
        self._connections = min(threads, MAX_CALLS)
        self._bulk_reads = bulk_reads
        self._lock = threading.Lock()
        self._sessions: dict[Key, dict[str | None, AwsSession]] = {}
        self._limits: dict[Key, AccountLimits] = {}
        self._aws_managed = AwsManagedPolicies()
        self._sources: dict[str, str] = {}

    def session(self, params: t.Mapping[str, t.Any]) -> AwsSession:
        """The session for the connection options among the parameters of a module."""
        check_connection(params)  # account_id is no part of the key
        key = tuple(params.get(option) for option in TO_ACCOUNT)
        region = params.get("region")
        with self._lock:
            of_account = self._sessions.setdefault(key, {})
            if region not in of_account:
                limits = self._limits.setdefault(_account_key(params, key), AccountLimits())
                first = next(iter(of_account.values()), None)
                of_account[region] = self._new_session(params, limits, first)
            return of_account[region]

    def fresh_session(self, params: t.Mapping[str, t.Any]) -> AwsSession:
        """The same session, of which every read is a call: nothing is answered from bulk reads."""
        session = self.session(params)
        return session.unbuffered if isinstance(session, BulkSession) else session

    def forget_reads(self) -> None:
        """Read anew what was read by the page, as after writes: a page from before them would hide
        them.
        """
        with self._lock:
            accounts = list(self._sessions.values())
            sessions = [session for regions in accounts for session in regions.values()]
        for session in sessions:
            if isinstance(session, BulkSession):
                session.forget_reads()

    def _new_session(
        self, params: t.Mapping[str, t.Any], limits: AccountLimits, first: AwsSession | None
    ) -> AwsSession:
        """``first``: the session of the same account for another region."""
        if not self._bulk_reads:
            return AwsSession(params, self._cache, self._connections, limits, self._sources)
        return BulkSession(
            params,
            self._cache,
            self._connections,
            limits,
            self._sources,
            account=first,
            aws_managed=self._aws_managed,
        )


def _account_key(params: t.Mapping[str, t.Any], key: Key) -> Key:
    """What has limits of its own: the account of the role to assume, since several roles may lead
    to one account; without one, the account that the options lead to, whichever it is.
    """
    role = parse_arn(params.get("assume_role_arn") or "")
    return (role.account_id, params.get("endpoint_url")) if role else key

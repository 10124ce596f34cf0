# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session for many tasks of one account: roles and instance profiles are read by the page, where
that makes fewer calls.

This module util is private to the collection.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

# Of each read, by its name in boto3: what names its subject, and the key of its answer.
_READS = {
    "get_role": ("RoleName", "Role"),
    "get_instance_profile": ("InstanceProfileName", "InstanceProfile"),
}
# However many roles an account has, pages never cost more than this share of the reads that were
# asked for.
_READS_PER_PAGE = 10
# A page is in memory as a whole while it is read; AWS would give up to 1000.
_ROLES_PER_PAGE = 300
# What a role has on a page and not by itself.
_PAGE_ONLY = ("RolePolicyList", "AttachedManagedPolicies", "InstanceProfileList")


class BulkSession(AwsSession):
    """An AwsSession that answers what it has seen on a page; for what it has not seen, AWS is asked
    as ever.

    ``account``: another one of the same account, for a region of its own. IAM has no regions, and
    is asked by that one for both.
    """

    def __init__(
        self, *arguments: t.Any, account: AwsSession | None = None, **options: t.Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._account = account
        self._reading = threading.Lock()
        self._reads = 0
        self._pages = 0
        self._next_page: dict[str, str] | None = {}
        self._seen: dict[tuple[str, str], dict[str, t.Any]] = {}

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Answer a read from a page, or call AWS."""
        if service == "iam" and self._account is not None:
            return self._account.call(service, method, **arguments)
        if service == "iam" and method in _READS:
            name_key, answer_key = _READS[method]
            known = self._known(method, arguments[name_key])
            if known is not None:
                return {answer_key: known}
        return super().call(service, method, **arguments)

    def _known(self, method: str, name: str) -> dict[str, t.Any] | None:
        with self._reading:
            self._reads += 1
            while (
                (method, name) not in self._seen
                and self._next_page is not None
                and self._pages < self._reads // _READS_PER_PAGE
            ):
                self._read_page(self._next_page)
            return self._seen.get((method, name))

    def _read_page(self, marker: dict[str, str]) -> None:
        """Read one more page. A caller who may not do so reads one by one, which needs no such
        permission.
        """
        self._pages += 1
        self._next_page = None
        try:
            page = super().call(
                "iam",
                "get_account_authorization_details",
                Filter=["Role"],
                MaxItems=_ROLES_PER_PAGE,
                **marker,
            )
        except AwsError:
            return
        for listed in page["RoleDetailList"]:
            role = {name: value for name, value in listed.items() if name not in _PAGE_ONLY}
            self._seen["get_role", role["RoleName"]] = role
            for profile in listed["InstanceProfileList"]:
                # The same role once more, so that it is kept once.
                self._seen["get_instance_profile", profile["InstanceProfileName"]] = {
                    **profile,
                    "Roles": [role],
                }
        if page.get("IsTruncated"):
            self._next_page = {"Marker": page["Marker"]}

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session for many tasks in one account. It reads roles and instance profiles in pages where that
needs fewer calls.

This module util is private to the collection.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

# For each read operation, by its boto3 name: the parameter that names the resource, and the key in
# the response.
_READS = {
    "get_role": ("RoleName", "Role"),
    "get_instance_profile": ("InstanceProfileName", "InstanceProfile"),
}
# At most one page is read per this many requested reads, however many roles an account has.
_READS_PER_PAGE = 10
# A whole page is in memory while it is read. AWS allows up to 1000.
_ROLES_PER_PAGE = 300
# Keys of a role in a page that GetRole does not return.
_PAGE_ONLY = ("RolePolicyList", "AttachedManagedPolicies", "InstanceProfileList")


class BulkSession(AwsSession):
    """An AwsSession that answers reads from the pages it has loaded, and otherwise calls AWS.

    ``account``: another session in the same account. IAM has no regions, so that a session for
    another region delegates its IAM calls to that one.
    """

    def __init__(
        self, *arguments: t.Any, account: AwsSession | None = None, **options: t.Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._account = account
        self._page_lock = threading.Lock()
        self._reads = 0
        self._pages = 0
        self._next_page: dict[str, str] | None = {}
        self._loaded: dict[tuple[str, str], dict[str, t.Any]] = {}

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Answer a read from a page, or call AWS."""
        if service == "iam" and self._account is not None:
            return self._account.call(service, method, **arguments)
        if service == "iam" and method in _READS:
            name_key, answer_key = _READS[method]
            found = self._from_page(method, arguments[name_key])
            if found is not None:
                return {answer_key: found}
        return super().call(service, method, **arguments)

    def _from_page(self, method: str, name: str) -> dict[str, t.Any] | None:
        with self._page_lock:
            self._reads += 1
            while (
                (method, name) not in self._loaded
                and self._next_page is not None
                and self._pages < self._reads // _READS_PER_PAGE
            ):
                self._read_page(self._next_page)
            return self._loaded.get((method, name))

    def _read_page(self, marker: dict[str, str]) -> None:
        """Load another page. Without the permission to do so, roles are read one by one."""
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
            self._loaded["get_role", role["RoleName"]] = role
            for profile in listed["InstanceProfileList"]:
                # The same dict, so that the role is in memory once.
                self._loaded["get_instance_profile", profile["InstanceProfileName"]] = {
                    **profile,
                    "Roles": [role],
                }
        if page.get("IsTruncated"):
            self._next_page = {"Marker": page["Marker"]}

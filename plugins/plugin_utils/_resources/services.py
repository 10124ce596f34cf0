# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all threads of a run share: the sessions in AWS accounts, and what was read of Anyscale.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_pages import (
    ComputeConfigPages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_cloud_id
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import Connect
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping import (
    IamMappingModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    default_role,
    refuse_other_cloud,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
)

# What leads to an organization, and says how its token is sent there.
TO_ANYSCALE = (*anyscale_argument_spec(), "validate_certs", "aws_ca_bundle")


class Services:
    """The sessions, the clients and the bulk reads of a run."""

    def __init__(self, sessions: AccountSessions, clouds: int) -> None:
        """``clouds``: how many the run is for."""
        self.sessions = sessions
        self.known = Known(self._registration)
        self._clouds = clouds
        self._lock = threading.Lock()
        self._anyscale: dict[str, _Anyscale] = {}

    def connect(self, fresh: bool) -> Connect:
        """How a module connects to AWS. fresh: whether nothing is answered from bulk reads."""
        return self.sessions.fresh_session if fresh else self.sessions.session

    def expect_reads(self, settings: CloudSettings) -> None:
        """Note that a cloud's role and instance profile are going to be read."""
        session = self.sessions.session(settings.shared_options())
        if isinstance(session, BulkSession):
            session.expect_reads(2)

    def forget_reads(self) -> None:
        """Read anew what was read in bulk."""
        self.sessions.forget_reads()
        with self._lock:
            for organization in self._anyscale.values():
                organization.forget_reads()

    def caller_arn(self, settings: CloudSettings) -> str:
        """The ARN of who makes the calls for a cloud."""
        return self.sessions.session(settings.shared_options()).caller_arn()

    def default_role(self, settings: CloudSettings, registered: str | None) -> str:
        """The role of a cloud whose variables name none: the registered one, which is asked of
        Anyscale unless the inventory has read it.
        """
        if registered:
            return registered
        if not settings.cloud_id:
            raise InputError(
                "Neither cloud_iam_role nor cloud_iam_cloud_id is set.", "Set one of them."
            )
        cloud_id = parse_cloud_id(settings.cloud_id, "cloud_iam_cloud_id")
        registration = self.known.registration(settings.shared_options(), cloud_id)
        refuse_other_cloud(settings.account_id, cloud_id, registration)
        return str(default_role(cloud_id, registration))

    def known_default_role(self, settings: CloudSettings) -> str | None:
        """The same, as far as it has been read already; ``None`` where it is not known."""
        registration = self.known_registration(settings)
        if registration is None:
            return None
        with contextlib.suppress(TaskError):  # of several primary resources, or with a long ID
            return str(default_role(str(settings.cloud_id), registration))
        return None

    def known_registration(self, settings: CloudSettings) -> Registration | None:
        """What is registered for a cloud, if it has been read already. Its settings need lead to no
        organization.
        """
        organization = self._anyscale.get(_key_of(settings.shared_options()))
        return organization.known_registration(settings.cloud_id or "") if organization else None

    def client(self, module: IamMappingModule) -> AnyscaleClient:
        """The client of the organization of a module's parameters."""
        return self._of_organization(module.params).client

    def config_store(self, module: ComputeConfigModule, fresh: bool) -> ComputeConfigStore:
        """Where a compute config is read and published. fresh: whether it is never read by the
        page.
        """
        organization = self._of_organization(module.params)
        name, cloud_id = module.params["name"], module.cloud_id
        clouds = None if fresh else self._clouds
        return _SharedStore(organization, name, cloud_id, lambda: module.registration, clouds)

    def _registration(self, params: t.Mapping[str, t.Any], cloud_id: str) -> Registration:
        return self._of_organization(params).registration(cloud_id)

    def _of_organization(self, params: t.Mapping[str, t.Any]) -> _Anyscale:
        key = _key_of(params)
        with self._lock:
            if key not in self._anyscale:
                self._anyscale[key] = _Anyscale(params)
            return self._anyscale[key]


def _key_of(params: t.Mapping[str, t.Any]) -> str:
    """What leads to an organization, for comparing."""
    return json.dumps([params.get(name) for name in TO_ANYSCALE])


class _Anyscale:
    """What is read of one Anyscale organization."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self.client = anyscale_client(params)
        self.pages = ComputeConfigPages(self.client)
        self._registrations: dict[str, Registration] = {}
        self._names: dict[str, list[str]] = {}

    def forget_reads(self) -> None:
        """Read compute configs anew."""
        self.pages = ComputeConfigPages(self.client)

    def registration(self, cloud_id: str) -> Registration:
        """What is registered for a cloud. Threads that ask at the same time may each read it."""
        if cloud_id not in self._registrations:
            self._registrations[cloud_id] = read_registration(self.client, cloud_id)
        return self._registrations[cloud_id]

    def known_registration(self, cloud_id: str) -> Registration | None:
        """The same, if it has been read already."""
        return self._registrations.get(cloud_id)

    def names(self, cloud_id: str) -> list[str]:
        """The names of the compute configs of a cloud, for those that are created: read once."""
        if cloud_id not in self._names:
            self._names[cloud_id] = self.client.compute_config_names(cloud_id)
        return self._names[cloud_id]


class _SharedStore(ComputeConfigStore):
    """A compute config that is first read by the page, for so many clouds, and then singly."""

    def __init__(
        self,
        organization: _Anyscale,
        name: str,
        cloud_id: str,
        registration: t.Callable[[], Registration],
        clouds: int | None,
    ) -> None:
        super().__init__(organization.client, name, cloud_id, registration)
        self._organization = organization
        self._clouds = clouds

    @property
    def names(self) -> list[str]:
        """The names of the cloud's compute configs, as they were first read."""
        return self._organization.names(self.cloud_id)

    def newest(self) -> dict[str, t.Any] | None:
        """The newest version."""
        if self._clouds is None:
            return super().newest()
        return self._organization.pages.newest(self.name, self.cloud_id, self._clouds)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find credentials as boto3 does: by its own chain of providers, of which no step may wait for ever or
ask for anything.

This module util is private to the collection. I/O: it may read files, run the credential_process of a
profile, and call STS, IAM Identity Center and the metadata service.
"""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_errors import (
    Search,
    credentials_error,
    second_factor_error,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_process import (
    CredentialProcess,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import (
    Credentials,
    good_until,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

try:
    from botocore.credentials import create_credential_resolver
    from botocore.exceptions import NoCredentialsError
except ImportError:
    pass  # AwsSession reports that boto3 is missing

_ASSUMPTIONS = ("AssumeRole", "AssumeRoleWithWebIdentity")


def find_credentials(core: t.Any) -> Credentials:
    """The credentials that a botocore session leads to. Raises CredentialsError, whatever boto3
    raised.
    """
    search = Search(None)
    try:
        return _find(core, search)
    except TaskError:
        raise
    except Exception as error:  # boto3's providers raise errors of any kind
        failure = credentials_error(error, search)
    # Outside the handler, so that no traceback shows a text that may quote credentials.
    raise failure


def _find(core: t.Any, search: Search) -> Credentials:
    search.profile = core.get_config_variable("profile")
    search.profiles = core.full_config.get("profiles", {})
    resolver = create_credential_resolver(core, region_name=core.get_config_variable("region"))
    _bound_processes(resolver, search)
    with _followed(core, search):
        found = resolver.load_credentials()
        if found is None:
            raise NoCredentialsError
        if found.method == "assume-role":
            _refuse_second_factor(search)
        keys = found.get_frozen_credentials()
    expires = getattr(found, "_expiry_time", None)
    until = {"good_until": good_until(expires.timestamp())} if expires else {}
    return Credentials(None, keys.access_key, keys.secret_key, keys.token, **until)


@contextlib.contextmanager
def _followed(core: t.Any, search: Search) -> t.Iterator[None]:
    """Note which role is to be assumed, for the error: botocore's own does not say."""

    def note(params: t.Mapping[str, t.Any], **_event: t.Any) -> None:
        search.role, search.process = params.get("RoleArn"), None

    events = [f"provide-client-params.sts.{operation}" for operation in _ASSUMPTIONS]
    for event in events:
        core.register(event, note)
    try:
        yield
    finally:
        for event in events:
            core.unregister(event, note)


def _bound_processes(resolver: t.Any, search: Search) -> None:
    """Run the credential_process of the profile, and of those that it leads to, in bounded time."""

    def bound(providers: t.Iterable[t.Any], profile: str) -> None:
        for provider in providers:
            if provider.METHOD == "custom-process":
                provider._popen = functools.partial(_Noted, search, profile, provider._popen)

    def of_source(profile_name: str, **options: t.Any) -> list[t.Any]:
        providers = list(build(profile_name, **options))
        bound(providers, profile_name)
        return providers

    builder = resolver.get_provider("assume-role")._profile_provider_builder
    build = builder.providers
    builder.providers = of_source
    bound(resolver.providers, search.profile or "default")


class _Noted(CredentialProcess):
    """Notes that it has ended well: what fails next is what it printed."""

    def __init__(self, search: Search, *process: t.Any, **pipes: t.Any) -> None:
        super().__init__(*process, **pipes)
        self._search = search

    def communicate(self) -> tuple[bytes, bytes]:
        """What it printed."""
        printed = super().communicate()
        self._search.process = self._profile
        return printed


def _refuse_second_factor(search: Search) -> None:
    """Raise if a role of the chain needs one: boto3 would ask the terminal for it."""
    for name in search.chain:
        settings = search.profiles[name]
        if "role_arn" in settings and "mfa_serial" in settings:
            raise second_factor_error(name, settings)

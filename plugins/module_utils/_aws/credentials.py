# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials of AWS, as a session keeps them and as the clients of botocore ask for them.

This module util is private to the collection. It makes no call of its own.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import typing as t

_SPARE_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Credentials:
    """Keys with which a task may start until ``good_until`` (seconds since the epoch), and the ARN
    of the caller if an AssumeRole of this collection said it.
    """

    caller_arn: str | None
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(repr=False)
    good_until: float = math.inf

    @property
    def is_fresh(self) -> bool:
        """Whether the credentials are valid long enough for another task."""
        return time.time() < self.good_until

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may contain."""
        return tuple(filter(None, (self.secret_key, self.session_token)))


def good_until(expires: float) -> float:
    """Until when a task may start with credentials that expire at a given time: it must be able to
    finish with them.
    """
    return expires - min(_SPARE_SECONDS, (expires - time.time()) / 2)


class CredentialCache(t.Protocol):
    """Credentials that the tasks of a run share."""

    def credentials(
        self, key: t.Mapping[str, t.Any], find: t.Callable[[], Credentials]
    ) -> Credentials:
        """Those that are kept for a key, else those that ``find`` returns."""


class Signing(t.NamedTuple):
    """What botocore signs a request with."""

    access_key: str
    secret_key: str
    token: str | None
    account_id: None = None


class LazyCredentials:
    """Credentials that are found when the first request is signed, and again near their end. An
    error of finding them is that of the request.

    For a botocore session, this is both the provider of its credentials and the credentials.
    """

    method = "rayfleet.anyscale"  # how they were found, in botocore's words

    def __init__(self, find: t.Callable[[], Credentials]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: Credentials | None = None

    is_fresh = True  # they renew themselves

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that a request may have been signed with. Nothing is looked for."""
        found = self._found
        return found.secrets if found else ()

    def load_credentials(self) -> LazyCredentials:
        """What botocore asks of a provider."""
        return self

    def get_frozen_credentials(self) -> Signing:
        """What botocore asks of credentials for each request."""
        with self._lock:
            if self._found is None or not self._found.is_fresh:
                self._found = self._find()
            return Signing(
                self._found.access_key, self._found.secret_key, self._found.session_token
            )

    def get_deferred_property(self, _name: str) -> t.Callable[[], None]:
        """What botocore asks of credentials for endpoints that contain the account, which those of
        IAM, S3 and STS do not.
        """
        return lambda: None

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials are looked for when a request needs them, and never by an error about it."""

from __future__ import annotations

import concurrent.futures
import time

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import (
    Credentials,
    LazyCredentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import CredentialsError


class Source:
    """Credentials that are good for so long, or an error; counts how often they are looked for."""

    def __init__(self, seconds: float = 600.0, error: Exception | None = None) -> None:
        self.asked = 0
        self._seconds, self._error = seconds, error

    def __call__(self) -> Credentials:
        self.asked += 1
        if self._error:
            raise self._error
        time.sleep(0.01)
        name = str(self.asked)
        return Credentials(None, name, f"s{name}", f"t{name}", time.time() + self._seconds)


def test_nothing_is_looked_for_before_a_request() -> None:
    """A client is made without credentials; an error asks for the secrets that there are."""
    source = Source()
    lazy = LazyCredentials(source)
    assert lazy.load_credentials() is lazy
    assert lazy.secrets == ()
    assert source.asked == 0


def test_requests_share_what_was_found() -> None:
    """Those of threads too."""
    source = Source()
    lazy = LazyCredentials(source)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        signed = set(pool.map(lambda _n: lazy.get_frozen_credentials(), range(50)))
    assert [(one.access_key, one.secret_key, one.token) for one in signed] == [("1", "s1", "t1")]
    assert source.asked == 1


def test_credentials_near_their_end_are_replaced_but_not_by_an_error() -> None:
    """To look for secrets in a message is no reason to call AWS."""
    source = Source(seconds=-1)
    lazy = LazyCredentials(source)
    assert lazy.get_frozen_credentials().access_key == "1"
    assert (lazy.secrets, source.asked) == (("s1", "t1"), 1)
    assert lazy.get_frozen_credentials().access_key == "2"


def test_an_error_of_finding_them_is_that_of_the_request() -> None:
    """And leaves no secrets to look for."""
    lazy = LazyCredentials(Source(error=CredentialsError("No.")))
    with pytest.raises(CredentialsError):
        lazy.get_frozen_credentials()
    assert lazy.secrets == ()

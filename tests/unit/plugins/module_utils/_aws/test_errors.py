# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A write that AWS did not answer may have taken effect, unless it is certain that it was not sent. The
classes of botocore are enumerated, so that one that a new release brings is decided on.
"""

from __future__ import annotations

import inspect
import ssl
import string
import typing as t

import botocore.exceptions as raised
import pytest
from urllib3.exceptions import SSLError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import (
    error_without_answer,
)

WRITE = "UpdateAssumeRolePolicy"
# All that botocore's HTTP client, and what reads its responses, raise.
OF_THE_WIRE = (raised.ConnectionError, raised.HTTPClientError, raised.IncompleteReadError)
BROKEN = {
    name: kind
    for name, kind in vars(raised).items()
    if inspect.isclass(kind) and issubclass(kind, OF_THE_WIRE)
}


def made(kind: t.Any, error: object = "it broke") -> Exception:
    """An exception of a class, with some value for whatever it has to be told."""
    fields = [name for _text, name, *_rest in string.Formatter().parse(kind.fmt)]
    return t.cast(Exception, kind(**{**{name: "x" for name in fields if name}, "error": error}))


@pytest.mark.parametrize("kind", BROKEN.values(), ids=BROKEN)
def test_a_write_whose_connection_broke_may_have_taken_effect(kind: t.Any) -> None:
    failure = error_without_answer(made(kind), WRITE, "role ray")
    assert (failure.outcome_unknown, failure.is_transient) == (True, True)
    assert failure.remedy.endswith("The call may have taken effect nevertheless.")
    assert not failure.remedy.startswith(" "), "it has a remedy of its own"


def test_so_may_one_whose_tls_ended_early() -> None:
    ended = SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert error_without_answer(made(raised.SSLError, ended), WRITE, "").outcome_unknown


@pytest.mark.parametrize(
    "cause", [ssl.SSLCertVerificationError(1, "self-signed"), ValueError("another name")], ids=str
)
def test_what_the_certificate_keeps_from_being_sent_did_not(cause: Exception) -> None:
    """And would be kept from it again."""
    failure = error_without_answer(made(raised.SSLError, SSLError(cause)), WRITE, "")
    assert (failure.outcome_unknown, failure.is_transient) == (False, False)
    assert "aws_ca_bundle" in failure.remedy
    assert "taken effect" not in failure.remedy

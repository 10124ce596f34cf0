# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the address of the control plane and the token for it.

This module util is private to the collection. I/O: it may read the credentials file of the anyscale
CLI. https://docs.anyscale.com/reference/cli
"""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._credentials import (
    validate_header_value,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
    setting,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_text

DEFAULT_HOST = "https://console.anyscale.com"
CREDENTIALS_PATH = "~/.anyscale/credentials.json"
_HOST = re.compile(
    r"(?P<scheme>https?)://(?P<name>[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?\Z"
)


def anyscale_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of a module that talks to the control plane."""
    return {
        "anyscale_host": {"type": "str"},
        "anyscale_token": {"type": "str", "no_log": True},
        "anyscale_allow_http": {"type": "bool", "default": False},
    }


def has_token(token: str | None, environ: t.Mapping[str, str]) -> bool:
    """Whether there is a token for Anyscale, wherever it comes from."""
    found = token or environ.get("ANYSCALE_CLI_TOKEN") or _stored_token(CREDENTIALS_PATH)
    return bool(found.strip())


def resolve_credentials(
    host: str | None,
    token: str | None,
    environ: t.Mapping[str, str],
    credentials_path: str = CREDENTIALS_PATH,
    *,
    allow_http: bool = False,
) -> tuple[str, str]:
    """The control plane's address and the token for it: as given, else from the environment, else
    as the CLI stored it.
    """
    address = _checked_host(host or environ.get("ANYSCALE_HOST") or DEFAULT_HOST, allow_http)
    secret = (token or environ.get("ANYSCALE_CLI_TOKEN") or _stored_token(credentials_path)).strip()
    if not secret:
        raise InputError(
            "There is no token for Anyscale.",
            f"Set {option('anyscale_token')} or the environment variable ANYSCALE_CLI_TOKEN, or let "
            f"'anyscale login' write {credentials_path}.",
        )
    validate_header_value(
        secret,
        "The token for Anyscale (anyscale_token, ANYSCALE_CLI_TOKEN or the credentials file)",
    )
    return address, secret


def _checked_host(host: str, allow_http: bool) -> str:
    remedy = f"Give an address such as {DEFAULT_HOST}."
    if "@" in host:
        raise InputError("anyscale_host holds a user name or password.", remedy)
    match = _HOST.match(host.strip())
    if match is None:
        raise InputError(
            f"{setting('anyscale_host')} is {host!r}, which is not the address of a control plane.",
            remedy,
        )
    if match["scheme"] == "http" and not (allow_http or is_loopback(match["name"])):
        raise InputError(
            f"{setting('anyscale_host')} is {host!r}: the token would travel unencrypted.",
            "Use https, or set anyscale_allow_http to accept that.",
        )
    return host.strip().rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host in an address is this machine: by its name, or by a number."""
    try:
        number = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return (getattr(number, "ipv4_mapped", None) or number).is_loopback


def _stored_token(path: str) -> str:
    """The token in the credentials file of the anyscale CLI; empty where there is none."""
    try:
        with open_text(os.path.expanduser(path)) as file:
            stored = _json.loads(file.read())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        # Neither the file's content nor json's error text, which may quote it.
        raise InputError(
            f"The credentials file {path} cannot be read ({type(error).__name__}).",
            "Delete it and run 'anyscale login' again.",
        ) from None
    token = stored.get("cli_token") if isinstance(stored, dict) else None
    return token if isinstance(token, str) else ""

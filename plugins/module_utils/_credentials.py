# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate credentials before they are sent: an HTTP client that cannot send one quotes it in its
error.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

_MAX_LENGTH = 8192  # servers reject longer headers


def validate_header_value(value: str, option: str) -> None:
    """Raise if a credential cannot be sent in an HTTP header. The error names the option but does
    not contain the value.
    """
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InputError(
            f"{option} contains characters that are not valid in a credential, such as white "
            "space.",
            "Copy it again, without quotes. A value read from a file often ends with a line break.",
        )
    if len(value) > _MAX_LENGTH:
        raise InputError(
            f"{option} has {len(value)} characters, which is too long for a credential.",
            "Set it to the credential only.",
        )

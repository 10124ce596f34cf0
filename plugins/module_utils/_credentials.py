# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge credentials before they are sent: an HTTP client that chokes on one shows it in its error.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

_LONGEST = 8192  # servers refuse longer headers


def validate_header_value(value: str, option: str) -> None:
    """Raise where a credential cannot travel in an HTTP header. The error names the option and
    keeps the value to itself.
    """
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InputError(
            f"{option} holds characters that no such credential has, such as white space.",
            "Copy it again, without quotes; what is read from a file often ends in a line break.",
        )
    if len(value) > _LONGEST:
        raise InputError(
            f"{option} has {len(value)} characters, more than any such credential.",
            "Give the credential alone.",
        )

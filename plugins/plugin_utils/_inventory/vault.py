# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decrypt the ``!vault`` values of a YAML document, which Ansible leaves encrypted when it loads one.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

DEEPEST = 50


class Decrypted(str):
    """A decrypted text, which error messages that show a value's ``repr()`` do not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "an encrypted value"


def decrypted(value: t.Any, where: str, depth: int = 0) -> t.Any:
    """The value, with each encrypted text in it decrypted. An error names the key."""
    if depth > DEEPEST:
        raise InputError(
            f"{where} is nested too deeply.", "Remove a YAML alias that refers to its own parent."
        )
    if isinstance(value, EncryptedString):
        return _plaintext(value, where)
    if isinstance(value, dict):
        return {key: decrypted(inner, f"{where}.{key}", depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [
            decrypted(inner, f"{where}[{position}]", depth + 1)
            for position, inner in enumerate(value)
        ]
    return value


def _plaintext(value: EncryptedString, where: str) -> Decrypted:
    try:
        return Decrypted(str(value))
    except (AnsibleError, ValueError) as error:
        raise InputError(
            f"{where} cannot be decrypted: {str(error).rstrip('.')}.",
            "Give the vault password that it was encrypted with (--vault-id, "
            "--vault-password-file or ANSIBLE_VAULT_PASSWORD_FILE; in AWX, a Vault credential).",
        ) from error

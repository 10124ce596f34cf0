# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are planted to be searched for: wherever one of them shows, a real one would have."""

from __future__ import annotations

import base64
import secrets
import typing as t
import urllib.parse
from pathlib import Path


def canary() -> str:
    """A value that is nowhere by chance, with characters that URLs and base64 change."""
    return f"{secrets.token_hex(10)}/{secrets.token_hex(10)}+{secrets.token_hex(3)}"


def leaks(where: Path | str | bytes, canaries: t.Mapping[str, str]) -> list[str]:
    """What of the canaries, by their names, can be found in a text, a file, or all files below a
    folder, and in which form.
    """
    forms = {
        f"{name}, {form}": spelt
        for name, value in canaries.items()
        for form, spelt in _forms(value)
    }
    if isinstance(where, Path):
        paths = sorted(
            path for path in (where.rglob("*") if where.is_dir() else [where]) if path.is_file()
        )
        return [f"{path}: {found}" for path in paths for found in _found(path.read_bytes(), forms)]
    return _found(where.encode() if isinstance(where, str) else where, forms)


def _found(content: bytes, forms: t.Mapping[str, bytes]) -> list[str]:
    unbroken = b"".join(content.split())  # screens and encoders break long lines
    return [form for form, spelt in forms.items() if spelt in unbroken]


def _forms(value: str) -> t.Iterator[tuple[str, bytes]]:
    """A secret as it is, as it is in a URL, and as it is in base64, where the preceding bytes
    decide its form.
    """
    yield "plain", value.encode()
    if (quoted := urllib.parse.quote(value, safe="")) != value:
        yield "url-encoded", quoted.encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value.encode())
        whole = encoded[
            -(-offset * 4 // 3) : len(encoded) // 4 * 4 - 4
        ]  # without the characters that hold bits of their neighbours
        yield f"base64 at {offset}", whole
        if (safe := whole.translate(bytes.maketrans(b"+/", b"-_"))) != whole:
            yield f"base64 for URLs at {offset}", safe

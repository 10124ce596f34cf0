# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of an audit on their way from the process that audits to the one that writes the
report: a file, because what a task returns stands in its event.

This plugin util is private to the collection.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

Json = dict[str, t.Any]


_FILE = "audit.jsonl"
_CHUNK = 50
# Of a check, what most clouds have in common.
_COMMON = frozenset(("id", "title", "status", "remedy"))


class AuditResults:
    """Stores results in the folder of a run, a line for each cloud. Only its owner can read it."""

    def __init__(self, run: RunFolder) -> None:
        try:
            path = os.path.join(run.create(), _FILE)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii")
        except OSError as error:
            raise AnsibleError(f"The results cannot be stored: {error}.") from error

    def __enter__(self) -> AuditResults:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, name: str, result: Json) -> None:
        """Add the result of a cloud."""
        self._file.write(json.dumps([name, result], default=str) + "\n")


def read_results(run: RunFolder) -> dict[str, Json]:
    """The results that were stored, by the names of the clouds."""
    try:
        with open(os.path.join(run.path, _FILE), encoding="ascii") as file:
            # Together, so that the keys of a chunk are in memory once.
            chunks = iter(lambda: list(itertools.islice(file, _CHUNK)), [])
            return {
                name: _with_common_texts_once(result)
                for chunk in chunks
                for name, result in json.loads(f"[{','.join(chunk)}]")
            }
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise AnsibleError(f"The results of the audit cannot be read: {error}.") from error


def _with_common_texts_once(result: Json) -> Json:
    """A result whose checks have the texts that most clouds have in common as the same objects: the
    results of thousands of clouds are in memory together.
    """
    for check in result.get("checks", ()):
        for key in _COMMON & check.keys():
            check[key] = sys.intern(check[key])
    return result

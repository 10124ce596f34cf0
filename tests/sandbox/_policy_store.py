# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies with their recent past, so that a read can be as late as AWS's reads sometimes are."""

from __future__ import annotations

import time

from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import Document

_ALWAYS = float("-inf")


class PolicyStore:
    """Bound documents by key: a bucket's name or a role's unique id."""

    def __init__(self) -> None:
        self._history: dict[str, list[tuple[float, Document | None]]] = {}

    def put(self, key: str, document: Document | None, settled: bool = False) -> None:
        """Store a document, or ``None`` for its deletion; ``settled`` makes every later read see
        it.
        """
        if settled:
            self._history[key] = [(_ALWAYS, document)]
        else:
            self._history.setdefault(key, [(_ALWAYS, None)]).append((time.monotonic(), document))

    def get(self, key: str, delay: float) -> Document | None:
        """The document as a read sees it that lags ``delay`` seconds behind."""
        horizon = time.monotonic() - delay
        entries = self._history.get(key, [])
        return next(
            (document for written, document in reversed(entries) if written <= horizon), None
        )

    def past(self, key: str) -> list[Document | None]:
        """All documents that there were, the oldest first, from the last settled one on."""
        return [document for _written, document in self._history.get(key, [])]

    def forget(self, key: str) -> None:
        """The bucket or role is gone."""
        self._history.pop(key, None)

    def clear(self) -> None:
        """Everything is gone."""
        self._history.clear()

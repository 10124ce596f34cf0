# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests of a document, by its parts.

This plugin util is private to the collection. Pure. A document is a set of parts: of a policy, each
combination of a principal, an action and a resource of each statement. A plan file keeps a keyed digest
of each part that the plan adds or removes, by cloud, and one of all other parts together. So it holds
whatever the batches are, and if some of the clouds that share a document are refused.
"""

from __future__ import annotations

import collections
import dataclasses
import hmac
import itertools
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    compact_json,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)

# This key is for one purpose: no signature is a digest.
_DIGESTS = b"rayfleet.anyscale plan: digests"
_VERSION_WHEN_ABSENT = "2008-10-17"

Json = dict[str, t.Any]
Digests = frozenset[str]


@dataclasses.dataclass(frozen=True)
class Step:
    """A change of a document for some clouds. arns: of principals that it shows as unique ids."""

    document: str
    clouds: tuple[str, ...]
    before: t.Any
    after: t.Any
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Change:
    """The digests of the parts that are removed and added."""

    removed: Digests = frozenset()
    added: Digests = frozenset()

    def __or__(self, other: Change) -> Change:
        return Change(self.removed | other.removed, self.added | other.added)

    def __and__(self, other: Change) -> Change:
        return Change(self.removed & other.removed, self.added & other.added)

    def __sub__(self, other: Change) -> Change:
        return Change(self.removed - other.removed, self.added - other.added)

    def __le__(self, other: Change) -> bool:
        return self.removed <= other.removed and self.added <= other.added

    @property
    def parts(self) -> Digests:
        """All of them."""
        return self.removed | self.added

    def is_pending_in(self, digests: Digests) -> bool:
        """Whether nothing of it is done yet."""
        return self.removed <= digests and not self.added & digests

    def is_done_in(self, digests: Digests) -> bool:
        """Whether all of it is done."""
        return self.added <= digests and not self.removed & digests

    def as_json(self) -> Json:
        """As it stands in the file."""
        return {"before": sorted(self.removed), "after": sorted(self.added)}

    @classmethod
    def of_json(cls, found: t.Mapping[str, t.Any]) -> Change:
        """What stands in the file as this."""
        return cls(frozenset(found["before"]), frozenset(found["after"]))


def parts_of(document: t.Any, arns: t.Mapping[str, str] | None = None) -> list[str]:
    """The parts of a document by meaning. Two policies with the same parts mean the same; what is no
    policy is one part.
    """
    if document is None:
        return []
    if not isinstance(document, dict) or "Statement" not in document:
        return [compact_json(_sorted(document))]
    found = [
        part
        for raw in statements_of(document)
        for part in _parts_of_statement(canonical(raw, arns))
    ]
    if "${" in compact_json(document["Statement"]):
        found.append(compact_json(["Version", document.get("Version") or _VERSION_WHEN_ABSENT]))
    # A statement that is there twice is two parts
    counts: collections.Counter[str] = collections.Counter()
    numbered = []
    for part in found:
        numbered.append(f"{counts[part]} {part}")
        counts[part] += 1
    return numbered


def _parts_of_statement(statement: Statement) -> t.Iterator[str]:
    """One for each combination of what the statement lists. Exceptions and conditions apply to all."""
    common = json.dumps(
        [
            statement.sid,
            statement.effect,
            _ordered(statement.not_principals),
            _ordered(statement.not_actions),
            _ordered(statement.not_resources),
            sorted(
                [operator, key, sorted(values)] for operator, key, values in statement.conditions
            ),
            sorted(statement.others),
        ]
    )
    lists = (statement.principals, statement.actions, statement.resources)
    for combination in itertools.product(*map(_listed, lists)):
        yield f"{json.dumps(combination)} {common}"


def _sorted(document: t.Any) -> t.Any:
    """A document with its keys in order."""
    if isinstance(document, dict):
        return {key: _sorted(document[key]) for key in sorted(document)}
    return [_sorted(one) for one in document] if isinstance(document, list) else document


def _ordered(values: t.Collection[t.Any] | None) -> list[t.Any] | None:
    return None if values is None else sorted(values)


def _listed(values: t.Collection[t.Any] | None) -> list[t.Any]:
    """At least one value, so that a statement with an empty list has a part."""
    return ["absent"] if values is None else [[value] for value in sorted(values)] or ["empty"]


class Digester:
    """Digests that only the holder of the key can make, so that nobody can guess a document. salt:
    the plan's own, so that two plans cannot be compared.
    """

    def __init__(self, key: bytes, salt: str) -> None:
        self._key = hmac.digest(key, _DIGESTS + salt.encode(), "sha256")
        self._known: dict[tuple[str, str], str] = {}

    def of(self, document: str, content: t.Any, arns: t.Mapping[str, str]) -> Digests:
        """The digests of the parts of a document."""
        return frozenset(self._digest(document, part) for part in parts_of(content, arns))

    def together(self, document: str, digests: Digests) -> str:
        """One digest for the digests of many parts."""
        return self._digest(document, " ".join(sorted(digests)))

    def change(self, step: Step) -> Change:
        """What a step removes and adds."""
        before = self.of(step.document, step.before, step.arns)
        after = self.of(step.document, step.after, step.arns)
        return Change(before - after, after - before)

    def _digest(self, document: str, text: str) -> str:
        found = self._known.get((document, text))
        if found is None:
            message = f"{len(document)} {document} {text}".encode(errors="surrogatepass")
            found = hmac.digest(self._key, message, "sha256")[:16].hex()
            self._known[document, text] = found
        return found

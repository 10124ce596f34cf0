# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse policy documents, and replace their statements without losing anything else.

This module util is private to the collection. Pure: documents in, new documents out, nothing is
changed in place. A raw statement is the dict that AWS returned, and is written back unchanged.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import PolicyError

RawStatement = dict[str, t.Any]
Document = dict[str, t.Any]
POLICY_VERSION = "2012-10-17"
_NOT_JSON = (
    "Run again, since the response may have been cut off. If the error persists, fix the policy "
    "in the AWS console."
)
_IN_CONSOLE = "Fix it in the AWS console first."
# A valid AWS policy has at most seven levels; Python cannot serialize more than several hundred.
_MAX_DEPTH = 300


def parse_policy(document: str | t.Mapping[str, t.Any] | None, name: str) -> Document:
    """Parse a policy document that AWS returned; ``None`` is an empty one. ``name`` is used in
    errors.
    """
    if document is None:
        return {"Version": POLICY_VERSION, "Statement": []}
    if isinstance(document, str):
        try:
            document = _json.loads(document)
        except ValueError as error:
            raise PolicyError(f"The {name} is not JSON: {error}.", _NOT_JSON) from error
    if not isinstance(document, dict):
        raise PolicyError(f"The {name} is not a JSON object.", _IN_CONSOLE)
    _check_writable(document, name)
    for index, raw in enumerate(statements_of(document)):
        _check_statement(raw, index, name)
    return document


def statements_of(document: t.Mapping[str, t.Any]) -> list[RawStatement]:
    """The raw statements of a document, in order; a single statement need not be in a list."""
    found = document.get("Statement")
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def with_statements(document: t.Mapping[str, t.Any], raws: t.Iterable[RawStatement]) -> Document:
    """The same document with other statements; Version and Id are kept."""
    return {**document, "Statement": list(raws)}


def free_sid(document: t.Mapping[str, t.Any], sid: str) -> str:
    """A Sid that no statement of the document has: the given one, or that one with the first unused
    number.
    """
    taken = {str(raw.get("Sid") or "") for raw in statements_of(document)}
    number, candidate = 1, sid
    while candidate in taken:
        number += 1
        candidate = f"{sid}{number}"
    return candidate


def describe_statement(raw: t.Mapping[str, t.Any], index: int) -> str:
    """The name of a statement in messages, by which the user finds it in the document."""
    sid = raw.get("Sid")
    return (
        f"Statement {index + 1} (Sid {sid!r})" if sid else f"Statement {index + 1} (without a Sid)"
    )


def statement_name(raw: t.Mapping[str, t.Any], index: int) -> str:
    """A short name of a statement for lists: its Sid, else its position, counted from 1."""
    return str(raw.get("Sid") or f"#{index + 1}")


def compact_json(document: t.Any) -> str:
    """A document as it is sent to AWS: JSON without white space, which AWS quotas do not count."""
    return _json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def length_of(document: Document) -> int:
    """How many characters of IAM's quotas a policy takes, which count no white space; one without
    statements is none.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    return len("".join(compact_json(document).split())) if statements_of(document) else 0


def as_list(value: t.Any) -> list[t.Any]:
    """A list unchanged, a scalar as a one-item list, ``None`` as an empty list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _check_writable(document: Document, name: str) -> None:
    """Reject what is valid JSON but cannot be sent: it would have to be written back."""
    level: list[t.Any] = [document]
    for _depth in range(_MAX_DEPTH):
        level = [
            value
            for one in level
            if isinstance(one, (dict, list))
            for value in (one.values() if isinstance(one, dict) else one)
        ]
    if level:
        raise _nested(name)
    try:
        compact_json(document).encode()
    except UnicodeEncodeError as error:
        raise PolicyError(
            f"The {name} contains an invalid Unicode character (an unpaired surrogate).",
            _IN_CONSOLE,
        ) from error


def _nested(name: str) -> PolicyError:
    return PolicyError(f"The {name} is too deeply nested for a policy.", _IN_CONSOLE)


def _check_statement(raw: t.Any, index: int, name: str) -> None:
    def refuse(what: str) -> t.NoReturn:
        raise PolicyError(f"Statement {index + 1} of the {name} {what}.", _IN_CONSOLE)

    if not isinstance(raw, dict):
        refuse("is not a JSON object")
    if raw.get("Effect") not in ("Allow", "Deny"):
        refuse("does not have the Effect Allow or Deny")
    if not isinstance(raw.get("Sid", ""), (str, type(None))):
        refuse("has a Sid that is not a string")
    condition = raw.get("Condition")
    if condition is not None and not (
        isinstance(condition, dict) and all(isinstance(keys, dict) for keys in condition.values())
    ):
        refuse("has a Condition that is not a JSON object of objects")
    for element in ("Principal", "NotPrincipal"):
        principal = raw.get(element)
        values = list(principal.values()) if isinstance(principal, dict) else [principal]
        if not all(isinstance(item, str) for value in values for item in as_list(value)):
            refuse(f"has a {element} with a value that is not a string")

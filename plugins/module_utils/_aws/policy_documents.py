# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decode the policy documents in IAM's answers, with the numbers in them as they came.

This module util is private to the collection. botocore decodes them with ``json``, which loses
numbers such as ``1e999``: https://botocore.amazonaws.com/v1/documentation/api/latest/reference/services/iam.html
"""

from __future__ import annotations

import contextlib
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._json import loads

# The shape of each string that holds a percent-encoded policy document.
_DOCUMENT_SHAPE = "policyDocumentType"
# The keys that hold one in a page of an account's roles or policies.
_DOCUMENT_KEYS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")
_PAGE = "GetAccountAuthorizationDetails"


def decode_exactly(client: t.Any) -> None:
    """Let a client for IAM decode policy documents with this function instead of botocore's. Those of
    a page stay as they came: see ``decoded()``.
    """
    from botocore.handlers import json_decode_policies

    events = client.meta.events
    events.unregister("after-call.iam", json_decode_policies)
    events.register("after-call.iam", _decode)


def _decode(parsed: dict[str, t.Any], model: t.Any, **_event: t.Any) -> None:
    if model.output_shape is not None and model.name != _PAGE:
        _decode_within(parsed, model.output_shape)


def decoded(part: t.Any) -> t.Any:
    """A copy of a part of a page, with its policy documents decoded: an account has thousands, few of
    which are asked for, and each is several times as large in memory as its text.
    """
    if isinstance(part, dict):
        return {
            key: _document(value)
            if key in _DOCUMENT_KEYS and isinstance(value, str)
            else decoded(value)
            for key, value in part.items()
        }
    return [decoded(item) for item in part] if isinstance(part, list) else part


def _decode_within(parsed: t.Any, shape: t.Any) -> None:
    if shape.type_name == "list":
        for item in parsed:
            _decode_within(item, shape.member)
    elif shape.type_name == "structure":
        for name in shape.members.keys() & parsed.keys():
            member = shape.members[name]
            if member.name == _DOCUMENT_SHAPE:
                parsed[name] = _document(parsed[name])
            else:
                _decode_within(parsed[name], member)


def _document(encoded: str) -> t.Any:
    """The document; its text where that is not JSON, which is for the reader of the policy to say."""
    text = urllib.parse.unquote(encoded)
    with contextlib.suppress(ValueError):
        return loads(text)
    return text

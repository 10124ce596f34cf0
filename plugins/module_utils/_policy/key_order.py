# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The elements of policies, in the order in which AWS's own pages write them.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import typing as t

STATEMENT_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_ORDER = ("Version", "Id", "Statement", *STATEMENT_ELEMENTS)
_RANKS = {key: rank for rank, key in enumerate(_ORDER)}


def in_aws_order(document: t.Any) -> t.Any:
    """A document with the keys of policies in AWS's order, and all others after them by name: two
    documents that differ only in the order of keys become the same text.
    """
    if isinstance(document, list):
        return [in_aws_order(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {key: in_aws_order(document[key]) for key in sorted(document, key=_place)}


def _place(key: str) -> tuple[int, str]:
    return _RANKS.get(key, len(_RANKS)), key

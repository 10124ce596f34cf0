# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diff of a document for one of the clouds that share it.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import diff_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

Json = dict[str, t.Any]


def document_diff(
    cloud: str, first: str, document: str, displayed: t.Callable[[], tuple[t.Any, t.Any]]
) -> Json:
    """What changed of a document for a cloud. It is displayed for the first of its clouds alone, since
    hundreds may share it. displayed: returns it before and after, as the user sees it.
    """
    head = f"{cloud}: {document}"
    if cloud == first:
        return diff_of(head, *displayed())
    return {"prepared": escape_control_chars(f"{head}: displayed for {first}\n")}

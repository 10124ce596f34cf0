# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The refusals of the Anyscale API."""

from __future__ import annotations

import typing as t


class ApiError(Exception):
    """An error answer: its HTTP status and what its ``detail`` says (a text, or the list of a 422)."""

    def __init__(self, status: int, detail: str | list[dict[str, t.Any]]) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail

    def body(self) -> dict[str, t.Any]:
        """The answer's JSON body."""
        if isinstance(self.detail, str):
            return {"error": {"detail": self.detail}}
        first = self.detail[0]
        message = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        return {"error": {"message": message, "detail": self.detail}}


def not_found(entity_id: str) -> ApiError:
    """Nothing has this id, or the caller may not know that something has."""
    return ApiError(404, f"Could not find entity with id {entity_id}")

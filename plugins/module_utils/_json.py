# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and write JSON that others wrote: each number goes back as it came, and nothing is written that
is not JSON.

This module util is private to the collection. Pure. ``json`` reads ``1e999`` as infinity, which it
writes as ``Infinity``, and rounds what has more digits than a float.
"""

from __future__ import annotations

import decimal
import json
import re
import secrets
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

# Python converts longer ones only where it is told to.
_MAX_INTEGER_DIGITS = 4000
_BUILTIN_SCALARS = (str, int, type(None))


class Number(float):
    """A number of a JSON text that Python would write in another way. Its value is the nearest
    float.
    """

    __slots__ = ("literal",)

    literal: str

    def __new__(cls, literal: str) -> Number:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.literal,)

    def __repr__(self) -> str:
        return self.literal

    @property
    def is_exact(self) -> bool:
        """Whether its float has the same value, so that only the notation differs."""
        try:
            return decimal.Decimal(self.literal) == decimal.Decimal(float.__repr__(self))
        except decimal.InvalidOperation:  # an exponent that is too large even for decimal
            return False


def loads(text: str | bytes) -> t.Any:
    """The document of a JSON text. Raises ValueError where it is not JSON, or is nested too deeply."""
    try:
        return json.loads(
            text, parse_float=_float, parse_int=_integer, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("it is too deeply nested") from None


def dumps(
    document: t.Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    separators: tuple[str, str] | None = None,
    ensure_ascii: bool = True,
) -> str:
    """A document as JSON, with the numbers of ``loads`` as they came. The options are those of
    ``json.dumps``. Raises InputError for what JSON cannot express.
    """
    marked: list[str] = []
    mark = ""
    try:
        if _any_float(document, _is_number):
            # Only where it is needed: to ask the system for it lets another thread run.
            mark = secrets.token_hex(16)
            document = _mapped(document, lambda number: _marked(number, mark, marked))
        text = json.dumps(
            document,
            indent=indent,
            sort_keys=sort_keys,
            separators=separators,
            ensure_ascii=ensure_ascii,
            allow_nan=False,
        )
    except RecursionError:
        raise _inexpressible("it is too deeply nested, or contains itself") from None
    except ValueError as error:
        raise _inexpressible(str(error)) from None
    return re.sub(rf'"{mark}:(\d+)"', lambda at: marked[int(at[1])], text) if marked else text


def plain(document: t.Any) -> t.Any:
    """A document for Ansible and for reports, which know ordinary numbers only: a number that has
    no exact float becomes text.
    """
    return _mapped(document, _ordinary) if _any_float(document, _is_odd) else document


def _float(literal: str) -> float:
    number = float(literal)
    return number if repr(number) == literal else Number(literal)


def _integer(literal: str) -> int | float:
    is_ordinary = literal != "-0" and len(literal) <= _MAX_INTEGER_DIGITS
    return int(literal) if is_ordinary else Number(literal)


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _inexpressible(why: str) -> InputError:
    return InputError(
        f"A document cannot be written as JSON: {why}.", "Correct the document, such as a number."
    )


def _is_number(value: float) -> bool:
    return isinstance(value, Number)


def _is_odd(value: float) -> bool:
    return isinstance(value, Number) or not _is_finite(value)


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")  # not for NaN either


def _ordinary(value: float) -> float | str:
    if isinstance(value, Number):
        return float(value) if value.is_exact and _is_finite(value) else value.literal
    return value if _is_finite(value) else str(value)


def _marked(value: float, mark: str, marked: list[str]) -> float | str:
    if not isinstance(value, Number):
        return value
    marked.append(value.literal)
    return f"{mark}:{len(marked) - 1}"


def _any_float(value: t.Any, holds: t.Callable[[float], bool]) -> bool:
    """Whether something holds for a float of a document."""
    if isinstance(value, float):
        return holds(value)
    if not isinstance(value, (dict, list, tuple)):
        return False
    # Neither a call for each text nor a generator, which would take as much of the stack again.
    for part in value.values() if isinstance(value, dict) else value:
        if not isinstance(part, _BUILTIN_SCALARS) and _any_float(part, holds):
            return True
    return False


def _mapped(value: t.Any, change: t.Callable[[float], t.Any]) -> t.Any:
    """A copy of a document in which each float is replaced."""
    if isinstance(value, float):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    return [_mapped(part, change) for part in value] if isinstance(value, (list, tuple)) else value

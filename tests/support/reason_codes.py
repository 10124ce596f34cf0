# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reason codes that modules can return, as their source has them and as they document them.

A code is a constant in the value of anything that is named ``reason`` or ``reasons``: a variable,
an argument, a field or a parameter. Functions and constants of the same file are followed.
"""

from __future__ import annotations

import ast
import importlib
import re
import typing as t
from pathlib import Path

import yaml

_NAMES = ("reason", "reasons")
_CODE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+\Z")
_DOCUMENTED = re.compile(r"V\((\w+)\)")


def codes_in(path: Path) -> set[str]:
    """The codes in the source of a file."""
    source = _Source(ast.parse(path.read_text()))
    return {code for value in source.reason_values() for code in source.constants(value)}


def documented_codes(module: str) -> set[str]:
    """The codes in the documentation of a module's returned values; empty where it returns none."""
    path = f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
    returns = yaml.safe_load(getattr(importlib.import_module(path), "RETURN", "") or "{}")
    texts = (" ".join(_lines(returns.get(name, {}).get("description"))) for name in _NAMES)
    return {code for text in texts for code in _DOCUMENTED.findall(text)}


def _lines(description: str | list[str] | None) -> list[str]:
    return [description] if isinstance(description, str) else description or []


class _Source:
    """A parsed file."""

    def __init__(self, tree: ast.Module) -> None:
        self._nodes = list(ast.walk(tree))
        self._functions = {
            node.name: node for node in self._nodes if isinstance(node, ast.FunctionDef)
        }
        self._constants = {
            name: value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for name, value in _pairs(node.targets[0], node.value)
        }
        self._parameters = {
            node.name: _parameters(node)
            for node in self._nodes
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }

    def reason_values(self) -> t.Iterator[ast.expr]:
        """All expressions whose value is a reason, or several."""
        for node in self._nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from (
                        value for name, value in _pairs(target, node.value) if name in _NAMES
                    )
            elif isinstance(node, ast.AugAssign) and _name(node.target) in _NAMES:
                yield node.value
            elif isinstance(node, ast.Call):
                yield from self._arguments(node)

    def _arguments(self, call: ast.Call) -> t.Iterator[ast.expr]:
        yield from (keyword.value for keyword in call.keywords if keyword.arg in _NAMES)
        if isinstance(call.func, ast.Attribute) and _name(call.func.value) in _NAMES:
            yield from call.args
        parameters = self._parameters.get(_name(call.func), ())
        yield from (
            value for name, value in zip(parameters, call.args, strict=False) if name in _NAMES
        )

    def constants(self, value: ast.AST, within: tuple[str, ...] = ()) -> set[str]:
        """The codes that an expression can have as its value, or within it."""
        found: set[str] = set()
        for node in ast.walk(value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if _CODE.match(node.value) else set()
            elif isinstance(node, ast.Name) and node.id not in within:
                found |= self._named(node.id, (*within, node.id))
        return found

    def _named(self, name: str, within: tuple[str, ...]) -> set[str]:
        if name in self._constants:
            constant = self._constants[name]
            values = constant.values if isinstance(constant, ast.Dict) else [constant]
            return {code for value in values for code in self.constants(value, within)}
        returns = (
            node.value
            for node in ast.walk(self._functions.get(name, ast.Module([], [])))
            if isinstance(node, ast.Return) and node.value
        )
        return {code for value in returns for code in self.constants(value, within)}


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr]]:
    """The names of an assignment, each with its value."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [(_name(one), other) for one, other in zip(target.elts, value.elts, strict=True)]
    return [(_name(target), value)]


def _parameters(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The names of a function's parameters, or of a dataclass's fields, in order."""
    if isinstance(node, ast.FunctionDef):
        return [argument.arg for argument in node.args.args]
    return [_name(field.target) for field in node.body if isinstance(field, ast.AnnAssign)]

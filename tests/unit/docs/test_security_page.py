# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on security: each line about what is stopped names its tests, and these exist."""

from __future__ import annotations

import ast
import functools
import re
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = (ROOT / "docs/docsite/rst/security.rst").read_text()
_TEST = re.compile(r"``(?P<file>tests/[\w/]+\.py)::(?P<name>[\w:]+)``")
_SECTION = re.compile(r"\n\n(?=[^\n]+\n-{3,}\n)")
_STOPPED, _NOT_STOPPED = "What is stopped:\n\n", "What is not:\n\n"


def _sections() -> dict[str, str]:
    """Those about one kind of people or programs, by their titles."""
    found = [section for section in _SECTION.split(PAGE) if _STOPPED in section]
    return {section.splitlines()[0]: section for section in found}


def _lines(title: str) -> list[str]:
    """What is stopped of them, line by line."""
    text = _sections()[title].partition(_STOPPED)[2].partition(_NOT_STOPPED)[0]
    return re.split(r"\n(?=\* )", text.strip())


@functools.cache
def _tests_in(file: str) -> frozenset[str]:
    """The tests of a file; those of a class with its name in front."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return frozenset(_functions(tree.body, ""))


def _functions(body: t.Iterable[ast.stmt], start: str) -> t.Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{node.name}::")
        elif isinstance(node, ast.FunctionDef):
            yield start + node.name


@pytest.mark.parametrize(("file", "name"), sorted(set(_TEST.findall(PAGE))))
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert name in _tests_in(file)


def test_no_test_is_named_in_another_form() -> None:
    assert PAGE.count("``tests/") == len(_TEST.findall(PAGE))


@pytest.mark.parametrize("title", _sections())
def test_each_line_about_what_is_stopped_names_its_tests(title: str) -> None:
    assert [line for line in _lines(title) if not _TEST.search(line)] == []


@pytest.mark.parametrize("title", _sections())
def test_each_section_says_what_is_trusted_and_what_is_not_stopped(title: str) -> None:
    section = _sections()[title]
    assert "\nTrusted with " in section
    assert section.partition(_NOT_STOPPED)[2].startswith("* ")


def test_all_whom_the_page_is_about() -> None:
    assert [title.lower() for title in _sections()] == [
        "the operator",
        "a member of the anyscale organization",
        "whoever can send to the queue of events",
        "the owner of an aws account, and other writers of its policies",
        "a local user of the controller",
        "a user of awx, and its jobs",
        "the apis, and who is between them and the controller",
    ]


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "security" in [name for section in sections for name in section["toctree"]]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generated parts of pages that are otherwise written by hand.

A part stands between two comments of reStructuredText, ``.. BEGIN <name>`` and ``.. END <name>``.
What follows the name in the first comment says which program writes the part. A part takes the
indentation of its first comment, so that it can belong to an item of a list.
"""

from __future__ import annotations

import re
import textwrap


def replace_part(page: str, name: str, text: str) -> str:
    """The page with another text between the marks of one part."""
    found = _find(page, name)
    body = textwrap.indent(text.strip("\n"), found["indent"])
    return f"{page[: found.start('body')]}\n{body}\n\n{page[found.end('body') :]}"


def part_of(page: str, name: str) -> str:
    """The text between the marks of one part, without its indentation."""
    return textwrap.dedent(_find(page, name)["body"]).strip("\n")


def parts(page: str) -> list[str]:
    """The names of all parts, in their order."""
    return re.findall(r"^ *\.\. BEGIN (\w+)", page, re.MULTILINE)


def _find(page: str, name: str) -> re.Match[str]:
    marks = rf"^(?P<indent> *)\.\. BEGIN {name}\b[^\n]*\n(?P<body>.*?)^(?P=indent)\.\. END {name}$"
    found = re.search(marks, page, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"The page lacks the marks '.. BEGIN {name}' and '.. END {name}'.")
    return found

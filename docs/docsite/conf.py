# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Sphinx needs to know to make the documentation a website. The nox session ``docsite`` builds it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

project = html_title = html_short_title = "rayfleet.anyscale"
copyright = "Rayfleet contributors"
# Without intersphinx no other site is asked, so that references to Ansible's own documentation lead
# nowhere here. Those to our own pages are checked by antsibull-docs' lint.
extensions = ["sphinx_antsibull_ext"]
suppress_warnings = ["ref.ref", "ref.envvar"]
default_role = "any"
nitpicky = True
pygments_style = "a11y-high-contrast-light"  # the theme brings these
pygments_dark_style = "a11y-high-contrast-dark"
highlight_language = "YAML+Jinja"
html_theme = "furo"  # system fonts, and no request to another site
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = html_use_index = html_copy_source = False

# What antsibull-docs writes on each page, and the theme refuses: it shows the contents beside the page.
_CONTENTS = re.compile(r"^\.\. contents::\n(?: +:.*\n)+\n", re.MULTILINE)
# How antsibull-docs begins the first page: the name in capitals, and a line of galaxy.yml.
_BEGINNING = re.compile(
    r"^Rayfleet\.Anyscale(?P<version>\n=+\n.*?)^Description\n-+\n\n[^\n]+\n",
    re.MULTILINE | re.DOTALL,
)
_FRONT_PAGE = Path(__file__).with_name("front_page.rst")
_UNDERLINE = re.compile(r"[-~]{3,}")
_KINDS = "module|callback|filter|inventory|lookup|role"
_DOCUMENT = re.compile(rf"(?P<indent> {{4}})(?P<file>(?P<name>\w+)_(?:{_KINDS}))")


def without_contents(page: str) -> str:
    """A page without the table of contents that the theme shows beside it."""
    return _CONTENTS.sub("", page)


def with_front_page(index: str, front_page: str) -> str:
    """The first page, beginning with what the collection is and where to begin."""
    index, found = _BEGINNING.subn(
        lambda match: f"rayfleet.anyscale{match['version']}{front_page}", index
    )
    if found != 1:
        raise ValueError("antsibull-docs begins its first page otherwise: see conf.py")
    return index


def with_captions(index: str) -> str:
    """The first page, for a theme that shows its tables of contents beside every page: each with a
    caption, and with short titles.
    """
    title = ""
    lines = index.splitlines()
    for number, line in enumerate(lines):
        if _UNDERLINE.fullmatch(line):
            title = lines[number - 1]
        elif line == ".. toctree::" and title:
            lines[number] = f"{line}\n    :caption: {title}"
        else:
            lines[number] = _DOCUMENT.sub(r"\g<indent>\g<name> <\g<file>>", line)
    return "\n".join(lines) + "\n"


def setup(app: t.Any) -> None:
    """Sphinx calls this: antsibull-docs writes the pages, and this rewrites them for the theme."""

    def read(_app: t.Any, name: str, source: list[str]) -> None:
        source[0] = without_contents(source[0])
        if name == "index":
            front_page = _FRONT_PAGE.read_text(encoding="utf-8")
            source[0] = with_captions(with_front_page(source[0], front_page))

    app.connect("source-read", read)

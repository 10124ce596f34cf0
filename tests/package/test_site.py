# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation as a website, after the session ``docsite`` has built it: whole, and a browser
that shows a page asks no other host.
"""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

SITE = CACHE / "site/html"
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?P<src>(?:https?:)?//[^"'\s>]+)
    |<link\b(?![^>]*rel=["']?(?:canonical|next|prev|author))[^>]*\bhref=["']?(?P<href>(?:https?:)?//[^"'\s>]+)
    |(?:url\(|@import)\s*["']?(?P<url>(?:https?:)?//[^"'\s)]+)""",
    re.VERBOSE,
)
FETCHED: dict[str, tuple[str, list[str]]] = {
    "a script of another host": (
        '<script defer src="https://cdn.example/x.js"></script>',
        ["https://cdn.example/x.js"],
    ),
    "a script without a scheme": (
        "<script src='//cdn.example/x.js'></script>",
        ["//cdn.example/x.js"],
    ),
    "a style sheet": (
        '<link rel="stylesheet" href="https://fonts.example/css" />',
        ["https://fonts.example/css"],
    ),
    "a picture": (
        '<p><img alt="build" src="http://badges.example/b.svg"></p>',
        ["http://badges.example/b.svg"],
    ),
    "a font in a style sheet": (
        "@font-face { src: url('https://fonts.example/f.woff2') }",
        ["https://fonts.example/f.woff2"],
    ),
    "an imported style sheet": (
        '@import "https://fonts.example/css";',
        ["https://fonts.example/css"],
    ),
    "two of them": (
        '<img src="//a.example/a"><img src="//b.example/b">',
        ["//a.example/a", "//b.example/b"],
    ),
    "its own script": ('<script src="_static/doctools.js"></script>', []),
    "a picture in the style sheet itself": (
        "background: url(data:image/svg+xml;charset=utf-8,x)",
        [],
    ),
    "a link that one may follow": (
        '<a class="reference external" href="https://docs.anyscale.com/">Anyscale</a>',
        [],
    ),
    "the page's own address": (
        '<link rel="canonical" href="https://docs.example/page.html" />',
        [],
    ),
}


def fetched(text: str) -> list[str]:
    """The addresses of other hosts that a browser fetches to show a page or a style sheet; links that
    one may follow are none.
    """
    return [next(filter(None, match.groups())) for match in _FETCHED.finditer(text)]


@pytest.mark.parametrize(("text", "addresses"), FETCHED.values(), ids=FETCHED)
def test_what_a_browser_fetches(text: str, addresses: list[str]) -> None:
    assert fetched(text) == addresses


def expected_pages() -> t.Iterator[str]:
    """The pages of the guide, and those of the modules."""
    for section in yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]:
        yield from (f"docsite/{name}.html" for name in section["toctree"])
    yield from (f"{path.stem}_module.html" for path in sorted(ROOT.glob("plugins/modules/*.py")))


@pytest.mark.parametrize("name", [*expected_pages()])
def test_the_page_is_there(name: str) -> None:
    assert (SITE / name).is_file()


def test_no_page_fetches_anything_from_another_host() -> None:
    read = [path for path in SITE.rglob("*.*") if path.suffix in (".html", ".css")]
    assert read
    assert {address for path in read for address in fetched(path.read_text())} == set()

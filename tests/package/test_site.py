# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation as a website, after the session ``docsite`` has built it: whole, without a link
that leads nowhere, and a browser that shows a page asks no other host.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit

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


# What docutils and the theme tell the author on the page itself. Of the theme's "ERROR" before a table
# of contents the builder knows nothing: it is in the style sheet.
_TOLD_THE_AUTHOR = re.compile(
    r'class="[^"]*(?:\b(?:system-message|problematic)\b|(?<![\w-])contents\b|\badmonition error\b)[^"]*"'
)
TOLD: dict[str, tuple[str, list[str]]] = {
    "docutils' message": (
        '<aside class="system-message">',
        ['class="system-message"'],
    ),
    "what docutils did not understand": (
        '<a href="#id1"><span class="problematic" id="id2">`x`</span></a>',
        ['class="problematic"'],
    ),
    "a table of contents, which the theme refuses": (
        '<nav class="contents local" id="contents">',
        ['class="contents local"'],
    ),
    "an error in a box": (
        '<div class="admonition error">',
        ['class="admonition error"'],
    ),
    "the theme's own contents": ('<div class="toc-drawer no-toc"><div class="x-contents">', []),
    "a note": ('<div class="admonition note">', []),
}


def told_the_author(html: str) -> list[str]:
    """What a page says to its author rather than to the reader. Without scripts, the page of the
    search says that it needs them.
    """
    return _TOLD_THE_AUTHOR.findall(re.sub(r"<noscript>.*?</noscript>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize(("html", "expected"), TOLD.values(), ids=TOLD)
def test_what_is_told_the_author(html: str, expected: list[str]) -> None:
    assert told_the_author(html) == expected


def html_pages() -> dict[Path, str]:
    """Every page of the site."""
    pages = {path: path.read_text() for path in sorted(SITE.rglob("*.html"))}
    assert pages
    return pages


def test_no_page_tells_its_author_anything() -> None:
    told = {path.name: told_the_author(html) for path, html in html_pages().items()}
    assert {name: found for name, found in told.items() if found} == {}


def test_every_link_within_the_site_leads_somewhere() -> None:
    """To a file that is there, and to a place in it."""
    pages = html_pages()
    places = {path: set(re.findall(r'\bid="([^"]*)"', html)) for path, html in pages.items()}
    nowhere = []
    for path, html in pages.items():
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', html):
            parts = urlsplit(link.replace("&amp;", "&"))
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or parts.netloc or target.suffix != ".html":
                continue
            place = unquote(parts.fragment)
            if target not in pages or (place and place not in places[target]):
                nowhere.append(f"{path.name}: {link}")
    assert nowhere == []

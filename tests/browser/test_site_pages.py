# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every page of the documentation's website in a real browser, on a phone and on a desk. The session
``docsite`` builds the site before.
"""

from __future__ import annotations

import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

SITE = CACHE / "site/html"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
WIDTHS = (400, 1100, 1400)  # a phone, and a desk without and with the page's contents beside it
# What Sphinx, docutils or the theme say to the author, who is not the reader. The theme says it in
# the style sheet alone, so that no builder warns of it.
COMPLAINTS = """() => [...document.querySelectorAll("article *")].flatMap(element => [
    ...(element.matches(".system-message, .problematic, .admonition.error") ? [element.outerHTML] : []),
    ...["::before", "::after"].map(part => getComputedStyle(element, part).content),
]).filter(text => /error|system-message|problematic/i.test(text))"""
# Of what a page is too wide for: what reaches beyond its right edge, and is in no box that scrolls.
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth
    const scrolls = element => element && element !== document.body
        && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement))
    return [...document.querySelectorAll("article, article *, .content, .mobile-header")]
        .filter(element => element.getBoundingClientRect().right > width + 1 && !scrolls(element))
        .map(element => element.outerHTML.slice(0, 120))
        .concat(document.documentElement.scrollWidth > width ? ["the page scrolls sideways"] : [])
}"""
# Tables that have to be scrolled, so that what is in their last column is not seen.
SCROLLED = """() => [...document.querySelectorAll(".table-wrapper")]
    .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.innerText.slice(0, 80))"""
ITS_TABLES_ARE_WIDE = "docsite/benchmark.html"  # many columns of figures
# Text that is hard to read on what is behind it: the contrast of WCAG 2.2 (success criterion 1.4.3).
FAINT = """() => {
    const channels = color => color.match(/[\\d.]+/g).map(Number)
    const brightness = color => channels(color).slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
    const behind = element => {
        const color = element ? getComputedStyle(element).backgroundColor : "rgb(255, 255, 255)"
        return (channels(color)[3] ?? 1) > 0.5 ? color : behind(element.parentElement)
    }
    const faint = {}
    for (const element of document.querySelectorAll("article *")) {
        const text = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE)
            .map(node => node.data.trim()).join("")
        if (!text || !element.checkVisibility() || element.closest("svg, .headerlink")) continue
        const color = getComputedStyle(element).color
        const background = behind(element)
        const [dark, light] = [brightness(color), brightness(background)].sort((a, b) => a - b)
        const contrast = (light + 0.05) / (dark + 0.05)
        if (contrast < 4.5) faint[`${contrast.toFixed(1)}: ${color} on ${background}`] = text.slice(0, 40)
    }
    return faint
}"""
LINKS_HOME = """() => [...document.querySelectorAll(".sidebar-brand, .mobile-header a")]
    .map(link => link.href)"""


@pytest.fixture(scope="module")
def page(browser: t.Any) -> t.Iterator[t.Any]:
    """One tab for all pages."""
    tab = browser.new_page()
    yield tab
    tab.close()


def test_the_site_is_built() -> None:
    assert "index.html" in PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_as_readers_see_it(page: t.Any, name: str) -> None:
    """It says nothing to its author, has a title, leads to the first page, is as wide as the screen,
    and can be read by day and by night.
    """
    page.goto((SITE / name).as_uri())
    assert page.title().strip(" -")
    assert page.locator("article h1").count() == (0 if name == "search.html" else 1)
    assert page.evaluate(COMPLAINTS) == []
    home = {Path(unquote(urlsplit(link).path)) for link in page.evaluate(LINKS_HOME)}
    assert home == {SITE / "index.html"}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(TOO_WIDE) == [], f"at {width} px"
    assert page.evaluate(SCROLLED) == [] or name == ITS_TABLES_ARE_WIDE
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(FAINT) == {}, scheme

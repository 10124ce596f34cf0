# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The website: what its pages would fetch from elsewhere, and what becomes of the first page for
its theme.
"""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.tests.tools.docsite import (
    expected_pages,
    fetched,
    with_captions,
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


@pytest.mark.parametrize(("text", "addresses"), FETCHED.values(), ids=FETCHED)
def test_what_a_browser_fetches(text: str, addresses: list[str]) -> None:
    assert fetched(text) == addresses


INDEX = """\
Rayfleet.Anyscale
=================

.. contents::
   :local:
   :depth: 1

Guide
-----

.. toctree::
    :maxdepth: 1

    docsite/fleet

Modules
~~~~~~~

.. toctree::
    :maxdepth: 1
    :hidden:

    iam_trust_ec2_module
"""
FOR_THE_THEME = """\
Rayfleet.Anyscale
=================

Guide
-----

.. toctree::
    :caption: Guide
    :maxdepth: 1

    docsite/fleet

Modules
~~~~~~~

.. toctree::
    :caption: Modules
    :maxdepth: 1
    :hidden:

    iam_trust_ec2 <iam_trust_ec2_module>
"""


def test_the_first_page_for_the_theme() -> None:
    assert with_captions(INDEX) == FOR_THE_THEME


def test_pages_of_the_guide_and_of_modules_are_expected() -> None:
    assert {
        "docsite/first_cloud.html",
        "docsite/permissions.html",
        "iam_trust_ec2_module.html",
    } <= set(expected_pages())

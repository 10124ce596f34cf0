# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as one HTML file that asks for nothing outside itself.

This plugin util is private to the collection. Markup, style and script are files of their own in
the folder ``report``. The data are embedded as JSON, which the script shows as text alone. The
page's own policy allows it no other script or style than these, by their hashes, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import string
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

_FOLDER = Path(__file__).with_name("assets")
# In their order: later rules win, and what a script calls while it is read comes before it.
_STYLES = ("base.css", "scorecard.css", "grid.css", "evidence.css", "screens.css", "paper.css")
_SCRIPTS = (
    "dom.js",
    "model.js",
    "charts.js",
    "grid.js",
    "diff.js",
    "evidence.js",
    "paper.js",
    "page.js",
)
# What could end the element that the data are in, or begin another one. In JSON these stand only in
# strings.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

Json = t.Mapping[str, t.Any]


def to_html(report: Json) -> str:
    """The page, with all that it needs."""
    style = "\n".join(map(_source, _STYLES))
    script = "\n".join(
        ('(() => {\n"use strict";', *map(_source, _SCRIPTS), "})();")
    )  # so that its names are its own
    page = string.Template(_source("page.html"))
    return page.substitute(
        policy=_policy(style, script),
        style=style,
        script=script,
        report=_embedded(_compact(report)),
    )


def _policy(style: str, script: str) -> str:
    """The page's Content-Security-Policy."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _embedded(data: Json) -> str:
    """JSON for a script element: ASCII alone, so that line separators are escaped too."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)


def _compact(report: Json) -> dict[str, t.Any]:
    """The report, with a column for each check. A column is headed by the title of a check that
    passes, and a check has a title of its own only where that differs: a fleet has thousands.
    """
    passing = {check.id: check.title for check in CHECKS}
    titles = {
        check["id"]: passing.get(check["id"], check["title"])
        for cloud in report["clouds"]
        for check in cloud["checks"]
    }
    return {
        **report,
        "columns": [{"id": check_id, "title": title} for check_id, title in titles.items()],
        "clouds": [
            {
                **cloud,
                "checks": [
                    {
                        key: value
                        for key, value in check.items()
                        if value and (key, value) != ("title", titles[check["id"]])
                    }
                    for check in cloud["checks"]
                ],
            }
            for cloud in report["clouds"]
        ],
    }

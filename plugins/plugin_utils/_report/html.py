# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as one self-contained HTML file.

This plugin util is private to the collection. Markup, styles and scripts are separate files in the
directory ``assets``. The data is embedded as JSON, which the scripts display only as text. The
page's Content-Security-Policy allows only these styles and scripts, by their hashes, and no
requests.
"""

from __future__ import annotations

import base64
import hashlib
import string
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_data
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import json_parts

_FOLDER = Path(__file__).with_name("assets")
# The order matters: later rules take precedence, and scripts call functions of earlier ones when
# they are loaded.
_STYLES = ("base.css", "scorecard.css", "grid.css", "evidence.css", "screens.css", "paper.css")
_SCRIPTS = (
    "dom.js",
    "model.js",
    "charts.js",
    "grid.js",
    "diff.js",
    "evidence.js",
    "running.js",
    "paper.js",
    "address.js",
    "page.js",
)
# Characters that could end the element with the data, or begin another one. In JSON they occur only
# in strings.
_HERE = "\0"  # where the data is put
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

Json = t.Mapping[str, t.Any]


def to_html(report: Json) -> t.Iterator[str]:
    """The complete page, cloud by cloud."""
    style = "\n".join(map(_source, _STYLES))
    # A function scope, so that the scripts define no global names
    script = "\n".join(('(() => {\n"use strict";', *map(_source, _SCRIPTS), "})();"))
    page = string.Template(_source("page.html"))
    text = page.substitute(policy=_policy(style, script), style=style, script=script, report=_HERE)
    before, _here, after = text.partition(_HERE)
    yield before
    yield from json_parts(_compact(report), "clouds", _embedded)
    yield after


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


def _embedded(data: t.Any) -> str:
    """JSON for a script element, in ASCII, so that line separators are escaped too. Its texts are only
    displayed.
    """
    return _json.dumps(escape_data(data), ensure_ascii=True, separators=(",", ":")).translate(
        _ESCAPES
    )


def _compact(report: Json) -> dict[str, t.Any]:
    """The report, with a column for each check. A column is headed by the title of a check that
    passes, and a check has a title of its own only where that differs, because a fleet repeats it
    thousands of times.
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
        "clouds": (
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
        ),
    }

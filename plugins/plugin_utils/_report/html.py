# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as one self-contained HTML file.

This plugin util is private to the collection. The page's frame, styles and script are separate files
in the directory ``assets``. What needs attention is markup; the rest is embedded as JSON, which the
script displays only as text. The page's Content-Security-Policy allows only these styles and this
script, by their hashes, and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import re
import string
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_data
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.figures import findings_in
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.filters import filters
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    STATES,
    json_parts,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.overview import (
    masthead,
    overview,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.rows import (
    cloud_row,
    running,
)

_FOLDER = Path(__file__).with_name("assets")
_STYLES = ("base.css", "page.css", "paper.css")  # later rules take precedence
# Characters that could end the element with the data, or begin another one. In JSON they occur only
# in strings.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_ROWS, _DATA = "\0", "\1"  # where they are put: no text of the page has these
_PASSES = ("status", "pass")  # which most checks do, so that it is not said
_DIGITS = re.compile(r"([0-9]+)")

Json = t.Mapping[str, t.Any]


def to_html(report: Json) -> t.Iterator[str]:
    """The complete page, cloud by cloud, the worst first."""
    clouds = sorted(report["clouds"], key=_worst_first)
    style = "\n".join(map(_source, _STYLES))
    script = _source("page.js")
    page = string.Template(_source("page.html")).substitute(
        policy=_policy(style, script),
        style=style,
        script=script,
        masthead=masthead(report),
        overview=overview(report),
        filters=filters(report),
        running=running(clouds) or "",
        rows=_ROWS,
        data=_DATA,
    )
    before, _rows, rest = page.partition(_ROWS)
    between, _data, after = rest.partition(_DATA)
    yield before
    yield from map(cloud_row, clouds)
    yield between
    yield from json_parts(_data_of(clouds), "clouds", _embedded)
    yield after


def _worst_first(cloud: Json) -> tuple[t.Any, ...]:
    """The order of clouds: by state, number of findings, and name with numbers in numeric order."""
    parts = _DIGITS.split(cloud["name"].casefold())
    digits = [part.lstrip("0") for part in parts[1::2]]
    name = [
        *zip(parts[::2], [(len(number), number) for number in digits], strict=False),
        (parts[-1], (0, "")),
    ]
    return STATES.index(cloud["state"]), -len(findings_in(cloud)), name


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


def _data_of(clouds: t.Sequence[Json]) -> dict[str, t.Any]:
    """What the script shows of each row, in the order of the rows. The title of a check that passes is
    said once, because a fleet repeats it thousands of times.
    """
    titles = {check.id: check.title for check in CHECKS}
    return {"titles": titles, "clouds": (_details(cloud, titles) for cloud in clouds)}


def _details(cloud: Json, titles: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The facts of a cloud, and the checks that need no attention."""
    found = {check["id"] for check in findings_in(cloud)}
    return {
        "facts": _facts(cloud["cloud"] or {}),
        "groups": _node_groups(cloud["cloud"] or {}),
        "checks": [
            {
                key: value
                for key, value in check.items()
                if value and (key, value) not in (("title", titles.get(check["id"])), _PASSES)
            }
            for check in cloud["checks"]
            if check["id"] not in found
        ],
    }


def _facts(facts: Json) -> dict[str, t.Any]:
    """The facts that are known, by their names on the page."""
    role, bucket = facts.get("role") or {}, facts.get("bucket") or {}
    profiles = facts.get("instance_profiles") or []
    shown = {
        "cloud name": facts.get("cloud_name"),
        "default role": facts.get("default_role_arn"),
        "default role source": facts.get("default_role_source"),
        "role": role.get("arn"),
        "role ID": role.get("id"),
        "permissions boundary": role.get("permissions_boundary"),
        "instance profiles": [one.get("arn") or one.get("name") for one in profiles],
        "control-plane role": facts.get("control_plane_role_arn"),
        "bucket": bucket.get("name"),
        "bucket region": bucket.get("region"),
        "Cloud IAM mappings": facts.get("iam_mappings"),
    }
    return {key: value for key, value in shown.items() if value}


def _node_groups(facts: Json) -> list[list[str]]:
    """The rows of the table of node groups."""
    return [
        [
            f"{config['name']}:{config['version']}",
            group["node_group"],
            group["instance_profile_arn"],
            str(group["decided_by"]).replace("_", " "),
        ]
        for config in facts.get("compute_configs") or ()
        for group in config.get("node_groups") or ()
    ]

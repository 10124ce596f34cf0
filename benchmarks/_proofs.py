# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shows that a run did what it is measured for, from what it printed and wrote."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks._workplace import AUDIT_FOLDER

# From the folder of a run, its output, the number of clouds and of the drifted ones among them:
# what is wrong, empty where nothing is.
Proof = t.Callable[[Path, str, int, int], str]

_HOST = re.compile(r"\|--([^@:\s]+)$", re.MULTILINE)
_CHANGED = re.compile(r"^cloud-\d+ +: .*\bchanged=[1-9]", re.MULTILINE)


def none(folder: Path, output: str, clouds: int, drifted: int) -> str:
    """Nothing: the server knows."""
    return ""


def listed(folder: Path, output: str, clouds: int, drifted: int) -> str:
    """That the inventory has every cloud."""
    return _wrong("hosts were listed", len(set(_HOST.findall(output))), clouds)


def would_change(folder: Path, output: str, clouds: int, drifted: int) -> str:
    """That every cloud would be changed, according to the recap."""
    return _wrong("clouds would be changed", len(_CHANGED.findall(output)), clouds)


def audited(folder: Path, output: str, clouds: int, drifted: int) -> str:
    """That the report has every cloud, and shows just those as failing that have drifted."""
    report = folder / AUDIT_FOLDER / "report.json"
    if not report.exists():
        return "no report was written"
    states = json.loads(report.read_text())["totals"]["clouds"]
    found = {
        "clouds are in the report": (sum(states.values()), clouds),
        "clouds failed a check": (states["fail"], drifted),
        "clouds could not be audited": (states["error"] + states["unknown"], 0),
    }
    return "; ".join(filter(None, (_wrong(what, *counts) for what, counts in found.items())))


def _wrong(what: str, count: int, expected: int) -> str:
    return "" if count == expected else f"{count} {what}, not {expected}"

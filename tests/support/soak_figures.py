# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the figures of a long run, for the documentation's page on guarantees."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

FOLDER = CACHE / "soak"


def record(
    name: str, title: str, figures: t.Mapping[str, int | float | str], folder: Path = FOLDER
) -> None:
    """Keep the result of a test. name: of the file; title: what was tried, for readers."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "title": title, "figures": dict(figures)}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")

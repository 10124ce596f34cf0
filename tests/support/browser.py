# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the browser that the tests drive: a chromium of the system's that does show a page."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60


def find_browser() -> str | None:
    """The path of the first program that shows a page. One that is there may lack its libraries, or
    see no files of ours.
    """
    return next(
        (path for path in map(shutil.which, PROGRAMS) if path and _shows_a_page(path)), None
    )


def _shows_a_page(program: str) -> bool:
    # What the browser has started may still write into its profile when it has ended itself.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "page.html"
        page.write_text("<p>seen</p>")
        options = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder}/profile",
            "--dump-dom",
        )
        try:
            done = subprocess.run(
                [program, *options, page.as_uri()],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return b"<p>seen</p>" in done.stdout

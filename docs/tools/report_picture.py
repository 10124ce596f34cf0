# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the picture of a report that README shows: the top of the page of the demo's first audit."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.support.browser import PROGRAMS, find_browser
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

REPORT = CACHE / "demo/before/report.html"
PICTURE = ROOT / "docs/images/report.webp"
_SIZE = "1100,1420"
_SECONDS = 60


def take(report: Path = REPORT, picture: Path = PICTURE) -> None:
    """Write the picture of a report."""
    program = find_browser()
    if program is None:
        sys.exit(f"No browser shows a page here: {', '.join(PROGRAMS)}")
    if not report.exists():
        sys.exit(f"{report} does not exist. Run make demo.")
    picture.parent.mkdir(exist_ok=True)
    # What the browser has started may still write into its profile when it has ended itself.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            f"--window-size={_SIZE}",
            f"--user-data-dir={profile}",
            f"--screenshot={picture}",
        )
        subprocess.run(
            [program, *options, report.as_uri()], check=True, capture_output=True, timeout=_SECONDS
        )


if __name__ == "__main__":
    take()

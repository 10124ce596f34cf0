# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program is taken for a browser: one that shows a page, not one that is merely there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.support.browser import find_browser

SHOWS = '#!/bin/sh\nfor page; do :; done\nexec /bin/cat "${page#file://}"\n'
LACKS_A_LIBRARY = "#!/bin/sh\necho 'cannot open shared object file' >&2\nexit 127\n"
SEES_NO_FILES = "#!/bin/sh\necho '<html>ERR_FILE_NOT_FOUND</html>'\n"
NO_PROGRAM = "\x7fELF of another machine"

CASES: dict[str, tuple[dict[str, str], str | None]] = {
    "none is installed": ({}, None),
    "it shows a page": ({"chromium": SHOWS}, "chromium"),
    "it lacks a library": ({"chromium": LACKS_A_LIBRARY}, None),
    "it sees no files of ours": ({"chromium": SEES_NO_FILES}, None),
    "it is for another machine": ({"chromium": NO_PROGRAM}, None),
    "only the second one works": (
        {"chromium": LACKS_A_LIBRARY, "google-chrome": SHOWS},
        "google-chrome",
    ),
}


@pytest.mark.parametrize(("programs", "found"), CASES.values(), ids=CASES)
def test_find_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], found: str | None
) -> None:
    for name, script in programs.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() == (str(tmp_path / found) if found else None)

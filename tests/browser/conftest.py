# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real browser for the audit's page and the website: chromium, driven by playwright. Without one
of the two the tests are skipped.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.html import to_html
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.tests.support.browser import PROGRAMS, find_browser

Json = dict[str, t.Any]


@pytest.fixture(scope="session")
def browser() -> t.Iterator[t.Any]:
    """The browser, started once."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the Python package playwright is not installed"
    )
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser shows a page here: {', '.join(PROGRAMS)}")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=["--disable-gpu"])
        yield running
        running.close()


@dataclasses.dataclass
class Opened:
    """A page that is open, and what it did that a page of ours must not do."""

    page: t.Any
    address: str
    complaints: list[str] = dataclasses.field(default_factory=list)
    requests: list[str] = dataclasses.field(default_factory=list)

    def watch(self) -> None:
        """Note each error, each dialog and each request."""
        self.page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on(
            "dialog",
            lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()),
        )
        self.page.on("request", lambda request: self.requests.append(request.url))

    def names(self) -> list[str]:
        """The clouds whose rows are there, in their order."""
        return self.page.locator("#clouds > .cloud:not([hidden]) .cloud-name").all_text_contents()

    def shown(self) -> str:
        """How many clouds the page says that it shows."""
        return self.page.inner_text("#shown")


Open = t.Callable[..., Opened]


@pytest.fixture
def open_report(browser: t.Any, tmp_path: Path) -> t.Iterator[Open]:
    """Open the page on these results from a file. At the end nothing may have gone wrong in it, or
    been asked for outside.
    """
    opened: list[Opened] = []

    def run(
        results: Json,
        previous: Json | None = None,
        organization: str | None = None,
        **settings: t.Any,
    ) -> Opened:
        before = (
            None
            if previous is None
            else make_report(previous.items(), "2026-11-18T06:00:11Z", "0.2.0")
        )
        path = tmp_path / "report.html"
        report = make_report(results.items(), "2026-11-25T06:00:14Z", "0.2.0", before)
        page = to_html({**report, "organization": organization})
        path.write_text("".join(page), encoding="utf-8")
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 1000}, **settings})
        opened.append(Opened(page, path.as_uri()))
        opened[-1].watch()
        page.goto(path.as_uri())
        return opened[-1]

    yield run
    for seen in opened:
        seen.page.close()
        assert seen.complaints == []
        assert [
            url
            for url in seen.requests
            if url.partition("#")[0] != seen.address and not url.startswith("data:")
        ] == []

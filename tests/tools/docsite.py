# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation as a website: built by antsibull-docs and Sphinx without a warning, whole, and
asking nobody for anything.
"""

from __future__ import annotations

import re
import shutil
import typing as t
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

SITE = CACHE / "site"
COLLECTION = "rayfleet.anyscale"
DOCSITE = ROOT / "docs/docsite"
_GENERATE = (
    (
        "antsibull-docs",
        "sphinx-init",
        "--use-current",
        "--squash-hierarchy",
        "--sphinx-theme",
        "furo",
        "--dest-dir",
        ".",
    )
    + (
        "--project",
        COLLECTION,
        "--title",
        COLLECTION,
        "--copyright",
        "Rayfleet contributors",
        COLLECTION,
    ),
    (
        "antsibull-docs",
        "--config-file",
        "antsibull-docs.cfg",
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
    )
    + ("--dest-dir", "rst", COLLECTION),
)
# Without intersphinx no other site is asked, so that references to Ansible's own documentation lead
# nowhere here. Those to our own pages are looked at by antsibull-docs' lint.
_MORE_CONF = """
intersphinx_mapping = {}
suppress_warnings = ["ref.ref", "ref.envvar"]
html_static_path = ["static"]
html_css_files = ["site.css"]
"""
_CONTENTS = re.compile(r"^\.\. contents::\n(?: +:.*\n)+\n", re.MULTILINE)
_UNDERLINE = re.compile(r"[-~]{3,}")
_DOCUMENT = re.compile(
    r"(?P<indent> {4})(?P<file>(?P<name>\w+)_(?:module|callback|filter|inventory|lookup|role))"
)
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?P<src>(?:https?:)?//[^"'\s>]+)
    |<link\b(?![^>]*rel=["']?(?:canonical|next|prev|author))[^>]*\bhref=["']?(?P<href>(?:https?:)?//[^"'\s>]+)
    |(?:url\(|@import)\s*["']?(?P<url>(?:https?:)?//[^"'\s)]+)""",
    re.VERBOSE,
)


def build_site(part: Part, venv: Path) -> None:
    """Build the site with the tools of an environment, and look at what came out."""
    shutil.rmtree(SITE, ignore_errors=True)
    (SITE / "rst").mkdir(
        mode=0o700, parents=True
    )  # antsibull-docs wants it to be its owner's alone
    SITE.chmod(0o700)
    env = clean_environment(venv)
    if not all(part.run(*command, cwd=SITE, env=env, closing=0) for command in _GENERATE):
        return
    with (SITE / "conf.py").open("a") as conf:
        conf.write(_MORE_CONF)
    shutil.copytree(DOCSITE / "static", SITE / "static")
    for image in (DOCSITE / "rst").glob("*.svg"):  # antsibull-docs takes the pages alone
        shutil.copy(image, SITE / "rst/docsite")
    index = SITE / "rst/index.rst"
    index.write_text(with_captions(index.read_text()))
    if part.run(
        "sphinx-build",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-c",
        ".",
        "-d",
        "doctrees",
        "rst",
        "html",
        cwd=SITE,
        env=env,
    ):
        inspect_site(part, SITE / "html")


def with_captions(index: str) -> str:
    """The first page, for a theme that shows its tables of contents beside every page: each with a
    caption, and with short titles.
    """
    index = _CONTENTS.sub("", index)
    title = ""
    lines = index.splitlines()
    for number, line in enumerate(lines):
        if _UNDERLINE.fullmatch(line):
            title = lines[number - 1]
        elif line == ".. toctree::" and title:
            lines[number] = f"{line}\n    :caption: {title}"
        else:
            lines[number] = _DOCUMENT.sub(r"\g<indent>\g<name> <\g<file>>", line)
    return "\n".join(lines) + "\n"


def inspect_site(part: Part, html: Path) -> None:
    """Every page of the guide and every plugin is there, and a browser that shows a page asks no
    other host.
    """
    missing = [name for name in expected_pages() if not (html / name).is_file()]
    if missing:
        part.fail(f"the site lacks {', '.join(missing)}")
    outside = sorted(
        {
            address
            for path in html.rglob("*.*")
            if path.suffix in (".html", ".css")
            for address in fetched(path.read_text())
        }
    )
    if outside:
        part.fail(f"the site's pages would fetch {', '.join(outside)}")
    part.say(
        f"{html.relative_to(ROOT)}/index.html: {len(list(html.rglob('*.html')))} pages, "
        f"{_size(html) // 1024} KB"
    )


def expected_pages() -> t.Iterator[str]:
    """The files of the guide's pages and of the modules' documentation."""
    for section in yaml.safe_load((DOCSITE / "extra-docs.yml").read_text())["sections"]:
        yield from (f"docsite/{name}.html" for name in section["toctree"])
    yield from (f"{path.stem}_module.html" for path in sorted(ROOT.glob("plugins/modules/*.py")))


def fetched(text: str) -> list[str]:
    """The addresses of other hosts that a browser fetches to show a page or a style sheet; links
    that one may follow are none.
    """
    return [next(filter(None, match.groups())) for match in _FETCHED.finditer(text)]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

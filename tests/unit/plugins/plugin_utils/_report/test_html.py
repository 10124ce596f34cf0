# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a page: whole, its data nothing but data, and its own policy true to what is in it."""

from __future__ import annotations

import base64
import hashlib
import html
import html.parser
import json
import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import (
    escape_control_chars,
    escape_data,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.html import to_html
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    fleet,
    result,
)

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\u2028\u2029",
    "$report ${script} $$",
    "\"'`&lt;&amp;",
    "\ud800",
    "{{ 1 }}",
]


PLAIN = {"reason": "No.", "remedy": "{}", "evidence": {"other": ["x"], "before": "x"}}


class Page(html.parser.HTMLParser):
    """A page as a parser sees it: its elements, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.texts.append((tag, ""))

    def handle_data(self, data: str) -> None:
        """Add to the text of the script or style that is open."""
        if self.cdata_elem:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)

    @property
    def policy(self) -> dict[str, str]:
        """The directives of its Content-Security-Policy."""
        [content] = [
            attrs["content"]
            for tag, attrs in self.elements
            if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
        ]
        return dict(directive.strip().split(" ", 1) for directive in str(content).split(";"))


def page(results: dict[str, t.Any]) -> str:
    """The page on these results."""
    return "".join(to_html(make_report(results.items(), "2026-11-25T06:00:14Z", "0.2.0")))


def embedded(text: str) -> t.Any:
    """The data in a page, as its script gets them."""
    return json.loads(Page(text).texts[1][1])


def shown_in(text: str) -> str:
    """The page as people read it, without its scripts."""
    return html.unescape(re.sub(r"<[^>]*>", "", text[: text.index('id="report"')]))


def test_the_page_holds_the_whole_report() -> None:
    """What is wrong is markup, all else is data; titles of checks that pass are said once."""
    report = make_report(fleet(40).items(), "2026-11-25T06:00:14Z", "0.2.0")
    text = "".join(to_html(report))
    data, shown = embedded(text), shown_in(text)
    order = re.findall(r'<details class="cloud" data-name="([^"]*)"', text)
    assert sorted(order) == sorted(cloud["name"] for cloud in report["clouds"])
    details = dict(zip(order, data["clouds"], strict=True))
    for cloud in report["clouds"]:
        quiet = {found["id"]: found for found in details[cloud["name"]]["checks"]}
        for check_ in cloud["checks"]:
            if check_["status"] in ("fail", "warn", "unknown"):
                assert check_["title"] in shown
                assert check_["reason"] in shown
                assert check_["id"] not in quiet
            else:
                plain = {"status": "pass", "title": data["titles"][check_["id"]], "evidence": {}}
                empty = {"remedy": "", "command": "", "change": None}
                assert {**plain, **empty, **quiet[check_["id"]]} == check_
        facts = cloud["cloud"] or {}
        assert details[cloud["name"]]["facts"].get("default role") == facts.get("default_role_arn")


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_value_stays_a_value(value: str) -> None:
    """It comes back as people can see it, and makes no element of its own."""
    shown = escape_control_chars(value)
    evil = {"reason": value, "remedy": value, "evidence": {value: [value], "before": value}}
    found = {
        value: result(
            "vision",
            check("trust_ec2", "fail", **evil),
            check("bucket_deny", "pass", **evil),
            account_id=value,
        )
    }
    made = page(found)
    plain = page(
        {"vision": result("vision", check("trust_ec2", "fail", **PLAIN), check("bucket_deny"))}
    )
    [cloud] = embedded(made)["clouds"]
    assert cloud["checks"] == [{"id": "bucket_deny", **escape_data(evil)}]
    [row] = [attributes for tag, attributes in Page(made).elements if "data-name" in attributes]
    assert row["data-name"] == shown
    assert row["data-account"] == shown
    assert shown in shown_in(made)
    assert [tag for tag, _attributes in Page(made).elements] == [
        tag for tag, _attributes in Page(plain).elements
    ]


def test_the_data_are_ascii_without_markup() -> None:
    """So that no parser and no encoding can take them for something else."""
    text = page({value: result("vision", check("trust_ec2", reason=value)) for value in HOSTILE})
    data = Page(text).texts[1][1]
    assert data.isascii()
    assert not re.search(r"[<>&]", data)


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    """One style and one script, by their hashes; no request, no base, no form, no markup from text."""
    parsed = Page(page(fleet(3)))
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for tag, text in parsed.texts
    }
    assert [tag for tag, _text in parsed.texts] == ["style", "script", "script"]
    assert parsed.policy == {
        "default-src": "'none'",
        "style-src": hashes["style"],
        "script-src": hashes["script"],  # of the two, the last; the other one holds data
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_nothing_in_the_page_leads_outside() -> None:
    """No address to load from, no handler and no style in an attribute, which its policy would
    refuse.
    """
    for tag, attributes in Page(page(fleet(3))).elements:
        assert not {"src", "srcset", "action", "style"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert attributes.get("href", "#").startswith(("#", "data:")), tag


@pytest.mark.parametrize(
    "sink",
    [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "fetch(",
        "XMLHttp",
    ],
)
def test_the_script_has_no_way_to_make_markup_of_text_or_to_ask_for_anything(sink: str) -> None:
    """Values are shown as text nodes alone."""
    assert sink not in Page(page({})).texts[2][1]


def test_a_number_that_python_has_not_is_shown_as_it_came() -> None:
    """In a document, where AWS keeps it as it was written."""
    document = _json.loads('{"Statement": 1e999}')
    found = check("trust_ec2", "fail", evidence={"before": document, "other": [document]})
    assert shown_in(page({"vision": result("vision", found)})).count("1e999") == 2


def test_a_fleet_without_clouds_has_a_page() -> None:
    """It is empty, not broken."""
    assert embedded(page({}))["clouds"] == []

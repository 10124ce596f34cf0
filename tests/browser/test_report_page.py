# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's page in a real browser: what people see, find, open, copy and print, and what no
value may do.
"""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.tests.browser.conftest import Open, Opened
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    TITLES,
    check,
    fleet,
    result,
    trust_policy,
)

Json = dict[str, t.Any]

BEFORE = trust_policy("lambda.amazonaws.com", "ecs.amazonaws.com", "glue.amazonaws.com")
AFTER = {
    **BEFORE,
    "Statement": [*BEFORE["Statement"][:2], {**BEFORE["Statement"][2], "Sid": "Mine"}],
}
REMEDY = 'ansible-playbook x \\\n  --limit "search-dev"'
FAILING_TITLE = "EC2 cannot assume the role, or only under a condition"
WARNING_TITLE = (
    "The role does not have all access to the bucket, or by a statement that has to change"
)
UNKNOWN_TITLE = "It is unknown whether EC2 can assume the role"
DRIFT = check(
    "trust_ec2",
    "fail",
    reason="EC2 is missing.",
    evidence={"before": BEFORE, "after": AFTER, "role": "r"},
    remedy=REMEDY,
)
SMALL = {
    "vision-prod": result("vision-prod", check("trust_ec2"), check("bucket_access")),
    "search-dev": result(
        "search-dev",
        DRIFT,
        check("bucket_access", "warn", reason="Nearly."),
        account_id="333333333333",
    ),
    "speech-lab": result(
        "speech-lab", check("trust_ec2", "unknown"), check("bucket_access"), region="eu-west-1"
    ),
    "robotics-lab": {"failed": True, "msg": "Role robotics-lab-ray does not exist."},
}
EARLIER = {
    **SMALL,
    "vision-prod": result("vision-prod", check("trust_ec2", "fail"), check("bucket_access")),
    "search-dev": result("search-dev", check("trust_ec2", "fail"), check("bucket_access")),
}
COMMAND = "ansible-playbook rayfleet.anyscale.onboard --limit <cloud>"
DECISIVE = [check(found.id) for found in CHECKS if found.is_needed_to_start]
WORST_FIRST = ["robotics-lab", "search-dev", "speech-lab", "vision-prod"]


def test_the_overview_comes_first_for_the_person_who_decides(open_report: Open) -> None:
    """Can clusters start, who fixes what, since when, where: in words, and as pictures."""
    results = {
        "able": result("able", *DECISIVE, account_id="222222222222"),
        "lame": result(
            "lame", *DECISIVE, check("bucket_access", "fail"), account_id="222222222222"
        ),
        "stuck": result(
            "stuck",
            *DECISIVE[1:],
            check("trust_ec2", "fail", command=COMMAND),
            check("bucket_deny", "warn"),
            account_id="333333333333",
        ),
        "lost": {"failed": True, "msg": "No."},
    }
    opened = open_report(results, {**results, "stuck": result("stuck", *DECISIVE)})
    page = opened.page
    assert page.inner_text("h1") == "3 of 4 clouds need attention"
    assert page.locator(".starts-card .figure").all_inner_texts() == [
        "1\ncan",
        "1\ncan, but lack access or the role",
        "1\ncannot",
        "1\nnot known",
    ]
    assert page.locator(".starts-card rect").count() == 4
    assert page.locator(".fixes-card .figure").all_inner_texts() == [
        "1\na command fixes",
        "3\nneed people",
    ]
    assert page.inner_text(".fixes-card pre") == COMMAND.replace("<cloud>", "stuck")
    assert page.locator(".changes-card .figure").all_inner_texts() == [
        "2\nNew",
        "1\nPersisting",
        "0\nFixed",
        "0\nGone",
    ]
    assert page.locator(".accounts-card tbody tr").all_inner_texts() == [
        "333333333333\t1\t1\t1\t2",
        "222222222222\t2\t1\t-\t1",
        "not known\t1\t1\t-\t-",
    ]
    page.click(".starts-card .fail")
    assert opened.names() == ["stuck"]
    assert page.input_value("#start") == "cannot"
    page.click(".starts-card .warn")
    assert opened.names() == ["lame"]
    assert page.input_value("#start") == "lacking"


def test_the_command_that_fixes_the_most_is_copied_as_it_is(open_report: Open) -> None:
    found = {
        name: result(name, check("trust_ec2", "fail", command=COMMAND)) for name in ("a b", "c")
    }
    page = open_report(found, permissions=["clipboard-read", "clipboard-write"]).page
    page.click(".fixes-card .copy")
    page.locator(".fixes-card .copy", has_text="Copied").wait_for(timeout=5000)
    command = COMMAND.replace("<cloud>", "'a b,c'")
    assert page.evaluate("navigator.clipboard.readText()") == command


def test_the_organization_is_in_the_heading_if_it_is_named(open_report: Open) -> None:
    """As it is, whatever is in it."""
    assert open_report(SMALL).page.inner_text(".eyebrow") == "ANYSCALE FLEET AUDIT"
    heading = open_report(SMALL, organization="Robots & <b>Sons</b>").page
    assert heading.inner_text(".organization") == "Robots & <b>Sons</b>"


def test_without_an_earlier_report_nothing_is_compared(open_report: Open) -> None:
    """And the page offers no such filter."""
    page = open_report(SMALL).page
    assert page.locator(".changes-card").count() == 0
    assert page.is_disabled("#change")


def test_the_most_frequent_problem_comes_first(open_report: Open) -> None:
    results = {
        name: result(name, check("trust_ec2", trust), check("bucket_access", "fail"))
        for name, trust in {"one": "pass", "two": "fail"}.items()
    }
    bars = open_report(results).page.locator(".problem")
    shown = [one.get_attribute("href") for one in bars.all()]
    assert shown == ["#check=bucket_access", "#check=trust_ec2"]


ACCEPTED = {"until": "2027-03-31", "reason": "Ticket SEC-1234."}


@pytest.mark.parametrize(
    ("checks", "title", "attention"),
    [
        pytest.param([{"status": "pass"}], TITLES["trust_ec2"], "", id="passes"),
        pytest.param([{"status": "pass"}, {"status": "fail"}], FAILING_TITLE, "1", id="fails once"),
        pytest.param([{"status": "unknown"}, {"status": "warn"}], UNKNOWN_TITLE, "2", id="unknown"),
        pytest.param(
            [{"status": "pass"}, {"status": "fail", "acknowledged": ACCEPTED}],
            TITLES["trust_ec2"],
            "",
            id="accepted",
        ),
        pytest.param(
            [{"status": "fail", "acknowledged": ACCEPTED}],
            TITLES["trust_ec2"],
            "",
            id="all accepted",
        ),
    ],
)
def test_the_title_of_a_bar_is_true_and_its_number_leaves_out_what_is_accepted(
    open_report: Open, checks: list[Json], title: str, attention: str
) -> None:
    """The title of the worst status that counts; the filter has it too, and finds as many clouds."""
    results = {
        f"cloud-{number}": result(
            f"cloud-{number}", check("trust_ec2", **facts), check("bucket_access")
        )
        for number, facts in enumerate(checks)
    }
    opened = open_report(results)
    row = opened.page.locator(".problem[href='#check=trust_ec2']")
    if not attention:
        assert row.count() == 0
        assert title in opened.page.locator(".passing li").all_text_contents()
        return
    assert row.locator(".problem-title").inner_text() == title
    assert row.locator("b").inner_text() == attention
    assert opened.page.locator("#check option[value=trust_ec2]").inner_text() == title
    row.click()
    assert len(opened.names()) == int(attention)


def _choose(selector: str, value: str) -> t.Callable[[t.Any], None]:
    return lambda page: page.select_option(selector, value)


def _type(text: str) -> t.Callable[[t.Any], None]:
    return lambda page: page.fill("#text", text)


def _click(selector: str) -> t.Callable[[t.Any], None]:
    return lambda page: page.click(selector)


@pytest.mark.parametrize(
    ("act", "left"),
    [
        pytest.param(_type("SEARCH"), ["search-dev"], id="search by name, whatever the case"),
        pytest.param(_type("cld_speechlab"), ["speech-lab"], id="search by id"),
        pytest.param(_type("ec2 is missing"), ["search-dev"], id="search by reason"),
        pytest.param(
            _type("does not exist"), ["robotics-lab"], id="search by the message of an error"
        ),
        pytest.param(_type("lab eu-west"), ["speech-lab"], id="search for several words"),
        pytest.param(_type("<b>"), [], id="search for nothing that is there"),
        pytest.param(_choose("#account", "333333333333"), ["search-dev"], id="account"),
        pytest.param(_choose("#region", "eu-west-1"), ["speech-lab"], id="region"),
        pytest.param(
            _choose("#check", "trust_ec2"),
            ["search-dev", "speech-lab"],
            id="a check that needs attention",
        ),
        pytest.param(_choose("#change", "fixed"), ["vision-prod"], id="change"),
        pytest.param(_choose("#start", "cannot"), ["search-dev"], id="whether clusters can start"),
        pytest.param(_click("[data-chip=pass]"), ["vision-prod"], id="state"),
        pytest.param(
            _click(".figure[href='#change=new']"), ["search-dev"], id="a change in the overview"
        ),
        pytest.param(
            _click(".problem[href='#check=bucket_access']"),
            ["search-dev"],
            id="a check in the overview",
        ),
        pytest.param(_click("td a[href='#account=333333333333']"), ["search-dev"], id="an account"),
    ],
)
def test_each_filter_and_its_reset(
    open_report: Open, act: t.Callable[[t.Any], None], left: list[str]
) -> None:
    """What is left is said in words, for those who cannot see it change."""
    opened = open_report(SMALL, EARLIER)
    assert opened.names() == WORST_FIRST
    assert opened.shown() == "4 clouds"
    act(opened.page)
    assert opened.names() == left
    assert opened.shown() == f"{len(left)} of 4 clouds"
    assert opened.page.is_visible("#nothing") == (not left)
    opened.page.click("#reset")
    assert opened.names() == WORST_FIRST
    assert opened.page.is_disabled("#reset")


@pytest.mark.parametrize(
    ("check_id", "change", "left"),
    [
        pytest.param("trust_ec2", "fixed", ["vision-prod"], id="it was fixed here"),
        pytest.param("bucket_access", "fixed", [], id="another one was fixed"),
        pytest.param("trust_ec2", "persisting", ["search-dev"], id="it persists"),
        pytest.param("trust_ec2", "new", [], id="another one is new"),
        pytest.param("bucket_access", "new", ["search-dev"], id="it is new"),
    ],
)
def test_one_finding_is_of_the_check_and_of_the_change(
    open_report: Open, check_id: str, change: str, left: list[str]
) -> None:
    """Not one finding of the check, and another one that changed like that."""
    opened = open_report(SMALL, EARLIER)
    opened.page.select_option("#check", check_id)
    opened.page.select_option("#change", change)
    assert opened.names() == left


def test_among_many_clouds_the_search_waits_for_a_pause(open_report: Open) -> None:
    """So that typing does not stutter; what was typed is not lost to another filter meanwhile."""
    opened = open_report(
        {
            f"cloud-{number:03}": result(f"cloud-{number:03}", check("trust_ec2"))
            for number in range(501)
        }
    )
    page = opened.page
    page.evaluate("""() => { window.updates = 0; new MutationObserver(() => { window.updates += 1; })
        .observe(document.querySelector('#shown'), {childList: true, characterData: true, subtree: true}); }""")
    typed = page.evaluate("""async () => { const search = document.querySelector('#text');
        for (const text of ['c', 'cl', 'cloud-50', 'cloud-500']) {
          search.value = text; search.dispatchEvent(new Event('input'));
          await new Promise((resume) => setTimeout(resume, 20)); }
        return [window.updates, document.querySelector('#shown').textContent]; }""")
    assert typed == [0, "501 clouds"]
    page.locator("#shown", has_text="1 of 501 clouds").wait_for(timeout=5000)
    assert page.evaluate("window.updates") == 1
    page.fill("#text", "cloud-49")
    page.click("[data-chip=pass]")
    assert opened.shown() == "10 of 501 clouds"
    assert page.input_value("#text") == "cloud-49"


def test_filters_work_together_and_states_add_up(open_report: Open) -> None:
    """A state that is chosen twice is not chosen."""
    opened = open_report(SMALL)
    opened.page.click("[data-chip=fail]")
    opened.page.click("[data-chip=unknown]")
    assert opened.names() == ["search-dev", "speech-lab"]
    opened.page.select_option("#region", "eu-west-1")
    assert opened.names() == ["speech-lab"]
    opened.page.click("[data-chip=unknown]")
    assert opened.names() == []


def test_the_worst_is_first_or_another_order(open_report: Open) -> None:
    """Clouds that are equal stay in the order of their names; the numbers in them count."""
    names = ["cloud-10", "cloud-9", "Cloud-2"]
    results = {name: result(name, check("trust_ec2")) for name in names}
    results["one"] = result("one", check("trust_ec2", "fail"), account_id="111111111111")
    results["two"] = result("two", check("trust_ec2", "fail"), check("bucket_access", "fail"))
    opened = open_report(results)
    by_number = ["Cloud-2", "cloud-9", "cloud-10"]
    assert opened.names() == ["two", "one", *by_number]
    opened.page.select_option("#order", "name")
    assert opened.names() == [*by_number, "one", "two"]
    opened.page.select_option("#order", "account")
    assert opened.names() == ["one", *by_number, "two"]
    assert "order=account" in opened.page.url
    opened.page.reload()
    assert opened.names()[0] == "one"
    opened.page.select_option("#order", "")
    assert opened.names()[0] == "two"


def _open(opened: Opened, cloud: str) -> t.Any:
    row = opened.page.locator(f".cloud[data-name='{cloud}']")
    row.locator("> summary").click()
    return row


def test_a_finding_shows_its_evidence(open_report: Open) -> None:
    """The reason, the difference, the remedy and all else that is known."""
    results = {"search-dev": result("search-dev", DRIFT)}
    finding = _open(open_report(results, EARLIER), "search-dev").locator(".finding")
    assert finding.locator("h4").inner_text() == FAILING_TITLE
    assert finding.locator(".reason").inner_text() == "EC2 is missing."
    assert finding.locator(".badge").inner_text() == "Persisting"
    assert finding.locator("pre.remedy").inner_text() == REMEDY
    assert not finding.locator(".diff").is_visible()
    finding.locator("summary").click()
    assert finding.locator(".facts").inner_text() == "role\nr"
    assert finding.locator(".diff del").inner_text() == '-       "Action": "sts:AssumeRole"\n'
    assert finding.locator(".diff ins").inner_text().splitlines() == [
        '+       "Action": "sts:AssumeRole",',
        '+       "Sid": "Mine"',
    ]


@pytest.mark.parametrize("cloud", ["vision-prod", "search-dev"])
def test_what_needs_no_attention_is_folded_but_there(open_report: Open, cloud: str) -> None:
    """Each check with its reason, evidence and change, and the facts of the cloud."""
    passing = check("bucket_deny", reason="No statement.", evidence={"statements": [1, "<b>"]})
    results = {**SMALL, cloud: result(cloud, DRIFT, passing)}
    row = _open(open_report(results, {cloud: result(cloud, check("bucket_deny", "fail"))}), cloud)
    assert not row.get_by_text("No statement.").is_visible()
    row.get_by_text("1 check needs no attention").click()
    row.locator("[data-check=bucket_deny] summary").click()
    assert row.locator("[data-check=bucket_deny] .badge").inner_text() == "fixed"
    assert row.get_by_text("No statement.").is_visible()
    assert '"<b>"' in row.locator("[data-check=bucket_deny] pre").inner_text()
    row.get_by_text("Facts of the cloud").click()
    assert f"anyscale-{cloud}-data" in row.locator(".quiet .facts").inner_text()


def test_the_remedy_is_copied_as_it_is(open_report: Open) -> None:
    """Line breaks and quotes too, and the button says that it was."""
    opened = open_report(
        {"search-dev": result("search-dev", DRIFT)},
        permissions=["clipboard-read", "clipboard-write"],
    )
    row = _open(opened, "search-dev")
    row.locator(".copy").click()
    row.locator(".copy", has_text="Copied").wait_for(timeout=5000)
    assert opened.page.evaluate("navigator.clipboard.readText()") == REMEDY


@pytest.mark.parametrize(
    ("remedy", "is_copied"),
    [
        pytest.param(
            "Run 'ansible-playbook rayfleet.anyscale.onboard --limit <cloud>'.",
            False,
            id="a sentence",
        ),
        pytest.param(
            'Write {"AWS": "*"} in the place of "*", and Principal in the place of NotPrincipal.',
            False,
            id="with JSON in it",
        ),
        pytest.param("A profile would do", False, id="without a stop"),
        pytest.param(
            "ansible-playbook rayfleet.anyscale.onboard --limit search-dev", True, id="a command"
        ),
        pytest.param('{"Effect": "Allow"}', True, id="a statement on one line"),
        pytest.param('{\n  "Effect": "Allow"\n}', True, id="a statement"),
        pytest.param(
            "# Terraform, of the module\nassume_role_policy = jsonencode({})",
            True,
            id="lines for Terraform",
        ),
    ],
)
def test_only_what_can_be_used_as_it_is_can_be_copied(
    open_report: Open, remedy: str, is_copied: bool
) -> None:
    """A sentence is for people."""
    found = result("search-dev", check("trust_ec2", "fail", remedy=remedy))
    row = _open(open_report({"search-dev": found}), "search-dev")
    assert row.locator(".remedy").inner_text() == remedy
    assert row.locator(".copy").count() == is_copied


def test_a_cloud_that_could_not_be_audited_shows_why(open_report: Open) -> None:
    """In its row, and in full when it is opened."""
    opened = open_report(SMALL)
    row = _open(opened, "robotics-lab")
    assert row.locator(".error-text").inner_text() == "Role robotics-lab-ray does not exist."
    assert row.locator("pre.error").inner_text() == "Role robotics-lab-ray does not exist."


def test_a_cloud_shows_what_is_wrong_first_and_how_to_fix_it(open_report: Open) -> None:
    """Worst first, each with its command or remedy; what needs no attention is folded."""
    found = result(
        "search-dev",
        check("authority"),
        check("bucket_access", "warn", reason="Nearly.", remedy="Ask the owner."),
        check("trust_ec2", "fail", reason="EC2 is missing.", command=COMMAND),
        check("bucket_region", "fail", acknowledged=ACCEPTED),
    )
    opened = open_report({"search-dev": found})
    assert opened.page.locator(".cloud .title").all_inner_texts() == [FAILING_TITLE, WARNING_TITLE]
    row = _open(opened, "search-dev")
    findings = row.locator(".finding")
    command = COMMAND.replace("<cloud>", "search-dev")
    assert findings.locator("h4").all_inner_texts() == [FAILING_TITLE, WARNING_TITLE]
    assert findings.locator(".reason").all_inner_texts() == ["EC2 is missing.", "Nearly."]
    assert findings.nth(0).locator("pre.command").inner_text() == command
    assert findings.nth(1).locator(".remedy").inner_text() == "Ask the owner."
    assert not row.get_by_text("Ticket SEC-1234.").is_visible()
    assert "null" not in row.inner_text()
    row.get_by_text("2 checks need no attention").click()
    row.locator("[data-check=bucket_region] summary").click()
    assert row.get_by_text("Acknowledged until 2027-03-31: Ticket SEC-1234.").is_visible()


def test_what_is_seen_can_be_linked(open_report: Open) -> None:
    """The address has the filters and the finding that is open; opened anew it shows the same."""
    opened = open_report(SMALL, EARLIER)
    page = opened.page
    page.fill("#text", "dev & <b>")
    page.fill("#text", "dev")
    page.select_option("#check", "trust_ec2")
    page.click("[data-chip=fail]")
    _open(opened, "search-dev").get_by_text("Link").first.click()
    link = page.url
    assert link == (
        f"{opened.address}#text=dev&check=trust_ec2&states=fail&cloud=search-dev&finding=trust_ec2"
    )
    finding = page.locator(".linked h4")
    assert finding.inner_text() == FAILING_TITLE
    page.locator(".cloud[open] > summary").click()
    page.wait_for_function("!location.hash.includes('cloud=')")
    page.click("#reset")
    assert page.url == f"{opened.address}#"
    page.evaluate("(link) => { location.hash = new URL(link).hash; }", link)
    finding.wait_for(timeout=5000)
    assert opened.names() == ["search-dev"]
    page.reload()
    assert finding.is_visible()
    assert page.input_value("#text") == "dev"


def test_a_link_to_a_check_that_passes_opens_it(open_report: Open) -> None:
    opened = open_report(SMALL)
    opened.page.goto(f"{opened.address}#cloud=vision-prod&finding=bucket_access")
    opened.page.reload()
    assert opened.page.locator(".linked > summary").is_visible()
    assert opened.page.locator(".linked").get_attribute("data-check") == "bucket_access"


@pytest.mark.parametrize(
    "fragment",
    ["cloud=nobody&finding=x", "check=nothing&states=__proto__,bad", "account=%E0%A4%A", "&&=&=="],
)
def test_a_link_that_is_wrong_shows_the_whole_page(open_report: Open, fragment: str) -> None:
    opened = open_report(SMALL, EARLIER)
    opened.page.goto(f"{opened.address}#{fragment}")
    opened.page.reload()
    assert opened.names() == WORST_FIRST
    assert opened.page.locator(".cloud[open]").count() == 0


def test_a_cloud_shows_its_facts_and_what_decides_for_each_node_group(open_report: Open) -> None:
    """Which of the layers it is."""
    name, found = next((name, found) for name, found in fleet(5).items() if "cloud" in found)
    row = _open(open_report({name: found}), name)
    row.get_by_text("Facts of the cloud").click()
    assert found["cloud"]["default_role_arn"] in row.locator(".quiet .facts").inner_text()
    rows = row.locator(".plain-table tbody tr").all_inner_texts()
    decided = dict(row.split("\t")[1::2] for row in rows)
    assert decided == {
        "head_node": "compute config",
        "gpu-workers": "compute config",
        "cpu-workers": "cloud",
    }


def test_everything_by_keyboard(open_report: Open) -> None:
    """Search, go to the cloud, open it, go to its evidence, close it: without a mouse."""
    opened = open_report(SMALL)
    keyboard, focus = opened.page.keyboard, "document.activeElement.innerText"
    keyboard.press("/")
    keyboard.type("search")
    assert opened.names() == ["search-dev"]
    for _press in range(20):
        keyboard.press("Tab")
        if "search-dev" in (opened.page.evaluate(focus) or ""):
            break
    keyboard.press("Enter")
    assert opened.page.locator(".finding h4").first.is_visible()
    keyboard.press("Tab")
    assert opened.page.evaluate(focus) == "Link"
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    assert not opened.page.locator(".finding h4").first.is_visible()


def test_every_control_has_a_visible_focus_and_a_name(open_report: Open) -> None:
    """By the tabulator from the first to the last."""
    page = open_report(SMALL, EARLIER).page
    seen = []
    while len(seen) < 60:
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => { const on = document.activeElement; return on === document.body ? null : {
                 id: on.id, name: (on.labels?.[0] ?? on).innerText || on.ariaLabel, outline: getComputedStyle(on).outlineStyle }; }"""
        )
        if found is None:
            break
        seen.append(found)
    assert {"text", "account", "region", "check", "change", "start", "order"} <= {
        found["id"] for found in seen
    }
    assert [
        found for found in seen if found["outline"] != "solid" or not found["name"].strip()
    ] == []


def test_two_thousand_clouds_do_not_stall_it(open_report: Open) -> None:
    """The browser lays out the rows in view alone, and a search changes nothing else."""
    opened = open_report(fleet(2000), fleet(2000, drift=1.6))
    page = opened.page
    assert opened.shown() == "2,000 clouds"
    laid_out = """() => [...document.querySelectorAll('.cloud > summary')]
        .filter((on) => on.checkVisibility({contentVisibilityAuto: true})).length"""
    assert page.evaluate(laid_out) < 100
    assert page.evaluate("document.querySelectorAll('*').length") < 70000
    page.fill("#text", "vision-prod-0")
    page.locator("#shown", has_text=" of 2,000 clouds").wait_for(timeout=5000)
    assert len(opened.names()) == 56
    assert all(name.startswith("vision-prod-0") for name in opened.names())
    page.fill("#text", "")
    page.locator("#shown", has_text=re.compile(r"^2,000 clouds$")).wait_for(timeout=5000)
    last = opened.names()[-1]
    page.goto(f"{opened.address}#cloud={last}")
    page.wait_for_function(
        "document.querySelector('.cloud[open]')?.getBoundingClientRect().top < 900"
    )
    assert page.locator(".cloud[open] .cloud-name").inner_text() == last


CONTRASTS = """() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => { for (let on = node; on; on = on.parentElement) {
    const found = parts(getComputedStyle(on).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found; }
    return [255, 255, 255]; };
  const texts = 'h1, h2, h3, h4, p, li, b, td, th, label, button, .pill, .sign, .badge, dt, dd, small, del, ins';
  return [...document.querySelectorAll(texts)]
    .filter((node) => node.checkVisibility() && (node.innerText || node.className.includes('sign')) && !node.disabled)
    .map((node) => { const [one, other] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
      return [node.className || node.tagName, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]; })
    .filter(([, ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(open_report: Open, scheme: str) -> None:
    """In the reader's colours, with the contrast that WCAG asks for (4.5 to 1); signs have no less."""
    opened = open_report(SMALL, EARLIER, color_scheme=scheme)
    light = opened.page.evaluate(
        "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) > 128"
    )
    assert light == (scheme == "light")
    assert opened.page.evaluate(CONTRASTS) == []
    for cloud in ("robotics-lab", "search-dev"):
        row = _open(opened, cloud)
    row.locator(".evidence summary").first.click()
    opened.page.click(".problem >> nth=0")
    assert opened.page.evaluate(CONTRASTS) == []


def test_paper_has_all_rows_and_every_finding_but_no_controls(open_report: Open) -> None:
    """In light colours, whatever the screen's; afterwards the page is as it was."""
    opened = open_report(fleet(300), color_scheme="dark")
    page = opened.page
    page.evaluate(
        """() => addEventListener('beforeprint', () => { window.printed = {
             rows: [...document.querySelectorAll('.cloud > summary')].filter((on) => on.checkVisibility()).length,
             findings: document.querySelectorAll('.cloud[open] .finding').length }; })"""
    )
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    printed = page.evaluate("window.printed")
    assert printed["rows"] == 300
    assert 150 < printed["findings"] <= 200
    page.wait_for_function("document.querySelectorAll('.cloud[open]').length === 0")
    assert page.url.partition("#")[2] == "", "printing opens no cloud in the address"
    page.emulate_media(media="print")
    assert not page.is_visible("#filters")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def _pages_of_headings(document: bytes) -> list[tuple[bytes, bytes]]:
    """The headings of a PDF's outline, and for each its page."""
    return re.findall(rb"/Title (.*?)\n/Dest \[(\d+) 0 R", document)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"prefer_css_page_size": True}, id="the page says how"),
        pytest.param({"format": "Letter"}, id="Letter"),
        pytest.param({"format": "A4"}, id="A4"),
    ],
)
def test_the_first_sheet_has_the_summary_and_the_first_findings(
    open_report: Open, settings: Json
) -> None:
    """With the margins of the browser's print dialog."""
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "0.4in")
    page = open_report(fleet(300), fleet(300, drift=1.6)).page
    document = page.pdf(outline=True, tagged=True, margin=margin, **settings)
    sheets = _pages_of_headings(document)
    first = dict(sheets)[b"(Can clusters start today?)"]
    on_first = [title for title, sheet in sheets if sheet == first]
    assert {b"(Most frequent problems)", b"(By AWS account)", b"(Clouds)"} <= set(on_first)
    assert len(on_first) > 7, "a cloud with its findings"


def test_paper_gets_the_layout_of_a_wide_screen(open_report: Open) -> None:
    """Portrait paper is 718 pixels wide, but no telephone."""
    page = open_report(SMALL, viewport={"width": 718, "height": 979}).page
    page.emulate_media(media="print")
    boxes = [page.locator(f".{card}-card").bounding_box() for card in ("problems", "accounts")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


def test_paper_has_no_room_for_thousands(open_report: Open) -> None:
    """The first of them, and how many are left to the report in JSON; what is filtered is what is
    printed.
    """
    page = open_report(fleet(2000, drift=1.6)).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    visible = "(on) => on.filter((one) => one.checkVisibility()).length"
    assert page.locator(".cloud > summary").evaluate_all(visible) == 300
    printed = page.locator(".cloud[open]").locator(".finding, pre.error").count()
    left = page.locator(".finding, pre.error").count() - printed
    assert 100 < printed <= 200
    assert page.inner_text("#left-out") == (
        f"{left:,} more findings are in report.json. 1,700 more clouds are in report.json."
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".cloud[open]").count() == 0
    assert not page.is_visible("#left-out")


def test_paper_that_has_all_says_nothing_of_more(open_report: Open) -> None:
    page = open_report(SMALL).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".cloud[open]").count() == 3
    assert not page.is_visible("#left-out")


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"'><svg/onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "arn:aws:iam::1:role/<b>bold</b>",
    "\u202etxt.exe\u2028 &lt;b&gt; ${x} {{ y }}",
    "__proto__",
]


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_hostile_values_are_shown_as_they_are_and_do_nothing(open_report: Open, value: str) -> None:
    """In every place where a value of AWS or Anyscale can stand."""
    evil = {
        value: value,
        "before": {"Sid": value, value: value},
        "after": {"Sid": f"{value} "},
        "list": [value],
        "deep": {value: [{}]},
    }
    facts = {
        "cloud_id": value,
        "region": value,
        "account_id": value,
        "default_role_arn": value,
        "bucket": {"name": value, "region": value},
    }
    groups = [{"node_group": value, "instance_profile_arn": value, "decided_by": value}]
    checks = [
        check("trust_ec2", "fail", reason=value, remedy=value, evidence=evil, title=value),
        check("bucket_deny", reason=value, evidence=evil, title=value),
    ]
    found = result(
        value,
        *checks,
        **facts,
        compute_configs=[{"name": value, "version": value, "node_groups": groups}],
    )
    opened = open_report(
        {value: found, f"{value} 2": {"failed": True, "msg": value}}, {value: found}
    )
    page = opened.page
    shown = escape_control_chars(value)
    assert opened.names() == [f"{shown} 2", shown]
    assert page.locator(".error-text").text_content() == shown
    row = page.locator(".cloud").last
    row.locator("> summary").click()
    assert row.locator("h4").text_content() == shown
    assert row.locator(".finding .reason").text_content() == shown
    assert row.locator(".remedy").text_content() == shown
    for folded in ("Evidence", "Facts of the cloud", "1 check needs no attention"):
        row.get_by_text(folded).click()
    row.locator("[data-check=bucket_deny] summary").click()
    assert row.locator("[data-check=bucket_deny] .reason").text_content() == shown
    assert shown in row.locator(".plain-table").text_content()
    page.locator(".link").click()
    page.reload()
    assert row.get_attribute("open") is not None, "its link opens it"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("script").count() == 2
    assert page.locator("img, body svg:not(.bar), [onerror], [onload]").count() == 0
    hrefs = page.locator("a").evaluate_all("(on) => on.map((one) => one.getAttribute('href')[0])")
    assert set(hrefs) == {"#"}
    assert page.evaluate("window.hacked") is None


def test_the_policy_stops_what_gets_in_all_the_same(open_report: Open) -> None:
    """A request, a script and markup made of text: each is refused by the browser itself."""
    opened = open_report(SMALL)
    refused = opened.page.evaluate(
        """async () => {
          const outcome = async (act) => { try { await act(); return 'done'; } catch (error) { return error.name; } };
          return [
            await outcome(() => fetch('data:text/plain,x')),
            await outcome(() => { document.body.innerHTML = '<b>x</b>'; }),
            await outcome(() => { document.createElement('script').text = 'window.hacked = 1'; }),
          ]; }"""
    )
    assert refused == ["TypeError", "TypeError", "TypeError"]
    assert all(
        "Content Security Policy" in complaint or "Trusted" in complaint
        for complaint in opened.complaints
    )
    opened.complaints.clear()


def test_without_scripts_the_page_says_where_the_data_are(open_report: Open) -> None:
    """And shows all that needs attention."""
    page = open_report(SMALL, java_script_enabled=False).page
    assert "report.json" in page.inner_text("noscript")
    assert page.inner_text("h1") == "3 of 4 clouds need attention"
    page.locator(".cloud > summary").nth(1).click()
    assert page.locator(".finding h4").first.is_visible()
    assert not page.is_visible("#filters")
    assert page.locator(".copy").first.is_hidden()


def test_no_clouds_are_no_error(open_report: Open) -> None:
    """An empty fleet has an empty page."""
    opened = open_report({})
    assert opened.shown() == "0 clouds"
    assert opened.page.is_visible("#nothing")


# Elements that are wider than their place, but scroll or end in an ellipsis on purpose.
CLIPPED = """() => [...document.querySelectorAll('body *')]
  .filter((on) => on.checkVisibility() && on.scrollWidth > on.clientWidth + 1 && on.clientWidth > 1)
  .filter((on) => !['scroll', 'auto'].includes(getComputedStyle(on).overflowX))
  .filter((on) => getComputedStyle(on).display !== 'inline' && !on.closest('svg'))
  .map((on) => on.id || on.className || on.tagName)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 760, 1100, 1400, 1920])
def test_nothing_is_clipped(open_report: Open, width: int, scheme: str) -> None:
    """From a phone to a wide screen, in the page and in a cloud; the table alone scrolls, in itself."""
    page = open_report(
        fleet(40),
        fleet(40, drift=1.6),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    ).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CLIPPED) == []
    page.evaluate("document.querySelectorAll('.cloud').forEach((on, n) => { on.open = n < 12; })")
    page.wait_for_selector(".quiet .facts", state="attached")
    page.evaluate(
        "document.querySelectorAll('details details').forEach((on) => { on.open = true; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CLIPPED) == []


@pytest.mark.parametrize("width", [390, 768, 1024, 1100, 1440])
def test_no_title_of_a_check_is_cut(open_report: Open, width: int) -> None:
    """A long one takes two lines."""
    page = open_report(
        {"vision": result("vision", *(check(name, "fail") for name in TITLES))},
        viewport={"width": width, "height": 800},
    ).page
    cut = (
        "() => [...document.querySelectorAll('.problem-title')].filter((on) => on.scrollWidth > "
        "on.clientWidth).length"
    )
    assert page.locator(".problem-title").count() == len(TITLES)
    assert page.evaluate(cut) == 0


def test_what_still_runs_with_another_role_is_one_table(open_report: Open) -> None:
    """Of all clouds, as text, and each row leads to the check. Without these checks there is none."""
    assert open_report(SMALL).page.locator("#running").count() == 0
    job = {
        "kind": "job",
        "id": "prodjob_1",
        "name": "<b>nightly</b>",
        "state": "RUNNING",
        "compute_config": {"id": "cpt_1", "name": "team-a", "version": 2},
        "instance_profiles": ["arn:aws:iam::222222222222:instance-profile/other"],
        "verdict": "older_version",
        "reason": "The newest version is 3.",
    }
    found = check("launches_use_the_config", "fail", evidence={"launches": [job]})
    page = open_report({"vision-prod": result("vision-prod", found)}).page
    assert page.locator("#running .hint").inner_text() == "1 entry"
    assert page.locator("#running td").all_inner_texts() == [
        "vision-prod",
        "job <b>nightly</b>",
        "RUNNING",
        "team-a:2",
        "arn:aws:iam::222222222222:instance-profile/other",
        "The newest version is 3.",
    ]
    page.click("#running a")
    assert page.locator(".linked code.check-id").inner_text() == "launches_use_the_config"
    passing = check("launches_use_the_config", "pass")
    nothing = open_report({"vision-prod": result("vision-prod", passing)}).page
    assert nothing.locator("#running .hint").inner_text() == "Nothing that is known"

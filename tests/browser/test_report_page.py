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
WARNING_TITLE = "The role does not have all access to the bucket, or not in the expected form"
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
WORST_FIRST = ["robotics-lab", "search-dev", "speech-lab", "vision-prod"]


def test_the_scorecard_comes_first_and_counts_everything(open_report: Open) -> None:
    """In words, and as pictures."""
    page = open_report(SMALL, EARLIER).page
    assert page.inner_text("h1") == "3 of 4 clouds need attention"
    assert page.locator("#cloud-legend button").all_inner_texts() == [
        *("Error\n1", "Fail\n1", "Unknown\n1", "Warning\n0", "Pass\n1", "Not applicable\n0"),
        "Not permitted\n0",
    ]
    checks = ["Fail\n1", "Unknown\n1", "Warning\n1", "Pass\n3", "Not applicable\n0"]
    assert page.locator("#check-legend li").all_inner_texts() == checks
    assert page.locator("#changes button").all_inner_texts() == [
        "1\nNew",
        "1\nPersisting",
        "1\nFixed",
        "0\nGone",
    ]
    assert (
        page.get_attribute("#donut svg", "aria-label")
        == "Clouds by state: 1 Error, 1 Fail, 1 Unknown, 0 Warning, 1 Pass, 0 Not applicable, 0 Not permitted"
    )
    assert page.locator("#donut .arc:not(.none)").count() == 4


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        pytest.param(["pass", "pass"], "All 2 clouds pass all checks", id="all in sync"),
        pytest.param(
            ["pass", "not_applicable"],
            "No check applies to 1 of 2 clouds, and none needs attention",
            id="one is elsewhere",
        ),
        pytest.param(
            ["warn", "not_applicable"],
            "1 of 2 clouds needs attention",
            id="one warns, one is elsewhere",
        ),
    ],
)
def test_the_headline_counts_only_checked_clouds_as_in_sync(
    open_report: Open, statuses: list[str], words: str
) -> None:
    """A cloud to which no check applies counts neither as in sync nor as drifted."""
    results = {
        f"cloud-{number}": result(f"cloud-{number}", check("trust_ec2", status))
        for number, status in enumerate(statuses)
    }
    assert open_report(results).page.inner_text("h1") == words


def test_without_an_earlier_report_nothing_is_compared(open_report: Open) -> None:
    """The page says so, and offers no such filter."""
    page = open_report(SMALL).page
    assert "nothing to compare with" in page.inner_text("#since")
    assert page.locator("#changes button").count() == 0
    assert page.is_disabled("#change")


def test_the_most_frequent_problem_comes_first(open_report: Open) -> None:
    results = {
        name: result(name, check("trust_ec2", trust), check("bucket_access", "fail"))
        for name, trust in {"one": "pass", "two": "fail"}.items()
    }
    bars = open_report(results).page.locator("#check-bars .bar")
    shown = [bar.get_attribute("data-check") for bar in bars.all()]
    assert shown == ["bucket_access", "trust_ec2"]


ACCEPTED = {"until": "2027-03-31", "reason": "Ticket SEC-1234."}


@pytest.mark.parametrize(
    ("checks", "title", "attention"),
    [
        pytest.param([{"status": "pass"}], TITLES["trust_ec2"], "–", id="passes"),
        pytest.param([{"status": "pass"}, {"status": "fail"}], FAILING_TITLE, "1", id="fails once"),
        pytest.param([{"status": "unknown"}, {"status": "warn"}], UNKNOWN_TITLE, "2", id="unknown"),
        pytest.param(
            [{"status": "pass"}, {"status": "fail", "acknowledged": ACCEPTED}],
            TITLES["trust_ec2"],
            "–",
            id="accepted",
        ),
        pytest.param(
            [{"status": "fail", "acknowledged": ACCEPTED}],
            TITLES["trust_ec2"],
            "–",
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
    bar = opened.page.locator("#check-bars [data-check=trust_ec2]")
    assert bar.locator(".bar-name").inner_text() == title
    assert bar.locator("b").inner_text() == attention
    assert opened.page.locator("#check option[value=trust_ec2]").inner_text() == title
    bar.click()
    assert len(opened.names()) == int(attention.replace("–", "0"))


def _choose(selector: str, value: str) -> t.Callable[[t.Any], None]:
    return lambda page: page.select_option(selector, value)


def _type(text: str) -> t.Callable[[t.Any], None]:
    return lambda page: page.fill("#search", text)


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
        pytest.param(_click("#states [data-state=pass]"), ["vision-prod"], id="state"),
        pytest.param(
            _click("#cloud-legend [data-state=error]"),
            ["robotics-lab"],
            id="a state in the picture",
        ),
        pytest.param(
            _click("#changes [data-change=new]"), ["search-dev"], id="a change in the picture"
        ),
        pytest.param(
            _click("#check-bars [data-check=bucket_access]"),
            ["search-dev"],
            id="a check in the picture",
        ),
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
    typed = page.evaluate("""async () => { const search = document.querySelector('#search');
        for (const text of ['c', 'cl', 'cloud-50', 'cloud-500']) {
          search.value = text; search.dispatchEvent(new Event('input'));
          await new Promise((resume) => setTimeout(resume, 20)); }
        return [window.updates, document.querySelector('#shown').textContent]; }""")
    assert typed == [0, "501 clouds"]
    page.locator("#shown", has_text="1 of 501 clouds").wait_for(timeout=5000)
    assert page.evaluate("window.updates") == 1
    page.fill("#search", "cloud-49")
    page.click("#states [data-state=pass]")
    assert opened.shown() == "10 of 501 clouds"
    assert page.input_value("#search") == "cloud-49"


def test_filters_work_together_and_states_add_up(open_report: Open) -> None:
    """A state that is chosen twice is not chosen."""
    opened = open_report(SMALL)
    opened.page.click("#states [data-state=fail]")
    opened.page.click("#states [data-state=unknown]")
    assert opened.names() == ["search-dev", "speech-lab"]
    opened.page.select_option("#region", "eu-west-1")
    assert opened.names() == ["speech-lab"]
    opened.page.click("#states [data-state=unknown]")
    assert opened.names() == []


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("name", ["robotics-lab", "search-dev", "speech-lab", "vision-prod"]),
        ("account", ["robotics-lab", "speech-lab", "vision-prod", "search-dev"]),
        ("region", ["robotics-lab", "speech-lab", "search-dev", "vision-prod"]),
        ("bucket_access", ["search-dev", "speech-lab", "vision-prod", "robotics-lab"]),
    ],
)
def test_a_column_sorts_both_ways(open_report: Open, column: str, order: list[str]) -> None:
    """By its head, which says so; clouds that are equal stay in the order of their names."""
    opened = open_report(SMALL)
    head = opened.page.locator(f"[data-by={column}]")
    head.click()
    assert opened.names() == order
    assert head.get_attribute("aria-sort") == "ascending"
    head.click()
    assert opened.names()[0] == (order[-1] if column != "region" else "search-dev")
    assert head.get_attribute("aria-sort") == "descending"


def _open_cell(opened: Opened, cloud: str, check_id: str) -> t.Any:
    # The reports that cells are opened in have no outcome of the first check, and so no column of it.
    columns = [name for name in TITLES if name != "authority"]
    place = columns.index(check_id) if check_id else -4
    row = opened.names().index(cloud)
    opened.page.click(f"#cell-{row}-{place + 4}")
    return opened.page.locator("#evidence")


def test_a_cell_opens_the_evidence(open_report: Open) -> None:
    """The reason, the difference side by side, the remedy and all else that is known."""
    results = {"search-dev": result("search-dev", DRIFT)}
    dialog = _open_cell(open_report(results, EARLIER), "search-dev", "trust_ec2")
    assert dialog.locator("h3").inner_text() == FAILING_TITLE
    assert dialog.locator(".reason").inner_text() == "EC2 is missing."
    assert dialog.locator(".badge").inner_text() == "Persisting"
    assert dialog.locator("pre.remedy").inner_text() == REMEDY
    assert dialog.locator(".facts").inner_text() == "role\nr"
    assert dialog.locator(".line.removed").all_inner_texts() == ['      "Action": "sts:AssumeRole"']
    assert dialog.locator(".line.added").all_inner_texts() == [
        '      "Action": "sts:AssumeRole",',
        '      "Sid": "Mine"',
    ]
    assert dialog.locator(".line.added ins").all_inner_texts()[0] == ",", (
        "what differs in a line is marked"
    )


def test_lines_without_differences_are_folded_away(open_report: Open) -> None:
    """And come back whole."""
    dialog = _open_cell(
        open_report({"search-dev": result("search-dev", DRIFT)}), "search-dev", "trust_ec2"
    )
    fold = dialog.locator(".fold button")
    folded = int(re.sub(r"\D", "", fold.first.inner_text()))
    seen = dialog.locator(".diff tbody tr:not(.fold)").count()
    fold.first.click()
    assert folded > 3
    assert dialog.locator(".diff tbody tr:not(.fold)").count() == seen + folded


@pytest.mark.parametrize(
    ("evidence", "removed", "added"),
    [
        pytest.param(
            {"before": None, "after": ["x"]}, [], ["[", '  "x"', "]"], id="there was no document"
        ),
        pytest.param(
            {"before": ["x"], "after": None}, ["[", '  "x"', "]"], [], id="there will be none"
        ),
        pytest.param({"before": [1, 2, 3], "after": [1, 3]}, ["  2,"], [], id="a line goes"),
        pytest.param({"before": [1, 3], "after": [1, 2, 3]}, [], ["  2,"], id="a line comes"),
        pytest.param(
            {"before": ["a", "b"], "after": ["b", "a"]},
            ['  "a",', '  "b"'],
            ['  "b",', '  "a"'],
            id="two change places",
        ),
        pytest.param({"before": {"a": 1}, "after": {"a": 1}}, [], [], id="no difference"),
    ],
)
def test_the_difference_of_two_documents(
    open_report: Open, evidence: Json, removed: list[str], added: list[str]
) -> None:
    """Line by line, nothing more and nothing less."""
    found = result("search-dev", check("trust_ec2", "fail", evidence=evidence))
    dialog = _open_cell(open_report({"search-dev": found}), "search-dev", "trust_ec2")
    assert dialog.locator(".line.removed").all_inner_texts() == removed
    assert dialog.locator(".line.added").all_inner_texts() == added


def test_the_remedy_is_copied_as_it_is(open_report: Open) -> None:
    """Line breaks and quotes too, and the button says that it was."""
    opened = open_report(
        {"search-dev": result("search-dev", DRIFT)},
        permissions=["clipboard-read", "clipboard-write"],
    )
    dialog = _open_cell(opened, "search-dev", "trust_ec2")
    dialog.locator(".copy").click()
    dialog.locator(".copy", has_text="Copied").wait_for(timeout=5000)
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
    dialog = _open_cell(open_report({"search-dev": found}), "search-dev", "trust_ec2")
    assert dialog.locator(".remedy").inner_text() == remedy
    assert dialog.locator(".copy").count() == is_copied


def test_a_cloud_that_could_not_be_audited_shows_why(open_report: Open) -> None:
    """In the table and in its panel."""
    opened = open_report(SMALL)
    assert (
        opened.page.inner_text("#grid-body .error-text") == "Role robotics-lab-ray does not exist."
    )
    opened.page.click("#grid-body .error-text")
    assert opened.page.inner_text("#evidence h2") == "robotics-lab"
    assert opened.page.inner_text("#evidence pre") == "Role robotics-lab-ray does not exist."


def test_a_cloud_shows_what_is_wrong_first_and_how_to_fix_it(open_report: Open) -> None:
    """Worst first, each with its command or remedy; what needs no attention is folded, facts last."""
    command = "ansible-playbook rayfleet.anyscale.onboard --limit search-dev"
    found = result(
        "search-dev",
        check("authority"),
        check("bucket_access", "warn", reason="Nearly.", remedy="Ask the owner."),
        check("trust_ec2", "fail", reason="EC2 is missing.", command=command),
        check("bucket_region", "fail", acknowledged=ACCEPTED),
    )
    opened = open_report({"search-dev": found}, permissions=["clipboard-read", "clipboard-write"])
    opened.page.click("#grid-body .name")
    panel = opened.page.locator("#evidence-panel")
    problems = panel.locator(".problem")
    assert problems.locator("b").all_inner_texts() == [FAILING_TITLE, WARNING_TITLE]
    assert problems.locator(".reason").all_inner_texts() == ["EC2 is missing.", "Nearly."]
    assert problems.nth(0).locator("pre.command").inner_text() == command
    assert problems.nth(1).locator(".remedy").inner_text() == "Ask the owner."
    assert not panel.locator("details li").first.is_visible()
    assert "null" not in panel.inner_text()
    panel.locator("summary").click()
    assert panel.locator("details li").count() == 2
    order = "[...document.querySelectorAll('.problem, details, .facts')].map((on) => on.className || on.tagName)"
    assert opened.page.evaluate(order) == ["problem", "problem", "DETAILS", "facts"]
    problems.locator(".copy").click()
    problems.locator(".copy", has_text="Copied").wait_for(timeout=5000)
    assert opened.page.evaluate("navigator.clipboard.readText()") == command
    problems.nth(0).get_by_text("Evidence").click()
    assert panel.locator("h3").inner_text() == FAILING_TITLE
    assert panel.locator("pre.command").inner_text() == command


def test_what_is_seen_can_be_linked(open_report: Open) -> None:
    """The address has the filters and the finding that is open; opened anew it shows the same."""
    opened = open_report(SMALL, EARLIER)
    page = opened.page
    page.fill("#search", "dev & <b>")
    page.fill("#search", "dev")
    page.select_option("#check", "trust_ec2")
    page.click("#states [data-state=fail]")
    _open_cell(opened, "search-dev", "trust_ec2")
    link = page.url
    assert link == (
        f"{opened.address}#text=dev&check=trust_ec2&states=fail&cloud=search-dev&finding=trust_ec2"
    )
    page.keyboard.press("Escape")
    page.click("#reset")
    assert page.url == f"{opened.address}#"
    page.evaluate("(link) => { location.hash = new URL(link).hash; }", link)
    page.locator("#evidence h3", has_text=FAILING_TITLE).wait_for(timeout=5000)
    assert opened.names() == ["search-dev"]
    page.reload()
    assert page.inner_text("#evidence h3") == FAILING_TITLE
    assert page.input_value("#search") == "dev"
    page.keyboard.press("Escape")
    page.wait_for_function("!location.hash.includes('cloud=')")


@pytest.mark.parametrize(
    "fragment",
    ["cloud=nobody&finding=x", "check=nothing&states=__proto__,bad", "account=%E0%A4%A", "&&=&=="],
)
def test_a_link_that_is_wrong_shows_the_whole_page(open_report: Open, fragment: str) -> None:
    opened = open_report(SMALL, EARLIER)
    opened.page.goto(f"{opened.address}#{fragment}")
    opened.page.reload()
    assert opened.names() == WORST_FIRST
    assert not opened.page.is_visible("#evidence")


def test_a_cloud_shows_its_facts_and_what_decides_for_each_node_group(open_report: Open) -> None:
    """Which of the layers it is."""
    name, found = next((name, found) for name, found in fleet(5).items() if "cloud" in found)
    dialog = _open_cell(open_report({name: found}), name, "")
    assert found["cloud"]["default_role_arn"] in dialog.locator(".facts").inner_text()
    rows = dialog.locator(".plain-table tbody tr").all_inner_texts()
    decided = dict(row.split("\t")[1::2] for row in rows)
    assert decided == {
        "head_node": "compute config",
        "gpu-workers": "compute config",
        "cpu-workers": "cloud",
    }


def test_everything_by_keyboard(open_report: Open) -> None:
    """Search, move, open, go from check to check, close, sort: without a mouse, and the focus comes
    back.
    """
    opened = open_report(SMALL)
    keyboard = opened.page.keyboard
    keyboard.press("/")
    keyboard.type("search")
    assert opened.names() == ["search-dev"]
    opened.page.focus("#scroller")
    for key in ("ArrowDown", "End", "ArrowLeft"):
        keyboard.press(key)
    assert opened.active() == f"{FAILING_TITLE}: Fail"
    assert (
        opened.page.evaluate("getComputedStyle(document.querySelector('.active')).outlineStyle")
        == "solid"
    )
    keyboard.press("Enter")
    assert opened.page.inner_text("#evidence h3") == FAILING_TITLE
    keyboard.press("ArrowDown")
    assert opened.page.inner_text("#evidence h3") == WARNING_TITLE
    keyboard.press("Home")
    assert opened.page.inner_text("#evidence h3") == "The cloud"
    keyboard.press("Escape")
    assert not opened.page.is_visible("#evidence")
    assert opened.page.evaluate("document.activeElement.id") == "scroller"
    for key in ("Home", "ArrowUp", "Enter"):
        keyboard.press(key)
    assert opened.page.get_attribute("[data-by=name]", "aria-sort") == "ascending"


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
    assert {"search", "account", "region", "check", "change", "scroller"} <= {
        found["id"] for found in seen
    }
    assert [
        found for found in seen if found["outline"] != "solid" or not found["name"].strip()
    ] == []


# Scrolls step by step, and returns the median time of a step and the largest number of rows.
SCROLL = """async () => {
  const scroller = document.querySelector("#scroller"), body = document.querySelector("#grid-body");
  const times = []; let rows = 0;
  for (let step = 0; step < 40; step += 1) {
    const begun = performance.now();
    scroller.scrollTop = (step % 2 ? 0.1 : 0.9) * scroller.scrollHeight + step;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - begun);
    rows = Math.max(rows, body.querySelectorAll("tr").length);
  }
  return {median: times.sort((one, other) => one - other)[20], rows};
}"""


def test_two_thousand_clouds_do_not_stall_it(open_report: Open) -> None:
    """Only the rows in view are elements, at every scroll position, so that scrolling takes no
    longer than with few clouds.
    """
    few = open_report(fleet(100), fleet(100, drift=1.6)).page.evaluate(SCROLL)
    opened = open_report(fleet(2000), fleet(2000, drift=1.6))
    page = opened.page
    assert opened.shown() == "2,000 clouds"
    assert page.get_attribute("#scroller", "aria-rowcount") == "2002"
    page.fill("#search", "vision-prod-0")
    page.locator("#shown", has_text=" of 2,000 clouds").wait_for(timeout=5000)
    assert len(opened.names()) < 80
    assert all(name.startswith("vision-prod-0") for name in opened.names())
    page.fill("#search", "")
    page.locator("#shown", has_text=re.compile(r"^2,000 clouds$")).wait_for(timeout=5000)
    page.focus("#scroller")
    page.keyboard.press("Control+End")
    page.wait_for_function("document.querySelector('#cell-1999-0') !== null")
    many = page.evaluate(SCROLL)
    assert many["rows"] < 80
    assert many["median"] < 5 * few["median"]


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
    opened.page.click("#grid-body .check .fail")
    opened.page.wait_for_timeout(300)
    assert opened.page.evaluate(CONTRASTS) == []


def test_nothing_moves_for_those_who_ask_for_that(open_report: Open) -> None:
    """The panel is simply there."""
    animations = []
    for motion in ("reduce", "no-preference"):
        opened = open_report(SMALL, reduced_motion=motion)
        opened.page.click("#grid-body .check .fail")
        animations.append(
            opened.page.evaluate(
                "getComputedStyle(document.querySelector('#evidence')).animationName"
            )
        )
    assert animations == ["none", "enter"]


def test_paper_has_all_rows_and_every_finding_but_no_controls(open_report: Open) -> None:
    """In light colours, whatever the screen's; afterwards the page is as it was."""
    opened = open_report(fleet(300), color_scheme="dark")
    page = opened.page
    page.evaluate(
        """() => addEventListener('beforeprint', () => { window.printed = {
             rows: document.querySelectorAll('#grid-body [role=row]').length, findings: document.querySelector('#paper').textContent,
             controls: matchMedia('print').matches && document.querySelector('#filters').checkVisibility() }; })"""
    )
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    printed = page.evaluate("window.printed")
    assert printed["rows"] == 300
    assert "No statement lets ec2.amazonaws.com assume the role" in printed["findings"]
    page.wait_for_function(
        "document.querySelectorAll('#grid-body tr').length < 80 && "
        "!document.querySelector('#paper').textContent"
    )
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
    first = dict(sheets)[b"(Clouds by state)"]
    on_first = [title for title, sheet in sheets if sheet == first]
    assert {b"(Checks by status)", b"(Since the previous audit)", b"(Findings)"} <= set(on_first)
    assert len(on_first) > 5, "a cloud with its findings"


def test_paper_gets_the_layout_of_a_wide_screen(open_report: Open) -> None:
    """Portrait paper is 718 pixels wide, but no telephone."""
    page = open_report(SMALL, viewport={"width": 718, "height": 979}).page
    page.emulate_media(media="print")
    boxes = [page.locator(f".{card}-card").bounding_box() for card in ("clouds", "checks")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


def test_paper_has_no_room_for_thousands(open_report: Open) -> None:
    """The first of them, and how many are left to the report in JSON; what is filtered is what is
    printed.
    """
    results = fleet(2000, drift=1.6)
    page = open_report(results).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#grid-body [role=row]").count() == 300
    printed = page.locator("#paper .finding").count() + page.locator("#paper .pill.error").count()
    assert printed == 200
    assert page.evaluate("document.querySelectorAll('*').length") < 40000
    assert page.evaluate("document.querySelector('#scroller').scrollHeight") < 300 * 50 + 300
    findings = sum(
        one["status"] in ("fail", "warn", "unknown")
        for found in results.values()
        for one in found.get("checks", ())
    )
    left = findings + sum("checks" not in found for found in results.values()) - 200
    assert page.locator("#paper .left-out").all_inner_texts() == [
        f"{left:,} more findings are in report.json.",
        "1,700 more clouds are in report.json. The table has the first 300.",
    ]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#grid-body [role=row]").count() < 80


def test_paper_that_has_all_says_nothing_of_more(open_report: Open) -> None:
    page = open_report(SMALL).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#paper .finding").count() == 3
    assert page.locator("#paper .left-out").count() == 0


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
    checks = [check("trust_ec2", "fail", reason=value, remedy=value, evidence=evil, title=value)]
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
    assert page.locator("#grid-body .cloud-name").last.text_content() == shown
    assert page.locator("#grid-body .error-text").text_content() == shown
    page.click("#cell-1-4")
    assert page.locator("#evidence h3").text_content() == shown
    assert page.locator("#evidence .reason").text_content() == shown
    assert page.locator("#evidence pre.remedy").text_content() == shown
    page.keyboard.press("Home")
    assert shown in page.locator("#evidence .plain-table").text_content()
    page.keyboard.press("Escape")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown in page.locator("#paper").text_content()
    assert page.locator("script").count() == 2
    assert page.locator("img, b.hacked, [onerror], [onload], a").count() == 0
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
    """It does not stay empty."""
    page = open_report(SMALL, java_script_enabled=False).page
    assert "report.json" in page.inner_text("noscript")


def test_no_clouds_are_no_error(open_report: Open) -> None:
    """An empty fleet has an empty page."""
    opened = open_report({})
    assert opened.shown() == "0 clouds"
    assert opened.page.is_visible("#nothing")


# Elements that are wider than their place, but scroll or end in an ellipsis on purpose.
CLIPPED = """() => [...document.querySelectorAll('body *')]
  .filter((on) => on.checkVisibility() && on.scrollWidth > on.clientWidth + 1 && on.clientWidth > 1)
  .filter((on) => !['scroll', 'auto'].includes(getComputedStyle(on).overflowX))
  .filter((on) => getComputedStyle(on).display !== 'inline' && !on.closest('svg, .grid'))
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
    page.click("#cell-1-0")
    page.wait_for_timeout(250)
    assert page.evaluate(CLIPPED) == []


PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_a_difference_stands_one_over_the_other(open_report: Open, scheme: str) -> None:
    """Removed lines above added ones, each over the whole width and with its sign; unchanged lines are there
    once.
    """
    opened = open_report({"search-dev": result("search-dev", DRIFT)}, color_scheme=scheme, **PHONE)
    dialog = _open_cell(opened, "search-dev", "trust_ec2")
    opened.page.wait_for_timeout(300)
    gone, come = (
        dialog.locator(f".line.{kind}").first.bounding_box() for kind in ("removed", "added")
    )
    assert gone["x"] == come["x"]
    assert gone["y"] + gone["height"] <= come["y"]
    assert min(gone["width"], come["width"]) > 270
    assert [
        dialog.locator(f"td.same:nth-child({place})").first.is_visible() for place in (2, 4)
    ] == [True, False]
    signs = "(on) => getComputedStyle(on, '::before').content"
    assert "−" in dialog.locator(".line-number.removed").first.evaluate(signs)
    assert "+" in dialog.locator(".line-number.added").first.evaluate(signs)
    assert opened.page.evaluate(CONTRASTS) == []


def test_on_a_wide_screen_a_difference_stands_side_by_side(open_report: Open) -> None:
    dialog = _open_cell(
        open_report({"search-dev": result("search-dev", DRIFT)}), "search-dev", "trust_ec2"
    )
    gone, come = (
        dialog.locator(f".line.{kind}").first.bounding_box() for kind in ("removed", "added")
    )
    assert gone["y"] == come["y"]
    assert gone["x"] + gone["width"] <= come["x"]


def test_on_a_phone_the_checks_are_in_view(open_report: Open) -> None:
    """With their names in the head of the table, which has no empty band; the keys pass by what is
    left out.
    """
    opened = open_report(
        {name: result(name, *map(check, TITLES)) for name in ("search-dev", "vision-prod")}, **PHONE
    )
    page = opened.page
    page.locator("#scroller").scroll_into_view_if_needed()
    boxes = [head.bounding_box() for head in page.locator(".names .check .head-label").all()]
    assert sum(box["x"] + box["width"] < 390 for box in boxes) >= 3
    assert not page.is_visible(".names .account")
    assert not page.is_visible("#grid-body .region")
    page.focus("#scroller")
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert opened.active() == f"{next(iter(TITLES.values()))}: Pass"
    for _press in range(2):
        page.keyboard.press("ArrowLeft")
    assert "search-dev" in opened.active()


@pytest.mark.parametrize("width", [390, 768, 1024, 1100, 1440])
def test_no_title_of_a_check_is_cut(open_report: Open, width: int) -> None:
    """A long one takes two lines."""
    page = open_report(
        {"vision": result("vision", *map(check, TITLES))}, viewport={"width": width, "height": 800}
    ).page
    cut = (
        "() => [...document.querySelectorAll('.bar-name')].filter((on) => on.scrollWidth > "
        "on.clientWidth).length"
    )
    assert page.locator(".bar-name").count() == len(TITLES)
    assert page.evaluate(cut) == 0


def test_what_still_runs_with_another_role_is_one_table(open_report: Open) -> None:
    """Of all clouds, as text, and each row leads to the check. Without these checks there is none."""
    assert open_report(SMALL).page.locator("#running").is_hidden()
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
    assert page.locator("#running-count").inner_text() == "1 entry"
    assert page.locator("#running-table td").all_inner_texts() == [
        "vision-prod",
        "job <b>nightly</b>",
        "RUNNING",
        "team-a:2",
        "arn:aws:iam::222222222222:instance-profile/other",
        "The newest version is 3.",
    ]
    page.click("#running-table button")
    assert page.locator("#evidence-panel code.check-id").inner_text() == "launches_use_the_config"
    passing = check("launches_use_the_config", "pass")
    nothing = open_report({"vision-prod": result("vision-prod", passing)}).page
    assert nothing.locator("#running-count").inner_text() == "Nothing that is known"

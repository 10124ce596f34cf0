# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a plan is read in a pull request: it shows what is written, and what others named or
wrote is text in it.
"""

from __future__ import annotations

import json
import typing as t
import unicodedata

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.summary import (
    HEAD,
    Shown,
    summary_of,
)

pytestmark = pytest.mark.core

TODAY = "2026-11-29T12:00:00+00:00"
Json = dict[str, t.Any]


def policy(*sids: str) -> Json:
    return {"Statement": [{"Sid": sid, "Effect": "Allow", "Action": f"s3:{sid}"} for sid in sids]}


def summary(*shown: Shown, **states: str) -> list[str]:
    outcomes = {name: {"state": state, "msg": "Denied."} for name, state in states.items()}
    return summary_of(outcomes, shown, TODAY).splitlines()


def block(lines: list[str]) -> list[str]:
    """The lines of the only code block."""
    start = lines.index("````diff")
    return lines[start + 1 : lines.index("````", start)]


def test_statements_are_removed_and_added() -> None:
    lines = summary(
        Shown("policy of bucket b", ("a",), policy("Theirs", "Old"), policy("Theirs", "New"))
    )
    assert "## `a`" in lines
    assert "`policy of bucket b`:" in lines
    changed = [line for line in block(lines) if line[0] in "+-"]
    assert changed == [
        '-  "Action": "s3:Old",',
        '+  "Action": "s3:New",',
        '-  "Sid": "Old"',
        '+  "Sid": "New"',
    ]
    assert "Theirs" not in "".join(lines)


def test_a_reviewer_reads_the_warnings_of_a_change() -> None:
    """Such as that a new statement is not under the Condition of the one beside it."""
    warning = "Statement 1 allows EC2 only under a `Condition`"
    lines = summary(Shown("trust policy", ("a",), None, policy("New"), warnings=(warning,)))
    end = lines.index("````")
    assert lines[end + 1 : end + 3] == [
        "",
        r"- Warning: `Statement 1 allows EC2 only under a \u0060Condition\u0060`",
    ]


def test_a_reviewer_reads_what_is_told_of_the_variables_of_clouds() -> None:
    text = summary_of({}, [], TODAY, ["a, b: `cloud_iam_region` is us-east-1."])
    assert "## Warnings\n\n- `a, b: \\u0060cloud_iam_region\\u0060 is us-east-1.`\n" in text


def test_clouds_in_sync_are_counted_and_those_that_failed_are_named() -> None:
    lines = summary(one="in_sync", two="in_sync", three="failed")
    assert lines[2] == f"Made at {TODAY}. Clouds: 1 failed, 2 in sync."
    assert "- `three`: `Denied.`" in lines
    assert "`one`" not in "".join(lines)


def test_what_clouds_share_is_displayed_once() -> None:
    lines = summary(Shown("policy of bucket b", ("b", "a"), None, policy("New")))
    assert lines.count("## Shared by 2 clouds") == 1
    assert "`a`, `b`" in lines
    assert block(lines)[0] == "+{"


ARN = "arn:aws:iam::123456789012:instance-profile/a"
SECRET = "not to be displayed"
# A key with its value, and whether the value is displayed.
VALUES: dict[str, tuple[Json, bool]] = {
    "the instance profile": (
        {"advanced_configurations_json": {"IamInstanceProfile": {"Arn": ARN}}},
        True,
    ),
    "the name of an instance profile": (
        {"advanced_configurations_json": {"IamInstanceProfile": {"Name": "a"}}},
        True,
    ),
    "an instance type": ({"head_node_type": {"instance_type": "m5.2xlarge"}}, True),
    "the name of a node group": ({"worker_node_types": [{"name": "gpu"}]}, True),
    "the size of a node group": ({"worker_node_types": [{"max_workers": 10}]}, True),
    "spot instances": ({"worker_node_types": [{"use_spot": True}]}, True),
    "resources": ({"head_node_type": {"resources": {"cpu": 0}}}, True),
    "custom resources": ({"head_node_type": {"resources": {"custom_resources": {"a": 1}}}}, True),
    "an accelerator": ({"head_node_type": {"required_resources": {"accelerator": "T4"}}}, True),
    "a text for an amount": ({"head_node_type": {"resources": {"cpu": SECRET}}}, False),
    "a zone": ({"allowed_azs": ["us-west-2a"]}, True),
    "a cloud resource": ({"cloud_deployment": "vm-us-west-2"}, True),
    "a flag": ({"flags": {"token": SECRET}}, False),
    "a flag that has the name of another key": ({"flags": {"name": SECRET}}, False),
    "a label": ({"head_node_type": {"labels": {"name": SECRET}}}, False),
    "a key of an instance": ({"advanced_configurations_json": {"KeyName": SECRET}}, False),
    "a tag of an instance": (
        {"advanced_configurations_json": {"TagSpecifications": [{"Tags": [{"Value": SECRET}]}]}},
        False,
    ),
    "a name in a tag": ({"advanced_configurations_json": {"name": SECRET}}, False),
    "a key that is not known": ({"head_node_type": {"new": SECRET}}, False),
    "an object for a name": ({"head_node_type": {"name": {"token": SECRET}}}, False),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_reviewer_reads_what_clusters_get_and_nothing_that_may_be_a_secret(case: str) -> None:
    """Neither of a live compute config nor of a declared one: a declared value can be from a vault."""
    entry, is_displayed = VALUES[case]
    after = {"compute_config": {"deployment_configs": [entry]}}
    value: t.Any = entry
    while isinstance(value, (dict, list)):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    lines = summary(
        Shown("compute config c", ("a",), {"compute_config": None}, after, hides_values=True)
    )
    [line] = [line for line in block(lines) if line.startswith("+")]
    told = json.dumps(value) if is_displayed else "(not displayed)"
    assert line.startswith("+ compute_config.deployment_configs.0.")
    assert line.endswith(f": {told}")


def test_the_file_of_a_compute_config_is_displayed_likewise() -> None:
    file = {"head_node": {"instance_type": "m5.large", "flags": {"token": SECRET}}, "zones": ["a"]}
    lines = summary(Shown("c", ("a",), {"file": None}, {"file": file}, hides_values=True))
    assert block(lines) == [
        "- file: null",
        '+ file.head_node.instance_type: "m5.large"',
        "+ file.head_node.flags.token: (not displayed)",
        '+ file.zones.0: "a"',
    ]


def test_only_values_that_differ_are_listed() -> None:
    before = {"compute_config": {"flags": {"token": "before"}, "same": 1}}
    after = {"compute_config": {"flags": {"token": "after"}, "same": 1}}
    lines = summary(Shown("compute config c", ("a",), before, after, hides_values=True))
    assert block(lines) == [
        "- compute_config.flags.token: (not displayed)",
        "+ compute_config.flags.token: (not displayed)",
    ]


HOSTILE = st.text() | st.sampled_from(
    [
        "````",
        "\n````\n# Approved",
        "`</code><img src=x>",
        "@everyone",
        "\r\n## a",
        "\u202e",
        "x" * 9000,
    ]
)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_what_others_named_is_text(name: str, document: str, sid: str, value: str) -> None:
    """Each line that is not ours is in a code span, or in a code block that it cannot end."""
    change = Shown(document, (name,), policy(), policy(sid))
    hidden = Shown("config", (name,), {"before": {}}, {"after": {sid: value}}, hides_values=True)
    outcomes = {name: {"state": "failed", "msg": value}}
    text = summary_of(outcomes, [change, hidden], TODAY)
    assert text.startswith(HEAD)
    is_code = False
    for line in text.split("\n"):
        assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        if line.startswith("````"):
            is_code = not is_code
            assert line == ("````diff" if is_code else "````")
        elif is_code:
            assert line[0] in " +-"
            assert line.isascii()
        else:
            assert line.count("`") in (0, 2, 4)
            outside = "".join(line.split("`")[::2])
            assert outside in {
                "",
                "## ",
                ":",
                "- : ",
                HEAD.strip(),
                "## Failed: not part of the plan",
            } or outside.startswith("Made at")
    assert not is_code

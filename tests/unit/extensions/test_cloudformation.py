# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates for EventBridge: they pass on the calls that count and nothing else, and allow nobody
more than that takes.
"""

from __future__ import annotations

import typing as t

import pytest
import yaml
from moto.events.models import EventPattern

from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    CALLS,
    bridged,
    record,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
TEMPLATES = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "extensions/eda/cloudformation").glob("*.yml"))
}
CENTRAL, MEMBER = TEMPLATES["central"], TEMPLATES["member"]
EACH = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)


def properties(template: Json, name: str) -> Json:
    return t.cast("Json", template["Resources"][name]["Properties"])


def within(node: t.Any) -> t.Iterator[Json]:
    """All mappings of a template."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from within(one)


def statements(template: Json) -> list[Json]:
    return [one for one in within(template["Resources"]) if "Effect" in one]


@EACH
def test_the_calls_that_count_pass_and_no_other(template: Json) -> None:
    """A call that a pattern lacks never arrives."""
    found = properties(template, "Rule")["EventPattern"]
    assert sorted(found["detail"]["eventName"]) == sorted(CALLS)
    matches = EventPattern(None, found).matches_event
    for call in CALLS:
        assert matches(t.cast("t.Any", bridged(record(call)))), call
    failed = record("DeleteRole", errorCode="AccessDenied")
    other = {**record("DeleteRole"), "eventName": "TagRole"}
    assert not any(matches(t.cast("t.Any", bridged(one))) for one in (failed, other))


@EACH
def test_what_is_referred_to_exists(template: Json) -> None:
    names = {*template["Resources"], *template["Parameters"]}
    for node in within(template):
        for name in (node.get("Ref", "AWS::"), (node.get("Fn::GetAtt") or ["AWS::"])[0]):
            assert name in names or name.startswith("AWS::")
        if "Fn::If" in node:
            assert node["Fn::If"][0] in template["Conditions"]


@EACH
def test_nobody_is_any_and_no_grant_is_wide(template: Json) -> None:
    granted = statements(template)
    assert granted
    for statement in granted:
        assert statement["Effect"] == "Allow"
        assert "*" not in str([statement["Action"], statement.get("Resource")])
        assert statement.get("Principal") in (
            None,  # of a role's own policy
            {"Service": "events.amazonaws.com"},
            {"AWS": {"Ref": "MemberAccounts"}},
        )
    for parameter in template["Parameters"].values():
        assert parameter["Type"] == "String" or parameter["AllowedPattern"] == "[0-9]{12}"


@pytest.mark.parametrize("queue", ["Queue", "Undelivered"])
def test_only_the_rule_sends_to_a_queue(queue: str) -> None:
    [policy] = [
        one["Properties"]
        for one in CENTRAL["Resources"].values()
        if one["Type"] == "AWS::SQS::QueuePolicy"
        and one["Properties"]["Queues"] == [{"Ref": queue}]
    ]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    rule = {"Fn::GetAtt": ["Rule", "Arn"]}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}
    assert properties(CENTRAL, queue)["SqsManagedSseEnabled"] is True


def test_what_cannot_be_delivered_or_read_is_kept() -> None:
    kept = {"Fn::GetAtt": ["Undelivered", "Arn"]}
    [target] = properties(CENTRAL, "Rule")["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": kept}
    assert "RoleArn" not in target  # a queue is sent to by its policy
    assert properties(CENTRAL, "Queue")["RedrivePolicy"]["deadLetterTargetArn"] == kept


def test_a_member_sends_to_the_central_bus_by_a_role_for_that_alone() -> None:
    rule, role = properties(MEMBER, "Rule"), properties(MEMBER, "Forwarder")
    [target] = rule["Targets"]
    assert target["Arn"] == {"Ref": "CentralBusArn"}
    assert target["RoleArn"] == {"Fn::GetAtt": ["Forwarder", "Arn"]}
    assert "EventBusName" not in rule  # AWS sends its events to the default bus
    [policy] = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": {"Ref": "CentralBusArn"}}
    ]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    of_rule = trust["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert of_rule.endswith(f":rule/{rule['Name']}")
    assert "${AWS::Region}" in role["RoleName"]["Fn::Sub"]  # else the second region fails

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever events say, the task succeeds, and finds clouds that the operator permits alone."""

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from hypothesis import given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.action.event_clouds_info import ActionModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    record_own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import Change
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import Watch
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    ACCOUNT,
    CALLS,
    ONBOARDING,
    OTHER_ACCOUNT,
    bridged,
    notified,
    queued,
    record,
)

Json = dict[str, t.Any]
REGISTERED = f"arn:aws:iam::{ACCOUNT}:role/registered"


def cloud(account: str, role: str, covered: bool | None = None, **more: t.Any) -> Json:
    """The variables of a cloud. covered: by the fleet file; written by hand without."""
    found = {"cloud_iam_account_id": account, "cloud_iam_role": role, **more}
    if covered is None:
        return found
    authority = {"covered": covered, "listed": covered, "listed_by_id": covered, "reason": "why"}
    return {**found, "anyscale_cloud_id": "cld_1", "anyscale_authority": authority}


HOSTS = {
    "speech": cloud(ACCOUNT, "ray", cloud_iam_bucket="ray-bucket"),
    "vision": cloud(OTHER_ACCOUNT, "ray"),
    "covered": cloud(ACCOUNT, "covered-ray", True),
    "uncovered": cloud(ACCOUNT, "ray", False, cloud_iam_bucket="ray-bucket"),
    "invalid": cloud("2" * 13, "ray"),
    "lab": cloud(ACCOUNT, "lab-ray", ansible_connection="ssh"),
    "excluded": cloud(ACCOUNT, "ray", heal_excluded=True, cloud_iam_bucket="ray-bucket"),
    "by an answer": cloud(ACCOUNT, "ray", heal_excluded="yes"),
    "not excluded": cloud(ACCOUNT, "other-ray", heal_excluded="no"),
}


def action_of(hosts: t.Mapping[str, Json]) -> ActionModule:
    """The action in a play of hosts with these variables."""
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[",".join(hosts) + ","])
    for name, variables in hosts.items():
        for variable, value in variables.items():
            inventory.hosts[name].set_variable(variable, value)
    manager = VariableManager(loader, inventory)
    play = Play.load({"name": "Heal", "hosts": "all", "connection": "local"}, manager, loader)
    action = ActionModule.__new__(ActionModule)
    action._task = types.SimpleNamespace(
        get_play=lambda: play, get_variable_manager=lambda: manager
    )
    action._templar, action._loader = Templar(loader, variables={}), loader
    return action


def find(messages: t.Any, hosts: t.Mapping[str, Json] | None = None, **options: t.Any) -> Json:
    """What the task returns for messages."""
    hosts = HOSTS if hosts is None else hosts
    arguments = {"messages": messages, "own_principals": [], "look_up_policies": False, **options}
    return action_of(hosts).run_for(list(hosts), {"localhost": {}}, arguments)


def names_in(found: Json) -> list[str]:
    """The clouds that were found."""
    return [one["name"] for one in found["clouds"]]


def of_role(name: str, account: str = ACCOUNT) -> Json:
    """The event of a role's trust policy."""
    parameters = {"roleName": name, "policyDocument": "{}"}
    return record("UpdateAssumeRolePolicy", account, requestParameters=parameters)


@pytest.mark.parametrize(
    ("event", "clouds"),
    [
        pytest.param(of_role("ray"), ["speech"], id="not the one that is not covered"),
        pytest.param(of_role("ray", OTHER_ACCOUNT), ["vision"], id="another account"),
        pytest.param(of_role("covered-ray"), ["covered"], id="covered"),
        pytest.param(of_role("other-ray"), ["not excluded"], id="not excluded"),
        pytest.param(of_role("lab-ray"), ["lab"], id="with tasks of its own"),
        pytest.param(of_role("ray", "999999999999"), [], id="nobody's account"),
        pytest.param(record("PutBucketPolicy"), ["speech"], id="a bucket of both"),
        pytest.param(
            record("PutRolePolicy", requestParameters={"omitted": True}),
            ["speech", "covered", "lab", "not excluded"],
            id="a role that CloudTrail does not name",
        ),
    ],
)
def test_which_clouds_are_found(event: Json, clouds: list[str]) -> None:
    found = find([queued(notified(bridged(event)))])
    assert names_in(found) == clouds
    assert found["counts"]["clouds_not_watched"] == 4


def test_an_exclusion_without_a_meaning_is_refused() -> None:
    """The cloud was perhaps to be left out."""
    hosts = {"speech": cloud(ACCOUNT, "ray", heal_excluded="freeze")}
    with pytest.raises(InputError, match="speech: heal_excluded is 'freeze', which is neither"):
        find(of_role("ray"), hosts)


def test_an_own_principal_that_is_no_arn_is_refused() -> None:
    """No event would ever be of its writes, and nothing would say so."""
    with pytest.raises(InputError, match=r"own_principals .* 'anyscale-onboarding'"):
        find([of_role("ray")], own_principals=[ONBOARDING, "anyscale-onboarding"])


def test_many_changes_of_what_many_clouds_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told of its clouds once. One by one, 10,000 for 5,000 clouds took the memory of a
    machine.
    """
    asked: list[Change] = []
    documents_of = Watch.documents_of
    monkeypatch.setattr(
        Watch,
        "documents_of",
        lambda watch, change, found: asked.append(change) or documents_of(watch, change, found),
    )
    hosts = {f"cloud-{n}": cloud(ACCOUNT, f"r{n}", cloud_iam_bucket="ray-bucket") for n in range(9)}
    found = find([record("PutBucketPolicy") for _number in range(200)], hosts)
    assert names_in(found) == [*hosts]
    assert found["counts"]["of_clouds"] == 200
    assert len(asked) == 1


def test_a_policy_that_is_not_named_is_not_looked_up() -> None:
    event = record("CreatePolicyVersion", requestParameters={"omitted": True})
    found = find([event], look_up_policies=True)
    assert names_in(found) == ["speech", "covered", "lab", "not excluded"]
    assert found["warnings"] == []


HOSTILE = ["{{x}}", "{%x%}", "{{ lookup('pipe', 'id') }}", "\x1b[2J", "a\nb", "$(id)", "\ud800"]
TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(
    [*HOSTILE, "ray", "ray-bucket", ACCOUNT, "../x", "*"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from(sorted(record("DeleteRole"))), VALUES, max_size=3)
PARAMETERS = st.dictionaries(
    st.sampled_from(["roleName", "bucketName", "instanceProfileName", "policyArn"]), TEXT
)
RECORDS = st.builds(
    lambda call, parameters, caller, fields: {
        **record(call),
        "requestParameters": {**CALLS[call][1], **parameters},
        "userIdentity": {"arn": f"arn:aws:iam::{ACCOUNT}:user/{caller}"},
        **fields,
    },
    st.sampled_from(sorted(CALLS)),
    st.just({}) | PARAMETERS,
    st.sampled_from(HOSTILE),
    st.just({}) | FIELDS,
)
MESSAGES = st.lists(
    (RECORDS | VALUES).flatmap(
        lambda one: st.sampled_from([one, {"detail": one}, {"body": one}, {"Records": [one, one]}])
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(MESSAGES)
def test_whatever_events_say(messages: t.Any) -> None:
    """No traceback, no cloud that is not permitted, and no text of an event that Ansible, a terminal
    or a shell would take for more than a name.
    """
    found = find(messages)
    assert set(names_in(found)) <= {"speech", "vision", "covered", "lab", "not excluded"}
    text = json.dumps(found)
    assert not any(part in text for part in ("{{", "{%", "\\u001b", "$(", "\\n", "\\ud800"))


def test_a_write_is_own_by_its_request_alone(
    tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by whoever the event says has made it. A request that is replayed with another document
    hides itself and nothing else, and a record that is gone costs a run that finds nothing.
    """
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "backups"
    parameters = {"backup": True, "backup_dir": str(folder)}
    write = {"operation": "UpdateAssumeRolePolicy", "request_id": "4711"}
    session = ONBOARDING.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/s"
    record_own_writes([write], session, parameters)
    hosts = {"speech": {**HOSTS["speech"], "cloud_iam_backup_dir": str(folder)}}
    caller = {"type": "AssumedRole", "arn": session}
    own = {**of_role("ray"), "requestID": "4711", "userIdentity": caller}
    disguised = {**of_role("ray"), "userIdentity": caller, "userAgent": "rayfleet-anyscale"}
    replayed = {**record("PutBucketPolicy"), "requestID": "4711", "userIdentity": caller}
    stolen = {**of_role("ray"), "requestID": "4711"}

    def counted(*events: Json) -> tuple[int, int]:
        counts = find([*events], hosts)["counts"]
        return counts["own"], counts["of_clouds"]

    assert counted(own) == (1, 0)
    assert counted(own, of_role("ray")) == (1, 1)
    assert counted(disguised) == (0, 1)
    assert counted(stolen) == (0, 1)
    assert counted(replayed, of_role("ray"), record("PutBucketPolicy")) == (1, 2)
    path = folder / "aws_writes.jsonl"
    line = path.read_text()
    path.write_text(line.replace("4711", "4712"))
    assert counted({**own, "requestID": "4712"}) == (0, 1)
    path.write_text(line + "\0{" + line)
    assert counted(own) == (1, 0)
    path.unlink()
    assert counted(own) == (0, 1)

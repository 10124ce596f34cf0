# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit of a fleet by threads: each cloud has its own result, whatever happens to the others.
What the module reads and checks is its own tests' subject.
"""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import CloudInfoModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit import (
    Audited,
    FleetAudit,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud

Json = dict[str, t.Any]
Read = t.Callable[[Json], Json]

ACCOUNT = "123456789012"


def variables(name: str) -> Json:
    """Those of a cloud that can be audited."""
    return {
        "cloud_iam_account_id": ACCOUNT,
        "cloud_iam_cloud_id": f"cld_{name}",
        "cloud_iam_region": "us-west-2",
        "cloud_iam_bucket": f"{name}-data",
        "cloud_iam_compute_config": f"{name}-ray",
        "cloud_iam_publish": "no",
    }


def found(params: Json) -> Json:
    """A module's result."""
    return {
        "changed": False,
        "cloud": {"cloud_id": params["cloud_id"]},
        "checks": [],
        "warnings": [],
    }


def connect(_params: t.Any) -> t.Any:
    """In the place of what threads share."""


def cloud(name: str, values: Json) -> Clouds:
    """A cloud with these variables."""
    return Clouds(for_engine={name: Cloud(name, parse_settings(values))})


@pytest.fixture(name="audit")
def _audit(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, Audited]]:
    """Audit hosts with given variables, or with what reading these gives; ``read`` stands for the
    module.
    """

    def run(hosts: t.Mapping[str, t.Any], read: Read = found) -> dict[str, Audited]:
        def of_host(name: str) -> Clouds:
            if isinstance(hosts[name], Exception):
                raise hosts[name]
            return hosts[name] if isinstance(hosts[name], Clouds) else cloud(name, hosts[name])

        def result(module: CloudInfoModule, check_mode: bool) -> Json:
            return read(t.cast(Json, module.params))

        monkeypatch.setattr(CloudInfoModule, "result", result)
        audited = list(FleetAudit(of_host, connect, connect).audit(hosts, 4))
        assert len(audited) == len(hosts)
        return {one.name: one for one in audited}

    return run


Audit = t.Callable[..., dict[str, Audited]]


def test_every_cloud_has_the_result_of_the_module(audit: Audit) -> None:
    """Each with its own variables, in whatever order they were done."""
    names = [f"cloud-{number}" for number in range(50)]
    audited = audit({name: variables(name) for name in names})
    assert {name: one.result for name, one in audited.items()} == {
        name: found({"cloud_id": f"cld_{name}"}) for name in names
    }


def test_a_command_is_for_the_host(audit: Audit) -> None:
    """The name in the inventory, which the module does not know."""
    onboard = "ansible-playbook rayfleet.anyscale.onboard --limit"
    checks = [{"command": f"{onboard} <cloud>"}, {"command": ""}]
    audited = audit(
        {"one": variables("one")},
        lambda params: {**found(params), "checks": [dict(check) for check in checks]},
    )
    result = audited["one"].result
    assert result is not None
    assert [check["command"] for check in result["checks"]] == [f"{onboard} one", ""]


def test_the_options_are_those_of_the_role(audit: Audit) -> None:
    """What is not managed is not checked; types are those of the module."""
    seen: list[Json] = []
    audit(
        {
            "whole": variables("whole"),
            "part": {
                **variables("part"),
                "cloud_iam_manage_bucket_access": "false",
                "cloud_iam_manage_compute_config": False,
                "cloud_iam_publish": True,
                "cloud_iam_anyscale_token": "sss_token",
            },
        },
        lambda params: seen.append(params) or found(params),
    )
    options = {params["cloud_id"]: params for params in seen}
    asked = ("bucket", "compute_config", "anyscale", "account_id", "region")
    assert [options["cld_whole"][name] for name in asked] == [
        "whole-data",
        ["whole-ray"],
        False,
        ACCOUNT,
        "us-west-2",
    ]
    assert [options["cld_part"][name] for name in asked[:3]] == ["part-data", None, True]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (AwsError("GetRole failed: no.", "Grant it."), "GetRole failed: no. Grant it."),
        (KeyError("a bug"), "KeyError: 'a bug'. Report this as a bug."),
    ],
    ids=["an error of AWS", "a bug"],
)
def test_a_failure_is_the_result_of_its_cloud_alone(
    audit: Audit, failure: Exception, message: str
) -> None:
    """The others are audited."""

    def read(params: Json) -> Json:
        if params["cloud_id"] == "cld_bad":
            raise failure
        return found(params)

    audited = audit({name: variables(name) for name in ("one", "bad", "two")}, read)
    bad = audited["bad"].result
    assert bad is not None
    assert (bad["failed"], bad["msg"]) == (True, message)
    assert [audited[name].result for name in ("one", "two")] == [
        found({"cloud_id": "cld_one"}),
        found({"cloud_id": "cld_two"}),
    ]


def test_a_cloud_that_could_not_be_audited_shows_what_is_known_of_it(audit: Audit) -> None:
    """From its variables; as far as they go."""

    def refuse(_params: Json) -> Json:
        raise AwsError("No.")

    hosts = {
        "all": variables("all"),
        "few": {"cloud_iam_account_id": ACCOUNT, "cloud_iam_cloud_id": "cld_few"},
    }
    audited = audit(hosts, refuse)
    assert {name: (one.result or {})["cloud"] for name, one in audited.items()} == {
        "all": {"account_id": ACCOUNT, "cloud_id": "cld_all", "region": "us-west-2"},
        "few": {"account_id": ACCOUNT, "cloud_id": "cld_few"},
    }


def test_a_cloud_without_an_id_is_an_error(audit: Audit) -> None:
    """Which names the variable."""
    result = audit({"bad": {**variables("bad"), "cloud_iam_cloud_id": None}})["bad"].result
    assert result is not None
    assert "cloud_iam_cloud_id is not set." in result["msg"]


def test_invalid_variables_are_an_error_of_their_cloud(audit: Audit) -> None:
    """Those that could not be parsed, and those that are no names of anything."""
    unparsed = Cloud("unparsed", CloudSettings(ACCOUNT), error=InputError("cloud_iam_role is 7."))
    hosts = {
        "unparsed": Clouds(for_engine={"unparsed": unparsed}),
        "misnamed": {**variables("misnamed"), "cloud_iam_bucket": "No_Bucket/"},
        "fine": variables("fine"),
    }
    results = {name: one.result or {} for name, one in audit(hosts).items()}
    assert results["unparsed"] == {
        "failed": True,
        "msg": "cloud_iam_role is 7.",
        "cloud": {"account_id": ACCOUNT},
    }
    assert "bucket" in results["misnamed"]["msg"]
    assert "failed" not in results["fine"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AnsibleUndefinedVariable("'x' is undefined"), "'x' is undefined"),
        (KeyError("a bug"), "KeyError: 'a bug'. Report this as a bug."),
    ],
    ids=["undefined", "a bug"],
)
def test_variables_that_cannot_be_read_are_an_error_of_their_cloud(
    audit: Audit, error: Exception, message: str
) -> None:
    """As the role's task would say."""
    audited = audit({"bad": error, "ok": variables("ok")})
    bad = audited["bad"].result
    assert bad is not None
    assert (bad["failed"], bad["msg"]) == (True, message)
    assert audited["ok"].result == found({"cloud_id": "cld_ok"})


def test_a_cloud_of_another_process_is_left(audit: Audit) -> None:
    """With the reason."""
    there = Clouds(obstacles={"there": "the connection is ssh"})
    audited = audit({"there": there, "here": variables("here")})
    assert audited["there"] == Audited("there", None, "the connection is ssh")
    assert audited["here"].result


def test_no_result_shows_a_secret(audit: Audit) -> None:
    """Whatever a server quotes."""
    secrets = {
        "cloud_iam_secret_key": "secret-key-4711",
        "cloud_iam_session_token": "session-0815",
        "cloud_iam_anyscale_token": "sss_token_2357",
    }

    def quote(_params: Json) -> Json:
        raise AwsError(f"The proxy says {' '.join(secrets.values())}.")

    hosts = {"one": {**variables("one"), **secrets, "cloud_iam_access_key": "AKIAIOSFODNN7EXAMPLE"}}
    result = audit(hosts, quote)["one"].result
    assert result is not None
    assert "The proxy says" in result["msg"]
    assert not [secret for secret in secrets.values() if secret in str(result)]


def test_results_are_handed_on_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit of a large fleet does not hold them all; nor does it go on where nobody takes them."""
    begun: list[str] = []
    lock = threading.Lock()

    def result(module: CloudInfoModule, check_mode: bool) -> Json:
        with lock:
            begun.append(module.params["cloud_id"])
        return found(t.cast(Json, module.params))

    monkeypatch.setattr(CloudInfoModule, "result", result)
    fleet = FleetAudit(lambda name: cloud(name, variables(name)), connect, connect)
    audited = fleet.audit((f"cloud-{number}" for number in range(1000)), 3)
    for _one in range(10):
        next(audited)
    audited.close()
    assert len(begun) < 50

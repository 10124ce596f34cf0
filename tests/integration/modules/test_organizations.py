# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds of several Anyscale organizations in one run: each call carries the token of its cloud, and
what one organization answers is none of another's.
"""

from __future__ import annotations

import collections
import re
import tempfile
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale import api
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    SharedClients,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import CloudInfoModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_use import RoleUse
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox, _anyscale
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER, OWNER_TOKEN
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.fleets import in_sync

Json = dict[str, t.Any]

# Both of one account, with one bucket.
EAST, WEST = (in_sync(name, role=f"{name}-ray", bucket="shared-data") for name in ("east", "west"))
TOKENS = {EAST.name: OWNER_TOKEN, WEST.name: "aph0_sandboxwest"}
_IDS = re.compile(r"(cld|cldrsrc|cpt|ses|job|prodjob|svc|schd?|wks|usr|org)_[A-Za-z0-9_]+")
_MAPPED: Json = {"assign": "iam_mapping"}
_PUBLISHED: Json = {"compute_config": "new-ray"}


class Call(t.NamedTuple):
    """A call to Anyscale."""

    token: str
    text: str


@pytest.fixture
def calls(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls to Anyscale from now on, of two clouds whose tokens are those of two owners."""
    sandbox.seed((EAST, WEST))
    monkeypatch.setitem(_anyscale._USERS, TOKENS[WEST.name], OWNER)
    monkeypatch.delenv("ANYSCALE_CLI_TOKEN")
    seen: list[Call] = []
    send = api.send

    def recorded(
        pool: t.Any, method: str, url: str, *, headers: Json, body: t.Any, **rest: t.Any
    ) -> t.Any:
        token = headers["Authorization"].removeprefix("Bearer ")
        seen.append(Call(token, f"{method} {url} {(body or b'').decode()}"))
        return send(pool, method, url, headers=headers, body=body, **rest)

    monkeypatch.setattr(api, "send", recorded)
    return seen


def variables(cloud: Cloud, **more: t.Any) -> Json:
    return {
        "account_id": cloud.account_id,
        "cloud_id": cloud.cloud_id,
        "region": "us-west-2",
        "role": cloud.role_name,
        "bucket": cloud.bucket_name,
        "compute_config": cloud.compute_config_name,
        "anyscale_token": TOKENS[cloud.name],
        **more,
    }


def settings(cloud: Cloud, **more: t.Any) -> CloudSettings:
    return parse_settings(
        {PREFIX + name: value for name, value in variables(cloud, **more).items()}
    )


def assert_apart(calls: list[Call]) -> None:
    """What names a cloud carries its token, and each organization is asked the same: the clouds are
    alike, so that an answer that was kept for the other one would be missing here.
    """
    for cloud in (EAST, WEST):
        names = (cloud.cloud_id, f"{cloud.name}-")
        assert {call.token for call in calls if any(name in call.text for name in names)} == {
            TOKENS[cloud.name]
        }
    asked = {
        token: collections.Counter(
            _IDS.sub("{id}", call.text).replace("east", "x").replace("west", "x")
            for call in calls
            if call.token == token
        )
        for token in TOKENS.values()
    }
    assert {call.token for call in calls} == set(TOKENS.values())
    east, west = asked.values()
    assert east == west


@pytest.mark.parametrize("way", [_PUBLISHED, _MAPPED], ids=["compute config", "mapping"])
def test_the_engine_writes_to_each_with_its_token(calls: list[Call], way: Json) -> None:
    outcomes = engine_runs.converge(
        {cloud.name: variables(cloud, **way) for cloud in (EAST, WEST)}, confirm=False
    )
    assert {one["state"] for one in outcomes.values()} == {"changed"}, outcomes
    assert_apart(calls)


def test_an_audit_reads_each_with_its_token(sandbox: Sandbox, calls: list[Call]) -> None:
    """With what runs, and with what is one for an organization, such as the scheduler's config."""
    profile = {"IamInstanceProfile": {"Arn": EAST.instance_profile_arn}}
    sandbox.organization.scheduler.apply(
        {"resource_flavors": [{"name": "gpu", "advanced_instance_config": profile}]}, OWNER
    )
    clients = SharedClients(configs_wanted=2)
    for cloud in (EAST, WEST):
        options = {**settings(cloud, check_launches=True).info_options(), "authority": None}
        CloudInfoModule(options, connect_anyscale=clients.client).result(check_mode=False)
    assert_apart(calls)
    assert any("scheduler" in call.text for call in calls)


def test_what_runs_is_asked_of_each_with_its_token(calls: list[Call]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        role_use = RoleUse(AccountSessions(SessionCache(folder, new_key()), 1), clouds=2)
        for cloud in (EAST, WEST):
            role_use.of(settings(cloud))
    assert_apart(calls)


@pytest.mark.parametrize("way", [_PUBLISHED, _MAPPED], ids=["compute config", "mapping"])
def test_one_cloud_with_two_tokens_is_refused(calls: list[Call], way: Json) -> None:
    """Two hosts may describe one cloud. What is written for both is not written with the token of
    either.
    """
    other = variables(EAST, **way, anyscale_token=TOKENS[WEST.name])
    outcomes = engine_runs.converge({"one": variables(EAST, **way), "two": other}, confirm=False)
    assert {one["state"] for one in outcomes.values()} == {"failed"}
    assert "differ in cloud_iam_anyscale_token" in outcomes["one"]["msg"]
    assert TOKENS[WEST.name] not in str(outcomes)
    assert not [call for call in calls if call.text.startswith(("PUT", "POST /api/v2/compute"))]
